//! Epochs: crossbeam's, which a model explores too.
//!
//! After K. Fraser, *Practical lock-freedom*, University of Cambridge, 2004. A thread is *pinned* while it may hold what it
//! has read without protection. What is deferred runs when whoever was pinned then has been unpinned or pinned anew. In a
//! model crossbeam runs on loom (`--cfg crossbeam_loom`), so what is explored is what ships.

use std::cell::RefCell;

use crossbeam_epoch::{Collector, Guard, LocalHandle};

/// The epochs of some threads.
pub(crate) struct Epochs(Collector);

/// One thread among them.
pub(crate) struct Participant {
    /// Dropped before `handle`: what is last here leaves the epochs.
    guard: RefCell<Option<Guard>>,
    handle: LocalHandle,
}

impl Epochs {
    pub(crate) fn new() -> Self {
        Self(Collector::new())
    }

    /// This thread takes part from now on, unpinned.
    pub(crate) fn join(&self) -> Participant {
        Participant { guard: RefCell::new(None), handle: self.0.register() }
    }
}

impl Participant {
    /// What is deferred from now on waits for this thread.
    pub(crate) fn pin(&self) {
        let guard = self.handle.pin();
        *self.guard.borrow_mut() = Some(guard);
    }

    /// What has been deferred waits for this thread no longer.
    pub(crate) fn unpin(&self) {
        drop(self.guard.borrow_mut().take());
    }

    /// Unpins and pins.
    pub(crate) fn repin(&self) {
        self.guard.borrow_mut().as_mut().expect("the thread was expected to be pinned").repin();
    }

    /// Has `action` done by some thread, when all that are pinned now have been unpinned.
    pub(crate) fn defer(&self, action: impl FnOnce() + Send + 'static) {
        self.guard.borrow().as_ref().expect("the thread was expected to be pinned").defer(action);
    }

    /// Begins the next epoch, if all pinned threads have been pinned in this one; does what has waited long enough.
    pub(crate) fn advance(&self) {
        self.guard.borrow().as_ref().expect("the thread was expected to be pinned").flush();
    }
}
