//! Models of a cycle beside mutators: whatever they can still reach when it ends is in the heap.

use super::*;
use crate::{
    Options,
    collector::Local,
    heap::{Kind, core::Core, object::Shape},
    roots::RootEntry,
    threads::sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        explore, thread,
    },
};

const PROTOCOL: &str = "marking beside mutators";
const PUBLISHING: &str = "publishing stores";

/// A heap whose cycles the model runs itself.
struct Place {
    core: Arc<Core<()>>,
    collector: Arc<Snapshot>,
    kind: Kind,
    is_ready: AtomicBool,
    is_over: AtomicBool,
}

/// One mutator.
struct Mutator<'p> {
    local: SnapshotLocal,
    place: &'p Place,
}

impl Place {
    fn new() -> Self {
        let core = Arc::new(Core::new(Options::default(), SideTables::Scratch, false));
        let collector = Arc::new(Snapshot::new(SnapshotSettings::default()).unwrap());
        let kind = Kind::new::<()>(1, Shape { slots: 1, words: 1 }, false, false);
        let (is_ready, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { core, collector, kind, is_ready, is_over }
    }

    fn attach(&self) -> Mutator<'_> {
        let seat = Seat::new(Arc::clone(&self.core));
        Mutator { local: SnapshotLocal::new(Arc::clone(&self.collector), seat), place: self }
    }

    /// One cycle.
    fn cycle(&self) {
        let seat = Seat::new(Arc::clone(&self.core)).of_collector();
        self.collector.cycle(&seat);
        self.core.world.detach(seat.index);
    }

    /// Lets the cycle begin.
    fn begin(&self) {
        // Relaxed: a hint: whoever waits for it is ordered by handshakes.
        self.is_ready.store(true, Relaxed);
    }

    /// Waits for the end of the cycle, with all mutators blocked.
    fn finish(&self, mutators: &[&Mutator<'_>]) {
        if let Some((mutator, others)) = mutators.split_first() {
            let seat = mutator.local.seat();
            seat.core.world.blocked(seat.index, || self.finish(others)).unwrap();
            return;
        }
        // Relaxed: as in `explore_cycle`, a statistic.
        while !self.is_over.load(Relaxed) {
            thread::yield_now();
        }
    }

    fn held(&self) -> u64 {
        self.core.statistics().held().objects
    }
}

impl Mutator<'_> {
    fn alloc(&self) -> RootEntry {
        self.local.allocate(&self.place.kind).unwrap()
    }

    fn object(&self, root: RootEntry) -> Traced {
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

    /// Puts `value` into an empty slot; says whether it was empty.
    fn fill(&self, owner: RootEntry, value: RootEntry) -> bool {
        // SAFETY: as above.
        unsafe { self.local.compare_exchange(self.object(owner), 0, None, Some(value)) }
    }

    /// A new object with `word` in it.
    fn alloc_with(&self, word: u64) -> RootEntry {
        let root = self.alloc();
        self.set_word(root, word);
        root
    }

    fn word(&self, root: RootEntry) -> u64 {
        // SAFETY: objects have one word.
        let word = unsafe { self.object(root).word(0) };
        // Relaxed: words publish nothing, slots do: ordered by what the model is about.
        word.load(Relaxed)
    }

    fn set_word(&self, root: RootEntry, value: u64) {
        // SAFETY: as above.
        let word = unsafe { self.object(root).word(0) };
        // Relaxed: as above, ordered by what the model is about.
        word.store(value, Relaxed);
    }

    fn release(&self, root: RootEntry) {
        // SAFETY: the root is not used again.
        unsafe { self.local.release(root) };
    }

    /// A root for an object to which somebody has a reference.
    fn adopt(&self, object: Traced) -> RootEntry {
        // SAFETY: as above.
        unsafe { self.local.reclaim(object) }
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
        let root = shared.with(handle, |object| self.adopt(object));
        shared.drop_handle(handle);
        shared.take_abandoned();
        root
    }

    /// Answers the next handshake, for which it waits: first a cycle begins, then it takes roots.
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

/// Explores a cycle beside what `script` makes several mutators do, in an order of its own, on one thread: what matters is
/// who has answered which handshake, and how far the cycle has come.
fn explore_cycle(script: fn(&Place)) {
    explore(PROTOCOL, move || {
        let place = Place::new();
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                // Relaxed: a hint, as in `begin`.
                while !place.is_ready.load(Relaxed) {
                    thread::yield_now();
                }
                place.cycle();
                // Relaxed: a statistic: what the script goes on with is ordered by the handshakes.
                place.is_over.store(true, Relaxed);
            });
            script(place);
        });
        place.cycle();
        assert_eq!(place.held(), 0, "what nobody reaches is freed");
    });
}

#[test]
fn what_is_only_stored_in_a_new_object_is_kept() {
    explore_cycle(|place| {
        let mutator = place.attach();
        let old = mutator.alloc();
        place.begin();
        mutator.answer();
        let new = mutator.alloc();
        mutator.store(new, Some(old));
        mutator.release(old);
        place.finish(&[&mutator]);
        let found = mutator.load(new).expect("it was stored");
        mutator.touch(found);
        mutator.leave_without(&[new, found]);
    });
}

#[test]
fn what_a_mutator_loads_and_overwrites_itself_is_kept() {
    explore_cycle(|place| {
        let mutator = place.attach();
        let (owner, child) = (mutator.alloc(), mutator.alloc());
        mutator.store(owner, Some(child));
        mutator.release(child);
        place.begin();
        mutator.answer();
        mutator.answer();
        let child = mutator.load(owner).expect("it was stored");
        mutator.store(owner, None);
        place.finish(&[&mutator]);
        mutator.touch(child);
        mutator.leave_without(&[owner, child]);
    });
}

#[test]
fn what_one_mutator_has_loaded_is_kept_when_another_overwrites_it() {
    explore_cycle(|place| {
        let (reader, writer) = (place.attach(), place.attach());
        let (owner, child) = (writer.alloc(), writer.alloc());
        writer.store(owner, Some(child));
        writer.release(child);
        let owner_again = reader.adopt(writer.object(owner));
        place.begin();
        reader.answer();
        writer.answer();
        // The reader's roots are taken before it loads, the writer's after it has overwritten.
        reader.answer();
        let child = reader.load(owner_again).expect("nobody has overwritten it");
        writer.store(owner, None);
        writer.answer();
        place.finish(&[&reader, &writer]);
        reader.touch(child);
        reader.leave_without(&[owner_again, child]);
        writer.leave_without(&[owner]);
    });
}

#[test]
fn what_one_mutator_hands_to_another_is_kept() {
    explore_cycle(|place| {
        let (giver, taker) = (place.attach(), place.attach());
        let gift = giver.alloc();
        place.begin();
        giver.answer();
        taker.answer();
        // The taker's roots are taken before it has the gift, the giver's when it has it no more.
        taker.answer();
        let shared = giver.share(gift);
        giver.answer();
        place.finish(&[&giver, &taker]);
        let gift = taker.take(shared);
        taker.touch(gift);
        giver.leave_without(&[]);
        taker.leave_without(&[gift]);
    });
}

#[test]
fn what_is_stored_in_a_new_object_by_one_that_is_told_later_is_kept() {
    explore_cycle(|place| {
        let (maker, writer) = (place.attach(), place.attach());
        let old = writer.alloc();
        place.begin();
        maker.answer();
        let new = maker.alloc();
        let new_again = writer.adopt(maker.object(new));
        writer.store(new_again, Some(old));
        writer.release(old);
        writer.answer();
        maker.answer();
        writer.answer();
        place.finish(&[&maker, &writer]);
        let found = maker.load(new).expect("it was stored");
        maker.touch(found);
        maker.leave_without(&[new, found]);
        writer.leave_without(&[new_again]);
    });
}

#[test]
fn what_is_made_in_the_middle_of_a_cycle_is_kept() {
    explore_cycle(|place| {
        let mutator = place.attach();
        place.begin();
        mutator.answer();
        let newcomer = place.attach();
        let (first, second) = (mutator.alloc(), newcomer.alloc());
        place.finish(&[&mutator, &newcomer]);
        mutator.touch(first);
        newcomer.touch(second);
        mutator.leave_without(&[first]);
        newcomer.leave_without(&[second]);
    });
}

#[test]
fn what_is_made_and_stored_while_it_is_marked_is_seen_whole() {
    explore_cycle(|place| {
        let mutator = place.attach();
        let owner = mutator.alloc();
        place.begin();
        // Begin, roots, and what they put on the list of the shaded.
        (0..3).for_each(|_| mutator.answer());
        // The collector may be scanning the owner now.
        let new = mutator.alloc();
        mutator.store(owner, Some(new));
        mutator.release(new);
        place.finish(&[&mutator]);
        let new = mutator.load(owner).expect("it was stored");
        mutator.touch(new);
        mutator.leave_without(&[owner, new]);
    });
}

/// Explores what two mutators do with an owner whose slot has an object with the word 7, while no cycle runs.
fn explore_two(first: fn(&Mutator<'_>, RootEntry), second: fn(&Mutator<'_>, RootEntry)) {
    explore(PUBLISHING, move || {
        let place = Place::new();
        let maker = place.attach();
        let owner = maker.alloc();
        let child = maker.alloc_with(7);
        maker.store(owner, Some(child));
        let shared = maker.object(owner);
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                let mutator = place.attach();
                second(&mutator, mutator.adopt(shared));
            });
            first(&maker, owner);
        });
    });
}

#[test]
fn under_snapshot_a_swap_sees_what_is_swapped_in() {
    // Each sees the word of the other's object, or of the first one.
    let swap: fn(&Mutator<'_>, RootEntry) = |mutator, owner| {
        let before = mutator.swap(owner, Some(mutator.alloc_with(7)));
        assert_eq!(mutator.word(before.expect("the slot is never null")), 7, "a word was not seen");
    };
    explore_two(swap, swap);
}

#[test]
fn under_snapshot_a_load_sees_what_is_stored() {
    explore_two(
        |mutator, owner| mutator.store(owner, Some(mutator.alloc_with(7))),
        |mutator, owner| {
            let found = mutator.load(owner).expect("the slot is never null");
            assert_eq!(mutator.word(found), 7, "a word was not seen");
        },
    );
}

#[test]
fn under_snapshot_an_exchange_sees_and_publishes() {
    // The slot is emptied by one mutator and filled by another, as a lock would be.
    explore_two(
        |mutator, owner| {
            mutator.set_word(owner, 5);
            mutator.store(owner, None);
            if let Some(found) = mutator.load(owner) {
                assert_eq!(mutator.word(found), 8, "a word was not seen");
            }
        },
        |mutator, owner| {
            if mutator.fill(owner, mutator.alloc_with(8)) {
                assert_eq!(mutator.word(owner), 5, "a word was not seen");
            }
        },
    );
}

#[test]
fn of_two_that_overwrite_at_once_each_shades_what_it_has_overwritten() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let maker = place.attach();
        let owner = maker.alloc();
        let shared = maker.object(owner);
        scope(|scope| {
            let place = &place;
            let write = move || {
                let mutator = place.attach();
                let (owner, value) = (mutator.adopt(shared), mutator.alloc());
                mutator.local.part.barrier.set(Barrier::Old as u32);
                mutator.local.part.colour.set(COLOURS[1]);
                mutator.store(owner, Some(value));
                let shaded = mutator.local.part.shaded().drain(..).count();
                mutator.leave_without(&[owner, value]);
                shaded
            };
            let other = scope.spawn(write);
            let shaded = write() + other.join().unwrap();
            assert_eq!(shaded, 1, "whoever came second has overwritten what came first");
        });
        maker.leave_without(&[owner]);
    });
}
