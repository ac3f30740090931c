//! A mutator's side of concurrent counting: it counts, frees at once, and hands over what it has made.

use std::cell::Cell;

use super::{Batch, ConcurrentCounting, Counted, limbo::is_large, pace::Extent, reclaim::clear};
use crate::{
    Cause, Collected, Progress,
    counts::{
        Count,
        biased::BiasedCount,
        counting::{Counting, Unlisted},
        merge::Holder,
        release::Release,
    },
    heap::{Kind, Seat},
    threads::sync::{Arc, mutant},
};

/// One mutator's side of it.
pub struct ConcurrentCountingLocal {
    seat: Seat<BiasedCount>,
    holder: Holder<Counted>,
    collector: Arc<ConcurrentCounting>,
    /// Net allocations since the last hand-over.
    count: Cell<u64>,
    /// Above this, a hand-over is due.
    limit: Cell<u64>,
    /// Whether a collection that the program asked for has found finalizers, and has to go on when they have run.
    is_unfinished: Cell<bool>,
}

impl ConcurrentCountingLocal {
    pub(super) fn new(collector: Arc<ConcurrentCounting>, seat: Seat<BiasedCount>) -> Self {
        let holder = BiasedCount::hold(&collector.counting, &seat);
        let limit = Cell::new(collector.pace.batch());
        let (count, is_unfinished) = (Cell::new(0), Cell::new(false));
        Self { seat, holder, collector, count, limit, is_unfinished }
    }

    /// Hands over what has been made; says whether this mutator is too far ahead.
    fn hand_over(&self) -> bool {
        let batch = Batch::take(self.seat.index, &self.seat.share);
        self.send(batch)
    }

    fn send(&self, batch: Batch) -> bool {
        self.count.set(0);
        self.limit.set(self.collector.pace.batch());
        self.collector.inbox().push(batch)
    }

    /// As many objects have been made as make a batch.
    fn hand_over_full(&self) {
        let pause = self.seat.pause(Cause::Handshake);
        // What the collector has freed comes back in large runs, so that an allocation seldom has to look for cells.
        self.seat.share.drain_remote(&self.seat.core.space, self.collector.pace.portion());
        let mut batch = Batch::take(self.seat.index, &self.seat.share);
        if self.collector.pace.expects_garbage() {
            batch = batch.flag();
        }
        pause.end(self.count.get());
        let is_ahead = self.send(batch);
        let thread = &self.collector.thread;
        let under_way = thread.prompt();
        if is_ahead {
            // If none has begun, one has just been asked for.
            let round = under_way.unwrap_or_else(|| thread.request());
            self.seat.stall(|| thread.wait(round));
        }
    }

    /// A cycle from its beginning to its end, of everything that has been made by now.
    fn cycle(&self, extent: Extent) -> super::Found {
        self.hand_over();
        self.collector.inbox().wish(extent);
        let thread = &self.collector.thread;
        let round = thread.request();
        self.seat.stall(|| thread.wait(round));
        self.collector.state().last
    }

    /// Frees the cell of a dead object that the collector may be reading, or that is large.
    #[cold]
    fn free_carefully(&self, object: Counted) {
        let header = object.header();
        clear(object);
        header.condemn();
        if header.is_watched() && header.leave_cell() {
            return;
        }
        // SAFETY: it is dead, and has given up its references.
        let free = || unsafe { self.seat.free(object) };
        if is_large(object) {
            self.collector.limbo.pass(object, free);
        } else {
            free();
        }
    }
}

impl Counting for ConcurrentCountingLocal {
    type Count = BiasedCount;
    type Naming = Unlisted;

    fn naming(&self) -> &Unlisted {
        &Unlisted
    }

    fn place(&self) -> &Seat<BiasedCount> {
        &self.seat
    }

    fn holder(&self) -> &Holder<Counted> {
        &self.holder
    }

    #[inline(always)]
    fn wants_attention(&self, kind: &Kind) -> bool {
        let count = self.count.get() + u64::from(!kind.descriptor().is_acyclic());
        self.count.set(count);
        count > self.limit.get() || self.seat.attention()
    }

    fn attend_to(&self) {
        self.seat.answer();
        if self.seat.is_stressed() {
            let mut batch = Batch::take(self.seat.index, &self.seat.share);
            if self.seat.random_below(2) == 0 {
                batch = batch.flag();
            }
            self.send(batch);
            self.collector.thread.request();
        } else if self.count.get() > self.limit.get() {
            self.hand_over_full();
        }
    }

    #[inline(always)]
    fn allocated(&self, object: Counted, kind: &Kind) {
        if !kind.descriptor().is_acyclic() {
            // INVARIANT 5: its block is touched, being current, or a large object's.
            object.set_young();
        }
    }

    #[inline(always)]
    fn condemn(&self, object: Counted) {
        object.header().condemn();
    }

    #[inline(always)]
    unsafe fn free(&self, object: Counted) {
        let is_watched = object.header().is_watched() && !mutant("free a cell that is watched");
        if is_watched || object.may_be_large() {
            self.free_carefully(object);
            return;
        }
        if !object.descriptor().is_acyclic() {
            self.count.set(self.count.get().saturating_sub(1));
        }
        // SAFETY: by our caller.
        unsafe { self.seat.free(object) };
    }

    fn collect_up_to(&self, generation: usize) -> Collected {
        let extent = if generation == 0 { Extent::Young } else { Extent::Full };
        let found = self.cycle(extent);
        self.is_unfinished.set(found.finalizers);
        found.collected
    }

    fn next_to_finalize(&self) -> Option<Counted> {
        loop {
            if let Some(object) = self.next_dying_finalizer() {
                return Some(object);
            }
            // One finalizer does not interrupt another: the outer one's mutator goes on with the next when it has ended.
            if self.seat.depth() == 0 {
                if let Some(object) = self.collector.waiting.take(&self.seat.core) {
                    return Some(object);
                }
                if self.is_unfinished.take() {
                    // What the finalizers did not keep is freed by the collection that found it, as far as the program
                    // sees.
                    self.seat.finish(self.cycle(Extent::Full).collected);
                    continue;
                }
            }
            if self.seat.dying.borrow().len() <= self.seat.floor() {
                return None;
            }
        }
    }

    fn left(&self) {
        self.hand_over();
    }

    fn progress(&self) -> Vec<Progress> {
        self.collector.pace.progress(self.count.get())
    }
}
