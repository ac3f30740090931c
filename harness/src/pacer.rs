//! Pacer: the time by which requests come, and how long they waited.
//!
//! A request that should have begun while its server was stopped waits, so latencies are counted from the intended start.
//! To keep what the waiting itself adds to them small, a thread sleeps only while its request is far off and then looks
//! at the clock. That takes CPU time which nobody's program has asked for: the faster a collector, the more of it, so it is
//! counted here and not charged to the run.

use crate::{clock::Clock, hiccup::sharpen_timer, record::Latency};
use std::{
    hint,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use workloads::Stage;

/// How long before a request a thread stops to sleep: more than a sleeper usually oversleeps.
const AWAKE_NS: u64 = 100_000;

/// From one look at the clock to the next a thread that is awake takes less than this; if it took more, it was taken off
/// its core and used no CPU time.
const OFF_CORE_NS: u64 = 5_000;

/// The stage of a timed run. Each thread of the workload counts on its own.
#[derive(Debug)]
pub struct Pacer {
    clock: Clock,
    /// CPU time that was spent on looking at the clock.
    awaited_ns: AtomicU64,
    threads: Box<[OnceLock<Mutex<Latency>>]>,
}

impl Pacer {
    /// The stage of so many threads, in the time of a clock.
    pub fn new(clock: Clock, threads: usize) -> Self {
        let threads = (0..threads.max(1)).map(|_| OnceLock::new()).collect();
        Self { clock, awaited_ns: AtomicU64::new(0), threads }
    }

    /// CPU time that threads have spent on waiting for requests, in nanoseconds.
    pub fn awaited_ns(&self) -> u64 {
        // Relaxed: a statistic, of threads that have been joined.
        self.awaited_ns.load(Ordering::Relaxed)
    }

    /// What was seen of requests over all threads; `None` if there were none.
    pub fn finish(self) -> Option<Latency> {
        let threads = self.threads.into_iter().filter_map(OnceLock::into_inner);
        threads.map(|latency| latency.into_inner().unwrap_or_else(PoisonError::into_inner)).reduce(
            |mut all, one| {
                all.merge(&one);
                all
            },
        )
    }
}

impl Stage for Pacer {
    fn now_ns(&self) -> u64 {
        self.clock.now()
    }

    fn wait_until(&self, due_ns: u64) {
        let mut awaited = 0;
        let mut last = self.clock.now();
        while last < due_ns {
            let left = due_ns - last;
            if left > AWAKE_NS {
                sharpen_timer();
                thread::sleep(Duration::from_nanos(left - AWAKE_NS));
                last = self.clock.now();
                continue;
            }
            hint::spin_loop();
            let now = self.clock.now();
            awaited += Some(now - last).filter(|ns| *ns < OFF_CORE_NS).unwrap_or(0);
            last = now;
        }
        if awaited > 0 {
            // Relaxed: a statistic.
            self.awaited_ns.fetch_add(awaited, Ordering::Relaxed);
        }
    }

    fn completed(&self, thread: usize, intended_ns: u64, began_ns: u64, ended_ns: u64) {
        let latency = self.threads[thread % self.threads.len()].get_or_init(Mutex::default);
        // A panic under this lock has counted a request or not; either way the counts are sound.
        let mut latency = latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.record(intended_ns, began_ns, ended_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::thread_cpu_ns;

    #[test]
    fn waiting_awake_is_counted_and_sleeping_is_not() {
        let pacer = Pacer::new(Clock::start(), 1);
        let cpu = thread_cpu_ns();
        for _ in 0..20 {
            pacer.wait_until(pacer.now_ns() + 2_000_000);
        }
        let (awaited, used) = (pacer.awaited_ns(), thread_cpu_ns() - cpu);
        assert!(awaited <= used, "{awaited} of {used} ns");
        assert!(awaited < 20 * (AWAKE_NS + OFF_CORE_NS), "{awaited} ns");
        pacer.wait_until(pacer.now_ns() + AWAKE_NS / 2);
        assert!(pacer.awaited_ns() > awaited);
    }

    #[test]
    fn a_request_is_not_begun_before_its_time() {
        let pacer = Pacer::new(Clock::start(), 1);
        for far in [20_000, 3_000_000] {
            let due = pacer.now_ns() + far;
            pacer.wait_until(due);
            assert!(pacer.now_ns() >= due);
        }
        let now = pacer.now_ns();
        pacer.wait_until(now / 2);
        assert!(
            pacer.now_ns() - now < 1_000_000_000,
            "a request that is late was expected to begin"
        );
    }

    #[test]
    fn what_a_request_waited_before_it_began_counts() {
        let pacer = Pacer::new(Clock::start(), 2);
        pacer.completed(0, 1_000, 51_000, 61_000);
        pacer.completed(1, 2_000, 2_000, 12_000);
        let latency = pacer.finish().unwrap();
        assert_eq!((latency.intended.count(), latency.simple.count()), (2, 2));
        assert_eq!(latency.max_ns, 60_000);
        assert!(latency.simple.quantile(1.0).unwrap().abs_diff(10_000) < 100);
        assert!(latency.intended.quantile(0.5).unwrap().abs_diff(10_000) < 100);
    }

    #[test]
    fn a_workload_without_requests_has_no_latencies() {
        assert_eq!(Pacer::new(Clock::start(), 4).finish(), None);
    }
}
