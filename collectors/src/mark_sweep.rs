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

mod local;
mod mark;
mod sweep;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

pub use self::local::MarkSweepLocal;
use self::mark::mark;
use crate::{
    Capabilities, Collector, Finalizers, Reclaims, Setting, SettingsError, SideTables,
    collector::Inspection,
    heap::{Object, Seat, core::Core},
    roots::RootTable,
    threads::{
        sync::{
            Arc, Mutex, MutexGuard,
            atomic::{AtomicU64, Ordering::Relaxed},
            mutant,
        },
        world::{Attention, Stopped},
    },
};

/// What lies in a heap managed by mark-sweep: objects without a header of the collector's.
type Traced = Object<()>;

/// The entry in the side table of an object that is marked; that of any other is 0.
const MARKED: u32 = 1;

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
        MarkSweepLocal::new(Arc::clone(self), seat)
    }

    fn check(&self, inspection: &Inspection<'_, ()>) {
        self.check_marks_and_references(inspection);
    }
}

/// Whether a collection has found objects to be finalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Finalizers,
}

impl MarkSweep {
    /// Marks whatever is reachable, and queues what has to be finalized.
    fn mark(&self, core: &Core<()>, stopped: &Stopped<'_>) -> Found {
        let mut roots = core.shared.objects();
        let mut mutators = self.mutators();
        for part in &*mutators {
            part.roots.for_each(|object| roots.push(object));
            if mutant("mark one mutator's roots only") {
                break;
            }
        }
        let mut waiting = self.waiting();
        roots.extend(&*waiting);
        mark(roots, stopped);

        let mut dying = Vec::new();
        for part in &*mutators {
            dying.extend(part.finalizable().extract_if(.., |object| !is_marked(*object)));
        }
        // A mutator that has left is remembered for its finalizable objects only.
        mutators.retain(|part| Arc::strong_count(part) > 1 || !part.finalizable().is_empty());
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
