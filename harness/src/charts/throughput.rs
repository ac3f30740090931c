//! The chart of throughput relative to the baseline, beside the CPU time that it costs: for each workload, and the mean over
//! those that everyone finished.

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
    results::{BASELINE, Cell, Group, Results, bootstrap::Interval},
    units,
};
use plotters::style::RGBColor;

const HEAD: f64 = 104.0;
const GROUP: f64 = 34.0;
const ROW: f64 = 25.0;
const LABELS: f64 = 46.0;
const PLOT: f64 = 300.0;
const CPU_PLOT: f64 = 170.0;
const RATIO: f64 = 168.0;
const COLUMN: f64 = 80.0;
const SIZE: f64 = 13.0;

/// Where the columns of one chart stand.
struct Layout {
    plot: Scale,
    speed: f64,
    cpu_plot: Scale,
    cpu: f64,
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
    let ends = cells().filter_map(|cell| cell.cpu);
    let dearest = ends.map(|cpu| cpu.bounds.map_or(cpu.estimate, |bounds| bounds.1));
    let dearest = dearest.fold(1.0, f64::max);
    let left = LABELS + labels.min(420.0) + 16.0;
    let speed = left + PLOT + RATIO;
    let cpu_left = speed + 24.0;
    let cpu = cpu_left + CPU_PLOT + RATIO;
    let layout = Layout {
        plot: Scale::linear(0.0, fastest * 1.02, left, left + PLOT),
        speed,
        cpu_plot: Scale::linear(0.0, dearest * 1.02, cpu_left, cpu_left + CPU_PLOT),
        cpu,
        columns: [cpu + COLUMN, cpu + 2.0 * COLUMN],
        width: cpu + 2.0 * COLUMN + 24.0,
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
    let title = portion.name(&format!("Throughput and CPU time relative to {BASELINE}"), ": ");
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
                let cpu = results.overall.cpu.iter().find(|(other, _)| other == label);
                let cpu = cpu.map(|(_, cpu)| *cpu);
                let shown = Shown { speed: Some(*speed), runs: &[], cpu, ink };
                row(canvas, label, &shown, top + ROW / 2.0, layout)?;
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
        "Speed: operations (allocations and stores to slots) in a second of wall time, over those of {BASELINE}, as the ratio of mean times. Whiskers and brackets: 95 of 100 cases, by 10,000 resamples of the invocations with replacement; of fewer than three invocations there is no interval, of fewer than ten it is somewhat too narrow. Pale: each run over {BASELINE}'s in the same invocation. CPU time: of all threads, those of the collector's own included, for each operation, likewise; what is faster and costs more of it has used a core that was idle."
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
    for (scale, name, told, column, right) in [
        (&layout.plot, "speed", "further right is better", "ratio (95 %)", layout.speed),
        (&layout.cpu_plot, "CPU time", "further left is better", "ratio (95 %)", layout.cpu),
    ] {
        let left = scale.ends().0;
        canvas.text(name, (left, 66.0), SIZE, Side::Left, Weight::Bold, strong)?;
        canvas.text(told, (left, 84.0), NOTE, Side::Left, Weight::Normal, muted)?;
        canvas.text(column, (right, 84.0), NOTE, Side::Right, Weight::Normal, muted)?;
        let mut taken = f64::MIN;
        for tick in scale.ticks() {
            let x = scale.place(tick);
            canvas.line(&[(x, HEAD), (x, bottom)], 0.75, faint)?;
            let label = format!("{}×", (tick * 100.0).round() / 100.0);
            let label = if tick == 0.0 { "0" } else { &label };
            let half = words::width(label, NOTE) / 2.0;
            if x - half > taken {
                canvas.text(
                    label,
                    (x, bottom + 14.0),
                    NOTE,
                    Side::Middle,
                    Weight::Normal,
                    muted,
                )?;
                taken = x + half + 4.0;
            }
        }
        let one = scale.place(1.0);
        canvas.dashes((one, HEAD), (one, bottom), muted)?;
    }
    Ok(())
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
        let Cell { speed, speeds: runs, cpu, .. } = cell;
        let shown = Shown { speed: *speed, runs, cpu: *cpu, ink };
        row(canvas, &cell.label, &shown, middle, layout)?;
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

/// What a row shows.
struct Shown<'s> {
    speed: Option<Interval>,
    /// The speed of each run.
    runs: &'s [f64],
    cpu: Option<Interval>,
    ink: RGBColor,
}

fn row(
    canvas: &Canvas<'_>,
    label: &str,
    shown: &Shown<'_>,
    middle: f64,
    layout: &Layout,
) -> Result<(), ChartError> {
    let left = layout.plot.ends().0;
    let label = words::fit(label, SIZE, left - LABELS - 8.0);
    let strong = Ink::Strong.colour();
    canvas.text(&label, (LABELS, middle), SIZE, Side::Left, Weight::Normal, strong)?;
    for run in shown.runs {
        let x = layout.plot.place(*run);
        canvas.bar((x - 1.5, middle - 6.0), (x + 1.5, middle + 6.0), shown.ink, 0.35)?;
    }
    interval(canvas, shown.speed, &layout.plot, (layout.speed, middle), shown.ink)?;
    interval(canvas, shown.cpu, &layout.cpu_plot, (layout.cpu, middle), shown.ink)
}

/// Draws a ratio with its whiskers, and writes it flush with the right.
fn interval(
    canvas: &Canvas<'_>,
    interval: Option<Interval>,
    scale: &Scale,
    (right, middle): (f64, f64),
    ink: RGBColor,
) -> Result<(), ChartError> {
    let Some(Interval { estimate, bounds }) = interval else { return Ok(()) };
    let strong = Ink::Strong.colour();
    if let Some((low, high)) = bounds {
        let (low, high) = (scale.place(low), scale.place(high));
        canvas.line(&[(low, middle), (high, middle)], 2.0, strong)?;
        for x in [low, high] {
            canvas.line(&[(x, middle - 5.0), (x, middle + 5.0)], 1.5, strong)?;
        }
    }
    canvas.dot((scale.place(estimate), middle), 4.5, ink, Ink::Ground.colour())?;
    let told = match bounds {
        Some((low, high)) if low == high => units::ratio(estimate),
        Some((low, high)) => units::ratio_range(low, estimate, high),
        None => format!("{} (no interval)", units::ratio(estimate)),
    };
    canvas.text(&told, (right, middle), SIZE, Side::Right, Weight::Normal, strong)
}
