//! The charts of settings: what a collector trades for what, as a front of pause against garbage.

use super::{
    Chart, ChartError,
    canvas::{Canvas, NOTE, Weight},
    how_often,
    labels::Labels,
    legend::{Garbage, Legend, Row, told},
    look::{Look, Looks},
    palette::Ink,
    panel::{Axis, Better, Frame, Panel, Plot},
    scale::{Scale, decade_above, decade_below},
};
use crate::{
    results::{Cell, Group, Results, round, to_f64},
    units,
};

/// Fewer settings than this are no sweep.
const VARIANTS: usize = 3;

/// One configuration as a point.
struct Point<'c> {
    cell: &'c Cell<'c>,
    look: Look,
    pause: f64,
    garbage: f64,
    /// CPU time of a run, in nanoseconds.
    cpu: f64,
    leaks: bool,
}

/// Draws a chart for every workload and every collector that has enough settings there.
pub(super) fn draw(results: &Results<'_>, looks: &Looks) -> Result<Vec<Chart>, ChartError> {
    let mut charts = Vec::new();
    for group in &results.groups {
        let mut collectors: Vec<&str> = group.cells.iter().map(|cell| cell.collector).collect();
        collectors.dedup();
        for collector in collectors {
            let number = group.cells.iter().filter(|cell| cell.collector == collector).count();
            if number >= VARIANTS {
                charts.extend(one(results, group, collector, looks).transpose()?);
            }
        }
    }
    Ok(charts)
}

fn one(
    results: &Results<'_>,
    group: &Group<'_>,
    collector: &str,
    looks: &Looks,
) -> Option<Result<Chart, ChartError>> {
    let garbage = Garbage::of(group);
    // The percentile says more, but only if all have it can they be compared.
    let mut paused = group
        .cells
        .iter()
        .filter_map(|cell| cell.pauses.as_ref())
        .filter(|pauses| pauses.histogram.count() > 0);
    let is_p99 = paused.all(|pauses| pauses.percentile(0.99).is_some());
    let point = |cell: &'_ Cell<'_>| -> Option<(f64, f64, f64)> {
        let pauses = cell.pauses.as_ref()?;
        let pause =
            if is_p99 { to_f64(pauses.percentile(0.99)?) } else { pauses.longest_ns.median };
        let garbage = garbage.bytes(cell)?.median;
        (pause > 0.0 && garbage > 0.0).then_some((pause, garbage, cell.cpu_ns?.median))
    };
    let points: Vec<Point<'_>> = group
        .cells
        .iter()
        .filter_map(|cell| {
            let (pause, garbage, cpu) = point(cell)?;
            let leaks = cell.memory.as_ref().is_some_and(|memory| memory.leaked.high > 0.0);
            Some(Point { cell, look: looks.look(cell), pause, garbage, cpu, leaks })
        })
        .collect();
    if points.iter().filter(|point| point.cell.collector == collector).count() < VARIANTS {
        return None;
    }
    let what = if is_p99 { "99th percentile of pauses" } else { "Longest pause (median run)" };
    let scale = |value: fn(&Point<'_>) -> f64| {
        let low = points.iter().map(value).fold(f64::MAX, f64::min);
        let high = points.iter().map(value).fold(0.0, f64::max);
        Scale::logarithmic(decade_below(low), decade_above(high), 0.0, 1.0)
    };
    let name = match garbage {
        Garbage::Floating => "garbage floating on average, log scale",
        Garbage::Held => "bytes held at most, log scale",
    };
    let most = points.iter().map(|point| point.cpu).fold(1.0, f64::max);
    let panel = Panel {
        name: super::file_name(&format!("sweep {collector} {}", group.label)),
        title: format!("{}: what the settings of {collector} trade", group.label),
        plots: vec![Plot {
            across: Axis::bytes(scale(|point| point.garbage), name),
            up: Axis::durations(scale(|point| point.pause), &format!("{what}, log scale")),
            better: Better::LowerLeft,
            height: 300.0,
            paint: Box::new(|canvas, frame| paint(canvas, frame, &points, collector, most)),
        }],
        legend: legend(group, looks, &points, garbage, if is_p99 { "p99" } else { "longest" }),
        notes: vec![
            format!(
                "The line joins the front: those that leave nothing behind and that no other beats in both. The area of a point is the CPU time of a run, {} for the largest. Hollow: it leaks, so it is on no front.",
                units::duration(round(most))
            ),
            garbage.meaning().to_owned(),
            how_often(results),
        ],
    };
    Some(panel.draw())
}

/// Numbered as the points are; what cannot be drawn has a dash.
fn legend(
    group: &Group<'_>,
    looks: &Looks,
    points: &[Point<'_>],
    garbage: Garbage,
    pause: &'static str,
) -> Legend {
    let rows = group.cells.iter().map(|cell| {
        let found = points.iter().position(|point| point.cell.label == cell.label);
        let number = found.map_or_else(|| "–".to_owned(), |place| (place + 1).to_string());
        let [pause, cpu] = match found.map(|place| &points[place]) {
            Some(point) => [point.pause, point.cpu].map(|ns| units::duration(round(ns))),
            None => ["–".to_owned(), "–".to_owned()],
        };
        let leaked = told(cell.memory.as_ref().map(|memory| memory.leaked));
        Row {
            look: looks.look(cell),
            label: format!("{number}  {}", cell.label),
            figures: vec![pause, cpu, told(garbage.bytes(cell)), leaked],
            alarm: cell.failures(),
        }
    });
    Legend { columns: vec![pause, "CPU time", garbage.column(), "leaked"], rows: rows.collect() }
}

fn paint(
    canvas: &Canvas<'_>,
    frame: &Frame,
    points: &[Point<'_>],
    collector: &str,
    most: f64,
) -> Result<(), ChartError> {
    let mut line: Vec<(f64, f64)> =
        front(points).iter().map(|point| frame.place((point.garbage, point.pause))).collect();
    line.sort_by(|left, right| left.0.total_cmp(&right.0));
    canvas.line(&line, 1.5, Ink::Muted.colour())?;
    let radius = |point: &Point<'_>| 10.0 * (point.cpu / most).sqrt().max(0.3);
    let within = [frame.left, frame.top - 4.0, frame.right + 16.0, frame.bottom];
    let mut labels = Labels::new(within, NOTE);
    for point in points {
        let (x, y) = frame.place((point.garbage, point.pause));
        let size = radius(point);
        canvas.mark((x, y), size, point.look.colour, point.look.mark)?;
        if point.leaks {
            canvas.dot((x, y), size * 0.5, Ink::Ground.colour(), Ink::Ground.colour())?;
        }
        labels.take_point((x, y), size);
    }
    for (point, number) in points.iter().zip(1..) {
        let at = frame.place((point.garbage, point.pause));
        let settings = point.cell.label.strip_prefix(point.cell.collector).unwrap_or_default();
        let settings = settings.trim_start_matches(" (").trim_end_matches(')');
        let is_swept = point.cell.collector == collector && !settings.is_empty();
        let name = if is_swept { settings } else { point.cell.collector };
        // In a crowd a point goes by its number; its row below has the figures.
        let texts = [format!("{number}: {name}"), number.to_string()];
        let texts = texts.iter().map(String::as_str);
        let ink = (Weight::Normal, Ink::Strong.colour());
        labels.beside(canvas, texts, at, radius(point), ink)?;
    }
    Ok(())
}

/// Those that leave nothing behind and that no other such beats in both pause and garbage.
fn front<'p, 'c>(points: &'p [Point<'c>]) -> Vec<&'p Point<'c>> {
    let fit = || points.iter().filter(|point| !point.leaks);
    let is_beaten = |point: &Point<'_>| {
        fit().any(|other| {
            other.pause <= point.pause
                && other.garbage <= point.garbage
                && (other.pause < point.pause || other.garbage < point.garbage)
        })
    };
    fit().filter(|point| !is_beaten(point)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn only_those_that_nobody_beats_and_that_leak_nothing_are_on_the_front() {
        let records = synthetic::records();
        let results = Results::of(&records).unwrap();
        let cell = &results.groups[0].cells[0];
        let look = Looks::of(&results).look(cell);
        let point = |pause, garbage, leaks| Point { cell, look, pause, garbage, cpu: 1.0, leaks };
        let points = [
            point(1.0, 9.0, false),
            point(5.0, 5.0, false),
            point(5.0, 6.0, false),
            point(9.0, 1.0, false),
            point(0.5, 0.5, true),
        ];
        let front: Vec<f64> = front(&points).iter().map(|point| point.garbage).collect();
        assert_eq!(front, [9.0, 5.0, 1.0]);
    }
}
