//! Reclaiming: what happens to what has been shown to be garbage.

use super::{
    Counted, Worker,
    batch::forget_old,
    guess::{get, set},
    suspects::{CANDIDATE, Garbage, each_child},
};
use crate::{
    Amount,
    counts::{Count, Dropped, biased::BiasedCount, release::must_be_finalized},
    threads::sync::{atomic::Ordering::Relaxed, capacity},
};

/// Objects freed between two safepoints of the collector's thread.
const STRIDE: usize = capacity(1024, 1);

/// Objects that are freed without a safepoint in between, if that is of use.
const UNINTERRUPTED: usize = 16 * STRIDE;

impl Worker<'_> {
    /// Whether garbage has finalizers that have not been called. If so, they wait to be run.
    pub(super) fn finalize(&self, garbage: &[Counted]) -> bool {
        let core = &*self.seat.core;
        if !core.has_finalizers() {
            return false;
        }
        let dying = garbage.iter().copied().filter(|&object| must_be_finalized(object));
        let dying: Vec<Counted> = dying.collect();
        dying.iter().for_each(|object| object.header().summon());
        let is_needed = !dying.is_empty();
        self.collector.waiting.extend(core, &dying);
        is_needed
    }

    /// Lets garbage be for now: it is old still, and the next cycle looks at it again.
    pub(super) fn keep(&self, garbage: Vec<Counted>) -> Amount {
        for object in garbage {
            set(object, 0);
            self.acquit(object);
        }
        Amount::default()
    }

    /// Frees garbage, and gives how much it was.
    pub(super) fn free(&self, garbage: &Garbage) -> Amount {
        let Garbage { objects, refers_outward } = garbage;
        // What is freed in one go need not be cleared: nobody looks at it in between.
        let is_in_one_go = objects.len() <= UNINTERRUPTED && !refers_outward;
        if !is_in_one_go {
            self.drop_outward(objects);
        }
        let mut freed = Amount::default();
        for portion in objects.chunk_by(|one, other| one.block().owner() == other.block().owner()) {
            for portion in portion.chunks(STRIDE) {
                for &object in portion {
                    set(object, 0);
                    forget_old(object);
                }
                freed += self.free_portion(portion);
                if !is_in_one_go {
                    self.seat.answer();
                }
            }
        }
        freed
    }

    /// Drops the references from garbage to what is none, and makes it refer to nothing.
    fn drop_outward(&self, garbage: &[Counted]) {
        for portion in garbage.chunks(STRIDE) {
            for &object in portion {
                each_child(object, |child| {
                    if get(child) & CANDIDATE == 0 {
                        self.drop_one(child);
                    }
                });
                clear(object);
            }
            self.seat.answer();
        }
    }

    /// Frees objects of one owner.
    fn free_portion(&self, portion: &[Counted]) -> Amount {
        if portion[0].block().owner() != 0 {
            // SAFETY: only garbage referred to them, which has given up its references.
            return unsafe { self.seat.share.free_together(&self.seat.core.space, portion) };
        }
        let mut freed = Amount::default();
        for &object in portion {
            freed += Amount { objects: 1, bytes: object.bytes() as u64 };
            // SAFETY: as above.
            unsafe { self.seat.free(object) };
        }
        freed
    }

    /// Drops references, each to one of `objects`.
    pub(super) fn drop_all(&self, objects: Vec<Counted>) {
        objects.into_iter().for_each(|object| self.drop_one(object));
    }

    /// Drops a reference to `object`, and destroys it and what dies with it, unless there is a finalizer to be run first.
    fn drop_one(&self, object: Counted) {
        let mut dying = Vec::new();
        let decrement = |object: Counted, dying: &mut Vec<Counted>| {
            if BiasedCount::decrement(object, self.holder) == Dropped::Dead {
                dying.push(object);
            }
        };
        decrement(object, &mut dying);
        while let Some(object) = dying.pop() {
            if must_be_finalized(object) {
                object.header().revive();
                self.collector.waiting.extend(&self.seat.core, &[object]);
                continue;
            }
            each_child(object, |child| decrement(child, &mut dying));
            // SAFETY: it is dead, and has given up its references.
            unsafe { self.free_one(object) };
        }
    }
}

/// Makes a dead object refer to nothing.
pub(super) fn clear(object: Counted) {
    // SAFETY: nobody else frees the object.
    for slot in unsafe { object.slots() } {
        // Relaxed: ours alone to write: nobody else can reach the object.
        slot.store(0, Relaxed);
    }
}
