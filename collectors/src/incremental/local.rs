//! A mutator's side of incremental: roots that are counted and listed, the net count, and a collection from end to end.

use std::cell::{Cell, RefCell};

use super::{
    Incremental,
    increment::{Found, Pause},
};
use crate::{
    Cause, Collected, Event, Progress,
    counts::{
        Count,
        atomic::{Anyone, AtomicCount},
        counting::Counting,
    },
    cycles::reclaim::{self, By, Finish, Finishing},
    heap::{Amount, Kind, Object, Seat, seat::Condition},
    roots::RootTable,
    threads::{
        sync::{Arc, atomic::Ordering::Relaxed, capacity},
        world::Stopped,
    },
};

type Counted = Object<AtomicCount>;

/// How many net allocations a mutator that is not alone keeps to itself.
const FLUSHED_AT: i64 = capacity(512, 2) as i64;

/// What a trigger runs: CPython's `collect(1)`.
const INCREMENT: usize = 1;

/// Whether a mutator collects even if another one just has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// No: what made it collect is over.
    Once,
    /// Yes: the program asked for it.
    Insistent,
}

/// One mutator's side of it.
pub struct IncrementalLocal {
    seat: Seat<AtomicCount>,
    collector: Arc<Incremental>,
    roots: Arc<RootTable<AtomicCount>>,
    /// Net allocations of this mutator that are not in `flushed`.
    count: Cell<i64>,
    /// Frees that the count has not been told of, because the common one would be less than nothing.
    uncounted: Cell<i64>,
    /// Above this, the count wants attention.
    limit: Cell<i64>,
    /// The count does not fall below this: alone, the common count would be less than nothing; else it is flushed.
    floor: Cell<i64>,
    /// Whether there was no other mutator when the limits were set.
    is_alone: Cell<bool>,
    /// The collection that waits for finalizers, if it is ours.
    finishing: RefCell<Option<Finishing<AtomicCount>>>,
}

impl IncrementalLocal {
    pub(super) fn new(collector: Arc<Incremental>, seat: Seat<AtomicCount>) -> Self {
        let roots = Arc::new(RootTable::new());
        collector.tables().push(Arc::clone(&roots));
        let local = Self {
            seat,
            collector,
            roots,
            count: Cell::new(0),
            uncounted: Cell::new(0),
            limit: Cell::new(0),
            floor: Cell::new(0),
            is_alone: Cell::new(true),
            finishing: RefCell::new(None),
        };
        local.set_limits();
        local
    }

    /// Sets when the count wants attention: alone, exactly at the threshold; else whenever it is to be flushed.
    fn set_limits(&self) {
        let [young, _] = self.collector.schedule().thresholds;
        self.is_alone.set(self.seat.core.world.population() == 1);
        if !self.is_alone.get() {
            self.limit.set(FLUSHED_AT - 1);
            self.floor.set(-FLUSHED_AT);
        } else {
            // Relaxed: a late look costs a late collection: a statistic.
            let flushed = self.collector.flushed.load(Relaxed);
            self.limit.set(if young == 0 { i64::MAX } else { i64::from(young) - flushed });
            self.floor.set(-flushed);
        }
    }

    /// Adds the count to the common ones, of which that of allocations is never less than nothing, and gives that.
    fn flush(&self) -> i64 {
        let count = self.count.replace(0);
        // Relaxed: a statistic.
        self.collector.tracked.fetch_add(count - self.uncounted.take(), Relaxed);
        // Relaxed: a late look costs a late collection: a statistic.
        let flushed = self.collector.flushed.fetch_add(count, Relaxed) + count;
        if flushed < 0 {
            // Relaxed: as above, a statistic.
            self.collector.flushed.fetch_max(0, Relaxed);
        }
        flushed.max(0)
    }

    /// The count has left its limits: runs an increment if the threshold is exceeded.
    fn count_out_of_limits(&self) {
        let [young, _] = self.collector.schedule().thresholds;
        let threshold = i64::from(young);
        if self.flush() > threshold && young != 0 {
            self.collect_if(Patience::Once, |flushed| (flushed > threshold).then_some(INCREMENT));
        }
        self.set_limits();
    }

    /// The count is as low as it may be.
    #[cold]
    fn freed_below_floor(&self) {
        if self.is_alone.get() {
            self.uncounted.set(self.uncounted.get() + 1);
        } else {
            self.flush();
            self.count.set(-1);
            self.set_limits();
        }
    }

    /// Stops the world and collects the generation that `choose` names, if any.
    fn collect_if(&self, patience: Patience, choose: impl Fn(i64) -> Option<usize>) -> Collected {
        if self.collector.schedule().finishing {
            return Collected::default();
        }
        let pause = self.seat.pause(Cause::Collection);
        let stopped = loop {
            match (self.seat.stop(), patience) {
                (Some(stopped), _) => break stopped,
                (None, Patience::Insistent) => {}
                (None, Patience::Once) => {
                    pause.end(0);
                    return Collected::default();
                }
            }
        };
        let flushed = self.flush();
        let chosen = if self.collector.schedule().finishing { None } else { choose(flushed) };
        let collected =
            chosen.map(|generation| self.collect_stopped(&stopped, generation, flushed));
        drop(stopped);
        let collected = collected.unwrap_or_default();
        pause.end(collected.examined);
        collected
    }

    /// One collection after `new` net allocations, up to the finalizers.
    fn collect_stopped(&self, stopped: &Stopped<'_>, generation: usize, new: i64) -> Collected {
        self.seat.core.sample(self.seat.index);
        // Relaxed: ordered by the safepoint handshake.
        self.collector.flushed.store(0, Relaxed);
        let roots = self.collector.tables();
        let mut schedule = self.collector.schedule();
        let mut pause = Pause {
            seat: &self.seat,
            stopped,
            schedule: &mut schedule,
            roots: &roots,
            heap_size: self.collector.heap_size(),
            generation,
            found: Found::default(),
        };
        pause.run(new);
        let Found { examined, garbage, freed, finishing } = pause.found;
        if finishing.is_some() {
            schedule.finishing = true;
            *self.finishing.borrow_mut() = finishing;
            self.seat.set_condition(Condition::Finalizers);
        }
        self.report(generation, examined, examined - garbage, freed);
        Collected { examined, freed: freed.objects }
    }

    fn report(&self, generation: usize, examined: u64, survived: u64, freed: Amount) {
        // Relaxed: a statistic.
        self.collector.tracked.fetch_sub(freed.objects as i64, Relaxed);
        self.seat.share.tally.freed_many(freed);
        let generation = generation as u8;
        let (freed, freed_bytes) = (freed.objects, freed.bytes);
        self.seat.emit(Event::Collection { generation, examined, freed, survived, freed_bytes });
    }
}

impl Finish for IncrementalLocal {
    fn finishing(&self) -> &RefCell<Option<Finishing<AtomicCount>>> {
        &self.finishing
    }

    fn finish(&self, finishing: Finishing<AtomicCount>) {
        let pause = self.seat.pause(Cause::Collection);
        let stopped = loop {
            if let Some(stopped) = self.seat.stop() {
                break stopped;
            }
        };
        let generation = finishing.generation;
        let (examined, freed) = finishing.end(By { seat: &self.seat, holder: &Anyone });
        self.report(generation, 0, 0, freed);
        self.collector.schedule().finishing = false;
        drop(stopped);
        pause.end(examined);
        self.seat.finish(Collected { examined: 0, freed: freed.objects });
    }
}

impl Counting for IncrementalLocal {
    type Count = AtomicCount;
    type Naming = Arc<RootTable<AtomicCount>>;

    fn naming(&self) -> &Arc<RootTable<AtomicCount>> {
        &self.roots
    }

    fn place(&self) -> &Seat<AtomicCount> {
        &self.seat
    }

    fn holder(&self) -> &Anyone {
        &Anyone
    }

    #[inline(always)]
    fn wants_attention(&self, kind: &Kind) -> bool {
        let count = self.count.get() + i64::from(!kind.descriptor().is_acyclic());
        self.count.set(count);
        count > self.limit.get() || self.seat.attention()
    }

    fn attend_to(&self) {
        self.seat.answer();
        if self.count.get() > self.limit.get() {
            self.count_out_of_limits();
        }
        if self.seat.is_stressed() {
            self.collect_up_to(self.seat.random_below(3));
        }
    }

    #[inline(always)]
    fn allocated(&self, object: Counted, kind: &Kind) {
        if !kind.descriptor().is_acyclic() {
            // INVARIANT 3: its block is touched, being current, or a recent large object.
            object.set_young();
        }
    }

    #[inline(always)]
    unsafe fn free(&self, object: Counted) {
        if !object.descriptor().is_acyclic() {
            let count = self.count.get();
            if count > self.floor.get() {
                self.count.set(count - 1);
            } else {
                self.freed_below_floor();
            }
        }
        if object.header().is_doomed() && !self.collector.schedule().marking.forget(object) {
            // INVARIANT 4: its cell is freed when the collection ends.
            reclaim::bury_doomed(object);
            return;
        }
        // SAFETY: by our caller.
        unsafe { self.seat.free(object) };
    }

    fn collect_up_to(&self, generation: usize) -> Collected {
        let collected = self.collect_if(Patience::Insistent, |_| Some(generation));
        self.set_limits();
        collected
    }

    fn next_to_finalize(&self) -> Option<Counted> {
        self.next_dying_or_doomed()
    }

    fn progress(&self) -> Vec<Progress> {
        let schedule = self.collector.schedule();
        // Relaxed: a late look costs nothing: a statistic.
        let flushed = self.collector.flushed.load(Relaxed);
        let young = (flushed + self.count.get()).max(0).unsigned_abs();
        let [threshold, rate] = schedule.thresholds.map(u64::from);
        vec![
            Progress { count: young, threshold },
            Progress { count: schedule.young_collections, threshold: rate },
            // CPython's third count and threshold are always 0.
            Progress { count: 0, threshold: 0 },
        ]
    }

    fn left(&self) {
        self.flush();
        self.collector.tables().retain(|table| !Arc::ptr_eq(table, &self.roots));
    }
}
