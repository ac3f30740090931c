//! Protected roots: a mutator's references, most of which are not counted.
//!
//! A root that was loaded is *protected* by the section it was loaded in; if it is still held when the section ends, it is
//! *counted* then, once. So that protected roots are found without a look at all others, they are on a list; an entry that is
//! given back stays there, and is not listed again when it is taken again: however many roots come and go in a section, the
//! list is no longer than the table.
//!
//! # Invariants
//!
//! 1. An entry in use without `COUNTED` is on the list. An entry is on the list at most once, and has `LISTED` then.
//!
//! # Synchronization
//!
//! | variable | written by  | read by                      | protocol            |
//! |----------|-------------|------------------------------|---------------------|
//! | entries  | the mutator | the same, or a stopped world | safepoint handshake |
//! | the list | the mutator | the same                     | its own             |

use std::cell::RefCell;

use super::Counted;
use crate::{
    roots::{Entries, FLAGS, FREE, RootEntry},
    threads::sync::Arc,
};

/// The root is a counted reference.
const COUNTED: usize = 2;

/// The entry is on the list of those that may be protected.
const LISTED: usize = 4;

/// A mutator's roots, as a stopped world sees them.
pub(super) struct Table(Entries);

/// A mutator's roots, as it sees them itself.
pub(super) struct Roots {
    table: Arc<Table>,
    listed: RefCell<Vec<RootEntry>>,
}

/// What a root was that is none any more.
#[must_use = "a counted reference has to be given up"]
pub(super) enum Removed {
    /// A reference without a count.
    Protected(Counted),
    /// A counted one.
    Counted(Counted),
}

impl Table {
    pub(super) fn new() -> Self {
        Self(Entries::new())
    }

    /// Calls `visit` with the object of every root, and whether it is counted. With the world stopped.
    pub(super) fn for_each(&self, mut visit: impl FnMut(Counted, bool)) {
        self.0.for_each(|word| visit(object_of(word), word & COUNTED != 0));
    }
}

impl Roots {
    /// The roots of `table`'s mutator.
    pub(super) fn of(table: Arc<Table>) -> Self {
        Self { table, listed: RefCell::new(Vec::new()) }
    }

    /// A root for `object`, which the section under way protects.
    #[inline(always)]
    pub(super) fn protect(&self, object: Counted) -> RootEntry {
        let (entry, before) = self.table.0.take();
        // SAFETY: an entry of our table.
        unsafe { entry.set(object.address() | LISTED) };
        if before & LISTED == 0 {
            // INVARIANT 1: from here on it is listed.
            self.listed.borrow_mut().push(entry);
        }
        entry
    }

    /// A root for `object`, which takes over a counted reference.
    #[inline(always)]
    pub(super) fn enter(&self, object: Counted) -> RootEntry {
        let (entry, before) = self.table.0.take();
        // SAFETY: an entry of our table.
        unsafe { entry.set(object.address() | COUNTED | before & LISTED) };
        entry
    }

    /// The object that `root` refers to.
    ///
    /// # Safety
    ///
    /// The root is ours, and has not been removed.
    #[inline(always)]
    pub(super) unsafe fn object(&self, root: RootEntry) -> Counted {
        // SAFETY: an entry of our table, by our caller.
        object_of(unsafe { root.word() })
    }

    /// Takes a root out of the table.
    ///
    /// # Safety
    ///
    /// The root is ours, and has not been removed.
    #[inline(always)]
    pub(super) unsafe fn remove(&self, root: RootEntry) -> Removed {
        // SAFETY: an entry of our table, by our caller.
        let word = unsafe { root.word() };
        // SAFETY: as above, and in use.
        unsafe { self.table.0.give_back(root, word & LISTED) };
        let object = object_of(word);
        if word & COUNTED == 0 { Removed::Protected(object) } else { Removed::Counted(object) }
    }

    /// How many entries may be protected roots.
    pub(super) fn listed(&self) -> usize {
        self.listed.borrow().len()
    }

    /// Calls `count` with the object of every protected root, which is a counted one from then on.
    pub(super) fn count_protected(&self, mut count: impl FnMut(Counted)) {
        for entry in self.listed.borrow_mut().drain(..) {
            // SAFETY: an entry of our table, which exists as long as we do.
            let word = unsafe { entry.word() };
            let mut now = word & !LISTED;
            if word & (FREE | COUNTED) == 0 {
                count(object_of(word));
                now |= COUNTED;
            }
            // SAFETY: as above.
            unsafe { entry.set(now) };
        }
    }
}

#[inline(always)]
fn object_of(word: usize) -> Counted {
    // SAFETY: the word of an entry in use is an object's address with flags (`roots.rs`, invariant 1).
    unsafe { Counted::at(word & !FLAGS) }
}
