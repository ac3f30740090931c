//! Listed detection: which of a list of objects are garbage, and the end of those.
//!
//! The same subtraction as in `detect`, for objects that no bitmap tells from others: an increment, or what finalizers
//! have left. Its cost is in proportion to the list and what the list refers to, whatever the size of the heap.
//!
//! # Invariants
//!
//! 1. Before, no entry of an object on the list is in use. An entry without `CANDIDATE` is not ours, whatever it holds.
//! 2. Between detection and the end, the entries of garbage are `CANDIDATE`, those of the rest of the list 0.

use super::{
    detect::{CANDIDATE, each_child, get, held, set},
    reclaim::By,
};
use crate::{
    counts::{Count, Dropped},
    heap::{Amount, Object, Seat, seat::Condition, share::Freeing},
};

/// The garbage on `list`, in its order; every other object is given to `alive`. The world is stopped.
pub(crate) fn detect<K: Count>(
    list: Vec<Object<K>>,
    mut alive: impl FnMut(Object<K>),
) -> Vec<Object<K>> {
    for &object in &list {
        set(object, CANDIDATE | held(object));
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
pub(crate) fn reclaim<K: Count>(garbage: Vec<Object<K>>, by: By<'_, K>) -> Amount {
    for &object in &garbage {
        drop_outside(object, by);
    }
    let mut freed = Amount::default();
    for &object in &garbage {
        freed += free_one(object, by.seat);
    }
    freed
}

/// Drops the references of a garbage object to what is no garbage. What dies of it is destroyed when the world goes on.
#[inline(always)]
pub(super) fn drop_outside<K: Count>(object: Object<K>, By { seat, holder }: By<'_, K>) {
    each_child(object, |child| {
        if get(child) != CANDIDATE && K::decrement(child, holder) == Dropped::Dead {
            seat.dying.borrow_mut().push(child);
            seat.set_condition(Condition::Finalizers);
        }
    });
}

/// Frees the cell of an object, and clears its scratch entry.
pub(super) fn free_one<K: Count>(object: Object<K>, seat: &Seat<K>) -> Amount {
    set(object, 0);
    let mut freeing = Freeing::of(object.block());
    // SAFETY: the world is stopped, we alone free, and what refers to the object is garbage itself.
    unsafe { freeing.free(object) };
    freeing.end(&seat.core.space)
}
