//! A mutator's side of concurrent counting: it counts, frees at once, looks at what it has made, and hands over the rest.

use std::{cell::Cell, time::Duration};

use super::{
    Batch, ConcurrentCounting, Counted,
    limbo::is_large,
    pace::{Batches, Learned},
    reclaim::clear,
    young::collect_young,
};
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
    threads::{
        collector_thread::Round,
        sync::{Arc, mutant},
    },
};

/// As long as the rest of a release waits, so many objects of it are destroyed whenever one is made: some tens of
/// nanoseconds, as long as it takes to make and use one.
const DESTROYED_PER_ALLOCATION: u64 = 8;

/// One mutator's side of it.
pub struct ConcurrentCountingLocal {
    pub(super) seat: Seat<BiasedCount>,
    pub(super) holder: Holder<Counted>,
    pub(super) collector: Arc<ConcurrentCounting>,
    /// Net allocations since the last batch.
    count: Cell<i64>,
    /// Above this, there is something to attend to: a batch is complete, or the rest of a release waits.
    limit: Cell<i64>,
    batches: Cell<Batches>,
    /// Whether releases run to their ends: the program waits for that.
    is_in_a_hurry: Cell<bool>,
    /// Whether a collection that the program asked for has found finalizers, and has to go on when they have run.
    is_unfinished: Cell<bool>,
}

impl ConcurrentCountingLocal {
    pub(super) fn new(collector: Arc<ConcurrentCounting>, seat: Seat<BiasedCount>) -> Self {
        let holder = BiasedCount::hold(&collector.counting, &seat);
        collector.has_arrived();
        let batches = collector.pace.batches();
        Self {
            seat,
            holder,
            collector,
            count: Cell::new(0),
            limit: Cell::new(batches.size),
            batches: Cell::new(batches),
            is_in_a_hurry: Cell::new(false),
            is_unfinished: Cell::new(false),
        }
    }

    /// Hands over what has been made.
    fn hand_over(&self) {
        let mut batch = Batch::take(&self.seat.share);
        batch.append(std::mem::take(self.collector.inbox().aged(self.seat.index)));
        self.send(batch);
    }

    /// Hands over a batch, and has it taken in if that is due. Gives what there is to wait for, and how long, if the next cycle
    /// is due before the one under way has ended: the collector does not keep up.
    fn send(&self, batch: Batch) -> Option<(Round, Option<Duration>)> {
        let (collector, thread) = (&self.collector, &self.collector.thread);
        collector.pace.have_become_old(batch.objects());
        let are_many = collector.inbox().push(batch);
        let is_due = collector.pace.is_due(|| self.seat.core.statistics().held().objects);
        let under_way = if is_due || are_many { thread.prompt() } else { None };
        if !is_due {
            return None;
        }
        let most = collector.pace.wait();
        // A thread that has been asked and does not get to run keeps up no better.
        let asked_for = || most.is_none().then(|| thread.request());
        under_way.or_else(asked_for).map(|round| (round, most))
    }

    /// Looks at what has been made since the last time and the time before, and hands the latter over; or, unless `must_look`,
    /// hands over everything, if it is not worth a look.
    fn end_batch(&self, must_look: bool) -> Learned {
        let pause = self.seat.pause(Cause::Collection);
        // What others have freed comes back in large runs, so that an allocation seldom has to look for cells.
        self.seat.share.drain_remote(&self.seat.core.space, self.collector.pace.portion());
        let new = Batch::take(&self.seat.share);
        let aged = std::mem::take(self.collector.inbox().aged(self.seat.index));
        let mut batches = [new, aged];
        self.count.set(0);
        let mut learned = Learned::default();
        let mut pacing = self.batches.get();
        let is_skipped = pacing.skip() && !must_look;
        if !is_skipped {
            learned = collect_young(self, &mut batches);
            pacing.learn(learned, &self.collector.pace);
        }
        self.batches.set(pacing);
        pause.end(learned.examined);
        let [new, mut aged] = batches;
        if is_skipped {
            aged.append(new);
        } else {
            *self.collector.inbox().aged(self.seat.index) = new;
        }
        if let Some((round, most)) = self.send(aged) {
            self.seat.stall(|| self.collector.thread.wait_at_most(round, most));
        }
        learned
    }

    /// Whether the rest of a release waits.
    fn has_rest(&self) -> bool {
        self.seat.dying.borrow().len() > self.seat.floor()
    }

    /// A cycle from its beginning to its end, of everything that has been made by now.
    fn cycle(&self) -> super::Found {
        self.collector.inbox().ask();
        let thread = &self.collector.thread;
        let round = thread.request();
        self.seat.stall(|| thread.wait(round));
        *self.collector.last()
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
        let count = self.count.get() + i64::from(!kind.descriptor().is_acyclic());
        self.count.set(count);
        count > self.limit.get() || self.seat.attention()
    }

    fn attend_to(&self) {
        self.seat.answer();
        if self.seat.is_stressed() {
            match self.seat.random_below(3) {
                0 => self.hand_over(),
                _ => _ = self.end_batch(true),
            }
            self.collector.thread.request();
        } else if self.count.get() > self.batches.get().size {
            self.end_batch(false);
        }
        self.limit.set(self.batches.get().size);
        if self.has_rest() {
            self.go_on(DESTROYED_PER_ALLOCATION);
        }
    }

    fn slice(&self) -> u64 {
        if self.is_in_a_hurry.get() { u64::MAX } else { self.collector.pace.portion() as u64 }
    }

    fn put_off(&self) {
        // Below every count: every allocation goes on.
        self.limit.set(-1);
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
            self.count.set((self.count.get() - 1).max(0));
        }
        // SAFETY: by our caller.
        unsafe { self.seat.free(object) };
    }

    fn collect_up_to(&self, generation: usize) -> Collected {
        self.is_in_a_hurry.set(true);
        if self.has_rest() {
            self.go_on(self.slice());
        }
        if generation == 0 {
            let Learned { examined, freed } = self.end_batch(true);
            return Collected { examined, freed };
        }
        let found = self.cycle();
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
                    self.seat.finish(self.cycle().collected);
                    continue;
                }
            }
            self.is_in_a_hurry.set(false);
            return None;
        }
    }

    fn left(&self) {
        self.hand_over();
        self.collector.has_left();
    }

    fn progress(&self) -> Vec<Progress> {
        self.collector.pace.progress(self.count.get(), self.batches.get().size)
    }
}
