//! Legend: a row for every collector, with the figures that belong beside what is drawn.
//!
//! A pause never stands without the garbage that was paid for it, so every legend has both.

use super::{
    ChartError,
    canvas::{Canvas, Side, Weight},
    look::{Look, Looks},
    palette::Ink,
    words,
};
use crate::{
    results::{Cell, Group, Range, round},
    units,
};

const ROW: f64 = 20.0;
const HEAD: f64 = 20.0;
const LABEL: f64 = 34.0;
const COLUMN: f64 = 72.0;
const SIZE: f64 = 12.5;
/// From the left edge of the legend to its right one.
const WIDTH: f64 = 576.0;

/// Rows below a plot.
#[derive(Debug, Default)]
pub(super) struct Legend {
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// One row of a legend.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) look: Look,
    pub(super) label: String,
    pub(super) figures: Vec<String>,
    /// What went wrong, in words.
    pub(super) alarm: String,
}

/// What of the garbage is known of a group: what floated, or at least what was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Garbage {
    Floating,
    Held,
}

impl Garbage {
    /// What is known of every collector that was measured here.
    pub(super) fn of(group: &Group<'_>) -> Self {
        let mut memory = group.cells.iter().filter_map(|cell| cell.memory.as_ref());
        if memory.any(|memory| memory.floating_mean.is_some()) {
            Self::Floating
        } else {
            Self::Held
        }
    }

    /// Its name above a column.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Floating => "floating",
            Self::Held => "peak held",
        }
    }

    /// What the column means.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Floating => {
                "Floating: bytes of objects that were dead and not yet freed, on average over the run. Leaked: never freed."
            }
            Self::Held => {
                "Peak held: bytes of objects held at most (no audited run says how many of them were dead). Leaked: never freed."
            }
        }
    }

    /// The bytes of a cell.
    pub(super) fn bytes(self, cell: &Cell<'_>) -> Option<Range> {
        let memory = cell.memory.as_ref()?;
        match self {
            Self::Floating => memory.floating_mean,
            Self::Held => Some(memory.peak_held),
        }
    }
}

impl Legend {
    /// A row for every collector of a group: some figures, and the garbage beside them.
    pub(super) fn of(
        group: &Group<'_>,
        looks: &Looks,
        columns: &[&'static str],
        figures: impl Fn(&Cell<'_>) -> Vec<String>,
    ) -> Self {
        let garbage = Garbage::of(group);
        let columns = columns.iter().copied().chain([garbage.column(), "leaked"]).collect();
        let rows = group.cells.iter().map(|cell| {
            let leaked = cell.memory.as_ref().map(|memory| memory.leaked);
            let mut figures = figures(cell);
            figures.extend([garbage.bytes(cell), leaked].map(told));
            Row {
                look: looks.look(cell),
                label: cell.label.clone(),
                figures,
                alarm: cell.failures(),
            }
        });
        Self { columns, rows: rows.collect() }
    }

    /// How much room it takes.
    pub(super) fn height(&self) -> f64 {
        let lines: usize = self.rows.iter().map(|row| self.lines(row)).sum();
        HEAD + ROW * lines as f64
    }

    fn lines(&self, row: &Row) -> usize {
        1 + usize::from(self.is_long(row)) + usize::from(!row.alarm.is_empty())
    }

    /// Whether the label leaves no room for the figures beside it.
    fn is_long(&self, row: &Row) -> bool {
        let room = WIDTH - LABEL - COLUMN * self.columns.len() as f64;
        words::width(&row.label, SIZE) > room
    }

    /// Draws it with its top left corner here and its figures flush with `right`.
    pub(super) fn draw(
        &self,
        canvas: &Canvas<'_>,
        (left, top): (f64, f64),
        right: f64,
    ) -> Result<(), ChartError> {
        let (strong, muted) = (Ink::Strong.colour(), Ink::Muted.colour());
        let place = |column: usize| right - COLUMN * (self.columns.len() - 1 - column) as f64;
        for (index, column) in self.columns.iter().enumerate() {
            let at = (place(index), top + HEAD / 2.0);
            canvas.text(column, at, 12.0, Side::Right, Weight::Normal, muted)?;
        }
        let mut y = top + HEAD + ROW / 2.0;
        for row in &self.rows {
            let Row { look, label, figures, alarm } = row;
            canvas.path(&[(left, y), (left + 26.0, y)], 2.0, look.colour, look.dash)?;
            canvas.mark((left + 13.0, y), 4.0, look.colour, look.mark)?;
            let label = words::fit(label, SIZE, WIDTH - LABEL);
            let at = (left + LABEL, y);
            canvas.text(&label, at, SIZE, Side::Left, Weight::Normal, strong)?;
            if self.is_long(row) {
                y += ROW;
            }
            for (index, figure) in figures.iter().enumerate() {
                let at = (place(index), y);
                canvas.text(figure, at, SIZE, Side::Right, Weight::Normal, strong)?;
            }
            if !alarm.is_empty() {
                y += ROW;
                let at = (left + LABEL, y);
                let alarm = words::fit(alarm, SIZE, WIDTH - LABEL);
                canvas.text(&alarm, at, SIZE, Side::Left, Weight::Bold, Ink::Alarm.colour())?;
            }
            y += ROW;
        }
        Ok(())
    }
}

/// Bytes of the worst run, or a dash.
pub(super) fn told(range: Option<Range>) -> String {
    range.map_or_else(|| "–".to_owned(), |range| units::bytes(round(range.high)))
}

/// The longest pause of all runs, or that there was none.
pub(super) fn longest(cell: &Cell<'_>) -> String {
    match &cell.pauses {
        None => "–".to_owned(),
        Some(pauses) if pauses.histogram.count() == 0 => "none".to_owned(),
        Some(pauses) => units::duration(round(pauses.longest_ns.high)),
    }
}
