//! Models of what mutators load, store and give up beside each other.

use super::*;
use crate::{
    Options, SideTables,
    collector::Local,
    heap::{Kind, core::Core, object::Shape},
    roots::RootEntry,
    threads::sync::{explore, scope},
};

const PROTOCOL: &str = "deferred counting";

/// A heap.
struct Place {
    core: Arc<Core<StickyCount>>,
    collector: Arc<Deferred>,
    kind: Kind,
}

/// One mutator.
struct Mutator<'p> {
    local: DeferredLocal,
    place: &'p Place,
}

impl Place {
    fn new() -> Self {
        let core = Arc::new(Core::new(Options::default(), SideTables::None, false));
        let collector = Arc::new(Deferred::new(NoSettings {}).unwrap());
        let kind = Kind::new::<StickyCount>(1, Shape { slots: 1, words: 0 }, false, false);
        Self { core, collector, kind }
    }

    fn attach(&self) -> Mutator<'_> {
        let seat = Seat::new(Arc::clone(&self.core));
        Mutator { local: DeferredLocal::new(Arc::clone(&self.collector), seat), place: self }
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

    fn swap(&self, owner: RootEntry, value: Option<RootEntry>) -> Option<RootEntry> {
        // SAFETY: as above.
        unsafe { self.local.swap(self.object(owner), 0, value) }
    }

    fn load(&self, owner: RootEntry) -> Option<RootEntry> {
        // SAFETY: as above.
        unsafe { self.local.load(self.object(owner), 0) }
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

    fn release(&self, root: RootEntry) {
        // SAFETY: the root is not used again.
        unsafe { self.local.release(root) };
    }

    /// A handle by which another mutator can get at the object of `root`, which is given up.
    fn share(&self, root: RootEntry) -> Counted {
        // SAFETY: the root is not used again.
        unsafe { self.local.surrender(root) }
    }

    /// A root for what another mutator has shared.
    fn adopt(&self, object: Counted) -> RootEntry {
        // SAFETY: the reference is one that `share` has left.
        unsafe { self.local.reclaim(object) }
    }

    fn copy(&self, root: RootEntry) -> RootEntry {
        // SAFETY: as above.
        unsafe { self.local.retain(root) }
    }

    /// Uses an object, which must be in the heap.
    fn touch(&self, root: RootEntry) {
        let object = self.object(root);
        object.access();
        assert_eq!(object.shape().slots, 1);
    }

    /// A safepoint.
    fn renew(&self) {
        self.local.renew();
    }

    /// Detaches, having released its last `roots`.
    fn leave_without(self, roots: &[RootEntry]) {
        roots.iter().for_each(|&root| self.release(root));
        while !self.local.leave() {}
        let seat = self.local.seat();
        seat.core.world.detach(seat.index);
    }
}

/// A mutator that another thread goes on with, its root for the owner, and what it has done before.
struct Moved<'p, B> {
    mutator: Mutator<'p>,
    owner: RootEntry,
    result: B,
}

// SAFETY: one thread at a time uses it: the model hands it over when it spawns a thread, and back when it joins it.
unsafe impl<B> Send for Moved<'_, B> {}

/// Explores what two mutators do at once with an owner that both have a root for, and whose slot refers to a child. The
/// second one is given what it has done before.
fn explore_pair<B: Copy + 'static>(
    before: fn(&Mutator<'_>, RootEntry) -> B,
    first: fn(&Mutator<'_>, RootEntry),
    second: fn(&Mutator<'_>, RootEntry, B),
) {
    explore(PROTOCOL, move || {
        let place = Place::new();
        let (one, other) = (place.attach(), place.attach());
        let (owner, child) = (one.alloc(), one.alloc());
        one.store(owner, Some(child));
        one.release(child);
        let owner_again = other.adopt(one.share(one.copy(owner)));
        let moved =
            Moved { result: before(&other, owner_again), mutator: other, owner: owner_again };
        let other = scope(|scope| {
            let other = scope.spawn(move || {
                let Moved { mutator, owner, result } = { moved };
                second(&mutator, owner, result);
                mutator.release(owner);
                Moved { mutator, owner, result: () }
            });
            first(&one, owner);
            other.join().unwrap()
        });
        other.mutator.leave_without(&[]);
        one.leave_without(&[owner]);
        // Whoever went last has freed what was left.
        assert_eq!(place.held(), 0, "what nobody reaches is freed");
    });
}

fn nothing(_: &Mutator<'_>, _: RootEntry) {}

fn load_and_touch(mutator: &Mutator<'_>, owner: RootEntry) {
    if let Some(child) = mutator.load(owner) {
        mutator.touch(child);
        mutator.release(child);
    }
}

fn swap_and_touch(mutator: &Mutator<'_>, owner: RootEntry) {
    if let Some(child) = mutator.swap(owner, None) {
        mutator.touch(child);
        mutator.release(child);
    }
}

fn store_a_new_one(mutator: &Mutator<'_>, owner: RootEntry) {
    let new = mutator.alloc();
    mutator.store(owner, Some(new));
    mutator.release(new);
}

fn exchange_for_a_new_one(mutator: &Mutator<'_>, owner: RootEntry) {
    let (before, new) = (mutator.load(owner), mutator.alloc());
    mutator.exchange(owner, before, Some(new));
    mutator.touch(new);
    before.inspect(|&before| mutator.touch(before));
    [Some(new), before].into_iter().flatten().for_each(|root| mutator.release(root));
}

fn clear(mutator: &Mutator<'_>, owner: RootEntry) {
    mutator.store(owner, None);
}

fn clear_and_pass_safepoints(mutator: &Mutator<'_>, owner: RootEntry) {
    mutator.store(owner, None);
    (0..2).for_each(|_| mutator.renew());
}

#[test]
fn what_was_loaded_stays_while_another_overwrites_it() {
    explore_pair(nothing, clear_and_pass_safepoints, |mutator, owner, ()| {
        load_and_touch(mutator, owner);
    });
}

#[test]
fn what_is_still_held_is_counted_when_its_section_ends() {
    fn load(mutator: &Mutator<'_>, owner: RootEntry) -> RootEntry {
        mutator.load(owner).expect("nobody has overwritten it")
    }
    explore_pair(load, clear_and_pass_safepoints, |mutator, _, child| {
        mutator.renew();
        mutator.touch(child);
        mutator.release(child);
    });
}

#[test]
fn what_is_stored_is_published_to_whoever_loads() {
    explore_pair(nothing, load_and_touch, |mutator, owner, ()| store_a_new_one(mutator, owner));
}

#[test]
fn what_is_stored_is_published_to_whoever_takes_it_out() {
    explore_pair(nothing, swap_and_touch, |mutator, owner, ()| store_a_new_one(mutator, owner));
}

#[test]
fn of_two_that_exchange_one_gives_up_what_was_there() {
    explore_pair(nothing, exchange_for_a_new_one, |mutator, owner, ()| {
        exchange_for_a_new_one(mutator, owner);
    });
}

#[test]
fn what_two_take_out_at_once_is_given_up_once() {
    explore_pair(nothing, clear, |mutator, owner, ()| clear(mutator, owner));
}
