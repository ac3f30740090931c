//! Deferred: loads count nothing, and a decrement waits until nobody can be reading what it may free.
//!
//! After D. Anderson, G. E. Blelloch, Y. Wei, *Concurrent deferred reference counting with constant-time overhead*, PLDI
//! 2021, and *Turning manual concurrent memory reclamation into automatic reference counting*, PLDI 2022 (local references
//! that are protected and not counted, decrements that are deferred, the sticky count); J. Jung, J. Kim, M. J. Parkinson,
//! J. Kang, *Concurrent immediate reference counting*, PLDI 2024 (what a destroyed object held is released at once).
//!
//! # How it works
//!
//! 1. *Load.* A mutator is pinned from one safepoint to the next, which is a *section* (`deferred/grace.rs`). What it loads in
//!    a section becomes a *protected* root: the count is not touched, and no shared memory is written (`deferred/roots.rs`).
//! 2. *Store.* The new object's count is incremented, the slot exchanged, and the old object *given up*: the decrement is
//!    put off. So is that of a counted root which is dropped. Only an object that nobody but its maker has ever had a
//!    reference to, and that has none itself, is freed on the spot.
//! 3. *Safepoint.* Protected roots that are still held are counted. What was given up in the section is handed in as a
//!    batch, and the mutator is pinned anew.
//! 4. *Grace period.* When all sections have ended that were under way when a batch was handed in, it is over. Whoever wants
//!    that to come about asks the others to end their sections at their next safepoint.
//! 5. *Destruction* (`deferred/destruction.rs`). A mutator that finds a batch to be over, at a safepoint, decrements the counts.
//!    What has none left is destroyed, after its finalizer has been run, and what it held is decremented there and then.
//!
//! # Invariants
//!
//! 1. An object's count (`counts/sticky.rs`) is the number of slots, counted roots and shared entries that refer to it, and of
//!    references to it that were given up and have not been applied.
//! 2. A section that holds a protected root began before a counted reference was given up that the root was made of. So
//!    the object's count is not zero before that section has ended.
//! 3. When a count becomes zero, every section has ended that ever held the object.
//!
//! Of 2 follows that a protected root can be counted, stored or shared at any time. Of 3 follows that what a destroyed
//! object held can be decremented at once: whoever has loaded that from its slots held the object too, in a section that
//! has ended.
//!
//! # Bounds
//!
//! What dies is freed, with all that only it held, after one grace period: two epochs, that is after each mutator has passed
//! some three safepoints that heed the call, however long the list is. A mutator that comes to no safepoint holds up
//! everything that is given up meanwhile; when it comes to one, the batches that have piled up are applied some eight at
//! a safepoint (crossbeam hands out so many at a time), so that nobody pauses for all of them.
//!
//! # Synchronization
//!
//! | variable    | written by                | read by                 | protocol                                       |
//! |-------------|---------------------------|-------------------------|------------------------------------------------|
//! | slots       | mutators                  | mutators                | stores release, loads acquire                  |
//! | counts      | whoever has a reference   | whoever decrements      | `counts/sticky.rs`                             |
//! | batches     | whoever has given up      | whoever applies         | `deferred/grace.rs`                            |
//! | root tables | each mutator its own      | the same, or a stopped world | safepoint handshake                       |
//! | `tables`    | who comes and goes        | whoever goes, a check   | the lock                                       |
//!
//! # Departures
//!
//! Every decrement is deferred, as in the first paper. There a destroyed object's own references are deferred anew, so that a
//! list loses one node a grace period, because a counted local reference is dropped at once. Here its drop is deferred
//! too; then (invariant 3) destruction need not wait again. CIRC decrements at once and defers only destruction; it
//! needs a stamp in every count to know what may be destroyed at once, and a token for what is counted again from zero.
//! Here a count never rises from zero: that the sticky count would say so is an assertion.

mod destruction;
mod grace;
mod local;
#[cfg(test)]
mod models;
mod roots;

use std::collections::HashMap;

pub use self::local::DeferredLocal;
use self::{grace::Grace, roots::Table};
use crate::{
    Capabilities, Collector, Finalizers, NoSettings, Reclaims, Setting, SettingsError,
    collector::Inspection,
    counts::sticky::StickyCount,
    heap::{Object, Seat},
    marking::object_at,
    threads::sync::{Arc, Mutex, MutexGuard, atomic::Ordering::Relaxed},
};

type Counted = Object<StickyCount>;

/// Counts references, but not those of mutators that are only passing.
pub struct Deferred {
    grace: Arc<Grace<Counted>>,
    /// The root tables of all mutators.
    tables: Mutex<Vec<Arc<Table>>>,
}

impl Collector for Deferred {
    const NAME: &'static str = "deferred";
    const SUMMARY: &'static str = "counts references, except loaded ones, and decrements when nobody can be reading; leaks cycles";
    const PAPER: &'static str = "D. Anderson, G. E. Blelloch, Y. Wei, Concurrent deferred reference counting with \
         constant-time overhead, PLDI, 2021; J. Jung, J. Kim, M. J. Parkinson, J. Kang, Concurrent immediate reference \
         counting, PLDI, 2024";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Acyclic,
        moves: false,
        finalizers: Finalizers::Deferred,
        resurrects: true,
        generations: 0,
    };
    const SETTINGS: &'static [Setting] = &[];

    type Settings = NoSettings;
    type Header = StickyCount;
    type Local = DeferredLocal;

    fn new(_: NoSettings) -> Result<Self, SettingsError> {
        Ok(Self { grace: Arc::new(Grace::new()), tables: Mutex::new(Vec::new()) })
    }

    fn attach(self: &Arc<Self>, seat: Seat<StickyCount>) -> DeferredLocal {
        DeferredLocal::new(Arc::clone(self), seat)
    }

    /// Invariant 1, as far as references are written down: those that were given up are not.
    fn check(&self, inspection: &Inspection<'_, StickyCount>) {
        let mut counted: HashMap<usize, u32> = HashMap::new();
        let mut note = |object: Counted| *counted.entry(object.address()).or_default() += 1;
        for object in inspection.objects() {
            // SAFETY: the world is stopped, and the object in the heap.
            let slots = unsafe { object.slots() };
            // Relaxed: ordered by the safepoint handshake.
            slots.iter().filter_map(|slot| object_at(slot.load(Relaxed))).for_each(&mut note);
        }
        inspection.core.shared.objects().into_iter().for_each(&mut note);
        let mut roots = Vec::new();
        for table in self.tables().iter() {
            table.for_each(|object, is_counted| {
                if is_counted {
                    note(object);
                }
                roots.push(("a root", object));
            });
        }
        for object in inspection.objects() {
            let known = counted.get(&object.address()).copied().unwrap_or(0);
            let count = object.header().references();
            assert!(
                count >= known,
                "{object:?} has a count of {count}, and {known} references to it are counted"
            );
        }
        inspection.check_references(roots);
    }
}

impl Deferred {
    fn tables(&self) -> MutexGuard<'_, Vec<Arc<Table>>> {
        self.tables.lock().expect("nothing panics while it holds this lock")
    }
}
