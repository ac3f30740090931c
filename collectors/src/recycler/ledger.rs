//! The ledger: counts, possible roots and candidates, as the collector's thread keeps them.
//!
//! # Invariants
//!
//! 1. An object is in `roots` if and only if its place says so, and its header says where; it is purple or black then.
//!    It is in `members` if and only if its place says so.
//! 2. Between epochs an object that is orange is in `members`, and one whose count is 0 is too: its slots are null.

use super::{
    Counted,
    buffer::Segment,
    header::{Colour, Place, RecyclerHeader},
};
use crate::{
    Amount,
    heap::{Seat, object::Slot},
    marking::object_at,
    threads::sync::atomic::Ordering::{Acquire, Relaxed},
};

/// Objects handled between two safepoints of the collector's.
const STRIDE: u64 = 1024;

/// What the collector's thread knows of the heap.
#[derive(Default)]
pub(super) struct Ledger {
    /// Possible roots of garbage cycles.
    pub(super) roots: Vec<Counted>,
    /// The members of the candidates, one candidate after the other.
    pub(super) members: Vec<Counted>,
    /// Where in `members` each candidate ends, in the order in which they were found.
    pub(super) ends: Vec<usize>,
    /// The buffers of the last epoch, whose decrements are due in the next.
    pub(super) pending: Vec<Segment>,
    /// Objects that have lost their last reference, and whose references are to be dropped.
    dead: Vec<Counted>,
    /// Objects that would be dead but for their finalizers.
    pub(super) dying: Vec<Counted>,
    /// What a search has reached.
    pub(super) reached: Vec<Counted>,
    /// How much of it is gray.
    pub(super) still_gray: u64,
    /// What is still to be visited, in whatever traversal is under way.
    pub(super) stack: Vec<Counted>,
    /// The same of a traversal within another.
    pub(super) inner_stack: Vec<Counted>,
    pub(super) done: Done,
    steps: u64,
}

/// What has been done in an epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) freed: Amount,
    /// Objects of garbage cycles among them.
    pub(super) freed_in_cycles: u64,
    /// Objects reached from possible roots.
    pub(super) traced: u64,
}

impl Ledger {
    /// A reference has been made.
    #[inline(always)]
    pub(super) fn increment(&mut self, object: Counted) {
        let header = object.header();
        header.add();
        // Departure: only the object itself, not what it reaches.
        header.set_colour(Colour::Black);
    }

    /// A reference has been dropped.
    #[inline(always)]
    pub(super) fn decrement(&mut self, object: Counted) {
        let header = object.header();
        if header.subtract() == 0 {
            self.dead.push(object);
        } else if !object.descriptor().is_acyclic() {
            self.possible_root(object, header);
        }
    }

    #[inline(always)]
    fn possible_root(&mut self, object: Counted, header: &RecyclerHeader) {
        header.set_colour(Colour::Purple);
        if header.place() == Place::Nowhere {
            self.enter_root(object);
        }
    }

    /// Puts an object on the list of possible roots.
    pub(super) fn enter_root(&mut self, object: Counted) {
        let header = object.header();
        header.set_place(Place::Roots);
        header.set_position(self.roots.len());
        self.roots.push(object);
    }

    /// Takes it off.
    fn leave_roots(&mut self, header: &RecyclerHeader) {
        let position = header.position();
        header.set_place(Place::Nowhere);
        self.roots.swap_remove(position);
        if let Some(moved) = self.roots.get(position) {
            moved.header().set_position(position);
        }
    }

    /// An object without references dies with the next `release`.
    pub(super) fn bury_later(&mut self, object: Counted) {
        self.dead.push(object);
    }

    /// Frees what is dead, and what dies with it.
    pub(super) fn release(&mut self, seat: &Seat<RecyclerHeader>) {
        while let Some(object) = self.dead.pop() {
            self.rest(seat);
            let header = object.header();
            if self.is_to_be_finalized(object) {
                self.revive(object);
                continue;
            }
            // SAFETY: nobody but we can reach it, and we free it below.
            for slot in unsafe { object.slots() } {
                if let Some(child) = take(slot) {
                    self.decrement(child);
                }
            }
            header.set_colour(Colour::Black);
            match header.place() {
                Place::Nowhere => self.free(object, seat),
                Place::Roots => {
                    // Departure: it need not wait until the list is gone through.
                    self.leave_roots(header);
                    self.free(object, seat);
                }
                // It is freed when its candidate has been looked at.
                Place::Candidates => {}
            }
        }
    }

    /// Whether the finalizer of an object that is about to die has to be run first.
    pub(super) fn is_to_be_finalized(&self, object: Counted) -> bool {
        object.descriptor().has_finalizer() && !object.header().is_finalized()
    }

    /// Gives an object one reference, that of the queue of waiting finalizers.
    pub(super) fn revive(&mut self, object: Counted) {
        let header = object.header();
        header.add();
        header.set_colour(Colour::Black);
        header.set_finalized();
        self.dying.push(object);
    }

    /// Gives back the memory of an object that nothing refers to.
    pub(super) fn free(&mut self, object: Counted, seat: &Seat<RecyclerHeader>) {
        self.done.freed += Amount { objects: 1, bytes: object.bytes() as u64 };
        // SAFETY: its count is 0, or it is one of a garbage cycle, so no mutator can reach it; and it is on no list of ours.
        unsafe { seat.free(object) };
    }

    /// Comes to a safepoint, if what is dead has been freed as far as it is known.
    pub(super) fn rest_after_segment(&mut self, seat: &Seat<RecyclerHeader>) {
        self.steps += 1;
        seat.answer();
    }

    /// Tests that objects are on the lists that they say (invariants 1 and 2).
    pub(super) fn check(&self) {
        for (position, root) in self.roots.iter().enumerate() {
            let header = root.header();
            assert_eq!((header.place(), header.position()), (Place::Roots, position), "{root:?}");
        }
        for member in &self.members {
            assert_eq!(member.header().place(), Place::Candidates, "the place of {member:?}");
        }
        assert!(self.dead.is_empty() && self.dying.is_empty(), "an epoch has not ended");
        assert_eq!(self.members.len(), self.ends.last().copied().unwrap_or(0));
    }

    /// Comes to a safepoint now and then. Whatever slots refer to is in the heap.
    #[inline(always)]
    pub(super) fn rest(&mut self, seat: &Seat<RecyclerHeader>) {
        self.steps += 1;
        if self.steps.is_multiple_of(STRIDE) {
            seat.answer();
        }
    }
}

/// What an object that mutators may be changing refers to.
#[inline(always)]
pub(super) fn children(object: &Counted) -> impl Iterator<Item = Counted> {
    // SAFETY: only the collector's thread frees, which we are on.
    let slots = unsafe { object.slots() };
    // Acquire: the object's header, written before it was stored. Pairs with `exchange`, `compare_exchange`.
    slots.iter().filter_map(|slot| object_at(slot.load(Acquire)))
}

/// Empties a slot of an object that no mutator can reach, and gives what it held: whoever looks through a stopped heap
/// finds no reference to what has been freed.
#[inline(always)]
pub(super) fn take(slot: &Slot) -> Option<Counted> {
    // Relaxed: ordered by the hand-over of the buffers in which the references to its object were dropped.
    let child = object_at(slot.load(Relaxed));
    // Relaxed: ours alone to write.
    slot.store(0, Relaxed);
    child
}
