//! Mark-sweep: stops the world, marks what the roots reach, frees the rest.
//!
//! After J. McCarthy, *Recursive functions of symbolic expressions and their computation by machine*, CACM 1960; marking
//! in parallel after T. Endo, K. Taura and A. Yonezawa, *A scalable mark-sweep garbage collector on large-scale
//! shared-memory machines*, SC 1997.
//!
//! # How it works
//!
//! 1. *Trigger.* Mutators count the bytes that they allocate. When they exceed what the last collection left, times
//!    `growth`, whoever notices stops the world. The mutators that are stopped help.
//! 2. *Mark* (`mark_sweep/mark.rs`). Root tables, shared handles and waiting finalizers are the roots. Whatever they
//!    reach is marked in a side table.
//! 3. *Finalize.* Objects with a finalizer that are not marked by then are queued, and what they reach is marked too:
//!    a finalizer sees its neighbours intact. A mutator runs it at its next safepoint; the object has no finalizer any
//!    more, and if it has not been stored anywhere, the next collection frees it.
//! 4. *Sweep* (`mark_sweep/sweep.rs`). What has no mark is freed, block by block, and marks are cleared.
//!
//! # Invariants
//!
//! 1. Between collections no object is marked.
//! 2. After marking, whatever is reachable from a root, a shared handle or a waiting finalizer is marked.
//! 3. An object whose class has a finalizer is on one list of `finalizable` objects until its finalizer waits or runs.
//!
//! # Synchronization
//!
//! | variable                | written by                       | read by          | protocol                       |
//! |-------------------------|----------------------------------|------------------|--------------------------------|
//! | slots                   | mutators                         | mutators         | stores release, loads acquire  |
//! | slots                   | mutators                         | markers          | safepoint handshake            |
//! | marks                   | markers, then sweepers           | the same         | Relaxed: setting is idempotent |
//! | `mutators`, `waiting`   | mutators                         | the same         | the lock                       |
//! | `allocated`, `limit`    | mutators, with the world stopped | mutators         | Relaxed: a statistic           |
//!
//! # Departures
//!
//! Free lists are those of the heap, so that allocation costs the same under every collector. Work is not given away
//! whenever a stack overflows, but when somebody is idle.

mod mark;
mod sweep;

use std::{cell::Cell, collections::VecDeque};

use serde::{Deserialize, Serialize};

use self::{mark::mark, sweep::sweep};
use crate::{
    Capabilities, Cause, Collected, Collector, Event, Finalizers, OutOfMemory, Reclaims, Setting,
    SettingsError, SideTables,
    collector::{Inspection, Local},
    heap::{Kind, Object, Seat, core::Core},
    roots::{RootEntry, RootTable},
    threads::{
        sync::{
            Arc, Mutex, MutexGuard,
            atomic::{
                AtomicU64,
                Ordering::{AcqRel, Acquire, Relaxed, Release},
            },
        },
        world::{Attention, Stopped},
    },
};

/// What lies in a heap managed by mark-sweep: objects without a header of the collector's.
type Traced = Object<()>;

/// Mark and entry of the side table: marked, or, if 0, not.
const MARKED: u32 = 1;

/// Bytes that a mutator allocates before it tells the others: few enough that even eight mutators miss the default
/// trigger by less than half of it, many enough that telling costs nothing.
const PORTION: u64 = 256 << 10;

/// Stops the world, marks what is reachable, frees the rest.
pub struct MarkSweep {
    settings: MarkSweepSettings,
    /// The parts of all mutators, those whose finalizable objects outlived them included.
    mutators: Mutex<Vec<Arc<Part>>>,
    /// Unreachable objects whose finalizers have to be run. They are roots.
    waiting: Mutex<VecDeque<Traced>>,
    /// Bytes allocated since the last collection, as far as mutators have told.
    allocated: AtomicU64,
    /// How many of them make a collection due.
    limit: AtomicU64,
}

/// The settings of mark-sweep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MarkSweepSettings {
    /// Bytes allocated that make a collection due, as a multiple of the bytes that the last one left.
    pub growth: f64,
    /// Bytes allocated that make a collection due at least.
    pub minimum_bytes: u64,
}

impl Default for MarkSweepSettings {
    fn default() -> Self {
        Self { growth: 1.0, minimum_bytes: 4 << 20 }
    }
}

/// What a collection needs to know of one mutator.
struct Part {
    roots: RootTable<()>,
    /// Objects of the mutator's whose classes have a finalizer that has not been called (invariant 3).
    finalizable: Mutex<Vec<Traced>>,
}

/// One mutator's side of it.
pub struct MarkSweepLocal {
    collector: Arc<MarkSweep>,
    part: Arc<Part>,
    seat: Seat<()>,
    /// Bytes that this mutator may allocate before it tells the others, and what is left of them.
    portion: Cell<u64>,
    left: Cell<i64>,
    /// Whether a collection that the program asked for has found finalizers, and has to go on when they have run.
    is_unfinished: Cell<bool>,
}

impl Collector for MarkSweep {
    const NAME: &'static str = "mark-sweep";
    const SUMMARY: &'static str =
        "stops the world, marks what the roots reach, in parallel, and frees the rest";
    const PAPER: &'static str = "J. McCarthy, Recursive functions of symbolic expressions and their computation by \
         machine, CACM, 1960; T. Endo, K. Taura and A. Yonezawa, A scalable mark-sweep garbage collector on \
         large-scale shared-memory machines, SC, 1997";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Everything,
        moves: false,
        finalizers: Finalizers::Deferred,
        resurrects: true,
        generations: 1,
    };
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: "growth",
            default: "1.0",
            unit: "ratio",
            range: "0.1..=16",
            meaning: "bytes allocated that make a collection due, as a multiple of the bytes that the last one left",
        },
        Setting {
            name: "minimum-bytes",
            default: "4194304",
            unit: "bytes",
            range: "1..",
            meaning: "bytes allocated that make a collection due at least",
        },
    ];
    const SIDE_TABLES: SideTables = SideTables::Scratch;

    type Settings = MarkSweepSettings;
    type Header = ();
    type Local = MarkSweepLocal;

    fn new(settings: MarkSweepSettings) -> Result<Self, SettingsError> {
        let refuse = |setting, value, expected| SettingsError {
            collector: Self::NAME,
            setting,
            value,
            expected,
        };
        if !(0.1..=16.0).contains(&settings.growth) {
            let value = settings.growth.to_string();
            return Err(refuse("growth", value, "a number from 0.1 to 16"));
        }
        if settings.minimum_bytes == 0 {
            return Err(refuse("minimum-bytes", "0".to_owned(), "at least 1"));
        }
        Ok(Self {
            settings,
            mutators: Mutex::new(Vec::new()),
            waiting: Mutex::new(VecDeque::new()),
            allocated: AtomicU64::new(0),
            limit: AtomicU64::new(settings.minimum_bytes),
        })
    }

    fn attach(self: &Arc<Self>, seat: Seat<()>) -> MarkSweepLocal {
        let part = Part { roots: RootTable::new(), finalizable: Mutex::new(Vec::new()) };
        let part = Arc::new(part);
        self.mutators().push(Arc::clone(&part));
        MarkSweepLocal {
            collector: Arc::clone(self),
            part,
            seat,
            portion: Cell::new(0),
            left: Cell::new(0),
            is_unfinished: Cell::new(false),
        }
    }

    fn check(&self, inspection: &Inspection<'_, ()>) {
        self.check_marks_and_references(inspection);
    }
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
        let left = self.left.get() - kind.bytes() as i64;
        self.left.set(left);
        left < 0 || self.seat.attention()
    }

    fn attend(&self) {
        self.seat.answer_stop();
        let has_run_out = self.left.get() < 0;
        let is_due = has_run_out && self.tell();
        if self.seat.is_stressed() || is_due {
            self.collect_once();
        }
        if has_run_out {
            self.ask();
        }
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<RootEntry, OutOfMemory> {
        let object = self.seat.allocate(kind)?;
        if kind.descriptor().has_finalizer() {
            self.part.finalizable().push(object);
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
        let mut object = self.take_waiting();
        if object.is_none() && self.is_unfinished.take() {
            // What the finalizers did not keep is freed by the collection that found it, as far as the program sees.
            if let Some((collected, _)) = self.collect_once() {
                self.seat.finish(collected);
            }
            object = self.take_waiting();
        }
        Some(self.part.roots.enter(object?))
    }

    fn leave(&self) {
        let mut mutators = self.collector.mutators();
        let is_needed = !self.part.finalizable().is_empty();
        mutators.retain(|part| is_needed || !Arc::ptr_eq(part, &self.part));
        self.tell();
    }
}

/// Whether a collection has found objects to be finalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Finalizers,
}

impl MarkSweepLocal {
    /// Tells the others what we have allocated. Says whether a collection is due.
    fn tell(&self) -> bool {
        let used = self.portion.take() as i64 - self.left.take();
        let collector = &self.collector;
        // Relaxed: a statistic.
        let before = collector.allocated.fetch_add(used as u64, Relaxed);
        // Relaxed: a statistic.
        before + used as u64 > collector.limit.load(Relaxed)
    }

    /// Takes another portion to allocate from.
    fn ask(&self) {
        // Relaxed: a statistic.
        let allocated = self.collector.allocated.load(Relaxed);
        // Relaxed: a statistic.
        let portion = self.collector.limit.load(Relaxed).saturating_sub(allocated).min(PORTION);
        self.portion.set(self.portion.get() + portion);
        self.left.set(self.left.get() + portion as i64);
    }

    /// A collection; `None` if somebody else has stopped the world meanwhile.
    fn collect_once(&self) -> Option<(Collected, Found)> {
        self.seat.answer_stop();
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
        self.collector.set_limit(held.bytes);
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

    /// Takes the object whose finalizer has waited longest.
    fn take_waiting(&self) -> Option<Traced> {
        let mut waiting = self.collector.waiting();
        let object = waiting.pop_front();
        if waiting.is_empty() {
            self.seat.core.world.clear(Attention::FINALIZERS);
        }
        object
    }

    #[inline(always)]
    fn address_of(&self, value: Option<RootEntry>) -> usize {
        // SAFETY: handles are this mutator's and not released, by every caller's caller.
        value.map_or(0, |root| unsafe { self.part.roots.object(root) }.address())
    }
}

impl MarkSweep {
    /// Marks whatever is reachable, and queues what has to be finalized.
    fn mark(&self, core: &Core<()>, stopped: &Stopped<'_>) -> Found {
        let mut roots = core.shared.objects();
        let mutators = self.mutators();
        for part in &*mutators {
            part.roots.for_each(|object| roots.push(object));
        }
        let mut waiting = self.waiting();
        roots.extend(&*waiting);
        mark(roots, stopped);

        let mut dying = Vec::new();
        for part in &*mutators {
            dying.extend(part.finalizable().extract_if(.., |object| !is_marked(*object)));
        }
        if dying.is_empty() {
            return Found::Nothing;
        }
        waiting.extend(&dying);
        core.world.call(Attention::FINALIZERS);
        mark(dying, stopped);
        Found::Finalizers
    }

    /// Begins to count the bytes until the next collection, the last having left `held`.
    fn set_limit(&self, held: u64) {
        let grown = (held as f64 * self.settings.growth) as u64;
        // Relaxed: a statistic.
        self.limit.store(grown.max(self.settings.minimum_bytes), Relaxed);
        // Relaxed: a statistic.
        self.allocated.store(0, Relaxed);
    }

    fn mutators(&self) -> MutexGuard<'_, Vec<Arc<Part>>> {
        self.mutators.lock().expect("nothing panics while it holds this lock")
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Traced>> {
        self.waiting.lock().expect("nothing panics while it holds this lock")
    }

    /// Tests that no object is marked (invariant 1), and that every reference is to an object of this heap.
    fn check_marks_and_references(&self, inspection: &Inspection<'_, ()>) {
        let objects: std::collections::HashSet<Traced> = inspection.objects().collect();
        let require = |object: Traced, holder: &dyn std::fmt::Debug| {
            assert!(objects.contains(&object), "{holder:?} refers to {object:?}, which is none");
        };
        for &object in &objects {
            assert!(!is_marked(object), "{object:?} is marked between collections");
            // SAFETY: the world is stopped, and the object in the heap.
            for slot in unsafe { object.slots() } {
                // Relaxed: ordered by the safepoint handshake.
                if let Some(child) = object_at(slot.load(Relaxed)) {
                    require(child, &object);
                }
            }
        }
        for part in &*self.mutators() {
            part.roots.for_each(|object| require(object, &"a root"));
            part.finalizable().iter().for_each(|&object| require(object, &"a finalizer's list"));
        }
        self.waiting().iter().for_each(|&object| require(object, &"a waiting finalizer"));
        let shared = inspection.core.shared.objects();
        shared.into_iter().for_each(|object| require(object, &"a shared handle"));
    }
}

impl Part {
    fn finalizable(&self) -> MutexGuard<'_, Vec<Traced>> {
        self.finalizable.lock().expect("nothing panics while it holds this lock")
    }
}

fn is_marked(object: Traced) -> bool {
    // Relaxed: marks are ordered by the end of the job that set them; within it they are a hint.
    object.scratch().load(Relaxed) == MARKED
}

#[inline(always)]
fn object_at(address: usize) -> Option<Traced> {
    // SAFETY: slots hold null or the address of an object (heap invariant 2).
    (address != 0).then(|| unsafe { Traced::at(address) })
}
