//! The growth trigger: a collection is due when so many bytes have been allocated, in proportion to what the last one left.
//!
//! As in most tracing collectors; its settings are theirs. Mutators take *portions* to allocate from and tell each other
//! when those are used up, so that the count costs an allocation one subtraction.
//!
//! # Synchronization
//!
//! | variable             | written by                  | read by  | protocol                                     |
//! |----------------------|-----------------------------|----------|----------------------------------------------|
//! | `allocated`, `limit` | mutators, and the collector | the same | Relaxed: a late look costs a late collection |

use std::cell::Cell;

use crate::{
    Setting, SettingsError,
    threads::sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Bytes that a mutator allocates before it tells the others: few enough that even eight mutators miss the default
/// trigger by less than half of it, many enough that telling costs nothing.
const PORTION: u64 = 256 << 10;

/// When a collection is due.
#[derive(Debug)]
pub(crate) struct Growth {
    /// Bytes allocated that make a collection due, as a multiple of the bytes that the last one left.
    ratio: f64,
    /// Bytes allocated that make a collection due at least.
    minimum: u64,
    /// Bytes allocated since the last collection began, as far as mutators have told.
    allocated: AtomicU64,
    /// How many of them make a collection due.
    limit: AtomicU64,
}

/// What one mutator may allocate before it tells the others.
#[derive(Debug)]
pub(crate) struct Allowance {
    portion: Cell<u64>,
    left: Cell<i64>,
}

impl Growth {
    /// The settings by which users know it.
    pub(crate) const SETTINGS: [Setting; 2] = [
        Setting {
            name: "growth",
            default: "1.0",
            unit: "ratio",
            range: "0.1..=16",
            meaning: "bytes allocated that make a collection due, as a multiple of the bytes that the last one left",
        },
        Setting {
            name: "minimum-bytes",
            default: "4194304",
            unit: "bytes",
            range: "1..",
            meaning: "bytes allocated that make a collection due at least",
        },
    ];

    /// The trigger of a new heap managed by `collector`.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range.
    pub(crate) fn new(
        collector: &'static str,
        ratio: f64,
        minimum: u64,
    ) -> Result<Self, SettingsError> {
        let refuse =
            |setting, value, expected| SettingsError { collector, setting, value, expected };
        if !(0.1..=16.0).contains(&ratio) {
            return Err(refuse("growth", ratio.to_string(), "a number from 0.1 to 16"));
        }
        if minimum == 0 {
            return Err(refuse("minimum-bytes", "0".to_owned(), "at least 1"));
        }
        let limit = AtomicU64::new(minimum);
        Ok(Self { ratio, minimum, allocated: AtomicU64::new(0), limit })
    }

    /// A trigger that does not grow: a collection is due when `bytes` have been allocated.
    pub(crate) fn constant(bytes: u64) -> Self {
        let limit = AtomicU64::new(bytes);
        Self { ratio: 0.0, minimum: bytes, allocated: AtomicU64::new(0), limit }
    }

    /// Begins to count anew: a collection begins.
    pub(crate) fn begin(&self) {
        // Relaxed: a statistic.
        self.allocated.store(0, Relaxed);
    }

    /// A collection has ended, and left `held` bytes.
    pub(crate) fn end(&self, held: u64) {
        let grown = (held as f64 * self.ratio) as u64;
        // Relaxed: a statistic.
        self.limit.store(grown.max(self.minimum), Relaxed);
    }
}

impl Allowance {
    /// Nothing: the first allocation tells the others of itself.
    pub(crate) fn new() -> Self {
        Self { portion: Cell::new(0), left: Cell::new(0) }
    }

    /// Uses `bytes`; says whether there is anything left.
    #[inline(always)]
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let left = self.left.get() - bytes as i64;
        self.left.set(left);
        left >= 0
    }

    /// Whether it is used up.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.get() < 0
    }

    /// Tells the others what has been allocated. Says whether a collection is due.
    pub(crate) fn tell(&self, growth: &Growth) -> bool {
        let used = (self.portion.take() as i64 - self.left.take()) as u64;
        // Relaxed: a statistic.
        let before = growth.allocated.fetch_add(used, Relaxed);
        // Relaxed: a statistic.
        before + used > growth.limit.load(Relaxed)
    }

    /// Takes another portion.
    pub(crate) fn ask(&self, growth: &Growth) {
        self.ask_at_most(growth, PORTION);
    }

    /// Takes another portion, of `most` bytes at most.
    pub(crate) fn ask_at_most(&self, growth: &Growth, most: u64) {
        // Relaxed: a statistic.
        let allocated = growth.allocated.load(Relaxed);
        // Relaxed: a statistic.
        let portion = growth.limit.load(Relaxed).saturating_sub(allocated).min(most.min(PORTION));
        self.portion.set(self.portion.get() + portion);
        self.left.set(self.left.get() + portion as i64);
    }
}
