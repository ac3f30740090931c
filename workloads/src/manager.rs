//! Who manages the memory that a program works on: a collector that the program is compiled for, or any at all.
//!
//! Programs are written once, over [`Manager`]. What is timed is compiled for each collector of the list, with its
//! barriers in it. What is audited or injected with faults is compiled once, for [`Erased`](crate::erased::Erased), or
//! the number of programs to be compiled would be twice the product of both lists.

use collectors::{Class, Collector, Heap, Layout, Mutator, OutOfMemory, Root, Shared};

use crate::{Reference, program::Run};

/// A way to a heap, its classes and its references. They are called as [`Program`](crate::Program) says.
pub trait Manager: Sized + 'static {
    /// The heap.
    type Heap: ?Sized + Sync;
    /// One thread's handle on it.
    type Mutator<'m>: Copy;
    /// A class of objects.
    type Class: Send + Sync;
    /// A reference that the program holds.
    type Root<'m>: Reference;
    /// A reference that may cross threads.
    type Shared: Send + Sync;

    /// Runs `body` as a mutator of the heap.
    fn attached<R>(
        heap: &Self::Heap,
        run: Run<'_>,
        body: impl for<'m> FnOnce(Self::Mutator<'m>, Run<'m>) -> R,
    ) -> R;

    /// Runs `body` on each of the threads of a run and gives their results in order.
    fn threads<T: Send>(
        heap: &Self::Heap,
        run: Run<'_>,
        body: impl for<'m> Fn(Self::Mutator<'m>, Run<'m>, usize) -> T + Sync,
    ) -> Vec<T>;

    /// Makes a class.
    fn class(mutator: Self::Mutator<'_>, form: &Form<'_>) -> Self::Class;

    /// Makes an object.
    ///
    /// # Errors
    ///
    /// The memory is exhausted.
    fn alloc<'m>(
        mutator: Self::Mutator<'m>,
        class: &Self::Class,
    ) -> Result<Self::Root<'m>, OutOfMemory>;

    /// Makes an object with so many slots beyond those of its class.
    ///
    /// # Errors
    ///
    /// The memory is exhausted.
    fn alloc_with<'m>(
        mutator: Self::Mutator<'m>,
        class: &Self::Class,
        slots: u32,
    ) -> Result<Self::Root<'m>, OutOfMemory>;

    /// Stores a reference.
    fn set<'m>(object: &Self::Root<'m>, slot: usize, value: Option<&Self::Root<'m>>);

    /// Stores a reference and gives the one that was there.
    fn swap<'m>(
        object: &Self::Root<'m>,
        slot: usize,
        value: Option<&Self::Root<'m>>,
    ) -> Option<Self::Root<'m>>;

    /// How many data words the object has.
    fn words(object: &Self::Root<'_>) -> usize;

    /// Reads a data word.
    fn word(object: &Self::Root<'_>, index: usize) -> u64;

    /// Writes a data word.
    fn set_word(object: &Self::Root<'_>, index: usize, value: u64);

    /// A handle that may cross threads.
    fn share(object: &Self::Root<'_>) -> Self::Shared;

    /// A root for what another thread has shared.
    fn adopt<'m>(mutator: Self::Mutator<'m>, shared: &Self::Shared) -> Self::Root<'m>;

    /// Runs `wait` while the mutator counts as stopped.
    fn blocked<R: Send>(mutator: Self::Mutator<'_>, wait: impl FnOnce() -> R + Send) -> R;

    /// Answers a stop.
    fn safepoint(mutator: Self::Mutator<'_>);
}

/// What the objects of a class look like.
#[derive(Clone, Copy, Debug)]
pub struct Form<'f> {
    /// The name of the class.
    pub name: &'f str,
    /// Reference slots.
    pub slots: u32,
    /// Data words.
    pub words: u32,
    /// Whether they can be part of a cycle.
    pub cyclic: bool,
}

impl<C: Collector> Manager for C {
    type Heap = Heap<C>;
    type Mutator<'m> = &'m Mutator<C>;
    type Class = Class<C>;
    type Root<'m> = Root<'m, C>;
    type Shared = Shared<C>;

    fn attached<R>(
        heap: &Heap<C>,
        run: Run<'_>,
        body: impl for<'m> FnOnce(&'m Mutator<C>, Run<'m>) -> R,
    ) -> R {
        body(&heap.attach(), run)
    }

    fn threads<T: Send>(
        heap: &Heap<C>,
        run: Run<'_>,
        body: impl for<'m> Fn(&'m Mutator<C>, Run<'m>, usize) -> T + Sync,
    ) -> Vec<T> {
        heap.threads(run.threads, |mutator, thread| body(mutator, run, thread))
    }

    fn class(mutator: &Mutator<C>, form: &Form<'_>) -> Class<C> {
        let layout = Layout::new(form.name).slots(form.slots).words(form.words);
        mutator.heap().class(if form.cyclic { layout } else { layout.acyclic() })
    }

    #[inline(always)]
    fn alloc<'m>(
        mutator: Self::Mutator<'m>,
        class: &Class<C>,
    ) -> Result<Self::Root<'m>, OutOfMemory> {
        mutator.alloc(class)
    }

    #[inline(always)]
    fn alloc_with<'m>(
        mutator: Self::Mutator<'m>,
        class: &Class<C>,
        slots: u32,
    ) -> Result<Self::Root<'m>, OutOfMemory> {
        mutator.alloc_with(class, slots)
    }

    #[inline(always)]
    fn set<'m>(object: &Root<'m, C>, slot: usize, value: Option<&Root<'m, C>>) {
        object.set(slot, value);
    }

    #[inline(always)]
    fn swap<'m>(
        object: &Self::Root<'m>,
        slot: usize,
        value: Option<&Self::Root<'m>>,
    ) -> Option<Self::Root<'m>> {
        object.swap(slot, value)
    }

    #[inline(always)]
    fn words(object: &Root<'_, C>) -> usize {
        object.words()
    }

    #[inline(always)]
    fn word(object: &Root<'_, C>, index: usize) -> u64 {
        object.word(index)
    }

    #[inline(always)]
    fn set_word(object: &Root<'_, C>, index: usize, value: u64) {
        object.set_word(index, value);
    }

    fn share(object: &Root<'_, C>) -> Shared<C> {
        object.share()
    }

    fn adopt<'m>(mutator: Self::Mutator<'m>, shared: &Shared<C>) -> Self::Root<'m> {
        mutator.adopt(shared)
    }

    fn blocked<R: Send>(mutator: &Mutator<C>, wait: impl FnOnce() -> R + Send) -> R {
        mutator.blocked(wait)
    }

    #[inline(always)]
    fn safepoint(mutator: &Mutator<C>) {
        mutator.safepoint();
    }
}

impl<C: Collector> Reference for Root<'_, C> {
    #[inline]
    fn get(&self, slot: usize) -> Option<Self> {
        Root::get(self, slot)
    }

    #[inline]
    fn slots(&self) -> usize {
        Root::slots(self)
    }

    #[inline]
    fn key(&self) -> u64 {
        self.word(self.words() - 1)
    }

    #[inline]
    fn same(&self, other: &Self) -> bool {
        Root::same(self, other)
    }
}
