//! Record of one run: everything that was asked, seen and known, in one line of JSON.
//!
//! Times are nanoseconds and sizes bytes, all exact integers. What a failed run could not say is `null`.

use crate::{
    environment::Environment,
    histogram::Histogram,
    recorder::{Generation, Recording, Stops, Total},
};
use collectors::{
    Amount, Cause,
    audit::{Drag, Leaks},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format; it is raised when a field is added, changes its meaning or goes away.
pub const SCHEMA: u32 = 3;

/// The oldest version that can still be read: what it does not say is `null`.
pub const OLDEST_SCHEMA: u32 = 2;

/// No 99.9th percentile of fewer pauses than this: ten must lie beyond it.
pub const PAUSES_FOR_P999: u64 = 10_000;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this format.
    pub schema: u32,
    /// What the run is part of.
    pub experiment: Question,
    /// Where in the experiment's order it stands.
    pub order: Order,
    /// The collector's name.
    pub collector: String,
    /// All its settings.
    pub settings: serde_json::Value,
    /// The workload's name.
    pub workload: String,
    /// All its parameters.
    pub parameters: serde_json::Value,
    /// Threads that the workload used.
    pub threads: usize,
    /// The workload's seed, the same in every invocation.
    pub seed: u64,
    /// Which repetition, from 1.
    pub invocation: u32,
    /// Whether the collector ran under the audit, which knows exactly what is dead; the times of such a run say nothing.
    pub audited: bool,
    /// How it ended.
    pub status: Status,
    /// What went wrong, if anything.
    pub message: Option<String>,
    /// What the workload read back through the heap: 64 bits in hexadecimal, the same under every collector.
    pub checksum: Option<String>,
    /// Time of the workload, from its preparation until its last root was dropped.
    pub wall_ns: u64,
    /// CPU time of all its threads in that time, in the program and in the system.
    pub cpu_ns: u64,
    /// The part of it that threads of the collector's own used; `null` of an audited run and before schema 3.
    #[serde(default)]
    pub collector_cpu_ns: Option<u64>,
    /// Allocations and stores to slots, the same under every collector.
    pub operations: Option<u64>,
    /// Pauses in that time, over all mutators. This and the next three are `null` of an audited run.
    pub pauses: Option<Pauses>,
    /// From the request to stop until the last mutator had stopped.
    pub time_to_stop: Option<Stops>,
    /// How late a thread that sleeps a millisecond at a time woke at worst.
    pub hiccup_max_ns: Option<u64>,
    /// Collections of each generation in that time, youngest first.
    pub collections: Option<Vec<Generation>>,
    /// What became of the memory.
    pub bytes: Option<Bytes>,
    /// Memory over time.
    pub memory: Option<Timeline>,
    /// Latencies, of a workload that serves requests.
    pub latency: Option<Latency>,
    /// How long dead objects stayed, of an audited run, shortest first.
    pub drag: Option<Vec<Drag>>,
    /// The most memory that the process held in RAM.
    pub rss_peak: Option<u64>,
    /// Where and when.
    pub environment: Environment,
}

/// What an experiment asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its name.
    pub name: String,
    /// Its question, in prose.
    pub question: String,
    /// The command, without what belongs to one machine.
    pub command: String,
}

/// Where in an experiment a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The seed from which the order was shuffled.
    pub seed: u64,
    /// The run's place in it, from 1.
    pub position: usize,
    /// How many runs there are.
    pub runs: usize,
}

/// How a run ended. Each is a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It ended, and read back what it should.
    Ok,
    /// It ended, and read back something else: the collector broke the heap, or the workload is wrong.
    WrongChecksum,
    /// Its heap reached the limit.
    OutOfMemory,
    /// It was ended at the limit of time.
    TimedOut,
    /// It panicked or was ended by a signal.
    Crashed,
    /// The audit found that the collector freed something too early, or never freed what it should have.
    Unsound,
}

impl Status {
    /// The name as records and tables show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::WrongChecksum => "wrong-checksum",
            Self::OutOfMemory => "out-of-memory",
            Self::TimedOut => "timed-out",
            Self::Crashed => "crashed",
            Self::Unsound => "unsound",
        }
    }
}

/// Pauses of one run, over all mutators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pauses {
    /// Shorter ones are only counted.
    pub floor_ns: u64,
    /// How many were at least that long.
    pub count: u64,
    /// Their sum.
    pub total_ns: u64,
    /// The CPU time that they took, each on its own thread; `null` before schema 3.
    #[serde(default)]
    pub total_cpu_ns: Option<u64>,
    /// Half of them were no longer than this; `null` if there are none.
    pub p50_ns: Option<u64>,
    /// The 90th percentile.
    pub p90_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// The 99.9th percentile; `null` for fewer than 10,000 pauses.
    pub p999_ns: Option<u64>,
    /// The longest.
    pub max_ns: u64,
    /// The most CPU time that any of them took.
    pub max_cpu_ns: u64,
    /// All of them, as `[longest of the bucket, count]`: histograms of any runs can be added.
    pub histogram: Histogram,
    /// Pauses that were clocked and found shorter, by cause.
    pub below_floor: BTreeMap<Cause, Total>,
    /// Pauses that the collector knew to be too short for a clock, by cause.
    pub unclocked: BTreeMap<Cause, u64>,
}

/// What became of the memory. An object's bytes are its header, slots and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// In all objects ever allocated.
    pub allocated: u64,
    /// In all objects freed, final collections included.
    pub freed: u64,
    /// In objects, at most at any one time.
    pub peak_held: u64,
    /// In objects when the workload had ended and before the final collections: what had been left for later.
    pub held_at_end: u64,
    /// In objects when every root was gone and full collections found nothing more.
    pub leaked: u64,
    /// What the collector's capabilities allow it to leak here: everything, what counting alone never frees, or nothing.
    pub leak_expected: u64,
    /// Held from the system for blocks and large objects, at most at any one time.
    pub blocks: u64,
    /// Held for side tables, when the workload had ended.
    pub side_tables: u64,
    /// Full collections that it took until nothing more was found, the one that found nothing included.
    pub final_collections: u32,
    /// Reachable, on average over the allocation clock: exact in an audited run, taken over from the audited run of the
    /// same workload in a timed one; `null` if there is none. With more than one thread it is that of another
    /// interleaving, and so an estimate.
    pub live: Option<u64>,
    /// Reachable at most, likewise.
    pub live_peak: Option<u64>,
    /// Dead and not yet freed, on average over the allocation clock: exact in an audited run; what was held less what was
    /// live at the same moment in a timed one.
    pub floating_mean: Option<u64>,
    /// Dead and not yet freed at most, likewise.
    pub floating_peak: Option<u64>,
    /// Dead objects that were not freed, by why; of an audited run.
    pub leaks: Option<Leaks>,
}

/// Memory over time, thinned out to at most [`TIMELINE_POINTS`] moments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The moments, in their order.
    pub points: Vec<Moment>,
}

/// The most moments of a timeline.
pub const TIMELINE_POINTS: usize = 512;

/// What was held at one moment; an audited run, whose time says nothing, also knows what was live.
///
/// In a record it is a list of its numbers in this order, of which the last two are missing if what was live is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct Moment {
    /// Nanoseconds since the run began.
    pub at_ns: u64,
    /// Objects and bytes ever allocated: the allocation clock.
    pub allocated: Amount,
    /// Bytes of objects allocated and not freed.
    pub held: u64,
    /// Bytes of blocks and large objects in use.
    pub blocks: u64,
    /// What was reachable; only of an audited run.
    pub live: Option<Amount>,
}

/// Latencies of requests that arrive whether or not the server is ready for them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Nanoseconds from the intended start of each request to its end: what its sender waits for.
    pub intended: Histogram,
    /// Nanoseconds from the moment when work on it began to its end: what a closed loop would have reported.
    pub simple: Histogram,
    /// The longest from the intended start, exactly.
    pub max_ns: u64,
}

impl Latency {
    /// Counts a request: when it should have begun, when it did, and when it ended.
    pub fn record(&mut self, intended_ns: u64, began_ns: u64, ended_ns: u64) {
        let waited = ended_ns.saturating_sub(intended_ns);
        self.intended.record(waited);
        self.simple.record(ended_ns.saturating_sub(began_ns));
        self.max_ns = self.max_ns.max(waited);
    }

    /// Adds all that another has counted.
    pub fn merge(&mut self, other: &Self) {
        self.intended.merge(&other.intended);
        self.simple.merge(&other.simple);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

impl From<Moment> for Vec<u64> {
    fn from(moment: Moment) -> Self {
        let Moment { at_ns, allocated, held, blocks, live } = moment;
        let mut numbers = vec![at_ns, allocated.objects, allocated.bytes, held, blocks];
        numbers.extend(live.into_iter().flat_map(|live| [live.objects, live.bytes]));
        numbers
    }
}

impl TryFrom<Vec<u64>> for Moment {
    type Error = String;

    fn try_from(numbers: Vec<u64>) -> Result<Self, String> {
        let (&[at_ns, objects, bytes, held, blocks], live) = numbers
            .split_first_chunk()
            .ok_or_else(|| format!("a moment of {} numbers, expected 5 or 7", numbers.len()))?;
        let live = match *live {
            [] => None,
            [objects, bytes] => Some(Amount { objects, bytes }),
            _ => return Err(format!("a moment of {} numbers, expected 5 or 7", numbers.len())),
        };
        Ok(Self { at_ns, allocated: Amount { objects, bytes }, held, blocks, live })
    }
}

impl Pauses {
    /// What a recording says of pauses of at least a floor.
    pub fn of(recording: &Recording, floor_ns: u64) -> Self {
        let Recording {
            histogram,
            total_ns,
            total_cpu_ns,
            max_ns,
            max_cpu_ns,
            below_floor,
            unclocked,
            ..
        } = recording;
        // A bucket's value may be a little above the longest pause that fell into it.
        let quantile = |share| histogram.quantile(share).map(|value| value.min(*max_ns));
        Self {
            floor_ns,
            count: histogram.count(),
            total_ns: *total_ns,
            total_cpu_ns: Some(*total_cpu_ns),
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            p999_ns: quantile(0.999).filter(|_| histogram.count() >= PAUSES_FOR_P999),
            max_ns: *max_ns,
            max_cpu_ns: *max_cpu_ns,
            histogram: histogram.clone(),
            below_floor: below_floor.clone(),
            unclocked: unclocked.clone(),
        }
    }

    /// Time spent in all clocked pauses, short ones included.
    pub fn all_ns(&self) -> u64 {
        self.total_ns + self.shorter_ns()
    }

    /// CPU time of the same; a short one is taken to have run all the time.
    pub fn all_cpu_ns(&self) -> Option<u64> {
        Some(self.total_cpu_ns? + self.shorter_ns())
    }

    fn shorter_ns(&self) -> u64 {
        self.below_floor.values().map(|total| total.total_ns).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_percentile_needs_ten_thousand_pauses() {
        let mut recording = Recording::default();
        for n in 0..PAUSES_FOR_P999 - 1 {
            recording.histogram.record(10_000 + n);
        }
        recording.max_ns = 10_000 + PAUSES_FOR_P999;
        assert_eq!(Pauses::of(&recording, 10_000).p999_ns, None);
        recording.histogram.record(20_000);
        let pauses = Pauses::of(&recording, 10_000);
        assert!(pauses.p999_ns.is_some_and(|p999| p999.abs_diff(19_990) < 20), "{pauses:?}");
    }

    #[test]
    fn no_percentile_exceeds_the_longest_pause() {
        let mut recording = Recording { max_ns: 1_000_001, ..Recording::default() };
        recording.histogram.record(1_000_001);
        let pauses = Pauses::of(&recording, 10_000);
        assert_eq!((pauses.p50_ns, pauses.p99_ns), (Some(1_000_001), Some(1_000_001)));
        assert_eq!(Pauses::of(&Recording::default(), 10_000).p50_ns, None);
    }

    #[test]
    fn a_moment_is_a_list_of_numbers() {
        let amount = Amount { objects: 2, bytes: 80 };
        let held = Moment { at_ns: 7, allocated: amount, held: 60, blocks: 65_536, live: None };
        let audited = Moment { live: Some(Amount { objects: 1, bytes: 40 }), ..held };
        for (moment, text) in [(held, "[7,2,80,60,65536]"), (audited, "[7,2,80,60,65536,1,40]")] {
            assert_eq!(serde_json::to_string(&moment).unwrap(), text);
            assert_eq!(serde_json::from_str::<Moment>(text).unwrap(), moment);
        }
        let error = serde_json::from_str::<Moment>("[7,2,80,60]").unwrap_err().to_string();
        assert!(error.starts_with("a moment of 4 numbers, expected 5 or 7"), "{error}");
        assert!(serde_json::from_str::<Moment>("[7,2,80,60,65536,1]").is_err());
    }
}
