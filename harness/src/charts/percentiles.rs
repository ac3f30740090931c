//! The charts of percentiles: pauses of one workload, and latencies of one that serves requests.
//!
//! The axis is stretched towards the worst: equal steps from 90 to 99 and from 99 to 99.9. A curve ends where fewer than
//! ten samples lie beyond.

use super::{
    Chart, ChartError,
    canvas::Canvas,
    how_often,
    legend::{self, Garbage, Legend},
    look::Looks,
    panel::{Axis, Better, Frame, Panel, Plot},
    pauses_and_leaks::pause_scale,
    scale::{Scale, decade_above, decade_below},
};
use crate::{
    histogram::Histogram,
    results::{Cell, Group, Results, to_f64},
    units,
};

/// No percentile with fewer samples than this beyond it.
const BEYOND: f64 = 10.0;

const HEIGHT: f64 = 250.0;

/// Draws the percentiles of the pauses of one workload.
pub(super) fn pauses(
    results: &Results<'_>,
    group: &Group<'_>,
    looks: &Looks,
) -> Result<Chart, ChartError> {
    let floor = units::round_duration(results.floor_ns().unwrap_or(0));
    let all = || results.groups.iter().flat_map(|group| &group.cells);
    let most = all().filter_map(|cell| Some(cell.pauses.as_ref()?.histogram.count())).max();
    let across = percents(most.unwrap_or(0));
    let up = Axis::durations(pause_scale(results, (0.0, 1.0)), "Pause, log scale");
    let paint = |canvas: &Canvas<'_>, frame: &Frame| {
        for cell in &group.cells {
            let (Some(pauses), look) = (&cell.pauses, looks.look(cell)) else { continue };
            let points = curve(&pauses.histogram, pauses.longest_ns.high, frame);
            canvas.path(&points, 2.0, look.colour, look.dash)?;
            if let Some(&end) = points.last() {
                canvas.mark(end, 4.0, look.colour, look.mark)?;
            }
        }
        Ok(())
    };
    let figures = |cell: &Cell<'_>| {
        let count = cell.pauses.as_ref().map(|pauses| units::count(pauses.histogram.count()));
        vec![count.unwrap_or_else(|| "–".to_owned()), legend::longest(cell)]
    };
    Panel {
        name: format!("{}-percentiles", super::file_name(&group.label)),
        title: format!("{}: how long pauses are", group.label),
        plots: vec![Plot {
            across,
            up,
            better: Better::Lower,
            height: HEIGHT,
            paint: Box::new(paint),
        }],
        legend: Legend::of(group, looks, &["pauses", "longest"], figures),
        notes: vec![
            format!(
                "Percentiles of all pauses of {floor} or more, of all runs and mutator threads put together. A curve ends where fewer than ten pauses lie beyond; of fewer than twenty there is none."
            ),
            Garbage::of(group).meaning().to_owned(),
            how_often(results),
        ],
    }
    .draw()
}

/// Draws the percentiles of latencies of one workload; `None` if it serves no requests.
pub(super) fn latency(
    results: &Results<'_>,
    group: &Group<'_>,
    looks: &Looks,
) -> Option<Result<Chart, ChartError>> {
    let all = || group.cells.iter().filter_map(|cell| Some((cell, cell.latency.as_ref()?)));
    let most = all().map(|(_, latency)| latency.intended.count()).max()?;
    let longest = all().map(|(_, latency)| latency.max_ns).max()?;
    let shortest = all().filter_map(|(_, latency)| latency.simple.quantile(0.5)).min()?;
    let low = decade_below(to_f64(shortest.max(1)));
    let scale = Scale::logarithmic(low, decade_above(to_f64(longest).max(low * 10.0)), 0.0, 1.0);
    let paint = |canvas: &Canvas<'_>, frame: &Frame| {
        for (cell, latency) in all() {
            let (look, worst) = (looks.look(cell), to_f64(latency.max_ns));
            canvas.path(&curve(&latency.simple, worst, frame), 1.0, look.colour, look.dash)?;
            let points = curve(&latency.intended, worst, frame);
            canvas.path(&points, 2.5, look.colour, look.dash)?;
            if let Some(&end) = points.last() {
                canvas.mark(end, 4.0, look.colour, look.mark)?;
            }
        }
        Ok(())
    };
    let figures = |cell: &Cell<'_>| {
        let Some(latency) = &cell.latency else { return vec!["–".to_owned(); 2] };
        let requests = units::count(latency.intended.count());
        vec![requests, units::duration(latency.max_ns)]
    };
    let panel = Panel {
        name: format!("{}-latency", super::file_name(&group.label)),
        title: format!("{}: how long a request waits for its answer", group.label),
        plots: vec![Plot {
            across: percents(most),
            up: Axis::durations(scale, "Latency, log scale"),
            better: Better::Lower,
            height: HEIGHT,
            paint: Box::new(paint),
        }],
        legend: Legend::of(group, looks, &["requests", "longest"], figures),
        notes: vec![
            "Thick, with a mark: from the moment at which a request was due, whether or not the server was ready for it. Thin: from the moment when work on it began, which hides what queues behind a pause."
                .to_owned(),
            Garbage::of(group).meaning().to_owned(),
            how_often(results),
        ],
    };
    Some(panel.draw())
}

/// The axis up to what so many samples carry.
fn percents(samples: u64) -> Axis {
    let high = decade_above((to_f64(samples) / BEYOND).max(100.0));
    let scale = Scale::logarithmic(2.0, high, 0.0, 1.0);
    let ticks = scale.ticks().into_iter().map(|tick| {
        // As many nines as make sense: 90, 99, 99.9.
        let digits = (tick.log10().round() as usize).saturating_sub(2);
        (tick, format!("{:.digits$} %", 100.0 - 100.0 / tick))
    });
    let ticks = std::iter::once((2.0, "50 %".to_owned())).chain(ticks).collect();
    Axis { scale, ticks, name: "percentile".to_owned() }
}

/// Steps from the median as far as the samples carry.
fn curve(histogram: &Histogram, longest: f64, frame: &Frame) -> Vec<(f64, f64)> {
    let all = to_f64(histogram.count());
    let end = all / BEYOND;
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut before = 0.0;
    for (ns, count) in histogram.buckets() {
        let after = before + to_f64(count);
        // One out of `from` pauses, and one out of `to`, is longer than this.
        let from = (all / (all - before)).max(2.0);
        let to = if after < all { (all / (all - after)).min(end) } else { end };
        before = after;
        if to <= 2.0 || from > to {
            continue;
        }
        let y = frame.up.place((to_f64(ns)).min(longest));
        let (left, right) = (frame.across.place(from), frame.across.place(to));
        // What would be drawn within half a pixel of the last point is not worth its bytes.
        match points.last() {
            Some(last) if right - last.0 < 0.5 && last.1 - y < 0.5 => {}
            _ => points.extend([(left, y), (right, y)]),
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            across: Scale::logarithmic(2.0, 2_000.0, 0.0, 300.0),
            up: Scale::linear(0.0, 1_000.0, 1_000.0, 0.0),
            left: 0.0,
            right: 300.0,
            top: 0.0,
            bottom: 1_000.0,
        }
    }

    #[test]
    fn a_curve_passes_through_its_percentiles_and_ends_where_ten_are_left() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|ns| histogram.record(ns));
        let points = curve(&histogram, 1_000.0, &frame());
        let at = |x: f64| points.iter().rev().find(|point| point.0 <= x + 0.01).unwrap().1;
        let tenth = 300.0 * 5.0_f64.ln() / 1_000.0_f64.ln();
        assert!((at(tenth) - 100.0).abs() <= 2.0, "90 of 100 are at most 900: {}", at(tenth));
        let last = points.last().unwrap();
        let hundredth = 300.0 * 50.0_f64.ln() / 1_000.0_f64.ln();
        assert!((last.0 - hundredth).abs() < 0.5 && (last.1 - 10.0).abs() <= 1.0, "{last:?}");
    }

    #[test]
    fn too_few_samples_have_no_curve() {
        let mut histogram = Histogram::new();
        (1..=19).for_each(|ns| histogram.record(ns));
        assert_eq!(curve(&histogram, 19.0, &frame()), []);
    }

    #[test]
    fn the_axis_ends_where_the_samples_do() {
        let names =
            |samples| percents(samples).ticks.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names(500), ["50 %", "90 %", "99 %"]);
        assert_eq!(names(20_000), ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert_eq!(crate::results::round(percents(500).ticks[1].0), 10);
    }
}
