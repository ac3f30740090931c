//! The model's side of the switch: loom's types, with every memory ordering recorded.

#![allow(
    dead_code,
    reason = "atomics are wrapped whole, as the standard library has them; which of it is used varies"
)]

pub(crate) mod atomic;
#[cfg(test)]
mod explore;
#[cfg(test)]
mod record;
mod sites;
#[cfg(test)]
mod tests;
pub(crate) mod thread;

// The standard library's: loom's cannot be a method's `self`, nor hold what has no size.
pub(crate) use std::sync::Arc;
use std::time::Duration;

use loom::cell::UnsafeCell;
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, RwLock};

#[cfg(test)]
pub(crate) use explore::explore;
pub(crate) use sites::mutant;
pub(crate) use thread::{ScopedJoinHandle, scope};

/// A value shared by protocol and not by atomics: a data race on it is a causality violation.
#[derive(Debug, Default)]
pub(crate) struct Plain<T>(UnsafeCell<T>);

// SAFETY: every access goes through loom's cell, which stops the model before two of them race.
unsafe impl<T: Send> Sync for Plain<T> {}

// SAFETY: the cell owns its value, and loom's own state is reached by index and not by pointer.
unsafe impl<T: Send> Send for Plain<T> {}

impl<T: Copy> Plain<T> {
    /// A cell that holds `value`.
    #[track_caller]
    pub(crate) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The value.
    #[track_caller]
    pub(crate) fn get(&self) -> T {
        // SAFETY: loom hands out the cell's own pointer, after it has seen that nobody writes.
        self.0.with(|value| unsafe { *value })
    }

    /// Replaces the value.
    #[track_caller]
    pub(crate) fn set(&self, value: T) {
        // SAFETY: loom hands out the cell's own pointer, after it has seen that nobody else is at it.
        self.0.with_mut(|place| unsafe { *place = value });
    }
}

/// Whether an object is alive: a use after free is a causality violation, whatever the schedule.
///
/// loom does not see memory freed, so it would neither generate the schedules in which another
/// thread frees between two operations, nor notice that freed memory is read. It does see this cell:
/// each access reads it, and freeing writes it.
#[derive(Debug)]
pub(crate) struct Lifetime {
    alive: UnsafeCell<bool>,
}

// SAFETY: every access goes through loom's cell, which stops the model before two of them race.
unsafe impl Sync for Lifetime {}

impl Lifetime {
    /// The lifetime of an object that begins now.
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self { alive: UnsafeCell::new(true) }
    }

    /// The lifetime of a cell that is no object.
    #[track_caller]
    pub(crate) fn ended() -> Self {
        Self { alive: UnsafeCell::new(false) }
    }

    /// Says that the object is touched: it must be alive.
    #[track_caller]
    pub(crate) fn access(&self) {
        // SAFETY: loom hands out the cell's own pointer, after it has seen that nobody writes.
        let alive = self.alive.with(|alive| unsafe { *alive });
        assert!(alive, "an object was used after it was freed");
    }

    /// Says that the object is freed: it must be alive, and everybody else be done with it.
    #[track_caller]
    pub(crate) fn end(&self) {
        // SAFETY: loom hands out the cell's own pointer, after it has seen that nobody else is at it.
        let was_alive = self.alive.with_mut(|alive| unsafe { alive.replace(false) });
        assert!(was_alive, "an object was freed twice");
    }
}

impl Default for Lifetime {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// Waits for `condvar`; the limit is never reached, because a model has no clock.
#[track_caller]
pub(crate) fn wait_for<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    _limit: Duration,
) -> (MutexGuard<'a, T>, bool) {
    (condvar.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner), false)
}
