//! What is reachable survives, and what is not is freed.

use collectors::{Class, Collector, Layout, Mutator, Root};

use crate::laws::{
    expect_held_garbage, heap, reclaims_acyclic, reclaims_everything, settle, stressed_heap,
};

const LEFT: usize = 0;
const RIGHT: usize = 1;

fn node<C: Collector>() -> Layout<C> {
    Layout::new("Node").slots(2).words(2)
}

/// A ring of `length` nodes, numbered from `first`; gives one of them.
fn ring<'m, C: Collector>(
    mutator: &'m Mutator<C>,
    class: &Class<C>,
    first: u64,
    length: u64,
) -> Root<'m, C> {
    let start = mutator.alloc(class).unwrap();
    start.set_word(0, first);
    let mut last = start.clone();
    for number in first + 1..first + length {
        let next = mutator.alloc(class).unwrap();
        next.set_word(0, number);
        last.set(RIGHT, Some(&next));
        last = next;
    }
    last.set(RIGHT, Some(&start));
    start
}

/// Goes once around the ring at `start` and adds up its numbers.
fn sum_of_ring<C: Collector>(start: &Root<'_, C>) -> u64 {
    let mut sum = start.word(0);
    let mut current = start.get(RIGHT).unwrap();
    while !current.same(start) {
        sum += current.word(0);
        current = current.get(RIGHT).unwrap();
    }
    sum
}

laws! {
    fn what_is_reachable_survives_every_collection<C>() {
        let heap = heap::<C>();
        let class = heap.class(node());
        let mutator = heap.attach();
        let kept = ring(&mutator, &class, 0, 1_000);
        let hung = ring(&mutator, &class, 1_000, 1_000);
        kept.set(LEFT, Some(&hung));
        drop(hung);
        for generation in [0, 0, 1, 0, 2, 7, usize::MAX] {
            drop(ring(&mutator, &class, 0, 100));
            mutator.collect_generation(generation);
            mutator.check();
            assert_eq!(sum_of_ring(&kept), 999 * 500);
            assert_eq!(sum_of_ring(&kept.get(LEFT).unwrap()), 1_000 * 1_000 + 999 * 500);
        }
    }

    fn what_is_reachable_survives_a_collection_at_every_opportunity<C>() {
        let heap = stressed_heap::<C>(1);
        let class = heap.class(node());
        let mutator = heap.attach();
        let kept = ring(&mutator, &class, 0, 100);
        for round in 0..10 {
            let garbage = ring(&mutator, &class, 0, 10);
            garbage.set(LEFT, Some(&kept));
            if round % 2 == 0 {
                kept.set(LEFT, Some(&ring(&mutator, &class, 100, 10)));
            }
            drop(garbage);
            assert_eq!(sum_of_ring(&kept), 99 * 50);
            assert_eq!(sum_of_ring(&kept.get(LEFT).unwrap()), 10 * 100 + 9 * 5);
            mutator.check();
        }
    }

    fn what_has_no_cycle_is_freed<C>() {
        let heap = heap::<C>();
        let class = heap.class(node());
        let mutator = heap.attach();
        let mut list = mutator.alloc(&class).unwrap();
        for _ in 1..1_000 {
            let next = mutator.alloc(&class).unwrap();
            next.set(LEFT, Some(&list));
            list = next;
        }
        drop(list);
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 1_000, 0);
    }

    fn cycles_are_freed_by_those_who_say_so<C>() {
        let heap = heap::<C>();
        let class = heap.class(node());
        let mutator = heap.attach();
        for length in [1, 2, 3, 100, 10_000] {
            drop(ring(&mutator, &class, 0, length));
        }
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 10_106, 10_106);
    }

    fn what_a_dead_cycle_holds_is_freed_with_it<C>() {
        let heap = heap::<C>();
        let class = heap.class(node());
        let leaf = heap.class(Layout::new("Leaf").words(3).acyclic());
        let mutator = heap.attach();
        let cycle = ring(&mutator, &class, 0, 2);
        cycle.set(LEFT, Some(&mutator.alloc(&leaf).unwrap()));
        let free = mutator.alloc(&leaf).unwrap();
        drop((cycle, free));
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 4, 3);
    }

    fn garbage_that_points_at_the_living_does_not_harm_them<C>() {
        let heap = heap::<C>();
        let class = heap.class(node());
        let mutator = heap.attach();
        let kept = ring(&mutator, &class, 0, 100);
        for _ in 0..1_000 {
            ring(&mutator, &class, 0, 2).set(LEFT, Some(&kept));
        }
        settle(&mutator);
        mutator.check();
        assert_eq!(sum_of_ring(&kept), 99 * 50);
        if reclaims_everything::<C>() {
            assert_eq!(heap.statistics().held().objects, 100);
        }
    }

    fn a_cycle_lives_as_long_as_one_reference_from_outside<C>() {
        let heap = heap::<C>();
        let class = heap.class(node());
        let mutator = heap.attach();
        let holder = mutator.alloc(&class).unwrap();
        holder.set(LEFT, Some(&ring(&mutator, &class, 0, 3)));
        settle(&mutator);
        assert_eq!(sum_of_ring(&holder.get(LEFT).unwrap()), 3);
        assert_eq!(heap.statistics().held().objects, 4);
        holder.set(LEFT, None);
        settle(&mutator);
        mutator.check();
        if reclaims_everything::<C>() {
            assert_eq!(heap.statistics().held().objects, 1);
        }
    }

    fn garbage_is_collected_without_being_asked_for<C>() {
        let heap = heap::<C>();
        let class = heap.class(node());
        let mutator = heap.attach();
        for _ in 0..500_000 {
            drop(ring(&mutator, &class, 0, 2));
        }
        let peak = heap.statistics().peak_held;
        let all = heap.statistics().allocated.bytes;
        if reclaims_everything::<C>() {
            assert!(peak < all / 4, "{peak} bytes were held at a time, of {all} that died soon");
        } else {
            assert_eq!(heap.statistics().held().objects, 1_000_000);
        }
    }

    fn objects_die_while_others_of_their_block_live<C>() {
        let heap = heap::<C>();
        let class = heap.class(node());
        let mutator = heap.attach();
        let mut kept = Vec::new();
        for number in 0..50_000 {
            let object = mutator.alloc(&class).unwrap();
            object.set_word(1, number);
            if number % 7 == 0 {
                kept.push(object);
            }
        }
        settle(&mutator);
        let again: Vec<_> = (0..50_000).map(|_| mutator.alloc(&class).unwrap()).collect();
        mutator.check();
        for (index, object) in kept.iter().enumerate() {
            assert_eq!(object.word(1), 7 * index as u64);
        }
        let fresh = |object: &Root<'_, C>| object.word(1) == 0 && object.get(LEFT).is_none();
        assert!(again.iter().all(fresh), "memory that is used again is null and zero");
        if reclaims_acyclic::<C>() {
            assert_eq!(heap.statistics().held().objects, 50_000 + kept.len() as u64);
        }
    }
}
