//! Counting: the barriers that all counting collectors have in common.
//!
//! A root counts as one reference, as a slot and an entry of the shared table do. It is the address of its object, or an
//! entry of its mutator's table if the collector must find roots ([`Naming`]). A collector adds what makes it one: when
//! it collects, and what else it does with an object's cell.

use super::{Count, release::Release, slot};
use crate::{
    Collected, OutOfMemory, Progress,
    collector::Local,
    heap::{Kind, Object, Seat},
    roots::{RootEntry, RootTable},
    threads::sync::Arc,
};

/// How a collector names the roots of a mutator, each of which is counted.
pub trait Naming<K: Count> {
    /// The name of a root.
    type Root: Copy;

    /// A reference becomes a root.
    fn enter(&self, object: Object<K>) -> Self::Root;

    /// The object that `root` refers to.
    ///
    /// # Safety
    ///
    /// `enter` gave it, and it has not been given back.
    unsafe fn object(&self, root: Self::Root) -> Object<K>;

    /// A root becomes a reference.
    ///
    /// # Safety
    ///
    /// `enter` gave it, and it has not been given back.
    unsafe fn remove(&self, root: Self::Root) -> Object<K>;
}

/// Roots that are nowhere written down: the address of the object is all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlisted;

impl<K: Count> Naming<K> for Unlisted {
    type Root = Object<K>;

    #[inline(always)]
    fn enter(&self, object: Object<K>) -> Object<K> {
        object
    }

    #[inline(always)]
    unsafe fn object(&self, root: Object<K>) -> Object<K> {
        root
    }

    #[inline(always)]
    unsafe fn remove(&self, root: Object<K>) -> Object<K> {
        root
    }
}

impl<K: Count> Naming<K> for Arc<RootTable<K>> {
    type Root = RootEntry;

    #[inline(always)]
    fn enter(&self, object: Object<K>) -> RootEntry {
        RootTable::enter(self, object)
    }

    #[inline(always)]
    unsafe fn object(&self, root: RootEntry) -> Object<K> {
        // SAFETY: by our caller.
        unsafe { RootTable::object(self, root) }
    }

    #[inline(always)]
    unsafe fn remove(&self, root: RootEntry) -> Object<K> {
        // SAFETY: by our caller.
        let object = unsafe { RootTable::object(self, root) };
        // SAFETY: by our caller. The reference is counted still.
        unsafe { RootTable::remove(self, root) };
        object
    }
}

/// One mutator's side of a collector that counts references: what differs from one such collector to another.
pub trait Counting {
    /// How references are counted.
    type Count: Count;
    /// How roots are named.
    type Naming: Naming<Self::Count>;

    /// The mutator's roots.
    fn naming(&self) -> &Self::Naming;

    /// The mutator's seat.
    fn place(&self) -> &Seat<Self::Count>;

    /// The mutator, as its counts know it.
    fn holder(&self) -> &<Self::Count as Count>::Holder;

    /// The poll before an allocation of `kind`: whether there is something to attend to.
    fn wants_attention(&self, kind: &Kind) -> bool;

    /// Does what a safepoint is for, once counts are settled.
    fn attend_to(&self);

    /// A new object has been allocated.
    fn allocated(&self, object: Object<Self::Count>, kind: &Kind);

    /// An object is dead, and its destruction may take a while. Default: nobody looks at it meanwhile.
    #[inline(always)]
    fn condemn(&self, _object: Object<Self::Count>) {}

    /// How many objects a release destroys before the rest is put off. Default: all of them.
    #[inline(always)]
    fn slice(&self) -> u64 {
        u64::MAX
    }

    /// The rest of a release has been put off. Default: that does not happen.
    #[inline(always)]
    fn put_off(&self) {}

    /// Frees the cell of an object that has given up its references.
    ///
    /// # Safety
    ///
    /// Nobody can reach the object any more.
    unsafe fn free(&self, object: Object<Self::Count>);

    /// Collects generation `generation` and the younger ones.
    fn collect_up_to(&self, generation: usize) -> Collected;

    /// The next object whose finalizer must be run, as a root.
    fn next_to_finalize(&self) -> Option<Object<Self::Count>>;

    /// The mutator has given up its seat.
    fn left(&self) {}

    /// How near each generation is to its collection.
    fn progress(&self) -> Vec<Progress> {
        Vec::new()
    }
}

/// The name of a root of a mutator of `L`.
type Root<L> = <<L as Counting>::Naming as Naming<<L as Counting>::Count>>::Root;

// SAFETY: a handle, a slot and a shared entry each count as a reference; an object with references is freed only if all
// of them are slots of garbage. `slot::load` counts before anyone can take the reference out of the slot; slots release
// and acquire.
unsafe impl<L: Counting> Local<L::Count> for L {
    type Handle = Root<L>;

    fn seat(&self) -> &Seat<L::Count> {
        self.place()
    }

    #[inline(always)]
    fn attention(&self) -> bool {
        self.place().attention() || L::Count::is_called(self.holder())
    }

    #[inline(always)]
    fn poll(&self, kind: &Kind) -> bool {
        self.wants_attention(kind) || L::Count::is_called(self.holder())
    }

    fn attend(&self) {
        if L::Count::is_called(self.holder()) {
            self.settle();
        }
        self.attend_to();
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<Root<L>, OutOfMemory> {
        let object = self.place().allocate(kind)?;
        object.header().bear(self.holder());
        self.allocated(object, kind);
        Ok(self.naming().enter(object))
    }

    #[inline(always)]
    unsafe fn object(&self, root: Root<L>) -> Object<L::Count> {
        // SAFETY: by our caller.
        unsafe { self.naming().object(root) }
    }

    #[inline(always)]
    unsafe fn retain(&self, root: Root<L>) -> Root<L> {
        // SAFETY: by our caller.
        let object = unsafe { self.naming().object(root) };
        object.header().increment(self.holder());
        self.naming().enter(object)
    }

    #[inline(always)]
    unsafe fn release(&self, root: Root<L>) {
        // SAFETY: by our caller.
        let object = unsafe { self.naming().remove(root) };
        // SAFETY: the root's reference, by our caller.
        unsafe { Release::release(self, object) };
    }

    #[inline(always)]
    unsafe fn load(&self, owner: Object<L::Count>, slot: usize) -> Option<Root<L>> {
        // SAFETY: by our caller.
        let object = unsafe { slot::load(owner, slot, self.holder()) }?;
        Some(self.naming().enter(object))
    }

    #[inline(always)]
    unsafe fn store(&self, owner: Object<L::Count>, slot: usize, value: Option<Root<L>>) {
        // SAFETY: by our caller.
        let value = value.map(|root| unsafe { self.naming().object(root) });
        // SAFETY: by our caller.
        unsafe { self.store_counted(owner, slot, value) };
    }

    #[inline(always)]
    unsafe fn swap(
        &self,
        owner: Object<L::Count>,
        slot: usize,
        value: Option<Root<L>>,
    ) -> Option<Root<L>> {
        // SAFETY: by our caller.
        let value = value.map(|root| unsafe { self.naming().object(root) });
        // SAFETY: by our caller.
        let object = unsafe { slot::exchange(owner, slot, value, self.holder()) }?;
        Some(self.naming().enter(object))
    }

    unsafe fn compare_exchange(
        &self,
        owner: Object<L::Count>,
        slot: usize,
        current: Option<Root<L>>,
        new: Option<Root<L>>,
    ) -> bool {
        let [current, new] = [current, new]
            // SAFETY: by our caller.
            .map(|root| root.map(|root| unsafe { self.naming().object(root) }));
        // SAFETY: by our caller.
        unsafe { self.compare_exchange_counted(owner, slot, current, new) }
    }

    #[inline(always)]
    unsafe fn surrender(&self, root: Root<L>) -> Object<L::Count> {
        // SAFETY: by our caller.
        unsafe { self.naming().remove(root) }
    }

    unsafe fn reclaim(&self, object: Object<L::Count>) -> Root<L> {
        self.naming().enter(object)
    }

    fn collect(&self, generation: usize) -> Collected {
        self.collect_up_to(generation)
    }

    fn next_finalizer(&self) -> Option<Root<L>> {
        self.next_to_finalize().map(|object| self.naming().enter(object))
    }

    fn leave(&self) -> bool {
        if !self.place().dying.borrow().is_empty() {
            // What was put off ends here, slice by slice: nobody waits for this mutator in between.
            self.go_on(self.slice());
            return false;
        }
        if !L::Count::leave(self.holder()) {
            self.settle();
            return false;
        }
        self.left();
        true
    }

    fn generations(&self) -> Vec<Progress> {
        self.progress()
    }
}
