//! Measuring: thread CPU time, medians, and subjects that take turns.
//!
//! No framework of the shelf does this: what is compared here must run in turn, so that a busy moment of the machine
//! falls on both sides of a ratio, and by the CPU time of one thread, so that other processes do not count.

use std::time::Instant;

/// Nanoseconds of CPU that this thread has used.
#[cfg(unix)]
pub(crate) fn thread_cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and `time` is ours to write.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the system has no clock of a thread's CPU time");
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds since the first call: this system has no clock of a thread's CPU time.
#[cfg(not(unix))]
pub(crate) fn thread_cpu() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as f64
}

/// The CPU nanoseconds that `work` takes.
pub(crate) fn cpu<R>(work: impl FnOnce() -> R) -> f64 {
    let start = thread_cpu();
    std::hint::black_box(work());
    thread_cpu() - start
}

/// The nanoseconds that `work` takes by the clock on the wall.
pub(crate) fn wall<R>(work: impl FnOnce() -> R) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed().as_nanos() as f64
}

/// The middle one of `values`.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One side of a comparison: does its work once and says what it took.
pub(crate) type Subject<'s> = Box<dyn FnMut() -> f64 + 's>;

/// Lets the subjects take turns, once to touch their memory and `repetitions` times to be measured; gives their medians.
pub(crate) fn take_turns<const N: usize>(
    repetitions: usize,
    mut subjects: [Subject<'_>; N],
) -> [f64; N] {
    let mut taken = [const { Vec::new() }; N];
    for round in 0..=repetitions {
        for (subject, taken) in subjects.iter_mut().zip(&mut taken) {
            let nanoseconds = subject();
            if round > 0 {
                taken.push(nanoseconds);
            }
        }
    }
    taken.map(median)
}

/// Asks the C library's allocator to keep what it has, as the heaps do with a large reserve: else the peers would pay
/// for fresh pages in every round.
pub(crate) fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: sets a number of the allocator; nobody else has a thread yet.
        unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX) };
        // SAFETY: as above.
        unsafe { libc::mallopt(libc::M_MMAP_MAX, 0) };
    }
}

/// Bytes of memory that the process has touched, if the system says.
pub(crate) fn resident_bytes() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096.0)
}

/// How many threads of other processes want to run, on average of the last minute, if the system says.
pub(crate) fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}
