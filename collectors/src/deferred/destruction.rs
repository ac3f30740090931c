//! Destruction: decrements whose time has come, and the end of what they leave without a reference.

use super::{
    Counted,
    local::{DeferredLocal, count},
};
use crate::{
    Cause, Collected,
    counts::{Dropped, sticky::StickyCount},
    heap::seat::Condition,
    marking::object_at,
    threads::sync::{Arc, atomic::Ordering::Relaxed, mutant, thread},
};

/// How often a mutator that wants everything freed asks others for the next epoch, before it takes that they will not
/// answer. From the third time on it lets them run.
const ASKED: u32 = 64;

/// How often it asks before it lets others run: alone, it needs two epochs.
const ASKED_WITHOUT_PAUSE: u32 = 2;

/// Protected roots from which on counting them is a pause of its own.
const MANY_ROOTS: usize = 256;

/// How far ahead objects are fetched whose counts are to be decremented.
const AHEAD: usize = 8;

impl DeferredLocal {
    /// Ends the section and begins another, and does what has waited long enough for that.
    pub(super) fn renew(&self) {
        self.count_roots();
        self.section.renew();
        self.refresh_budget();
        // A finalizer is not interrupted: what waits is done when it has ended.
        if self.seat.depth() == 0 {
            self.take_batches();
            self.destroy();
        }
    }

    /// Counts the roots that the section under way has protected.
    pub(super) fn count_roots(&self) {
        let listed = self.roots.listed();
        if mutant("end a section without counting its roots") {
            return;
        }
        let pause = (listed >= MANY_ROOTS).then(|| self.seat.pause(Cause::Handshake));
        self.roots.count_protected(count);
        if let Some(pause) = pause {
            pause.end(listed as u64);
        }
    }

    /// Takes the batches that are over, to apply them; says whether there were any.
    fn take_batches(&self) -> bool {
        let taken = self.section.take();
        let are_any = !taken.is_empty();
        self.batches.borrow_mut().extend(taken);
        are_any
    }

    /// Applies what has been taken, and destroys what is left without a reference, until a finalizer has to be run; says
    /// how many objects it has destroyed.
    pub(super) fn destroy(&self) -> u64 {
        let mut destroyed = self.go_on();
        while self.seat.condition() == Condition::Normal {
            let Some(batch) = self.batches.borrow_mut().pop_front() else { break };
            self.apply(&batch);
            self.section.applied();
            destroyed += self.go_on();
        }
        destroyed
    }

    /// Decrements the counts of what was given up.
    fn apply(&self, given_up: &[Counted]) {
        let mut dying = self.seat.dying.borrow_mut();
        for (index, object) in given_up.iter().enumerate() {
            given_up.get(index + AHEAD).inspect(|ahead| ahead.prefetch());
            if object.header().decrement() == Dropped::Dead {
                dying.push(*object);
            }
        }
    }

    /// Destroys what is dying, and what dies with it, until a finalizer has to be run.
    fn go_on(&self) -> u64 {
        let mut dying = self.seat.dying.borrow_mut();
        let mut cascade = self.seat.cascade();
        let mut destroyed = 0;
        while let Some(&object) = dying.last() {
            if object.descriptor().has_finalizer() && !object.header().is_finalized() {
                self.seat.set_condition(Condition::Finalizers);
                break;
            }
            dying.pop();
            give_up_references(object, &mut dying);
            cascade.destroys_one();
            destroyed += 1;
            // SAFETY: it has no references, nobody can be reading it, and it has given up its own.
            unsafe { self.seat.free(object) };
        }
        drop(dying);
        cascade.end();
        destroyed
    }

    /// The next object whose finalizer has to be run, with one reference for it.
    pub(super) fn next_to_finalize(&self) -> Option<Counted> {
        if self.seat.depth() > 0 {
            return None;
        }
        self.seat.set_condition(Condition::Normal);
        let destroyed = self.destroy();
        if self.is_flushing.get() {
            self.tell(destroyed);
            if self.seat.condition() == Condition::Normal {
                self.flush();
            }
        }
        if self.seat.condition() == Condition::Normal {
            return None;
        }
        // Whoever asked for this one asks for the next when its finalizer has been run.
        self.seat.set_condition(Condition::Normal);
        let object = self.seat.dying.borrow_mut().pop()?;
        object.header().revive();
        Some(object)
    }

    /// Ends sections until nothing waits any more, others do not end theirs, or a finalizer has to be run.
    pub(super) fn flush(&self) {
        let mut asked = 0;
        while asked < ASKED {
            if asked > ASKED_WITHOUT_PAUSE {
                thread::yield_now();
            }
            asked += 1;
            self.count_roots();
            self.section.renew();
            if self.take_batches() {
                asked = 0;
            }
            let destroyed = self.destroy();
            self.tell(destroyed);
            if self.seat.condition() != Condition::Normal {
                return;
            }
            if !self.section.is_waited_for() {
                break;
            }
        }
        self.refresh_budget();
        self.is_flushing.set(false);
    }

    /// Adds what was destroyed to what the program is told of the collection that it has asked for.
    fn tell(&self, destroyed: u64) {
        self.seat.finish(Collected { examined: destroyed, freed: destroyed });
    }

    /// Hands over what is left. Says whether the mutator may go: the last one goes when nothing waits any more.
    pub(super) fn try_to_leave(&self) -> bool {
        if !self.has_left.get() {
            self.renew();
            if self.seat.condition() != Condition::Normal {
                return false;
            }
            self.section.end();
            let mut tables = self.collector.tables();
            tables.retain(|table| !Arc::ptr_eq(table, &self.table));
            let is_last = tables.is_empty();
            drop(tables);
            if !is_last {
                return true;
            }
            self.has_left.set(true);
            self.section.begin();
        }
        self.is_flushing.set(true);
        self.flush();
        let may_go = self.seat.condition() == Condition::Normal;
        if may_go {
            self.section.end();
        }
        may_go
    }
}

/// Decrements the counts of what a dying object refers to, at once: nobody can be reading it any more, so nobody has loaded
/// anything from it in a section that is still under way. What dies with it is put on the stack, the first slot's on top.
#[inline(always)]
fn give_up_references(object: Counted, dying: &mut Vec<Counted>) {
    // SAFETY: the object is ours until its cell is freed.
    for slot in unsafe { object.slots() }.iter().rev() {
        // Relaxed: ours alone to write: nobody else can reach the object.
        if let Some(child) = object_at::<StickyCount>(slot.load(Relaxed))
            && child.header().decrement() == Dropped::Dead
        {
            dying.push(child);
        }
    }
}
