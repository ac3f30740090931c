//! Panel: plots one below the other, over a legend that has the figures and notes that say what was measured.

use super::{
    Chart, ChartError,
    canvas::{self, Canvas, NOTE, NOTE_LINE, Side, Weight},
    legend::Legend,
    palette::Ink,
    scale::Scale,
    words,
};
use crate::{results::round, units};

/// The width of every panel: two stand side by side on a page.
pub(super) const WIDTH: f64 = 620.0;

const LEFT: f64 = 20.0;
const PLOT: (f64, f64) = (76.0, 596.0);
const TITLE: f64 = 15.0;
const TITLE_LINE: f64 = 21.0;
const HEADING: f64 = 50.0;
const UNDER: f64 = 44.0;

/// One direction of a plot.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Where values lie, from 0 to 1.
    pub(super) scale: Scale,
    /// Values that are marked, and how they are written.
    pub(super) ticks: Vec<(f64, String)>,
    /// What the values are.
    pub(super) name: String,
}

/// Which values are the better ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Lower,
    Higher,
    LowerLeft,
}

/// What draws into a plot.
type Paint<'p> = Box<dyn Fn(&Canvas<'_>, &Frame) -> Result<(), ChartError> + 'p>;

/// One plot of a panel.
pub(super) struct Plot<'p> {
    pub(super) across: Axis,
    pub(super) up: Axis,
    pub(super) better: Better,
    pub(super) height: f64,
    pub(super) paint: Paint<'p>,
}

/// Where in the picture values lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) across: Scale,
    pub(super) up: Scale,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// Plots, a legend and notes.
pub(super) struct Panel<'p> {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) plots: Vec<Plot<'p>>,
    pub(super) legend: Legend,
    pub(super) notes: Vec<String>,
}

impl Axis {
    /// Durations on a logarithmic scale, from a power of ten to another.
    pub(super) fn durations(scale: Scale, name: &str) -> Self {
        let ticks = scale.ticks().into_iter();
        let ticks = ticks.map(|tick| (tick, units::round_duration(round(tick)))).collect();
        Self { scale, ticks, name: name.to_owned() }
    }

    /// Bytes on a scale of any kind.
    pub(super) fn bytes(scale: Scale, name: &str) -> Self {
        let ticks = scale.ticks().into_iter();
        let ticks = ticks.map(|tick| (tick, units::round_bytes(round(tick)))).collect();
        Self { scale, ticks, name: name.to_owned() }
    }
}

impl Frame {
    /// The place of a pair of values.
    pub(super) fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.across.place(x), self.up.place(y))
    }
}

impl Panel<'_> {
    /// Draws the panel.
    pub(super) fn draw(self) -> Result<Chart, ChartError> {
        let width = WIDTH - 2.0 * LEFT;
        let title = words::wrap(&self.title, TITLE, width);
        let lines: usize = self.notes.iter().map(|note| words::wrap(note, NOTE, width).len()).sum();
        let plots: f64 = self.plots.iter().map(|plot| HEADING + plot.height + UNDER).sum();
        let legend_at = 14.0 + TITLE_LINE * title.len() as f64 + plots + 8.0;
        let height = legend_at + self.legend.height() + NOTE_LINE * lines as f64 + 24.0;
        canvas::chart(&self.name, &self.title, (WIDTH, height), |canvas| {
            let mut y = 26.0;
            for line in &title {
                let strong = Ink::Strong.colour();
                canvas.text(line, (LEFT, y), TITLE, Side::Left, Weight::Bold, strong)?;
                y += TITLE_LINE;
            }
            let mut top = y - 12.0;
            for plot in &self.plots {
                plot.draw(canvas, top + HEADING)?;
                top += HEADING + plot.height + UNDER;
            }
            self.legend.draw(canvas, (LEFT, legend_at), PLOT.1)?;
            let notes = legend_at + self.legend.height() + 16.0;
            canvas.notes(&self.notes, (LEFT, notes), width)?;
            Ok(())
        })
    }
}

impl Plot<'_> {
    fn draw(&self, canvas: &Canvas<'_>, top: f64) -> Result<(), ChartError> {
        let frame = Frame {
            across: self.across.scale.onto(PLOT.0, PLOT.1),
            up: self.up.scale.onto(top + self.height, top),
            left: PLOT.0,
            right: PLOT.1,
            top,
            bottom: top + self.height,
        };
        self.head(canvas, top - 20.0)?;
        let (muted, faint) = (Ink::Muted.colour(), Ink::Grid.colour());
        for (value, label) in &self.up.ticks {
            let y = frame.up.place(*value);
            canvas.line(&[(frame.left, y), (frame.right, y)], 0.75, faint)?;
            canvas.text(label, (frame.left - 8.0, y), NOTE, Side::Right, Weight::Normal, muted)?;
        }
        let mut taken = f64::MIN;
        for (value, label) in &self.across.ticks {
            let x = frame.across.place(*value);
            canvas.line(&[(x, frame.top), (x, frame.bottom)], 0.75, faint)?;
            let half = words::width(label, NOTE) / 2.0;
            // A label that would run into its neighbour is left out; its line stays.
            let middle = x.min(WIDTH - 4.0 - half);
            if middle - half > taken {
                let place = (middle, frame.bottom + 13.0);
                canvas.text(label, place, NOTE, Side::Middle, Weight::Normal, muted)?;
                taken = middle + half + 6.0;
            }
        }
        let place = (frame.right, frame.bottom + 31.0);
        canvas.text(&self.across.name, place, NOTE, Side::Right, Weight::Normal, muted)?;
        (self.paint)(canvas, &frame)
    }

    /// What the plot shows, and which direction is better.
    fn head(&self, canvas: &Canvas<'_>, y: f64) -> Result<(), ChartError> {
        let muted = Ink::Muted.colour();
        let strong = Ink::Strong.colour();
        canvas.text(&self.up.name, (LEFT, y), 13.0, Side::Left, Weight::Bold, strong)?;
        let told = match self.better {
            Better::Lower => "lower is better",
            Better::Higher => "higher is better",
            Better::LowerLeft => "lower left is better",
        };
        let has_arrow = self.better != Better::Higher;
        let right = if has_arrow { PLOT.1 - 13.0 } else { PLOT.1 };
        canvas.text(told, (right, y), NOTE, Side::Right, Weight::Normal, muted)?;
        if has_arrow {
            canvas.arrow_down((PLOT.1 - 4.0, y + 4.0), muted)?;
        }
        Ok(())
    }
}
