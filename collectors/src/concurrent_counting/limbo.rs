//! Limbo: where large objects that die while a cycle runs wait for its end, since the collector may be reading them.
//!
//! Cells stay readable whatever becomes of them; a large object is unmapped when it is freed.

use super::{Counted, Worker, reclaim::clear};
use crate::threads::sync::{Mutex, MutexGuard};

/// Large objects that have died while a cycle runs.
pub(super) struct Limbo {
    state: Mutex<State>,
}

struct State {
    is_open: bool,
    objects: Vec<Counted>,
}

impl Limbo {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { is_open: false, objects: Vec::new() }) }
    }

    /// A cycle begins: from now on nothing large is unmapped.
    pub(super) fn open(&self) {
        self.state().is_open = true;
    }

    /// Keeps a dead object, or lets `free` free it if no cycle runs.
    pub(super) fn pass(&self, object: Counted, free: impl FnOnce()) {
        let mut state = self.state();
        if state.is_open {
            state.objects.push(object);
        } else {
            // Under the lock, so that no cycle begins meanwhile.
            free();
        }
    }

    fn close(&self) -> Vec<Counted> {
        let mut state = self.state();
        state.is_open = false;
        std::mem::take(&mut state.objects)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

/// Whether the object has a mapping of its own.
pub(super) fn is_large(object: Counted) -> bool {
    object.may_be_large() && object.block().owner() == 0
}

impl Worker<'_> {
    /// Frees a dead object that this thread has come to own, if it is large at the end of the cycle: a dead suspect that
    /// has not been cleared yet may still be seen to refer to it.
    ///
    /// # Safety
    ///
    /// Nobody can reach the object any more, and it has given up its references.
    pub(super) unsafe fn free_one(&self, object: Counted) {
        // SAFETY: by our caller.
        let free = || unsafe { self.seat.free(object) };
        if is_large(object) {
            clear(object);
            self.collector.limbo.pass(object, free);
        } else {
            free();
        }
    }

    /// The cycle has ended: frees what has died in it.
    pub(super) fn empty_limbo(&self) {
        for object in self.collector.limbo.close() {
            // SAFETY: it is dead, and who destroyed it has left it to us.
            unsafe { self.seat.free(object) };
        }
    }
}
