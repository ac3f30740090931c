//! Models of validation beside mutators: whatever they can still reach is in the heap, and nothing is freed twice.

use super::*;
use crate::{
    Options,
    collector::Local,
    heap::{Kind, core::Core, object::Shape},
    threads::sync::{explore, scope, thread},
};

const PROTOCOL: &str = "validation beside mutators";

/// A heap whose cycles the model runs itself.
pub(super) struct Place {
    core: Arc<Core<BiasedCount>>,
    collector: Arc<ConcurrentCounting>,
}

/// One mutator.
pub(super) struct Mutator {
    pub(super) local: ConcurrentCountingLocal,
}

impl Place {
    pub(super) fn new() -> Self {
        let core = Arc::new(Core::new(Options::default(), SideTables::Generations, false));
        let settings = ConcurrentCountingSettings::default();
        Self { core, collector: Arc::new(ConcurrentCounting::new(settings).unwrap()) }
    }

    pub(super) fn attach(&self) -> Mutator {
        let seat = Seat::new(Arc::clone(&self.core));
        let local = ConcurrentCountingLocal::new(Arc::clone(&self.collector), seat);
        Mutator { local }
    }

    /// What the collector's thread does with suspects.
    fn work<R>(&self, work: impl FnOnce(&Worker<'_>) -> R) -> R {
        let seat = Seat::new(Arc::clone(&self.core)).of_collector();
        let holder = Holder::of_nobody(&self.collector.counting);
        let result = work(&Worker { collector: &self.collector, seat: &seat, holder: &holder });
        seat.core.world.detach(seat.index);
        result
    }

    /// Validates flagged objects and frees what is garbage; gives how many that were.
    fn judge(&self, flagged: Vec<Counted>) -> u64 {
        self.work(|worker| {
            let garbage = worker.validate(flagged, &self.mapped());
            worker.free(&garbage).objects
        })
    }

    /// Summons an object and judges it; gives how many were freed.
    fn examine(&self, suspect: Counted) -> u64 {
        self.work(|worker| {
            let flagged = worker.summon(vec![suspect]);
            let garbage = worker.validate(flagged, &self.mapped());
            worker.free(&garbage).objects
        })
    }

    fn mapped(&self) -> Mapped {
        Mapped::new(&self.core.space.chunks(), &[])
    }

    pub(super) fn held(&self) -> u64 {
        self.core.statistics().held().objects
    }
}

impl Mutator {
    fn alloc_with(&self, has_finalizer: bool) -> Counted {
        let kind = Kind::new::<BiasedCount>(1, Shape { slots: 1, words: 0 }, false, has_finalizer);
        self.local.allocate(&kind).unwrap()
    }

    pub(super) fn alloc(&self) -> Counted {
        self.alloc_with(false)
    }

    pub(super) fn store(&self, owner: Counted, value: Option<Counted>) {
        // SAFETY: models hold what they use; objects have one slot.
        unsafe { self.local.store(owner, 0, value) };
    }

    pub(super) fn load(&self, owner: Counted) -> Option<Counted> {
        // SAFETY: as above.
        unsafe { self.local.load(owner, 0) }
    }

    pub(super) fn swap(&self, owner: Counted, value: Option<Counted>) -> Option<Counted> {
        // SAFETY: as above.
        unsafe { self.local.swap(owner, 0, value) }
    }

    pub(super) fn release(&self, root: Counted) {
        // SAFETY: the root is not used again.
        unsafe { self.local.release(root) };
    }

    /// A root for an object that somebody holds.
    pub(super) fn adopt(&self, object: Counted) -> Counted {
        // SAFETY: as above.
        unsafe { self.local.retain(object) }
    }

    /// Answers the next handshake, for which it waits.
    fn answer(&self) {
        let seat = self.local.seat();
        while !seat.core.world.shake_hands(seat.index).unwrap() {
            thread::yield_now();
        }
    }

    /// Runs the finalizers that wait, which do nothing.
    fn finalize(&self) {
        while let Some(object) = self.local.next_finalizer() {
            self.release(object);
        }
    }

    /// Drops what others have left to this mutator.
    pub(super) fn settle(&self) {
        crate::counts::release::Release::settle(&self.local);
    }

    /// Detaches.
    pub(super) fn leave(self) {
        while !self.local.leave() {}
        let seat = self.local.seat();
        seat.core.world.detach(seat.index);
    }
}

/// Explores the judgement of `suspect`, which `holder` refers to, beside what a mutator does with both; the mutator ends
/// with both in its hands.
fn explore_judgement(is_loop: bool, script: fn(&Mutator, Counted, Counted)) {
    explore(PROTOCOL, move || {
        let place = Place::new();
        let mutator = place.attach();
        let (holder, suspect) = (mutator.alloc(), mutator.alloc());
        mutator.store(holder, Some(suspect));
        if is_loop {
            mutator.store(suspect, Some(suspect));
        }
        mutator.release(suspect);
        assert!(suspect.header().suspect(), "it is alive");
        scope(|scope| {
            let place = &place;
            scope.spawn(move || place.judge(vec![suspect]));
            script(&mutator, holder, suspect);
        });
        if let Some(found) = mutator.load(holder) {
            found.access();
            mutator.store(found, None);
            mutator.release(found);
        }
        mutator.release(holder);
        mutator.leave();
        assert_eq!(place.held(), 0, "everything has been freed once");
    });
}

#[test]
fn a_suspect_that_loses_its_loop_and_is_held_elsewhere_is_kept() {
    explore_judgement(true, |mutator, holder, _| {
        let suspect = mutator.load(holder).expect("it is held");
        mutator.store(suspect, None);
        mutator.release(suspect);
    });
}

#[test]
fn a_suspect_that_is_made_a_loop_and_is_held_elsewhere_is_kept() {
    explore_judgement(false, |mutator, holder, _| {
        let suspect = mutator.load(holder).expect("it is held");
        mutator.store(suspect, Some(suspect));
        mutator.release(suspect);
    });
}

#[test]
fn a_suspect_that_is_moved_into_itself_and_taken_out_again_is_kept() {
    explore_judgement(false, |mutator, holder, _| {
        let suspect = mutator.swap(holder, None).expect("it is held");
        mutator.store(suspect, Some(suspect));
        let again = mutator.swap(suspect, None).expect("it is held");
        mutator.release(suspect);
        mutator.store(holder, Some(again));
        mutator.release(again);
    });
}

#[test]
fn a_suspect_that_dies_is_freed_once() {
    explore_judgement(false, |mutator, holder, _| mutator.store(holder, None));
}

#[test]
fn what_is_moved_out_of_one_suspect_while_another_fails_is_kept() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let mutator = place.attach();
        let (holder, first, second) = (mutator.alloc(), mutator.alloc(), mutator.alloc());
        mutator.store(holder, Some(first));
        mutator.store(first, Some(second));
        [first, second].into_iter().for_each(|object| mutator.release(object));
        assert!([first, second].iter().all(|object| object.header().suspect()));
        let moved = scope(|scope| {
            let place = &place;
            scope.spawn(move || place.judge(vec![first, second]));
            let first = mutator.load(holder).expect("it is held");
            let moved = mutator.swap(first, None).expect("it is held");
            mutator.release(first);
            moved
        });
        moved.access();
        [moved, holder].into_iter().for_each(|object| mutator.release(object));
        mutator.leave();
        assert_eq!(place.held(), 0, "everything has been freed once");
    });
}

#[test]
fn what_others_did_to_garbage_comes_before_its_end() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let maker = place.attach();
        let suspect = maker.alloc();
        maker.store(suspect, Some(suspect));
        let other = place.attach();
        let root = other.adopt(suspect);
        maker.release(suspect);
        // The maker leaves, so that the collector stands for it.
        maker.leave();
        scope(|scope| {
            let place = &place;
            scope.spawn(move || place.examine(suspect));
            root.access();
            other.release(root);
            other.leave();
        });
        // If it was judged too early, it is judged again.
        if place.held() > 0 {
            assert_eq!(place.examine(suspect), 1, "it is garbage");
        }
        assert_eq!(place.held(), 0, "everything has been freed once");
    });
}

#[test]
fn what_is_being_destroyed_when_it_is_summoned_is_freed_once() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let mutator = place.attach();
        let object = mutator.alloc_with(true);
        mutator.release(object);
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                place.work(|worker| {
                    let flagged = worker.summon(vec![object]);
                    assert!(flagged.is_empty(), "it is dead");
                });
            });
            mutator.answer();
        });
        mutator.finalize();
        mutator.leave();
        assert_eq!(place.held(), 0, "everything has been freed once");
    });
}

#[test]
fn a_reference_dropped_while_its_object_is_summoned_is_not_lost() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let maker = place.attach();
        let other = place.attach();
        // The maker has counted the reference that the other one has.
        let object = maker.alloc();
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                place.work(|worker| {
                    let flagged = worker.summon(vec![object]);
                    assert!(
                        worker.validate(flagged, &place.mapped()).objects.is_empty(),
                        "nothing refers to it in the heap"
                    );
                });
            });
            other.release(object);
            other.leave();
            maker.answer();
        });
        maker.leave();
        assert_eq!(place.held(), 0, "everything has been freed once");
    });
}
