//! Table of text for the terminal.

use crate::{
    results::{BASELINE, Cell, Range, Results, bootstrap::Interval, round},
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

/// The results, a line a workload and collector: pauses and memory first, then where the time went.
pub fn results(results: &Results<'_>) -> String {
    let mut pauses = Table::new(&[
        "workload",
        "collector",
        ">longest pause",
        ">p99",
        ">pauses",
        ">floating",
        ">leaked",
        ">peak held",
        "runs",
    ]);
    let (speed, cpu) = (format!(">speed/{BASELINE}"), format!(">CPU/{BASELINE}"));
    let mut times = Table::new(&[
        "workload",
        "collector",
        &speed,
        &cpu,
        ">wall/run",
        ">CPU/run",
        ">on its threads",
        ">paused/run",
        ">on the CPU",
        ">stops/run",
        ">to stop/run",
        ">slowest stop",
    ]);
    for group in &results.groups {
        for (index, cell) in group.cells.iter().enumerate() {
            let workload = if index == 0 { group.label.as_str() } else { "" };
            let names = || [workload.to_owned(), cell.label.clone()].into_iter();
            pauses.row(names().chain(figures(cell)));
            times.row(names().chain(Times::of(cell, "-").columns()));
        }
    }
    format!("{}\n{}", pauses.render(), times.render())
}

/// Where the time of a cell's median run went, in words.
#[derive(Debug)]
pub struct Times {
    /// Throughput over the baseline's.
    pub speed: String,
    /// CPU time over the baseline's, which stands beside every speed.
    pub cpu_ratio: String,
    /// Time on the wall.
    pub wall: String,
    /// CPU time of all threads.
    pub cpu: String,
    /// The share of it on threads of the collector's own.
    pub on_threads: String,
    /// Time in pauses, of all threads.
    pub paused: String,
    /// CPU time in them.
    pub paused_cpu: String,
    /// Stops of the world.
    pub stops: String,
    /// Time until all had stopped, together.
    pub to_stop: String,
    /// The same of the slowest stop of all runs.
    pub slowest: String,
}

impl Times {
    /// The times of a cell; `absent` stands for what is not known.
    pub fn of(cell: &Cell<'_>, absent: &str) -> Self {
        let or_absent = |told: Option<String>| told.unwrap_or_else(|| absent.to_owned());
        let duration = |range: Option<Range>| {
            or_absent(range.map(|range| units::duration(round(range.median))))
        };
        let ratio = |interval: Option<Interval>| {
            or_absent(interval.map(|interval| units::ratio(interval.estimate)))
        };
        let (pauses, stops) = (cell.pauses.as_ref(), cell.stops.as_ref());
        Self {
            speed: ratio(cell.speed),
            cpu_ratio: ratio(cell.cpu),
            wall: duration(cell.wall_ns),
            cpu: duration(cell.cpu_ns),
            on_threads: or_absent(cell.collector_share.map(|share| units::percent(share.median))),
            paused: duration(pauses.map(|pauses| pauses.all_ns)),
            paused_cpu: duration(pauses.and_then(|pauses| pauses.all_cpu_ns)),
            stops: or_absent(stops.map(|stops| units::count(round(stops.count.median)))),
            to_stop: duration(stops.map(|stops| stops.total_ns)),
            slowest: or_absent(stops.map(|stops| units::duration(round(stops.longest_ns.high)))),
        }
    }

    /// All of them, in their order.
    pub fn columns(self) -> [String; 10] {
        let Self { speed, cpu_ratio, wall, cpu, on_threads, .. } = self;
        let Self { paused, paused_cpu, stops, to_stop, slowest, .. } = self;
        [speed, cpu_ratio, wall, cpu, on_threads, paused, paused_cpu, stops, to_stop, slowest]
    }
}

fn figures(cell: &Cell<'_>) -> Vec<String> {
    let absent = || "-".to_owned();
    let failures = cell.failures();
    let runs = if failures.is_empty() { format!("{} ok", cell.runs.len()) } else { failures };
    let (mut longest, mut p99, mut count) = (absent(), absent(), absent());
    if let Some(pauses) = &cell.pauses {
        if pauses.histogram.count() > 0 {
            longest = units::duration(round(pauses.longest_ns.high));
        }
        p99 = pauses.percentile(0.99).map_or_else(absent, units::duration);
        count = units::count(pauses.histogram.count());
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
    vec![
        longest,
        p99,
        count,
        bytes(memory.and_then(|memory| memory.floating_mean)),
        leaked,
        bytes(memory.map(|memory| memory.peak_held)),
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
