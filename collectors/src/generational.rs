//! Generational: reference counting, with a detection of cycles that looks mostly at young objects.
//!
//! After CPython's cycle collector (N. Schemenauer, T. Peters, A. Pitrou et al.), as in Python 3.11: which objects are
//! freed and when is CPython's, how they are found is ours.
//!
//! # How it works
//!
//! 1. *Count.* References are counted, in one way or another (`counts.rs`); what is not part of a cycle is freed when its
//!    last one goes. What other mutators have left to be counted off is settled before anything else (`Count::settle`).
//! 2. *Trigger.* Allocations less frees since the last collection are counted; when they exceed a threshold, the
//!    allocation that does so collects before it allocates (`triggers.rs`). Survivors move one generation up.
//! 3. *Detect* (world stopped, `cycles/detect.rs`). References from inside the generation are subtracted from a
//!    copy of its objects' counts. What is left with a reference is held from outside; it and all that it reaches is
//!    alive. The rest is garbage.
//! 4. *Finalize* (world running). If garbage has finalizers, it is *doomed*: they are run, and it is looked at again.
//! 5. *Free* (world stopped, `cycles/reclaim.rs`). References from garbage to what is alive are dropped, and the
//!    garbage is freed in address order.
//!
//! # Invariants
//!
//! 1. An object's count is the number of roots, slots and shared entries that refer to it.
//! 2. Between collections every scratch entry is 0.
//! 3. An object that can be part of a cycle is young (its young bit is set), middle (its middle bit only is), or old.
//!    Blocks with such bits are on their share's list of touched blocks, or on the list of middle blocks. Bits of cells
//!    that are no objects mean nothing.
//! 4. A doomed object is in its mutator's `Finishing`; if its last reference goes, its cell is freed only at the end of
//!    that.
//!
//! # Synchronization
//!
//! | variable        | written by               | read by   | protocol                                          |
//! |-----------------|--------------------------|-----------|---------------------------------------------------|
//! | `schedule`      | a mutator that collects  | the same  | its lock                                          |
//! | `flushed`       | all mutators             | the same  | Relaxed: a late look costs a late collection      |
//! | scratch, bitmaps| a mutator (young bit of its own block) or a stopped world | the same | safepoint handshake |
//!
//! # Departures
//!
//! CPython links objects in lists and counts in their headers; here generations are bits and counts are subtracted in a
//! table beside the objects, so that memory is walked in address order. The order in which finalizers of one cycle run,
//! allocation order there, is address order here. With several mutators each adds its net allocations to the common
//! count every 512, as CPython 3.13 does without its global lock.

use std::cell::{Cell, RefCell};

use crate::{
    Capabilities, Cause, Collected, Collector, Event, Finalizers, Progress, Reclaims, Setting,
    SettingsError, SideTables,
    collector::Inspection,
    counts::{
        Count, Description,
        atomic::AtomicCount,
        counting::{Counting, Unlisted},
        release::Release,
    },
    cycles::{
        detect::{Candidates, Detection},
        reclaim::{self, By, Finish, Finishing},
    },
    heap::{Amount, Kind, Object, Seat, block::Block, seat::Condition},
    threads::{
        sync::{
            Arc, Mutex, MutexGuard,
            atomic::{AtomicI64, Ordering::Relaxed},
            capacity,
        },
        world::Stopped,
    },
    triggers::{Found, GENERATIONS, Old, Trigger, select},
};

/// How many net allocations a mutator that is not alone keeps to itself.
const FLUSHED_AT: i64 = capacity(512, 2) as i64;

/// Counting as `K` does, with generational cycle detection, collecting when `T` says so.
#[derive(Debug)]
pub struct Generational<T: Trigger, K: Count = AtomicCount> {
    counting: Arc<K::Common>,
    schedule: Mutex<Schedule<T>>,
    /// Net allocations since the last collection, but for those that mutators keep to themselves.
    flushed: AtomicI64,
}

/// When what is collected.
#[derive(Debug)]
struct Schedule<T> {
    trigger: T,
    /// Collections of the next younger generation since the last of this one; the first entry is not used.
    counts: [u32; GENERATIONS],
    old: Old,
    /// Whether a collection waits for finalizers: then there is no other.
    finishing: bool,
    /// Blocks with objects of the middle generation.
    middle: Vec<Block>,
}

/// Whether a mutator collects even if another one just has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// No: what made it collect is over.
    Once,
    /// Yes: the program asked for it.
    Insistent,
}

/// One mutator's side of it.
pub struct GenerationalLocal<T: Trigger, K: Count> {
    seat: Seat<K>,
    holder: K::Holder,
    collector: Arc<Generational<T, K>>,
    /// Net allocations of this mutator that are not in `flushed`.
    count: Cell<i64>,
    /// Above this, the count wants attention.
    limit: Cell<i64>,
    /// The count does not fall below this: alone, the common count would be less than nothing; else it is flushed.
    floor: Cell<i64>,
    /// Whether there was no other mutator when the limits were set.
    is_alone: Cell<bool>,
    /// The collection that waits for finalizers, if it is ours.
    finishing: RefCell<Option<Finishing<K>>>,
}

/// What the collector is called: as its count says, or else as its trigger does.
const fn description<T: Trigger, K: Count>() -> Description {
    match K::DESCRIPTION {
        Some(description) => description,
        None => Description { name: T::NAME, summary: T::SUMMARY, paper: T::PAPER },
    }
}

impl<T: Trigger, K: Count> Collector for Generational<T, K> {
    const NAME: &'static str = description::<T, K>().name;
    const SUMMARY: &'static str = description::<T, K>().summary;
    const PAPER: &'static str = description::<T, K>().paper;
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Everything,
        moves: false,
        finalizers: Finalizers::Immediate,
        resurrects: true,
        generations: GENERATIONS,
    };
    const SETTINGS: &'static [Setting] = T::SETTINGS;
    const SIDE_TABLES: SideTables = SideTables::Generations;

    type Settings = T::Settings;
    type Header = K;
    type Local = GenerationalLocal<T, K>;

    fn new(settings: T::Settings) -> Result<Self, SettingsError> {
        let schedule = Schedule {
            trigger: T::new(settings)?,
            counts: [0; GENERATIONS],
            old: Old::default(),
            finishing: false,
            middle: Vec::new(),
        };
        Ok(Self {
            counting: Arc::default(),
            schedule: Mutex::new(schedule),
            flushed: AtomicI64::new(0),
        })
    }

    fn attach(self: &Arc<Self>, seat: Seat<K>) -> GenerationalLocal<T, K> {
        let collector = Arc::clone(self);
        let holder = K::hold(&self.counting, &seat);
        let local = GenerationalLocal {
            seat,
            holder,
            collector,
            count: Cell::new(0),
            limit: Cell::new(0),
            floor: Cell::new(0),
            is_alone: Cell::new(true),
            finishing: RefCell::new(None),
        };
        local.set_limits();
        local
    }

    fn check(&self, inspection: &Inspection<'_, K>) {
        inspection.check_counts();
        for object in inspection.objects() {
            // Relaxed: ordered by the safepoint handshake.
            assert_eq!(
                object.scratch().load(Relaxed),
                0,
                "the scratch entry of {object:?} between collections"
            );
        }
        self.check_generations(inspection);
    }
}

impl<T: Trigger, K: Count> Generational<T, K> {
    fn schedule(&self) -> MutexGuard<'_, Schedule<T>> {
        self.schedule.lock().expect("nothing panics while it holds this lock")
    }

    /// Invariant 3: every bit of an object lies in a block on one of the lists.
    fn check_generations(&self, inspection: &Inspection<'_, K>) {
        let middle = &self.schedule().middle;
        let recent = inspection.core.space.recent_large();
        for block in inspection.core.space.blocks() {
            let is_large = recent.contains(&block);
            let has_bits = |bits: &[crate::heap::layout::BitmapWord]| {
                let mut words = bits.iter().enumerate();
                words.any(|(index, word)| {
                    block.objects_of_bits::<K>(index, word.get()).next().is_some()
                })
            };
            let touched = block.touched.get() != 0 || is_large;
            assert!(
                touched || !has_bits(block.young()),
                "young objects in a block that is not listed: {block:?}"
            );
            let listed = is_large || middle.contains(&block);
            assert!(
                listed || !has_bits(block.middle()),
                "middle objects in a block that is not listed: {block:?}"
            );
        }
    }
}

impl<T: Trigger, K: Count> GenerationalLocal<T, K> {
    /// Sets when the count wants attention: alone, exactly at the threshold; else whenever it is to be flushed.
    fn set_limits(&self) {
        let [young, ..] = self.collector.schedule().trigger.thresholds();
        self.is_alone.set(self.seat.core.world.population() == 1);
        if young == 0 {
            self.limit.set(i64::MAX);
            self.floor.set(i64::MIN);
        } else if !self.is_alone.get() {
            self.limit.set(FLUSHED_AT - 1);
            self.floor.set(-FLUSHED_AT);
        } else {
            // Relaxed: a late look costs a late collection: a statistic.
            let flushed = self.collector.flushed.load(Relaxed);
            self.limit.set(i64::from(young) - flushed);
            self.floor.set(-flushed);
        }
    }

    /// Adds the count to the common one, which is never less than nothing, and gives the sum.
    fn flush(&self) -> i64 {
        let count = self.count.replace(0);
        // Relaxed: a late look costs a late collection: a statistic.
        let flushed = self.collector.flushed.fetch_add(count, Relaxed) + count;
        if flushed < 0 {
            // Relaxed: as above, a statistic.
            self.collector.flushed.fetch_max(0, Relaxed);
        }
        flushed.max(0)
    }

    /// The count has left its limits: collects if the trigger says so.
    fn count_out_of_limits(&self) {
        let [young, ..] = self.collector.schedule().trigger.thresholds();
        if young != 0 && self.flush() > i64::from(young) {
            self.collect_if(Patience::Once, |schedule, flushed| {
                let count = u32::try_from(flushed.max(0)).unwrap_or(u32::MAX);
                let counts = [count, schedule.counts[1], schedule.counts[2]];
                select(&schedule.trigger, counts, schedule.old)
            });
        }
        self.set_limits();
    }

    /// The count of one mutator among several is as low as it may be.
    #[cold]
    fn freed_below_floor(&self) {
        self.flush();
        self.count.set(-1);
        self.set_limits();
    }

    /// Stops the world and collects the generation that `choose` names, if any.
    fn collect_if(
        &self,
        patience: Patience,
        choose: impl Fn(&Schedule<T>, i64) -> Option<usize>,
    ) -> Collected {
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
        let settled = K::settle_all(&self.collector.counting);
        let mut schedule = self.collector.schedule();
        // Relaxed: ordered by the safepoint handshake.
        let flushed = self.collector.flushed.load(Relaxed);
        let chosen = if schedule.finishing { None } else { choose(&schedule, flushed) };
        let collected =
            chosen.map(|generation| self.collect_stopped(&stopped, &mut schedule, generation));
        drop(schedule);
        drop(stopped);
        let collected = collected.unwrap_or_default();
        pause.end(collected.examined);
        self.release_all(settled);
        collected
    }

    /// One collection, up to the finalizers.
    fn collect_stopped(
        &self,
        stopped: &Stopped<'_>,
        schedule: &mut Schedule<T>,
        generation: usize,
    ) -> Collected {
        let core = &*self.seat.core;
        core.sample(self.seat.index);
        if generation + 1 < GENERATIONS {
            schedule.counts[generation + 1] += 1;
        }
        schedule.counts[..=generation].fill(0);
        // Relaxed: ordered by the safepoint handshake.
        self.collector.flushed.store(0, Relaxed);
        self.count.set(0);

        let mut candidates = Candidates::new(core, &mut schedule.middle, generation);
        let Detection { examined, garbage } = candidates.detect::<K>(stopped);
        let survived = examined - garbage;
        let pending = schedule.old.pending;
        match generation {
            0 => {}
            1 => schedule.old.pending += survived,
            _ => schedule.old = Old { total: survived, pending: 0 },
        }
        schedule.trigger.learn(Found { generation, examined, garbage, pending });

        let finishing = if garbage == 0 {
            None
        } else {
            Finishing::doom(|visit| candidates.each_garbage(visit), &self.seat, generation)
        };
        let freed = match finishing {
            Some(finishing) => {
                schedule.finishing = true;
                *self.finishing.borrow_mut() = Some(finishing);
                self.seat.set_condition(Condition::Finalizers);
                Amount::default()
            }
            None if garbage == 0 => Amount::default(),
            None => candidates.reclaim(self.by(), stopped),
        };
        candidates.promote(core, &mut schedule.middle, generation);
        self.report(generation, examined, survived, freed);
        Collected { examined, freed: freed.objects }
    }

    fn by(&self) -> By<'_, K> {
        By { seat: &self.seat, holder: &self.holder }
    }

    fn report(&self, generation: usize, examined: u64, survived: u64, freed: Amount) {
        self.seat.share.tally.freed_many(freed);
        let generation = generation as u8;
        let (freed, freed_bytes) = (freed.objects, freed.bytes);
        self.seat.emit(Event::Collection { generation, examined, freed, survived, freed_bytes });
    }
}

impl<T: Trigger, K: Count> Finish for GenerationalLocal<T, K> {
    fn finishing(&self) -> &RefCell<Option<Finishing<K>>> {
        &self.finishing
    }

    fn finish(&self, finishing: Finishing<K>) {
        let pause = self.seat.pause(Cause::Collection);
        let stopped = loop {
            if let Some(stopped) = self.seat.stop() {
                break stopped;
            }
        };
        let settled = K::settle_all(&self.collector.counting);
        let generation = finishing.generation;
        let (examined, freed) = finishing.end(self.by());
        self.report(generation, 0, 0, freed);
        self.collector.schedule().finishing = false;
        drop(stopped);
        pause.end(examined);
        self.seat.finish(Collected { examined: 0, freed: freed.objects });
        self.release_all(settled);
    }
}

impl<T: Trigger, K: Count> Counting for GenerationalLocal<T, K> {
    type Count = K;
    type Naming = Unlisted;

    fn naming(&self) -> &Unlisted {
        &Unlisted
    }

    fn place(&self) -> &Seat<K> {
        &self.seat
    }

    fn holder(&self) -> &K::Holder {
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
        if self.count.get() > self.limit.get() {
            self.count_out_of_limits();
        }
        if self.seat.is_stressed() {
            self.collect_up_to(self.seat.random_below(GENERATIONS));
        }
    }

    #[inline(always)]
    fn allocated(&self, object: Object<K>, kind: &Kind) {
        if !kind.descriptor().is_acyclic() {
            // INVARIANT 3: its block is touched, being current, or a recent large object.
            object.set_young();
        }
    }

    #[inline(always)]
    unsafe fn free(&self, object: Object<K>) {
        if object.header().is_doomed() {
            // INVARIANT 4: its cell is freed when the collection ends.
            reclaim::bury_doomed(object);
            return;
        }
        if !object.descriptor().is_acyclic() {
            let count = self.count.get();
            if count > self.floor.get() {
                self.count.set(count - 1);
            } else if !self.is_alone.get() {
                self.freed_below_floor();
            }
        }
        // SAFETY: by our caller.
        unsafe { self.seat.free(object) };
    }

    fn collect_up_to(&self, generation: usize) -> Collected {
        let collected = self.collect_if(Patience::Insistent, |_, _| Some(generation));
        self.set_limits();
        collected
    }

    fn next_to_finalize(&self) -> Option<Object<K>> {
        self.next_dying_or_doomed()
    }

    fn left(&self) {
        self.flush();
    }

    fn progress(&self) -> Vec<Progress> {
        let schedule = self.collector.schedule();
        // Relaxed: a late look costs nothing: a statistic.
        let flushed = self.collector.flushed.load(Relaxed);
        let young = (flushed + self.count.get()).max(0).unsigned_abs();
        let thresholds = schedule.trigger.thresholds();
        let counts = [young, schedule.counts[1].into(), schedule.counts[2].into()];
        let progress =
            |(count, threshold): (u64, u32)| Progress { count, threshold: threshold.into() };
        counts.into_iter().zip(thresholds).map(progress).collect()
    }
}
