//! Progress: where each thread of a storm is, for whoever watches from outside.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The most threads of a storm.
pub(crate) const MOST_THREADS: usize = 256;

/// Where the threads of a storm are: the round's seed, and the number of operations that each thread has begun.
#[derive(Debug)]
pub struct Progress {
    seed: AtomicU64,
    begun: [AtomicU64; MOST_THREADS],
}

/// An operation of a storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The round's seed.
    pub seed: u64,
    /// The thread's number.
    pub thread: usize,
    /// The number of the operation that it had begun, from 1; 0 if none.
    pub operation: u64,
}

impl Progress {
    /// That of a storm that has not begun.
    pub fn new() -> Self {
        Self { seed: AtomicU64::new(0), begun: array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// A round begins.
    pub(crate) fn begin(&self, seed: u64) {
        // Relaxed: a statistic.
        self.seed.store(seed, Relaxed);
        // Relaxed: a statistic.
        self.begun.iter().for_each(|begun| begun.store(0, Relaxed));
    }

    pub(crate) fn set(&self, thread: usize, operation: u64) {
        // Relaxed: ours alone to write, and a statistic for others.
        self.begun[thread].store(operation, Relaxed);
    }

    /// Where thread `thread` is.
    pub fn place(&self, thread: usize) -> Place {
        // Relaxed: a statistic.
        let operation = self.begun[thread].load(Relaxed);
        // Relaxed: a statistic.
        let seed = self.seed.load(Relaxed);
        Place { seed, thread, operation }
    }

    /// A number that changes as long as anything goes on.
    pub fn sum(&self) -> u64 {
        // Relaxed: a statistic.
        let begun = self.begun.iter().map(|begun| begun.load(Relaxed));
        // Relaxed: a statistic.
        let seed = self.seed.load(Relaxed);
        begun.fold(seed, |sum, begun| sum.wrapping_mul(31).wrapping_add(begun))
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
