//! The chart of throughput relative to the baseline: for each workload, and the mean over those that everyone finished.

use super::{
    Chart, ChartError,
    canvas::{self, Canvas, NOTE, NOTE_LINE, Side, Weight},
    how_often,
    legend::{Garbage, told},
    look::Looks,
    palette::{Ink, colour},
    portion::{Portion, portions},
    scale::Scale,
    words,
};
use crate::{
    results::{BASELINE, Group, Results, bootstrap::Interval},
    units,
};

const HEAD: f64 = 104.0;
const GROUP: f64 = 34.0;
const ROW: f64 = 25.0;
const LABELS: f64 = 46.0;
const PLOT: f64 = 440.0;
const SPEED: f64 = 200.0;
const COLUMN: f64 = 90.0;
const SIZE: f64 = 13.0;

/// Where the columns of one chart stand.
struct Layout {
    plot: Scale,
    speed: f64,
    columns: [f64; 2],
    width: f64,
}

/// Draws the charts; none if nothing was measured against the baseline.
pub(super) fn draw(results: &Results<'_>, looks: &Looks) -> Result<Vec<Chart>, ChartError> {
    let cells = || results.groups.iter().flat_map(|group| &group.cells);
    if cells().all(|cell| cell.speed.is_none()) {
        return Ok(Vec::new());
    }
    let labels = cells().map(|cell| words::width(&cell.label, SIZE)).fold(120.0, f64::max);
    let ends = cells().filter_map(|cell| cell.speed);
    let fastest = ends.map(|speed| speed.bounds.map_or(speed.estimate, |bounds| bounds.1));
    let runs = cells().flat_map(|cell| cell.speeds.iter().copied());
    let fastest = fastest.chain(runs).fold(1.0, f64::max);
    let left = LABELS + labels.min(420.0) + 16.0;
    let right = left + PLOT;
    let layout = Layout {
        plot: Scale::linear(0.0, fastest * 1.02, left, right),
        speed: right + SPEED,
        columns: [right + SPEED + COLUMN, right + SPEED + 2.0 * COLUMN],
        width: right + SPEED + 2.0 * COLUMN + 24.0,
    };
    let portions = portions(&results.groups);
    let charts = portions.iter().enumerate();
    charts.map(|(place, portion)| one(results, portion, looks, &layout, place == 0)).collect()
}

fn one(
    results: &Results<'_>,
    portion: &Portion<'_, '_>,
    looks: &Looks,
    layout: &Layout,
    is_first: bool,
) -> Result<Chart, ChartError> {
    let overall = if is_first { &results.overall.speeds[..] } else { &[] };
    let rows: usize = portion.groups.iter().map(|group| group.cells.len()).sum();
    let blocks = portion.groups.len() + usize::from(!overall.is_empty());
    let bottom = HEAD + GROUP * blocks as f64 + ROW * (rows + overall.len()) as f64;
    let notes = notes(results, is_first);
    let room = layout.width - 48.0;
    let lines: usize = notes.iter().map(|note| words::wrap(note, NOTE, room).len()).sum();
    let height = bottom + 44.0 + NOTE_LINE * lines as f64;
    let title = portion.name(&format!("Throughput relative to {BASELINE}"), ": ");
    let name = portion.name("throughput", "-");
    canvas::chart(&super::file_name(&name), &title, (layout.width, height), |canvas| {
        head(canvas, &title, layout, bottom)?;
        let mut top = HEAD;
        if !overall.is_empty() {
            let number = results.overall.counted.len() as u64;
            let told = units::counted(number, "workload", "workloads");
            block(canvas, &format!("Geometric mean over {told}"), top, layout)?;
            top += GROUP;
            for (label, speed) in overall {
                let cells = results.groups.iter().flat_map(|group| &group.cells);
                let cell = cells.into_iter().find(|cell| cell.label == *label);
                let ink = cell.map_or(Ink::Muted.colour(), |cell| colour(cell.collector));
                if let Some(cell) = cell {
                    let at = (LABELS - 12.0, top + ROW / 2.0);
                    canvas.mark(at, 5.0, ink, looks.look(cell).mark)?;
                }
                row(canvas, label, Some(*speed), &[], ink, top + ROW / 2.0, layout)?;
                top += ROW;
            }
        }
        for group in &portion.groups {
            block(canvas, &group.label, top, layout)?;
            top = draw_group(canvas, group, looks, layout, top + GROUP)?;
        }
        canvas.notes(&notes, (24.0, bottom + 44.0), room)?;
        Ok(())
    })
}

fn notes(results: &Results<'_>, is_first: bool) -> Vec<String> {
    let mut notes = vec![format!(
        "Operations (allocations and stores to slots) in a second of wall time, over those of {BASELINE}, as the ratio of mean times. Whiskers and brackets: 95 of 100 cases, by 10,000 resamples of the invocations with replacement; of fewer than three invocations there is no interval, of fewer than ten it is somewhat too narrow. Pale: each run over {BASELINE}'s in the same invocation."
    )];
    if is_first && !results.overall.left_out.is_empty() {
        let left_out: Vec<String> = results
            .overall
            .left_out
            .iter()
            .map(|(group, who)| format!("{group} ({who})"))
            .collect();
        notes.push(format!(
            "Not in the geometric mean, with who did not finish or was not run: {}.",
            left_out.join("; ")
        ));
    }
    if let Some(group) = results.groups.first() {
        notes.push(Garbage::of(group).meaning().to_owned());
    }
    notes.push(how_often(results));
    notes
}

fn head(canvas: &Canvas<'_>, title: &str, layout: &Layout, bottom: f64) -> Result<(), ChartError> {
    let (strong, muted, faint) = (Ink::Strong.colour(), Ink::Muted.colour(), Ink::Grid.colour());
    canvas.text(title, (24.0, 28.0), 20.0, Side::Left, Weight::Bold, strong)?;
    let left = layout.plot.ends().0;
    canvas.text(
        "further right is better",
        (left, 84.0),
        NOTE,
        Side::Left,
        Weight::Normal,
        muted,
    )?;
    let columns = [(layout.speed, "ratio (95 %)")];
    for (x, column) in columns {
        canvas.text(column, (x, 84.0), SIZE, Side::Right, Weight::Bold, strong)?;
    }
    for tick in layout.plot.ticks() {
        let x = layout.plot.place(tick);
        canvas.line(&[(x, HEAD), (x, bottom)], 0.75, faint)?;
        let label = format!("{}×", (tick * 100.0).round() / 100.0);
        let label = if tick == 0.0 { "0" } else { &label };
        canvas.text(label, (x, bottom + 14.0), NOTE, Side::Middle, Weight::Normal, muted)?;
    }
    let one = layout.plot.place(1.0);
    canvas.dashes((one, HEAD), (one, bottom), muted)
}

fn block(canvas: &Canvas<'_>, label: &str, top: f64, layout: &Layout) -> Result<(), ChartError> {
    let line = [(24.0, top + 6.0), (layout.width - 24.0, top + 6.0)];
    canvas.line(&line, 0.75, Ink::Grid.colour())?;
    let at = (24.0, top + GROUP - 12.0);
    canvas.text(label, at, 14.0, Side::Left, Weight::Bold, Ink::Strong.colour())
}

/// Draws the rows of a workload; returns where the next block begins.
fn draw_group(
    canvas: &Canvas<'_>,
    group: &Group<'_>,
    looks: &Looks,
    layout: &Layout,
    mut top: f64,
) -> Result<f64, ChartError> {
    let garbage = Garbage::of(group);
    let muted = Ink::Muted.colour();
    for (x, column) in layout.columns.into_iter().zip([garbage.column(), "leaked"]) {
        canvas.text(column, (x, top - 12.0), NOTE, Side::Right, Weight::Normal, muted)?;
    }
    for cell in &group.cells {
        let middle = top + ROW / 2.0;
        let ink = colour(cell.collector);
        canvas.mark((LABELS - 12.0, middle), 5.0, ink, looks.look(cell).mark)?;
        row(canvas, &cell.label, cell.speed, &cell.speeds, ink, middle, layout)?;
        let failures = cell.failures();
        if !failures.is_empty() {
            // On the side that is free.
            let (left, right) = layout.plot.ends();
            let is_left = cell.speed.is_some_and(|speed| {
                layout.plot.place(speed.estimate) < f64::midpoint(left, right)
            });
            let (x, side) =
                if is_left { (right - 8.0, Side::Right) } else { (left + 8.0, Side::Left) };
            canvas.text(&failures, (x, middle), NOTE, side, Weight::Bold, Ink::Alarm.colour())?;
        }
        let leaked = cell.memory.as_ref().map(|memory| memory.leaked);
        for (x, bytes) in layout.columns.into_iter().zip([garbage.bytes(cell), leaked]) {
            canvas.text(&told(bytes), (x, middle), SIZE, Side::Right, Weight::Normal, muted)?;
        }
        top += ROW;
    }
    Ok(top)
}

fn row(
    canvas: &Canvas<'_>,
    label: &str,
    speed: Option<Interval>,
    runs: &[f64],
    ink: plotters::style::RGBColor,
    middle: f64,
    layout: &Layout,
) -> Result<(), ChartError> {
    let strong = Ink::Strong.colour();
    let (left, right) = layout.plot.ends();
    let label = words::fit(label, SIZE, left - LABELS - 8.0);
    canvas.text(&label, (LABELS, middle), SIZE, Side::Left, Weight::Normal, strong)?;
    let Some(speed) = speed else { return Ok(()) };
    for run in runs {
        let x = layout.plot.place(*run);
        canvas.bar((x - 1.5, middle - 6.0), (x + 1.5, middle + 6.0), ink, 0.35)?;
    }
    let place = |value: f64| layout.plot.place(value).min(right);
    if let Some((low, high)) = speed.bounds {
        let (low, high) = (place(low), place(high));
        canvas.line(&[(low, middle), (high, middle)], 2.0, strong)?;
        for x in [low, high] {
            canvas.line(&[(x, middle - 5.0), (x, middle + 5.0)], 1.5, strong)?;
        }
    }
    canvas.dot((place(speed.estimate), middle), 4.5, ink, Ink::Ground.colour())?;
    let told = match speed.bounds {
        Some((low, high)) if low == high => units::ratio(speed.estimate),
        Some((low, high)) => units::ratio_range(low, speed.estimate, high),
        None => format!("{} (no interval)", units::ratio(speed.estimate)),
    };
    canvas.text(&told, (layout.speed, middle), SIZE, Side::Right, Weight::Normal, strong)
}
