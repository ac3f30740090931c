//! The chart of pauses beside leaked bytes: every collector on every workload, a row each.
//!
//! Pauses never stand alone: a collector that collects too little looks fast, so what it held and what it left behind is
//! in the same row.

use super::{
    Chart, ChartError,
    canvas::{self, Canvas, NOTE, NOTE_LINE, Side, Weight},
    how_noisy, how_often, legend,
    palette::{Ink, colour},
    portion::{Portion, portions},
    scale::{Scale, decade_above},
    words,
};
use crate::{
    results::{Cell, Group, Memory, Merged, Results, round, to_f64},
    units,
};
use collectors::audit::Leaks;

const HEAD: f64 = 132.0;
const GROUP: f64 = 40.0;
const ROW: f64 = 25.0;

const LABELS: f64 = 38.0;
const LABEL: f64 = 13.0;
/// The narrowest column of labels, and the widest.
const LABEL_WIDTHS: (f64, f64) = (126.0, 420.0);
const PAUSES: f64 = 328.0;
const MEMORY: f64 = 180.0;
const FIGURE: f64 = 72.0;
const KINDS: f64 = 250.0;

/// Where the columns of one chart stand.
struct Layout {
    pauses: (f64, f64),
    longest: f64,
    number: f64,
    memory: (f64, f64),
    leaked: f64,
    /// Floating on average, and at most; `None` if it is not known.
    floating: Option<(f64, f64)>,
    peak: f64,
    /// Leaks by kind; `None` if no run was audited.
    kinds: Option<f64>,
    width: f64,
}

impl Layout {
    fn of(results: &Results<'_>) -> Self {
        let cells = || results.groups.iter().flat_map(|group| &group.cells);
        let widest = cells().map(|cell| words::width(&cell.label, LABEL));
        let labels = widest.fold(LABEL_WIDTHS.0, f64::max).min(LABEL_WIDTHS.1);
        let mut memories = cells().filter_map(|cell| cell.memory.as_ref());
        let has_floating = memories.clone().any(|memory| memory.floating_mean.is_some());
        let has_kinds = memories.any(|memory| memory.leaks.is_some());
        let left = LABELS + labels + 14.0;
        let pauses = (left, left + PAUSES);
        let longest = pauses.1 + 80.0;
        let number = longest + FIGURE + 6.0;
        let memory = (number + 34.0, number + 34.0 + MEMORY);
        let leaked = memory.1 + FIGURE + 12.0;
        let floating = has_floating.then_some((leaked + FIGURE, leaked + 2.0 * FIGURE));
        let peak = floating.map_or(leaked, |(_, most)| most) + FIGURE + 22.0;
        let kinds = has_kinds.then_some(peak + 24.0);
        let width = kinds.map_or(peak, |kinds| kinds + KINDS) + 24.0;
        Self { pauses, longest, number, memory, leaked, floating, peak, kinds, width }
    }
}

/// How many strips the pauses of a row are sorted into.
const STRIPS: usize = 97;

/// Draws the chart, or one for each workload if it would be too long.
pub(super) fn draw(results: &Results<'_>) -> Result<Vec<Chart>, ChartError> {
    let layout = Layout::of(results);
    portions(&results.groups).iter().map(|portion| one(results, portion, &layout)).collect()
}

fn one(
    results: &Results<'_>,
    portion: &Portion<'_, '_>,
    layout: &Layout,
) -> Result<Chart, ChartError> {
    let rows: usize = portion.groups.iter().map(|group| group.cells.len()).sum();
    let bottom = HEAD + GROUP * portion.groups.len() as f64 + ROW * rows as f64;
    let title = "How long each collector stops the program, and what it leaves behind";
    let title = portion.name(title, ": ");
    let pauses = pause_scale(results, layout.pauses);
    let notes = notes(results, layout);
    let room = layout.width - 48.0;
    let lines: usize = notes.iter().map(|note| words::wrap(note, NOTE, room).len()).sum();
    let height = bottom + 46.0 + NOTE_LINE * lines as f64 + 4.0;
    let name = super::file_name(&portion.name("pauses-and-leaks", "-"));
    canvas::chart(&name, &title, (layout.width, height), |canvas| {
        head(canvas, results, layout, &title)?;
        grid(canvas, &pauses, bottom + 6.0)?;
        if let Some((median, _)) = how_noisy(results)
            && to_f64(median) > to_f64(results.floor_ns().unwrap_or(0))
        {
            let x = pauses.place(to_f64(median));
            canvas.dashes((x, HEAD), (x, bottom + 6.0), Ink::Muted.colour())?;
        }
        let mut top = HEAD;
        for group in &portion.groups {
            draw_group(canvas, group, layout, &pauses, top)?;
            top += GROUP + ROW * group.cells.len() as f64;
        }
        canvas.notes(&notes, (24.0, bottom + 46.0), room)?;
        Ok(())
    })
}

/// From the floor to the power of ten above the longest pause of all.
pub(super) fn pause_scale(results: &Results<'_>, (from, to): (f64, f64)) -> Scale {
    let all = results
        .groups
        .iter()
        .flat_map(|group| &group.cells)
        .filter_map(|cell| cell.pauses.as_ref());
    let longest = all.map(|pauses| pauses.longest_ns.high).fold(0.0, f64::max);
    let floor = results.floor_ns().unwrap_or(10_000).max(1) as f64;
    Scale::logarithmic(floor, decade_above(longest.max(floor * 10.0)), from, to)
}

fn head(
    canvas: &Canvas<'_>,
    results: &Results<'_>,
    layout: &Layout,
    title: &str,
) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    canvas.text(title, (24.0, 28.0), 20.0, Side::Left, Weight::Bold, strong)?;
    let runs = units::counted(results.records.len() as u64, "run", "runs");
    let floor = units::round_duration(results.floor_ns().unwrap_or(0));
    let told = format!(
        "Each row is one collector on one workload; pauses of all {} put together ({runs} in all).",
        units::counted(u64::from(results.invocations()), "invocation", "invocations")
    );
    canvas.text(&told, (24.0, 54.0), 13.0, Side::Left, Weight::Normal, muted)?;
    let mut columns = vec![
        ((layout.pauses.0, Side::Left), format!("Pauses of {floor} or more")),
        ((layout.longest, Side::Right), "longest".to_owned()),
        ((layout.number, Side::Right), "number".to_owned()),
        ((layout.memory.0, Side::Left), "Bytes of objects".to_owned()),
        ((layout.leaked, Side::Right), "leaked".to_owned()),
        ((layout.peak, Side::Right), "peak held".to_owned()),
    ];
    if let Some((mean, most)) = layout.floating {
        columns.push(((most, Side::Right), "floating".to_owned()));
        for (x, told) in [(mean, "mean"), (most, "at most")] {
            canvas.text(told, (x, 111.0), 12.0, Side::Right, Weight::Normal, muted)?;
        }
    }
    if let Some(x) = layout.kinds {
        columns.push(((x, Side::Left), "Not freed, by why".to_owned()));
        canvas.text("audited run", (x, 111.0), 12.0, Side::Left, Weight::Normal, muted)?;
    }
    for ((x, side), column) in columns {
        canvas.text(&column, (x, 92.0), 13.0, side, Weight::Bold, strong)?;
    }
    for (x, told) in [
        (layout.pauses.0, "log scale; shorter is better"),
        (layout.memory.0, "of all allocated; fewer is better"),
    ] {
        canvas.arrow((x, 111.0), muted)?;
        canvas.text(told, (x + 12.0, 111.0), 12.0, Side::Left, Weight::Normal, muted)?;
    }
    Ok(())
}

fn grid(canvas: &Canvas<'_>, pauses: &Scale, bottom: f64) -> Result<(), ChartError> {
    for tick in pauses.ticks() {
        let x = pauses.place(tick);
        canvas.line(&[(x, HEAD), (x, bottom)], 0.75, Ink::Grid.colour())?;
        let label = units::round_duration(round(tick));
        canvas.text(
            &label,
            (x, bottom + 12.0),
            12.0,
            Side::Middle,
            Weight::Normal,
            Ink::Muted.colour(),
        )?;
    }
    Ok(())
}

fn draw_group(
    canvas: &Canvas<'_>,
    group: &Group<'_>,
    layout: &Layout,
    pauses: &Scale,
    top: f64,
) -> Result<(), ChartError> {
    let allocated = group
        .cells
        .iter()
        .filter_map(|cell| cell.memory.as_ref())
        .map(|memory| memory.allocated.high);
    let allocated = allocated.fold(0.0, f64::max);
    let middle = top + GROUP - 13.0;
    canvas.line(
        &[(24.0, top + 8.0), (layout.width - 24.0, top + 8.0)],
        0.75,
        Ink::Grid.colour(),
    )?;
    canvas.text(
        &group.label,
        (24.0, middle),
        14.0,
        Side::Left,
        Weight::Bold,
        Ink::Strong.colour(),
    )?;
    let told = format!("0 to {} allocated", units::bytes(round(allocated)));
    canvas.text(
        &told,
        (layout.memory.0, middle),
        12.0,
        Side::Left,
        Weight::Normal,
        Ink::Muted.colour(),
    )?;
    let bytes = Scale::linear(0.0, allocated, layout.memory.0, layout.memory.1);
    for (row, cell) in group.cells.iter().enumerate() {
        let middle = top + GROUP + ROW * (row as f64 + 0.5);
        canvas.bar(
            (LABELS - 14.0, middle - 5.0),
            (LABELS - 4.0, middle + 5.0),
            colour(cell.collector),
            1.0,
        )?;
        canvas.text(
            &words::fit(&cell.label, LABEL, LABEL_WIDTHS.1),
            (LABELS + 4.0, middle),
            LABEL,
            Side::Left,
            Weight::Normal,
            Ink::Strong.colour(),
        )?;
        if let Some(merged) = &cell.pauses {
            draw_pauses(canvas, cell, merged, layout, pauses, middle)?;
        }
        if let Some(memory) = &cell.memory {
            draw_memory(canvas, cell, memory, layout, &bytes, middle)?;
        }
        let failures = cell.failures();
        if !failures.is_empty() {
            // Beside the bar of memory where there is one, for what is drawn must not hide what is missing.
            let x = if cell.pauses.is_some() { layout.memory.0 } else { layout.pauses.0 } + 8.0;
            canvas.caption(&failures, (x, middle), 12.0, Ink::Alarm.colour())?;
        }
    }
    Ok(())
}

/// A strip that is darker where more pauses are, the 99th percentile, and the longest pause of each run.
fn draw_pauses(
    canvas: &Canvas<'_>,
    cell: &Cell<'_>,
    merged: &Merged,
    layout: &Layout,
    scale: &Scale,
    middle: f64,
) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    if merged.histogram.count() == 0 {
        let told = match merged.shorter + merged.unclocked {
            0 => "no pause at all".to_owned(),
            shorter => format!("none this long, {} shorter", units::count(shorter)),
        };
        return canvas.caption(&told, (layout.pauses.0 + 8.0, middle), 12.0, muted);
    }
    let width = (layout.pauses.1 - layout.pauses.0) / STRIPS as f64;
    let mut strips = [0_u64; STRIPS];
    for (ns, count) in merged.histogram.buckets() {
        let strip = ((scale.place(ns as f64) - layout.pauses.0) / width) as usize;
        strips[strip.min(STRIPS - 1)] += count;
    }
    let most = strips.iter().copied().max().unwrap_or(1).max(1);
    for (strip, &count) in strips.iter().enumerate().filter(|(_, count)| **count > 0) {
        let left = layout.pauses.0 + width * strip as f64;
        let opacity = 0.25 + 0.75 * (1.0 + count as f64).ln() / (1.0 + most as f64).ln();
        canvas.bar(
            (left, middle - 6.0),
            (left + width, middle + 6.0),
            colour(cell.collector),
            opacity,
        )?;
    }
    if let Some(p99) = merged.percentile(0.99) {
        let x = scale.place(p99 as f64);
        canvas.line(&[(x, middle - 9.0), (x, middle + 9.0)], 2.0, strong)?;
    }
    for longest in
        cell.runs.iter().filter_map(|run| run.pauses.as_ref()).filter(|pauses| pauses.count > 0)
    {
        canvas.dot(
            (scale.place(longest.max_ns as f64), middle),
            3.0,
            colour(cell.collector),
            Ink::Ground.colour(),
        )?;
    }
    let longest = units::duration(round(merged.longest_ns.high));
    canvas.text(&longest, (layout.longest, middle), 13.0, Side::Right, Weight::Normal, strong)?;
    let number = units::count(merged.histogram.count());
    canvas.text(&number, (layout.number, middle), 13.0, Side::Right, Weight::Normal, muted)
}

/// What was held at most, and on it what was leaked.
fn draw_memory(
    canvas: &Canvas<'_>,
    cell: &Cell<'_>,
    memory: &Memory,
    layout: &Layout,
    scale: &Scale,
    middle: f64,
) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    let (leaked, peak) = (memory.leaked.high, memory.peak_held.high);
    canvas.line(
        &[(layout.memory.0, middle + 7.0), (layout.memory.1, middle + 7.0)],
        0.75,
        Ink::Grid.colour(),
    )?;
    canvas.bar(
        (layout.memory.0, middle - 6.0),
        (scale.place(peak), middle + 6.0),
        colour(cell.collector),
        0.35,
    )?;
    if leaked > 0.0 {
        canvas.bar(
            (layout.memory.0, middle - 6.0),
            (scale.place(leaked), middle + 6.0),
            colour(cell.collector),
            1.0,
        )?;
    }
    let weight = if leaked > 0.0 { Weight::Bold } else { Weight::Normal };
    let ink = if memory.is_as_promised { strong } else { Ink::Alarm.colour() };
    let told = units::bytes(round(leaked)) + if memory.is_as_promised { "" } else { " (!)" };
    canvas.text(&told, (layout.leaked, middle), 13.0, Side::Right, weight, ink)?;
    let mut figures = vec![(layout.peak, units::bytes(round(peak)))];
    if let Some((mean, most)) = layout.floating {
        figures.push((mean, legend::told(memory.floating_mean)));
        figures.push((most, legend::told(memory.floating_peak)));
    }
    for (x, figure) in figures {
        canvas.text(&figure, (x, middle), 13.0, Side::Right, Weight::Normal, muted)?;
    }
    let (Some(x), Some(leaks)) = (layout.kinds, &memory.leaks) else { return Ok(()) };
    let is_bug = leaks.protocol.bytes > 0;
    let (weight, ink) =
        if is_bug { (Weight::Bold, Ink::Alarm.colour()) } else { (Weight::Normal, muted) };
    canvas.text(&kinds(leaks), (x, middle), 12.0, Side::Left, weight, ink)
}

/// Leaks by kind, those that occur.
fn kinds(leaks: &Leaks) -> String {
    let all = [
        ("a bug", leaks.protocol.bytes),
        ("structural", leaks.structural.bytes),
        ("policy", leaks.policy.bytes),
    ];
    let told = all.into_iter().filter(|(_, bytes)| *bytes > 0);
    let told: Vec<String> =
        told.map(|(kind, number)| format!("{kind} {}", units::bytes(number))).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

fn notes(results: &Results<'_>, layout: &Layout) -> Vec<String> {
    let mut notes = vec![
        "Strip: pauses of all mutator threads, stronger where there are more (log). Bar: 99th percentile, where at least 1,000 pauses carry it. \
         Dots: the longest of each run."
            .to_owned(),
        "Solid: leaked, what is still held when every root is gone and full collections find nothing more. Pale: held at most. \
         An object's bytes are header, slots and data."
            .to_owned(),
    ];
    if layout.floating.is_some() {
        notes.push("Floating: dead and not yet freed, on average over the run and at most, from what was held less what an audited run showed to be live. Where several threads run, live bytes differ a little from run to run.".to_owned());
    }
    if layout.kinds.is_some() {
        notes.push("Not freed when the program had ended. Structural: the collector can never free it. Policy: one more collection frees it. A bug: it should have been freed and never was.".to_owned());
    }
    notes.push(how_often(results));
    if let Some((_, told)) = how_noisy(results) {
        notes.push(format!("Dashed: {}{}", told[..1].to_lowercase(), &told[1..]));
    }
    notes
}
