//! A mutator's side of coalescing: roots, slots with the barrier, and when it ends an epoch or does what one has left.

use std::cell::Cell;

use super::{Coalescing, Counted, EpochCount, Goal, Part, UNLOGGED};
use crate::{
    Cause, Collected, OutOfMemory,
    collector::Local,
    heap::{Kind, Seat, object::Slot},
    marking::object_at,
    roots::RootEntry,
    threads::sync::{
        Arc,
        atomic::Ordering::{AcqRel, Acquire, Relaxed, Release},
        mutant,
    },
    triggers::growth::Allowance,
};

/// One mutator's side of it.
pub struct CoalescingLocal {
    collector: Arc<Coalescing>,
    pub(super) part: Arc<Part>,
    seat: Seat<EpochCount>,
    allowance: Allowance,
    /// Whether a collection that the program asked for has found finalizers, and has to go on when they have run.
    is_unfinished: Cell<bool>,
}

// SAFETY: an object is freed only if the last epoch found no root, slot or shared handle that refers to it (invariant 1), and
// what was unreachable then stays so: a load cannot come too late. Stores release, loads acquire.
unsafe impl Local<EpochCount> for CoalescingLocal {
    type Handle = RootEntry;

    fn seat(&self) -> &Seat<EpochCount> {
        &self.seat
    }

    #[inline(always)]
    fn attention(&self) -> bool {
        self.allowance.is_spent() || self.seat.attention()
    }

    #[inline(always)]
    fn poll(&self, kind: &Kind) -> bool {
        !self.allowance.spend(kind.bytes()) || self.seat.attention()
    }

    fn attend(&self) {
        self.seat.answer();
        let has_run_out = self.allowance.is_spent();
        let is_due = has_run_out && self.allowance.tell(&self.collector.epochs);
        if self.seat.is_stressed() {
            self.end_epoch([Goal::Epoch, Goal::Decrements, Goal::Trace][self.seat.random_below(3)]);
        } else if is_due {
            self.end_epoch(Goal::Epoch);
        } else if has_run_out {
            self.go_on();
        }
        if has_run_out {
            self.allowance.ask_at_most(&self.collector.epochs, self.collector.portion());
        }
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<RootEntry, OutOfMemory> {
        let object = self.seat.allocate(kind)?;
        if kind.size_class().is_none() {
            self.part.large().push(object);
        }
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
        // Acquire: what was written to the object before it was stored. Pairs with `store`, `swap`, `compare_exchange`.
        let object = object_at(slot.load(Acquire) & !UNLOGGED)?;
        Some(self.part.roots.enter(object))
    }

    /// The barrier, as in the paper, but that a slot says itself whether it has been logged:
    ///
    /// ```text
    /// before = *slot
    /// if before is unlogged: log (slot, before)
    /// *slot = value, logged
    /// ```
    #[inline(always)]
    unsafe fn store(&self, owner: Counted, slot: usize, value: Option<RootEntry>) {
        let address = self.address_of(value);
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Relaxed: ordered by the slot's own order: bit and address are one word, and once anybody has overwritten it, it
        // stays logged until the epoch ends. So of two that both see the bit, both see the same address.
        let mut before = slot.load(Relaxed);
        if before & UNLOGGED != 0 {
            if mutant("check the log bit before reading the slot") {
                // Relaxed: this is the mistake, ordered by nothing.
                before = slot.load(Relaxed);
            }
            self.log(slot, before);
        }
        // Release: publishes what was written to the object. Pairs with `load`, `swap`.
        slot.store(address, Release);
        self.count_store();
    }

    #[inline(always)]
    unsafe fn swap(
        &self,
        owner: Counted,
        slot: usize,
        value: Option<RootEntry>,
    ) -> Option<RootEntry> {
        let address = self.address_of(value);
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // AcqRel: publishes the new object, and shows us what was written to the old one. Pairs with `load`, `store`.
        let before = slot.swap(address, AcqRel);
        self.overwrote(slot, before);
        Some(self.part.roots.enter(object_at(before & !UNLOGGED)?))
    }

    #[inline(always)]
    unsafe fn compare_exchange(
        &self,
        owner: Counted,
        slot: usize,
        current: Option<RootEntry>,
        new: Option<RootEntry>,
    ) -> bool {
        let (current, new) = (self.address_of(current), self.address_of(new));
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Relaxed: only the compare-and-exchange counts.
        let mut before = slot.load(Relaxed);
        while before & !UNLOGGED == current {
            // AcqRel: publishes the new object, and shows us what was done before `current` was stored. Pairs with `store`.
            // Relaxed: a failure only tells us what to try next.
            match slot.compare_exchange(before, new, AcqRel, Relaxed) {
                Ok(_) => {
                    self.overwrote(slot, before);
                    return true;
                }
                // Somebody may have logged the slot, and stored what was there.
                Err(now) => before = now,
            }
        }
        false
    }

    unsafe fn surrender(&self, root: RootEntry) -> Counted {
        // SAFETY: by our caller.
        let object = unsafe { self.part.roots.object(root) };
        // SAFETY: by our caller. There is no safepoint before the shared table has the object.
        unsafe { self.part.roots.remove(root) };
        object
    }

    unsafe fn reclaim(&self, object: Counted) -> RootEntry {
        self.part.roots.enter(object)
    }

    fn collect(&self, generation: usize) -> Collected {
        let goal = if generation == 0 { Goal::Decrements } else { Goal::Trace };
        // Somebody else's epoch may have ended for less, or have begun too early.
        let collected = loop {
            if let Some(collected) = self.end_epoch(goal) {
                break collected;
            }
        };
        self.is_unfinished.set(generation > 0 && !self.collector.waiting.objects().is_empty());
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
            if let Some(collected) = self.end_epoch(Goal::Trace) {
                self.seat.finish(collected);
            }
            object = self.collector.waiting.take(&self.seat.core);
        }
        Some(self.part.roots.enter(object?))
    }

    fn leave(&self) -> bool {
        self.allowance.tell(&self.collector.epochs);
        let barrier = self.collector.take_part(&self.part);
        self.seat.emit(barrier);
        true
    }
}

impl CoalescingLocal {
    pub(super) fn new(collector: Arc<Coalescing>, seat: Seat<EpochCount>) -> Self {
        let part = Arc::new(Part::new());
        collector.state().parts.push(Arc::clone(&part));
        Self { collector, part, seat, allowance: Allowance::new(), is_unfinished: Cell::new(false) }
    }

    /// Ends the epoch; `None` if somebody else has stopped the world meanwhile.
    pub(super) fn end_epoch(&self, goal: Goal) -> Option<Collected> {
        self.seat.answer();
        let pause = self.seat.pause(Cause::Collection);
        let Some(stopped) = self.seat.stop() else {
            pause.end(0);
            return None;
        };
        self.seat.core.sample(self.seat.index);
        let ended = self.collector.end_epoch(&self.seat, goal, &stopped);
        drop(stopped);
        ended.events.into_iter().for_each(|event| self.seat.emit(event));
        pause.end(ended.collected.examined);
        Some(ended.collected)
    }

    /// Does a slice of the decrements that the last epoch has left, if there are any.
    pub(super) fn go_on(&self) {
        if self.collector.is_behind() {
            let pause = self.seat.pause(Cause::Collection);
            let done = self.collector.go_on(&self.seat);
            pause.end(done);
        }
    }

    /// A slot that held `before` has been overwritten.
    #[inline(always)]
    fn overwrote(&self, slot: &Slot, before: usize) {
        if before & UNLOGGED != 0 {
            self.log(slot, before);
        }
        self.count_store();
    }

    /// The barrier's slow path, once for each slot and epoch.
    #[inline(never)]
    fn log(&self, slot: &Slot, before: usize) {
        if mutant("overwrite without logging") {
            return;
        }
        self.part.log.push(slot, before & !UNLOGGED);
        self.part.logged.set(self.part.logged.get() + 1);
        self.allowance.spend(self.collector.entry_bytes);
    }

    #[inline(always)]
    fn count_store(&self) {
        self.part.stores.set(self.part.stores.get() + 1);
    }

    #[inline(always)]
    fn address_of(&self, value: Option<RootEntry>) -> usize {
        // SAFETY: handles are this mutator's and not released, by every caller's caller.
        value.map_or(0, |root| unsafe { self.part.roots.object(root) }.address())
    }
}
