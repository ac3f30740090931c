//! Job: one configuration, as it is told to the process that runs it, and that process's answer.

use crate::{
    record::{Bytes, Pauses, Status},
    recorder::{Generation, Sample, Stops},
};
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
    /// Allocations and stores to slots.
    pub operations: Option<u64>,
    /// Pauses in that time.
    pub pauses: Pauses,
    /// Times to stop.
    pub time_to_stop: Stops,
    /// How late an idle thread woke at worst.
    pub hiccup_max_ns: u64,
    /// Collections in that time, of each generation.
    pub collections: Vec<Generation>,
    /// What became of the memory.
    pub bytes: Bytes,
    /// The most memory that the process held, in bytes.
    pub rss_peak: Option<u64>,
    /// Pauses one by one.
    pub samples: Vec<Sample>,
}
