//! Biased: reference counting in which the owner of an object counts without atomic operations, with a detection of cycles
//! behind it.
//!
//! After J. Choi, T. Shull, J. Torrellas, *Biased reference counting: minimizing atomic operations in garbage collection*,
//! PACT 2018; the queues after S. Gross, *PEP 703: Making the global interpreter lock optional in CPython*, 2023.
//!
//! # How it works
//!
//! 1. *Count* (`counts/biased.rs`). An object belongs to the seat of the mutator that made it. Who sits there counts its
//!    references in a field of its own, with a comparison and a plain addition. All others count in a second field,
//!    atomically, which may fall below zero.
//! 2. *Merge.* When the owner drops the last reference that it has counted, both fields become one, which everybody counts
//!    in from then on; whoever brings it to zero destroys the object.
//! 3. *Queue* (`counts/merge.rs`). When somebody else drops a reference that may be the last, the reference goes into the
//!    owner's queue. At its next safepoint the owner merges the count and drops the reference; if that was the last one,
//!    the object dies there, and its finalizer runs on the owner's thread. If the owner has left, whoever drops does both.
//! 4. *Load.* A load by the owner of what it finds needs no lock on the slot (`counts/slot.rs`): nobody else can end it.
//! 5. *Detect cycles* (`generational.rs`). With the world stopped the sum of both fields is the count, and all is as with
//!    any other count. The references in all queues are merged first; whoever has stopped the world drops them after it.
//!
//! # Invariants
//!
//! 1. The sum of an object's two fields is the number of roots, slots, shared entries and queue entries that refer to it.
//! 2. Those of `counts/biased.rs`, `counts/merge.rs` and `generational.rs`.
//!
//! # Synchronization
//!
//! | variable       | written by                             | read by   | protocol                                 |
//! |----------------|----------------------------------------|-----------|------------------------------------------|
//! | counts, queues | see `counts/biased.rs`, `counts/merge.rs`                                                  |
//! | the rest       | see `generational.rs`                                                                     |
//!
//! # How long garbage waits
//!
//! What dies in a queue is freed at the owner's next safepoint, or after the next collection by anybody, whichever comes
//! first. An owner that comes to no safepoint keeps it for as long as a stop of the world may take, and not longer: there
//! the time limit ends the run. An owner in `blocked` is not asked, and its garbage waits for the next collection, or for
//! its return. Queued garbage that can be part of a cycle is not counted as freed, so it makes the next young collection
//! due like any other: there are never more such objects than the young threshold and what mutators keep to themselves.
//! An audit reports what waits as floating.
//!
//! # Departures
//!
//! The owner is a seat and not a thread: the next mutator to sit there takes its objects over, as it takes over the memory
//! they lie in. Cycles are detected in generations, where CPython's build without the lock always looks at everything.

use crate::counts::Description;

/// What the collector is called.
pub(crate) const DESCRIPTION: Description = Description {
    name: "biased",
    summary: "counts references without atomic operations where the object was made, and finds cycles in generations",
    paper: "J. Choi, T. Shull, J. Torrellas, Biased reference counting: minimizing atomic operations in garbage \
            collection, PACT, 2018; S. Gross, PEP 703, 2023",
};
