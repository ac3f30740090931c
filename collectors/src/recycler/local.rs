//! A mutator's side of the recycler: roots, slots with the barrier, and what it writes down for the collector.

use std::cell::Cell;

use super::{
    Counted, Found, Part, Recycler, Wish,
    buffer::{Appended, SEGMENT_BYTES},
    header::RecyclerHeader,
};
use crate::{
    Collected, OutOfMemory,
    collector::Local,
    heap::{Kind, Seat},
    marking::object_at,
    roots::RootEntry,
    threads::sync::{
        Arc,
        atomic::Ordering::{AcqRel, Acquire, Relaxed},
        mutant,
    },
    triggers::growth::Allowance,
};

/// One mutator's side of it.
pub struct RecyclerLocal {
    collector: Arc<Recycler>,
    pub(super) part: Arc<Part>,
    seat: Seat<RecyclerHeader>,
    allowance: Allowance,
    /// Whether a collection that the program asked for has found finalizers, and has to go on when they have run.
    is_unfinished: Cell<bool>,
}

// SAFETY: an object is freed when its count is 0, or as part of a garbage cycle. A reference of a slot, of the shared table or
// of the queue of finalizers is counted before what may drop it is; a root keeps what it was loaded from a slot for (invariant
// 3), so a load cannot come too late. Stores release, loads acquire.
unsafe impl Local<RecyclerHeader> for RecyclerLocal {
    type Handle = RootEntry;

    fn seat(&self) -> &Seat<RecyclerHeader> {
        &self.seat
    }

    #[inline(always)]
    fn attention(&self) -> bool {
        self.seat.attention() || self.allowance.is_spent()
    }

    #[inline(always)]
    fn poll(&self, kind: &Kind) -> bool {
        !self.allowance.spend(kind.bytes()) || self.seat.attention()
    }

    fn attend(&self) {
        self.seat.answer();
        let has_run_out = self.allowance.is_spent();
        let is_due = has_run_out && self.allowance.tell(&self.collector.growth);
        if self.seat.is_stressed() {
            self.collector.request(Wish::Search);
        } else if is_due {
            self.collector.wish(Wish::Search);
            let thread = &self.collector.thread;
            if let Some(round) = thread.prompt() {
                // The program is ahead of the collector by all that it may be.
                self.seat.stall(|| thread.wait(round));
            }
        } else if has_run_out {
            self.collector.request(Wish::Epoch);
        }
        if has_run_out {
            self.allowance.ask(&self.collector.growth);
        }
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<RootEntry, OutOfMemory> {
        let object = self.seat.allocate(kind)?;
        // It is born with a count of 1, which this takes away.
        self.drops(object);
        Ok(self.part.roots.enter(object))
    }

    #[inline(always)]
    unsafe fn object(&self, root: RootEntry) -> Counted {
        // SAFETY: by our caller.
        unsafe { self.part.roots.object(root) }
    }

    #[inline(always)]
    unsafe fn retain(&self, root: RootEntry) -> RootEntry {
        // SAFETY: by our caller.
        let object = unsafe { self.part.roots.object(root) };
        self.part.roots.enter(object)
    }

    #[inline(always)]
    unsafe fn release(&self, root: RootEntry) {
        // SAFETY: by our caller.
        unsafe { self.part.roots.remove(root) };
    }

    #[inline(always)]
    unsafe fn load(&self, owner: Counted, slot: usize) -> Option<RootEntry> {
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Acquire: what was written to the object before it was stored. Pairs with `exchange`, `compare_exchange`.
        let object = object_at(slot.load(Acquire))?;
        Some(self.part.roots.enter(object))
    }

    #[inline(always)]
    unsafe fn store(&self, owner: Counted, slot: usize, value: Option<RootEntry>) {
        // SAFETY: by our caller.
        unsafe { self.exchange(owner, slot, value) };
    }

    #[inline(always)]
    unsafe fn swap(
        &self,
        owner: Counted,
        slot: usize,
        value: Option<RootEntry>,
    ) -> Option<RootEntry> {
        // SAFETY: by our caller.
        let before = unsafe { self.exchange(owner, slot, value) }?;
        Some(self.part.roots.enter(before))
    }

    unsafe fn compare_exchange(
        &self,
        owner: Counted,
        slot: usize,
        current: Option<RootEntry>,
        new: Option<RootEntry>,
    ) -> bool {
        let (before, after) = (self.address_of(current), self.address_of(new));
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // AcqRel: publishes the new object, and shows us what was done before `current` was stored. Pairs with `exchange`.
        // Relaxed: the answer no gives nothing that could be read through: a statistic.
        let is_done = slot.compare_exchange(before, after, AcqRel, Relaxed).is_ok();
        if is_done {
            object_at(after).into_iter().for_each(|object| self.makes(object));
            object_at(before).into_iter().for_each(|object| self.drops(object));
        }
        is_done
    }

    unsafe fn surrender(&self, root: RootEntry) -> Counted {
        // SAFETY: by our caller.
        let object = unsafe { self.part.roots.object(root) };
        // The shared table counts like a slot: whoever adopts the object may have been asked for its roots already.
        if !mutant("do not count what is shared") {
            self.makes(object);
        }
        // SAFETY: by our caller.
        unsafe { self.part.roots.remove(root) };
        object
    }

    unsafe fn reclaim(&self, object: Counted) -> RootEntry {
        self.drops(object);
        self.part.roots.enter(object)
    }

    fn collect(&self, _: usize) -> Collected {
        let found = self.collection();
        self.is_unfinished.set(found.finalizers);
        found.collected
    }

    fn next_finalizer(&self) -> Option<RootEntry> {
        // One finalizer does not interrupt another: the outer one's mutator goes on with the next when it has ended.
        if self.seat.depth() > 0 {
            return None;
        }
        let mut object = self.collector.waiting.take(&self.seat.core);
        if object.is_none() && self.is_unfinished.take() {
            // What the finalizers did not keep is freed by the collection that found it, as far as the program sees.
            self.seat.finish(self.collection().collected);
            object = self.collector.waiting.take(&self.seat.core);
        }
        let object = object?;
        // The queue's reference.
        self.drops(object);
        Some(self.part.roots.enter(object))
    }

    fn leave(&self) -> bool {
        self.allowance.tell(&self.collector.growth);
        self.collector.dismiss(&self.part);
        true
    }
}

impl RecyclerLocal {
    pub(super) fn new(collector: Arc<Recycler>, seat: Seat<RecyclerHeader>) -> Self {
        let part = collector.admit(seat.index);
        let allowance = Allowance::new();
        // The first portion, so that none is used up before anything is allocated.
        allowance.ask(&collector.growth);
        Self { collector, part, seat, allowance, is_unfinished: Cell::new(false) }
    }

    /// A collection from its beginning to its end.
    fn collection(&self) -> Found {
        let thread = &self.collector.thread;
        let round = self.collector.request(Wish::Collection);
        self.seat.stall(|| thread.wait(round));
        self.collector.last()
    }

    /// The barrier: writes a slot, gives what it held, and writes both down.
    ///
    /// ```text
    /// old = exchange(slot, new)      one atomic operation: of two that write at once each drops what it has overwritten
    /// buffer += increment(new)
    /// buffer += decrement(old)
    /// ```
    ///
    /// # Safety
    ///
    /// As `store`.
    #[inline(always)]
    unsafe fn exchange(
        &self,
        owner: Counted,
        slot: usize,
        value: Option<RootEntry>,
    ) -> Option<Counted> {
        let address = self.address_of(value);
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        let before = if mutant("load then store instead of exchange") {
            // Relaxed: this is the mistake, ordered by nothing.
            let before = slot.load(Relaxed);
            // Relaxed: this is the mistake, ordered by nothing.
            slot.store(address, Relaxed);
            before
        } else {
            // AcqRel: publishes the new object, and shows us what was written to the old one. Pairs with `load`, `children`.
            slot.swap(address, AcqRel)
        };
        if let Some(object) = object_at(address) {
            self.makes(object);
        }
        let before = object_at(before)?;
        self.drops(before);
        Some(before)
    }

    /// Writes down that a reference has been made.
    #[inline(always)]
    fn makes(&self, object: Counted) {
        let appended = self.part.buffer.increment(object, &self.collector.pool);
        self.pay(appended);
    }

    /// Writes down that a reference has been dropped.
    #[inline(always)]
    fn drops(&self, object: Counted) {
        let appended = self.part.buffer.decrement(object, &self.collector.pool);
        self.pay(appended);
    }

    /// Buffers count as if they were allocated: who fills them brings the next epoch nearer.
    #[inline(always)]
    fn pay(&self, appended: Appended) {
        if appended == Appended::InNewSegment {
            self.allowance.spend(SEGMENT_BYTES);
        }
    }

    #[inline(always)]
    fn address_of(&self, value: Option<RootEntry>) -> usize {
        // SAFETY: handles are this mutator's and not released, by every caller's caller.
        value.map_or(0, |root| unsafe { self.part.roots.object(root) }.address())
    }
}
