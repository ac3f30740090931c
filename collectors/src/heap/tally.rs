//! Tallies: what one mutator allocated and freed, added up without locks.

use crate::threads::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number of objects, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Amount {
    /// How many objects.
    pub objects: u64,
    /// Their bytes: header, slots and data, as if cells had no rounding.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

/// What one mutator allocated and freed. The mutator alone writes it; anyone may read.
#[derive(Debug)]
pub(crate) struct Tally {
    allocated_objects: AtomicU64,
    allocated_bytes: AtomicU64,
    freed_objects: AtomicU64,
    freed_bytes: AtomicU64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            allocated_objects: AtomicU64::new(0),
            allocated_bytes: AtomicU64::new(0),
            freed_objects: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
        }
    }

    #[inline(always)]
    pub(crate) fn allocated(&self, bytes: usize) {
        add(&self.allocated_objects, 1);
        add(&self.allocated_bytes, bytes as u64);
    }

    #[inline(always)]
    pub(crate) fn freed(&self, bytes: usize) {
        add(&self.freed_objects, 1);
        add(&self.freed_bytes, bytes as u64);
    }

    /// Adds what a collection freed on this mutator's behalf.
    pub(crate) fn freed_many(&self, amount: Amount) {
        add(&self.freed_objects, amount.objects);
        add(&self.freed_bytes, amount.bytes);
    }

    pub(crate) fn sum_allocated(&self) -> Amount {
        sum(&self.allocated_objects, &self.allocated_bytes)
    }

    pub(crate) fn sum_freed(&self) -> Amount {
        sum(&self.freed_objects, &self.freed_bytes)
    }
}

#[inline(always)]
fn add(counter: &AtomicU64, amount: u64) {
    // Relaxed: ours alone to write.
    let before = counter.load(Relaxed);
    // Relaxed: ours alone to write; others read it as a statistic.
    counter.store(before + amount, Relaxed);
}

fn sum(objects: &AtomicU64, bytes: &AtomicU64) -> Amount {
    // Relaxed: a statistic.
    let objects = objects.load(Relaxed);
    // Relaxed: a statistic.
    Amount { objects, bytes: bytes.load(Relaxed) }
}
