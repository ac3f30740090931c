//! Workloads: programs to try ways of managing memory on, each generic over the collector.
//!
//! This crate must never know a collector by name, a clock (time is told by a [`Stage`]), the file system at run time
//! (what a workload reads is embedded, or handed to it by the harness) or anything global. What a workload does is
//! determined by its parameters, its seed and its number of threads, and it proves what it did by a checksum of data
//! words read back through the heap.
//!
//! To add a workload: write a file with a type that implements [`Workload`], and add the type to the list below and
//! small parameters to the tests. It is then offered by name, validated, tested under every collector and charted like
//! the others. `friends.rs` is the plainest; `phases.rs` is played on the heap and on [`PlainMemory`].

#![forbid(unsafe_code)]

pub use choices::Choices;
pub use input::InputFile;
pub use manager::Manager;
pub use memory::{Memory, Reference};
pub use outcome::{Expected, Objects, Outcome};
pub use parameter::{Parameter, ParameterError};
pub use plain_memory::{PlainClass, PlainMemory, PlainRoot};
pub use program::Program;
pub use registry::WithWorkload;
pub use stage::{Stage, VirtualTime};
pub use workload::Workload;

mod chains;
mod choices;
mod compiled;
mod distributions;
mod erased;
mod faults;
mod input;
mod manager;
mod memory;
mod outcome;
mod parameter;
mod plain_memory;
mod program;
mod stage;
mod workload;
#[macro_use]
mod registry;

pub mod binary_trees;
pub mod dead_cycle_drip;
pub mod doubly_linked;
pub mod friends;
pub mod gcbench;
pub mod growing_live;
pub mod hand_off;
pub mod heap_graph;
pub mod hot_object;
pub mod ladder;
pub mod lifetimes;
pub mod long_list;
pub mod lru_cache;
pub mod phases;
pub mod random_graph;
pub mod requests;
pub mod rings;

workloads![
    friends::Friends,
    rings::Rings,
    binary_trees::BinaryTrees,
    gcbench::GcBench,
    growing_live::GrowingLive,
    heap_graph::HeapGraph,
    hand_off::HandOff,
    hot_object::HotObject,
    requests::Requests,
    long_list::LongList,
    ladder::Ladder,
    dead_cycle_drip::DeadCycleDrip,
    doubly_linked::DoublyLinked,
    lru_cache::LruCache,
    random_graph::RandomGraph,
    lifetimes::Lifetimes,
    phases::Phases,
];
