//! Leak: never frees anything; the floor against which the others are charged.
//!
//! What the literature calls Epsilon (A. Shipilev, *JEP 318: Epsilon, a no-op garbage collector*, OpenJDK, 2018). A
//! workload's time under it is that of the program and of allocation; every byte allocated is held, and in the end
//! leaked.
//!
//! # Invariants
//!
//! 1. No object is ever freed.

use crate::{
    Capabilities, Collected, Collector, Finalizers, NoSettings, OutOfMemory, Reclaims, Setting,
    SettingsError,
    collector::{Inspection, Local},
    heap::{Kind, Object, Seat},
    threads::sync::{
        Arc,
        atomic::Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

/// Never frees anything.
#[derive(Debug)]
pub struct Leak;

/// One mutator's side of it.
pub struct LeakLocal {
    seat: Seat<()>,
}

impl Collector for Leak {
    const NAME: &'static str = "leak";
    const SUMMARY: &'static str =
        "never frees anything: the floor against which the others are charged";
    const PAPER: &'static str =
        "A. Shipilev, JEP 318: Epsilon, a no-op garbage collector, OpenJDK, 2018";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Nothing,
        moves: false,
        finalizers: Finalizers::Never,
        resurrects: false,
        generations: 0,
    };
    const SETTINGS: &'static [Setting] = &[];

    type Settings = NoSettings;
    type Header = ();
    type Local = LeakLocal;

    fn new(_: NoSettings) -> Result<Self, SettingsError> {
        Ok(Self)
    }

    fn attach(self: &Arc<Self>, seat: Seat<()>) -> LeakLocal {
        LeakLocal { seat }
    }

    fn check(&self, inspection: &Inspection<'_, ()>) {
        let freed = inspection.core.statistics().freed;
        assert_eq!(freed.objects, 0, "no object is ever freed");
    }
}

// SAFETY: an object is never freed, so every handle and slot names an object in the heap; stores release, loads acquire.
unsafe impl Local<()> for LeakLocal {
    type Handle = Object<()>;

    fn seat(&self) -> &Seat<()> {
        &self.seat
    }

    #[inline(always)]
    fn poll(&self, _: &Kind) -> bool {
        self.seat.attention()
    }

    fn attend(&self) {
        self.seat.answer();
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<Object<()>, OutOfMemory> {
        self.seat.allocate(kind)
    }

    #[inline(always)]
    unsafe fn object(&self, root: Object<()>) -> Object<()> {
        root
    }

    #[inline(always)]
    unsafe fn retain(&self, root: Object<()>) -> Object<()> {
        root
    }

    #[inline(always)]
    unsafe fn release(&self, _: Object<()>) {}

    #[inline(always)]
    unsafe fn load(&self, owner: Object<()>, slot: usize) -> Option<Object<()>> {
        // SAFETY: nothing is freed, and the owner has the slot, by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Acquire: what was written to the object before it was stored. Pairs with `store`.
        object_at(slot.load(Acquire))
    }

    #[inline(always)]
    unsafe fn store(&self, owner: Object<()>, slot: usize, value: Option<Object<()>>) {
        // SAFETY: nothing is freed, and the owner has the slot, by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Release: publishes what was written to the object. Pairs with `load`.
        slot.store(address_of(value), Release);
    }

    unsafe fn swap(
        &self,
        owner: Object<()>,
        slot: usize,
        value: Option<Object<()>>,
    ) -> Option<Object<()>> {
        // SAFETY: nothing is freed, and the owner has the slot, by our caller.
        let slot = unsafe { owner.slot(slot) };
        // AcqRel: publishes the new object, and shows us what was written to the old one. Pairs with `load`, `store`.
        object_at(slot.swap(address_of(value), AcqRel))
    }

    unsafe fn compare_exchange(
        &self,
        owner: Object<()>,
        slot: usize,
        current: Option<Object<()>>,
        new: Option<Object<()>>,
    ) -> bool {
        // SAFETY: nothing is freed, and the owner has the slot, by our caller.
        let slot = unsafe { owner.slot(slot) };
        // AcqRel: publishes the new object, and shows us what was done before `current` was stored. Pairs with `store`.
        // Relaxed: the answer no needs nothing: a statistic.
        slot.compare_exchange(address_of(current), address_of(new), AcqRel, Relaxed).is_ok()
    }

    unsafe fn surrender(&self, root: Object<()>) -> Object<()> {
        root
    }

    unsafe fn reclaim(&self, object: Object<()>) -> Object<()> {
        object
    }

    fn collect(&self, _: usize) -> Collected {
        Collected::default()
    }

    fn next_finalizer(&self) -> Option<Object<()>> {
        None
    }
}

#[inline(always)]
fn address_of(value: Option<Object<()>>) -> usize {
    value.map_or(0, Object::address)
}

#[inline(always)]
fn object_at(address: usize) -> Option<Object<()>> {
    // SAFETY: slots hold null or the address of an object (heap invariant 2).
    (address != 0).then(|| unsafe { Object::at(address) })
}
