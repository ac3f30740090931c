//! Where objects die under `biased`: at their owner's, or, if the owner has left, with whoever drops the last reference.

use std::{
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
};

use collectors::{
    Class, Heap, Layout, Mutator, Options, Shared,
    counts::biased::BiasedCount,
    generational::Generational,
    triggers::{Fixed, FixedSettings},
};

type Biased = Generational<Fixed, BiasedCount>;

/// A heap that collects only if it is asked to, and a class whose finalizer writes down the thread that it runs on.
fn heap() -> (Heap<Biased>, Class<Biased>, Arc<Mutex<Vec<ThreadId>>>) {
    let heap: Heap<Biased> =
        Heap::new(FixedSettings { thresholds: [0, 10, 10] }, Options::default()).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let layout = Layout::new("Node").slots(1);
    let class =
        heap.class(layout.finalizer(move |_| log.lock().unwrap().push(thread::current().id())));
    (heap, class, seen)
}

/// Drops what `shared` refers to, both the handle's reference and one of its own.
fn adopt_and_drop(mutator: &Mutator<Biased>, shared: Shared<Biased>) {
    let root = mutator.adopt(&shared);
    drop(shared);
    mutator.safepoint();
    drop(root);
}

#[test]
fn what_another_thread_drops_last_dies_at_its_owners_next_safepoint() {
    let (heap, class, seen) = heap();
    let owner = heap.attach();
    let shared = Mutex::new(Some(owner.alloc(&class).unwrap().share()));
    owner.threads(1, |other, _| {
        adopt_and_drop(other, shared.lock().unwrap().take().unwrap());
        assert_eq!((heap.statistics().held().objects, seen.lock().unwrap().len()), (1, 0));
    });
    // The end of `blocked`, in which the owner has waited, is a safepoint.
    assert_eq!(*seen.lock().unwrap(), [thread::current().id()]);
    assert_eq!(heap.statistics().held().objects, 0);
    owner.check();
}

#[test]
fn what_an_owner_that_has_left_has_made_dies_with_its_last_reference() {
    let (heap, class, seen) = heap();
    let mutator = heap.attach();
    let shared = mutator.threads(1, |owner, _| owner.alloc(&class).unwrap().share());
    for shared in shared {
        adopt_and_drop(&mutator, shared);
    }
    assert_eq!(*seen.lock().unwrap(), [thread::current().id()]);
    assert_eq!(heap.statistics().held().objects, 0);
    mutator.check();
}

#[test]
fn what_waits_for_an_owner_that_is_blocked_dies_after_a_collection() {
    let (heap, class, seen) = heap();
    let owner = heap.attach();
    let shared = Mutex::new(Some(owner.alloc(&class).unwrap().share()));
    let others = owner.threads(1, |other, _| {
        adopt_and_drop(other, shared.lock().unwrap().take().unwrap());
        other.collect();
        assert_eq!(heap.statistics().held().objects, 0);
        thread::current().id()
    });
    assert_eq!(*seen.lock().unwrap(), others);
    owner.check();
}

#[test]
fn an_object_can_have_more_references_than_its_owner_counts() {
    let (heap, class, seen) = heap();
    let owner = heap.attach();
    let object = owner.alloc(&class).unwrap();
    let copies: Vec<_> = (0..1_500_000).map(|_| object.clone()).collect();
    assert_eq!(object.count(), Some(1_500_001));
    owner.check();
    drop((copies, object));
    assert_eq!((heap.statistics().held().objects, seen.lock().unwrap().len()), (0, 1));
}
