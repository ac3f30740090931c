//! Models of epochs beside mutators: whatever they can still reach is in the heap, and what nobody reaches goes.

use super::*;
use crate::{
    Options, SideTables,
    collector::Local,
    heap::{Kind, core::Core, object::Shape},
    roots::RootEntry,
    threads::sync::{atomic::AtomicBool, explore, scope, thread},
};

const SWITCH: &str = "buffer switch";
const BARRIER: &str = "logging store";
const CYCLES: &str = "cycle collection beside mutators";

/// The slots of an object.
const SELF: usize = 0;
const NEXT: usize = 1;

/// A heap whose epochs the model runs itself.
struct Place {
    core: Arc<Core<RecyclerHeader>>,
    collector: Arc<Recycler>,
    kind: Kind,
    is_ready: AtomicBool,
    is_over: AtomicBool,
}

/// One mutator.
struct Mutator<'p> {
    local: RecyclerLocal,
    place: &'p Place,
}

impl Place {
    fn new() -> Self {
        let core = Arc::new(Core::new(Options::default(), SideTables::None, false));
        let collector = Arc::new(Recycler::new(RecyclerSettings::default()).unwrap());
        let kind = Kind::new::<RecyclerHeader>(1, Shape { slots: 2, words: 1 }, false, false);
        let (is_ready, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { core, collector, kind, is_ready, is_over }
    }

    fn attach(&self) -> Mutator<'_> {
        let seat = Seat::new(Arc::clone(&self.core));
        Mutator { local: RecyclerLocal::new(Arc::clone(&self.collector), seat), place: self }
    }

    /// Epochs, one after the other.
    fn epochs(&self, wishes: &[Wish]) {
        let seat = Seat::new(Arc::clone(&self.core)).of_collector();
        for &wish in wishes {
            self.collector.process(&seat, wish);
        }
        self.core.world.detach(seat.index);
    }

    /// Epochs while `mutators` are blocked.
    fn epochs_beside(&self, mutators: &[&Mutator<'_>], wishes: &[Wish]) {
        let Some((mutator, others)) = mutators.split_first() else { return self.epochs(wishes) };
        let seat = mutator.local.seat();
        let within = || self.epochs_beside(others, wishes);
        seat.core.world.blocked(seat.index, within).unwrap();
    }

    /// Lets the epochs of `explore_epochs` begin.
    fn begin(&self) {
        // Relaxed: a hint: whoever waits for it is ordered by handshakes.
        self.is_ready.store(true, Relaxed);
    }

    /// Waits for their end, with all mutators blocked.
    fn finish(&self, mutators: &[&Mutator<'_>]) {
        if let Some((mutator, others)) = mutators.split_first() {
            let seat = mutator.local.seat();
            seat.core.world.blocked(seat.index, || self.finish(others)).unwrap();
            return;
        }
        // Relaxed: a statistic, as in `explore_epochs`.
        while !self.is_over.load(Relaxed) {
            thread::yield_now();
        }
    }

    fn held(&self) -> u64 {
        self.core.statistics().held().objects
    }

    /// Nothing is reachable any more: what has been written down is processed, and cycles are looked for and freed.
    fn assert_all_is_freed(&self) {
        self.epochs(&[Wish::Epoch, Wish::Search, Wish::Epoch]);
        assert_eq!(self.held(), 0, "what nobody reaches is freed");
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

    fn store(&self, owner: RootEntry, slot: usize, value: Option<RootEntry>) {
        // SAFETY: as above; objects have two slots.
        unsafe { self.local.store(self.object(owner), slot, value) };
    }

    fn load(&self, owner: RootEntry, slot: usize) -> Option<RootEntry> {
        // SAFETY: as above.
        unsafe { self.local.load(self.object(owner), slot) }
    }

    fn swap(&self, owner: RootEntry, value: Option<RootEntry>) -> Option<RootEntry> {
        // SAFETY: as above.
        unsafe { self.local.swap(self.object(owner), NEXT, value) }
    }

    fn fill(&self, owner: RootEntry, value: RootEntry) -> bool {
        // SAFETY: as above.
        unsafe { self.local.compare_exchange(self.object(owner), NEXT, None, Some(value)) }
    }

    fn word(&self, root: RootEntry) -> u64 {
        // SAFETY: a root keeps its object.
        let word = unsafe { self.object(root).word(0) };
        // Relaxed: ordered by the slot that it was found in.
        word.load(Relaxed)
    }

    fn set_word(&self, root: RootEntry, value: u64) {
        // SAFETY: a root keeps its object.
        let word = unsafe { self.object(root).word(0) };
        // Relaxed: ordered by the slot that it is stored in.
        word.store(value, Relaxed);
    }

    /// A new object with a word in it.
    fn object_with(&self, word: u64) -> RootEntry {
        let root = self.alloc();
        self.set_word(root, word);
        root
    }

    fn release(&self, root: RootEntry) {
        // SAFETY: the root is not used again.
        unsafe { self.local.release(root) };
    }

    /// A handle by which another mutator can get at the object of `root`, which is given up.
    fn share(&self, root: RootEntry) -> usize {
        // SAFETY: the root is not used again.
        let object = unsafe { self.local.surrender(root) };
        self.place.core.shared.enter(object)
    }

    /// A root for what a handle refers to, which is given up.
    fn take(&self, handle: usize) -> RootEntry {
        let shared = &self.place.core.shared;
        shared.drop_handle(handle);
        let mut abandoned = shared.take_abandoned();
        let object = abandoned.pop().expect("the handle was the last one");
        // SAFETY: a reference of the table that nobody else can take.
        unsafe { self.local.reclaim(object) }
    }

    /// Answers the next handshake, for which it waits: ends an epoch.
    fn answer(&self) {
        let seat = self.local.seat();
        while !seat.core.world.shake_hands(seat.index).unwrap() {
            thread::yield_now();
        }
    }

    /// Uses an object, which must be in the heap.
    fn touch(&self, root: RootEntry) {
        self.object(root).access();
    }

    /// Detaches, having released its last `roots`.
    fn leave_without(self, roots: &[RootEntry]) {
        roots.iter().for_each(|&root| self.release(root));
        self.local.leave();
        let seat = self.local.seat();
        seat.core.world.detach(seat.index);
    }
}

/// Explores epochs beside what `script` makes mutators do, in an order of its own, on one thread: what matters is who has
/// ended which epoch, and how far the collector has come.
fn explore_epochs(protocol: &'static str, wishes: &'static [Wish], script: fn(&Place)) {
    explore(protocol, move || {
        let place = Place::new();
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                // Relaxed: a hint, as in `begin`.
                while !place.is_ready.load(Relaxed) {
                    thread::yield_now();
                }
                place.epochs(wishes);
                // Relaxed: a statistic: what the script goes on with is ordered by the handshakes.
                place.is_over.store(true, Relaxed);
            });
            script(place);
        });
        place.assert_all_is_freed();
    });
}

#[test]
fn what_only_a_root_refers_to_is_kept_over_epochs() {
    explore_epochs(SWITCH, &[Wish::Epoch; 3], |place| {
        let mutator = place.attach();
        let (owner, child) = (mutator.alloc(), mutator.alloc());
        mutator.store(owner, NEXT, Some(child));
        mutator.release(child);
        place.begin();
        mutator.answer();
        let child = mutator.load(owner, NEXT).expect("it was stored");
        mutator.store(owner, NEXT, None);
        mutator.answer();
        mutator.touch(child);
        place.finish(&[&mutator]);
        mutator.touch(child);
        mutator.leave_without(&[owner, child]);
    });
}

#[test]
fn what_one_mutator_has_loaded_is_kept_when_another_overwrites_it_an_epoch_behind() {
    explore_epochs(SWITCH, &[Wish::Epoch; 2], |place| {
        let (reader, writer) = (place.attach(), place.attach());
        let (owner, child) = (writer.alloc(), writer.alloc());
        writer.store(owner, NEXT, Some(child));
        let shared = writer.share(owner);
        writer.release(child);
        let owner = reader.take(shared);
        let theirs = reader.share(owner);
        let owner = writer.take(theirs);
        place.epochs_beside(&[&reader, &writer], &[Wish::Epoch; 2]);
        place.begin();
        // The reader's epoch has ended when it loads; the writer overwrites in the one before.
        reader.answer();
        let found = {
            // SAFETY: the writer's root keeps the owner.
            unsafe { reader.local.load(writer.object(owner), NEXT) }
        };
        let child = found.expect("nobody has overwritten it");
        writer.store(owner, NEXT, None);
        writer.answer();
        place.finish(&[&reader, &writer]);
        reader.touch(child);
        reader.leave_without(&[child]);
        writer.leave_without(&[owner]);
    });
}

#[test]
fn what_one_mutator_hands_to_another_an_epoch_ahead_is_kept() {
    explore_epochs(SWITCH, &[Wish::Epoch; 2], |place| {
        let (giver, taker) = (place.attach(), place.attach());
        let gift = giver.alloc();
        place.epochs_beside(&[&giver, &taker], &[Wish::Epoch; 2]);
        place.begin();
        // The taker's roots are copied before it has the gift, the giver's when it has it no more.
        taker.answer();
        let shared = giver.share(gift);
        let gift = taker.take(shared);
        giver.answer();
        place.finish(&[&giver, &taker]);
        taker.touch(gift);
        giver.leave_without(&[]);
        taker.leave_without(&[gift]);
    });
}

#[test]
fn what_a_mutator_that_comes_and_goes_has_written_down_is_counted() {
    explore_epochs(SWITCH, &[Wish::Epoch; 2], |place| {
        let mutator = place.attach();
        let owner = mutator.alloc();
        place.begin();
        let guest = place.attach();
        let child = guest.alloc();
        // SAFETY: the mutator's root keeps the owner.
        unsafe { guest.local.store(mutator.object(owner), NEXT, Some(child)) };
        guest.leave_without(&[child]);
        mutator.answer();
        place.finish(&[&mutator]);
        let child = mutator.load(owner, NEXT).expect("it was stored");
        mutator.touch(child);
        mutator.leave_without(&[owner, child]);
    });
}

#[test]
fn what_a_mutator_on_a_thread_of_its_own_uses_is_kept() {
    explore(SWITCH, || {
        let place = Place::new();
        scope(|scope| {
            let mutator = place.attach();
            let (owner, child) = (mutator.alloc(), mutator.alloc());
            mutator.store(owner, NEXT, Some(child));
            mutator.release(child);
            let place = &place;
            scope.spawn(move || place.epochs(&[Wish::Epoch; 2]));
            let child = mutator.load(owner, NEXT).expect("it was stored");
            mutator.store(owner, NEXT, None);
            let world = &place.core.world;
            world.shake_hands(mutator.local.seat().index).unwrap();
            mutator.touch(child);
            mutator.leave_without(&[owner, child]);
        });
        place.assert_all_is_freed();
    });
}

#[test]
fn of_two_that_write_at_once_each_drops_what_it_has_overwritten() {
    explore(BARRIER, || {
        let place = Place::new();
        let maker = place.attach();
        let owner = maker.alloc();
        let shared = maker.object(owner);
        scope(|scope| {
            let place = &place;
            let write = move || {
                let mutator = place.attach();
                let value = mutator.alloc();
                // SAFETY: the maker's root keeps the owner.
                unsafe { mutator.local.store(shared, NEXT, Some(value)) };
                mutator.leave_without(&[value]);
            };
            scope.spawn(write);
            write();
        });
        maker.leave_without(&[owner]);
        place.assert_all_is_freed();
    });
}

/// What one of two mutators does with an owner, of which both have a root.
type Deed = fn(&Mutator<'_>, RootEntry);

/// Explores what two mutators do with an owner whose slot `prepare` has filled.
fn explore_two(prepare: Deed, first: Deed, second: Deed) {
    explore(BARRIER, move || {
        let place = Place::new();
        scope(|scope| {
            let place = &place;
            let maker = place.attach();
            let owner = maker.alloc();
            prepare(&maker, owner);
            let shared = maker.object(owner);
            scope.spawn(move || {
                let mutator = place.attach();
                let owner = mutator.local.part.roots.enter(shared);
                second(&mutator, owner);
            });
            first(&maker, owner);
        });
    });
}

#[test]
fn a_load_sees_what_is_stored() {
    explore_two(
        |_, _| (),
        |mutator, owner| mutator.store(owner, NEXT, Some(mutator.object_with(7))),
        |mutator, owner| {
            let found = mutator.load(owner, NEXT);
            assert!(found.is_none_or(|found| mutator.word(found) == 7), "a word was not seen");
        },
    );
}

#[test]
fn a_swap_sees_what_is_swapped_in() {
    let swap: Deed = |mutator, owner| {
        let before = mutator.swap(owner, Some(mutator.object_with(7)));
        let before = before.expect("the slot is never null");
        assert_eq!(mutator.word(before), 7, "a word was not seen");
    };
    explore_two(
        |mutator, owner| mutator.store(owner, NEXT, Some(mutator.object_with(7))),
        swap,
        swap,
    );
}

#[test]
fn an_exchange_sees_and_publishes() {
    explore_two(
        |mutator, owner| mutator.store(owner, NEXT, Some(mutator.object_with(7))),
        |mutator, owner| {
            mutator.set_word(owner, 5);
            mutator.store(owner, NEXT, None);
            let found = mutator.load(owner, NEXT);
            assert!(found.is_none_or(|found| mutator.word(found) == 8), "a word was not seen");
        },
        |mutator, owner| {
            if mutator.fill(owner, mutator.object_with(8)) {
                assert_eq!(mutator.word(owner), 5, "a word was not seen");
            }
        },
    );
}

#[test]
fn a_search_that_meets_a_new_object_finds_it_whole() {
    explore_epochs(CYCLES, &[Wish::Search, Wish::Epoch], |place| {
        let mutator = place.attach();
        let owner = mutator.alloc();
        place.epochs_beside(&[&mutator], &[Wish::Epoch; 2]);
        place.begin();
        mutator.answer();
        let new = mutator.alloc();
        mutator.store(owner, NEXT, Some(new));
        place.finish(&[&mutator]);
        mutator.touch(new);
        mutator.leave_without(&[owner, new]);
    });
}

#[test]
fn a_candidate_that_gains_a_reference_from_within_is_kept() {
    explore_epochs(CYCLES, &[Wish::Search, Wish::Epoch], |place| {
        let mutator = place.attach();
        let (owner, child) = (mutator.alloc(), mutator.alloc());
        mutator.store(owner, NEXT, Some(child));
        mutator.store(owner, SELF, Some(child));
        mutator.release(child);
        place.epochs_beside(&[&mutator], &[Wish::Epoch, Wish::Search]);
        // Of the two only the child is a possible root now.
        mutator.store(owner, SELF, None);
        place.epochs_beside(&[&mutator], &[Wish::Epoch; 2]);
        place.begin();
        mutator.answer();
        // The search takes this reference for the one that has been counted, which is the owner's.
        let child = mutator.load(owner, NEXT).expect("it was stored");
        mutator.store(child, SELF, Some(child));
        place.finish(&[&mutator]);
        mutator.touch(child);
        mutator.leave_without(&[owner, child]);
    });
}

#[test]
fn a_candidate_that_loses_its_reference_during_the_search_is_freed_once() {
    explore_epochs(CYCLES, &[Wish::Search, Wish::Epoch, Wish::Epoch], |place| {
        let mutator = place.attach();
        // In this order they become possible roots.
        let (child, owner) = (mutator.alloc(), mutator.alloc());
        mutator.store(owner, NEXT, Some(child));
        mutator.release(child);
        place.epochs_beside(&[&mutator], &[Wish::Epoch; 2]);
        place.begin();
        mutator.answer();
        mutator.store(owner, NEXT, None);
        place.finish(&[&mutator]);
        mutator.leave_without(&[owner]);
    });
}

#[test]
fn a_cycle_that_is_cut_off_during_the_search_is_found_by_the_next() {
    explore_epochs(CYCLES, &[Wish::Search, Wish::Epoch], |place| {
        let mutator = place.attach();
        // In this order they become possible roots, so that the cycle is reached from its owner.
        let (owner, one, other) = (mutator.alloc(), mutator.alloc(), mutator.alloc());
        mutator.store(owner, NEXT, Some(one));
        mutator.store(one, NEXT, Some(other));
        mutator.store(other, NEXT, Some(one));
        mutator.release(one);
        mutator.release(other);
        place.epochs_beside(&[&mutator], &[Wish::Epoch; 2]);
        place.begin();
        mutator.answer();
        mutator.store(owner, NEXT, None);
        place.finish(&[&mutator]);
        mutator.leave_without(&[owner]);
    });
}

#[test]
fn cycles_that_hang_from_each_other_are_freed_in_one_epoch() {
    explore(CYCLES, || {
        let place = Place::new();
        let mutator = place.attach();
        let (tail, head) = (mutator.alloc(), mutator.alloc());
        mutator.store(tail, SELF, Some(tail));
        mutator.store(head, SELF, Some(head));
        mutator.store(head, NEXT, Some(tail));
        mutator.leave_without(&[tail, head]);
        place.assert_all_is_freed();
    });
}
