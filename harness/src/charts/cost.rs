//! The chart of one workload: how many pauses are how long, and what the program's speed pays for it.

use super::{
    Chart, ChartError,
    canvas::{self, Canvas, Side, Weight},
    how_often,
    palette::{Ink, colour},
    pauses_and_leaks::pause_scale,
    scale::{Scale, decade_above, decade_below},
};
use crate::{
    results::{BASELINE, Cell, Group, Merged, Results, round},
    units,
};

const WIDTH: f64 = 1160.0;
const TOP: f64 = 108.0;
const BOTTOM: f64 = 400.0;
const HEIGHT: f64 = 518.0;
const CURVES: (f64, f64) = (84.0, 560.0);
const SPEEDS: (f64, f64) = (772.0, 944.0);
const FIGURES: f64 = 1136.0;

/// Draws the chart of one workload.
pub(super) fn draw(results: &Results<'_>, group: &Group<'_>) -> Result<Chart, ChartError> {
    let title = format!("{}: pauses and speed", group.label);
    let name: String = group
        .label
        .chars()
        .map(|letter| if letter.is_alphanumeric() { letter } else { '-' })
        .collect();
    canvas::chart(name.trim_end_matches('-'), &title, (WIDTH, HEIGHT), |canvas| {
        canvas.text(&title, (24.0, 28.0), 20.0, Side::Left, Weight::Bold, Ink::Strong.colour())?;
        draw_curves(canvas, results, group)?;
        draw_speeds(canvas, group)?;
        let muted = Ink::Muted.colour();
        let lines = [
            "Left: a point (x, y) says that a run has y pauses of at least x, averaged over runs; a curve ends in a dot at the longest pause of all.".to_owned(),
            format!("Right: operations (allocations and stores to slots) in a second of wall time, over those of {BASELINE} in the same invocation; a dot a run, a bar at the median."),
            "Leaked and peak: bytes of objects that were left when nothing more could be found, and that were held at most.".to_owned(),
            how_often(results),
        ];
        for (line, y) in lines.iter().zip([446.0, 464.0, 482.0, 500.0]) {
            canvas.text(line, (24.0, y), 12.0, Side::Left, Weight::Normal, muted)?;
        }
        Ok(())
    })
}

fn draw_curves(
    canvas: &Canvas<'_>,
    results: &Results<'_>,
    group: &Group<'_>,
) -> Result<(), ChartError> {
    let (strong, muted, faint) = (Ink::Strong.colour(), Ink::Muted.colour(), Ink::Grid.colour());
    let merged = || group.cells.iter().filter_map(|cell| Some((cell, cell.pauses.as_ref()?)));
    let runs = f64::from(results.invocations().max(1));
    let most =
        merged().map(|(cell, pauses)| per_run(cell, pauses.histogram.count())).fold(1.0, f64::max);
    let across = pause_scale(results, CURVES);
    let up = Scale::logarithmic(decade_below(1.0 / runs), decade_above(most), BOTTOM, TOP);

    canvas.text(
        "Pauses in a run that are at least this long",
        (24.0, 62.0),
        13.0,
        Side::Left,
        Weight::Bold,
        strong,
    )?;
    canvas.arrow((24.0, 82.0), muted)?;
    canvas.text(
        "both scales logarithmic; lower and further left is better",
        (36.0, 82.0),
        12.0,
        Side::Left,
        Weight::Normal,
        muted,
    )?;
    for tick in across.ticks() {
        let x = across.place(tick);
        canvas.line(&[(x, TOP), (x, BOTTOM)], 0.75, faint)?;
        let label = units::round_duration(round(tick));
        canvas.text(&label, (x, BOTTOM + 14.0), 12.0, Side::Middle, Weight::Normal, muted)?;
    }
    for tick in up.ticks() {
        let y = up.place(tick);
        canvas.line(&[(CURVES.0, y), (CURVES.1, y)], 0.75, faint)?;
        let label = if tick < 1.0 { format!("{tick}") } else { units::count(round(tick)) };
        canvas.text(&label, (CURVES.0 - 8.0, y), 12.0, Side::Right, Weight::Normal, muted)?;
    }
    for (cell, pauses) in merged().filter(|(_, pauses)| pauses.histogram.count() > 0) {
        let points = curve(cell, pauses, &across, &up);
        canvas.line(&points, 2.0, colour(cell.collector))?;
        if let Some(&end) = points.last() {
            canvas.dot(end, 4.0, colour(cell.collector), Ink::Ground.colour())?;
        }
    }
    Ok(())
}

/// Steps from the shortest pause down to the longest.
fn curve(cell: &Cell<'_>, pauses: &Merged, across: &Scale, up: &Scale) -> Vec<(f64, f64)> {
    let mut left = pauses.histogram.count();
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (ns, count) in pauses.histogram.buckets() {
        let (x, y) =
            (across.place((ns as f64).min(pauses.longest_ns.high)), up.place(per_run(cell, left)));
        // What would be drawn within a quarter of a pixel of the last point is not worth its bytes.
        if points.last().is_none_or(|last| x - last.0 > 0.25 || y - last.1 > 0.25) {
            if let Some(&(_, before)) = points.last() {
                points.push((x, before));
            }
            points.push((x, y));
        }
        left -= count;
    }
    points
}

fn per_run(cell: &Cell<'_>, count: u64) -> f64 {
    let runs = cell.runs.iter().filter(|run| run.pauses.is_some()).count().max(1);
    count as f64 / runs as f64
}

fn draw_speeds(canvas: &Canvas<'_>, group: &Group<'_>) -> Result<(), ChartError> {
    let (strong, muted, faint) = (Ink::Strong.colour(), Ink::Muted.colour(), Ink::Grid.colour());
    let fastest = group
        .cells
        .iter()
        .filter_map(|cell| cell.relative)
        .map(|range| range.high)
        .fold(1.0, f64::max);
    let across = Scale::linear(0.0, fastest * 1.02, SPEEDS.0, SPEEDS.1);
    let left = SPEEDS.0 - 140.0;
    canvas.text(
        &format!("Speed relative to {BASELINE}"),
        (left, 62.0),
        13.0,
        Side::Left,
        Weight::Bold,
        strong,
    )?;
    canvas.text(
        "further right is better; in brackets least and most",
        (left, 82.0),
        12.0,
        Side::Left,
        Weight::Normal,
        muted,
    )?;
    for tick in across.ticks() {
        let x = across.place(tick);
        canvas.line(&[(x, TOP), (x, BOTTOM)], 0.75, faint)?;
        let label = format!("{}×", (tick * 100.0).round() / 100.0);
        let label = if tick == 0.0 { "0" } else { &label };
        canvas.text(label, (x, BOTTOM + 14.0), 12.0, Side::Middle, Weight::Normal, muted)?;
    }
    let step = (BOTTOM - TOP) / group.cells.len().max(1) as f64;
    for (cell, row) in group.cells.iter().zip(0_u8..) {
        let middle = TOP + step * (f64::from(row) + 0.5);
        canvas.bar(
            (left, middle - 5.0),
            (left + 10.0, middle + 5.0),
            colour(cell.collector),
            1.0,
        )?;
        canvas.text(
            &cell.label,
            (left + 18.0, middle),
            13.0,
            Side::Left,
            Weight::Normal,
            strong,
        )?;
        let failures = cell.failures();
        if !failures.is_empty() {
            canvas.text(
                &failures,
                (SPEEDS.0, middle),
                12.0,
                Side::Left,
                Weight::Bold,
                Ink::Alarm.colour(),
            )?;
        }
        if let Some(memory) = &cell.memory {
            let [leaked, held] =
                [memory.leaked, memory.peak_held].map(|range| units::bytes(round(range.high)));
            let told = format!("leaked {leaked}, peak {held}");
            let place = (FIGURES, middle + 18.0);
            canvas.text(&told, place, 12.0, Side::Right, Weight::Normal, muted)?;
        }
        let Some(range) = cell.relative else { continue };
        for speed in &cell.speeds {
            canvas.dot(
                (across.place(*speed), middle),
                3.5,
                colour(cell.collector),
                Ink::Ground.colour(),
            )?;
        }
        let x = across.place(range.median);
        canvas.line(&[(x, middle - 9.0), (x, middle + 9.0)], 2.0, strong)?;
        let told = units::ratio_range(range.low, range.median, range.high);
        canvas.text(&told, (FIGURES, middle), 13.0, Side::Right, Weight::Normal, strong)?;
    }
    Ok(())
}
