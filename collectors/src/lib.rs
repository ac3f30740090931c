//! Ways of managing memory, behind one interface.
//!
//! This crate knows no clock, no file, no command line, no workload, and has no global state: a heap is a value, and two
//! of them can live in one process. What should be timed it reports to an [`Observer`].
//!
//! # Words
//!
//! | word       | meaning                                                                                             |
//! |------------|-----------------------------------------------------------------------------------------------------|
//! | object     | a header (the collector's), a descriptor, reference slots, data words                               |
//! | root       | a reference held by the program: a label                                                            |
//! | slot       | a reference held by an object                                                                       |
//! | mutator    | one thread's handle on a heap; also the thread                                                      |
//! | barrier    | what a collector does at a load or a store                                                          |
//! | safepoint  | where a mutator can be stopped                                                                      |
//! | share      | a mutator's part of a heap's memory; a *seat* is its place in the heap                              |
//! | cascade    | the chain of destructions that the drop of one reference causes                                     |
//! | generation | objects of about the same age; the youngest is 0                                                    |
//! | section    | a mutator's time between two safepoints, in which others free nothing that it may be reading        |
//! | stop       | all mutators but one are kept at safepoints                                                         |
//!
//! # Where to start
//!
//! `collector.rs` has the traits, `refcount.rs` the simplest collector that frees anything. A new collector is one file
//! and one line in the list below.

pub mod audit;
mod biased;
pub mod coalescing;
mod collector;
pub mod concurrent_counting;
pub mod counts;
mod cycles;
pub mod deferred;
mod event;
mod finalization;
pub mod generational;
mod heap;
pub mod incremental;
pub mod leak;
mod list;
pub mod mark_sweep;
mod marking;
mod program;
pub mod recycler;
pub mod refcount;
mod roots;
pub mod snapshot;
mod sweeping;
mod threads;
pub mod trial_deletion;
pub mod triggers;

pub use crate::{
    collector::{
        Capabilities, Collected, Collector, Finalizers, Local, NoSettings, Progress, Reclaims,
        Setting, SettingsError,
    },
    event::{Cause, Event, Observer},
    heap::{
        Amount, Class, Header, Kind, Layout, Object, Options, OutOfMemory, Seat, SideTables,
        Statistics,
    },
    list::{NAMES, WithCollector, with_collector},
    program::{Heap, Mutator, Root, Shared, object_bytes},
};
