//! Quarantine: cells of freed objects, kept from use until an audit has looked at them.
//!
//! Only an audited heap has one. There every free takes the slow path (the owner of a block is marked, so the comparison
//! that chooses the fast one fails), so a heap without an audit pays nothing.
//!
//! # Synchronization
//!
//! | variable             | written by                      | read by    | protocol                        |
//! |----------------------|---------------------------------|------------|---------------------------------|
//! | `cells`              | whoever frees                   | the audit  | the lock                        |
//! | `operation`, `bytes` | the audit, under its own lock   | whoever frees | Relaxed: a time stamp        |

use crate::threads::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// A moment of a program: how many operations it had begun, and how many bytes it had allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) operation: u64,
    pub(crate) bytes: u64,
}

/// A freed object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quarantined {
    pub(crate) address: usize,
    pub(crate) freed: Moment,
}

/// The cells that wait, and the clock by which they were freed.
#[derive(Debug)]
pub(crate) struct Quarantine {
    cells: Mutex<Vec<Quarantined>>,
    operation: AtomicU64,
    bytes: AtomicU64,
}

impl Quarantine {
    pub(crate) fn new() -> Self {
        Self {
            cells: Mutex::new(Vec::new()),
            operation: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Keeps the cell of an object that has been freed.
    pub(crate) fn keep(&self, address: usize) {
        // Relaxed: a statistic: whoever frees within an operation wrote it, or comes after whoever did.
        let operation = self.operation.load(Relaxed);
        // Relaxed: a statistic, as above.
        let bytes = self.bytes.load(Relaxed);
        let freed = Moment { operation, bytes };
        let mut cells = self.cells.lock().expect("nothing panics while it holds this lock");
        cells.push(Quarantined { address, freed });
    }

    /// Hands over what has been kept since the last call.
    pub(crate) fn take(&self) -> Vec<Quarantined> {
        std::mem::take(&mut *self.cells.lock().expect("nothing panics while it holds this lock"))
    }

    /// Sets the clock.
    pub(crate) fn set_now(&self, now: Moment) {
        // Relaxed: a statistic. Pairs with `keep`.
        self.operation.store(now.operation, Relaxed);
        // Relaxed: a statistic. Pairs with `keep`.
        self.bytes.store(now.bytes, Relaxed);
    }
}
