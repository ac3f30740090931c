//! Models of whole collectors, on the shipping code: two mutators, shared handles, cycles, a collection.

use crate::{
    Class, Collector, Heap, Layout, Mutator, Options, Reclaims, Root,
    counts::biased::BiasedCount,
    generational::Generational,
    leak::Leak,
    mark_sweep::MarkSweep,
    refcount::RefCount,
    threads::{
        sync::{explore, scope, thread},
        world::Attention,
    },
    triggers::Fixed,
};

/// Counting by owners, with a detection of cycles behind it.
type Biased = Generational<Fixed, BiasedCount>;

const PUBLISHING: &str = "publishing stores";
const SHARED: &str = "share and adopt";
const WHOLE: &str = "whole collector";

/// The slot by which two objects refer to each other.
const FRIEND: usize = 0;

fn heap<C: Collector>() -> (Heap<C>, Class<C>) {
    let heap = Heap::new(C::Settings::default(), Options::default()).unwrap();
    let class = heap.class(Layout::new("Person").slots(1).words(1));
    (heap, class)
}

/// Two objects that refer to each other, with their names in them; a root of the first.
fn friends<'m, C: Collector>(mutator: &'m Mutator<C>, class: &Class<C>) -> Root<'m, C> {
    let (alice, bob) = (mutator.alloc(class).unwrap(), mutator.alloc(class).unwrap());
    alice.set_word(0, 1);
    bob.set_word(0, 2);
    alice.set(FRIEND, Some(&bob));
    bob.set(FRIEND, Some(&alice));
    alice
}

/// Walks the cycle that begins at `alice`.
fn meet<C: Collector>(alice: &Root<'_, C>) {
    let bob = alice.get(FRIEND).expect("alice has a friend");
    assert_eq!((alice.word(0), bob.word(0)), (1, 2), "a word was not seen");
    assert!(bob.get(FRIEND).is_some_and(|alice_again| alice_again.same(alice)));
}

/// Nothing is reachable any more: what is left is what the collector never frees.
fn assert_all_is_freed<C: Collector>(heap: &Heap<C>, in_cycles: u64) {
    let mutator = heap.attach();
    mutator.collect();
    mutator.check();
    let left = match C::CAPABILITIES.reclaims {
        Reclaims::Nothing => heap.statistics().allocated.objects,
        Reclaims::Acyclic => in_cycles,
        Reclaims::Everything => 0,
    };
    assert_eq!(heap.statistics().held().objects, left);
}

/// One mutator gives a cycle to another, forgets it and collects; the other one walks it meanwhile.
fn a_shared_cycle<C: Collector>() {
    explore(WHOLE, || {
        let (heap, class) = heap::<C>();
        scope(|scope| {
            let heap = &heap;
            let mutator = heap.attach();
            let alice = friends(&mutator, &class);
            let shared = alice.share();
            scope.spawn(move || {
                let mutator = heap.attach();
                let alice = mutator.adopt(&shared);
                drop(shared);
                mutator.safepoint();
                meet(&alice);
            });
            drop(alice);
            mutator.collect();
        });
        assert_all_is_freed(&heap, 2);
    });
}

/// Each of two mutators makes a cycle and drops it, and one of them collects.
fn two_cycles<C: Collector>() {
    explore(WHOLE, || {
        let (heap, class) = heap::<C>();
        scope(|scope| {
            let (heap, class) = (&heap, &class);
            let mutator = heap.attach();
            let alice = friends(&mutator, class);
            scope.spawn(move || {
                let mutator = heap.attach();
                let alice = friends(&mutator, class);
                mutator.safepoint();
                meet(&alice);
            });
            drop(alice);
            mutator.collect();
        });
        assert_all_is_freed(&heap, 4);
    });
}

/// One mutator waits at a safepoint while the other one collects, and so takes part in the work.
fn a_collection_by_two<C: Collector>() {
    explore(WHOLE, || {
        let (heap, class) = heap::<C>();
        scope(|scope| {
            let heap = &heap;
            let world = &heap.inner.core.world;
            let mutator = heap.attach();
            let alice = friends(&mutator, &class);
            drop(friends(&mutator, &class));
            scope.spawn(move || {
                let mutator = heap.attach();
                while !world.attention().includes(Attention::STOP) {
                    thread::yield_now();
                }
                mutator.safepoint();
            });
            while world.population() < 2 {
                thread::yield_now();
            }
            mutator.collect();
            assert_eq!(heap.statistics().held().objects, 2, "one cycle was garbage, one was not");
            meet(&alice);
        });
        assert_all_is_freed(&heap, 4);
    });
}

#[test]
fn a_stopped_mutator_helps_generational_to_detect() {
    a_collection_by_two::<Generational<Fixed>>();
}

#[test]
fn a_stopped_mutator_helps_mark_sweep_to_mark_and_sweep() {
    a_collection_by_two::<MarkSweep>();
}

#[test]
fn refcount_keeps_a_cycle_that_two_mutators_share() {
    a_shared_cycle::<RefCount>();
}

#[test]
fn refcount_leaks_what_is_in_the_cycles_of_two_mutators_and_no_more() {
    two_cycles::<RefCount>();
}

#[test]
fn generational_keeps_a_cycle_while_either_of_two_mutators_has_it() {
    a_shared_cycle::<Generational<Fixed>>();
}

#[test]
fn generational_frees_the_cycles_of_two_mutators() {
    two_cycles::<Generational<Fixed>>();
}

#[test]
fn biased_keeps_a_cycle_while_either_of_two_mutators_has_it() {
    a_shared_cycle::<Biased>();
}

#[test]
fn biased_frees_the_cycles_of_two_mutators() {
    two_cycles::<Biased>();
}

#[test]
fn mark_sweep_keeps_a_cycle_while_either_of_two_mutators_has_it() {
    a_shared_cycle::<MarkSweep>();
}

#[test]
fn mark_sweep_frees_the_cycles_of_two_mutators() {
    two_cycles::<MarkSweep>();
}

/// What one of two mutators does with an owner, of which both have a root.
type Deed<C> = fn(&Mutator<C>, &Class<C>, &Root<'_, C>);

/// Explores what two mutators do with an owner whose slot `prepare` has filled.
fn explore_two<C: Collector>(prepare: Deed<C>, first: Deed<C>, second: Deed<C>) {
    explore(PUBLISHING, move || {
        let (heap, class) = heap::<C>();
        scope(|scope| {
            let (heap, class) = (&heap, &class);
            let mutator = heap.attach();
            let owner = mutator.alloc(class).unwrap();
            prepare(&mutator, class, &owner);
            let shared = owner.share();
            scope.spawn(move || {
                let mutator = heap.attach();
                second(&mutator, class, &mutator.adopt(&shared));
            });
            first(&mutator, class, &owner);
        });
    });
}

/// A new object with `word` in it.
fn object<'m, C: Collector>(mutator: &'m Mutator<C>, class: &Class<C>, word: u64) -> Root<'m, C> {
    let object = mutator.alloc(class).unwrap();
    object.set_word(0, word);
    object
}

/// A slot is filled by one mutator and read by another.
fn a_load_sees_what_is_stored<C: Collector>() {
    explore_two::<C>(
        |_, _, _| (),
        |mutator, class, owner| owner.set(FRIEND, Some(&object(mutator, class, 7))),
        |_, _, owner| assert!(owner.get(FRIEND).is_none_or(|found| found.word(0) == 7)),
    );
}

/// Two mutators swap new objects into a slot.
fn a_swap_sees_what_is_swapped_in<C: Collector>() {
    let swap: Deed<C> = |mutator, class, owner| {
        let before = owner.swap(FRIEND, Some(&object(mutator, class, 7)));
        assert_eq!(before.expect("the slot is never null").word(0), 7, "a word was not seen");
    };
    explore_two::<C>(
        |mutator, class, owner| owner.set(FRIEND, Some(&object(mutator, class, 7))),
        swap,
        swap,
    );
}

/// A slot is emptied by one mutator and filled by another, as a lock would be.
fn an_exchange_sees_and_publishes<C: Collector>() {
    explore_two::<C>(
        |mutator, class, owner| owner.set(FRIEND, Some(&object(mutator, class, 7))),
        |_, _, owner| {
            owner.set_word(0, 5);
            owner.set(FRIEND, None);
            let found = owner.get(FRIEND);
            assert!(found.is_none_or(|found| found.word(0) == 8), "a word was not seen");
        },
        |mutator, class, owner| {
            if owner.compare_exchange(FRIEND, None, Some(&object(mutator, class, 8))) {
                assert_eq!(owner.word(0), 5, "a word was not seen");
            }
        },
    );
}

#[test]
fn under_leak_a_load_sees_what_is_stored() {
    a_load_sees_what_is_stored::<Leak>();
}

#[test]
fn under_leak_a_swap_sees_what_is_swapped_in() {
    a_swap_sees_what_is_swapped_in::<Leak>();
}

#[test]
fn under_leak_an_exchange_sees_and_publishes() {
    an_exchange_sees_and_publishes::<Leak>();
}

#[test]
fn under_mark_sweep_a_load_sees_what_is_stored() {
    a_load_sees_what_is_stored::<MarkSweep>();
}

#[test]
fn under_mark_sweep_a_swap_sees_what_is_swapped_in() {
    a_swap_sees_what_is_swapped_in::<MarkSweep>();
}

#[test]
fn under_mark_sweep_an_exchange_sees_and_publishes() {
    an_exchange_sees_and_publishes::<MarkSweep>();
}

#[test]
fn under_biased_a_load_sees_what_is_stored() {
    a_load_sees_what_is_stored::<Biased>();
}

#[test]
fn under_biased_an_owner_keeps_what_another_takes_out_and_drops() {
    explore_two::<Biased>(
        |mutator, class, owner| owner.set(FRIEND, Some(&object(mutator, class, 7))),
        |_, _, owner| assert!(owner.get(FRIEND).is_none_or(|found| found.word(0) == 7)),
        |mutator, _, owner| {
            drop(owner.swap(FRIEND, None));
            mutator.safepoint();
        },
    );
}

#[test]
fn under_biased_an_owner_sees_what_another_has_written_to_its_object() {
    explore_two::<Biased>(
        |mutator, class, owner| owner.set(FRIEND, Some(&object(mutator, class, 7))),
        |_, _, owner| {
            let was_out = owner.get(FRIEND).is_none();
            if let Some(found) = owner.get(FRIEND) {
                assert!(!was_out || found.word(0) == 8, "a word was not seen");
            }
        },
        |_, _, owner| {
            let taken = owner.swap(FRIEND, None).expect("nobody else changes the slot");
            taken.set_word(0, 8);
            owner.set(FRIEND, Some(&taken));
        },
    );
}

#[test]
fn under_biased_what_is_merged_is_kept_by_a_lock() {
    explore_two::<Biased>(
        |mutator, class, owner| {
            let shared = object(mutator, class, 7).share();
            {
                let other = mutator.heap().attach();
                other.adopt(&owner.share()).set(FRIEND, Some(&other.adopt(&shared)));
            }
            drop(shared);
            // The last reference that this mutator has counted is released here, and the count merged.
            mutator.safepoint();
        },
        |_, _, owner| drop(owner.get(FRIEND)),
        |_, _, owner| drop(owner.swap(FRIEND, None)),
    );
}

#[test]
fn under_refcount_a_load_sees_what_is_stored() {
    a_load_sees_what_is_stored::<RefCount>();
}

#[test]
fn an_adopted_object_outlives_the_handle_and_its_makers_root() {
    explore(SHARED, || {
        let (heap, class) = heap::<RefCount>();
        scope(|scope| {
            let heap = &heap;
            let mutator = heap.attach();
            let object = mutator.alloc(&class).unwrap();
            object.set_word(0, 7);
            let shared = object.share();
            scope.spawn(move || {
                let mutator = heap.attach();
                let object = mutator.adopt(&shared);
                drop(shared);
                assert_eq!(object.word(0), 7, "a word was not seen");
            });
            drop(object);
        });
        assert_all_is_freed(&heap, 0);
    });
}

#[test]
fn what_the_last_of_two_clones_refers_to_is_freed_once() {
    explore(SHARED, || {
        let (heap, class) = heap::<RefCount>();
        scope(|scope| {
            let mutator = heap.attach();
            let shared = mutator.alloc(&class).unwrap().share();
            let clone = shared.clone();
            scope.spawn(move || drop(clone));
            drop(shared);
            mutator.safepoint();
        });
        assert_all_is_freed(&heap, 0);
    });
}

#[test]
fn a_clone_made_while_the_handle_is_adopted_keeps_the_object() {
    explore(SHARED, || {
        let (heap, class) = heap::<RefCount>();
        let shared = heap.attach().alloc(&class).unwrap().share();
        scope(|scope| {
            let (heap, shared) = (&heap, &shared);
            scope.spawn(move || {
                let mutator = heap.attach();
                mutator.adopt(shared).set_word(0, 7);
            });
            let mutator = heap.attach();
            let clone = shared.clone();
            mutator.adopt(&clone);
            drop(clone);
        });
        drop(shared);
        assert_all_is_freed(&heap, 0);
    });
}
