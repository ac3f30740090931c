//! Job: one configuration, as it is told to the process that runs it, and that process's answer.

use crate::{
    record::{Bytes, Latency, Pauses, Status, Timeline},
    recorder::{Generation, Sample, Stops},
};
use collectors::audit::Drag;
use serde::{Deserialize, Serialize};

/// One collector on one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The collector's name.
    pub collector: String,
    /// All its settings.
    pub settings: serde_json::Value,
    /// The workload's name.
    pub workload: String,
    /// All its parameters.
    pub parameters: serde_json::Value,
    /// Threads that the workload uses.
    pub threads: usize,
    /// The workload's seed.
    pub seed: u64,
    /// Pauses shorter than this are counted and not kept, in nanoseconds.
    pub pause_floor_ns: u64,
    /// Whether the collector runs under the audit.
    pub audited: bool,
    /// What the run may use at most.
    pub limits: Limits,
}

/// What a run may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds after which it is ended.
    pub seconds: u64,
    /// Bytes that its heap may hold from the system.
    pub heap_bytes: u64,
    /// Bytes that its process may hold in RAM, side tables and all that is not heap included.
    pub process_bytes: u64,
}

/// What a run's process says at its end, whether the workload ended well or ran out of memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How it ended.
    pub status: Status,
    /// What went wrong, if anything.
    pub message: Option<String>,
    /// What the workload read back through the heap, in hexadecimal.
    pub checksum: Option<String>,
    /// Time of the workload, from its preparation until its last root was dropped.
    pub wall_ns: u64,
    /// CPU time of all its threads in that time.
    pub cpu_ns: u64,
    /// The part of it that threads of the collector's own used; only of a timed run.
    pub collector_cpu_ns: Option<u64>,
    /// Allocations and stores to slots.
    pub operations: Option<u64>,
    /// Pauses in that time; only of a timed run.
    pub pauses: Option<Pauses>,
    /// Times to stop; only of a timed run.
    pub time_to_stop: Option<Stops>,
    /// How late an idle thread woke at worst; only of a timed run.
    pub hiccup_max_ns: Option<u64>,
    /// Collections in that time, of each generation; only of a timed run.
    pub collections: Option<Vec<Generation>>,
    /// What became of the memory.
    pub bytes: Bytes,
    /// Memory over time.
    pub memory: Timeline,
    /// Latencies, of a workload that serves requests.
    pub latency: Option<Latency>,
    /// How long dead objects stayed; only of an audited run.
    pub drag: Option<Vec<Drag>>,
    /// The most memory that the process held, in bytes.
    pub rss_peak: Option<u64>,
    /// Pauses one by one.
    pub samples: Vec<Sample>,
}
