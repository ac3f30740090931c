//! The atomic count: how many references an object has, shared by all threads.
//!
//! Every thread that holds a reference may copy it (plus one) or drop it (minus one); whoever drops the last one
//! destroys the object. After D. Chase and others' folklore, as in `std::sync::Arc`, with one shortcut: a count of
//! exactly one belongs to its only holder, who may change it with plain loads and stores. On the machine this was made
//! on an atomic read-modify-write costs 20 times a plain one.
//!
//! # Invariants
//!
//! 1. The count is at least the number of references; it is 0 only when the object is being destroyed.
//! 2. A word of exactly `ONE` (no flag set) is read and changed by the holder of that one reference alone. Whatever can
//!    make a reference of nothing, as a weak reference does, sets a flag first.
//!
//! # Synchronization
//!
//! | variable | written by                   | read by        | protocol                                            |
//! |----------|------------------------------|----------------|-----------------------------------------------------|
//! | `word`   | whoever holds a reference    | the same       | drops release, whoever finds itself alone acquires  |
//! | `word`   | a collector, world stopped   | the same       | safepoint handshake                                 |

use super::{Count, Dropped};
use crate::{
    heap::{Header, Object, Seat},
    threads::sync::{
        Arc,
        atomic::{
            AtomicU32,
            Ordering::{Acquire, Relaxed, Release},
            fence,
        },
        mutant,
    },
};

/// One reference. The bits below it are flags.
const ONE: u32 = 8;

/// The object's finalizer has been called.
const FINALIZED: u32 = 1;

/// Somebody may make a reference of nothing: a weak reference exists.
const WEAKLY_REFERENCED: u32 = 2;

/// A cycle collector has found the object to be garbage, and waits for finalizers before it frees it.
const DOOMED: u32 = 4;

/// Above this, the count refuses to grow; the distance to the largest word leaves room for every thread that is about
/// to refuse.
const LIMIT: u32 = u32::MAX / 2;

/// An object's number of references, and three flags.
#[derive(Debug)]
pub struct AtomicCount {
    word: AtomicU32,
}

impl Header for AtomicCount {
    fn newborn() -> Self {
        Self::new()
    }

    fn count(&self) -> Option<u64> {
        Some(u64::from(self.references()))
    }
}

impl AtomicCount {
    /// The count of a new object: one reference, its maker's.
    pub fn new() -> Self {
        Self { word: AtomicU32::new(ONE) }
    }

    /// A reference is copied. The caller holds one.
    ///
    /// # Panics
    ///
    /// At 268 million references, far before the count could wrap.
    #[inline(always)]
    pub fn increment(&self) {
        // Acquire: if we are alone, what the last other holder did comes before all we do. Pairs with `decrement`.
        if self.word.load(Acquire) == ONE {
            // Relaxed: ours alone to write (invariant 2).
            self.word.store(2 * ONE, Relaxed);
        } else {
            // Relaxed: whoever holds a reference cannot lose it.
            let before = self.word.fetch_add(ONE, Relaxed);
            if before > LIMIT {
                self.refuse();
            }
        }
    }

    #[cold]
    fn refuse(&self) -> ! {
        // Relaxed: whoever holds a reference cannot lose it.
        self.word.fetch_sub(ONE, Relaxed);
        panic!("an object has at most {} references", LIMIT / ONE);
    }

    /// A reference is dropped. The caller held one.
    #[inline(always)]
    pub fn decrement(&self) -> Dropped {
        // Acquire: if we are alone, what the last other holder did comes before the end. Pairs with `decrement`.
        if self.word.load(Acquire) == ONE {
            return Dropped::Dead;
        }
        // Release: all that we did to the object comes before its end. Pairs with the fence below and the loads above.
        let before = self.word.fetch_sub(ONE, Release);
        if before / ONE > 1 {
            return Dropped::Alive;
        }
        // Acquire: all that others did to the object comes before its end. Pairs with their `decrement`.
        fence(Acquire);
        Dropped::Dead
    }

    /// Makes a reference of nothing, unless the object is being destroyed. What calls this holds the memory, not the
    /// object: it has set the flag with `mark_weakly_referenced` while there was a reference.
    pub fn increment_unless_zero(&self) -> bool {
        // Relaxed: only the compare-and-exchange counts.
        let mut word = self.word.load(Relaxed);
        loop {
            if word < ONE {
                return false;
            }
            // Relaxed: whoever holds a reference cannot lose it, and this makes one; it shows us nothing, slots do.
            // Relaxed: a failure only tells us what to try next.
            match self.word.compare_exchange_weak(word, word + ONE, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Turns the holder's shortcut off, for good (invariant 2). The caller holds a reference.
    pub fn mark_weakly_referenced(&self) {
        if mutant("weak reference without its flag") {
            return;
        }
        // Relaxed: whoever holds a reference cannot lose it, and the caller publishes what it made of this.
        self.word.fetch_or(WEAKLY_REFERENCED, Relaxed);
    }

    fn has(&self, flag: u32) -> bool {
        // Relaxed: set by whoever owned the object alone, or by a stopped world; ordered by the safepoint handshake.
        self.word.load(Relaxed) & flag != 0
    }
}

/// Any mutator: to an atomic count they are all alike.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

impl Count for AtomicCount {
    type Common = ();
    type Holder = Anyone;

    fn hold(_: &Arc<()>, _: &Seat<Self>) -> Anyone {
        Anyone
    }

    #[inline(always)]
    fn bear(&self, _: &Anyone) {}

    #[inline(always)]
    fn increment(&self, _: &Anyone) {
        self.increment();
    }

    #[inline(always)]
    fn decrement(object: Object<Self>, _: &Anyone) -> Dropped {
        object.header().decrement()
    }

    #[inline(always)]
    fn is_sole(&self, _: &Anyone) -> bool {
        // Acquire: what the last other holder did comes before all we do. Pairs with `decrement`.
        self.word.load(Acquire) == ONE
    }

    #[inline(always)]
    fn references(&self) -> u32 {
        // Relaxed: ordered by the safepoint handshake; otherwise a statistic.
        self.word.load(Relaxed) / ONE
    }

    fn increment_unless_zero(&self, _: &Anyone) -> bool {
        self.increment_unless_zero()
    }

    #[inline(always)]
    fn is_finalized(&self) -> bool {
        self.has(FINALIZED)
    }

    fn set_finalized(&self) {
        // Relaxed: whoever holds a reference cannot lose it.
        self.word.fetch_or(FINALIZED, Relaxed);
    }

    fn revive(&self) {
        // Relaxed: ours alone to write: the object is dead, and ours.
        let flags = self.word.load(Relaxed) % ONE;
        // Relaxed: ours alone to write.
        self.word.store(ONE | flags | FINALIZED, Relaxed);
    }

    #[inline(always)]
    fn is_doomed(&self) -> bool {
        self.has(DOOMED)
    }

    fn set_doomed(&self, doomed: bool) {
        if doomed {
            // Relaxed: ordered by the safepoint handshake.
            self.word.fetch_or(DOOMED, Relaxed);
        } else {
            // Relaxed: ordered by the safepoint handshake.
            self.word.fetch_and(!DOOMED, Relaxed);
        }
    }
}

impl Default for AtomicCount {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod models {
    use super::*;
    use crate::threads::sync::{Lifetime, Plain, explore, scope};

    const PROTOCOL: &str = "atomic count";

    /// An object as far as its count is concerned: whether it still is, and what its holders did to it.
    struct Counted {
        count: AtomicCount,
        lifetime: Lifetime,
        marks: [Plain<u32>; 2],
    }

    impl Counted {
        fn new(references: u32) -> Self {
            let count = AtomicCount::new();
            (1..references).for_each(|_| count.increment());
            Self { count, lifetime: Lifetime::new(), marks: [Plain::new(0), Plain::new(0)] }
        }

        fn mark(&self, holder: usize) {
            self.lifetime.access();
            self.marks[holder].set(1);
        }

        fn copy(&self) {
            self.lifetime.access();
            self.count.increment();
        }

        /// Drops a reference; whoever drops the last one looks at every mark and ends the object.
        fn drop(&self) -> Option<u32> {
            self.lifetime.access();
            (self.count.decrement() == Dropped::Dead).then(|| self.end())
        }

        fn end(&self) -> u32 {
            let marks = self.marks.iter().map(Plain::get).sum();
            self.lifetime.end();
            marks
        }
    }

    #[test]
    fn whoever_drops_the_last_reference_sees_what_all_holders_did() {
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
    fn of_three_holders_exactly_one_drops_last() {
        explore(PROTOCOL, || {
            let object = Counted::new(3);
            let ends = scope(|scope| {
                let others = [0, 1].map(|holder| {
                    let object = &object;
                    scope.spawn(move || {
                        object.mark(holder);
                        object.drop()
                    })
                });
                let mine = object.drop();
                others
                    .map(|other| other.join().unwrap())
                    .into_iter()
                    .chain([mine])
                    .flatten()
                    .sum::<u32>()
            });
            assert_eq!(ends, 2);
        });
    }

    #[test]
    fn a_copy_keeps_the_object() {
        explore(PROTOCOL, || {
            let object = Counted::new(2);
            let ends = scope(|scope| {
                let other = scope.spawn(|| {
                    object.copy();
                    let first = object.drop();
                    assert_eq!(first, None, "the copied reference was still held");
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
    fn a_copy_made_alone_hands_on_what_was_done_before() {
        explore(PROTOCOL, || {
            let object = Counted::new(2);
            let ends = scope(|scope| {
                let other = scope.spawn(|| {
                    object.mark(0);
                    object.drop()
                });
                // If the other one has gone, the copy is made without an atomic read-modify-write.
                object.copy();
                assert_eq!(object.drop(), None, "the copied reference was still held");
                [object.drop(), other.join().unwrap()]
            });
            assert!(ends == [Some(1), None] || ends == [None, Some(1)], "{ends:?}");
        });
    }

    #[test]
    fn a_sole_holder_sees_what_the_others_did() {
        explore(PROTOCOL, || {
            let object = Counted::new(2);
            scope(|scope| {
                scope.spawn(|| {
                    object.mark(0);
                    assert_eq!(object.drop(), None, "the other reference is held to the end");
                });
                if object.count.is_sole(&Anyone) {
                    assert_eq!(object.end(), 1);
                }
            });
        });
    }

    #[test]
    fn a_reference_is_made_of_nothing_only_while_there_is_one() {
        explore(PROTOCOL, || {
            let object = Counted::new(1);
            object.count.mark_weakly_referenced();
            let ends = scope(|scope| {
                let weak = scope.spawn(|| {
                    if object.count.increment_unless_zero() {
                        object.mark(0);
                        object.drop()
                    } else {
                        None
                    }
                });
                object.mark(1);
                [object.drop(), weak.join().unwrap()]
            });
            assert_eq!(ends.into_iter().flatten().count(), 1, "the object ends once: {ends:?}");
        });
    }
}
