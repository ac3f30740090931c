//! Release: the end of an object whose last reference is gone, and of all that only it held.
//!
//! A release never recurses: dying objects wait on their mutator's stack, so that the drop of a list of ten million
//! nodes needs no more of the thread's stack than the drop of one. Parents die before what they held, and what an
//! earlier slot held before what a later one did.
//!
//! # Invariants
//!
//! 1. An object on the stack has no references, and nobody but its mutator knows of it.

use super::{
    atomic::{AtomicCount, Dropped},
    slot::{self, object_at},
};
use crate::{
    heap::{
        Object, Seat,
        seat::{Cascade, Condition},
    },
    threads::sync::atomic::Ordering::Relaxed,
};

type Counted = Object<AtomicCount>;

/// What a collector does when an object goes.
pub(crate) trait Release {
    /// The mutator's seat.
    fn seat(&self) -> &Seat<AtomicCount>;

    /// Frees the cell of an object that has given up its references.
    ///
    /// # Safety
    ///
    /// Nobody can reach the object any more.
    unsafe fn free(&self, object: Counted);

    /// Drops a reference to `object`, and destroys the object if it was the last.
    ///
    /// # Safety
    ///
    /// The caller gives up a reference.
    #[inline(always)]
    unsafe fn release(&self, object: Counted) {
        if object.header().decrement() == Dropped::Dead {
            self.destroy(object);
        }
    }

    /// Writes a slot, then releases what it held: CPython's order, so that a finalizer sees the new value in place.
    ///
    /// # Safety
    ///
    /// The caller holds references to `owner`, which has the slot, and to `value`.
    #[inline(always)]
    unsafe fn store_counted(&self, owner: Counted, index: usize, value: Option<Counted>) {
        // SAFETY: by our caller.
        if let Some(before) = unsafe { slot::exchange(owner, index, value) } {
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
        owner: Counted,
        index: usize,
        current: Option<Counted>,
        new: Option<Counted>,
    ) -> bool {
        if let Some(new) = new {
            new.header().increment();
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
    fn destroy(&self, object: Counted) {
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
    fn destroy_all(&self, object: Counted) {
        self.seat().dying.borrow_mut().push(object);
        // If finalizers wait already, we are inside of too many: the outermost goes on with this one.
        if self.seat().condition() == Condition::Normal {
            self.go_on();
        }
    }

    /// Goes on with the release under way until it ends or a finalizer has to be run.
    fn go_on(&self) {
        let seat = self.seat();
        let mut dying = seat.dying.borrow_mut();
        let mut cascade = seat.cascade();
        while dying.len() > seat.floor() {
            let object = dying[dying.len() - 1];
            if must_be_finalized(object) {
                seat.set_condition(Condition::Finalizers);
                break;
            }
            dying.pop();
            self.give_up_references(object, &mut dying);
            destroyed(&mut cascade);
            // SAFETY: it has no references, and has given up its own.
            unsafe { self.free(object) };
        }
        drop(dying);
        cascade.end();
    }

    /// Drops the references that a dying object holds; what dies with it is put on the stack, the first slot's on top.
    #[inline(always)]
    fn give_up_references(&self, object: Counted, dying: &mut Vec<Counted>) {
        // SAFETY: the object is ours until its cell is freed.
        for slot in unsafe { object.slots() }.iter().rev() {
            // Relaxed: ours alone to write: nobody else can reach the object.
            if let Some(child) = object_at(slot.load(Relaxed))
                && child.header().decrement() == Dropped::Dead
            {
                dying.push(child);
            }
        }
    }

    /// The next object whose finalizer has to be run, with one reference for it.
    fn next_dying_finalizer(&self) -> Option<Counted> {
        self.go_on();
        let seat = self.seat();
        let mut dying = seat.dying.borrow_mut();
        if dying.len() <= seat.floor() {
            seat.set_condition(Condition::Normal);
            return None;
        }
        let object = dying.pop()?;
        object.header().revive();
        Some(object)
    }
}

#[inline(always)]
fn destroyed(cascade: &mut Cascade<'_, AtomicCount>) {
    cascade.destroys_one();
}

#[inline(always)]
fn must_be_finalized(object: Counted) -> bool {
    object.descriptor().has_finalizer() && !object.header().is_finalized()
}

#[inline(always)]
fn holds_anything(object: Counted) -> bool {
    // SAFETY: the object is its last holder's.
    let slots = unsafe { object.slots() };
    // Relaxed: ours alone to write: nobody else can reach the object.
    slots.iter().any(|slot| slot.load(Relaxed) != 0)
}
