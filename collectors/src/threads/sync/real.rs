//! The normal side of the switch: the standard library itself, at no cost.

#![allow(
    dead_code,
    reason = "what only models need is here too, so that both worlds have the same"
)]

use std::time::Duration;
pub(crate) use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, atomic},
    thread::{self, ScopedJoinHandle, scope},
};

/// A word that one thread at a time uses, by a protocol that the file holding it states.
///
/// Here it is a relaxed atomic, which compiles to plain loads and stores, so that a broken protocol is a wrong value and
/// never undefined behaviour. In a model it is a plain cell, and an access that the protocol does not order is a
/// causality violation.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Plain<T: Word>(T::Atomic);

impl<T: Word> Plain<T> {
    /// A cell that holds `value`.
    #[inline(always)]
    pub(crate) fn new(value: T) -> Self {
        Self(T::atomic(value))
    }

    /// The value.
    #[inline(always)]
    pub(crate) fn get(&self) -> T {
        T::get(&self.0)
    }

    /// Replaces the value.
    #[inline(always)]
    pub(crate) fn set(&self, value: T) {
        T::set(&self.0, value);
    }
}

/// The values that a `Plain` can hold.
pub(crate) trait Word: Copy {
    /// The atomic of the same size.
    type Atomic: std::fmt::Debug;
    fn atomic(value: Self) -> Self::Atomic;
    fn get(atomic: &Self::Atomic) -> Self;
    fn set(atomic: &Self::Atomic, value: Self);
}

macro_rules! words {
    ($($word:ty => $atomic:ty),*) => {
        $(impl Word for $word {
            type Atomic = $atomic;

            #[inline(always)]
            fn atomic(value: Self) -> $atomic {
                <$atomic>::new(value)
            }

            #[inline(always)]
            fn get(atomic: &$atomic) -> Self {
                // Relaxed: ordered by the protocol of whoever holds the cell.
                atomic.load(atomic::Ordering::Relaxed)
            }

            #[inline(always)]
            fn set(atomic: &$atomic, value: Self) {
                // Relaxed: ordered by the protocol of whoever holds the cell.
                atomic.store(value, atomic::Ordering::Relaxed);
            }
        })*
    };
}

words!(u32 => atomic::AtomicU32, u64 => atomic::AtomicU64, usize => atomic::AtomicUsize);

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

    /// The lifetime of a cell that is no object.
    #[inline(always)]
    pub(crate) const fn ended() -> Self {
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
