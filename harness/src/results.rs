//! Results: records put together by workload and collector.
//!
//! Percentiles come from the merged histograms of all invocations and are never averaged. What an invocation has one of
//! is given as its median over invocations, with the least and the most beside it.

pub mod verdict;

use crate::{
    histogram::Histogram,
    record::{Pauses, Record, Status},
};
use serde_json::Value;

/// The collector against which throughput is shown: it never collects, so what another does beyond it is its cost.
pub const BASELINE: &str = "leak";

/// All records of an experiment, by workload and collector, both in the order of their lists.
#[derive(Debug)]
pub struct Results<'r> {
    /// The records that they are made of; at least one.
    pub records: &'r [Record],
    /// One group a workload.
    pub groups: Vec<Group<'r>>,
}

/// All collectors on one workload.
#[derive(Debug)]
pub struct Group<'r> {
    /// The workload's name, with its parameters where the name alone would not tell.
    pub label: String,
    /// Its parameters.
    pub parameters: &'r Value,
    /// Threads that it used.
    pub threads: usize,
    /// One cell a collector.
    pub cells: Vec<Cell<'r>>,
}

/// One collector on one workload, over all invocations.
#[derive(Debug)]
pub struct Cell<'r> {
    /// The collector's name.
    pub collector: &'r str,
    /// The name, with its settings where the name alone would not tell.
    pub label: String,
    /// All runs.
    pub runs: Vec<&'r Record>,
    /// Pauses of all runs that ended well; `None` if none did.
    pub pauses: Option<Merged>,
    /// Time of a run, in nanoseconds.
    pub wall_ns: Option<Range>,
    /// CPU time of a run, in nanoseconds.
    pub cpu_ns: Option<Range>,
    /// Operations in a second, relative to the baseline in the same invocation.
    pub relative: Option<Range>,
    /// The same for each run.
    pub speeds: Vec<f64>,
    /// What became of the memory, in bytes.
    pub memory: Option<Memory>,
}

/// Pauses of several runs.
#[derive(Debug)]
pub struct Merged {
    /// Pauses shorter than this are only in `all_ns` and `shorter`.
    pub floor_ns: u64,
    /// All pauses of at least the floor.
    pub histogram: Histogram,
    /// The longest of each run, in nanoseconds.
    pub longest_ns: Range,
    /// The longest of all on the CPU, in nanoseconds.
    pub max_cpu_ns: u64,
    /// Pauses of at least the floor in a run.
    pub count: Range,
    /// Time in all clocked pauses of a run, shorter ones included, in nanoseconds.
    pub all_ns: Range,
    /// Clocked pauses below the floor, over all runs.
    pub shorter: u64,
    /// Pauses that had no clock, over all runs.
    pub unclocked: u64,
}

/// What became of the memory of several runs, in bytes.
#[derive(Debug)]
pub struct Memory {
    /// In objects ever allocated.
    pub allocated: Range,
    /// Left when every root was gone and full collections found nothing more.
    pub leaked: Range,
    /// Whether each run leaked exactly what its collector's capabilities allow.
    pub is_as_promised: bool,
    /// What they allow, in the run where that is most.
    pub expected: u64,
    /// In objects, at most at any one time.
    pub peak_held: Range,
    /// In objects when the workload had ended.
    pub held_at_end: Range,
    /// Held from the system for blocks, at most at any one time.
    pub blocks: Range,
    /// Held for side tables.
    pub side_tables: Range,
}

/// A quantity over invocations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The one in the middle.
    pub median: f64,
    /// The most.
    pub high: f64,
}

impl Range {
    /// The range of some values; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { low, median, high })
    }

    /// Whether two quantities cannot be told apart by these runs.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "nanoseconds and bytes of a run are far below 2^53"
    )]
    fn over<'r>(runs: &[&'r Record], value: impl Fn(&'r Record) -> u64) -> Option<Self> {
        Self::of(runs.iter().map(|run| value(run) as f64))
    }
}

impl<'r> Results<'r> {
    /// Puts records together; `None` of none.
    pub fn of(records: &'r [Record]) -> Option<Self> {
        records.first()?;
        let workloads =
            kinds(records, |run| (&run.workload, &run.parameters, run.threads), workloads::NAMES);
        let collectors =
            kinds(records, |run| (&run.collector, &run.settings, 0), collectors::NAMES);
        let groups = workloads.iter().map(|&workload| {
            let runs: Vec<&Record> = records
                .iter()
                .filter(|run| (&run.workload, &run.parameters, run.threads) == workload)
                .collect();
            let cells = collectors.iter().filter_map(|&collector| {
                let mine: Vec<&Record> = runs
                    .iter()
                    .copied()
                    .filter(|run| (&run.collector, &run.settings, 0) == collector)
                    .collect();
                (!mine.is_empty()).then(|| Cell::of(label(collector, &collectors), mine, &runs))
            });
            Group {
                label: label(workload, &workloads),
                parameters: workload.1,
                threads: workload.2,
                cells: cells.collect(),
            }
        });
        Some(Self { records, groups: groups.collect() })
    }

    /// The most that an idle thread overslept in any run, in nanoseconds.
    pub fn hiccup_ns(&self) -> Option<u64> {
        self.records.iter().filter_map(|run| run.hiccup_max_ns).max()
    }

    /// How often each configuration was run.
    pub fn invocations(&self) -> u32 {
        self.records.iter().map(|run| run.invocation).max().unwrap_or(0)
    }

    /// The least that a pause must last to be kept, in nanoseconds.
    pub fn floor_ns(&self) -> Option<u64> {
        self.records.iter().find_map(|run| run.pauses.as_ref()).map(|pauses| pauses.floor_ns)
    }
}

impl<'r> Cell<'r> {
    fn of(label: String, runs: Vec<&'r Record>, group: &[&'r Record]) -> Self {
        let ok: Vec<&Record> =
            runs.iter().copied().filter(|run| run.status == Status::Ok).collect();
        let baseline = |run: &Record| {
            let same = |other: &&&Record| {
                other.collector == BASELINE
                    && other.invocation == run.invocation
                    && other.status == Status::Ok
            };
            group.iter().find(same).copied()
        };
        let speeds: Vec<f64> =
            ok.iter().filter_map(|run| Some(speed(run)? / speed(baseline(run)?)?)).collect();
        Self {
            collector: &runs[0].collector,
            label,
            pauses: Merged::of(&ok),
            wall_ns: Range::over(&ok, |run| run.wall_ns),
            cpu_ns: Range::over(&ok, |run| run.cpu_ns),
            relative: Range::of(speeds.iter().copied()),
            speeds,
            memory: Memory::of(&ok),
            runs,
        }
    }

    /// Runs that did not end well, in words; empty if there are none.
    pub fn failures(&self) -> String {
        let all = [
            Status::WrongChecksum,
            Status::OutOfMemory,
            Status::TimedOut,
            Status::Crashed,
            Status::Unsound,
        ];
        let told = all.into_iter().filter_map(|status| {
            let number = self.runs.iter().filter(|run| run.status == status).count();
            (number > 0).then(|| format!("{number} of {} {}", self.runs.len(), status.name()))
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

impl Merged {
    fn of(runs: &[&Record]) -> Option<Self> {
        let pauses: Vec<&Pauses> = runs.iter().filter_map(|run| run.pauses.as_ref()).collect();
        let mut histogram = Histogram::new();
        pauses.iter().for_each(|pauses| histogram.merge(&pauses.histogram));
        let over = |value: fn(&Pauses) -> u64| {
            Range::of(pauses.iter().map(|pauses| to_f64(value(pauses))))
        };
        Some(Self {
            floor_ns: pauses.first()?.floor_ns,
            histogram,
            longest_ns: over(|pauses| pauses.max_ns)?,
            max_cpu_ns: pauses.iter().map(|pauses| pauses.max_cpu_ns).max()?,
            count: over(|pauses| pauses.count)?,
            all_ns: over(Pauses::all_ns)?,
            shorter: pauses
                .iter()
                .flat_map(|pauses| pauses.below_floor.values())
                .map(|total| total.count)
                .sum(),
            unclocked: pauses.iter().flat_map(|pauses| pauses.unclocked.values()).sum(),
        })
    }

    /// The percentile, if there are enough pauses to carry it: ten must lie beyond.
    pub fn percentile(&self, share: f64) -> Option<u64> {
        let beyond = to_f64(self.histogram.count()) * (1.0 - share);
        let longest = self.longest_ns.high;
        // Rounding must not take away the last of exactly enough pauses.
        self.histogram
            .quantile(share)
            .filter(|_| beyond > 9.999)
            .map(|value| if to_f64(value) > longest { round(longest) } else { value })
    }
}

impl Memory {
    fn of(runs: &[&Record]) -> Option<Self> {
        let all: Vec<_> = runs.iter().filter_map(|run| run.bytes).collect();
        let over = |value: fn(&crate::record::Bytes) -> u64| {
            Range::of(all.iter().map(|bytes| to_f64(value(bytes))))
        };
        Some(Self {
            allocated: over(|bytes| bytes.allocated)?,
            leaked: over(|bytes| bytes.leaked)?,
            is_as_promised: all.iter().all(|bytes| bytes.leaked == bytes.leak_expected),
            expected: all.iter().map(|bytes| bytes.leak_expected).max()?,
            peak_held: over(|bytes| bytes.peak_held)?,
            held_at_end: over(|bytes| bytes.held_at_end)?,
            blocks: over(|bytes| bytes.blocks)?,
            side_tables: over(|bytes| bytes.side_tables)?,
        })
    }
}

/// A number of nanoseconds or bytes, to be shown.
pub fn round(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sums and medians of unsigned integers"
    )]
    let whole = value.round() as u64;
    whole
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds, bytes and counts of a run are far below 2^53"
)]
fn to_f64(value: u64) -> f64 {
    value as f64
}

/// Operations in a nanosecond.
fn speed(run: &Record) -> Option<f64> {
    let operations = run.operations?;
    (run.wall_ns > 0).then(|| to_f64(operations) / to_f64(run.wall_ns))
}

/// A kind of run: a name, its values, and the number of threads.
type Kind<'r> = (&'r String, &'r Value, usize);

/// The kinds that occur, in the order of the list and then of their values.
fn kinds<'r>(
    records: &'r [Record],
    kind: impl Fn(&'r Record) -> Kind<'r>,
    names: &[&str],
) -> Vec<Kind<'r>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for run in records {
        let kind = kind(run);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or(usize::MAX);
    kinds.sort_by_cached_key(|(name, values, threads)| {
        (place(name), (*name).clone(), *threads, values.to_string())
    });
    kinds
}

/// The name, and whatever tells it from others of the same name.
fn label((name, values, threads): Kind<'_>, all: &[Kind<'_>]) -> String {
    let others: Vec<&Kind<'_>> = all.iter().filter(|(other, ..)| *other == name).collect();
    let mut differences = Vec::new();
    for (key, value) in values.as_object().into_iter().flatten() {
        if others.iter().any(|(_, other, _)| other.get(key) != Some(value)) {
            differences.push(format!("{key} = {}", value.to_string().trim_matches('"')));
        }
    }
    if others.iter().any(|(.., other)| *other != threads) {
        differences.push(if threads == 1 {
            "1 thread".to_owned()
        } else {
            format!("{threads} threads")
        });
    }
    if differences.is_empty() {
        name.clone()
    } else {
        format!("{name} ({})", differences.join(", "))
    }
}

#[cfg(test)]
mod tests;
