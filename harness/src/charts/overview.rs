//! The overview: every workload under every collector, a cell each, with pause, speed and garbage together.

use super::{
    Chart, ChartError,
    canvas::{self, Canvas, NOTE, NOTE_LINE, Side, Weight},
    how_often,
    legend::{Garbage, longest, told},
    look::Looks,
    palette::{Ink, colour},
    words,
};
use crate::{
    results::{BASELINE, Cell, Group, Range, Results, bootstrap::Interval},
    units,
};

const LEFT: f64 = 24.0;
const LABELS: f64 = 160.0;
const NAMES: f64 = 96.0;
const COLUMN: f64 = 122.0;
const LINE: f64 = 18.0;
const PADDING: f64 = 10.0;
const HEAD: f64 = 64.0;
const SIZE: f64 = 12.5;

/// Lines of a cell whose runs ended well.
const FIGURES: usize = 5;

/// Columns beside each other; what is more goes below.
const BAND: usize = 8;

/// Draws the chart.
pub(super) fn draw(results: &Results<'_>, looks: &Looks) -> Result<Chart, ChartError> {
    let mut columns: Vec<&Cell<'_>> = Vec::new();
    for cell in results.groups.iter().flat_map(|group| &group.cells) {
        if !columns.iter().any(|known| known.label == cell.label) {
            columns.push(cell);
        }
    }
    let bands: Vec<&[&Cell<'_>]> = columns.chunks(BAND).collect();
    let widest = columns.len().min(BAND) as f64;
    let width = (LEFT + LABELS + NAMES + COLUMN * widest + LEFT).max(760.0);
    let rows: f64 = results.groups.iter().map(row_height).sum();
    let heads: f64 = bands.iter().map(|band| head_height(band)).sum();
    let notes = [
        format!(
            "Longest pause: of all runs. Speed: throughput over that of {BASELINE}. CPU time: of all threads, over its. {} Runs that did not end well are named in their cell.",
            results.groups.first().map_or(Garbage::Held, Garbage::of).meaning()
        ),
        "Shaded: the best of those that left nothing behind and never failed, where the ranges of all runs (for speed and CPU time the intervals of 95 in 100 cases) do not overlap with any other's. Nothing is shaded where these runs cannot tell.".to_owned(),
        how_often(results),
    ];
    let room = width - 2.0 * LEFT;
    let lines: usize = notes.iter().map(|note| words::wrap(note, NOTE, room).len()).sum();
    let body = rows * bands.len() as f64 + heads;
    let height = HEAD + body + 20.0 + NOTE_LINE * lines as f64 + 8.0;
    let title = "Every program under every collector";
    canvas::chart("overview", title, (width, height), |canvas| {
        let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
        canvas.text(title, (LEFT, 28.0), 20.0, Side::Left, Weight::Bold, strong)?;
        let told = "shorter, faster, less CPU time and fewer bytes are better; a short pause can be bought with garbage, and speed with another core";
        canvas.text(told, (LEFT, 52.0), NOTE, Side::Left, Weight::Normal, muted)?;
        let mut top = HEAD;
        for band in &bands {
            top = draw_head(canvas, band, looks, top)?;
            for group in &results.groups {
                draw_row(canvas, group, band, top)?;
                top += row_height(group);
            }
        }
        canvas.notes(&notes, (LEFT, top + 20.0), room)?;
        Ok(())
    })
}

/// As many lines as the label or the fullest cell needs.
fn row_height(group: &Group<'_>) -> f64 {
    let label = words::wrap(&group.label, 13.0, LABELS - 12.0).len();
    let failed = group.cells.iter().map(|cell| match failures(cell).len() {
        0 => FIGURES,
        lines if cell.ok().next().is_none() => lines,
        lines => FIGURES + lines,
    });
    LINE * failed.chain([label]).max().unwrap_or(FIGURES) as f64 + PADDING
}

/// What went wrong, in lines that fit a cell.
fn failures(cell: &Cell<'_>) -> Vec<String> {
    let told = cell.failures();
    if told.is_empty() { Vec::new() } else { words::wrap(&told, NOTE, COLUMN - 16.0) }
}

fn head_height(band: &[&Cell<'_>]) -> f64 {
    let lines = band.iter().map(|cell| words::wrap(&cell.label, SIZE, COLUMN - 20.0).len());
    22.0 + 16.0 * lines.max().unwrap_or(1) as f64
}

fn draw_head(
    canvas: &Canvas<'_>,
    band: &[&Cell<'_>],
    looks: &Looks,
    top: f64,
) -> Result<f64, ChartError> {
    let bottom = top + head_height(band);
    for (cell, place) in band.iter().zip(0_u8..) {
        let right = LEFT + LABELS + NAMES + COLUMN * f64::from(place + 1);
        let lines = words::wrap(&cell.label, SIZE, COLUMN - 20.0);
        let first = bottom - 8.0 - 16.0 * lines.len() as f64;
        let mark = looks.look(cell).mark;
        canvas.mark((right - 5.0, first - 4.0), 5.0, colour(cell.collector), mark)?;
        for (line, number) in lines.iter().zip(0_u8..) {
            let at = (right, first + 12.0 + 16.0 * f64::from(number));
            canvas.text(line, at, SIZE, Side::Right, Weight::Bold, Ink::Strong.colour())?;
        }
    }
    Ok(bottom)
}

fn draw_row(
    canvas: &Canvas<'_>,
    group: &Group<'_>,
    band: &[&Cell<'_>],
    top: f64,
) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    let garbage = Garbage::of(group);
    let end = LEFT + LABELS + NAMES + COLUMN * band.len() as f64;
    canvas.line(&[(LEFT, top), (end, top)], 0.75, Ink::Grid.colour())?;
    let line = |number: usize| top + PADDING / 2.0 + LINE * (number as f64 + 0.5);
    for (text, number) in words::wrap(&group.label, 13.0, LABELS - 12.0).iter().zip(0..) {
        canvas.text(text, (LEFT, line(number)), 13.0, Side::Left, Weight::Bold, strong)?;
    }
    let names = ["longest pause", "speed", "CPU time", garbage.column(), "leaked"];
    for (name, number) in names.into_iter().zip(0..) {
        let at = (LEFT + LABELS, line(number));
        canvas.text(name, at, NOTE, Side::Left, Weight::Normal, muted)?;
    }
    for (column, place) in band.iter().zip(0_u8..) {
        let right = LEFT + LABELS + NAMES + COLUMN * f64::from(place + 1);
        let Some(cell) = group.cells.iter().find(|cell| cell.label == column.label) else {
            canvas.text("not run", (right, line(0)), NOTE, Side::Right, Weight::Normal, muted)?;
            continue;
        };
        draw_cell(canvas, group, cell, garbage, right, line)?;
    }
    Ok(())
}

fn draw_cell(
    canvas: &Canvas<'_>,
    group: &Group<'_>,
    cell: &Cell<'_>,
    garbage: Garbage,
    right: f64,
    line: impl Fn(usize) -> f64,
) -> Result<(), ChartError> {
    let failures = failures(cell);
    let has_failed = cell.ok().next().is_none() && !failures.is_empty();
    let first = if has_failed { 0 } else { FIGURES };
    for (text, number) in failures.iter().zip(first..) {
        let at = (right, line(number));
        canvas.text(text, at, NOTE, Side::Right, Weight::Bold, Ink::Alarm.colour())?;
    }
    if has_failed {
        return Ok(());
    }
    let speed = cell.speed.map_or_else(|| "–".to_owned(), |speed| units::ratio(speed.estimate));
    let cpu = cell.cpu.map_or_else(|| "–".to_owned(), |cpu| units::ratio(cpu.estimate));
    let leaked = cell.memory.as_ref().map(|memory| memory.leaked);
    let figures = [
        (longest(cell), is_best(group, cell, |cell| Some(cell.pauses.as_ref()?.longest_ns))),
        (speed, is_extreme(group, cell, |cell| cell.speed, |own, other| own > other)),
        (cpu, is_extreme(group, cell, |cell| cell.cpu, |own, other| own < other)),
        (told(garbage.bytes(cell)), is_best(group, cell, |cell| garbage.bytes(cell))),
        (told(leaked), false),
    ];
    for ((figure, is_best), number) in figures.into_iter().zip(0..) {
        let y = line(number);
        if is_best {
            let width = words::width(&figure, SIZE) + 10.0;
            let (from, to) = ((right - width, y - 9.0), (right + 4.0, y + 9.0));
            canvas.bar(from, to, Ink::Grid.colour(), 1.0)?;
        }
        let weight = if is_best { Weight::Bold } else { Weight::Normal };
        canvas.text(&figure, (right, y), SIZE, Side::Right, weight, Ink::Strong.colour())?;
    }
    Ok(())
}

/// Whether a collector may be called the best at all: it frees everything and always ends well.
fn is_fit(cell: &Cell<'_>) -> bool {
    cell.failures().is_empty()
        && cell.memory.as_ref().is_some_and(|memory| memory.leaked.high == 0.0)
}

/// Whether this one is less than all others that are fit, and no range of runs overlaps with its own.
fn is_best(group: &Group<'_>, cell: &Cell<'_>, value: impl Fn(&Cell<'_>) -> Option<Range>) -> bool {
    let Some(own) = value(cell).filter(|_| is_fit(cell)) else { return false };
    let mut others = others(group, cell).filter_map(&value).peekable();
    others.peek().is_some() && others.all(|other| own.high < other.low)
}

/// Whether its interval lies beyond those of all others that are fit.
fn is_extreme(
    group: &Group<'_>,
    cell: &Cell<'_>,
    value: fn(&Cell<'_>) -> Option<Interval>,
    is_better: fn(f64, f64) -> bool,
) -> bool {
    let Some(own) = value(cell).filter(|_| is_fit(cell)) else { return false };
    let mut others = others(group, cell).filter_map(value).peekable();
    let is_best =
        |other: Interval| is_better(own.estimate, other.estimate) && own.differs_from(&other);
    others.peek().is_some() && others.all(is_best)
}

fn others<'c, 'r>(group: &'c Group<'r>, cell: &'c Cell<'r>) -> impl Iterator<Item = &'c Cell<'r>> {
    group.cells.iter().filter(|other| other.label != cell.label && is_fit(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Record, synthetic};

    #[test]
    fn the_best_is_marked_only_where_ranges_do_not_overlap() {
        let mut records = synthetic::records();
        records.extend((1..=3).map(|invocation| Record {
            collector: "tuned".to_owned(),
            ..synthetic::record("generational", "friends", invocation)
        }));
        let best = |records: &[Record]| {
            let results = Results::of(records).unwrap();
            let group = &results.groups[0];
            let longest = |cell: &Cell<'_>| Some(cell.pauses.as_ref()?.longest_ns);
            let best = group.cells.iter().filter(|cell| is_best(group, cell, longest));
            best.map(|cell| cell.label.clone()).collect::<Vec<_>>()
        };
        assert!(best(&records).is_empty(), "equal ones were expected to have no best");
        for run in records.iter_mut().filter(|run| run.collector == "tuned") {
            run.pauses.as_mut().unwrap().max_ns /= 2;
        }
        assert_eq!(best(&records), ["tuned"]);
        for run in records.iter_mut().filter(|run| run.collector == "tuned") {
            run.bytes.as_mut().unwrap().leaked = 8;
        }
        assert!(best(&records).is_empty(), "one that leaks was expected never to be the best");
    }
}
