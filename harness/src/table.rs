//! Table of text for the terminal.

use crate::{
    results::{Cell, Range, Results, round},
    units,
};
use collectors::Cause;

/// A table whose first row is its head.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// Columns that are set flush right.
    numbers: Vec<bool>,
}

impl Table {
    /// A table with these columns; a heading that begins with `>` is of numbers.
    pub fn new(columns: &[&str]) -> Self {
        let numbers = columns.iter().map(|column| column.starts_with('>')).collect();
        let head = columns.iter().map(|column| column.trim_start_matches('>').to_owned()).collect();
        Self { rows: vec![head], numbers }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The text, a line a row, with two spaces between columns.
    pub fn render(&self) -> String {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> =
            (0..self.numbers.len()).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, &width), &is_number) in row.iter().zip(&widths).zip(&self.numbers) {
                let padded =
                    if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                line.push_str(&padded);
                line.push_str("  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The results, a line a workload and collector.
pub fn results(results: &Results<'_>) -> String {
    let speed = format!(">speed/{}", crate::results::BASELINE);
    let mut table = Table::new(&[
        "workload",
        "collector",
        ">longest pause",
        ">p99",
        ">pauses",
        ">paused/run",
        ">floating",
        ">leaked",
        ">peak held",
        &speed,
        "runs",
    ]);
    for group in &results.groups {
        for (index, cell) in group.cells.iter().enumerate() {
            let workload = if index == 0 { group.label.clone() } else { String::new() };
            table.row([workload, cell.label.clone()].into_iter().chain(figures(cell)));
        }
    }
    table.render()
}

fn figures(cell: &Cell<'_>) -> Vec<String> {
    let absent = || "-".to_owned();
    let failures = cell.failures();
    let runs = if failures.is_empty() { format!("{} ok", cell.runs.len()) } else { failures };
    let (mut longest, mut p99, mut count, mut all) = (absent(), absent(), absent(), absent());
    if let Some(pauses) = &cell.pauses {
        if pauses.histogram.count() > 0 {
            longest = units::duration(round(pauses.longest_ns.high));
        }
        p99 = pauses.percentile(0.99).map_or_else(absent, units::duration);
        count = units::count(pauses.histogram.count());
        all = units::duration(round(pauses.all_ns.median));
    }
    let bytes =
        |range: Option<Range>| range.map_or_else(absent, |range| units::bytes(round(range.high)));
    let memory = cell.memory.as_ref();
    let leaked = bytes(memory.map(|memory| memory.leaked));
    let leaked = if memory.is_some_and(|memory| !memory.is_as_promised) {
        format!("{leaked} (!)")
    } else {
        leaked
    };
    let speed = cell.relative.map_or_else(absent, |relative| units::ratio(relative.median));
    vec![
        longest,
        p99,
        count,
        all,
        bytes(memory.and_then(|memory| memory.floating_mean)),
        leaked,
        bytes(memory.map(|memory| memory.peak_held)),
        speed,
        runs,
    ]
}

/// The name of a cause, as records have it.
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Stop => "stop",
        Cause::Collection => "collection",
        Cause::Cascade => "cascade",
        Cause::SlowAllocation => "slow-allocation",
        Cause::Handshake => "handshake",
        Cause::Stall => "stall",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_flush_left_and_numbers_flush_right() {
        let mut table = Table::new(&["name", ">bytes", "unit"]);
        table.row(["leak", "1,000", "µs"].map(str::to_owned));
        table.row(["é", "1", ""].map(str::to_owned));
        assert_eq!(table.render(), "name  bytes  unit\nleak  1,000  µs\né         1\n");
    }
}
