//! The std-or-loom switch: everything concurrent imports from here, and only here is either named.
//!
//! A normal build gets the types of the standard library themselves. A build with `--cfg loom` gets
//! loom's behind thin wrappers that count permutations, record every memory ordering with its place,
//! and weaken one of them on demand, so that a model can be shown to need it.
//!
//! | here                           | normal build              | model                                |
//! |--------------------------------|---------------------------|--------------------------------------|
//! | `atomic`, `Mutex`, `Arc`, ...  | the standard library's    | loom's, recorded and weakened        |
//! | [`Plain`]                      | plain loads and stores    | a data race is a causality violation |
//! | [`Lifetime`]                   | nothing, zero bytes       | so is a use after free               |
//! | [`scope`]                      | `std::thread::scope`      | spawn, then join in every case       |
//! | [`wait_for`]                   | waits with a limit        | never times out                      |
//! | [`capacity`]                   | the first, generous value | the second, tiny value               |
//! | [`mutant`]                     | `false`                   | whether this mutation is switched on |
//! | `epochs`                       | crossbeam's               | the same, on loom                    |
//! | `queues`                       | crossbeam's deques        | one queue behind a lock              |
//! | [`explore`] (tests)            | many repetitions          | every permutation within the bound   |

pub(crate) mod epochs;
#[cfg(loom)]
mod model;
pub(crate) mod queues;
#[cfg(not(loom))]
mod real;

#[cfg(loom)]
use model as world;
#[cfg(not(loom))]
use real as world;

#[cfg(test)]
pub(crate) use world::explore;
pub(crate) use world::{
    Arc, Condvar, Lifetime, Mutex, MutexGuard, Plain, RwLock, ScopedJoinHandle, atomic, mutant,
    scope, thread, wait_for,
};

/// A capacity: generous in a real run, tiny in a model so that loom reaches its edges.
pub(crate) const fn capacity(real: usize, model: usize) -> usize {
    if cfg!(loom) { model } else { real }
}
