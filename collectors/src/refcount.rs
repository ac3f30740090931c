//! Reference counting: an object is freed the moment its last reference goes.
//!
//! After G. E. Collins, *A method for overlapping and erasure of lists*, CACM 1960, with atomic counts.
//!
//! # How it works
//!
//! 1. *Count.* Every root and every slot counts as one reference (`counts/atomic.rs`, `counts/slot.rs`).
//! 2. *Release.* The drop of the last one destroys the object there and then, and in turn whatever it alone held, with
//!    an explicit stack (`counts/release.rs`). Finalizers run in between: a parent's before its references go.
//!
//! Objects in a cycle hold each other: their counts never reach zero, and they are never freed, nor is what they hold.
//!
//! # Invariants
//!
//! 1. An object's count is the number of roots, slots and shared entries that refer to it.
//! 2. Between operations no object of count 0 is in the heap.

use crate::{
    Capabilities, Collected, Collector, Finalizers, NoSettings, OutOfMemory, Reclaims, Setting,
    SettingsError,
    collector::{Inspection, Local},
    counts::{atomic::AtomicCount, release::Release, slot},
    heap::{Kind, Object, Seat},
    threads::sync::Arc,
};

type Counted = Object<AtomicCount>;

/// Counts references and frees at zero.
#[derive(Debug)]
pub struct RefCount;

/// One mutator's side of it.
pub struct RefCountLocal {
    seat: Seat<AtomicCount>,
}

impl Collector for RefCount {
    const NAME: &'static str = "refcount";
    const SUMMARY: &'static str =
        "counts references atomically and frees at zero, at once; leaks cycles";
    const PAPER: &'static str =
        "G. E. Collins, A method for overlapping and erasure of lists, CACM, 1960";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Acyclic,
        moves: false,
        finalizers: Finalizers::Immediate,
        resurrects: true,
        generations: 0,
    };
    const SETTINGS: &'static [Setting] = &[];

    type Settings = NoSettings;
    type Header = AtomicCount;
    type Local = RefCountLocal;

    fn new(_: NoSettings) -> Result<Self, SettingsError> {
        Ok(Self)
    }

    fn attach(self: &Arc<Self>, seat: Seat<AtomicCount>) -> RefCountLocal {
        RefCountLocal { seat }
    }

    fn check(&self, inspection: &Inspection<'_, AtomicCount>) {
        inspection.check_counts();
    }
}

// SAFETY: a handle, a slot and a shared entry each count as a reference, and an object with references is not freed;
// `slot::load` counts before anyone can take the reference out of the slot; slots release and acquire.
unsafe impl Local<AtomicCount> for RefCountLocal {
    type Handle = Counted;

    fn seat(&self) -> &Seat<AtomicCount> {
        &self.seat
    }

    #[inline(always)]
    fn poll(&self, _: &Kind) -> bool {
        self.seat.attention()
    }

    fn attend(&self) {
        self.seat.answer();
        self.seat.is_stressed();
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<Counted, OutOfMemory> {
        self.seat.allocate(kind)
    }

    #[inline(always)]
    unsafe fn object(&self, root: Counted) -> Counted {
        root
    }

    #[inline(always)]
    unsafe fn retain(&self, root: Counted) -> Counted {
        root.header().increment();
        root
    }

    #[inline(always)]
    unsafe fn release(&self, root: Counted) {
        // SAFETY: the root's reference, by our caller.
        unsafe { Release::release(self, root) };
    }

    #[inline(always)]
    unsafe fn load(&self, owner: Counted, slot: usize) -> Option<Counted> {
        // SAFETY: by our caller.
        unsafe { slot::load(owner, slot) }
    }

    #[inline(always)]
    unsafe fn store(&self, owner: Counted, slot: usize, value: Option<Counted>) {
        // SAFETY: by our caller.
        unsafe { self.store_counted(owner, slot, value) };
    }

    #[inline(always)]
    unsafe fn swap(&self, owner: Counted, slot: usize, value: Option<Counted>) -> Option<Counted> {
        // SAFETY: by our caller.
        unsafe { slot::exchange(owner, slot, value) }
    }

    unsafe fn compare_exchange(
        &self,
        owner: Counted,
        slot: usize,
        current: Option<Counted>,
        new: Option<Counted>,
    ) -> bool {
        // SAFETY: by our caller.
        unsafe { self.compare_exchange_counted(owner, slot, current, new) }
    }

    unsafe fn surrender(&self, root: Counted) -> Counted {
        root
    }

    unsafe fn reclaim(&self, object: Counted) -> Counted {
        object
    }

    fn collect(&self, _: usize) -> Collected {
        Collected::default()
    }

    fn next_finalizer(&self) -> Option<Counted> {
        self.next_dying_finalizer()
    }
}

impl Release for RefCountLocal {
    fn seat(&self) -> &Seat<AtomicCount> {
        &self.seat
    }

    #[inline(always)]
    unsafe fn free(&self, object: Counted) {
        // SAFETY: by our caller.
        unsafe { self.seat.free(object) };
    }
}
