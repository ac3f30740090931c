//! Mutators: one thread's handle on a heap.

use std::{
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::root::{Root, Shared};
use crate::{
    Class, Collected, Collector, Event, Heap, OutOfMemory, Progress,
    collector::Local,
    heap::{Kind, Object, seat::Condition},
    threads::{message_of, world::Attention},
};

/// How deep finalizers interrupt each other; below, they wait for the outer one to end. (CPython's trashcan has the same
/// number, for the same reason: the stack.)
const MAX_DEPTH: u32 = 50;

/// One thread's handle on a heap: allocates, collects, and is what roots belong to.
///
/// It cannot leave its thread, and neither can its roots:
///
/// ```compile_fail,E0277
/// # use collectors::{Heap, Options, refcount::RefCount};
/// let heap = Heap::<RefCount>::new(Default::default(), Options::default()).unwrap();
/// let mutator = heap.attach();
/// std::thread::scope(|scope| { scope.spawn(|| mutator.safepoint()); });
/// ```
pub struct Mutator<C: Collector> {
    pub(crate) local: C::Local,
    pub(crate) heap: Heap<C>,
    /// Neither `Send` nor `Sync`, whatever `local` is made of.
    not_send: PhantomData<*mut ()>,
}

impl<C: Collector> fmt::Debug for Mutator<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Mutator<{}> {}", C::NAME, self.local.seat().index)
    }
}

impl<C: Collector> Mutator<C> {
    pub(crate) fn new(heap: Heap<C>, local: C::Local) -> Self {
        Self { local, heap, not_send: PhantomData }
    }

    /// The heap.
    pub fn heap(&self) -> &Heap<C> {
        &self.heap
    }

    /// A new object of `class`: null slots, zero words. A safepoint.
    ///
    /// # Errors
    ///
    /// If the heap's limit is reached and a full collection does not help.
    ///
    /// # Panics
    ///
    /// If `class` is of another heap.
    #[inline(always)]
    pub fn alloc(&self, class: &Class<C>) -> Result<Root<'_, C>, OutOfMemory> {
        self.require_same_heap(class);
        self.alloc_kind(&class.kind)
    }

    /// As `alloc`, with `extra` slots beyond the class's own: a list, a tuple, a table.
    ///
    /// # Errors
    ///
    /// If the heap's limit is reached and a full collection does not help.
    ///
    /// # Panics
    ///
    /// If `class` is of another heap, or no object can have so many slots.
    pub fn alloc_with(&self, class: &Class<C>, extra: u32) -> Result<Root<'_, C>, OutOfMemory> {
        self.require_same_heap(class);
        self.alloc_kind(&class.kind.lengthened::<C::Header>(extra))
    }

    #[inline(always)]
    fn require_same_heap(&self, class: &Class<C>) {
        assert!(
            class.heap.is(&self.heap.inner.identity),
            "a class can be used with its own heap only"
        );
    }

    #[inline(always)]
    fn alloc_kind(&self, kind: &Kind) -> Result<Root<'_, C>, OutOfMemory> {
        if self.local.poll(kind) {
            self.attend();
        }
        let handle = match self.local.allocate(kind) {
            Ok(handle) => handle,
            Err(_) => self.alloc_after_collection(kind)?,
        };
        Ok(Root::new(handle, self))
    }

    #[cold]
    fn alloc_after_collection(
        &self,
        kind: &Kind,
    ) -> Result<<C::Local as Local<C::Header>>::Handle, OutOfMemory> {
        self.collect();
        self.local.allocate(kind)
    }

    /// A safepoint: lets a waiting collection go ahead, and does what has been put off. Long loops that do not allocate
    /// call it.
    #[inline]
    pub fn safepoint(&self) {
        if self.local.attention() {
            self.attend();
        }
    }

    #[cold]
    fn attend(&self) {
        let seat = self.local.seat();
        self.guarded(|| self.local.attend());
        let attention = seat.core.world.attention();
        if attention.includes(Attention::ABANDONED) {
            self.release_abandoned();
        }
        if attention.includes(Attention::FINALIZERS) {
            self.run_finalizers();
        }
        self.settle();
    }

    /// Collects everything that is unreachable, as far as the collector can; finalizers run before this returns.
    pub fn collect(&self) -> Collected {
        self.collect_generation(usize::MAX)
    }

    /// Collects generation `generation` and all younger ones; beyond the oldest means the oldest.
    pub fn collect_generation(&self, generation: usize) -> Collected {
        self.release_abandoned();
        let oldest = C::CAPABILITIES.generations.saturating_sub(1);
        let mut collected = self.guarded(|| self.local.collect(generation.min(oldest)));
        self.run_finalizers();
        self.local.seat().drain_remote();
        collected += self.local.seat().take_finished();
        collected
    }

    /// How near each generation is to its collection, youngest first; empty if the collector has no such counts. Of a
    /// heap with several mutators the youngest count is what this one knows: what the others keep to themselves is missing.
    pub fn generations(&self) -> Vec<Progress> {
        self.local.generations()
    }

    /// Runs `f` while this mutator counts as stopped: around whatever waits for something else than this heap. The
    /// bounds keep roots and the mutator out of it, so that nothing touches the heap while the world may be stopped.
    ///
    /// ```compile_fail,E0277
    /// # use collectors::{Heap, Layout, Options, refcount::RefCount};
    /// let heap = Heap::<RefCount>::new(Default::default(), Options::default()).unwrap();
    /// let class = heap.class(Layout::new("Node").slots(1));
    /// let mutator = heap.attach();
    /// let root = mutator.alloc(&class).unwrap();
    /// mutator.blocked(|| root.get(0).is_some());
    /// ```
    pub fn blocked<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        struct Away<'m, L: Local<H>, H: crate::Header>(&'m L, PhantomData<H>);
        impl<L: Local<H>, H: crate::Header> Drop for Away<'_, L, H> {
            fn drop(&mut self) {
                self.0.after_blocked();
            }
        }
        let seat = self.local.seat();
        self.guarded(|| self.local.before_blocked());
        // It comes back even if `f` panics.
        let away = Away(&self.local, PhantomData);
        let result = seat.survive(seat.core.world.blocked(seat.index, f));
        drop(away);
        self.safepoint();
        result
    }

    /// As [`Heap::threads`], waiting for the threads in `blocked`.
    ///
    /// # Panics
    ///
    /// If a thread panics.
    pub fn threads<T: Send>(
        &self,
        count: usize,
        body: impl Fn(&Self, usize) -> T + Send + Sync,
    ) -> Vec<T> {
        let heap = self.heap.clone();
        self.blocked(move || heap.threads(count, body))
    }

    /// A root for what `shared` refers to.
    ///
    /// # Panics
    ///
    /// If `shared` is of another heap.
    pub fn adopt(&self, shared: &Shared<C>) -> Root<'_, C> {
        assert!(
            shared.is_of(&self.heap),
            "a shared handle can be adopted by mutators of its own heap only"
        );
        let handle = self.heap.inner.core.shared.with(shared.entry(), |object| {
            // SAFETY: the table's reference, and its lock is held.
            let entry = unsafe { self.local.reclaim(object) };
            // SAFETY: a root of this mutator.
            let copy = unsafe { self.local.retain(entry) };
            // SAFETY: a root of this mutator, not used any more.
            let object_again = unsafe { self.local.surrender(entry) };
            debug_assert_eq!(
                object, object_again,
                "a shared object does not move while the table is locked"
            );
            copy
        });
        Root::new(handle, self)
    }

    /// Stops the world and tests every invariant on every object. For tests.
    ///
    /// # Panics
    ///
    /// If an invariant is broken.
    pub fn check(&self) {
        self.heap.inner.check(self.local.seat());
    }

    /// Releases what shared handles referred to that are no more.
    fn release_abandoned(&self) {
        let core = &self.heap.inner.core;
        core.world.clear(Attention::ABANDONED);
        for object in core.shared.take_abandoned() {
            // SAFETY: a reference that the table had, and that nobody can copy or take any more.
            let handle = unsafe { self.local.reclaim(object) };
            // SAFETY: a root of this mutator, not used any more.
            unsafe { self.local.release(handle) };
            self.settle();
        }
    }

    /// Ends an operation that may have left finalizers to be run.
    #[inline(always)]
    pub(crate) fn settle(&self) {
        if self.local.seat().condition() != Condition::Normal {
            self.run_finalizers();
        }
    }

    /// Whether the heap is poisoned, so that its objects are left alone.
    #[inline(always)]
    pub(crate) fn is_dead(&self) -> bool {
        self.local.seat().condition() == Condition::Dead
    }

    /// Runs the finalizers that wait, and whatever they cause.
    #[cold]
    fn run_finalizers(&self) {
        let seat = self.local.seat();
        if seat.depth() >= MAX_DEPTH || self.is_dead() {
            return;
        }
        while let Some(handle) = self.guarded(|| self.local.next_finalizer()) {
            let root = Root::new(handle, self);
            seat.nested(|| self.run_finalizer(&root));
            std::mem::forget(root);
            // SAFETY: a root of this mutator, not used any more.
            unsafe { self.local.release(handle) };
        }
    }

    fn run_finalizer(&self, root: &Root<'_, C>) {
        let number = root.object().descriptor().class();
        let (class, finalizer) = self.heap.inner.class(number);
        let Some(finalizer) = finalizer else { return };
        let result = catch_unwind(AssertUnwindSafe(|| finalizer(root)));
        let seat = self.local.seat();
        seat.core.count_finalizer(result.is_err());
        if let Err(panic) = result {
            seat.emit(Event::FinalizerPanicked { class, message: message_of(&*panic) });
        }
    }

    /// Runs a part of the collector. If it panics, the heap is poisoned, and this mutator leaves its objects alone.
    fn guarded<R>(&self, part: impl FnOnce() -> R) -> R {
        struct Bomb<'m, C: Collector>(&'m Mutator<C>);
        impl<C: Collector> Drop for Bomb<'_, C> {
            fn drop(&mut self) {
                self.0.local.seat().die();
            }
        }
        let bomb = Bomb(self);
        let result = part();
        std::mem::forget(bomb);
        result
    }

    /// The object that `handle` names.
    #[inline(always)]
    pub(crate) fn object(
        &self,
        handle: <C::Local as Local<C::Header>>::Handle,
    ) -> Object<C::Header> {
        // SAFETY: roots keep their handles to themselves and release them when they are dropped.
        unsafe { self.local.object(handle) }
    }
}

impl<C: Collector> Drop for Mutator<C> {
    fn drop(&mut self) {
        if !self.is_dead() {
            self.release_abandoned();
            self.run_finalizers();
            while !self.local.leave() {
                self.run_finalizers();
            }
        }
        let seat = self.local.seat();
        seat.report_unclocked();
        seat.core.world.detach(seat.index);
    }
}
