//! The stage: what a workload that is paced by time is told of time, and tells of it.
//!
//! This crate reads no clock. Whoever runs a workload supplies the time, and with it decides what it is: that of the
//! wall, or one that jumps.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// A source of time that is told of requests. What is computed does not depend on it.
pub trait Stage: Sync {
    /// Nanoseconds since some moment before the run, the same for all threads. Never falls.
    fn now_ns(&self) -> u64;

    /// Returns as soon as [`now_ns`](Self::now_ns) has reached `due_ns`. The calling thread counts as stopped meanwhile.
    fn wait_until(&self, due_ns: u64);

    /// A request was served by the thread with index `thread`. It should have begun at `intended_ns`, which does not move
    /// however late the program is; it really began at `began_ns` and ended at `ended_ns`.
    fn completed(&self, thread: usize, intended_ns: u64, began_ns: u64, ended_ns: u64);
}

/// Time that takes no time: waiting makes it jump, and it passes in no other way. For runs whose latencies are of no
/// interest, such as tests and audits.
#[derive(Debug, Default)]
pub struct VirtualTime {
    now_ns: AtomicU64,
    completed: AtomicU64,
}

impl VirtualTime {
    /// How many requests were served.
    pub fn completed_requests(&self) -> u64 {
        // Relaxed: a statistic.
        self.completed.load(Relaxed)
    }
}

impl Stage for VirtualTime {
    fn now_ns(&self) -> u64 {
        // Acquire: time that another thread has made jump does not fall. Pairs with `wait_until`.
        self.now_ns.load(Acquire)
    }

    fn wait_until(&self, due_ns: u64) {
        // Release: publishes the jump. Pairs with `now_ns`.
        self.now_ns.fetch_max(due_ns, Release);
    }

    fn completed(&self, _thread: usize, _intended_ns: u64, _began_ns: u64, _ended_ns: u64) {
        // Relaxed: a statistic.
        self.completed.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_jumps_forward_and_never_falls() {
        let time = VirtualTime::default();
        for (due, now) in [(70, 70), (30, 70), (71, 71)] {
            time.wait_until(due);
            assert_eq!(time.now_ns(), now);
        }
    }
}
