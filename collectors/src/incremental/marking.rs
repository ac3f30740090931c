//! Marking: visits what the roots reach, at once or a few objects at a time.
//!
//! Between two pauses the stack may hold objects, and counting may free any of them. So an object that is left on it is
//! *parked*: its header is flagged, its scratch entry says where on the stack it is, and whoever frees it takes it off.
//! No barrier is needed. Marking only spares what it visits the subtraction: an object that the program hides from it
//! stays pending, and the subtraction finds that it is alive.
//!
//! # Invariants
//!
//! 1. Every object on the stack is visited, and in the heap.
//! 2. While mutators run, the whole stack is parked: the scratch entry of an object on it is its place, counted from 1,
//!    its header is flagged as doomed, and it is not doomed. During a pause that holds for the first `parked` only.
//!
//! # Synchronization
//!
//! | variable                | written by                                    | read by  | protocol                        |
//! |-------------------------|-----------------------------------------------|----------|---------------------------------|
//! | the stack               | a stopped world; whoever frees an object of it | the same | the schedule's lock             |
//! | an entry, a header's flag | the same                                    | the same | safepoint handshake; the count orders the last holder's free |

use super::spaces::Spaces;
use crate::{
    counts::{Count, atomic::AtomicCount},
    cycles::detect::{CANDIDATE, each_child, get, set},
    heap::Object,
};

type Counted = Object<AtomicCount>;

/// Visited objects whose references have not been looked at.
#[derive(Debug, Default)]
pub(super) struct Marking {
    /// `None` where a parked object has died.
    stack: Vec<Option<Counted>>,
    /// How many, from the bottom, are parked.
    parked: usize,
}

impl Marking {
    /// Visits `object`, if that has not been done, and takes it on.
    #[inline(always)]
    pub(super) fn reach(&mut self, spaces: &Spaces, object: Counted) {
        if spaces.is_unvisited(object) {
            spaces.visit(object);
            self.stack.push(Some(object));
        }
    }

    /// Reaches what the next object refers to. Says whether there was one.
    #[inline(always)]
    pub(super) fn step(&mut self, spaces: &Spaces) -> bool {
        let Some(object) = self.pop() else { return false };
        each_child(object, |child| self.reach(spaces, child));
        true
    }

    fn pop(&mut self) -> Option<Counted> {
        while let Some(object) = self.stack.pop() {
            if self.stack.len() < self.parked {
                self.parked = self.stack.len();
                object.iter().for_each(|&object| unpark(object));
            }
            if object.is_some() {
                return object;
            }
        }
        None
    }

    /// How many objects are left to look at.
    pub(super) fn len(&self) -> usize {
        self.stack.iter().flatten().count()
    }

    /// The pause ends.
    pub(super) fn park(&mut self) {
        for (place, object) in self.stack.iter().enumerate().skip(self.parked) {
            if let Some(object) = object {
                // INVARIANT 2.
                let entry = u32::try_from(place + 1).ok().filter(|&entry| entry < CANDIDATE);
                set(*object, entry.expect("a stack has fewer than 2^31 objects"));
                object.header().set_doomed(true);
            }
        }
        self.parked = self.stack.len();
    }

    /// Takes all objects off.
    pub(super) fn clear(&mut self) {
        while self.pop().is_some() {}
    }

    /// A flagged object is about to be freed: takes it off, if it is on the stack, and says so.
    pub(super) fn forget(&mut self, object: Counted) -> bool {
        let Some(place) = get(object).checked_sub(1) else { return false };
        let entry = self.stack[place as usize].take();
        debug_assert_eq!(entry, Some(object), "an entry says where on the stack its object is");
        unpark(object);
        true
    }

    /// Whether the scratch entry of `object` is what it must be while mutators run.
    pub(super) fn check(&self, object: Counted) {
        match get(object).checked_sub(1) {
            None => {}
            Some(place) => {
                assert_eq!(
                    self.stack.get(place as usize),
                    Some(&Some(object)),
                    "the entry of {object:?} does not say where it is parked"
                );
                assert!(object.header().is_doomed(), "the parked {object:?} is not flagged");
            }
        }
    }
}

fn unpark(object: Counted) {
    set(object, 0);
    object.header().set_doomed(false);
}
