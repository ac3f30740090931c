//! The chart of a workload's front: pause against garbage, with the CPU time that both cost beside each point.
//!
//! What leaks for good has no place on the axis of what floats, so it stands in a margin of its own.

use super::{
    Chart, ChartError,
    canvas::{Canvas, NOTE, Side, Weight},
    how_often,
    labels::Labels,
    legend::{Garbage, Legend},
    look::{Look, Looks},
    palette::Ink,
    panel::{Axis, Better, Frame, Panel, Plot},
    scale::{Scale, decade_above, decade_below},
};
use crate::{
    results::{
        BASELINE, Cell, Group, Range, Results,
        front::{Front, Out, Point, Standing},
        round, to_f64,
    },
    units,
};

const HEIGHT: f64 = 320.0;

/// The share of a plot that the margin of leaks takes.
const MARGIN: f64 = 0.26;

/// Less than this floats nowhere on purpose: it is drawn as nothing, for a scale down to single bytes would leave no room
/// for what matters.
pub(super) const LEAST_FLOATING: f64 = 1_000.0;

/// What is drawn as nothing stands this many times below the least power of ten.
const BELOW: f64 = 4.0;

/// What points and lines are of so many runs, and how sure they are: the least and the most of independent runs enclose
/// the median but where all runs fall on the same side of it.
pub(super) fn how_sure(runs: u32) -> String {
    if runs < 2 {
        return "Points are single runs, so nothing is said of how sure they are.".to_owned();
    }
    let enclosed = 1.0 - 2.0 * 0.5_f64.powi(runs.min(1_000) as i32);
    format!(
        "Points are medians over {runs} runs, lines the least and the most of them (which enclose the median in {:.0} of 100 cases).",
        enclosed * 100.0
    )
}

/// Where values lie that may be next to nothing, from a power of ten to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    /// Less is drawn as nothing.
    least: f64,
    /// The power of ten below the least value that is more.
    pub(super) low: f64,
    /// The power of ten above the greatest.
    pub(super) high: f64,
    /// Whether any is drawn as nothing.
    has_zero: bool,
}

impl Spread {
    /// The spread of some ranges; `None` of none.
    pub(super) fn of(ranges: impl IntoIterator<Item = Range>, least: f64) -> Option<Self> {
        let (mut low, mut high, mut has_zero, mut is_empty) = (f64::MAX, 0.0_f64, false, true);
        for range in ranges {
            is_empty = false;
            has_zero |= range.low < least;
            for value in [range.low, range.median, range.high].into_iter().filter(|v| *v >= least) {
                low = low.min(value);
                high = high.max(value);
            }
        }
        if is_empty {
            return None;
        }
        let low = if low == f64::MAX { least } else { decade_below(low) };
        Some(Self { least, low, high: decade_above(high.max(low * 10.0)), has_zero })
    }

    /// The value as it is drawn.
    pub(super) fn drawn(&self, value: f64) -> f64 {
        if value < self.least { 0.0 } else { value }
    }

    /// The scale, with room for nothing at its beginning.
    pub(super) fn scale(&self, beyond: f64) -> Scale {
        let low = if self.has_zero { self.low / BELOW } else { self.low };
        Scale::logarithmic(low, self.high * beyond, 0.0, 1.0)
    }

    /// Marked values, nothing first, with what stands for it.
    pub(super) fn ticks(&self, zero: &str, told: impl Fn(f64) -> String) -> Vec<(f64, String)> {
        let scale = Scale::logarithmic(self.low, self.high, 0.0, 1.0);
        let zero = self.has_zero.then(|| (0.0, zero.to_owned()));
        zero.into_iter().chain(scale.ticks().into_iter().map(|tick| (tick, told(tick)))).collect()
    }
}

/// Draws the chart; `None` if nothing can be compared.
pub(super) fn draw(
    results: &Results<'_>,
    group: &Group<'_>,
    looks: &Looks,
) -> Option<Result<Chart, ChartError>> {
    let front = Front::of(group)?;
    let points = || front.standings.iter().filter_map(Standing::point);
    let floor = to_f64(results.floor_ns().unwrap_or(10_000).max(1));
    let leaking = leaking(group, &front);
    let across = Spread::of(points().map(|point| point.floating), LEAST_FLOATING)?;
    let paused = leaking.iter().map(|leak| leak.pause_ns);
    let up = Spread::of(points().map(|point| point.pause_ns).chain(paused), floor)?;
    // The scale goes on so far beyond its last tick that the margin is beyond it.
    let decades = (across.high / across.scale(1.0).low()).log10();
    let beyond = 10.0_f64.powf(decades * MARGIN / (1.0 - MARGIN));
    let beyond = if leaking.is_empty() { 1.0 } else { beyond };
    let standing = |cell: &Cell<'_>| {
        let place = group.cells.iter().position(|other| other.label == cell.label);
        place.map(|place| &front.standings[place])
    };
    let figures = |cell: &Cell<'_>| {
        let standing = match standing(cell) {
            Some(Standing::Front(_)) => "front",
            Some(Standing::Dominated(..)) => "behind",
            _ => "–",
        };
        let pause = cell.pauses.as_ref().map(|pauses| duration(pauses.longest_ns.median));
        let cpu = cell.cpu_ns.map(|cpu| duration(cpu.median));
        let or_dash = |told: Option<String>| told.unwrap_or_else(|| "–".to_owned());
        vec![standing.to_owned(), or_dash(pause), or_dash(cpu)]
    };
    let is_relative = group.cells.iter().any(|cell| cell.cpu.is_some());
    let panel = Panel {
        name: format!("{}-front", super::file_name(&group.label)),
        title: format!("{}: pause, garbage and CPU time together", group.label),
        plots: vec![Plot {
            across: Axis {
                scale: across.scale(beyond),
                ticks: across.ticks("< 1 kB", |tick| units::round_bytes(round(tick))),
                name: "mean floating garbage, log scale".to_owned(),
            },
            up: Axis {
                scale: up.scale(1.0),
                ticks: up.ticks("none", |tick| units::round_duration(round(tick))),
                name: "Longest pause of a run, log scale".to_owned(),
            },
            better: Better::LowerLeft,
            height: HEIGHT,
            paint: Box::new(|canvas, frame| {
                let places = Places { frame, across: &across, up: &up };
                paint(canvas, &places, group, &front, &leaking, looks)
            }),
        }],
        legend: Legend::of(group, looks, &["", "pause", "CPU time"], figures),
        notes: vec![
            format!(
                "{} Beside each name: its CPU time, of all threads and the collector's own too{}.",
                how_sure(results.invocations()),
                if is_relative { format!(", over that of {BASELINE}") } else { String::new() }
            ),
            "Solid and bold: on the front, for no other is as good in pause, garbage and CPU time and certainly better in one. Pale: behind another. Hollow, at the right: never freed, and so on no front.".to_owned(),
            Garbage::of(group).meaning().to_owned(),
            how_often(results),
        ],
    };
    Some(panel.draw())
}

/// A collector that leaks for good.
pub(super) struct Leaking {
    /// Its place in the group.
    pub(super) place: usize,
    pub(super) bytes: u64,
    pub(super) pause_ns: Range,
}

/// Those that are on no front because they leak.
pub(super) fn leaking(group: &Group<'_>, front: &Front) -> Vec<Leaking> {
    let cells = group.cells.iter().zip(&front.standings).enumerate();
    let leaking = cells.filter_map(|(place, (cell, standing))| match standing {
        Standing::Out(Out::Leaks(bytes)) => {
            Some(Leaking { place, bytes: *bytes, pause_ns: cell.pauses.as_ref()?.longest_ns })
        }
        _ => None,
    });
    leaking.collect()
}

fn duration(ns: f64) -> String {
    if ns > 0.0 { units::duration(round(ns)) } else { "none".to_owned() }
}

/// Where values are drawn.
struct Places<'p> {
    frame: &'p Frame,
    across: &'p Spread,
    up: &'p Spread,
}

impl Places<'_> {
    fn across(&self, floating: f64) -> f64 {
        self.frame.across.place(self.across.drawn(floating))
    }

    fn up(&self, pause_ns: f64) -> f64 {
        self.frame.up.place(self.up.drawn(pause_ns))
    }

    fn of(&self, point: &Point) -> (f64, f64) {
        (self.across(point.floating.median), self.up(point.pause_ns.median))
    }
}

fn paint(
    canvas: &Canvas<'_>,
    places: &Places<'_>,
    group: &Group<'_>,
    front: &Front,
    leaking: &[Leaking],
    looks: &Looks,
) -> Result<(), ChartError> {
    let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
    let frame = places.frame;
    let margin = frame.right - (frame.right - frame.left) * MARGIN;
    let edge = if leaking.is_empty() { frame.right } else { margin };
    let mut names = Labels::new([frame.left + 2.0, frame.top - 6.0, edge, frame.bottom], NOTE);
    let standings = || group.cells.iter().zip(&front.standings);
    for (cell, standing) in standings() {
        if let Some(point) = standing.point() {
            let look = looks.look(cell);
            draw_point(canvas, places, point, look, standing.is_front())?;
            let (x, y) = places.of(point);
            names.take_point((x, y), 6.0);
            let Point { pause_ns, floating, .. } = point;
            names.take([x - 2.0, places.up(pause_ns.high), x + 2.0, places.up(pause_ns.low)]);
            names.take([
                places.across(floating.low),
                y - 2.0,
                places.across(floating.high),
                y + 2.0,
            ]);
        }
    }
    // Names on the front come first: they are what is looked for.
    for is_front in [true, false] {
        for (cell, standing) in standings() {
            let Some(point) = standing.point().filter(|_| standing.is_front() == is_front) else {
                continue;
            };
            let cpu = match cell.cpu {
                Some(cpu) => units::ratio(cpu.estimate),
                None => duration(point.cpu_ns.median),
            };
            // In a crowd the name goes without its CPU time, and settings without the name; the row below has both.
            let settings = cell.label.strip_prefix(cell.collector).unwrap_or_default();
            let settings = settings.trim_start_matches(" (").trim_end_matches(')');
            let short = if settings.is_empty() { &cell.label } else { settings };
            let texts =
                [format!("{} {cpu}", cell.label), format!("{short} {cpu}"), short.to_owned()];
            let at = places.of(point);
            let (weight, ink) =
                if is_front { (Weight::Bold, strong) } else { (Weight::Normal, muted) };
            names.near_any(canvas, &texts, at, 6.0, (weight, ink))?;
        }
    }
    if leaking.is_empty() {
        return Ok(());
    }
    canvas.dashes((margin, frame.top), (margin, frame.bottom), muted)?;
    let at = (margin + 8.0, frame.top + 10.0);
    canvas.text("leaks for good:", at, NOTE, Side::Left, Weight::Normal, muted)?;
    let mut names =
        Labels::new([margin + 2.0, frame.top + 20.0, frame.right + 18.0, frame.bottom], NOTE);
    let at = |leak: &Leaking| (margin + 14.0, places.up(leak.pause_ns.median));
    for leak in leaking {
        let look = looks.look(&group.cells[leak.place]);
        canvas.hollow(at(leak), 5.0, look.colour)?;
        names.take_point(at(leak), 5.0);
    }
    for leak in leaking {
        let (label, bytes) = (&group.cells[leak.place].label, units::bytes(leak.bytes));
        let texts = [format!("{label} {bytes}"), bytes];
        names.near_any(canvas, &texts, at(leak), 5.0, (Weight::Normal, muted))?;
    }
    Ok(())
}

fn draw_point(
    canvas: &Canvas<'_>,
    places: &Places<'_>,
    point: &Point,
    look: Look,
    is_front: bool,
) -> Result<(), ChartError> {
    let Point { pause_ns, floating, .. } = point;
    let (x, y) = places.of(point);
    let [left, right] = [floating.low, floating.high].map(|end| places.across(end));
    let [bottom, top] = [pause_ns.low, pause_ns.high].map(|end| places.up(end));
    for line in [[(left, y), (right, y)], [(x, bottom), (x, top)]] {
        if is_front {
            canvas.line(&line, 1.5, look.colour)?;
        } else {
            canvas.faint_line(&line, 1.5, look.colour)?;
        }
    }
    if !is_front {
        return canvas.faint_mark((x, y), 4.0, look.colour, look.mark);
    }
    canvas.dot((x, y), 6.0, Ink::Strong.colour(), Ink::Ground.colour())?;
    canvas.mark((x, y), 4.5, look.colour, look.mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_room_for_zero_only_if_there_is_one() {
        let range = |value| Range { low: value, median: value, high: value };
        let spread = Spread::of([range(20.0), range(5_000.0)], 1.0).unwrap();
        assert!(!spread.has_zero && (spread.low - 10.0).abs() < 1e-9);
        assert!((spread.high - 10_000.0).abs() < 1e-6);
        let spread = Spread::of([range(20.0), range(0.9)], 1.0).unwrap();
        assert!(spread.drawn(0.9) == 0.0 && spread.drawn(1.0) == 1.0);
        let ticks = spread.ticks("0", |tick| format!("{tick:.0}"));
        assert_eq!(ticks[0], (0.0, "0".to_owned()));
        assert!(spread.scale(1.0).place(0.0) < spread.scale(1.0).place(10.0));
        assert!(Spread::of([], 1.0).is_none());
        assert!(Spread::of([range(0.0)], 1.0).is_some());
    }

    #[test]
    fn the_least_and_the_most_of_five_runs_enclose_the_median_in_94_of_100_cases() {
        assert!(how_sure(5).contains("in 94 of 100") && how_sure(3).contains("in 75 of 100"));
        assert!(how_sure(1).contains("single runs"));
    }
}
