//! Reclaiming: what happens to garbage once it has been found.
//!
//! Without finalizers, the references from garbage to what is alive are dropped and the garbage is freed, all with the
//! world stopped. With finalizers, the garbage is doomed: the world goes on, one finalizer after the other is called
//! with everything around it intact, and then the doomed objects alone are looked at once more, for what the finalizers
//! have brought back. CPython's rules hold: finalizers are called before anything is cleared; an object whose last
//! reference a finalizer drops dies there and then, and does not count as collected.

use super::{
    detect::{Candidates, set},
    listed::{self, drop_outside, free_one},
};
use crate::{
    counts::Count,
    heap::{Amount, Object, Seat, block::Use, share::Freeing},
    threads::{sync::atomic::Ordering::Relaxed, world::Stopped},
};

/// Who reclaims: a mutator's seat, and the mutator as its counts know it.
pub(crate) struct By<'l, K: Count> {
    pub(crate) seat: &'l Seat<K>,
    pub(crate) holder: &'l K::Holder,
}

impl<K: Count> Clone for By<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Count> Copy for By<'_, K> {}

impl Candidates {
    /// Frees the garbage among the candidates, and gives how much it was.
    ///
    /// One pass over the garbage: entries tell garbage from what is alive even when the garbage is buried, so they are
    /// cleared, and blocks handed back, only when all of it is.
    pub(crate) fn reclaim<K: Count>(&mut self, by: By<'_, K>, _stopped: &Stopped<'_>) -> Amount {
        let mut all = Vec::with_capacity(self.blocks().len());
        for &block in self.blocks() {
            let mut freeing = Freeing::<K>::of(block);
            self.each_garbage_of(block, |object| {
                drop_outside(object, by);
                // SAFETY: the world is stopped, we alone free, and what refers to the object is garbage itself.
                unsafe { freeing.free(object) };
            });
            all.push(freeing);
        }
        let mut freed = Amount::default();
        let mut kept = Vec::with_capacity(all.len());
        for freeing in all {
            let block = freeing.block();
            self.clear_entries(block);
            let is_large = block.usage() == Use::Large;
            let freed_here = freeing.end(&by.seat.core.space);
            freed += freed_here;
            // The block of a large object is unmapped with it, and must not be promoted.
            if !is_large || freed_here.objects == 0 {
                kept.push(block);
            }
        }
        self.keep(kept);
        freed
    }
}

/// A collection whose garbage waits for its finalizers.
#[derive(Debug)]
pub(crate) struct Finishing<K: Count> {
    /// The garbage.
    doomed: Vec<Object<K>>,
    /// The part of it with finalizers, last first.
    unfinalized: Vec<Object<K>>,
    /// How many finalizers the collection was inside of when it began.
    pub(crate) depth: u32,
    pub(crate) generation: usize,
}

impl<K: Count> Finishing<K> {
    /// Dooms the garbage that `each_garbage` visits, if any of it has finalizers that have not been called. The garbage
    /// of one collection of generation `generation`, just detected.
    pub(crate) fn doom(
        each_garbage: impl Fn(&mut dyn FnMut(Object<K>)),
        seat: &Seat<K>,
        generation: usize,
    ) -> Option<Self> {
        if !seat.core.has_finalizers() {
            return None;
        }
        let mut unfinalized = Vec::new();
        each_garbage(&mut |object| {
            if object.descriptor().has_finalizer() && !object.header().is_finalized() {
                unfinalized.push(object);
            }
        });
        if unfinalized.is_empty() {
            return None;
        }
        unfinalized.reverse();
        let mut doomed = Vec::new();
        each_garbage(&mut |object| {
            set(object, 0);
            object.header().set_doomed(true);
            doomed.push(object);
        });
        Some(Self { doomed, unfinalized, depth: seat.depth(), generation })
    }

    /// The next object whose finalizer is to be called, as a root.
    pub(crate) fn next_finalizer(&mut self, holder: &K::Holder) -> Option<Object<K>> {
        while let Some(object) = self.unfinalized.pop() {
            let header = object.header();
            // One that an earlier finalizer has let go has been finalized then, or is dead.
            if !header.is_dead() && !header.is_finalized() {
                header.set_finalized();
                header.increment(holder);
                return Some(object);
            }
        }
        None
    }

    /// Looks at the doomed objects once more, frees those that are still garbage, and gives how many it looked at and
    /// how much it freed. The world is stopped.
    pub(crate) fn end(self, by: By<'_, K>) -> (u64, Amount) {
        let Self { doomed, .. } = self;
        let examined = doomed.len() as u64;
        let mut freed_before = Amount::default();
        let mut alive = Vec::with_capacity(doomed.len());
        for object in doomed {
            if object.header().is_dead() {
                // It died in a finalizer and has given up its references; only its cell is left.
                freed_before += free_one(object, by.seat);
            } else {
                alive.push(object);
            }
        }
        by.seat.share.tally.freed_many(freed_before);

        let garbage = listed::detect(alive, |object| object.header().set_doomed(false));
        let freed = listed::reclaim(garbage, by);
        (examined, freed)
    }
}

/// A doomed object has lost its last reference and has given up its own: nothing is left but its cell.
#[cold]
pub(crate) fn bury_doomed<K: Count>(object: Object<K>) {
    // SAFETY: the object is its last holder's.
    for slot in unsafe { object.slots() } {
        // Relaxed: ours alone to write; the end of the collection is ordered by the safepoint handshake.
        slot.store(0, Relaxed);
    }
}
