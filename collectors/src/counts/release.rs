//! Release: the end of an object whose last reference is gone, and of all that only it held.
//!
//! A release never recurses: dying objects wait on their mutator's stack, so that the drop of a list of ten million
//! nodes needs no more of the thread's stack than the drop of one. Parents die before what they held, and what an
//! earlier slot held before what a later one did.
//!
//! A collector may want the release of much to be cut into slices ([`Counting::slice`]). Then what is left of it stays on
//! the stack, and goes on when the collector says; what is dropped meanwhile is released first. (After J. Weizenbaum,
//! *Symmetric list processor*, Communications of the ACM, 1963, who put off all of it.)
//!
//! # Invariants
//!
//! 1. An object on the stack has no references, and nobody but its mutator knows of it.

use super::{
    Count, Dropped,
    counting::Counting,
    slot::{self, object_at},
};
use crate::{
    heap::{Object, seat::Condition},
    threads::sync::atomic::Ordering::Relaxed,
};

type Counted<L> = Object<<L as Counting>::Count>;

/// What a counting collector does when an object goes.
pub(crate) trait Release: Counting {
    /// Drops a reference to `object`, and destroys the object if it was the last.
    ///
    /// # Safety
    ///
    /// The caller gives up a reference.
    #[inline(always)]
    unsafe fn release(&self, object: Counted<Self>) {
        if Self::Count::decrement(object, self.holder()) == Dropped::Dead {
            self.destroy(object);
        }
    }

    /// Drops the references that others have dropped before, and left to this mutator.
    #[cold]
    fn settle(&self) {
        self.release_all(Self::Count::settle(self.holder()));
    }

    /// Drops references, each to one of `objects`.
    fn release_all(&self, objects: Vec<Counted<Self>>) {
        for object in objects {
            // SAFETY: the reference is ours: whoever dropped it has left it to us.
            unsafe { self.release(object) };
        }
    }

    /// Writes a slot, then releases what it held: CPython's order, so that a finalizer sees the new value in place.
    ///
    /// # Safety
    ///
    /// The caller holds references to `owner`, which has the slot, and to `value`.
    #[inline(always)]
    unsafe fn store_counted(
        &self,
        owner: Counted<Self>,
        index: usize,
        value: Option<Counted<Self>>,
    ) {
        // SAFETY: by our caller.
        if let Some(before) = unsafe { slot::exchange(owner, index, value, self.holder()) } {
            // SAFETY: the slot's reference, which is ours now.
            unsafe { self.release(before) };
        }
    }

    /// Writes a slot if it holds `current`, then releases the slot's reference to that; says whether it did.
    ///
    /// # Safety
    ///
    /// The caller holds references to `owner`, which has the slot, to `current` and to `new`.
    unsafe fn compare_exchange_counted(
        &self,
        owner: Counted<Self>,
        index: usize,
        current: Option<Counted<Self>>,
        new: Option<Counted<Self>>,
    ) -> bool {
        if let Some(new) = new {
            new.header().increment(self.holder());
        }
        // SAFETY: by our caller; the slot takes the reference counted above, if it takes any.
        let done = unsafe { slot::compare_exchange(owner, index, current, new) };
        if let Some(given_up) = if done { current } else { new } {
            // SAFETY: the slot's reference to what it held, or ours to what it did not take.
            unsafe { self.release(given_up) };
        }
        done
    }

    /// Destroys an object whose last reference is gone. Apart from `release`, so that the drop of any other reference is
    /// a few instructions wherever it is.
    #[inline(never)]
    fn destroy(&self, object: Counted<Self>) {
        if object.descriptor().has_finalizer() || holds_anything(object) {
            self.destroy_all(object);
        } else {
            // SAFETY: it has no references, and refers to nothing.
            unsafe { self.free(object) };
        }
    }

    /// Destroys an object that has a finalizer or refers to others, and what dies with it.
    #[cold]
    #[inline(never)]
    fn destroy_all(&self, object: Counted<Self>) {
        self.condemn(object);
        let seat = self.place();
        let below = {
            let mut dying = seat.dying.borrow_mut();
            dying.push(object);
            dying.len() - 1
        };
        // If finalizers wait already, we are inside of too many: the outermost goes on with this one.
        if seat.condition() == Condition::Normal {
            self.go_on_above(below, self.slice());
        }
    }

    /// Goes on with the release under way until it ends, a finalizer has to be run, or `most` objects are destroyed.
    fn go_on(&self, most: u64) {
        self.go_on_above(self.place().floor(), most);
    }

    /// As `go_on`, leaving the lowest `below` objects of the stack where they are.
    fn go_on_above(&self, below: usize, most: u64) {
        let seat = self.place();
        let mut dying = seat.dying.borrow_mut();
        let mut cascade = seat.cascade();
        let mut left = most;
        while dying.len() > below {
            let object = dying[dying.len() - 1];
            if must_be_finalized(object) {
                seat.set_condition(Condition::Finalizers);
                break;
            }
            if left == 0 {
                self.put_off();
                break;
            }
            left -= 1;
            dying.pop();
            self.give_up_references(object, &mut dying);
            cascade.destroys_one();
            // SAFETY: it has no references, and has given up its own.
            unsafe { self.free(object) };
        }
        drop(dying);
        cascade.end();
    }

    /// Drops the references that a dying object holds; what dies with it is put on the stack, the first slot's on top.
    #[inline(always)]
    fn give_up_references(&self, object: Counted<Self>, dying: &mut Vec<Counted<Self>>) {
        // SAFETY: the object is ours until its cell is freed.
        for slot in unsafe { object.slots() }.iter().rev() {
            // Relaxed: ours alone to write: nobody else can reach the object.
            if let Some(child) = object_at(slot.load(Relaxed))
                && Self::Count::decrement(child, self.holder()) == Dropped::Dead
            {
                self.condemn(child);
                dying.push(child);
            }
        }
    }

    /// The next object whose finalizer has to be run, with one reference for it.
    fn next_dying_finalizer(&self) -> Option<Counted<Self>> {
        self.go_on(self.slice());
        let seat = self.place();
        let mut dying = seat.dying.borrow_mut();
        let is_next = |object: &mut Counted<Self>| must_be_finalized(*object);
        if dying.len() > seat.floor()
            && let Some(object) = dying.pop_if(is_next)
        {
            object.header().revive();
            return Some(object);
        }
        seat.set_condition(Condition::Normal);
        None
    }
}

impl<L: Counting> Release for L {}

/// Whether the object's finalizer has to be called before it ends.
#[inline(always)]
pub(crate) fn must_be_finalized<K: Count>(object: Object<K>) -> bool {
    object.descriptor().has_finalizer() && !object.header().is_finalized()
}

#[inline(always)]
fn holds_anything<K: Count>(object: Object<K>) -> bool {
    // SAFETY: the object is its last holder's.
    let slots = unsafe { object.slots() };
    // Relaxed: ours alone to write: nobody else can reach the object.
    slots.iter().any(|slot| slot.load(Relaxed) != 0)
}
