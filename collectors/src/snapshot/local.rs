//! A mutator's side of snapshot: roots, slots with the barrier, and what it allocates.

use std::cell::Cell;

use super::{Barrier, Part, Snapshot, Traced};
use crate::{
    Collected, OutOfMemory,
    collector::Local,
    heap::{Kind, Seat},
    marking::{is_marked, object_at},
    roots::RootEntry,
    threads::sync::{
        Arc,
        atomic::Ordering::{AcqRel, Acquire, Relaxed, Release},
        mutant,
    },
    triggers::growth::Allowance,
};

/// One mutator's side of it.
pub struct SnapshotLocal {
    collector: Arc<Snapshot>,
    pub(super) part: Arc<Part>,
    seat: Seat<()>,
    allowance: Allowance,
    /// Whether a collection that the program asked for has found finalizers, and has to go on when they have run.
    is_unfinished: Cell<bool>,
}

// SAFETY: an object is freed only by a cycle that has not marked it, so (invariant 2) none that a root, a slot of a reachable
// object, a shared handle or a waiting finalizer refers to: a load cannot come too late. Stores release, loads acquire.
unsafe impl Local<()> for SnapshotLocal {
    type Handle = RootEntry;

    fn seat(&self) -> &Seat<()> {
        &self.seat
    }

    #[inline(always)]
    fn poll(&self, kind: &Kind) -> bool {
        !self.allowance.spend(kind.bytes()) || self.seat.attention()
    }

    fn attend(&self) {
        self.seat.answer();
        let has_run_out = self.allowance.is_spent();
        let is_due = has_run_out && self.allowance.tell(&self.collector.growth);
        let thread = &self.collector.thread;
        if self.seat.is_stressed() {
            thread.request();
        } else if is_due && let Some(round) = thread.prompt() {
            // The program is a whole cycle ahead.
            self.seat.stall(|| thread.wait(round));
        }
        if has_run_out {
            self.allowance.ask(&self.collector.growth);
        }
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<RootEntry, OutOfMemory> {
        let object = self.seat.allocate(kind)?;
        // Relaxed: ordered by the handshake that changes the colour: the sweep touches only what was made before it.
        object.scratch().store(self.part.colour.get(), Relaxed);
        if kind.descriptor().has_finalizer() {
            self.part.finalizable.push(object);
        }
        Ok(self.part.roots.enter(object))
    }

    #[inline(always)]
    unsafe fn object(&self, root: RootEntry) -> Traced {
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
    unsafe fn load(&self, owner: Traced, slot: usize) -> Option<RootEntry> {
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Acquire: what was written to the object before it was stored. Pairs with `store`, `exchange`.
        let object = object_at(slot.load(Acquire))?;
        Some(self.part.roots.enter(object))
    }

    #[inline(always)]
    unsafe fn store(&self, owner: Traced, slot: usize, value: Option<RootEntry>) {
        if self.shades() {
            // SAFETY: by our caller.
            unsafe { self.exchange(owner, slot, value) };
            return;
        }
        let address = self.address_of(value);
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Release: publishes what was written to the object. Pairs with `load`, `exchange`.
        slot.store(address, Release);
    }

    #[inline(always)]
    unsafe fn swap(
        &self,
        owner: Traced,
        slot: usize,
        value: Option<RootEntry>,
    ) -> Option<RootEntry> {
        // SAFETY: by our caller.
        let before = unsafe { self.exchange(owner, slot, value) }?;
        Some(self.part.roots.enter(before))
    }

    unsafe fn compare_exchange(
        &self,
        owner: Traced,
        slot: usize,
        current: Option<RootEntry>,
        new: Option<RootEntry>,
    ) -> bool {
        let (before, after) = (self.address_of(current), self.address_of(new));
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // AcqRel: publishes the new object, and shows us what was done before `current` was stored. Pairs with `store`.
        // Relaxed: the answer no gives nothing that could be read through: a statistic.
        let is_done = slot.compare_exchange(before, after, AcqRel, Relaxed).is_ok();
        if is_done && self.shades() {
            self.shade(object_at(before), object_at(after));
        }
        is_done
    }

    unsafe fn surrender(&self, root: RootEntry) -> Traced {
        // SAFETY: by our caller.
        let object = unsafe { self.part.roots.object(root) };
        // The shared table may have been taken already, and this root not yet.
        if self.shades() {
            self.shade(None, Some(object));
        }
        // SAFETY: by our caller. There is no safepoint before the shared table has the object.
        unsafe { self.part.roots.remove(root) };
        object
    }

    unsafe fn reclaim(&self, object: Traced) -> RootEntry {
        self.part.roots.enter(object)
    }

    fn collect(&self, _: usize) -> Collected {
        let found = self.cycle();
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
            self.seat.finish(self.cycle().collected);
            object = self.collector.waiting.take(&self.seat.core);
        }
        Some(self.part.roots.enter(object?))
    }

    fn leave(&self) -> bool {
        self.allowance.tell(&self.collector.growth);
        let is_needed = !self.part.finalizable.is_empty() || !self.part.shaded().is_empty();
        let mut state = self.collector.state();
        state.parts.retain(|(_, part)| is_needed || !Arc::ptr_eq(part, &self.part));
        true
    }
}

impl SnapshotLocal {
    pub(super) fn new(collector: Arc<Snapshot>, seat: Seat<()>) -> Self {
        let mut state = collector.state();
        let part = Arc::new(Part::new(state.phase));
        state.parts.push((seat.index, Arc::clone(&part)));
        drop(state);
        Self { collector, part, seat, allowance: Allowance::new(), is_unfinished: Cell::new(false) }
    }

    /// A cycle from its beginning to its end.
    fn cycle(&self) -> super::Found {
        let thread = &self.collector.thread;
        let round = thread.request();
        self.seat.stall(|| thread.wait(round));
        self.collector.state().last
    }

    /// Whether a cycle is marking.
    #[inline(always)]
    fn shades(&self) -> bool {
        self.part.barrier.get() != Barrier::Off as u32 && !mutant("store without the barrier")
    }

    /// Writes a slot, gives what it held, and shades that if a cycle is marking: an exchange, so that of two mutators that
    /// write at once each shades what it has overwritten.
    ///
    /// # Safety
    ///
    /// As `store`.
    unsafe fn exchange(
        &self,
        owner: Traced,
        slot: usize,
        value: Option<RootEntry>,
    ) -> Option<Traced> {
        let address = self.address_of(value);
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // AcqRel: publishes the new object, and shows us what was written to the old one. Pairs with `load`, `store`.
        let before = object_at(slot.swap(address, AcqRel));
        if self.shades() {
            self.shade(before, object_at(address));
        }
        before
    }

    /// Puts what is to be scanned before marking ends on the list of it: what has been overwritten, and, if our roots have
    /// not been taken, what has been stored.
    #[cold]
    fn shade(&self, before: Option<Traced>, after: Option<Traced>) {
        let mut shaded = self.part.shaded();
        if self.part.barrier.get() == Barrier::Both as u32 {
            // Nothing has been marked yet.
            let after = if mutant("do not shade what is stored") { None } else { after };
            shaded.extend(before.into_iter().chain(after));
        } else {
            let colour = self.part.colour.get();
            shaded.extend(before.filter(|&object| !is_marked(object, colour)));
        }
    }

    #[inline(always)]
    fn address_of(&self, value: Option<RootEntry>) -> usize {
        // SAFETY: handles are this mutator's and not released, by every caller's caller.
        value.map_or(0, |root| unsafe { self.part.roots.object(root) }.address())
    }
}
