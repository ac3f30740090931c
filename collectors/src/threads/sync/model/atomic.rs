//! Atomics that tell where they are used: loom's, each ordering recorded and perhaps weakened.

use std::panic::Location;
pub(crate) use std::sync::atomic::Ordering;

use loom::sync::{Condvar, atomic as loomed};

use super::sites::{self, Effect, Role};

/// A fence between the operations before it and those after.
#[track_caller]
pub(crate) fn fence(ordering: Ordering) {
    match sites::pass(Location::caller(), "fence", Role::Only, ordering) {
        Effect::Order(ordering) => loomed::fence(ordering),
        Effect::Removed => {}
    }
}

/// The ordering that an access uses in this run.
fn order(
    place: &'static Location<'static>,
    operation: &'static str,
    role: Role,
    ordering: Ordering,
) -> Ordering {
    match sites::pass(place, operation, role, ordering) {
        Effect::Order(ordering) => ordering,
        Effect::Removed => panic!("`{operation}` at {place} cannot be removed: it is no fence"),
    }
}

/// What makes the loads of one atomic depend on each other.
///
/// To find the schedules that differ, loom compares an access with the last one to the same atomic only. If a thread
/// loads and then stores, its store is compared with its own load, which hides an earlier load by another thread, and
/// the schedules in which the store comes before that load are never generated. A notification of a condition variable
/// that nobody waits for depends on every other and synchronises nothing, so each load makes one first.
#[derive(Debug)]
struct Turn(Condvar);

impl Turn {
    fn new() -> Self {
        Self(Condvar::new())
    }

    #[track_caller]
    fn take(&self) {
        self.0.notify_all();
    }
}

/// Read-modify-writes that take one value and one ordering.
macro_rules! updates {
    ($value:ty: $($update:ident)*) => {
        $(
            #[track_caller]
            pub(crate) fn $update(&self, value: $value, ordering: Ordering) -> $value {
                let place = Location::caller();
                self.0.$update(value, order(place, stringify!($update), Role::Only, ordering))
            }
        )*
    };
}

/// A wrapper with the methods of the standard library's atomic of the same name.
macro_rules! atomic {
    ($name:ident, $value:ty, $($update:ident)*) => {
        #[derive(Debug)]
        pub(crate) struct $name(loomed::$name, Turn);

        impl $name {
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Self(loomed::$name::new(value), Turn::new())
            }

            #[track_caller]
            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                self.1.take();
                self.0.load(order(Location::caller(), "load", Role::Only, ordering))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                self.0.store(value, order(Location::caller(), "store", Role::Only, ordering));
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let place = Location::caller();
                let success = order(place, "compare_exchange", Role::Success, success);
                let failure = order(place, "compare_exchange", Role::Failure, failure);
                self.0.compare_exchange(current, new, success, failure)
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let place = Location::caller();
                let set = order(place, "fetch_update", Role::Success, set);
                let fetch = order(place, "fetch_update", Role::Failure, fetch);
                self.1.take();
                self.0.fetch_update(set, fetch, update)
            }

            #[track_caller]
            pub(crate) fn into_inner(self) -> $value {
                // SAFETY: nobody else holds the atomic, which we were given whole.
                unsafe { self.0.unsync_load() }
            }

            updates!($value: swap $($update)*);
        }

        impl From<$value> for $name {
            #[track_caller]
            fn from(value: $value) -> Self {
                Self::new(value)
            }
        }
    };
}

/// Wrappers around atomic integers.
macro_rules! integers {
    ($($name:ident $value:ty,)*) => {
        $(
            atomic!(
                $name, $value,
                fetch_add fetch_sub fetch_and fetch_nand fetch_or fetch_xor fetch_max fetch_min
            );

            impl Default for $name {
                #[track_caller]
                fn default() -> Self {
                    Self::new(0)
                }
            }
        )*
    };
}

integers! {
    AtomicU8 u8,
    AtomicU16 u16,
    AtomicU32 u32,
    AtomicU64 u64,
    AtomicUsize usize,
    AtomicI32 i32,
    AtomicI64 i64,
    AtomicIsize isize,
}

atomic!(AtomicBool, bool, fetch_and fetch_nand fetch_or fetch_xor);

impl Default for AtomicBool {
    #[track_caller]
    fn default() -> Self {
        Self::new(false)
    }
}

/// A wrapper with the methods of `std::sync::atomic::AtomicPtr`.
#[derive(Debug)]
pub(crate) struct AtomicPtr<T>(loomed::AtomicPtr<T>, Turn);

impl<T> AtomicPtr<T> {
    #[track_caller]
    pub(crate) fn new(value: *mut T) -> Self {
        Self(loomed::AtomicPtr::new(value), Turn::new())
    }

    #[track_caller]
    pub(crate) fn load(&self, ordering: Ordering) -> *mut T {
        self.1.take();
        self.0.load(order(Location::caller(), "load", Role::Only, ordering))
    }

    #[track_caller]
    pub(crate) fn store(&self, value: *mut T, ordering: Ordering) {
        self.0.store(value, order(Location::caller(), "store", Role::Only, ordering));
    }

    #[track_caller]
    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        let place = Location::caller();
        let success = order(place, "compare_exchange", Role::Success, success);
        let failure = order(place, "compare_exchange", Role::Failure, failure);
        self.0.compare_exchange(current, new, success, failure)
    }

    #[track_caller]
    pub(crate) fn compare_exchange_weak(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.compare_exchange(current, new, success, failure)
    }

    updates!(*mut T: swap);
}
