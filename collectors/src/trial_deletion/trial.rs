//! The trial: what would have no references if those from inside were dropped.
//!
//! The trial's counts and colours are in the scratch table, and the counts themselves stay as they are. So an object
//! becomes black by the loss of its entry, and nothing has to be added back.
//!
//! | colour | entry             | an object                                                                          |
//! |--------|-------------------|------------------------------------------------------------------------------------|
//! | black  | 0                 | that has not been reached, or is alive                                             |
//! | gray   | `GRAY` + a count  | whose references have been subtracted, and with how many from elsewhere            |
//! | white  | `WHITE`           | that is held by white and gray objects alone, as far as is known                   |
//! | -      | `CANDIDATE`       | that has been found to be garbage (as `cycles/listed.rs` wants it)                 |
//!
//! An object of an acyclic class (green) is not reached; what it refers to is held from outside.
//!
//! # Invariants
//!
//! 1. When an object becomes gray it is counted as it is; then each reference from a gray object is subtracted once.
//! 2. After the scan there is no gray object, and no reference from a black object to a white one.
//! 3. An object that has been found to be garbage is not reached again.

use super::{CandidateCount, Order};
use crate::{
    cycles::detect::{CANDIDATE, each_child, get, held, set},
    heap::Object,
    threads::world::Stopped,
};

type Counted = Object<CandidateCount>;

/// Set in the entry of an object that is under trial. The bits below count references from elsewhere while it is gray.
const GRAY: u32 = 1 << 30;

/// The entry of a white object.
const WHITE: u32 = CANDIDATE | GRAY;

/// What a trial has found.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// How many objects were reached, each as often as that was.
    pub(super) examined: u64,
    pub(super) garbage: Vec<Counted>,
    /// Objects whose references are still to be followed.
    pending: Vec<Counted>,
    /// The same, of those that have become black.
    blackened: Vec<Counted>,
}

impl Trial {
    /// Tries all of `roots`. Their entries are 0, and so is every other; afterwards only garbage's are not.
    pub(super) fn of(roots: &[Counted], order: Order, _stopped: &Stopped<'_>) -> Self {
        let mut trial = Self::default();
        let portion = if order == Order::Phased { roots.len().max(1) } else { 1 };
        for roots in roots.chunks(portion) {
            roots.iter().for_each(|&root| trial.mark_gray(root));
            roots.iter().for_each(|&root| trial.scan(root));
            roots.iter().for_each(|&root| trial.collect_white(root));
        }
        trial
    }

    /// Subtracts the references inside of what `root` reaches.
    fn mark_gray(&mut self, root: Counted) {
        if get(root) == 0 {
            self.reach(root);
        }
        while let Some(object) = self.pending.pop() {
            each_child(object, |child| {
                if child.descriptor().is_acyclic() {
                    return;
                }
                if get(child) == 0 {
                    self.reach(child);
                }
                let entry = get(child);
                debug_assert!(entry > GRAY && entry < CANDIDATE, "{child:?} is at {entry:#x}");
                set(child, entry - 1);
            });
        }
    }

    #[inline(always)]
    fn reach(&mut self, object: Counted) {
        set(object, GRAY | held(object));
        self.examined += 1;
        self.pending.push(object);
    }

    /// Makes what `root` reaches white, or black if it is held from elsewhere.
    fn scan(&mut self, root: Counted) {
        self.pending.push(root);
        while let Some(object) = self.pending.pop() {
            let entry = get(object);
            if entry == GRAY {
                set(object, WHITE);
                each_child(object, |child| {
                    if is_gray(child) {
                        self.pending.push(child);
                    }
                });
            } else if is_gray(object) {
                self.scan_black(object);
            }
        }
    }

    /// An object is held from elsewhere: so is all that it reaches.
    fn scan_black(&mut self, object: Counted) {
        set(object, 0);
        self.blackened.push(object);
        while let Some(object) = self.blackened.pop() {
            each_child(object, |child| {
                if get(child) & GRAY != 0 {
                    set(child, 0);
                    self.blackened.push(child);
                }
            });
        }
    }

    /// Lists the white objects that `root` reaches: they are garbage.
    fn collect_white(&mut self, root: Counted) {
        self.condemn(root);
        while let Some(object) = self.pending.pop() {
            each_child(object, |child| self.condemn(child));
        }
    }

    #[inline(always)]
    fn condemn(&mut self, object: Counted) {
        if get(object) == WHITE {
            set(object, CANDIDATE);
            self.garbage.push(object);
            self.pending.push(object);
        }
    }
}

#[inline(always)]
fn is_gray(object: Counted) -> bool {
    get(object) & WHITE == GRAY
}
