//! The counts of objects: how many slots and roots referred to one when the last epoch ended.
//!
//! Nobody counts but whoever holds the collector's lock, so no count is atomic.
//!
//! # Synchronization
//!
//! | variable | written by                           | read by  | protocol             |
//! |----------|--------------------------------------|----------|----------------------|
//! | the word | its mutator, when the object is made | epochs   | safepoint handshake  |
//! | the word | epochs, and whoever does decrements  | the same | the collector's lock |

use crate::{heap::Header, threads::sync::Plain};

/// How many references an object had when the last epoch ended, and whether its finalizer has been queued.
///
/// The word of a *young* object, which has been made since then, is 0; that of any other one more than its references.
#[derive(Debug)]
pub struct EpochCount(Plain<u32>);

/// The word of an object without references that is not young.
const DEAD: u32 = 1;

/// Set in the word of an object whose finalizer has been queued.
const FINALIZED: u32 = 1 << 31;

impl Header for EpochCount {
    #[inline(always)]
    fn newborn() -> Self {
        Self(Plain::new(0))
    }
}

impl EpochCount {
    /// Whether no epoch has found a reference to the object yet.
    #[inline(always)]
    pub(super) fn is_young(&self) -> bool {
        self.0.get() == 0
    }

    /// Counts one more reference; says whether the object was young, and is not any more.
    #[inline(always)]
    pub(super) fn increment(&self) -> bool {
        let before = self.0.get();
        self.0.set(before.max(DEAD) + 1);
        before == 0
    }

    /// Counts one reference less; says whether it was the last.
    #[inline(always)]
    pub(super) fn decrement(&self) -> bool {
        debug_assert_ne!(self.references(), 0, "a reference was dropped that was not counted");
        let after = self.0.get() - 1;
        self.0.set(after);
        after & !FINALIZED == DEAD
    }

    /// How many references are counted.
    pub(super) fn references(&self) -> u32 {
        (self.0.get() & !FINALIZED).saturating_sub(DEAD)
    }

    /// Whether the finalizer has been queued.
    pub(super) fn is_finalized(&self) -> bool {
        self.0.get() & FINALIZED != 0
    }

    /// Remembers that the finalizer has been queued. The object is not young.
    pub(super) fn set_finalized(&self) {
        self.0.set(self.0.get() | FINALIZED);
    }
}
