//! The charts of growth: how pauses and cost grow with a parameter of the workload, and with threads.

use super::{
    Chart, ChartError,
    canvas::Canvas,
    how_often,
    legend::{self, Garbage, Legend},
    look::{Look, Looks, Mark},
    panel::{Axis, Better, Frame, Panel, Plot},
    scale::{Scale, decade_above, decade_below},
};
use crate::{
    results::{Cell, Group, Range, Results, round, to_f64},
    units,
};
use serde_json::Value;

/// Fewer values of a parameter show no growth.
const VALUES: usize = 3;

const HEIGHT: f64 = 170.0;

/// One workload at several values of one thing.
struct Series<'g, 'r> {
    /// What grows: a parameter, or `threads`.
    name: String,
    /// The workload, and what stays the same.
    title: String,
    /// Each value with its group, smallest first.
    steps: Vec<(f64, &'g Group<'r>)>,
}

/// Draws a chart for every parameter with enough values, and for threads.
pub(super) fn draw(results: &Results<'_>, looks: &Looks) -> Result<Vec<Chart>, ChartError> {
    let mut charts = Vec::new();
    for series in by_parameter(&results.groups) {
        charts.push(growth(results, &series, looks)?);
    }
    for series in by_threads(&results.groups) {
        charts.push(threads(results, &series, looks)?);
    }
    Ok(charts)
}

fn by_parameter<'g, 'r>(groups: &'g [Group<'r>]) -> Vec<Series<'g, 'r>> {
    let mut found = Vec::new();
    for (place, first) in groups.iter().enumerate() {
        for key in first.parameters.as_object().into_iter().flatten().map(|(key, _)| key) {
            let is_alike = |other: &Group<'_>| {
                other.workload == first.workload
                    && other.threads == first.threads
                    && without(other.parameters, key) == without(first.parameters, key)
            };
            // Each series is found from its first group alone.
            if groups[..place].iter().any(is_alike) {
                continue;
            }
            let alike = groups.iter().filter(|other| is_alike(other));
            let value = |group: &Group<'_>| group.parameters.get(key).and_then(Value::as_f64);
            let mut steps: Vec<(f64, &Group<'_>)> = alike
                .filter_map(|group| Some((value(group).filter(|value| *value > 0.0)?, group)))
                .collect();
            steps.sort_by(|left, right| left.0.total_cmp(&right.0));
            if steps.len() >= VALUES {
                let threads = units::counted(first.threads as u64, "thread", "threads");
                let title = format!("{}, {threads}", first.workload);
                found.push(Series { name: key.clone(), title, steps });
            }
        }
    }
    found
}

fn by_threads<'g, 'r>(groups: &'g [Group<'r>]) -> Vec<Series<'g, 'r>> {
    let mut found = Vec::new();
    for (place, first) in groups.iter().enumerate() {
        let is_alike = |other: &&Group<'_>| {
            (other.workload, other.parameters) == (first.workload, first.parameters)
        };
        if groups[..place].iter().any(|other| is_alike(&other)) {
            continue;
        }
        let alike = groups.iter().filter(is_alike);
        let mut steps: Vec<(f64, &Group<'_>)> =
            alike.map(|group| (to_f64(group.threads as u64), group)).collect();
        steps.sort_by(|left, right| left.0.total_cmp(&right.0));
        if steps.len() >= 2 {
            let title = first.workload.to_owned();
            found.push(Series { name: "threads".to_owned(), title, steps });
        }
    }
    found
}

fn without(parameters: &Value, key: &str) -> Value {
    let mut others = parameters.clone();
    if let Some(others) = others.as_object_mut() {
        others.remove(key);
    }
    others
}

fn growth(
    results: &Results<'_>,
    series: &Series<'_, '_>,
    looks: &Looks,
) -> Result<Chart, ChartError> {
    let name = &series.name;
    let paused = |cell: &Cell<'_>| cell.pauses.as_ref().map(|pauses| pauses.all_ns);
    let plots = [
        plot(series, looks, "Paused in a run", paused),
        plot(series, looks, "Longest pause", longest),
        plot(series, looks, "Collector's time for each object it examines", per_object),
    ];
    panel(
        results,
        series,
        looks,
        plots.into_iter().flatten().collect(),
        format!("{}: growth with {name}", series.title),
        "Both scales are logarithmic: what is twice as steep as the diagonal grows with the square. The lowest is the time of collections over the objects that they looked at; pure counting looks at none.",
    )
}

fn threads(
    results: &Results<'_>,
    series: &Series<'_, '_>,
    looks: &Looks,
) -> Result<Chart, ChartError> {
    let most = series.steps.iter().flat_map(|(_, group)| &group.cells).filter_map(throughput);
    let most = most.map(|range| range.high).fold(0.0, f64::max);
    let up = Scale::linear(0.0, most * 1.05, 0.0, 1.0);
    let million = |tick: f64| (tick, format!("{}", (tick * 100.0).round() / 100.0));
    let up = Axis {
        ticks: up.ticks().into_iter().map(million).collect(),
        scale: up,
        name: "Million operations in a second of wall time".to_owned(),
    };
    let throughputs = (most > 0.0).then(|| Plot {
        across: across(series),
        up,
        better: Better::Higher,
        height: HEIGHT,
        paint: Box::new(|canvas, frame| curves(canvas, frame, series, looks, &throughput)),
    });
    let plots = [
        throughputs,
        plot(series, looks, "CPU time for a thousand operations", cpu),
        plot(series, looks, "Longest pause", longest),
    ];
    panel(
        results,
        series,
        looks,
        plots.into_iter().flatten().collect(),
        format!("{}: growth with threads", series.title),
        "Operations are allocations and stores to slots, of all threads together. More threads than cores wait for each other.",
    )
}

fn longest(cell: &Cell<'_>) -> Option<Range> {
    cell.pauses.as_ref().map(|pauses| pauses.longest_ns)
}

fn per_object(cell: &Cell<'_>) -> Option<Range> {
    Range::of(cell.ok().filter_map(|run| {
        let collections = run.collections.as_ref()?;
        let examined: u64 = collections.iter().map(|generation| generation.examined).sum();
        let ns: u64 = collections.iter().map(|generation| generation.ns).sum();
        (examined > 0).then(|| to_f64(ns) / to_f64(examined))
    }))
}

/// In millions a second.
fn throughput(cell: &Cell<'_>) -> Option<Range> {
    Range::of(cell.ok().filter_map(|run| {
        (run.wall_ns > 0).then(|| Some(to_f64(run.operations?) * 1e3 / to_f64(run.wall_ns)))?
    }))
}

/// Of all threads, in nanoseconds for a thousand operations.
fn cpu(cell: &Cell<'_>) -> Option<Range> {
    Range::of(cell.ok().filter_map(|run| {
        let operations = run.operations.filter(|operations| *operations > 0)?;
        Some(to_f64(run.cpu_ns) * 1e3 / to_f64(operations))
    }))
}

/// What a curve shows of a configuration.
type Quantity = fn(&Cell<'_>) -> Option<Range>;

/// A plot of durations on a logarithmic scale; `None` if there are none.
fn plot<'p>(
    series: &'p Series<'_, '_>,
    looks: &'p Looks,
    name: &str,
    value: Quantity,
) -> Option<Plot<'p>> {
    let ranges = || {
        let cells = series.steps.iter().flat_map(|(_, group)| &group.cells);
        cells.filter_map(value).filter(|range| range.median > 0.0)
    };
    let low = ranges().map(|range| range.low.max(1.0)).reduce(f64::min)?;
    let high = ranges().map(|range| range.high).fold(1.0, f64::max);
    let scale = Scale::logarithmic(decade_below(low), decade_above(high), 0.0, 1.0);
    Some(Plot {
        across: across(series),
        up: Axis::durations(scale, &format!("{name}, log scale")),
        better: Better::Lower,
        height: HEIGHT,
        paint: Box::new(move |canvas, frame| curves(canvas, frame, series, looks, &value)),
    })
}

fn across(series: &Series<'_, '_>) -> Axis {
    let (first, last) = (series.steps[0].0, series.steps[series.steps.len() - 1].0);
    let scale = if series.name == "threads" {
        Scale::linear(0.0, last * 1.05, 0.0, 1.0)
    } else {
        Scale::logarithmic(first * 0.8, (last * 1.2).max(first * 8.0), 0.0, 1.0)
    };
    let written = |value: f64| {
        if value.fract() == 0.0 { units::count(round(value)) } else { value.to_string() }
    };
    let ticks = series.steps.iter().map(|(value, _)| (*value, written(*value))).collect();
    let name = if series.name == "threads" {
        series.name.clone()
    } else {
        format!("{}, log scale", series.name)
    };
    Axis { scale, ticks, name }
}

/// A curve for each collector through the medians, with whiskers from the least to the most; a cross above where it failed.
fn curves(
    canvas: &Canvas<'_>,
    frame: &Frame,
    series: &Series<'_, '_>,
    looks: &Looks,
    value: &dyn Fn(&Cell<'_>) -> Option<Range>,
) -> Result<(), ChartError> {
    let crowd = labels(series).len().max(1) as f64;
    for (label, number) in labels(series).into_iter().zip(0_u8..) {
        let mut points = Vec::new();
        let mut known: Option<Look> = None;
        // Side by side, so that whiskers at the same value can be told apart.
        let aside = (f64::from(number) - (crowd - 1.0) / 2.0) * 2.5_f64.min(18.0 / crowd);
        for (step, group) in &series.steps {
            let Some(cell) = group.cells.iter().find(|cell| cell.label == label) else { continue };
            let look = *known.insert(looks.look(cell));
            let x = frame.across.place(*step) + aside;
            let Some(range) = value(cell).filter(|range| range.median > 0.0) else {
                if !cell.failures().is_empty() {
                    canvas.mark((x, frame.top + 8.0), 4.0, look.colour, Mark::Cross)?;
                }
                // A line across a gap would claim what was not measured.
                draw_piece(canvas, &mut points, look)?;
                continue;
            };
            let [low, middle, high] =
                [range.low, range.median, range.high].map(|value| frame.up.place(value));
            canvas.line(&[(x, low), (x, high)], 1.25, look.colour)?;
            points.push((x, middle));
        }
        if let Some(look) = known {
            draw_piece(canvas, &mut points, look)?;
        }
    }
    Ok(())
}

fn draw_piece(
    canvas: &Canvas<'_>,
    points: &mut Vec<(f64, f64)>,
    look: Look,
) -> Result<(), ChartError> {
    canvas.path(points, 1.75, look.colour, look.dash)?;
    points.drain(..).try_for_each(|point| canvas.mark(point, 4.0, look.colour, look.mark))
}

/// Every collector that occurs at any value.
fn labels<'g>(series: &'g Series<'_, '_>) -> Vec<&'g str> {
    let mut labels: Vec<&str> = Vec::new();
    for cell in series.steps.iter().flat_map(|(_, group)| &group.cells) {
        if !labels.contains(&cell.label.as_str()) {
            labels.push(&cell.label);
        }
    }
    labels
}

fn panel(
    results: &Results<'_>,
    series: &Series<'_, '_>,
    looks: &Looks,
    plots: Vec<Plot<'_>>,
    title: String,
    note: &str,
) -> Result<Chart, ChartError> {
    let (value, last) = series.steps[series.steps.len() - 1];
    let mut legend =
        Legend::of(last, looks, &["longest pause"], |cell| vec![legend::longest(cell)]);
    for row in &mut legend.rows {
        let failures = series.steps.iter().filter_map(|(value, group)| {
            let cell = group.cells.iter().find(|cell| cell.label == row.label)?;
            let failures = cell.failures();
            (!failures.is_empty()).then(|| format!("at {value}: {failures}"))
        });
        row.alarm = failures.collect::<Vec<_>>().join("; ");
    }
    Panel {
        name: super::file_name(&format!("scaling {} {}", series.name, series.title)),
        title,
        plots,
        legend,
        notes: vec![
            format!(
                "Points are medians over the runs, whiskers the least and the most. A cross at the top: no run ended well there. Figures below are those at {} = {value}.",
                series.name
            ),
            note.to_owned(),
            Garbage::of(last).meaning().to_owned(),
            how_often(results),
        ],
    }
    .draw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn growth_is_found_where_one_thing_has_several_values() {
        let records = synthetic::rich();
        let results = Results::of(&records).unwrap();
        let found = by_parameter(&results.groups);
        let told: Vec<_> = found.iter().map(|series| (&*series.name, &*series.title)).collect();
        assert_eq!(told, [("objects", "friends, 1 thread")]);
        let values: Vec<f64> = found[0].steps.iter().map(|step| step.0).collect();
        assert_eq!(values, [10_000.0, 100_000.0, 1_000_000.0]);
        let found = by_threads(&results.groups);
        assert_eq!(found.len(), 1);
        let values: Vec<f64> = found[0].steps.iter().map(|step| step.0).collect();
        assert_eq!(values, [1.0, 2.0, 4.0]);
    }

    #[test]
    fn two_values_show_no_growth() {
        let mut records = synthetic::rich();
        records.retain(|run| run.parameters["objects"] != 10_000 && run.threads == 1);
        let results = Results::of(&records).unwrap();
        assert!(draw(&results, &Looks::of(&results)).unwrap().is_empty());
    }
}
