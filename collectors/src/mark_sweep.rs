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
//! 2. *Mark* (`marking.rs`). Root tables, shared handles and waiting finalizers are the roots. Whatever they
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
mod sweep;

use serde::{Deserialize, Serialize};

pub use self::local::MarkSweepLocal;
use crate::{
    Capabilities, Collector, Finalizers, Reclaims, Setting, SettingsError, SideTables,
    collector::Inspection,
    finalization::{Finalizable, Waiting},
    heap::{Object, Seat, core::Core},
    marking::{is_marked, mark_stopped},
    roots::RootTable,
    threads::{
        sync::{Arc, Mutex, MutexGuard, mutant},
        world::Stopped,
    },
    triggers::growth::Growth,
};

/// What lies in a heap managed by mark-sweep: objects without a header of the collector's.
type Traced = Object<()>;

/// The entry in the side table of an object that is marked; that of any other is 0.
const MARKED: u32 = 1;

/// Stops the world, marks what is reachable, frees the rest.
pub struct MarkSweep {
    growth: Growth,
    /// The parts of all mutators, those whose finalizable objects outlived them included.
    mutators: Mutex<Vec<Arc<Part>>>,
    /// Unreachable objects whose finalizers have to be run. They are roots.
    waiting: Waiting<()>,
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
    finalizable: Finalizable<()>,
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
    const SETTINGS: &'static [Setting] = &Growth::SETTINGS;
    const SIDE_TABLES: SideTables = SideTables::Scratch;

    type Settings = MarkSweepSettings;
    type Header = ();
    type Local = MarkSweepLocal;

    fn new(settings: MarkSweepSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            growth: Growth::new(Self::NAME, settings.growth, settings.minimum_bytes)?,
            mutators: Mutex::new(Vec::new()),
            waiting: Waiting::new(),
        })
    }

    fn attach(self: &Arc<Self>, seat: Seat<()>) -> MarkSweepLocal {
        MarkSweepLocal::new(Arc::clone(self), seat)
    }

    fn check(&self, inspection: &Inspection<'_, ()>) {
        for object in inspection.objects() {
            assert!(!is_marked(object, MARKED), "{object:?} is marked between collections");
        }
        inspection.check_references(self.holders());
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
        roots.extend(self.waiting.objects());
        mark_stopped(roots, MARKED, stopped);

        let mut dying = Vec::new();
        for part in &*mutators {
            dying.extend(part.finalizable.take(|object| !is_marked(object, MARKED)));
        }
        // A mutator that has left is remembered for its finalizable objects only.
        mutators.retain(|part| Arc::strong_count(part) > 1 || !part.finalizable.is_empty());
        if dying.is_empty() {
            return Found::Nothing;
        }
        self.waiting.extend(core, &dying);
        mark_stopped(dying, MARKED, stopped);
        Found::Finalizers
    }

    fn mutators(&self) -> MutexGuard<'_, Vec<Arc<Part>>> {
        self.mutators.lock().expect("nothing panics while it holds this lock")
    }

    /// What holds a reference that is no slot's, and the object.
    fn holders(&self) -> Vec<(&'static str, Traced)> {
        let mut held = Vec::new();
        for part in &*self.mutators() {
            part.roots.for_each(|object| held.push(("a root", object)));
            let finalizable = part.finalizable.objects();
            held.extend(finalizable.into_iter().map(|object| ("a finalizer's list", object)));
        }
        held.extend(
            self.waiting.objects().into_iter().map(|object| ("a waiting finalizer", object)),
        );
        held
    }
}
