//! The sticky count: once it has been zero it stays so, and whoever makes it zero knows.
//!
//! After D. Anderson, G. E. Blelloch, Y. Wei, *Turning manual concurrent memory reclamation into automatic reference
//! counting*, PLDI 2022, section 4.3. Every operation is wait-free: a fixed number of instructions, whatever others do. A
//! count of zero is not yet the end: whoever has made it zero sets `ZERO`, unless somebody has counted in between. Whoever
//! looks at the count in that moment sets `ZERO` itself, so that its answer stays true, and leaves `PENDING`: of those
//! who find that, one is the one that made the count zero.
//!
//! # Invariants
//!
//! 1. `ZERO` is never cleared, but by whoever has been told that the object is dead (`revive`).
//! 2. Of all who decrement, one is told so for each time that `ZERO` is set.
//! 3. A word of exactly `NEWBORN` is read and changed by the object's maker alone, who has the only reference.
//!
//! # Synchronization
//!
//! | variable | written by                | read by  | protocol                                                  |
//! |----------|---------------------------|----------|-----------------------------------------------------------|
//! | `word`   | whoever has a reference   | anybody  | drops release, whoever is told of the end acquires        |
//!
//! # Departures
//!
//! Two more flags: that of an object which nobody but its maker knows, and that of a finalizer which has been called.

use super::Dropped;
use crate::{
    heap::Header,
    threads::sync::{
        atomic::{
            AtomicU32,
            Ordering::{Acquire, Relaxed, Release},
        },
        mutant,
    },
};

/// The count has been zero.
const ZERO: u32 = 1 << 31;

/// Somebody who only looked has set `ZERO`: whoever made the count zero is still to be told.
const PENDING: u32 = 1 << 30;

/// Nobody but the object's maker has, or ever had, a reference.
const UNSHARED: u32 = 1 << 29;

/// The object's finalizer has been called.
const FINALIZED: u32 = 1 << 28;

/// The references.
const COUNT: u32 = FINALIZED - 1;

/// Above this, the count refuses to grow; the distance to the largest leaves room for every thread that is about to refuse.
const LIMIT: u32 = COUNT / 2;

const NEWBORN: u32 = UNSHARED | 1;

/// An object's number of references, and four flags.
#[derive(Debug)]
pub struct StickyCount {
    word: AtomicU32,
}

impl Header for StickyCount {
    fn newborn() -> Self {
        Self { word: AtomicU32::new(NEWBORN) }
    }
}

impl StickyCount {
    /// Makes a reference, if the count has never been zero; says whether it did. Whoever has a reference, or keeps others
    /// from giving up theirs, is always told that it did.
    ///
    /// # Panics
    ///
    /// At 134 million references, far before the count could wrap.
    #[inline(always)]
    #[must_use = "if the count has been zero, there is no reference"]
    pub fn increment(&self) -> bool {
        if self.is_newborn() {
            // Relaxed: ours alone to write (invariant 3).
            self.word.store(2, Relaxed);
            return true;
        }
        if mutant("look at a count before it is incremented") && self.references() == 0 {
            return false;
        }
        // Relaxed: whoever holds a reference cannot lose it, and this makes one; it shows us nothing, slots do.
        let before = self.word.fetch_add(1, Relaxed);
        if before & COUNT > LIMIT {
            self.refuse();
        }
        before & ZERO == 0 || mutant("look at a count before it is incremented")
    }

    #[cold]
    fn refuse(&self) -> ! {
        // Relaxed: whoever holds a reference cannot lose it.
        self.word.fetch_sub(1, Relaxed);
        panic!("an object has at most {LIMIT} references");
    }

    /// Drops a reference. The caller had one.
    #[inline(always)]
    pub fn decrement(&self) -> Dropped {
        // Release: all that we did to the object comes before its end. Pairs with `stick`.
        let before = self.word.fetch_sub(1, Release);
        if before & COUNT > 1 { Dropped::Alive } else { self.stick(before & !COUNT) }
    }

    /// The count was zero when there were these `flags`: sets `ZERO`.
    #[inline(always)]
    fn stick(&self, flags: u32) -> Dropped {
        // Acquire: all that others did to the object comes before its end. Pairs with `decrement`.
        // Relaxed: a failure only tells us what to try next.
        match self.word.compare_exchange(flags, flags | ZERO, Acquire, Relaxed) {
            Ok(_) => Dropped::Dead,
            Err(now) if now & PENDING != 0 => self.claim(),
            // It has been counted again, and whoever drops that comes here after us.
            Err(_) => Dropped::Alive,
        }
    }

    /// Somebody who looked has set `ZERO` in our place: of all that made the count zero before, one is told.
    #[cold]
    fn claim(&self) -> Dropped {
        // Acquire: all that others did to the object comes before its end. Pairs with `decrement`.
        let before = self.word.fetch_and(!PENDING, Acquire);
        if before & PENDING != 0 { Dropped::Dead } else { Dropped::Alive }
    }

    /// The number of references; if it says that there are none, there never will be.
    pub fn references(&self) -> u32 {
        // Relaxed: a statistic, or ordered by whatever stops others from counting.
        let mut word = self.word.load(Relaxed);
        if word & (COUNT | ZERO) == 0 {
            let pending =
                if mutant("look at a count of zero and leave no mark") { 0 } else { PENDING };
            // Relaxed: as above; whoever made it zero acquires. A statistic.
            // Relaxed: a failure only tells us what to try next.
            match self.word.compare_exchange(word, word | ZERO | pending, Relaxed, Relaxed) {
                Ok(_) => return 0,
                Err(now) => word = now,
            }
        }
        if word & ZERO == 0 { word & COUNT } else { 0 }
    }

    /// Whether the caller is the object's maker, and nobody else has or ever had a reference. For whoever has one.
    #[inline(always)]
    pub fn is_newborn(&self) -> bool {
        // Relaxed: ours alone to write, if this is the word (invariant 3); any other answers no.
        self.word.load(Relaxed) == NEWBORN
    }

    /// From now on others may have references that are not counted. By whoever has a reference.
    #[inline(always)]
    pub fn share(&self) {
        if self.is_newborn() {
            // Relaxed: ours alone to write (invariant 3).
            self.word.store(1, Relaxed);
        }
    }

    /// Whether the finalizer has been called. For whoever has been told that the object is dead.
    pub fn is_finalized(&self) -> bool {
        // Relaxed: ours alone to write: the object is dead, and ours.
        self.word.load(Relaxed) & FINALIZED != 0
    }

    /// Gives a dead object one reference again, for its finalizer, and remembers that it is being called. By whoever has
    /// been told that it is dead.
    pub fn revive(&self) {
        // Relaxed: ours alone to write: the object is dead, and ours.
        self.word.store(1 | FINALIZED, Relaxed);
    }
}

#[cfg(test)]
mod models {
    use super::*;
    use crate::threads::sync::{Lifetime, Plain, explore, scope};

    const PROTOCOL: &str = "sticky count";

    /// An object as far as its count is concerned: whether it still is, and what its holders did to it.
    struct Counted {
        count: StickyCount,
        lifetime: Lifetime,
        marks: [Plain<u32>; 2],
    }

    impl Counted {
        fn new(references: u32) -> Self {
            let count = StickyCount { word: AtomicU32::new(references) };
            Self { count, lifetime: Lifetime::new(), marks: [Plain::new(0), Plain::new(0)] }
        }

        fn mark(&self, holder: usize) {
            self.lifetime.access();
            self.marks[holder].set(1);
        }

        /// Drops a reference; whoever is told of the end looks at every mark and ends the object.
        fn drop(&self) -> Option<u32> {
            (self.count.decrement() == Dropped::Dead).then(|| {
                let marks = self.marks.iter().map(Plain::get).sum();
                self.lifetime.end();
                marks
            })
        }

        /// Makes a reference of nothing, if it can, uses it and drops it.
        fn visit(&self, holder: usize) -> Option<u32> {
            if !self.count.increment() {
                return None;
            }
            self.mark(holder);
            self.drop()
        }
    }

    #[test]
    fn whoever_is_told_of_the_end_sees_what_all_holders_did() {
        explore(PROTOCOL, || {
            let object = Counted::new(2);
            let ends = scope(|scope| {
                let other = scope.spawn(|| {
                    object.mark(0);
                    object.drop()
                });
                object.mark(1);
                [object.drop(), other.join().unwrap()]
            });
            assert!(ends == [Some(2), None] || ends == [None, Some(2)], "{ends:?}");
        });
    }

    #[test]
    fn a_reference_is_made_of_nothing_only_while_there_is_one() {
        explore(PROTOCOL, || {
            let object = Counted::new(1);
            let ends = scope(|scope| {
                let other = scope.spawn(|| object.visit(0));
                object.mark(1);
                [object.drop(), other.join().unwrap()]
            });
            assert_eq!(ends.into_iter().flatten().count(), 1, "the object ends once: {ends:?}");
        });
    }

    #[test]
    fn a_look_at_the_count_takes_no_end_from_whoever_drops_last() {
        explore(PROTOCOL, || {
            let object = Counted::new(2);
            let ends = scope(|scope| {
                let looking = scope.spawn(|| {
                    let first = object.count.references();
                    let second = object.count.references();
                    assert!(second <= first, "{second} references after {first}");
                });
                let other = scope.spawn(|| {
                    object.mark(0);
                    object.drop()
                });
                object.mark(1);
                let ends = [object.drop(), other.join().unwrap()];
                looking.join().unwrap();
                ends
            });
            assert!(ends == [Some(2), None] || ends == [None, Some(2)], "{ends:?}");
        });
    }

    #[test]
    fn a_count_that_was_seen_to_be_zero_stays_so() {
        explore(PROTOCOL, || {
            let object = Counted::new(1);
            let ends = scope(|scope| {
                let other = scope.spawn(|| object.visit(0));
                let looking = scope.spawn(|| {
                    if object.count.references() == 0 {
                        assert!(!object.count.increment(), "a reference to what was dead");
                    }
                });
                object.mark(1);
                let ends = [object.drop(), other.join().unwrap()];
                looking.join().unwrap();
                ends
            });
            assert_eq!(ends.into_iter().flatten().count(), 1, "the object ends once: {ends:?}");
        });
    }
}
