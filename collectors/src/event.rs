//! Events: what a collector tells an observer, on cold paths only.

use serde::{Deserialize, Serialize};

/// Whoever wants to know what a collector does. It is called on the mutator's own thread, where it may take the time;
/// a heap without an observer pays nothing.
pub trait Observer: Send + Sync {
    /// Mutator number `mutator` reports `event`. Numbers are small, and used again when a mutator has detached.
    fn event(&self, mutator: usize, event: Event);
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The mutator begins to do a collector's work, or to wait for it. Pauses of one mutator do not nest.
    PauseBegan {
        /// Why.
        cause: Cause,
    },
    /// The mutator goes on with its program.
    PauseEnded {
        /// Why it paused.
        cause: Cause,
        /// Objects handled in the pause.
        objects: u64,
        /// How many of them before `PauseBegan`: a cascade is only noticed at its 64th object.
        estimated: u64,
    },
    /// Pauses that were too short to be worth a clock, in bulk.
    Unclocked {
        /// Why they were.
        cause: Cause,
        /// How many there were since the last such event of the mutator.
        count: u64,
    },
    /// The mutator asks the world to stop (`requested`), or finds that it has stopped.
    TimeToStop {
        /// Whether this is the request.
        requested: bool,
    },
    /// A collection has ended.
    Collection {
        /// The oldest generation that was collected; 0 for a collector without generations.
        generation: u8,
        /// Objects that the collector looked at.
        examined: u64,
        /// Objects that it freed.
        freed: u64,
        /// Objects that it looked at and kept.
        survived: u64,
        /// Bytes of the objects that it freed.
        freed_bytes: u64,
    },
    /// This number is that of a thread of the collector's own, from now on until it is used again: what it does is no
    /// pause, and its time is the collector's. The thread says so when it begins, whenever it has done what it was asked
    /// for, and before it leaves, so that an observer can read what the thread has used by then.
    CollectorThread,
    /// A sample of the heap, at collections and whenever a mutator takes memory.
    Heap {
        /// Bytes of objects allocated and not freed.
        held_bytes: u64,
        /// Objects ever allocated.
        allocated_objects: u64,
        /// Their bytes.
        allocated_bytes: u64,
        /// Bytes of blocks and large objects in use.
        blocks_bytes: u64,
    },
    /// How often slots have been overwritten since the last such event, by the mutators of which it tells.
    Barrier {
        /// How many stores there were.
        stores: u64,
        /// How many of them took the barrier's slow path.
        logged: u64,
    },
    /// A finalizer panicked; the panic was caught and the program goes on.
    FinalizerPanicked {
        /// The name of the object's class.
        class: String,
        /// The panic's message.
        message: String,
    },
}

/// Why a mutator pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It waits while another mutator collects.
    Stop,
    /// It collects.
    Collection,
    /// It frees what the drop of one reference has killed.
    Cascade,
    /// It takes memory from the heap's space.
    SlowAllocation,
    /// It tells a collector that runs beside it what it has done and what it holds.
    Handshake,
    /// It waits because it allocates faster than the collector beside it collects, or has asked for a collection.
    Stall,
}
