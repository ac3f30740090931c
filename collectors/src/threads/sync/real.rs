//! The normal side of the switch: the standard library itself, at no cost.

#![allow(dead_code, reason = "the switch offers what the protocols to come will need")]

use std::{cell::UnsafeCell, time::Duration};
#[allow(unused_imports, reason = "the switch offers what the protocols to come will need")]
pub(crate) use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic},
    thread::{self, Scope, ScopedJoinHandle, scope},
};

/// A value shared by protocol and not by atomics: who may touch it when is proven by the file that
/// holds it.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Plain<T>(UnsafeCell<T>);

// SAFETY: `get` and `set` are the only accesses through a shared reference, and both make their
// callers promise that no other thread writes (`get`) or touches (`set`) the value meanwhile.
unsafe impl<T: Send> Sync for Plain<T> {}

impl<T: Copy> Plain<T> {
    /// A cell that holds `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The value.
    ///
    /// # Safety
    ///
    /// No other thread writes the value without having synchronised with this read.
    #[inline(always)]
    pub(crate) unsafe fn get(&self) -> T {
        // SAFETY: the pointer is the cell's own, and our caller keeps writers away.
        unsafe { *self.0.get() }
    }

    /// Replaces the value.
    ///
    /// # Safety
    ///
    /// No other thread reads or writes the value without having synchronised with this write.
    #[inline(always)]
    pub(crate) unsafe fn set(&self, value: T) {
        // SAFETY: the pointer is the cell's own, and our caller keeps everybody else away.
        unsafe { *self.0.get() = value };
    }

    /// The value, for whoever has the cell to itself.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// Whether an object is alive, known to models only.
///
/// A protocol calls `access` wherever it touches the object and `end` where it frees it. Here that
/// costs nothing; in a model a use after free becomes a violation, whatever the schedule.
#[derive(Debug, Default)]
pub(crate) struct Lifetime;

impl Lifetime {
    /// The lifetime of an object that begins now.
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Says that the object is touched: in a model it must be alive.
    #[inline(always)]
    pub(crate) fn access(&self) {}

    /// Says that the object is freed: in a model it must be alive, and everybody else be done.
    #[inline(always)]
    pub(crate) fn end(&self) {}
}

/// Waits for `condvar` at most for `limit`; says whether the limit was reached.
///
/// In a model the limit is never reached: what depends on it is a safety net and no protocol.
pub(crate) fn wait_for<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Duration,
) -> (MutexGuard<'a, T>, bool) {
    let (guard, waited) =
        condvar.wait_timeout(guard, limit).unwrap_or_else(std::sync::PoisonError::into_inner);
    (guard, waited.timed_out())
}

/// Whether the mutation called `name` is switched on: never in a normal build.
#[inline(always)]
pub(crate) const fn mutant(_name: &str) -> bool {
    false
}

/// Runs `test`, a law of the protocol called `protocol`, over and over.
///
/// A thousand times, unless `CYCLOTRON_REPETITIONS` says otherwise. The same test is explored in
/// every interleaving by `cyclotron check`.
#[cfg(test)]
pub(crate) fn explore(protocol: &'static str, test: impl Fn() + Send + Sync + 'static) {
    assert!(!protocol.is_empty(), "a model must name its protocol");
    let told = std::env::var("CYCLOTRON_REPETITIONS").ok();
    let repetitions = told.map_or(1_000, |count| {
        count.parse().expect("`CYCLOTRON_REPETITIONS` should be a whole number")
    });
    for _ in 0..repetitions {
        test();
    }
}
