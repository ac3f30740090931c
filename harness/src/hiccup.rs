//! The machine's hiccup: how late an idle thread wakes while a run is measured.
//!
//! Two shared cores make pauses of their own, so no pause means much without the gap that a thread with nothing to do
//! saw in the same run. The thread sleeps a millisecond at a time and measures by how much it overslept. It does not
//! spin: on two cores that would take one away from the program under test. What it therefore cannot see is time
//! stolen between two of its wake-ups without delaying either; pauses' CPU time, kept beside their wall time, shows that.

use crate::clock::{Clock, thread_cpu_ns};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long the idle thread sleeps at a time: short enough to meet most stalls, long enough to cost well below 1 % of a core.
pub const NAP: Duration = Duration::from_millis(1);

/// An idle thread that watches how late it wakes.
#[derive(Debug)]
pub struct Watcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Hiccup>,
}

/// What the idle thread saw.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hiccup {
    /// The most by which it overslept, in nanoseconds.
    pub max_ns: u64,
    /// CPU time that it used itself, in nanoseconds, so that a run is not charged for being watched.
    pub cpu_ns: u64,
}

impl Watcher {
    /// Starts to watch.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || watch(&stop)
        });
        Self { stop, thread }
    }

    /// Stops watching; returns within a nap.
    pub fn finish(self) -> Hiccup {
        // Relaxed: ordered by the join below. Pairs with `watch`.
        self.stop.store(true, Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn watch(stop: &AtomicBool) -> Hiccup {
    sharpen_timer();
    let clock = Clock::start();
    let nap = u64::try_from(NAP.as_nanos()).unwrap_or(u64::MAX);
    let mut max_ns = 0;
    // Relaxed: a late look costs one more nap. Pairs with `finish`.
    while !stop.load(Relaxed) {
        let due = clock.now() + nap;
        thread::sleep(NAP);
        max_ns = max_ns.max(clock.now().saturating_sub(due));
    }
    Hiccup { max_ns, cpu_ns: thread_cpu_ns() }
}

/// Asks Linux not to add its default 50 us to each sleep of this thread.
pub(crate) fn sharpen_timer() {
    #[cfg(target_os = "linux")]
    {
        let one_nanosecond: libc::c_ulong = 1;
        // SAFETY: PR_SET_TIMERSLACK reads one integer and touches no memory of ours.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, one_nanosecond) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_thread_oversleeps_a_little_and_costs_little() {
        let watcher = Watcher::start();
        thread::sleep(Duration::from_millis(50));
        let hiccup = watcher.finish();
        assert!(hiccup.max_ns > 0);
        assert!(hiccup.cpu_ns < 25_000_000, "watching used {} ns", hiccup.cpu_ns);
    }
}
