//! Results: records put together by workload and collector.
//!
//! Percentiles come from the merged histograms of all invocations and are never averaged. What an invocation has one of
//! is given as its median over invocations, with the least and the most beside it.

pub mod bootstrap;
pub mod cautions;
pub mod front;
mod kinds;
pub mod samples;
pub mod speeds;
pub mod verdict;

use crate::{
    histogram::Histogram,
    record::{Pauses, Record, Status},
    recorder::Stops,
};
use bootstrap::Interval;
use collectors::audit::{Drag, Leaks};
use kinds::{kinds, label};
use serde_json::Value;
use speeds::Overall;

/// The collector against which throughput is shown: it never collects, so what another does beyond it is its cost.
pub const BASELINE: &str = "leak";

/// All records of an experiment, by workload and collector, both in the order of their lists.
#[derive(Debug)]
pub struct Results<'r> {
    /// The records that they are made of; at least one.
    pub records: &'r [Record],
    /// One group a workload.
    pub groups: Vec<Group<'r>>,
    /// Throughput over all workloads.
    pub overall: Overall,
}

/// All collectors on one workload.
#[derive(Debug)]
pub struct Group<'r> {
    /// The workload's name, with its parameters where the name alone would not tell.
    pub label: String,
    /// The name alone.
    pub workload: &'r str,
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
    /// All runs whose times count.
    pub runs: Vec<&'r Record>,
    /// Runs under the audit: they know exactly what was dead, and their times say nothing.
    pub audited: Vec<&'r Record>,
    /// Pauses of all runs that ended well; `None` if none did.
    pub pauses: Option<Merged>,
    /// Time of a run, in nanoseconds.
    pub wall_ns: Option<Range>,
    /// CPU time of a run, of all its threads, in nanoseconds.
    pub cpu_ns: Option<Range>,
    /// The part of it that threads of the collector's own used; `None` if it is not known.
    pub collector_cpu_ns: Option<Range>,
    /// The share of it that they used.
    pub collector_share: Option<Range>,
    /// How long it took to stop all mutators.
    pub stops: Option<Stopping>,
    /// Operations in a second, relative to the baseline in the same invocation.
    pub relative: Option<Range>,
    /// The same for each run.
    pub speeds: Vec<f64>,
    /// The ratio of the mean times, the baseline's over this one's, and how far it can be trusted.
    pub speed: Option<Interval>,
    /// The same of CPU time: this one's mean for each operation over the baseline's. What a collector does on a core that
    /// the program leaves idle is in it.
    pub cpu: Option<Interval>,
    /// Latencies of all runs that ended well; `None` if the workload serves no requests.
    pub latency: Option<Latencies>,
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
    /// CPU time of the same, in nanoseconds; `None` if it is not known.
    pub all_cpu_ns: Option<Range>,
    /// Clocked pauses below the floor, over all runs.
    pub shorter: u64,
    /// Pauses that had no clock, over all runs.
    pub unclocked: u64,
}

/// Stops of the world in several runs: from the request until the last mutator had stopped.
#[derive(Debug)]
pub struct Stopping {
    /// How many in a run.
    pub count: Range,
    /// How long they took in a run together, in nanoseconds.
    pub total_ns: Range,
    /// The slowest of each run, in nanoseconds.
    pub longest_ns: Range,
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
    /// Reachable, on average over the allocation clock; `None` without an audited run.
    pub live: Option<Range>,
    /// Dead and not yet freed, on average over the allocation clock; `None` without an audited run.
    pub floating_mean: Option<Range>,
    /// Dead and not yet freed at most; `None` without an audited run.
    pub floating_peak: Option<Range>,
    /// Why dead objects were not freed; of the audited run.
    pub leaks: Option<Leaks>,
    /// How long dead objects stayed, shortest first; of the audited run.
    pub drag: Option<Vec<Drag>>,
}

/// Latencies of several runs.
#[derive(Debug)]
pub struct Latencies {
    /// From the intended start of each request to its end, in nanoseconds.
    pub intended: Histogram,
    /// From the moment when work on it began to its end, in nanoseconds.
    pub simple: Histogram,
    /// The longest from the intended start, in nanoseconds.
    pub max_ns: u64,
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
        let groups = workloads.iter().zip(0_u64..).map(|(&workload, place)| {
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
            let mut group = Group {
                label: label(workload, &workloads),
                workload: workload.0,
                parameters: workload.1,
                threads: workload.2,
                cells: cells.collect(),
            };
            speeds::compare(&mut group, records[0].order.seed.wrapping_add(place));
            group
        });
        let groups: Vec<Group<'_>> = groups.collect();
        let overall = speeds::over_all(&groups, records[0].order.seed);
        Some(Self { records, groups, overall })
    }

    /// The most that an idle thread overslept in any run, in nanoseconds.
    pub fn hiccup_ns(&self) -> Option<u64> {
        self.records.iter().filter_map(|run| run.hiccup_max_ns).max()
    }

    /// How often each configuration was run.
    pub fn invocations(&self) -> u32 {
        let timed = self.records.iter().filter(|run| !run.audited);
        timed.map(|run| run.invocation).max().unwrap_or(0)
    }

    /// The least that a pause must last to be kept, in nanoseconds.
    pub fn floor_ns(&self) -> Option<u64> {
        self.records.iter().find_map(|run| run.pauses.as_ref()).map(|pauses| pauses.floor_ns)
    }
}

impl<'r> Cell<'r> {
    fn of(label: String, all: Vec<&'r Record>, group: &[&'r Record]) -> Self {
        let collector = &all[0].collector;
        let (audited, runs): (Vec<&Record>, Vec<&Record>) =
            all.into_iter().partition(|run| run.audited);
        let ok: Vec<&Record> =
            runs.iter().copied().filter(|run| run.status == Status::Ok).collect();
        let baseline = |run: &Record| {
            let same = |other: &&&Record| {
                other.collector == BASELINE
                    && !other.audited
                    && other.invocation == run.invocation
                    && other.status == Status::Ok
            };
            group.iter().find(same).copied()
        };
        let speeds: Vec<f64> =
            ok.iter().filter_map(|run| Some(speed(run)? / speed(baseline(run)?)?)).collect();
        Self {
            collector,
            label,
            pauses: Merged::of(&ok),
            wall_ns: Range::over(&ok, |run| run.wall_ns),
            cpu_ns: Range::over(&ok, |run| run.cpu_ns),
            collector_cpu_ns: Range::of(
                ok.iter().filter_map(|run| run.collector_cpu_ns).map(to_f64),
            ),
            collector_share: Range::of(ok.iter().filter_map(|run| {
                (run.cpu_ns > 0)
                    .then(|| Some(to_f64(run.collector_cpu_ns?) / to_f64(run.cpu_ns)))?
            })),
            stops: Stopping::of(&ok),
            relative: Range::of(speeds.iter().copied()),
            speeds,
            speed: None,
            cpu: None,
            latency: Latencies::of(&ok),
            memory: Memory::of(&ok, &audited),
            runs,
            audited,
        }
    }

    /// Runs that ended well and whose times count.
    pub fn ok(&self) -> impl Iterator<Item = &'r Record> + '_ {
        self.runs.iter().copied().filter(|run| run.status == Status::Ok)
    }

    /// The run of median wall time among those that ended well.
    pub fn median_run(&self) -> Option<&'r Record> {
        let mut ok: Vec<&Record> = self.ok().collect();
        ok.sort_by_key(|run| (run.wall_ns, run.order.position));
        ok.get(ok.len().saturating_sub(1) / 2).copied()
    }

    /// Runs that did not end well, in words; empty if there are none.
    pub fn failures(&self) -> String {
        let timed = self.told(&self.runs, "");
        let audited = self.told(&self.audited, " under the audit");
        timed.into_iter().chain(audited).collect::<Vec<_>>().join(", ")
    }

    fn told(&self, runs: &[&Record], where_: &str) -> Vec<String> {
        let all = [
            Status::WrongChecksum,
            Status::OutOfMemory,
            Status::TimedOut,
            Status::Crashed,
            Status::Unsound,
        ];
        let told = all.into_iter().filter_map(|status| {
            let number = runs.iter().filter(|run| run.status == status).count();
            (number > 0).then(|| format!("{number} of {} {}{where_}", runs.len(), status.name()))
        });
        told.collect()
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
            all_cpu_ns: Range::of(
                pauses.iter().filter_map(|pauses| pauses.all_cpu_ns()).map(to_f64),
            ),
            shorter: pauses
                .iter()
                .flat_map(|pauses| pauses.below_floor.values())
                .map(|total| total.count)
                .sum(),
            unclocked: pauses.iter().flat_map(|pauses| pauses.unclocked.values()).sum(),
        })
    }

    /// The percentile, if there are enough pauses to carry it.
    pub fn percentile(&self, share: f64) -> Option<u64> {
        let longest = self.longest_ns.high;
        let shown = |value| if to_f64(value) > longest { round(longest) } else { value };
        carried(&self.histogram, share).map(shown)
    }
}

/// The percentile, if there are enough samples to carry it: ten must lie beyond.
pub fn carried(histogram: &Histogram, share: f64) -> Option<u64> {
    let beyond = to_f64(histogram.count()) * (1.0 - share);
    // Rounding must not take away the last of exactly enough samples.
    histogram.quantile(share).filter(|_| beyond > 9.999)
}

impl Stopping {
    fn of(runs: &[&Record]) -> Option<Self> {
        let stops: Vec<&Stops> = runs.iter().filter_map(|run| run.time_to_stop.as_ref()).collect();
        let over =
            |value: fn(&Stops) -> u64| Range::of(stops.iter().map(|stops| to_f64(value(stops))));
        Some(Self {
            count: over(|stops| stops.count)?,
            total_ns: over(|stops| stops.total_ns)?,
            longest_ns: over(|stops| stops.max_ns)?,
        })
    }
}

impl Memory {
    /// An audited run knows the bytes as exactly as a timed one, so it stands in where there is no other.
    fn of(timed: &[&Record], audited: &[&Record]) -> Option<Self> {
        let bytes = |runs: &[&Record]| runs.iter().filter_map(|run| run.bytes).collect::<Vec<_>>();
        let exact = bytes(audited);
        let all = if timed.is_empty() { exact.clone() } else { bytes(timed) };
        let some = |value: fn(&crate::record::Bytes) -> Option<u64>| {
            let timed = Range::of(all.iter().filter_map(value).map(to_f64));
            timed.or_else(|| Range::of(exact.iter().filter_map(value).map(to_f64)))
        };
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
            live: some(|bytes| bytes.live),
            floating_mean: some(|bytes| bytes.floating_mean),
            floating_peak: some(|bytes| bytes.floating_peak),
            leaks: exact.iter().find_map(|bytes| bytes.leaks),
            drag: audited.iter().find_map(|run| run.drag.clone()),
        })
    }
}

impl Latencies {
    fn of(runs: &[&Record]) -> Option<Self> {
        let all: Vec<_> = runs.iter().filter_map(|run| run.latency.as_ref()).collect();
        let mut merged = Self {
            intended: Histogram::new(),
            simple: Histogram::new(),
            max_ns: all.iter().map(|latency| latency.max_ns).max()?,
        };
        for latency in all {
            merged.intended.merge(&latency.intended);
            merged.simple.merge(&latency.simple);
        }
        Some(merged)
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

/// A number of nanoseconds, bytes or whatever else is counted in a run, to be calculated with.
#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds, bytes and counts of a run are far below 2^53"
)]
pub fn to_f64(value: u64) -> f64 {
    value as f64
}

/// Operations in a nanosecond.
fn speed(run: &Record) -> Option<f64> {
    let operations = run.operations?;
    (run.wall_ns > 0).then(|| to_f64(operations) / to_f64(run.wall_ns))
}

#[cfg(test)]
mod tests;
