//! Tallies: what one mutator allocated and freed, added up without locks.
//!
//! Cells are counted by their size class, one addition each, since a cell's class says its bytes but for the rounding;
//! everything else is counted beside that: the rounding, large objects, what a collection freed.

use super::size::{SIZE_CLASSES, cell_bytes};
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
    allocated: Column,
    freed: Column,
}

/// One direction of it.
#[derive(Debug)]
struct Column {
    /// Cells of each size class; the entry behind them, which stands for large objects elsewhere, is not used.
    cells: [AtomicU64; SIZE_CLASSES + 1],
    /// Objects that are not in `cells`.
    objects: AtomicU64,
    /// Their bytes, less the rounding of those that are. Wraps below zero.
    bytes: AtomicU64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { allocated: Column::new(), freed: Column::new() }
    }

    /// A cell of `class` has become an object that is `rounding` bytes smaller.
    #[inline(always)]
    pub(crate) fn allocated(&self, class: usize, rounding: u32) {
        self.allocated.add_cell(class);
        self.allocated.add_rounding(rounding);
    }

    /// An object in a cell of `class` that is `rounding` bytes larger has been freed.
    #[inline(always)]
    pub(crate) fn freed(&self, class: usize, rounding: u32) {
        self.freed.add_rounding(rounding);
        self.freed.add_cell(class);
    }

    /// Adds a large object.
    pub(crate) fn allocated_large(&self, bytes: usize) {
        self.allocated.add(Amount { objects: 1, bytes: bytes as u64 });
    }

    /// Adds large objects, or what a collection freed on this mutator's behalf.
    pub(crate) fn freed_many(&self, amount: Amount) {
        self.freed.add(amount);
    }

    /// What has been allocated. If its mutator allocates meanwhile, a cell may be counted without its rounding: rather too
    /// much than too little.
    pub(crate) fn sum_allocated(&self) -> Amount {
        let mut sum = self.allocated.sum_rest();
        self.allocated.add_cells_to(&mut sum);
        sum
    }

    /// What has been freed. If a collector frees meanwhile, a rounding may be counted without its cell: rather too little
    /// than too much.
    pub(crate) fn sum_freed(&self) -> Amount {
        let mut sum = Amount::default();
        self.freed.add_cells_to(&mut sum);
        let rest = self.freed.sum_rest();
        let bytes = sum.bytes.wrapping_add(rest.bytes);
        Amount { objects: sum.objects + rest.objects, bytes }
    }
}

impl Column {
    fn new() -> Self {
        Self {
            cells: std::array::from_fn(|_| AtomicU64::new(0)),
            objects: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    #[inline(always)]
    fn add_cell(&self, class: usize) {
        add(&self.cells[class], 1);
    }

    #[inline(always)]
    fn add_rounding(&self, rounding: u32) {
        if rounding != 0 {
            add(&self.bytes, u64::from(rounding).wrapping_neg());
        }
    }

    fn add(&self, amount: Amount) {
        add(&self.objects, amount.objects);
        add(&self.bytes, amount.bytes);
    }

    /// Objects that are not in cells, and bytes less rounding. Wraps below zero.
    fn sum_rest(&self) -> Amount {
        // Relaxed: a statistic.
        let objects = self.objects.load(Relaxed);
        // Relaxed: a statistic.
        let bytes = self.bytes.load(Relaxed);
        Amount { objects, bytes }
    }

    fn add_cells_to(&self, sum: &mut Amount) {
        for (class, cells) in self.cells[..SIZE_CLASSES].iter().enumerate() {
            // Relaxed: a statistic.
            let cells = cells.load(Relaxed);
            sum.objects += cells;
            sum.bytes = sum.bytes.wrapping_add(cells * cell_bytes(class) as u64);
        }
    }
}

#[inline(always)]
fn add(counter: &AtomicU64, amount: u64) {
    // Relaxed: ours alone to write.
    let before = counter.load(Relaxed);
    // Relaxed: ours alone to write; others read it as a statistic.
    counter.store(before.wrapping_add(amount), Relaxed);
}
