//! Reclaiming: what happens to garbage once it has been found.
//!
//! Without finalizers, the references from garbage to what is alive are dropped and the garbage is freed, all with the
//! world stopped. With finalizers, the garbage is doomed: the world goes on, one finalizer after the other is called
//! with everything around it intact, and then the doomed objects alone are looked at once more, for what the finalizers
//! have brought back. CPython's rules hold: finalizers are called before anything is cleared; an object whose last
//! reference a finalizer drops dies there and then, and does not count as collected.
//!
//! What a finalizer gives away, other mutators can let go as well. So a doomed object may be dead in three ways: nobody has
//! begun to destroy it, another mutator is about to, or it is *buried*, which is to say that it has given up its references.
//! Only the last can be freed at the end of the collection; a buried object is not flagged as doomed any more.

use std::cell::RefCell;

use super::{
    detect::{Candidates, set},
    listed::{self, drop_outside, free_one},
};
use crate::{
    counts::{Count, release::Release},
    heap::{Amount, Object, Seat, block::Use, share::Freeing},
    threads::{
        sync::{atomic::Ordering::Relaxed, mutant},
        world::Stopped,
    },
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

    /// Looks at the doomed objects once more, frees those that are still garbage, and gives how many it looked at and
    /// how much it freed. The world is stopped.
    pub(crate) fn end(self, by: By<'_, K>) -> (u64, Amount) {
        let Self { doomed, .. } = self;
        let examined = doomed.len() as u64;
        let mut freed_before = Amount::default();
        let mut alive = Vec::with_capacity(doomed.len());
        for object in doomed {
            let is_buried = !object.header().is_doomed()
                || mutant("free what another is about to destroy")
                    && object.header().references() == 0;
            if !is_buried {
                alive.push(object);
            } else {
                freed_before += free_one(object, by.seat);
            }
        }
        by.seat.share.tally.freed_many(freed_before);

        let garbage = listed::detect(alive, |object| object.header().set_doomed(false));
        let freed = listed::reclaim(garbage, by);
        (examined, freed)
    }
}

/// One mutator's side of a collector that dooms garbage.
pub(crate) trait Finish: Release {
    /// The mutator's collection that waits for finalizers, if there is one.
    fn finishing(&self) -> &RefCell<Option<Finishing<Self::Count>>>;

    /// The finalizers of a collection's garbage have been run: frees what they have not brought back.
    fn finish(&self, finishing: Finishing<Self::Count>);

    /// The next object whose finalizer is to be run, as a root: what is dying first, then what is doomed. After the last of
    /// the doomed ones the collection ends.
    fn next_dying_or_doomed(&self) -> Option<Object<Self::Count>> {
        let seat = self.place();
        loop {
            if let Some(object) = self.next_dying_finalizer().or_else(|| self.next_doomed()) {
                return Some(object);
            }
            if seat.dying.borrow().len() <= seat.floor() {
                return None;
            }
        }
    }

    /// The next doomed object whose finalizer is to be run, as a root; when there is none left, the end of the collection.
    /// `None` if no collection waits at this depth.
    fn next_doomed(&self) -> Option<Object<Self::Count>> {
        loop {
            let next = {
                let mut finishing = self.finishing().borrow_mut();
                let is_ours = |waiting: &&mut Finishing<_>| self.place().depth() <= waiting.depth;
                finishing.as_mut().filter(is_ours)?.unfinalized.pop()
            };
            let Some(object) = next else { break };
            // One that an earlier finalizer has let go has been finalized then, or is about to be.
            let is_held = if mutant("finalize what another is about to destroy") {
                object.header().increment(self.holder());
                true
            } else {
                object.header().increment_unless_zero(self.holder())
            };
            if is_held {
                if !object.header().is_finalized() {
                    object.header().set_finalized();
                    return Some(object);
                }
                // SAFETY: the reference made above.
                unsafe { self.release(object) };
            }
        }
        let finishing = self.finishing().take()?;
        self.finish(finishing);
        None
    }
}

/// A doomed object has lost its last reference and has given up its own: nothing is left but its cell.
#[cold]
pub(crate) fn bury_doomed<K: Count>(object: Object<K>) {
    object.header().set_doomed(false);
    // SAFETY: the object is its last holder's.
    for slot in unsafe { object.slots() } {
        // Relaxed: ours alone to write; the end of the collection is ordered by the safepoint handshake.
        slot.store(0, Relaxed);
    }
}

#[cfg(test)]
mod models;
