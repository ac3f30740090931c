//! Reference counts: the protocols by which references to objects are counted, each checked by models of its own.
//!
//! A collector that counts is written for any [`Count`]; which one it has is said where it is listed, and the compiler
//! makes the barriers of each.

pub mod atomic;
pub mod biased;
pub(crate) mod counting;
pub mod merge;
pub(crate) mod release;
pub(crate) mod slot;
pub mod sticky;

use std::{collections::HashMap, fmt::Debug};

use crate::{
    collector::Inspection,
    heap::{Header, Object, Seat},
    threads::sync::{Arc, atomic::Ordering::Relaxed},
};

/// A way of counting the references to an object.
///
/// Whoever calls a method with a `holder` is the thread that `holder` belongs to.
pub trait Count: Header + Sized {
    /// What a collector that counts like this is called, if it has a name of its own. Default: its trigger's.
    const DESCRIPTION: Option<Description> = None;

    /// What the mutators of a heap need in common to count.
    type Common: Default + Debug + Send + Sync + 'static;
    /// One mutator, as its counts know it.
    type Holder: 'static;

    /// The holder that has just taken `seat`.
    fn hold(common: &Arc<Self::Common>, seat: &Seat<Self>) -> Self::Holder;

    /// Makes the one reference to a new object `holder`'s.
    fn bear(&self, holder: &Self::Holder);

    /// A reference is copied. The caller holds one, or keeps others from dropping one.
    fn increment(&self, holder: &Self::Holder);

    /// Whether objects have owners, without whom they cannot end. Default: no.
    const HAS_OWNERS: bool = false;

    /// Copies a reference to what a slot has just been seen to hold, if `holder` owns that; says whether it does. Nobody
    /// has to keep others from changing the slot. Default: nobody owns anything.
    ///
    /// # Safety
    ///
    /// `cell` was read by an Acquire from a slot of an object that the caller holds, since its last safepoint.
    #[inline(always)]
    unsafe fn copy_if_owned(_cell: Object<Self>, _holder: &Self::Holder) -> bool {
        false
    }

    /// A reference to `object` is dropped. The caller held one.
    fn decrement(object: Object<Self>, holder: &Self::Holder) -> Dropped;

    /// Whether the caller, who holds a reference or owns a slot that does, holds the only one, and nobody else can make
    /// another.
    fn is_sole(&self, holder: &Self::Holder) -> bool;

    /// The number of references. For a stopped world, or a statistic.
    fn references(&self) -> u32;

    /// Makes a reference of nothing, unless the last one is gone; says whether it did. The caller holds the memory, not the
    /// object, whose flags must tell its sole holder that there is somebody who may do this.
    fn increment_unless_zero(&self, holder: &Self::Holder) -> bool;

    /// Whether the finalizer has been called.
    fn is_finalized(&self) -> bool;

    /// Remembers that the finalizer is being called.
    fn set_finalized(&self);

    /// Gives a dead object one reference again, for its finalizer, and remembers that it is being called.
    fn revive(&self);

    /// Whether a cycle collector waits for finalizers before it frees the object.
    fn is_doomed(&self) -> bool;

    /// Sets or clears the flag of an object that waits to be freed. With the world stopped.
    fn set_doomed(&self, doomed: bool);

    /// Whether references that others have dropped wait for `holder` to settle them. Default: never.
    #[inline(always)]
    fn is_called(_holder: &Self::Holder) -> bool {
        false
    }

    /// Takes over the references that wait for `holder`; the caller drops them. Default: there are none.
    #[inline(always)]
    fn settle(_holder: &Self::Holder) -> Vec<Object<Self>> {
        Vec::new()
    }

    /// Takes over the references that wait for anybody. With the world stopped. Default: there are none.
    #[inline(always)]
    fn settle_all(_common: &Self::Common) -> Vec<Object<Self>> {
        Vec::new()
    }

    /// Gives the seat up, unless references wait that have to be settled first; says whether it has. Default: at once.
    fn leave(_holder: &Self::Holder) -> bool {
        true
    }

    /// Tests the count's own invariants on an object of a stopped world. Default: it has none.
    #[doc(hidden)]
    fn check(&self) {}
}

/// What a collector is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// The name used in experiment files, results and charts.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Where it was published: authors, title, venue, year.
    pub paper: &'static str,
}

/// Whether a drop was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whoever drops the last reference destroys the object"]
pub enum Dropped {
    /// Others remain.
    Alive,
    /// That was the last one: the caller owns what remains of the object.
    Dead,
}

impl<K: Count> Inspection<'_, K> {
    /// Tests that no object has fewer references counted than slots and shared entries refer to it. (Roots are the
    /// program's, and not written down anywhere.)
    pub(crate) fn check_counts(&self) {
        let mut references: HashMap<usize, u32> = HashMap::new();
        for object in self.objects() {
            // SAFETY: the world is stopped, and the object in the heap.
            for slot in unsafe { object.slots() } {
                // Relaxed: ordered by the safepoint handshake.
                let address = slot.load(Relaxed);
                if address != 0 {
                    *references.entry(address).or_default() += 1;
                }
            }
        }
        for object in self.core.shared.objects() {
            *references.entry(object.address()).or_default() += 1;
        }
        for object in self.objects() {
            let known = references.remove(&object.address()).unwrap_or(0);
            let header = object.header();
            let count = header.references();
            assert!(count > 0, "{object:?} has no references and is in the heap");
            assert!(
                count >= known,
                "{object:?} has a count of {count}, and {known} references to it are known"
            );
            header.check();
        }
        assert!(references.is_empty(), "slots refer to what is no object: {references:x?}");
    }
}
