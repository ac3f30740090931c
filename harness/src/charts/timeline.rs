//! The chart of pauses over time: a lane for every collector on one workload, a dot for every pause.

use super::{
    Chart, ChartError,
    canvas::{self, Canvas, NOTE, NOTE_LINE, Side, Weight},
    legend::{Garbage, longest, told},
    look::{Looks, Mark},
    palette::Ink,
    panel::WIDTH,
    pauses_and_leaks::pause_scale,
    scale::Scale,
    words,
};
use crate::{
    results::{
        Cell, Group, Results, round,
        samples::{Dot, Samples},
        to_f64,
    },
    units,
};
use collectors::Cause;
use std::collections::BTreeSet;

const LEFT: f64 = 20.0;
const PLOT: (f64, f64) = (76.0, 596.0);
/// Between the lines of the key.
const KEY_LINE: f64 = 19.0;
const HEAD: f64 = 80.0 + KEY_LINE;
const LABEL: f64 = 22.0;
const LANE: f64 = 56.0;
const GAP: f64 = 14.0;
const SIZE: f64 = 12.5;

/// Pauses that would be drawn within this of one another are one dot.
const GRAIN: f64 = 2.0;

/// One collector's lane: what stands above it, and its pauses or why there are none to see.
struct Lane<'c> {
    cell: &'c Cell<'c>,
    figures: String,
    pauses: Result<Vec<Dot>, String>,
}

/// Draws the chart of one workload.
pub(super) fn draw(
    results: &Results<'_>,
    group: &Group<'_>,
    looks: &Looks,
    samples: &Samples,
) -> Result<Chart, ChartError> {
    let garbage = Garbage::of(group);
    let lanes: Vec<Lane<'_>> =
        group.cells.iter().map(|cell| lane(cell, garbage, samples)).collect();
    let title = format!("{}: when the program stops", group.label);
    let titles = words::wrap(&title, 15.0, WIDTH - 2.0 * LEFT);
    let notes = notes(results, garbage);
    let lines: usize =
        notes.iter().map(|note| words::wrap(note, NOTE, WIDTH - 2.0 * LEFT).len()).sum();
    let head = HEAD + 21.0 * (titles.len() as f64 - 1.0);
    let rows: f64 = lanes.iter().map(|lane| room(lane) + LANE + GAP).sum();
    let height = head + rows + 46.0 + NOTE_LINE * lines as f64 + 10.0;
    let name = format!("{}-timeline", super::file_name(&group.label));
    canvas::chart(&name, &title, (WIDTH, height), |canvas| {
        let strong = Ink::Strong.colour();
        for (line, y) in titles.iter().zip((0_u8..).map(|line| 26.0 + 21.0 * f64::from(line))) {
            canvas.text(line, (LEFT, y), 15.0, Side::Left, Weight::Bold, strong)?;
        }
        draw_key(canvas, head - 27.0)?;
        let end = lanes.iter().filter_map(|lane| lane.cell.median_run()).map(|run| run.wall_ns);
        let across = Scale::linear(0.0, to_f64(end.max().unwrap_or(1)), PLOT.0, PLOT.1);
        let mut top = head;
        for lane in &lanes {
            top += room(lane);
            draw_lane(canvas, lane, looks, &across, pause_scale(results, (top + LANE, top)))?;
            top += LANE + GAP;
        }
        draw_time(canvas, &across, top - GAP)?;
        canvas.notes(&notes, (LEFT, top + 42.0), WIDTH - 2.0 * LEFT)?;
        Ok(())
    })
}

fn notes(results: &Results<'_>, garbage: Garbage) -> Vec<String> {
    let floor = units::round_duration(results.floor_ns().unwrap_or(0));
    vec![
        format!(
            "A dot is a pause of {floor} or more, at the moment it began; several that would cover each other are one. Each lane is the run of median wall time, whose number is given; figures are of that run, garbage of the worst of all runs."
        ),
        garbage.meaning().to_owned(),
        super::how_often(results),
    ]
}

fn lane<'c>(cell: &'c Cell<'c>, garbage: Garbage, samples: &Samples) -> Lane<'c> {
    let Some(run) = cell.median_run() else {
        let why = cell.failures();
        let why = if why.is_empty() { "no timed run".to_owned() } else { why };
        return Lane { cell, figures: String::new(), pauses: Err(why) };
    };
    let longest = match &run.pauses {
        Some(pauses) if pauses.count > 0 => {
            let number = units::counted(pauses.count, "pause", "pauses");
            format!("{number}, longest {}", units::duration(pauses.max_ns))
        }
        _ => longest(cell),
    };
    let figures = format!(
        "run {}: {longest}; {} {}, leaked {}",
        run.invocation,
        garbage.column(),
        told(garbage.bytes(cell)),
        told(cell.memory.as_ref().map(|memory| memory.leaked)),
    );
    Lane { cell, figures, pauses: samples.pauses(run) }
}

/// Room above a lane: one line, or two if label and figures do not fit beside each other, and one for failures.
fn room(lane: &Lane<'_>) -> f64 {
    let is_failed = lane.cell.median_run().is_some() && !lane.cell.failures().is_empty();
    LABEL + if is_long(lane) { 17.0 } else { 0.0 } + if is_failed { 17.0 } else { 0.0 }
}

fn is_long(lane: &Lane<'_>) -> bool {
    let width = words::width(&lane.cell.label, SIZE) + words::width(&lane.figures, NOTE);
    width + 40.0 > PLOT.1 - LEFT
}

/// What the shapes mean, and which direction is better.
fn draw_key(canvas: &Canvas<'_>, y: f64) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    let title = "Pause, log scale";
    canvas.text(title, (LEFT, y - KEY_LINE), 13.0, Side::Left, Weight::Bold, strong)?;
    let (better, right) = ("lower is better", (PLOT.1, y - KEY_LINE));
    canvas.text(better, right, NOTE, Side::Right, Weight::Normal, muted)?;
    let mut x = LEFT + 4.0;
    for cause in CAUSES {
        canvas.mark((x, y), 3.5, muted, shape(cause))?;
        let name = crate::table::cause(cause);
        canvas.text(name, (x + 8.0, y), NOTE, Side::Left, Weight::Normal, muted)?;
        x += words::width(name, NOTE) + 20.0;
    }
    Ok(())
}

/// What pauses are for, in the order of the key.
const CAUSES: [Cause; 6] = [
    Cause::Collection,
    Cause::Cascade,
    Cause::Stop,
    Cause::SlowAllocation,
    Cause::Handshake,
    Cause::Stall,
];

fn shape(cause: Cause) -> Mark {
    match cause {
        Cause::Collection => Mark::Circle,
        Cause::Cascade => Mark::Triangle,
        Cause::Stop => Mark::Square,
        Cause::SlowAllocation => Mark::Diamond,
        Cause::Handshake => Mark::Plus,
        Cause::Stall => Mark::Cross,
    }
}

fn draw_lane(
    canvas: &Canvas<'_>,
    lane: &Lane<'_>,
    looks: &Looks,
    across: &Scale,
    up: Scale,
) -> Result<(), ChartError> {
    let (strong, muted, faint) = (Ink::Strong.colour(), Ink::Muted.colour(), Ink::Grid.colour());
    let look = looks.look(lane.cell);
    let (bottom, top) = (up.ends().0, up.ends().1);
    let mut y = top - room(lane) + LABEL / 2.0;
    canvas.mark((LEFT + 6.0, y), 5.0, look.colour, look.mark)?;
    let label = words::fit(&lane.cell.label, SIZE, PLOT.1 - LEFT - 18.0);
    canvas.text(&label, (LEFT + 18.0, y), SIZE, Side::Left, Weight::Bold, strong)?;
    if is_long(lane) {
        y += 17.0;
    }
    canvas.text(&lane.figures, (PLOT.1, y), NOTE, Side::Right, Weight::Normal, muted)?;
    let failures = lane.cell.failures();
    if lane.cell.median_run().is_some() && !failures.is_empty() {
        let alarm = Ink::Alarm.colour();
        canvas.text(&failures, (PLOT.1, y + 17.0), NOTE, Side::Right, Weight::Bold, alarm)?;
    }
    let ticks = up.ticks();
    let step = ticks.len().div_ceil(4).max(1);
    for (index, tick) in ticks.iter().enumerate() {
        let y = up.place(*tick);
        canvas.line(&[(PLOT.0, y), (PLOT.1, y)], 0.75, faint)?;
        if index.is_multiple_of(step) {
            let label = units::round_duration(round(*tick));
            canvas.text(&label, (PLOT.0 - 8.0, y), 11.0, Side::Right, Weight::Normal, muted)?;
        }
    }
    if let Some(run) = lane.cell.median_run() {
        let x = across.place(to_f64(run.wall_ns));
        canvas.line(&[(x, top), (x, bottom)], 1.0, muted)?;
    }
    let middle = (PLOT.0 + 10.0, f64::midpoint(top, bottom));
    match &lane.pauses {
        Err(why) => canvas.text(why, middle, NOTE, Side::Left, Weight::Bold, Ink::Alarm.colour()),
        Ok(pauses) if pauses.is_empty() => canvas.caption("none this long", middle, NOTE, muted),
        Ok(pauses) => draw_pauses(canvas, pauses, across, &up, look.colour),
    }
}

fn draw_pauses(
    canvas: &Canvas<'_>,
    pauses: &[Dot],
    across: &Scale,
    up: &Scale,
    colour: plotters::style::RGBColor,
) -> Result<(), ChartError> {
    let mut taken = BTreeSet::new();
    let mut round_ones = Vec::new();
    for dot in pauses {
        let at = (across.place(to_f64(dot.start_ns)), up.place(to_f64(dot.wall_ns)));
        let cell = ((at.0 / GRAIN) as u32, (at.1 / GRAIN) as u32, dot.cause);
        if !taken.insert(cell) {
            continue;
        }
        match shape(dot.cause) {
            Mark::Circle => round_ones.push(at),
            other => canvas.mark(at, 2.5, colour, other)?,
        }
    }
    canvas.dots(&round_ones, 1.75, colour);
    Ok(())
}

fn draw_time(canvas: &Canvas<'_>, across: &Scale, bottom: f64) -> Result<(), ChartError> {
    let muted = Ink::Muted.colour();
    let ticks = across.ticks();
    for tick in &ticks {
        let x = across.place(*tick);
        canvas.line(&[(x, bottom), (x, bottom + 4.0)], 1.0, muted)?;
        let label = units::round_duration(round(*tick));
        let label = if *tick == 0.0 { "0" } else { &label };
        let middle = x.min(WIDTH - 4.0 - words::width(label, NOTE) / 2.0);
        let at = (middle, bottom + 14.0);
        canvas.text(label, at, NOTE, Side::Middle, Weight::Normal, muted)?;
    }
    let told = "time since the run began; a line marks its end";
    canvas.text(told, (PLOT.1, bottom + 32.0), NOTE, Side::Right, Weight::Normal, muted)
}
