//! A heap whose collector is not known to the program: every operation is a call through a table.
//!
//! A mutator keeps its roots in a list, and the program holds their places in it. The operations that the collector sees
//! are the same, one by one, as those of a program that is compiled for it; only the time differs.

use collectors::{Class, Collector, Heap, Mutator, OutOfMemory, Root, Shared};
use std::{
    any::Any,
    cell::{Ref, RefCell},
    sync::Mutex,
};

use crate::{
    Reference,
    manager::{Form, Manager},
    program::Run,
};

/// Whatever collector the heap has.
pub(crate) enum Erased {}

/// A heap, whatever its collector.
pub(crate) trait ErasedHeap: Any + Sync {
    /// Runs `body` as a mutator.
    fn attached(&self, body: &mut dyn FnMut(&dyn ErasedMutator));

    /// Runs `body` on `count` new threads.
    fn threads(&self, count: usize, body: &(dyn Fn(&dyn ErasedMutator, usize) + Sync));
}

/// A class or a shared handle, whatever its collector.
type Opaque = Box<dyn Any + Send + Sync>;

/// A root's place in its mutator's list.
type Place = usize;

/// A mutator, whatever its collector.
pub(crate) trait ErasedMutator {
    /// Makes a class.
    fn class(&self, form: &Form<'_>) -> Opaque;
    /// Makes an object with slots beyond those of its class.
    ///
    /// # Errors
    ///
    /// The memory is exhausted.
    fn alloc(&self, class: &Opaque, slots: u32) -> Result<Place, OutOfMemory>;
    /// Copies a root.
    fn copy(&self, root: Place) -> Place;
    /// Drops a root, whose place is then free.
    fn release(&self, root: Place);
    /// Loads a reference.
    fn get(&self, object: Place, slot: usize) -> Option<Place>;
    /// Stores a reference.
    fn set(&self, object: Place, slot: usize, value: Option<Place>);
    /// Stores a reference and gives the one that was there.
    fn swap(&self, object: Place, slot: usize, value: Option<Place>) -> Option<Place>;
    /// How many slots the object has.
    fn slots(&self, object: Place) -> usize;
    /// How many data words the object has.
    fn words(&self, object: Place) -> usize;
    /// Reads a data word.
    fn word(&self, object: Place, index: usize) -> u64;
    /// Writes a data word.
    fn set_word(&self, object: Place, index: usize, value: u64);
    /// Whether both refer to the same object.
    fn same(&self, one: Place, other: Place) -> bool;
    /// A handle that may cross threads.
    fn share(&self, root: Place) -> Opaque;
    /// A root for what another thread has shared.
    fn adopt(&self, shared: &Opaque) -> Place;
    /// Runs `wait` while the mutator counts as stopped.
    fn blocked(&self, wait: &mut (dyn FnMut() + Send));
    /// Answers a stop.
    fn safepoint(&self);
}

/// A reference that the program holds, by its place.
pub(crate) struct ErasedRoot<'m> {
    mutator: &'m dyn ErasedMutator,
    place: Place,
}

impl<'m> ErasedRoot<'m> {
    fn beside(&self, place: Place) -> ErasedRoot<'m> {
        ErasedRoot { mutator: self.mutator, place }
    }
}

impl Clone for ErasedRoot<'_> {
    fn clone(&self) -> Self {
        self.beside(self.mutator.copy(self.place))
    }
}

impl Drop for ErasedRoot<'_> {
    fn drop(&mut self) {
        self.mutator.release(self.place);
    }
}

impl Reference for ErasedRoot<'_> {
    fn get(&self, slot: usize) -> Option<Self> {
        self.mutator.get(self.place, slot).map(|place| self.beside(place))
    }

    fn slots(&self) -> usize {
        self.mutator.slots(self.place)
    }

    fn key(&self) -> u64 {
        self.mutator.word(self.place, self.mutator.words(self.place) - 1)
    }

    fn same(&self, other: &Self) -> bool {
        self.mutator.same(self.place, other.place)
    }
}

impl Manager for Erased {
    type Heap = dyn ErasedHeap;
    type Mutator<'m> = &'m dyn ErasedMutator;
    type Class = Opaque;
    type Root<'m> = ErasedRoot<'m>;
    type Shared = Opaque;

    fn attached<R>(
        heap: &Self::Heap,
        run: Run<'_>,
        body: impl for<'m> FnOnce(&'m dyn ErasedMutator, Run<'m>) -> R,
    ) -> R {
        let (mut body, mut result) = (Some(body), None);
        heap.attached(&mut |mutator| result = body.take().map(|body| body(mutator, run)));
        result.expect("the body was called, and once")
    }

    fn threads<T: Send>(
        heap: &Self::Heap,
        run: Run<'_>,
        body: impl for<'m> Fn(&'m dyn ErasedMutator, Run<'m>, usize) -> T + Sync,
    ) -> Vec<T> {
        let results: Vec<Mutex<Option<T>>> = (0..run.threads).map(|_| Mutex::new(None)).collect();
        heap.threads(run.threads, &|mutator, thread| {
            let result = body(mutator, run, thread);
            *results[thread].lock().expect("nothing panics with this lock") = Some(result);
        });
        let result = |slot: Mutex<Option<T>>| slot.into_inner().ok().flatten();
        results.into_iter().map(|slot| result(slot).expect("each thread has ended")).collect()
    }

    fn class(mutator: &dyn ErasedMutator, form: &Form<'_>) -> Opaque {
        mutator.class(form)
    }

    fn alloc<'m>(
        mutator: Self::Mutator<'m>,
        class: &Opaque,
    ) -> Result<Self::Root<'m>, OutOfMemory> {
        Self::alloc_with(mutator, class, 0)
    }

    fn alloc_with<'m>(
        mutator: Self::Mutator<'m>,
        class: &Opaque,
        slots: u32,
    ) -> Result<Self::Root<'m>, OutOfMemory> {
        mutator.alloc(class, slots).map(|place| ErasedRoot { mutator, place })
    }

    fn set<'m>(object: &ErasedRoot<'m>, slot: usize, value: Option<&ErasedRoot<'m>>) {
        object.mutator.set(object.place, slot, value.map(|value| value.place));
    }

    fn swap<'m>(
        object: &Self::Root<'m>,
        slot: usize,
        value: Option<&Self::Root<'m>>,
    ) -> Option<Self::Root<'m>> {
        let found = object.mutator.swap(object.place, slot, value.map(|value| value.place));
        found.map(|place| object.beside(place))
    }

    fn words(object: &ErasedRoot<'_>) -> usize {
        object.mutator.words(object.place)
    }

    fn word(object: &ErasedRoot<'_>, index: usize) -> u64 {
        object.mutator.word(object.place, index)
    }

    fn set_word(object: &ErasedRoot<'_>, index: usize, value: u64) {
        object.mutator.set_word(object.place, index, value);
    }

    fn share(object: &ErasedRoot<'_>) -> Opaque {
        object.mutator.share(object.place)
    }

    fn adopt<'m>(mutator: Self::Mutator<'m>, shared: &Opaque) -> Self::Root<'m> {
        ErasedRoot { mutator, place: mutator.adopt(shared) }
    }

    fn blocked<R: Send>(mutator: &dyn ErasedMutator, wait: impl FnOnce() -> R + Send) -> R {
        let (mut wait, mut result) = (Some(wait), None);
        mutator.blocked(&mut || result = wait.take().map(|wait| wait()));
        result.expect("the wait was called, and once")
    }

    fn safepoint(mutator: &dyn ErasedMutator) {
        mutator.safepoint();
    }
}

impl<C: Collector> ErasedHeap for Heap<C> {
    fn attached(&self, body: &mut dyn FnMut(&dyn ErasedMutator)) {
        body(&Roots::of(&self.attach()));
    }

    fn threads(&self, count: usize, body: &(dyn Fn(&dyn ErasedMutator, usize) + Sync)) {
        Heap::threads(self, count, |mutator, thread| body(&Roots::of(mutator), thread));
    }
}

/// A mutator and the program's roots.
///
/// No operation that may panic borrows the lists mutably: a panic that the audit ends the run by drops all roots.
struct Roots<'m, C: Collector> {
    mutator: &'m Mutator<C>,
    roots: RefCell<Vec<Option<Root<'m, C>>>>,
    /// Places of no root.
    free: RefCell<Vec<Place>>,
}

impl<'m, C: Collector> Roots<'m, C> {
    fn of(mutator: &'m Mutator<C>) -> Self {
        Self { mutator, roots: RefCell::default(), free: RefCell::default() }
    }

    fn enter(&self, root: Root<'m, C>) -> Place {
        let mut roots = self.roots.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or(roots.len());
        if place == roots.len() {
            roots.push(Some(root));
        } else {
            roots[place] = Some(root);
        }
        place
    }

    fn at(&self, place: Place) -> Ref<'_, Root<'m, C>> {
        Ref::map(self.roots.borrow(), |roots| roots[place].as_ref().expect("a root is here"))
    }
}

impl<C: Collector> ErasedMutator for Roots<'_, C> {
    fn class(&self, form: &Form<'_>) -> Opaque {
        Box::new(C::class(self.mutator, form))
    }

    fn alloc(&self, class: &Opaque, slots: u32) -> Result<Place, OutOfMemory> {
        let class: &Class<C> = (**class).downcast_ref().expect("a class of this heap");
        self.mutator.alloc_with(class, slots).map(|root| self.enter(root))
    }

    fn copy(&self, root: Place) -> Place {
        let copy = self.at(root).clone();
        self.enter(copy)
    }

    fn release(&self, root: Place) {
        let taken = self.roots.borrow_mut()[root].take();
        self.free.borrow_mut().push(root);
        drop(taken);
    }

    fn get(&self, object: Place, slot: usize) -> Option<Place> {
        let found = self.at(object).get(slot);
        found.map(|root| self.enter(root))
    }

    fn set(&self, object: Place, slot: usize, value: Option<Place>) {
        self.at(object).set(slot, value.map(|value| self.at(value)).as_deref());
    }

    fn swap(&self, object: Place, slot: usize, value: Option<Place>) -> Option<Place> {
        let found = self.at(object).swap(slot, value.map(|value| self.at(value)).as_deref());
        found.map(|root| self.enter(root))
    }

    fn slots(&self, object: Place) -> usize {
        self.at(object).slots()
    }

    fn words(&self, object: Place) -> usize {
        self.at(object).words()
    }

    fn word(&self, object: Place, index: usize) -> u64 {
        self.at(object).word(index)
    }

    fn set_word(&self, object: Place, index: usize, value: u64) {
        self.at(object).set_word(index, value);
    }

    fn same(&self, one: Place, other: Place) -> bool {
        self.at(one).same(&self.at(other))
    }

    fn share(&self, root: Place) -> Opaque {
        Box::new(self.at(root).share())
    }

    fn adopt(&self, shared: &Opaque) -> Place {
        let shared: &Shared<C> = (**shared).downcast_ref().expect("a shared handle of this heap");
        self.enter(self.mutator.adopt(shared))
    }

    fn blocked(&self, wait: &mut (dyn FnMut() + Send)) {
        self.mutator.blocked(wait);
    }

    fn safepoint(&self) {
        self.mutator.safepoint();
    }
}
