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
    Capabilities, Collected, Collector, Finalizers, NoSettings, Reclaims, Setting, SettingsError,
    collector::Inspection,
    counts::{
        atomic::{Anyone, AtomicCount},
        counting::{Counting, Unlisted},
        release::Release,
    },
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

impl Counting for RefCountLocal {
    type Count = AtomicCount;
    type Naming = Unlisted;

    fn naming(&self) -> &Unlisted {
        &Unlisted
    }

    fn place(&self) -> &Seat<AtomicCount> {
        &self.seat
    }

    fn holder(&self) -> &Anyone {
        &Anyone
    }

    #[inline(always)]
    fn wants_attention(&self, _: &Kind) -> bool {
        self.seat.attention()
    }

    fn attend_to(&self) {
        self.seat.answer();
        self.seat.is_stressed();
    }

    #[inline(always)]
    fn allocated(&self, _: Counted, _: &Kind) {}

    #[inline(always)]
    unsafe fn free(&self, object: Counted) {
        // SAFETY: by our caller.
        unsafe { self.seat.free(object) };
    }

    fn collect_up_to(&self, _: usize) -> Collected {
        Collected::default()
    }

    fn next_to_finalize(&self) -> Option<Counted> {
        self.next_dying_finalizer()
    }
}
