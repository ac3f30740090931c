//! The chart of memory over time: what each collector held, over what was live at all.

use super::{
    Chart, ChartError,
    canvas::Canvas,
    legend::{self, Garbage, Legend},
    look::{DOTS, Looks, Mark},
    palette::Ink,
    panel::{Axis, Better, Frame, Panel, Plot},
    scale::Scale,
};
use crate::{
    record::{Record, Timeline},
    results::{Cell, Group, Results, to_f64},
    units,
};

/// Draws the chart of one workload; `None` if no run says what it held when.
pub(super) fn draw(
    results: &Results<'_>,
    group: &Group<'_>,
    looks: &Looks,
) -> Option<Result<Chart, ChartError>> {
    let timed = || group.cells.iter().filter_map(|cell| Some((cell, shown(cell)?)));
    let floor = live(group);
    timed().next()?;
    let end = timed().filter_map(|(_, line)| line.points.last());
    let end = end.map(|moment| to_f64(moment.allocated.bytes)).fold(0.0, f64::max);
    // What leaks holds ever more; the scale is for those that free everything, if there are any.
    let frees =
        |cell: &Cell<'_>| cell.memory.as_ref().is_some_and(|memory| memory.leaked.high == 0.0);
    let clean = || timed().filter(|(cell, _)| frees(cell));
    let has_clean = clean().next().is_some();
    let scaled = timed().filter(|(cell, _)| !has_clean || frees(cell));
    let top = scaled.map(most).fold(0.0, f64::max) * 1.15;
    let cut: Vec<String> = timed()
        .filter(|held| most(*held) > top)
        .map(|(cell, line)| format!("{} goes on to {}", cell.label, units::bytes(peak(line))))
        .collect();
    let paint = |canvas: &Canvas<'_>, frame: &Frame| {
        if let Some((_, points)) = &floor {
            let points: Vec<_> = points.iter().map(|point| frame.place(*point)).collect();
            canvas.path(&points, 1.5, Ink::Strong.colour(), DOTS)?;
        }
        for (cell, line) in timed() {
            let look = looks.look(cell);
            let held: Vec<(f64, f64)> = line
                .points
                .iter()
                .map(|moment| (to_f64(moment.allocated.bytes), to_f64(moment.held)))
                .collect();
            let points: Vec<_> = below(&held, top).into_iter().map(|at| frame.place(at)).collect();
            canvas.path(&points, 1.75, look.colour, look.dash)?;
            if let Some(&end) = points.last() {
                let is_cut = most((cell, line)) > top;
                let mark = if is_cut { Mark::Triangle } else { look.mark };
                canvas.mark(end, 4.0, look.colour, mark)?;
            }
        }
        Ok(())
    };
    let mut notes = vec![match &floor {
        Some((by, _)) => format!(
            "Dotted: live, what was reachable at all, from the audited run of {by}. What a collector holds above it is garbage not yet freed."
        ),
        None => "There is no audited run, so what of it was live is not known.".to_owned(),
    }];
    if !cut.is_empty() {
        notes.push(format!("Cut off above, at a triangle: {}.", cut.join(", ")));
    }
    notes.push("Each line is the run of median wall time; bytes are those of objects: header, slots and data.".to_owned());
    notes.push(Garbage::of(group).meaning().to_owned());
    notes.push(super::how_often(results));
    let panel = Panel {
        name: format!("{}-memory", super::file_name(&group.label)),
        title: format!("{}: memory held over time", group.label),
        plots: vec![Plot {
            across: Axis::bytes(
                Scale::linear(0.0, end, 0.0, 1.0),
                "time, in bytes allocated so far",
            ),
            up: Axis::bytes(Scale::linear(0.0, top, 0.0, 1.0), "Bytes held in objects"),
            better: Better::Lower,
            height: 250.0,
            paint: Box::new(paint),
        }],
        legend: Legend::of(group, looks, &["longest pause"], |cell| vec![legend::longest(cell)]),
        notes,
    };
    Some(panel.draw())
}

/// The part of a line that lies below a value, up to where it first leaves.
fn below(held: &[(f64, f64)], top: f64) -> Vec<(f64, f64)> {
    let Some(first) = held.iter().position(|(_, y)| *y > top) else { return held.to_vec() };
    let mut points = held[..first].to_vec();
    if let Some(&(x, y)) = points.last() {
        let (next_x, next_y) = held[first];
        points.push((x + (next_x - x) * (top - y) / (next_y - y), top));
    }
    points
}

/// The timeline of the run of median wall time.
fn shown<'r>(cell: &Cell<'r>) -> Option<&'r Timeline> {
    cell.median_run()?.memory.as_ref().filter(|line| !line.points.is_empty())
}

fn peak(line: &Timeline) -> u64 {
    line.points.iter().map(|moment| moment.held).max().unwrap_or(0)
}

fn most((_, line): (&Cell<'_>, &Timeline)) -> f64 {
    to_f64(peak(line))
}

/// What was live on the allocation clock, and under which collector that was seen.
fn live<'r>(group: &Group<'r>) -> Option<(&'r str, Vec<(f64, f64)>)> {
    let audited = group.cells.iter().flat_map(|cell| &cell.audited).copied();
    audited.into_iter().find_map(|run: &'r Record| {
        let points: Vec<(f64, f64)> = run
            .memory
            .as_ref()?
            .points
            .iter()
            .filter_map(|moment| Some((to_f64(moment.allocated.bytes), to_f64(moment.live?.bytes))))
            .collect();
        (!points.is_empty()).then_some((run.collector.as_str(), points))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_it_leaves_the_plot() {
        let line = [(0.0, 0.0), (10.0, 10.0), (20.0, 30.0), (30.0, 5.0)];
        assert_eq!(below(&line, 20.0), [(0.0, 0.0), (10.0, 10.0), (15.0, 20.0)]);
        assert_eq!(below(&line, 40.0), line);
    }
}
