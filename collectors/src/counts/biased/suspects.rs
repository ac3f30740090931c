//! Suspects: objects of which a concurrent collector wants to know whether a reference to them has been dropped.
//!
//! An object becomes a suspect when its owner, or who stands for the owner, merges its count and sets `SUSPECT`. From then
//! on every change of the count is an atomic one of the same word, and a drop clears the flag in the step that counts the
//! reference off. A collector that finds the flag set and as many references counted as it has seen in slots since knows
//! that there are no others (`concurrent_counting/suspects.rs` has the proof). A copy need not leave a trace: as long as
//! nothing is dropped, the copy itself is counted.
//!
//! A suspect that dies all the same is left to the collector as a cell, since that may be reading it: `DOOMED` says so
//! until the collector acquits the object. Of both, whoever comes second has the cell.
//!
//! A mutator may also flag what it owns, and while it stands still look at that: nobody else can end it, so it need not be
//! merged, and its cell is left to nobody (`concurrent_counting/young.rs`).
//!
//! # Invariants
//!
//! 1. `SUSPECT` implies that no reference has been dropped since it was set, unless the last one that others can count off
//!    waits in the owner's queue, and, but for what its owner looks at, `MERGED`.
//! 2. The cell of an object that is `DOOMED` is no other object's before the collector has acquitted it.

use super::{
    super::merge::Holder, BiasedCount, DOOMED, FINALIZED, MERGED, ONE, QUEUED, SUSPECT, count_in,
};
use crate::heap::Object;
use crate::threads::sync::{
    atomic::Ordering::{AcqRel, Acquire, Relaxed, Release},
    mutant,
};

/// That the mutator has left a dead suspect's cell. The bit has no other meaning once the count is merged.
const LEFT: u32 = QUEUED;

/// Set in the owner's field of an object that its owner looks at. It never counts so many.
pub(super) const LOOKED_AT: u32 = 1 << 31;

/// What has become of a suspect that is acquitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the cell of one that has died is the collector's to free"]
pub(crate) enum Fate {
    /// It lives, or whoever destroys it will free its cell.
    Released,
    /// It has died, and its cell is left.
    Left,
}

impl BiasedCount {
    /// Merges the count and makes the object a suspect, unless it is dead or waits in its owner's queue, where it is merged
    /// anyway; says whether it has.
    ///
    /// The caller is who `local` belongs to, and keeps the cell from becoming another object's meanwhile.
    pub(crate) fn suspect(&self) -> bool {
        // Relaxed: only the compare-and-exchange counts.
        let mut word = self.shared.load(Relaxed);
        loop {
            let is_merged = word & MERGED != 0;
            // Whoever has queued the object looks for its owner, and counts off by itself if there is none any more. Before
            // the count is merged, nobody would find that it was the last then.
            if !is_merged && word & QUEUED != 0 {
                return false;
            }
            let local = if is_merged { 0 } else { self.local.get() };
            if count_in(word) + local.cast_signed() <= 0 {
                return false;
            }
            if !is_merged && mutant("disown a suspect before it is merged") {
                self.disown();
            }
            let merged = word.wrapping_add(local * ONE) & !LEFT;
            let new = merged | MERGED | SUSPECT | DOOMED;
            // Release: all that the owner did comes before the end. Pairs with `drop_shared`, `undropped`.
            // Relaxed: a failure only tells us what to try next.
            match self.shared.compare_exchange_weak(word, new, Release, Relaxed) {
                Ok(_) if is_merged => return true,
                Ok(_) => {
                    // INVARIANT 2: the object may have died since, but its cell is still its own.
                    self.disown();
                    return true;
                }
                Err(now) => word = now,
            }
        }
    }

    /// As `suspect`, for an object that nobody owns any more; says no if somebody does.
    pub(crate) fn suspect_if_merged(&self) -> bool {
        // Relaxed: a hint: once merged, a count stays so.
        self.shared.load(Relaxed) & MERGED != 0 && self.suspect()
    }

    /// If `holder` owns the object and is not looking at it yet, its owner's field holds `place` from now on; gives what it
    /// held.
    #[inline(always)]
    pub(crate) fn look_at(&self, holder: &Holder<Object<Self>>, place: usize) -> Option<u32> {
        if !self.is_owned_by(holder.number()) {
            return None;
        }
        let local = self.local.get();
        (local & LOOKED_AT == 0).then(|| {
            self.look_on(place);
            local
        })
    }

    /// The owner's field of an object that is looked at holds `place` from now on.
    #[inline(always)]
    pub(crate) fn look_on(&self, place: usize) {
        self.local.set(LOOKED_AT | place as u32);
    }

    /// What the owner's field holds of an object of `holder`'s that is looked at.
    #[inline(always)]
    pub(crate) fn place_in_look(&self, holder: &Holder<Object<Self>>) -> Option<usize> {
        let held = if self.is_owned_by(holder.number()) { self.local.get() } else { 0 };
        (held & LOOKED_AT != 0).then_some((held & !LOOKED_AT) as usize)
    }

    /// Gives the owner's field back what it held.
    pub(crate) fn look_away(&self, local: u32) {
        self.local.set(local);
    }

    /// The owner flags the object.
    #[inline(always)]
    pub(crate) fn flag(&self) {
        // Acquire: all that others did who have dropped a reference before: none is found in a slot that was taken out, and if
        // this is the end, it comes after. Pairs with `drop_shared`.
        self.shared.fetch_or(SUSPECT, Acquire);
    }

    /// The owner takes the flag away.
    pub(crate) fn unflag(&self) {
        // Relaxed: whoever holds a reference cannot lose it; the flag says nothing any more.
        self.shared.fetch_and(!SUSPECT, Relaxed);
    }

    /// How many references to an object are counted of which its owner has counted `local`: if none has been dropped since it
    /// was flagged, or, without flags, if none waits in a queue.
    #[inline(always)]
    pub(crate) fn counted(&self, local: u32, has_flag: bool) -> Option<u32> {
        // Relaxed: a hint if it is late: the reader of a slot has seen what was counted before that was written, and who has
        // dropped a reference since the flag was set cannot have held the last ones.
        let word = self.shared.load(Relaxed);
        let has_lost_flag = has_flag && word & SUSPECT == 0 && !mutant("look past a flag");
        let was_dropped = word & QUEUED != 0 || has_lost_flag;
        (!was_dropped).then(|| local.wrapping_add_signed(count_in(word)))
    }

    /// How many references to the suspect are counted, if none has been dropped.
    #[inline(always)]
    pub(crate) fn undropped(&self) -> Option<u32> {
        // Acquire: all that others did comes before the end, if this is one. Pairs with `suspect`, `drop_shared`.
        let word = self.shared.load(Acquire);
        (word & SUSPECT != 0).then(|| count_in(word).cast_unsigned())
    }

    /// Ends the suspicion.
    pub(crate) fn acquit(&self) -> Fate {
        // AcqRel: we have read the object for the last time; if it is left, so has its last holder. Pairs with
        // `leave_cell`, `is_watched`.
        let before = self.shared.fetch_and(!(SUSPECT | DOOMED), AcqRel);
        let is_dead = before & MERGED != 0 && count_in(before) == 0;
        if is_dead && before & LEFT != 0 { Fate::Left } else { Fate::Released }
    }

    /// Whether a collector may be reading the dead object, so that its cell has to be left to it.
    #[inline(always)]
    pub(crate) fn is_watched(&self) -> bool {
        // Acquire: a collector that has acquitted the object has read it for the last time. Pairs with `acquit`.
        self.shared.load(Acquire) & DOOMED != 0
    }

    /// Leaves the cell of a dead object that has given up its references to the collector; says whether that will free it.
    pub(crate) fn leave_cell(&self) -> bool {
        // AcqRel: we have used the object for the last time; if the collector has acquitted it, so has that. Pairs with
        // `acquit`.
        self.shared.fetch_or(LEFT, AcqRel) & DOOMED != 0
    }

    /// Makes a dead object look dead to others that look at it, since its destruction may take a while.
    pub(crate) fn condemn(&self) {
        if mutant("leave the count of what is being destroyed") {
            return;
        }
        // Relaxed: ours alone to write: the object is dead, and, if it is not merged, known to nobody else.
        let word = self.shared.load(Relaxed);
        if word & MERGED == 0 {
            self.disown();
            // Relaxed: ours alone to write, as above.
            self.shared.store(word | MERGED, Relaxed);
        }
    }

    /// The number of references, as far as somebody can know it who does not own the object.
    #[inline(always)]
    pub(crate) fn estimate(&self) -> u32 {
        // Relaxed: a hint: it is confirmed by `undropped`.
        let shared = count_in(self.shared.load(Relaxed));
        self.local.get().wrapping_add_signed(shared)
    }

    /// Takes a reference to a suspect that is garbage, for its finalizer, and remembers that this is being called.
    pub(crate) fn summon(&self) {
        // Relaxed: nobody else can reach the object: ours alone to write.
        self.shared.fetch_or(FINALIZED, Relaxed);
        // Relaxed: as above, ours alone to write.
        self.shared.fetch_add(ONE, Relaxed);
    }
}
