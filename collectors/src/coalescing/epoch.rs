//! The end of an epoch, and the decrements that it leaves.

use super::{Coalescing, Counted, EpochCount, Goal, Overwritten, Part, UNLOGGED};
use crate::{
    Amount, Collected, Event,
    finalization::Waiting,
    heap::{
        Seat,
        block::{Block, Use},
        core::Core,
    },
    marking::object_at,
    sweeping::sweep_stopped,
    threads::{
        sync::{Arc, atomic::Ordering::Relaxed, mutant},
        world::Stopped,
    },
};

/// What epochs know.
#[derive(Default)]
pub(super) struct State {
    /// The parts of all mutators.
    pub(super) parts: Vec<Arc<Part>>,
    /// The logs of mutators that have left since the last epoch ended.
    pub(super) logs: Vec<Overwritten>,
    /// Large objects of theirs that may be young.
    pub(super) large: Vec<Counted>,
    /// What was a root when the last epoch ended, once for each: a reference that counts until the next one does.
    pub(super) roots: Vec<Counted>,
    /// References to be dropped.
    pub(super) drops: Vec<Counted>,
    /// Objects that have lost their last reference (invariant 3).
    pub(super) dying: Vec<Counted>,
    /// What has been freed and not been told to the observer.
    freed: Amount,
    /// How many traces there have been.
    pub(super) traces: u32,
    /// Bytes that the last trace left, or fewer that an epoch has left since.
    kept_bytes: u64,
}

/// What came of the end of an epoch.
pub(super) struct Ended {
    pub(super) collected: Collected,
    /// What the observer is to be told once the world goes on.
    pub(super) events: [Event; 2],
}

impl Coalescing {
    /// Ends an epoch.
    pub(super) fn end_epoch(
        &self,
        seat: &Seat<EpochCount>,
        goal: Goal,
        stopped: &Stopped<'_>,
    ) -> Ended {
        let mut state = self.state();
        self.epochs.begin();
        let freed_before = state.freed;
        let mut work = Work::new(&mut state, seat);
        let barrier = work.increment(&self.waiting.objects());
        work.sweep(stopped);
        let is_due = |work: &Work<'_>| goal == Goal::Trace || self.is_trace_due(work);
        let mut traced = None;
        if goal != Goal::Epoch || is_due(&work) {
            work.decrement(u64::MAX);
            if is_due(&work) {
                traced = Some(work.trace(stopped));
            }
        }
        let survived = traced.unwrap_or(work.promoted);
        work.end(&self.waiting);
        self.note(&state);
        let held = seat.core.statistics().held().bytes;
        state.kept_bytes = if traced.is_some() { held } else { held.min(state.kept_bytes) };
        let freed = std::mem::take(&mut state.freed);
        let freed_here = freed.objects - freed_before.objects;
        let collection = Event::Collection {
            generation: u8::from(traced.is_some()),
            examined: freed.objects + survived,
            freed: freed.objects,
            survived,
            freed_bytes: freed.bytes,
        };
        Ended {
            collected: Collected { examined: freed_here + survived, freed: freed_here },
            events: [barrier, collection],
        }
    }

    /// Does a slice of what has been put off; gives how many decrements that was.
    pub(super) fn go_on(&self, seat: &Seat<EpochCount>) -> u64 {
        let mut state = self.state();
        let mut work = Work::new(&mut state, seat);
        let done = work.decrement(self.settings.slice);
        work.end(&self.waiting);
        self.note(&state);
        done
    }

    /// Says whether decrements are still put off.
    fn note(&self, state: &State) {
        let is_behind = !state.drops.is_empty() || !state.dying.is_empty();
        // Relaxed: a hint.
        self.is_behind.store(is_behind, Relaxed);
    }

    /// Whether the heap has grown so much since the last trace that there should be another.
    fn is_trace_due(&self, work: &Work<'_>) -> bool {
        let kept = work.state.kept_bytes;
        let growth = (kept as f64 * self.settings.growth) as u64;
        let limit = kept + growth.max(self.settings.minimum_bytes);
        work.seat.core.statistics().held().bytes > limit
    }
}

/// Counting under way: by whoever holds the lock.
pub(super) struct Work<'w> {
    pub(super) state: &'w mut State,
    pub(super) seat: &'w Seat<EpochCount>,
    /// Objects that are young no more, and whose slots have not been counted.
    unscanned: Vec<Counted>,
    /// How many were young and have survived.
    promoted: u64,
    /// Objects whose finalizers are to wait: the last ones of the roots.
    pub(super) finalizing: Vec<Counted>,
}

impl<'w> Work<'w> {
    fn new(state: &'w mut State, seat: &'w Seat<EpochCount>) -> Self {
        Self { state, seat, unscanned: Vec::new(), promoted: 0, finalizing: Vec::new() }
    }

    /// Counts what logged slots and roots refer to now, and leaves what they referred to before to be dropped. Gives how
    /// often the barrier was used.
    fn increment(&mut self, waiting: &[Counted]) -> Event {
        let mut logs = std::mem::take(&mut self.state.logs);
        let (mut all_stores, mut all_logged) = (0, 0);
        let parts = self.state.parts.clone();
        for part in &parts {
            logs.extend(part.log.take());
            if mutant("take the log of one mutator only") {
                break;
            }
            let (stores, logged) = part.take_counters();
            all_stores += stores;
            all_logged += logged;
            self.state.large.append(&mut part.large());
        }
        self.apply(&logs);
        let before = std::mem::take(&mut self.state.roots);
        for part in &parts {
            part.roots.for_each(|object| self.count_root(object));
            if mutant("count the roots of one mutator only") {
                break;
            }
        }
        self.seat.core.shared.objects().into_iter().for_each(|object| self.count_root(object));
        waiting.iter().for_each(|&object| self.count_root(object));
        self.state.drops.extend(before);
        Event::Barrier { stores: all_stores, logged: all_logged }
    }

    /// Counts what each slot of a log refers to now, once however often it was logged.
    fn apply(&mut self, logs: &[Overwritten]) {
        for entry in logs {
            // SAFETY: the object was reachable in this epoch, so it has not been freed in it.
            let slot = unsafe { entry.slot() };
            // Relaxed: ordered by the safepoint handshake.
            let after = slot.load(Relaxed);
            if after & UNLOGGED != 0 && !mutant("count a slot twice that two have logged") {
                // Two mutators have logged it, and this is the second entry.
                continue;
            }
            // Relaxed: ordered by the safepoint handshake.
            slot.store(after | UNLOGGED, Relaxed);
            object_at(after).into_iter().for_each(|object| self.count(object));
            self.state.drops.extend(object_at(entry.before));
        }
    }

    fn count_root(&mut self, object: Counted) {
        self.count(object);
        self.state.roots.push(object);
    }

    /// Counts a reference to `object`, and if that was young, those that it holds, and so on.
    #[inline(always)]
    fn count(&mut self, object: Counted) {
        if object.header().increment() {
            self.unscanned.push(object);
            self.scan();
        }
    }

    /// Counts what the slots of objects hold that are young no more.
    fn scan(&mut self) {
        while let Some(object) = self.unscanned.pop() {
            self.promoted += 1;
            // SAFETY: the world is stopped, and the object is referred to.
            for slot in unsafe { object.slots() } {
                // Relaxed: ordered by the safepoint handshake.
                let address = slot.load(Relaxed);
                // Relaxed: ordered by the safepoint handshake.
                slot.store(address | UNLOGGED, Relaxed);
                if let Some(child) = object_at::<EpochCount>(address)
                    && child.header().increment()
                {
                    self.unscanned.push(child);
                }
            }
        }
    }

    /// Frees the young objects that nothing refers to, but for those with finalizers and what these refer to.
    fn sweep(&mut self, stopped: &Stopped<'_>) {
        let core = &*self.seat.core;
        let blocks = touched(core);
        let large = std::mem::take(&mut self.state.large);
        if core.has_finalizers() {
            let in_blocks = blocks.iter().flat_map(|block| block.objects::<EpochCount>());
            let is_dying = |object: &Counted| {
                object.header().is_young() && object.descriptor().has_finalizer()
            };
            let dying: Vec<_> = in_blocks.chain(large.iter().copied()).filter(is_dying).collect();
            for object in dying {
                self.finalize(object);
            }
        }
        let is_dead = |cell: Counted| !cell.descriptor().is_free() && cell.header().is_young();
        // SAFETY: no slot of an object that is not young refers to it, and no root.
        let freed = unsafe { sweep_stopped(blocks, &core.space, stopped, &is_dead) };
        self.seat.share.tally.freed_many(freed);
        self.state.freed += freed;
        for object in large.into_iter().filter(|object| object.header().is_young()) {
            // SAFETY: as above.
            unsafe { self.free(object) };
        }
    }

    /// Has the finalizer of an object without references wait to be run: the object is a root again.
    pub(super) fn finalize(&mut self, object: Counted) {
        self.count_root(object);
        object.header().set_finalized();
        self.finalizing.push(object);
    }

    /// Drops `most` of the references that are to be dropped, and those that fall away with what dies; gives how many that
    /// were.
    fn decrement(&mut self, most: u64) -> u64 {
        let mut done = 0;
        while done < most {
            if let Some(object) = self.state.dying.pop() {
                done += self.destroy(object);
            } else if let Some(object) = self.state.drops.pop() {
                self.drop_reference(object);
                done += 1;
            } else {
                break;
            }
        }
        done
    }

    /// Drops the references that a dying object holds, and frees it; gives how many slots it had.
    fn destroy(&mut self, object: Counted) -> u64 {
        // SAFETY: nobody can reach the object any more, and it is freed below.
        let slots = unsafe { object.slots() };
        for slot in slots {
            // Relaxed: ordered by the safepoint handshake: it was not reachable when the last epoch ended.
            if let Some(child) = object_at(slot.load(Relaxed) & !UNLOGGED) {
                self.drop_reference(child);
            }
        }
        // SAFETY: it has no references, and has dropped its own.
        unsafe { self.free(object) };
        slots.len() as u64
    }

    #[inline(always)]
    fn drop_reference(&mut self, object: Counted) {
        if object.header().decrement() {
            if must_be_finalized(object) {
                self.finalize(object);
            } else {
                self.state.dying.push(object);
            }
        }
    }

    /// Frees an object.
    ///
    /// # Safety
    ///
    /// Nobody can reach the object any more.
    unsafe fn free(&mut self, object: Counted) {
        self.count_freed(Amount { objects: 1, bytes: object.bytes() as u64 });
        // SAFETY: by our caller.
        unsafe { self.seat.free(object) };
    }

    /// Counts what has been freed, for the observer.
    pub(super) fn count_freed(&mut self, freed: Amount) {
        self.state.freed += freed;
    }

    /// Hands over what is to be finalized.
    fn end(self, waiting: &Waiting<EpochCount>) {
        waiting.extend(&self.seat.core, &self.finalizing);
    }
}

/// Whether the finalizer of an object without references has to be run.
pub(super) fn must_be_finalized(object: Counted) -> bool {
    object.descriptor().has_finalizer() && !object.header().is_finalized()
}

/// The blocks in which objects have been made since the last epoch ended.
fn touched(core: &Core<EpochCount>) -> Vec<Block> {
    let shares = core.shares();
    let touched = shares.iter().flat_map(|share| share.take_touched());
    touched.filter(|block| block.usage() != Use::Pooled).collect()
}
