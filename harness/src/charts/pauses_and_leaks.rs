//! The chart of pauses beside leaked bytes: every collector on every workload, a row each.
//!
//! Pauses never stand alone: a collector that collects too little looks fast, so what it held and what it left behind is
//! in the same row.

use super::{
    Chart, ChartError,
    canvas::{self, Canvas, Side, Weight},
    how_noisy, how_often,
    palette::{Ink, colour},
    scale::{Scale, decade_above},
};
use crate::{
    results::{Cell, Group, Memory, Merged, Results, round},
    units,
};

const WIDTH: f64 = 1160.0;
const HEAD: f64 = 132.0;
const GROUP: f64 = 40.0;
const ROW: f64 = 25.0;
const FOOT: f64 = 118.0;

const LABELS: f64 = 38.0;
const PAUSES: (f64, f64) = (172.0, 560.0);
const LONGEST: f64 = 640.0;
const NUMBER: f64 = 716.0;
const MEMORY: (f64, f64) = (752.0, 972.0);
const LEAKED: f64 = 1056.0;
const PEAK: f64 = 1136.0;

/// How many strips the pauses of a row are sorted into.
const STRIPS: usize = 97;

/// Draws the chart.
pub(super) fn draw(results: &Results<'_>) -> Result<Chart, ChartError> {
    let rows: usize = results.groups.iter().map(|group| group.cells.len()).sum();
    let height = HEAD + GROUP * results.groups.len() as f64 + ROW * rows as f64 + FOOT;
    let title = "How long each collector stops the program, and what it leaves behind";
    canvas::chart("pauses-and-leaks", title, (WIDTH, height), |canvas| {
        let pauses = pause_scale(results, PAUSES);
        head(canvas, results, title)?;
        grid(canvas, &pauses, height)?;
        let mut top = HEAD;
        for group in &results.groups {
            draw_group(canvas, group, &pauses, top)?;
            top += GROUP + ROW * group.cells.len() as f64;
        }
        foot(canvas, results, &pauses, top)
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

fn head(canvas: &Canvas<'_>, results: &Results<'_>, title: &str) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    canvas.text(title, (24.0, 28.0), 20.0, Side::Left, Weight::Bold, strong)?;
    let runs = units::counted(results.records.len() as u64, "run", "runs");
    let floor = units::round_duration(results.floor_ns().unwrap_or(0));
    let told = format!(
        "Each row is one collector on one workload; pauses of all {} put together ({runs} in all).",
        units::counted(u64::from(results.invocations()), "invocation", "invocations")
    );
    canvas.text(&told, (24.0, 54.0), 13.0, Side::Left, Weight::Normal, muted)?;
    let columns = [
        ((PAUSES.0, Side::Left), format!("Pauses of {floor} or more")),
        ((LONGEST, Side::Right), "longest".to_owned()),
        ((NUMBER, Side::Right), "number".to_owned()),
        ((MEMORY.0, Side::Left), "Bytes of objects".to_owned()),
        ((LEAKED, Side::Right), "leaked".to_owned()),
        ((PEAK, Side::Right), "peak held".to_owned()),
    ];
    for ((x, side), column) in columns {
        canvas.text(&column, (x, 92.0), 13.0, side, Weight::Bold, strong)?;
    }
    for (x, told) in [
        (PAUSES.0, "log scale; shorter is better"),
        (MEMORY.0, "of all allocated; fewer is better"),
    ] {
        canvas.arrow((x, 111.0), muted)?;
        canvas.text(told, (x + 12.0, 111.0), 12.0, Side::Left, Weight::Normal, muted)?;
    }
    Ok(())
}

fn grid(canvas: &Canvas<'_>, pauses: &Scale, height: f64) -> Result<(), ChartError> {
    let bottom = height - FOOT + 6.0;
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
    canvas.line(&[(24.0, top + 8.0), (PEAK, top + 8.0)], 0.75, Ink::Grid.colour())?;
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
        (MEMORY.0, middle),
        12.0,
        Side::Left,
        Weight::Normal,
        Ink::Muted.colour(),
    )?;
    let bytes = Scale::linear(0.0, allocated, MEMORY.0, MEMORY.1);
    for (cell, row) in group.cells.iter().zip(0_u8..) {
        let middle = top + GROUP + ROW * (f64::from(row) + 0.5);
        canvas.bar(
            (LABELS - 14.0, middle - 5.0),
            (LABELS - 4.0, middle + 5.0),
            colour(cell.collector),
            1.0,
        )?;
        canvas.text(
            &cell.label,
            (LABELS + 4.0, middle),
            13.0,
            Side::Left,
            Weight::Normal,
            Ink::Strong.colour(),
        )?;
        let failures = cell.failures();
        if !failures.is_empty() {
            let x = if cell.pauses.is_some() { MEMORY.1 - 140.0 } else { PAUSES.0 + 8.0 };
            canvas.text(
                &failures,
                (x, middle),
                12.0,
                Side::Left,
                Weight::Bold,
                Ink::Alarm.colour(),
            )?;
        }
        if let Some(merged) = &cell.pauses {
            draw_pauses(canvas, cell, merged, pauses, middle)?;
        }
        if let Some(memory) = &cell.memory {
            draw_memory(canvas, cell, memory, &bytes, middle)?;
        }
    }
    Ok(())
}

/// A strip that is darker where more pauses are, the 99th percentile, and the longest pause of each run.
fn draw_pauses(
    canvas: &Canvas<'_>,
    cell: &Cell<'_>,
    merged: &Merged,
    scale: &Scale,
    middle: f64,
) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    if merged.histogram.count() == 0 {
        let told = match merged.shorter + merged.unclocked {
            0 => "no pause at all".to_owned(),
            shorter => format!("none this long, {} shorter", units::count(shorter)),
        };
        return canvas.caption(&told, (PAUSES.0 + 8.0, middle), 12.0, muted);
    }
    let width = (PAUSES.1 - PAUSES.0) / STRIPS as f64;
    let mut strips = [0_u64; STRIPS];
    for (ns, count) in merged.histogram.buckets() {
        let strip = ((scale.place(ns as f64) - PAUSES.0) / width) as usize;
        strips[strip.min(STRIPS - 1)] += count;
    }
    let most = strips.iter().copied().max().unwrap_or(1).max(1);
    for (strip, &count) in strips.iter().enumerate().filter(|(_, count)| **count > 0) {
        let left = PAUSES.0 + width * strip as f64;
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
    canvas.text(&longest, (LONGEST, middle), 13.0, Side::Right, Weight::Normal, strong)?;
    let number = units::count(merged.histogram.count());
    canvas.text(&number, (NUMBER, middle), 13.0, Side::Right, Weight::Normal, muted)
}

/// What was held at most, and on it what was leaked.
fn draw_memory(
    canvas: &Canvas<'_>,
    cell: &Cell<'_>,
    memory: &Memory,
    scale: &Scale,
    middle: f64,
) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    let (leaked, peak) = (memory.leaked.high, memory.peak_held.high);
    canvas.line(&[(MEMORY.0, middle + 7.0), (MEMORY.1, middle + 7.0)], 0.75, Ink::Grid.colour())?;
    canvas.bar(
        (MEMORY.0, middle - 6.0),
        (scale.place(peak), middle + 6.0),
        colour(cell.collector),
        0.35,
    )?;
    if leaked > 0.0 {
        canvas.bar(
            (MEMORY.0, middle - 6.0),
            (scale.place(leaked), middle + 6.0),
            colour(cell.collector),
            1.0,
        )?;
    }
    let weight = if leaked > 0.0 { Weight::Bold } else { Weight::Normal };
    let ink = if memory.is_as_promised { strong } else { Ink::Alarm.colour() };
    let told = units::bytes(round(leaked)) + if memory.is_as_promised { "" } else { " (!)" };
    canvas.text(&told, (LEAKED, middle), 13.0, Side::Right, weight, ink)?;
    canvas.text(
        &units::bytes(round(peak)),
        (PEAK, middle),
        13.0,
        Side::Right,
        Weight::Normal,
        muted,
    )
}

fn foot(
    canvas: &Canvas<'_>,
    results: &Results<'_>,
    pauses: &Scale,
    top: f64,
) -> Result<(), ChartError> {
    let muted = Ink::Muted.colour();
    let mut lines = vec![
        "Strip: pauses of all mutator threads, stronger where there are more (log). Bar: 99th percentile, where at least 1,000 pauses carry it. \
         Dots: the longest of each run."
            .to_owned(),
        "Solid: leaked, what is still held when every root is gone and full collections find nothing more. Pale: held at most. \
         An object's bytes are header, slots and data."
            .to_owned(),
        how_often(results),
    ];
    if let Some((median, told)) = how_noisy(results) {
        if median as f64 > results.floor_ns().unwrap_or(0) as f64 {
            let x = pauses.place(median as f64);
            canvas.dashes((x, HEAD), (x, top + 6.0), muted)?;
        }
        lines.push(format!("Dashed: {}{}", told[..1].to_lowercase(), &told[1..]));
    }
    for (line, y) in lines.iter().zip((0_u8..).map(|line| top + 46.0 + 19.0 * f64::from(line))) {
        canvas.text(line, (24.0, y), 12.0, Side::Left, Weight::Normal, muted)?;
    }
    Ok(())
}
