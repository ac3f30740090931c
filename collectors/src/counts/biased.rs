//! The biased count: the references to an object, most of them counted by its owner without an atomic operation.
//!
//! After J. Choi, T. Shull, J. Torrellas, *Biased reference counting: minimizing atomic operations in garbage
//! collection*, PACT 2018, with the states of S. Gross, *PEP 703: Making the global interpreter lock optional in
//! CPython*, 2023.
//!
//! The owner, which is the mutator that sits in the seat that made the object, counts in a field of its own with plain
//! loads and stores. All others count in a second field, which may fall below zero: a reference is not tied to whoever
//! copied it. Only the sum says whether the object lives, and only the owner knows the sum. So the count is *merged* at
//! the end, all of it into the second field:
//!
//! * the owner drops the last reference that it has counted: from now on everybody counts in the second field, and whoever
//!   brings that to zero destroys the object;
//! * somebody else drops a reference and cannot tell whether it is the last: the reference is not counted off but left to
//!   the owner in its queue (`merge.rs`), and the owner merges and drops it at its next safepoint.
//!
//! # Invariants
//!
//! 1. The sum of both fields is the number of references, those that lie in queues included.
//! 2. Until the count is merged, the owner's field is at least 1, and only who sits in the owner's seat changes it (or who
//!    has the queue's lock while nobody does, or a stopped world). Afterwards it is 0, and there is no owner.
//! 3. The shared field of a count that is not merged is below zero only if the object is in its owner's queue.
//! 4. An object is in a queue at most once: whoever sets `QUEUED` puts it there.
//! 5. A shared field of exactly 0 is nobody's but the owner's to change if the owner holds all references. Whatever can
//!    make a reference of nothing, as a weak reference does, sets a flag first.
//!
//! # Synchronization
//!
//! | variable | written by                           | read by   | protocol                                                |
//! |----------|--------------------------------------|-----------|---------------------------------------------------------|
//! | `owner`  | the owner                            | all       | Relaxed: it becomes 0 once, before the merge is published |
//! | `local`  | the owner                            | the owner | plain; from one owner to the next by the queue's lock   |
//! | `shared` | whoever holds a reference            | the same  | drops release, whoever finds the last one acquires      |
//! | all      | a collector, world stopped           | the same  | safepoint handshake                                     |
//!
//! # Departures
//!
//! The paper keeps the owner's number and count in one word, next to the shared count in another; here they are three
//! words of 32 bits, and a count that would overflow the owner's field moves half of it to the shared one. CPython merges
//! and drops a queued reference in one step, here they are two, so that whoever merges drops like anybody else.

use std::fmt;

use super::{
    Count, Description, Dropped,
    merge::{Common, Holder, Queued},
};
use crate::{
    biased,
    heap::{Header, Object, Seat},
    threads::sync::{
        Arc, Plain,
        atomic::{
            AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
            fence,
        },
        capacity, mutant, thread,
    },
};

/// Both fields are one: there is no owner any more.
const MERGED: u32 = 1;

/// The object was put into its owner's queue. Of no meaning once the count is merged.
const QUEUED: u32 = 2;

/// The object's finalizer has been called.
const FINALIZED: u32 = 4;

/// A cycle collector has found the object to be garbage, and waits for finalizers before it frees it.
const DOOMED: u32 = 8;

/// Somebody may make a reference of nothing: a weak reference exists.
const WEAKLY_REFERENCED: u32 = 16;

/// No reference to the object has been dropped since a concurrent collector began to suspect it (`biased/suspects.rs`).
const SUSPECT: u32 = 32;

/// The bits of the shared field that are flags; the others are a signed count.
const FLAGS: u32 = 6;

/// One reference in the shared field.
const ONE: u32 = 1 << FLAGS;

/// The most that the owner's field counts; half of it moves to the shared field then.
const LOCAL_LIMIT: u32 = capacity(1 << 20, 3) as u32;

/// Above this, the shared field refuses to grow; the distance to the largest leaves room for every thread that is about to
/// refuse.
const SHARED_LIMIT: i32 = i32::MAX >> (FLAGS + 1);

/// An object's number of references, its owner, and a few flags.
pub struct BiasedCount {
    /// The number of the seat whose mutator counts in `local`, from 1; 0 once the count is merged.
    owner: AtomicU32,
    local: Plain<u32>,
    shared: AtomicU32,
}

/// What a drop has left to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the last reference ends the object, and one that may be the last belongs to the owner's queue"]
pub(super) enum Left {
    /// Nothing: others remain.
    Nothing,
    /// The end: the caller owns what remains of the object.
    TheEnd,
    /// The owner must be asked: the reference is not dropped, but its queue's.
    ToItsOwner,
}

impl fmt::Debug for BiasedCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a statistic.
        write!(formatter, "BiasedCount({}, {:#x})", self.references(), self.shared.load(Relaxed))
    }
}

/// The signed count in a shared field.
#[inline(always)]
fn count_in(shared: u32) -> i32 {
    shared.cast_signed() >> FLAGS
}

impl BiasedCount {
    /// The count of a new object: one reference, of nobody yet.
    pub(super) fn new() -> Self {
        Self { owner: AtomicU32::new(0), local: Plain::new(1), shared: AtomicU32::new(0) }
    }

    /// Makes `me` the owner of a new object.
    #[inline(always)]
    pub(super) fn take(&self, me: u32) {
        // Relaxed: ours alone to write: nobody else knows the object.
        self.owner.store(me, Relaxed);
    }

    #[inline(always)]
    fn is_owned_by(&self, me: u32) -> bool {
        // Relaxed: ours alone to write if it is our number; if it is not, it never becomes that.
        self.owner.load(Relaxed) == me
    }

    /// The owner's number, or 0 if there is none any more.
    pub(crate) fn owner(&self) -> u32 {
        // Relaxed: a hint: the queue's lock orders what is done about it.
        self.owner.load(Relaxed)
    }

    /// `me` copies a reference. The caller holds one, or keeps others from dropping one.
    #[inline(always)]
    pub(super) fn copy(&self, me: u32) {
        if self.is_owned_by(me) {
            let local = self.local.get();
            if local < LOCAL_LIMIT {
                self.local.set(local + 1);
            } else {
                self.copy_beyond_limit();
            }
        } else {
            self.add_shared(1);
        }
    }

    /// The owner's field is full: half of it moves to the shared one.
    #[cold]
    fn copy_beyond_limit(&self) {
        self.add_shared(LOCAL_LIMIT / 2);
        self.local.set(LOCAL_LIMIT - LOCAL_LIMIT / 2 + 1);
    }

    fn add_shared(&self, references: u32) {
        // Relaxed: whoever holds a reference cannot lose it.
        let before = self.shared.fetch_add(references * ONE, Relaxed);
        if count_in(before) > SHARED_LIMIT {
            self.refuse(references);
        }
    }

    #[cold]
    fn refuse(&self, references: u32) -> ! {
        // Relaxed: whoever holds a reference cannot lose it.
        self.shared.fetch_sub(references * ONE, Relaxed);
        panic!("an object has at most {SHARED_LIMIT} references");
    }

    /// Whether `me`, who holds a reference, holds the only one, and nobody else can make another.
    #[inline(always)]
    fn is_sole_of(&self, me: u32) -> bool {
        // Acquire: what the last other holder did comes before all we do. Pairs with `drop_shared`.
        self.is_owned_by(me) && self.local.get() == 1 && self.shared.load(Acquire) == 0
    }

    /// `me` drops a reference that it holds.
    #[inline(always)]
    pub(super) fn drop_one(&self, me: u32) -> Left {
        if self.is_owned_by(me) {
            let local = self.local.get();
            if local > 1 {
                self.local.set(local - 1);
                return Left::Nothing;
            }
            self.drop_last_local()
        } else {
            self.drop_shared()
        }
    }

    /// The owner drops the last reference that it has counted.
    #[inline(always)]
    fn drop_last_local(&self) -> Left {
        // Acquire: if nobody is left, all that others did comes before the end. Pairs with `drop_shared`.
        if self.shared.load(Acquire) == 0 {
            // INVARIANT 5: there is nobody who could change that. The reference dropped is kept by the count for whoever
            // destroys the object, so that a stopped world finds it held.
            return Left::TheEnd;
        }
        self.merge_last_local()
    }

    #[cold]
    #[inline(never)]
    fn merge_last_local(&self) -> Left {
        let is_late = mutant("clear the owner after the merge is published");
        if !is_late {
            self.disown();
        }
        // AcqRel: publishes all that we did; if nobody is left, all that others did comes before the end. Pairs with
        // `drop_shared`.
        let before = self.shared.fetch_or(MERGED, AcqRel);
        if is_late {
            self.disown();
        }
        // What lies in the queue counts, so an object of which nothing is left is in none.
        if count_in(before) == 0 { Left::TheEnd } else { Left::Nothing }
    }

    /// INVARIANT 2: there is no owner from now on.
    fn disown(&self) {
        // Relaxed: a hint to those who look for the owner; who finds none looks at `shared` again.
        self.owner.store(0, Relaxed);
        self.local.set(0);
    }

    /// Whoever is not the owner drops a reference.
    #[inline(always)]
    fn drop_shared(&self) -> Left {
        // Relaxed: only the compare-and-exchange counts.
        let mut word = self.shared.load(Relaxed);
        loop {
            let may_be_last = word & (MERGED | QUEUED) == 0 && count_in(word) == 0;
            let new = match may_be_last {
                true if mutant("drop without queueing") => word.wrapping_sub(ONE),
                true if mutant("subtract also when queued") => word.wrapping_sub(ONE) | QUEUED,
                true => word | QUEUED,
                false if mutant("drop a reference to a suspect without a trace") => {
                    word.wrapping_sub(ONE)
                }
                // Whoever drops one shows that the object was not garbage.
                false => word.wrapping_sub(ONE) & !SUSPECT,
            };
            // Release: all that we did to the object comes before its end. Pairs with the fence below, `drop_last_local`,
            // `merge_last_local`.
            // Relaxed: a failure only tells us what to try next.
            match self.shared.compare_exchange_weak(word, new, Release, Relaxed) {
                Ok(_) if may_be_last && new & QUEUED != 0 => return Left::ToItsOwner,
                Ok(_) if new & MERGED != 0 && count_in(new) == 0 => {
                    // Acquire: all that others did comes before the end. Pairs with their `drop_shared` and with
                    // `merge_last_local`.
                    fence(Acquire);
                    return Left::TheEnd;
                }
                Ok(_) => return Left::Nothing,
                Err(now) => word = now,
            }
        }
    }

    /// Merges the count of an object from a queue, if it is not merged by now. The caller has the queue's reference, and
    /// is who `local` belongs to (invariant 2).
    pub(super) fn merge(&self) {
        // Relaxed: ours alone to write as far as the flag goes.
        if self.shared.load(Relaxed) & MERGED != 0 {
            return;
        }
        let local = self.local.get();
        self.disown();
        // Relaxed: whoever holds a reference cannot lose it: the end comes after the drop of ours, which is ordered.
        self.shared.fetch_add(local * ONE + MERGED, Relaxed);
    }

    /// `me` makes a reference of nothing, unless the object is being destroyed. What calls this holds the memory, not the
    /// object: a flag was set (invariant 5) while there was a reference.
    pub(super) fn copy_unless_zero(&self, me: u32) -> bool {
        if self.is_owned_by(me) {
            // INVARIANT 2: as long as there is an owner, it holds a reference; the flag keeps it from ending otherwise.
            self.copy(me);
            return true;
        }
        // Relaxed: only the compare-and-exchange counts.
        let mut word = self.shared.load(Relaxed);
        loop {
            let is_dead = word & MERGED != 0 && count_in(word) == 0;
            if is_dead && !mutant("increment of a merged zero") {
                return false;
            }
            // Relaxed: whoever holds a reference cannot lose it, and this makes one; it shows us nothing, slots do.
            // Relaxed: a failure only tells us what to try next.
            match self.shared.compare_exchange_weak(word, word + ONE, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Keeps the owner from ending the object without a merge, for good (invariant 5). The caller holds a reference.
    pub fn mark_weakly_referenced(&self) {
        if mutant("weak reference to an owner that is not told") {
            return;
        }
        // Relaxed: whoever holds a reference cannot lose it, and the caller publishes what it made of this.
        self.shared.fetch_or(WEAKLY_REFERENCED, Relaxed);
    }

    fn has(&self, flag: u32) -> bool {
        // Relaxed: set by whoever owned the object alone, or by a stopped world; ordered by the safepoint handshake.
        self.shared.load(Relaxed) & flag != 0
    }
}

impl Header for BiasedCount {
    fn newborn() -> Self {
        Self::new()
    }

    const MAY_BE_GUESSED: bool = true;

    #[inline(always)]
    fn renew(&self) {
        // Relaxed: ours alone to write: nobody else knows the object.
        self.owner.store(0, Relaxed);
        self.local.set(1);
        // Relaxed: as above, ours alone to write.
        self.shared.store(0, Relaxed);
    }

    fn count(&self) -> Option<u64> {
        // While its owner looks at the object, which takes some microseconds and waits for nobody, nobody else can tell.
        let local = loop {
            match self.local.get() {
                local if local & suspects::LOOKED_AT == 0 => break local,
                _ => thread::yield_now(),
            }
        };
        // Relaxed: a statistic.
        Some(local.wrapping_add_signed(count_in(self.shared.load(Relaxed))).into())
    }
}

impl Queued for Object<BiasedCount> {
    fn count(&self) -> &BiasedCount {
        self.header()
    }
}

impl Count for BiasedCount {
    const DESCRIPTION: Option<Description> = Some(biased::DESCRIPTION);

    type Common = Common<Object<Self>>;
    type Holder = Holder<Object<Self>>;

    fn hold(common: &Arc<Self::Common>, seat: &Seat<Self>) -> Self::Holder {
        Holder::new(common, seat.index, seat.share.address())
    }

    #[inline(always)]
    fn bear(&self, holder: &Self::Holder) {
        self.take(holder.number());
    }

    #[inline(always)]
    fn increment(&self, holder: &Self::Holder) {
        self.copy(holder.number());
    }

    const HAS_OWNERS: bool = true;

    /// The owner needs no lock: what the slot holds counts, and cannot be freed but by the owner, who is here; and what
    /// the owner has freed, no slot can be seen to hold any more, since whoever took it out came before that. So it only
    /// has to know that it is the owner, of a cell that may not be an object any more: a cell of its own share can be
    /// looked at, for nobody else makes an object of it; and a header there that names the owner is that of a living
    /// object, for one that others could have freed has been merged.
    #[inline(always)]
    unsafe fn copy_if_owned(cell: Object<Self>, holder: &Self::Holder) -> bool {
        if !cell.is_cell_of(holder.share()) {
            return false;
        }
        // SAFETY: a cell of a block of ours.
        let header = unsafe { cell.header_of_cell() };
        let is_ours = header.is_owned_by(holder.number()) || mutant("copy what is merged");
        if is_ours {
            cell.header().copy(holder.number());
        }
        is_ours
    }

    #[inline(always)]
    fn decrement(object: Object<Self>, holder: &Self::Holder) -> Dropped {
        holder.drop_one(object)
    }

    #[inline(always)]
    fn is_sole(&self, holder: &Self::Holder) -> bool {
        self.is_sole_of(holder.number())
    }

    #[inline(always)]
    fn references(&self) -> u32 {
        // Relaxed: ordered by the safepoint handshake; otherwise a statistic.
        self.local.get().wrapping_add_signed(count_in(self.shared.load(Relaxed)))
    }

    fn increment_unless_zero(&self, holder: &Self::Holder) -> bool {
        self.copy_unless_zero(holder.number())
    }

    #[inline(always)]
    fn is_finalized(&self) -> bool {
        self.has(FINALIZED)
    }

    fn set_finalized(&self) {
        // Relaxed: whoever holds a reference cannot lose it.
        self.shared.fetch_or(FINALIZED, Relaxed);
    }

    fn revive(&self) {
        // A concurrent collector may change flags of its own meanwhile.
        // Relaxed: ours alone to write as far as the reference goes: the object is dead, and ours.
        let word = self.shared.fetch_or(FINALIZED, Relaxed);
        // Otherwise the owner's count of 1 is still there (`drop_last_local`).
        if word & MERGED != 0 {
            // Relaxed: ours alone to write, as above.
            self.shared.fetch_add(ONE, Relaxed);
        }
    }

    #[inline(always)]
    fn is_doomed(&self) -> bool {
        self.has(DOOMED)
    }

    fn set_doomed(&self, doomed: bool) {
        if doomed {
            // Relaxed: ordered by the safepoint handshake.
            self.shared.fetch_or(DOOMED, Relaxed);
        } else {
            // Relaxed: ordered by the safepoint handshake.
            self.shared.fetch_and(!DOOMED, Relaxed);
        }
    }

    #[inline(always)]
    fn is_called(holder: &Self::Holder) -> bool {
        holder.is_called()
    }

    fn settle(holder: &Self::Holder) -> Vec<Object<Self>> {
        holder.settle()
    }

    fn settle_all(common: &Self::Common) -> Vec<Object<Self>> {
        common.settle_all()
    }

    fn leave(holder: &Self::Holder) -> bool {
        holder.leave()
    }

    fn check(&self) {
        // Relaxed: ordered by the safepoint handshake.
        let word = self.shared.load(Relaxed);
        let (owner, local, shared) = (self.owner(), self.local.get(), count_in(word));
        if word & MERGED != 0 {
            assert_eq!((owner, local), (0, 0), "a merged count has no owner");
        } else {
            assert!(owner != 0 && local > 0, "a count of owner {owner} that has counted {local}");
            assert!(shared >= 0 || word & QUEUED != 0, "{shared} without being in a queue");
        }
    }
}

#[cfg(test)]
mod models;
mod suspects;

pub(crate) use suspects::Fate;
