//! A mutator's side of mark-sweep: roots, slots, the count of bytes allocated, and a collection from end to end.

use std::cell::Cell;

use super::{Found, MarkSweep, Part, Traced, sweep::sweep};
use crate::{
    Cause, Collected, Event, OutOfMemory,
    collector::Local,
    finalization::Finalizable,
    heap::{Kind, Seat},
    marking::object_at,
    roots::{RootEntry, RootTable},
    threads::sync::{
        Arc,
        atomic::Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
    triggers::growth::Allowance,
};

/// One mutator's side of it.
pub struct MarkSweepLocal {
    collector: Arc<MarkSweep>,
    part: Arc<Part>,
    seat: Seat<()>,
    allowance: Allowance,
    /// Whether a collection that the program asked for has found finalizers, and has to go on when they have run.
    is_unfinished: Cell<bool>,
}

// SAFETY: objects are freed only while the world is stopped, and only if no root, slot of a reachable object, shared
// handle or waiting finalizer refers to them (invariant 2); between two safepoints of a mutator nothing is freed, so a
// load cannot come too late. Stores release, loads acquire.
unsafe impl Local<()> for MarkSweepLocal {
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
        if self.seat.is_stressed() || is_due {
            self.collect_once();
        }
        if has_run_out {
            self.allowance.ask(&self.collector.growth);
        }
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<RootEntry, OutOfMemory> {
        let object = self.seat.allocate(kind)?;
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
        // Acquire: what was written to the object before it was stored. Pairs with `store`, `swap`, `compare_exchange`.
        let object = object_at(slot.load(Acquire))?;
        Some(self.part.roots.enter(object))
    }

    #[inline(always)]
    unsafe fn store(&self, owner: Traced, slot: usize, value: Option<RootEntry>) {
        let address = self.address_of(value);
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Release: publishes what was written to the object. Pairs with `load`, `swap`.
        slot.store(address, Release);
    }

    #[inline(always)]
    unsafe fn swap(
        &self,
        owner: Traced,
        slot: usize,
        value: Option<RootEntry>,
    ) -> Option<RootEntry> {
        let address = self.address_of(value);
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // AcqRel: publishes the new object, and shows us what was written to the old one. Pairs with `load`, `store`.
        let object = object_at(slot.swap(address, AcqRel))?;
        Some(self.part.roots.enter(object))
    }

    #[inline(always)]
    unsafe fn compare_exchange(
        &self,
        owner: Traced,
        slot: usize,
        current: Option<RootEntry>,
        new: Option<RootEntry>,
    ) -> bool {
        let (current, new) = (self.address_of(current), self.address_of(new));
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // AcqRel: publishes the new object, and shows us what was done before `current` was stored. Pairs with `store`.
        // Relaxed: the answer no gives nothing that could be read through: a statistic.
        slot.compare_exchange(current, new, AcqRel, Relaxed).is_ok()
    }

    unsafe fn surrender(&self, root: RootEntry) -> Traced {
        // SAFETY: by our caller.
        let object = unsafe { self.part.roots.object(root) };
        // SAFETY: by our caller. There is no safepoint before the shared table has the object.
        unsafe { self.part.roots.remove(root) };
        object
    }

    unsafe fn reclaim(&self, object: Traced) -> RootEntry {
        self.part.roots.enter(object)
    }

    fn collect(&self, _: usize) -> Collected {
        // Somebody else's stop may be for something else, or have begun too early.
        let (collected, found) = loop {
            if let Some(result) = self.collect_once() {
                break result;
            }
        };
        self.is_unfinished.set(found == Found::Finalizers);
        collected
    }

    fn next_finalizer(&self) -> Option<RootEntry> {
        // One finalizer does not interrupt another: the outer one's mutator goes on with the next when it has ended.
        if self.seat.depth() > 0 {
            return None;
        }
        let mut object = self.collector.waiting.take(&self.seat.core);
        if object.is_none() && self.is_unfinished.take() {
            // What the finalizers did not keep is freed by the collection that found it, as far as the program sees.
            if let Some((collected, _)) = self.collect_once() {
                self.seat.finish(collected);
            }
            object = self.collector.waiting.take(&self.seat.core);
        }
        Some(self.part.roots.enter(object?))
    }

    fn leave(&self) -> bool {
        let mut mutators = self.collector.mutators();
        let is_needed = !self.part.finalizable.is_empty();
        mutators.retain(|part| is_needed || !Arc::ptr_eq(part, &self.part));
        self.allowance.tell(&self.collector.growth);
        true
    }
}

impl MarkSweepLocal {
    pub(super) fn new(collector: Arc<MarkSweep>, seat: Seat<()>) -> Self {
        let part = Part { roots: RootTable::new(), finalizable: Finalizable::new() };
        let part = Arc::new(part);
        collector.mutators().push(Arc::clone(&part));
        Self { collector, part, seat, allowance: Allowance::new(), is_unfinished: Cell::new(false) }
    }

    /// A collection; `None` if somebody else has stopped the world meanwhile.
    fn collect_once(&self) -> Option<(Collected, Found)> {
        self.seat.answer();
        let pause = self.seat.pause(Cause::Collection);
        let Some(stopped) = self.seat.stop() else {
            pause.end(0);
            return None;
        };
        let core = &self.seat.core;
        core.sample(self.seat.index);
        let found = self.collector.mark(core, &stopped);
        let freed = sweep(core, &stopped);
        self.seat.share.tally.freed_many(freed);
        let held = core.statistics().held();
        self.collector.growth.begin();
        self.collector.growth.end(held.bytes);
        drop(stopped);
        let examined = held.objects + freed.objects;
        self.seat.emit(Event::Collection {
            generation: 0,
            examined,
            freed: freed.objects,
            survived: held.objects,
            freed_bytes: freed.bytes,
        });
        pause.end(examined);
        Some((Collected { examined, freed: freed.objects }, found))
    }

    #[inline(always)]
    fn address_of(&self, value: Option<RootEntry>) -> usize {
        // SAFETY: handles are this mutator's and not released, by every caller's caller.
        value.map_or(0, |root| unsafe { self.part.roots.object(root) }.address())
    }
}
