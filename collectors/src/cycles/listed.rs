//! Listed detection: which of a list of objects are garbage, and the end of those.
//!
//! The same subtraction as in `detect`, for objects that no bitmap tells from others: an increment, or what finalizers
//! have left. Its cost is in proportion to the list and what the list refers to, whatever the size of the heap.
//!
//! # Invariants
//!
//! 1. Before, no entry of an object on the list is in use. An entry without `CANDIDATE` is not ours, whatever it holds.
//! 2. Between detection and the end, the entries of garbage are `CANDIDATE`, those of the rest of the list 0.

use super::detect::{CANDIDATE, each_child, get, set};
use crate::{
    counts::atomic::{AtomicCount, Dropped},
    heap::{Amount, Object, Seat, seat::Condition, share::Freeing},
};

type Counted = Object<AtomicCount>;

/// The garbage on `list`, in its order; every other object is given to `alive`. The world is stopped.
pub(crate) fn detect(list: Vec<Counted>, mut alive: impl FnMut(Counted)) -> Vec<Counted> {
    for &object in &list {
        // What has no reference is dying already, and held by whoever is about to free it.
        set(object, CANDIDATE | object.header().count().max(1));
    }
    for &object in &list {
        each_child(object, |child| {
            if get(child) & CANDIDATE != 0 {
                set(child, get(child) - 1);
            }
        });
    }
    let mut reached = Vec::new();
    for &object in &list {
        if get(object) > CANDIDATE {
            set(object, 0);
            reached.push(object);
            while let Some(object) = reached.pop() {
                alive(object);
                each_child(object, |child| {
                    if get(child) & CANDIDATE != 0 {
                        set(child, 0);
                        reached.push(child);
                    }
                });
            }
        }
    }
    let mut garbage = list;
    garbage.retain(|&object| get(object) == CANDIDATE);
    garbage
}

/// Frees what `detect` found to be garbage, and gives how much it was. The world is stopped.
pub(crate) fn reclaim(garbage: Vec<Counted>, seat: &Seat<AtomicCount>) -> Amount {
    for &object in &garbage {
        drop_outside(object, seat);
    }
    let mut freed = Amount::default();
    for &object in &garbage {
        freed += free_one(object, seat);
    }
    freed
}

/// Drops the references of a garbage object to what is no garbage. What dies of it is destroyed when the world goes on.
#[inline(always)]
pub(super) fn drop_outside(object: Counted, seat: &Seat<AtomicCount>) {
    each_child(object, |child| {
        if get(child) != CANDIDATE && child.header().decrement() == Dropped::Dead {
            seat.dying.borrow_mut().push(child);
            seat.set_condition(Condition::Finalizers);
        }
    });
}

/// Frees the cell of an object, and clears its scratch entry.
pub(super) fn free_one(object: Counted, seat: &Seat<AtomicCount>) -> Amount {
    set(object, 0);
    let mut freeing = Freeing::of(object.block());
    // SAFETY: the world is stopped, we alone free, and what refers to the object is garbage itself.
    unsafe { freeing.free(object) };
    freeing.end(&seat.core.space)
}
