//! Models of the barrier and of the end of an epoch: each slot is counted once, and what anybody can reach is in the heap.

use super::*;
use crate::{
    Options,
    collector::Local,
    heap::{Kind, core::Core, object::Shape},
    roots::RootEntry,
    threads::sync::{atomic::Ordering::Relaxed, explore, scope},
};

const BARRIER: &str = "coalescing barrier";
const EPOCH: &str = "end of an epoch";

/// A heap whose epochs the model ends itself.
struct Place {
    core: Arc<Core<EpochCount>>,
    collector: Arc<Coalescing>,
    kind: Kind,
}

/// One mutator.
struct Mutator<'p> {
    local: CoalescingLocal,
    place: &'p Place,
}

impl Place {
    fn new() -> Self {
        let core = Arc::new(Core::new(Options::default(), SideTables::Scratch, false));
        let collector = Arc::new(Coalescing::new(CoalescingSettings::default()).unwrap());
        let kind = Kind::new::<EpochCount>(1, Shape { slots: 1, words: 1 }, false, false);
        Self { core, collector, kind }
    }

    fn attach(&self) -> Mutator<'_> {
        let seat = Seat::new(Arc::clone(&self.core));
        Mutator { local: CoalescingLocal::new(Arc::clone(&self.collector), seat), place: self }
    }

    fn held(&self) -> u64 {
        self.core.statistics().held().objects
    }
}

impl Mutator<'_> {
    fn alloc(&self) -> RootEntry {
        self.local.allocate(&self.place.kind).unwrap()
    }

    fn object(&self, root: RootEntry) -> Counted {
        // SAFETY: models release a root only at its end.
        unsafe { self.local.object(root) }
    }

    fn store(&self, owner: RootEntry, value: Option<RootEntry>) {
        // SAFETY: as above; objects have one slot.
        unsafe { self.local.store(self.object(owner), 0, value) };
    }

    fn load(&self, owner: RootEntry) -> Option<RootEntry> {
        // SAFETY: as above.
        unsafe { self.local.load(self.object(owner), 0) }
    }

    fn swap(&self, owner: RootEntry, value: Option<RootEntry>) -> Option<RootEntry> {
        // SAFETY: as above.
        unsafe { self.local.swap(self.object(owner), 0, value) }
    }

    fn exchange(
        &self,
        owner: RootEntry,
        current: Option<RootEntry>,
        new: Option<RootEntry>,
    ) -> bool {
        // SAFETY: as above.
        unsafe { self.local.compare_exchange(self.object(owner), 0, current, new) }
    }

    fn word(&self, root: RootEntry) -> u64 {
        // SAFETY: the object has a root.
        let word = unsafe { self.object(root).word(0) };
        // Relaxed: ordered by the slot through which the model goes.
        word.load(Relaxed)
    }

    fn set_word(&self, root: RootEntry, value: u64) {
        // SAFETY: the object has a root.
        let word = unsafe { self.object(root).word(0) };
        // Relaxed: ordered by the slot through which the model goes.
        word.store(value, Relaxed);
    }

    fn release(&self, root: RootEntry) {
        // SAFETY: the root is not used again.
        unsafe { self.local.release(root) };
    }

    /// A root for an object to which somebody has a reference.
    fn adopt(&self, object: Counted) -> RootEntry {
        // SAFETY: as above.
        unsafe { self.local.reclaim(object) }
    }

    /// Uses an object, which must be in the heap and whole.
    fn touch(&self, root: RootEntry) {
        assert_eq!(self.object(root).shape().slots, 1);
        self.object(root).access();
    }

    /// An old object that refers to another.
    fn old_pair(&self) -> (RootEntry, RootEntry) {
        let (owner, child) = (self.alloc(), self.alloc());
        self.store(owner, Some(child));
        self.end_epoch(Goal::Decrements);
        (owner, child)
    }

    /// Ends an epoch, however often somebody else is first.
    fn end_epoch(&self, goal: Goal) {
        while self.local.end_epoch(goal).is_none() {}
    }

    /// Tests all invariants.
    fn check(&self) {
        let Place { core, collector, .. } = self.place;
        let stopped = self.local.seat().stop().expect("nobody else stops the world");
        collector.check(&Inspection { core, _stopped: &stopped });
    }

    /// A safepoint.
    fn poll(&self) {
        self.local.seat().answer();
    }

    /// Detaches, having released its last `roots`.
    fn leave_without(self, roots: &[RootEntry]) {
        roots.iter().for_each(|&root| self.release(root));
        self.local.leave();
        let seat = self.local.seat();
        seat.core.world.detach(seat.index);
    }
}

/// Explores what two mutators do at once to one slot that nobody has logged yet. Afterwards counts are right, and when
/// nothing is reachable any more, nothing is left.
fn explore_writers(
    one: fn(&Mutator<'_>, RootEntry, RootEntry),
    other: fn(&Mutator<'_>, RootEntry, RootEntry),
) {
    explore(BARRIER, move || {
        let place = Place::new();
        let maker = place.attach();
        let (owner, child) = maker.old_pair();
        let (owner_object, child_object) = (maker.object(owner), maker.object(child));
        scope(|scope| {
            let place = &place;
            let write = |script: fn(&Mutator<'_>, RootEntry, RootEntry)| {
                let (owner, child) = (owner_object, child_object);
                scope.spawn(move || {
                    let mutator = place.attach();
                    let roots = [mutator.adopt(owner), mutator.adopt(child)];
                    script(&mutator, roots[0], roots[1]);
                    mutator.leave_without(&roots);
                });
            };
            write(one);
            write(other);
        });
        // By what the logs say and not by the slot: loom gives up on some loads of what two have stored at once.
        let state = place.collector.state();
        assert!(state.logs.iter().all(|entry| entry.before == child_object.address()));
        drop(state);
        maker.end_epoch(Goal::Decrements);
        maker.check();
        maker.touch(owner);
        if let Some(held) = maker.load(owner) {
            maker.touch(held);
            maker.release(held);
        }
        maker.touch(child);
        maker.release(owner);
        maker.release(child);
        maker.end_epoch(Goal::Decrements);
        assert_eq!(place.held(), 0, "what nobody reaches is freed");
        maker.leave_without(&[]);
    });
}

/// Stores a new object.
fn store_new(mutator: &Mutator<'_>, owner: RootEntry, _: RootEntry) {
    let new = mutator.alloc();
    mutator.store(owner, Some(new));
    mutator.release(new);
}

#[test]
fn of_two_that_store_at_once_both_log_the_same_value() {
    explore_writers(store_new, store_new);
}

#[test]
fn a_swap_logs_what_it_gives_if_nobody_else_has() {
    explore_writers(store_new, |mutator, owner, _| {
        let before = mutator.swap(owner, None);
        before.into_iter().for_each(|root| mutator.release(root));
    });
}

#[test]
fn an_exchange_that_meets_a_logged_slot_succeeds_if_the_value_is_the_same() {
    explore_writers(
        |mutator, owner, child| {
            assert!(
                mutator.exchange(owner, Some(child), None),
                "the other one stores what was there"
            );
        },
        |mutator, owner, child| {
            assert!(
                mutator.exchange(owner, Some(child), Some(child)) || mutator.load(owner).is_none()
            )
        },
    );
}

#[test]
fn what_is_stored_is_whole_for_whoever_loads_it() {
    explore_writers(store_new, |mutator, owner, _| {
        if let Some(root) = mutator.load(owner) {
            mutator.touch(root);
            mutator.release(root);
        }
    });
}

#[test]
fn what_is_swapped_or_exchanged_is_whole_for_both() {
    explore_writers(
        |mutator, owner, child| {
            let new = mutator.alloc();
            mutator.exchange(owner, Some(child), Some(new));
            mutator.release(new);
            if let Some(found) = mutator.load(owner) {
                mutator.touch(found);
                mutator.release(found);
            }
        },
        |mutator, owner, _| {
            let new = mutator.alloc();
            if let Some(before) = mutator.swap(owner, Some(new)) {
                mutator.touch(before);
                mutator.release(before);
            }
            mutator.release(new);
        },
    );
}

#[test]
fn whoever_exchanges_a_value_sees_what_was_done_before_it_was_stored() {
    explore_writers(
        |mutator, owner, child| {
            if mutator.exchange(owner, None, Some(child)) {
                assert_eq!(mutator.word(child), 7);
            }
        },
        |mutator, owner, child| {
            mutator.set_word(child, 7);
            mutator.store(owner, None);
        },
    );
}

/// Explores the ends of epochs by one mutator, `one`, who has an old object that refers to another, beside a second mutator,
/// who has a root for the former only. Afterwards counts are right, and when nothing is reachable any more, nothing is left.
fn explore_epochs(
    one: impl Fn(&Mutator<'_>, RootEntry) + Send + Sync + Copy + 'static,
    other: impl Fn(&Mutator<'_>, RootEntry) + Send + Sync + Copy + 'static,
) {
    explore(EPOCH, move || {
        let place = Place::new();
        let maker = place.attach();
        let (owner, child) = maker.old_pair();
        maker.release(child);
        let owner_object = maker.object(owner);
        scope(|scope| {
            let place = &place;
            let thread = scope.spawn(move || {
                let mutator = place.attach();
                let owner = mutator.adopt(owner_object);
                other(&mutator, owner);
                mutator.leave_without(&[owner]);
            });
            one(&maker, owner);
            // The other one may stop the world.
            let seat = maker.local.seat();
            seat.core.world.blocked(seat.index, || thread.join().unwrap()).unwrap();
        });
        maker.check();
        maker.touch(owner);
        let held = maker.load(owner);
        held.into_iter().for_each(|held| {
            maker.touch(held);
            maker.release(held);
        });
        maker.release(owner);
        maker.end_epoch(Goal::Decrements);
        assert_eq!(place.held(), 0, "what nobody reaches is freed");
        maker.leave_without(&[]);
    });
}

#[test]
fn what_a_mutator_has_loaded_is_kept_when_another_overwrites_it() {
    explore_epochs(
        |writer, owner| {
            writer.store(owner, None);
            writer.end_epoch(Goal::Epoch);
            writer.local.go_on();
        },
        |reader, owner| {
            if let Some(child) = reader.load(owner) {
                reader.poll();
                reader.touch(child);
                reader.poll();
                reader.touch(child);
                reader.release(child);
            }
        },
    );
}

#[test]
fn the_logs_of_both_mutators_are_taken_when_an_epoch_ends() {
    explore_epochs(
        |one, owner| {
            one.store(owner, None);
            one.end_epoch(Goal::Epoch);
            one.end_epoch(Goal::Epoch);
        },
        |other, owner| {
            store_new(other, owner, owner);
            other.poll();
            if let Some(new) = other.load(owner) {
                other.touch(new);
                other.store(new, Some(owner));
                other.poll();
                other.store(new, None);
                other.release(new);
            }
        },
    );
}

#[test]
fn of_two_that_end_an_epoch_both_find_what_the_other_has_logged() {
    explore_epochs(
        |one, owner| {
            store_new(one, owner, owner);
            one.local.end_epoch(Goal::Epoch);
        },
        |other, owner| {
            store_new(other, owner, owner);
            other.local.end_epoch(Goal::Epoch);
        },
    );
}

#[test]
fn what_has_been_put_off_is_done_once_by_two_that_do_it_at_once() {
    explore_epochs(
        |one, owner| {
            one.store(owner, None);
            one.end_epoch(Goal::Epoch);
            one.local.go_on();
        },
        |other, owner| {
            other.poll();
            other.local.go_on();
            store_new(other, owner, owner);
        },
    );
}
