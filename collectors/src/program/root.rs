//! Roots and shared handles: references that the program holds.

use std::{fmt, marker::PhantomData};

use super::{heap::Heap, mutator::Mutator};
use crate::{
    Collector,
    collector::Local,
    heap::{Header, Object},
    threads::{sync::atomic::Ordering::Relaxed, world::Attention},
};

/// A reference held by the program: a label, in the words of Python's manual. Cloning copies the reference, dropping
/// drops it; the object is the same.
///
/// It belongs to its mutator and cannot leave its thread; [`Root::share`] gives a handle that can.
///
/// ```compile_fail,E0277
/// # use collectors::{Heap, Layout, Options, refcount::RefCount};
/// let heap = Heap::<RefCount>::new(Default::default(), Options::default()).unwrap();
/// let class = heap.class(Layout::new("Node").slots(1));
/// let mutator = heap.attach();
/// let root = mutator.alloc(&class).unwrap();
/// std::thread::scope(|scope| { scope.spawn(move || drop(root)); });
/// ```
pub struct Root<'m, C: Collector> {
    handle: HandleOf<C>,
    mutator: &'m Mutator<C>,
    /// Neither `Send` nor `Sync`, whatever a handle is.
    not_send: PhantomData<*mut ()>,
}

type HandleOf<C> = <<C as Collector>::Local as Local<<C as Collector>::Header>>::Handle;

impl<C: Collector> Clone for Root<'_, C> {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: the handle is ours and not released.
        Self::new(unsafe { self.mutator.local.retain(self.handle) }, self.mutator)
    }
}

impl<C: Collector> Drop for Root<'_, C> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.mutator.is_dead() {
            return;
        }
        // SAFETY: the handle is ours, not released, and not used again.
        unsafe { self.mutator.local.release(self.handle) };
        self.mutator.settle();
    }
}

impl<C: Collector> fmt::Debug for Root<'_, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = self.object().descriptor().class();
        let (name, _) = self.mutator.heap.inner.class(class);
        write!(formatter, "{name} {:#x}", self.identity())
    }
}

impl<'m, C: Collector> Root<'m, C> {
    #[inline(always)]
    pub(crate) fn new(handle: HandleOf<C>, mutator: &'m Mutator<C>) -> Self {
        Self { handle, mutator, not_send: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn object(&self) -> Object<C::Header> {
        self.mutator.object(self.handle)
    }

    /// This object, and the panic if it has no slot `slot`.
    #[inline(always)]
    fn owner_of(&self, slot: usize) -> Object<C::Header> {
        let object = self.object();
        let slots = object.shape().slots as usize;
        assert!(slot < slots, "slot {slot} of an object with {slots} slots");
        object
    }

    /// The handle of `value`, and the panic if it belongs to another mutator.
    #[inline(always)]
    fn handle_of(&self, value: Option<&Root<'_, C>>) -> Option<HandleOf<C>> {
        value.map(|value| {
            self.require_same_mutator(value);
            value.handle
        })
    }

    #[inline(always)]
    fn require_same_mutator(&self, other: &Root<'_, C>) {
        assert!(
            std::ptr::eq(self.mutator, other.mutator),
            "a root can be used with roots of its own mutator only"
        );
    }

    /// What slot `slot` refers to.
    ///
    /// # Panics
    ///
    /// If there is no such slot.
    #[inline]
    pub fn get(&self, slot: usize) -> Option<Root<'m, C>> {
        let owner = self.owner_of(slot);
        // SAFETY: a root keeps the owner, which has the slot.
        let handle = unsafe { self.mutator.local.load(owner, slot) };
        handle.map(|handle| Root::new(handle, self.mutator))
    }

    /// Makes slot `slot` refer to `value`; what it referred to before is released afterwards.
    ///
    /// # Panics
    ///
    /// If there is no such slot, or `value` belongs to another mutator.
    #[inline]
    pub fn set(&self, slot: usize, value: Option<&Root<'_, C>>) {
        let owner = self.owner_of(slot);
        let value = self.handle_of(value);
        // SAFETY: roots keep the owner, which has the slot, and the value.
        unsafe { self.mutator.local.store(owner, slot, value) };
        self.mutator.settle();
    }

    /// Makes slot `slot` refer to `value`, and gives what it referred to before.
    ///
    /// # Panics
    ///
    /// If there is no such slot, or `value` belongs to another mutator.
    #[inline]
    pub fn swap(&self, slot: usize, value: Option<&Root<'_, C>>) -> Option<Root<'m, C>> {
        let owner = self.owner_of(slot);
        let value = self.handle_of(value);
        // SAFETY: roots keep the owner, which has the slot, and the value.
        let handle = unsafe { self.mutator.local.swap(owner, slot, value) };
        handle.map(|handle| Root::new(handle, self.mutator))
    }

    /// Makes slot `slot` refer to `new` if it refers to `current`, and says whether it did.
    ///
    /// # Panics
    ///
    /// If there is no such slot, or `current` or `new` belongs to another mutator.
    pub fn compare_exchange(
        &self,
        slot: usize,
        current: Option<&Root<'_, C>>,
        new: Option<&Root<'_, C>>,
    ) -> bool {
        let owner = self.owner_of(slot);
        let (current, new) = (self.handle_of(current), self.handle_of(new));
        // SAFETY: roots keep the owner, which has the slot, and both values.
        let done = unsafe { self.mutator.local.compare_exchange(owner, slot, current, new) };
        self.mutator.settle();
        done
    }

    /// Data word `index`.
    ///
    /// # Panics
    ///
    /// If there is no such word.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        // SAFETY: a root keeps its object.
        let word = unsafe { self.object().word(index) };
        // Relaxed: ours alone to write, or the program's affair: words publish nothing, slots do.
        word.load(Relaxed)
    }

    /// Replaces data word `index`.
    ///
    /// # Panics
    ///
    /// If there is no such word.
    #[inline]
    pub fn set_word(&self, index: usize, value: u64) {
        // SAFETY: a root keeps its object.
        let word = unsafe { self.object().word(index) };
        // Relaxed: ours alone to write, or the program's affair: words publish nothing, slots do.
        word.store(value, Relaxed);
    }

    /// The mutator that this root belongs to: what a finalizer allocates with.
    pub fn mutator(&self) -> &'m Mutator<C> {
        self.mutator
    }

    /// How many slots the object has.
    pub fn slots(&self) -> usize {
        self.object().shape().slots as usize
    }

    /// How many data words the object has.
    pub fn words(&self) -> usize {
        self.object().shape().words as usize
    }

    /// Whether both refer to the same object: Python's `is`.
    ///
    /// # Panics
    ///
    /// If `other` belongs to another mutator.
    pub fn same(&self, other: &Root<'_, C>) -> bool {
        self.require_same_mutator(other);
        self.object() == other.object()
    }

    /// How many references the object has, this root included, if the collector counts them: Python's `sys.getrefcount`
    /// less the one that its own argument makes.
    pub fn count(&self) -> Option<u64> {
        self.object().header().count()
    }

    /// A number that no other living object of the heap has, and that stays the same: Python's `id()`.
    pub fn identity(&self) -> u64 {
        self.object().address() as u64
    }

    /// A handle on the same object that may cross threads.
    pub fn share(&self) -> Shared<C> {
        // SAFETY: the handle is ours and not released.
        let copy = unsafe { self.mutator.local.retain(self.handle) };
        // SAFETY: as above, and not used again.
        let object = unsafe { self.mutator.local.surrender(copy) };
        let heap = self.mutator.heap.clone();
        let entry = heap.inner.core.shared.enter(object);
        Shared { entry, heap }
    }
}

/// A reference that may cross threads; [`Mutator::adopt`] makes a root of it. Cloning and dropping it needs no mutator:
/// what the last clone referred to is released at some mutator's next safepoint.
pub struct Shared<C: Collector> {
    entry: usize,
    heap: Heap<C>,
}

impl<C: Collector> Shared<C> {
    pub(crate) fn entry(&self) -> usize {
        self.entry
    }

    pub(crate) fn is_of(&self, heap: &Heap<C>) -> bool {
        self.heap.inner.identity.is(&heap.inner.identity)
    }
}

impl<C: Collector> Clone for Shared<C> {
    fn clone(&self) -> Self {
        self.heap.inner.core.shared.copy(self.entry);
        Self { entry: self.entry, heap: self.heap.clone() }
    }
}

impl<C: Collector> Drop for Shared<C> {
    fn drop(&mut self) {
        let core = &self.heap.inner.core;
        if core.shared.drop_handle(self.entry) {
            core.world.call(Attention::ABANDONED);
        }
    }
}

impl<C: Collector> fmt::Debug for Shared<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Shared<{}> {}", C::NAME, self.entry)
    }
}
