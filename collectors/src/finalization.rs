//! Finalization: what a tracing collector knows of objects with finalizers, and those whose finalizers wait.
//!
//! A collection cannot run finalizers itself: it may have stopped the world, or run on a thread of its own. It queues the
//! objects, which are roots for as long as they wait, and a mutator runs their finalizers at its next safepoint.

use std::collections::VecDeque;

use crate::{
    heap::{Header, Object, core::Core},
    threads::{
        sync::{Mutex, MutexGuard},
        world::Attention,
    },
};

/// Unreachable objects whose finalizers have to be run, in the order in which they were found.
pub(crate) struct Waiting<H> {
    objects: Mutex<VecDeque<Object<H>>>,
}

/// Objects of one mutator whose classes have a finalizer that has not been called.
pub(crate) struct Finalizable<H> {
    objects: Mutex<Vec<Object<H>>>,
}

impl<H: Header> Waiting<H> {
    /// Nothing waits.
    pub(crate) fn new() -> Self {
        Self { objects: Mutex::new(VecDeque::new()) }
    }

    /// Adds objects, and calls for a mutator.
    pub(crate) fn extend(&self, core: &Core<H>, dying: &[Object<H>]) {
        if !dying.is_empty() {
            self.lock().extend(dying);
            core.world.call(Attention::FINALIZERS);
        }
    }

    /// Takes the object that has waited longest.
    pub(crate) fn take(&self, core: &Core<H>) -> Option<Object<H>> {
        let mut objects = self.lock();
        let object = objects.pop_front();
        if objects.is_empty() {
            core.world.clear(Attention::FINALIZERS);
        }
        object
    }

    /// The objects that wait.
    pub(crate) fn objects(&self) -> Vec<Object<H>> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Object<H>>> {
        self.objects.lock().expect("nothing panics while it holds this lock")
    }
}

impl<H: Header> Finalizable<H> {
    /// There are none.
    pub(crate) fn new() -> Self {
        Self { objects: Mutex::new(Vec::new()) }
    }

    /// Adds a new object.
    pub(crate) fn push(&self, object: Object<H>) {
        self.lock().push(object);
    }

    /// Takes those that are `dying`.
    pub(crate) fn take(&self, is_dying: impl Fn(Object<H>) -> bool) -> Vec<Object<H>> {
        self.lock().extract_if(.., |object| is_dying(*object)).collect()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// All of them.
    pub(crate) fn objects(&self) -> Vec<Object<H>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Object<H>>> {
        self.objects.lock().expect("nothing panics while it holds this lock")
    }
}
