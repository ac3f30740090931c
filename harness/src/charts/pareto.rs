//! The picture of all fronts: a small plot for every workload, and below it who is on how many fronts.

use super::{
    Chart, ChartError,
    canvas::{self, Canvas, NOTE, NOTE_LINE, Side, Weight},
    front::{LEAST_FLOATING, Spread, how_sure, leaking},
    how_often,
    labels::Labels,
    look::{Looks, Mark},
    palette::{Ink, colour},
    words,
};
use crate::{
    results::{
        BASELINE, Cell, Group, Results,
        bootstrap::Interval,
        front::{Front, Out, REFERENCE, Standing, Tally, tallies},
        round, to_f64,
    },
    units,
};

const LEFT: f64 = 24.0;
const HEAD: f64 = 84.0;
/// Room for the values of the shared axis.
const VALUES: f64 = 52.0;
const COLUMNS: usize = 4;
const HEIGHT: f64 = 150.0;
/// From one plot to the next, across at least.
const PITCH: (f64, f64) = (230.0, 208.0);
const GAP: f64 = 24.0;
/// What the plot keeps at its right for those that leak.
const MARGIN: f64 = 18.0;
const SMALL: f64 = 11.0;
const SIZE: f64 = 13.0;
const ROW: f64 = 23.0;
const ROWS_HEAD: f64 = 58.0;
const NAME: f64 = 30.0;
const PLACE: f64 = 25.0;
const COLUMN: f64 = 92.0;

/// One workload with its front.
struct Plot<'g, 'r> {
    group: &'g Group<'r>,
    front: Front,
}

/// Draws the picture; `None` if nothing can be compared on any workload.
pub(super) fn draw(results: &Results<'_>, looks: &Looks) -> Option<Result<Chart, ChartError>> {
    let plots: Vec<Plot<'_, '_>> = results
        .groups
        .iter()
        .filter_map(|group| Some(Plot { group, front: Front::of(group)? }))
        .collect();
    let points = || plots.iter().flat_map(|plot| &plot.front.standings).filter_map(Standing::point);
    let floor = to_f64(results.floor_ns().unwrap_or(10_000).max(1));
    let across = Spread::of(points().map(|point| point.floating), LEAST_FLOATING)?;
    let leaks = plots.iter().flat_map(|plot| leaking(plot.group, &plot.front));
    let up = points().map(|point| point.pause_ns).chain(leaks.map(|leak| leak.pause_ns));
    let axes = Axes { across, up: Spread::of(up, floor)? };
    Some(drawn(results, looks, &plots, &axes))
}

/// The axes that all plots share, so that they can be compared.
struct Axes {
    across: Spread,
    up: Spread,
}

fn drawn(
    results: &Results<'_>,
    looks: &Looks,
    plots: &[Plot<'_, '_>],
    axes: &Axes,
) -> Result<Chart, ChartError> {
    let tallies = tallies(results);
    let widest = tallies.iter().map(|tally| words::width(&tally.label, SIZE)).fold(120.0, f64::max);
    let names = NAME + widest.min(360.0) + 16.0;
    let table = Table { matrix: LEFT + names, columns: LEFT + names + PLACE * plots.len() as f64 };
    let columns = plots.len().min(COLUMNS) as f64;
    let width = (LEFT + VALUES + PITCH.0 * columns).max(table.columns + 5.0 * COLUMN + LEFT);
    let pitch = ((width - LEFT - VALUES) / columns).min(1.4 * PITCH.0);
    let rows = plots.len().div_ceil(COLUMNS) as f64;
    let table_at = HEAD + PITCH.1 * rows + 10.0;
    let notes_at = table_at + ROWS_HEAD + ROW * tallies.len() as f64 + 24.0;
    let notes = notes(results);
    let room = width - 2.0 * LEFT;
    let lines: usize = notes.iter().map(|note| words::wrap(note, NOTE, room).len()).sum();
    let height = notes_at + NOTE_LINE * lines as f64 + 4.0;
    let title = "Pause, garbage and CPU time: who beats whom";
    canvas::chart("pareto", title, (width, height), |canvas| {
        let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
        canvas.text(title, (LEFT, 28.0), 20.0, Side::Left, Weight::Bold, strong)?;
        let told = "Longest pause over mean floating garbage, both on logarithmic scales; lower left is better. Ringed, and named where there is room: no other collector beats them in pause, garbage and CPU time together.";
        for (line, place) in words::wrap(told, NOTE, room).iter().zip(0_u8..) {
            let at = (LEFT, 50.0 + NOTE_LINE * f64::from(place));
            canvas.text(line, at, NOTE, Side::Left, Weight::Normal, muted)?;
        }
        for (plot, place) in plots.iter().zip(0..) {
            let left = LEFT + VALUES + pitch * (place % COLUMNS) as f64;
            let top = HEAD + PITCH.1 * (place / COLUMNS) as f64 + 26.0;
            let rect = [left, top, left + pitch - GAP, top + HEIGHT];
            draw_plot(canvas, plot, place, axes, looks, rect)?;
        }
        table.draw(canvas, results, plots, &tallies, looks, table_at)?;
        canvas.notes(&notes, (LEFT, notes_at), room)?;
        Ok(())
    })
}

fn notes(results: &Results<'_>) -> Vec<String> {
    let mut notes = vec![
        format!(
            "{} A collector is pale where another is as good in the medians of all three and, in one, its range lies wholly below. Hollow, right of the line: it leaks for good, so it is on no front. A cross: not every run ended well.",
            how_sure(results.invocations())
        ),
        format!(
            "Dominates: better than {REFERENCE} in that sense, of the programs on which both can be compared. CPU and speed: time of all threads over that of {BASELINE} (lower is better) and throughput over its (higher is better), geometric means over the programs that every collector finished."
        ),
    ];
    notes.extend(failures(results));
    notes.push(how_often(results));
    notes
}

/// Who did not end well where, whether or not the others of that workload can be compared; `None` if everyone did.
fn failures(results: &Results<'_>) -> Option<String> {
    let cells =
        results.groups.iter().flat_map(|group| group.cells.iter().map(move |cell| (group, cell)));
    let failed = cells.filter(|(_, cell)| !cell.failures().is_empty());
    let failed: Vec<String> = failed
        .map(|(group, cell)| format!("{} on {}: {}", cell.label, group.label, cell.failures()))
        .collect();
    (!failed.is_empty()).then(|| format!("Did not end well: {}.", failed.join("; ")))
}

fn draw_plot(
    canvas: &Canvas<'_>,
    Plot { group, front }: &Plot<'_, '_>,
    place: usize,
    axes: &Axes,
    looks: &Looks,
    [left, top, right, bottom]: [f64; 4],
) -> Result<(), ChartError> {
    let (strong, muted, faint) = (Ink::Strong.colour(), Ink::Muted.colour(), Ink::Grid.colour());
    let leaks = leaking(group, front);
    let across = axes.across.scale(1.0).onto(left + 6.0, right - MARGIN);
    let up = axes.up.scale(1.0).onto(bottom - 6.0, top + 4.0);
    let x = |floating: f64| across.place(axes.across.drawn(floating));
    let y = |pause_ns: f64| up.place(axes.up.drawn(pause_ns));
    let label = words::fit(&format!("{}  {}", place + 1, group.label), SIZE, right - left + 8.0);
    canvas.text(&label, (left, top - 12.0), SIZE, Side::Left, Weight::Bold, strong)?;
    for (value, told) in axes.up.ticks("none", |tick| units::round_duration(round(tick))) {
        let y = y(value);
        canvas.line(&[(left, y), (right, y)], 0.75, faint)?;
        if place.is_multiple_of(COLUMNS) {
            canvas.text(&told, (left - 6.0, y), SMALL, Side::Right, Weight::Normal, muted)?;
        }
    }
    let mut taken = f64::MIN;
    for (value, told) in axes.across.ticks("< 1 kB", |tick| units::round_bytes(round(tick))) {
        let x = x(value);
        canvas.line(&[(x, top), (x, bottom)], 0.75, faint)?;
        let half = words::width(&told, SMALL) / 2.0;
        if x - half > taken && x + half <= right {
            let at = (x, bottom + 11.0);
            canvas.text(&told, at, SMALL, Side::Middle, Weight::Normal, muted)?;
            taken = x + half + 4.0;
        }
    }
    let line = right - MARGIN + 4.0;
    if !leaks.is_empty() {
        canvas.dashes((line, top), (line, bottom), faint)?;
    }
    let mut names = Labels::new([left, top, line, bottom], SMALL);
    for is_front in [false, true] {
        for (cell, standing) in group.cells.iter().zip(&front.standings) {
            let Some(point) = standing.point().filter(|_| standing.is_front() == is_front) else {
                continue;
            };
            let (pause, floating) = (&point.pause_ns, &point.floating);
            let at = (x(floating.median), y(pause.median));
            let (ink, mark) = (colour(cell.collector), looks.look(cell).mark);
            if is_front {
                canvas.line(&[(x(floating.low), at.1), (x(floating.high), at.1)], 1.25, ink)?;
                canvas.line(&[(at.0, y(pause.low)), (at.0, y(pause.high))], 1.25, ink)?;
                canvas.dot(at, 5.5, strong, Ink::Ground.colour())?;
                canvas.mark(at, 4.0, ink, mark)?;
            } else {
                canvas.faint_mark(at, 3.5, ink, mark)?;
            }
            names.take_point(at, 5.0);
        }
    }
    for (cell, standing) in group.cells.iter().zip(&front.standings) {
        if let Standing::Front(point) = standing {
            let at = (x(point.floating.median), y(point.pause_ns.median));
            names.near(canvas, &cell.label, at, 5.0, (Weight::Normal, strong))?;
        }
    }
    for leak in leaks {
        let at = (f64::midpoint(line, right) + 1.0, y(leak.pause_ns.median));
        canvas.hollow(at, 4.5, colour(group.cells[leak.place].collector))?;
    }
    Ok(())
}

/// Where the columns of the table stand.
struct Table {
    matrix: f64,
    columns: f64,
}

impl Table {
    fn draw(
        &self,
        canvas: &Canvas<'_>,
        results: &Results<'_>,
        plots: &[Plot<'_, '_>],
        tallies: &[Tally],
        looks: &Looks,
        top: f64,
    ) -> Result<(), ChartError> {
        let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
        let base = top + ROWS_HEAD - 14.0;
        for place in 0..plots.len() {
            let at = (self.middle(place), base);
            let number = (place + 1).to_string();
            canvas.text(&number, at, NOTE, Side::Middle, Weight::Normal, muted)?;
        }
        let heads = [
            ["on the", "front"],
            ["dominates", REFERENCE],
            ["dominated", "by it"],
            ["CPU over", BASELINE],
            ["speed over", BASELINE],
        ];
        for (lines, place) in heads.into_iter().zip(0..) {
            for (line, up) in lines.into_iter().zip([NOTE_LINE, 0.0]) {
                let at = (self.right(place), base - up);
                canvas.text(line, at, NOTE, Side::Right, Weight::Normal, muted)?;
            }
        }
        for (tally, row) in tallies.iter().zip(0_u16..) {
            let y = top + ROWS_HEAD + ROW * (f64::from(row) + 0.5);
            let end = self.right(4);
            let line = [(LEFT, y - ROW / 2.0), (end, y - ROW / 2.0)];
            canvas.line(&line, 0.75, Ink::Grid.colour())?;
            let cells = results.groups.iter().flat_map(|group| &group.cells);
            if let Some(cell) = cells.into_iter().find(|cell| cell.label == tally.label) {
                let at = (LEFT + 10.0, y);
                canvas.mark(at, 5.0, colour(cell.collector), looks.look(cell).mark)?;
            }
            let name = words::fit(&tally.label, SIZE, self.matrix - LEFT - NAME - 8.0);
            canvas.text(&name, (LEFT + NAME, y), SIZE, Side::Left, Weight::Normal, strong)?;
            for (plot, place) in plots.iter().zip(0..) {
                draw_standing(canvas, plot, &tally.label, (self.middle(place), y))?;
            }
            self.draw_figures(canvas, results, tally, y)?;
        }
        Ok(())
    }

    fn draw_figures(
        &self,
        canvas: &Canvas<'_>,
        results: &Results<'_>,
        tally: &Tally,
        y: f64,
    ) -> Result<(), ChartError> {
        let of = |number: Option<usize>| {
            let number = number.filter(|_| tally.compared > 0);
            number
                .map_or_else(|| "–".to_owned(), |number| format!("{number} of {}", tally.compared))
        };
        let overall = |all: &[(String, Interval)]| {
            let found = all.iter().find(|(label, _)| *label == tally.label);
            found.map_or_else(|| "–".to_owned(), |(_, interval)| units::ratio(interval.estimate))
        };
        let figures = [
            of(Some(tally.on_front)),
            of(tally.dominates),
            of(tally.is_dominated),
            overall(&results.overall.cpu),
            overall(&results.overall.speeds),
        ];
        for (figure, place) in figures.iter().zip(0..) {
            let weight = if place == 0 { Weight::Bold } else { Weight::Normal };
            let at = (self.right(place), y);
            canvas.text(figure, at, SIZE, Side::Right, weight, Ink::Strong.colour())?;
        }
        Ok(())
    }

    fn middle(&self, place: usize) -> f64 {
        self.matrix + PLACE * (place as f64 + 0.5)
    }

    fn right(&self, column: usize) -> f64 {
        self.columns + COLUMN * (column + 1) as f64
    }
}

/// How one collector stands on one workload.
fn draw_standing(
    canvas: &Canvas<'_>,
    Plot { group, front }: &Plot<'_, '_>,
    label: &str,
    at: (f64, f64),
) -> Result<(), ChartError> {
    let place = group.cells.iter().position(|cell| cell.label == label);
    let Some((cell, standing)) = place
        .map(|place| -> (&Cell<'_>, &Standing) { (&group.cells[place], &front.standings[place]) })
    else {
        return Ok(());
    };
    let ink = colour(cell.collector);
    match standing {
        Standing::Front(_) => {
            canvas.dot(at, 6.5, Ink::Strong.colour(), Ink::Ground.colour())?;
            canvas.dot(at, 5.0, ink, Ink::Ground.colour())
        }
        Standing::Dominated(..) => canvas.faint_mark(at, 3.5, ink, Mark::Circle),
        Standing::Out(Out::Leaks(_)) => canvas.hollow(at, 5.0, ink),
        Standing::Out(Out::Failed(_)) => canvas.mark(at, 4.0, Ink::Alarm.colour(), Mark::Cross),
        Standing::Out(Out::Unknown) => {
            canvas.text("–", at, SIZE, Side::Middle, Weight::Normal, Ink::Muted.colour())
        }
    }
}
