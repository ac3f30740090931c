//! Shared handles: references that belong to no mutator, and so may cross threads.
//!
//! The table holds one reference for each handle and its clones. Copying and dropping a handle needs no mutator: when
//! the last clone goes, its entry waits in the table until some mutator, at a safepoint, releases it.

use super::object::{Header, Object};
use crate::threads::sync::{Mutex, MutexGuard, mutant};

/// The references of shared handles.
pub(crate) struct SharedTable<H> {
    state: Mutex<State<H>>,
}

struct State<H> {
    entries: Vec<Entry<H>>,
    vacant: Vec<usize>,
    abandoned: Vec<Object<H>>,
}

enum Entry<H> {
    Vacant,
    Taken { object: Object<H>, handles: usize },
}

impl<H: Header> SharedTable<H> {
    pub(crate) fn new() -> Self {
        let state = State { entries: Vec::new(), vacant: Vec::new(), abandoned: Vec::new() };
        Self { state: Mutex::new(state) }
    }

    /// Enters a reference, for one handle.
    pub(crate) fn enter(&self, object: Object<H>) -> usize {
        let mut state = self.state();
        let entry = Entry::Taken { object, handles: 1 };
        match state.vacant.pop() {
            Some(index) => {
                state.entries[index] = entry;
                index
            }
            None => {
                state.entries.push(entry);
                state.entries.len() - 1
            }
        }
    }

    /// Counts one more handle on entry `index`.
    pub(crate) fn copy(&self, index: usize) {
        match &mut self.state().entries[index] {
            Entry::Taken { handles, .. } => {
                *handles += usize::from(!mutant("clone without counting"))
            }
            Entry::Vacant => unreachable!("a handle keeps its entry"),
        }
    }

    /// Drops one handle on entry `index`. If it was the last, the reference is abandoned and the answer is true.
    pub(crate) fn drop_handle(&self, index: usize) -> bool {
        let mut state = self.state();
        let Entry::Taken { object, handles } = &mut state.entries[index] else {
            unreachable!("a handle keeps its entry")
        };
        *handles -= 1;
        if *handles > 0 {
            return false;
        }
        let object = *object;
        state.entries[index] = Entry::Vacant;
        state.vacant.push(index);
        state.abandoned.push(object);
        true
    }

    /// Gives `copy` the object of entry `index`, while nobody else can copy or drop the table's reference.
    pub(crate) fn with<R>(&self, index: usize, copy: impl FnOnce(Object<H>) -> R) -> R {
        let state = self.state();
        match &state.entries[index] {
            Entry::Taken { object, .. } => copy(*object),
            Entry::Vacant => unreachable!("a handle keeps its entry"),
        }
    }

    /// Takes the references that nobody has a handle on any more.
    pub(crate) fn take_abandoned(&self) -> Vec<Object<H>> {
        std::mem::take(&mut self.state().abandoned)
    }

    /// All objects that the table has a reference to, abandoned ones included, once for each reference.
    pub(crate) fn objects(&self) -> Vec<Object<H>> {
        let state = self.state();
        let taken = state.entries.iter().filter_map(|entry| match entry {
            Entry::Taken { object, .. } => Some(*object),
            Entry::Vacant => None,
        });
        taken.chain(state.abandoned.iter().copied()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State<H>> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}
