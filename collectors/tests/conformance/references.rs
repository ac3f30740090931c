//! Roots, slots, words and shared handles do what their names say.

use collectors::{Heap, Layout};

use crate::laws::{expect_held_garbage, heap, reclaims_acyclic, settle};

laws! {
    fn new_objects_are_null_and_zero<C>() {
        let heap = heap::<C>();
        let mutator = heap.attach();
        for (slots, words) in [(0, 0), (1, 0), (0, 1), (3, 4), (100, 154), (100, 155), (5_000, 0)] {
            let class = heap.class(Layout::new("Object").slots(slots).words(words));
            let object = mutator.alloc(&class).unwrap();
            assert_eq!((object.slots(), object.words()), (slots as usize, words as usize));
            assert!((0..slots as usize).all(|slot| object.get(slot).is_none()));
            assert!((0..words as usize).all(|word| object.word(word) == 0));
        }
        mutator.check();
    }

    fn extra_slots_come_after_the_classs_own<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("List").slots(1).words(2));
        let mutator = heap.attach();
        for extra in [0, 1, 251, 252, 10_000] {
            let object = mutator.alloc_with(&class, extra).unwrap();
            assert_eq!(object.slots(), 1 + extra as usize);
            object.set_word(1, u64::MAX);
            object.set(extra as usize, Some(&object));
            assert!(object.get(extra as usize).unwrap().same(&object));
            assert_eq!(object.word(1), u64::MAX);
            object.set(extra as usize, None);
        }
        mutator.check();
    }

    fn a_slot_gives_what_was_stored<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(2).words(1));
        let mutator = heap.attach();
        let [one, two, three] = [(); 3].map(|()| mutator.alloc(&class).unwrap());
        one.set(0, Some(&two));
        assert!(one.get(0).unwrap().same(&two));
        assert!(one.get(1).is_none());
        assert!(one.swap(0, Some(&three)).unwrap().same(&two));
        assert!(one.swap(0, None).unwrap().same(&three));
        assert!(one.swap(0, Some(&one)).is_none());
        assert!(one.swap(0, None).unwrap().same(&one));
        mutator.check();
        drop((one, two, three));
        settle(&mutator);
        expect_held_garbage(&heap, 3, 0);
    }

    fn an_exchange_happens_only_if_the_slot_holds_what_was_said<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1));
        let mutator = heap.attach();
        let [owner, one, two] = [(); 3].map(|()| mutator.alloc(&class).unwrap());
        assert!(!owner.compare_exchange(0, Some(&one), Some(&two)));
        assert!(owner.compare_exchange(0, None, Some(&one)));
        assert!(!owner.compare_exchange(0, None, Some(&two)));
        assert!(!owner.compare_exchange(0, Some(&two), None));
        assert!(owner.compare_exchange(0, Some(&one), Some(&one)));
        assert!(owner.compare_exchange(0, Some(&one), Some(&two)));
        assert!(owner.get(0).unwrap().same(&two));
        assert!(owner.compare_exchange(0, Some(&two), None));
        assert!(owner.get(0).is_none());
        drop((owner, one, two));
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 3, 0);
    }

    fn clones_of_a_root_are_the_same_object<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let mutator = heap.attach();
        let one = mutator.alloc(&class).unwrap();
        let clones: Vec<_> = (0..1_000).map(|_| one.clone()).collect();
        let identity = one.identity();
        drop(one);
        settle(&mutator);
        assert!(clones.iter().all(|clone| clone.same(&clones[0]) && clone.identity() == identity));
        clones[7].set_word(0, 42);
        assert_eq!(clones[999].word(0), 42);
        drop(clones);
        settle(&mutator);
        expect_held_garbage(&heap, 1, 0);
    }

    fn living_objects_have_identities_of_their_own<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").words(1));
        let mutator = heap.attach();
        let objects: Vec<_> = (0..10_000).map(|_| mutator.alloc(&class).unwrap()).collect();
        let before: Vec<u64> = objects.iter().map(|object| object.identity()).collect();
        settle(&mutator);
        let after: std::collections::BTreeSet<u64> =
            objects.iter().map(|object| object.identity()).collect();
        assert_eq!(after.len(), objects.len());
        assert!(before.iter().all(|identity| after.contains(identity)), "identities stay");
    }

    fn a_shared_handle_keeps_its_object<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let mutator = heap.attach();
        let node = mutator.alloc(&class).unwrap();
        node.set_word(0, 17);
        let shared = node.share();
        let other = shared.clone();
        drop((node, shared));
        settle(&mutator);
        mutator.check();
        let adopted = mutator.adopt(&other);
        assert_eq!(adopted.word(0), 17);
        drop(other);
        settle(&mutator);
        mutator.check();
        assert_eq!(adopted.word(0), 17);
        drop(adopted);
        settle(&mutator);
        expect_held_garbage(&heap, 1, 0);
    }

    fn a_shared_handle_outlives_the_mutator_that_made_it<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let shared = heap.threads(3, |mutator, index| {
            let [node, child] = [(); 2].map(|()| mutator.alloc(&class).unwrap());
            child.set_word(0, index as u64);
            node.set(0, Some(&child));
            node.share()
        });
        let mutator = heap.attach();
        settle(&mutator);
        mutator.check();
        for (index, shared) in shared.iter().enumerate() {
            assert_eq!(mutator.adopt(shared).get(0).unwrap().word(0), index as u64);
        }
        drop(shared);
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 6, 0);
    }

    fn a_shared_handle_dropped_without_a_mutator_is_released_by_the_next<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let shared = heap.attach().alloc(&class).unwrap().share();
        drop(shared);
        assert_eq!(heap.statistics().held().objects, 1);
        let mutator = heap.attach();
        settle(&mutator);
        expect_held_garbage(&heap, 1, 0);
    }

    fn a_heap_may_go_before_its_handles<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let mutator = heap.attach();
        drop(heap);
        let shared = mutator.alloc(&class).unwrap().share();
        drop(mutator);
        drop(class);
        drop(shared);
    }

    fn two_heaps_in_one_process_do_not_meet<C>() {
        let heaps = [heap::<C>(), heap::<C>()];
        let classes = heaps.each_ref().map(|heap| heap.class(Layout::new("Node").slots(1).words(1)));
        let mutators = heaps.each_ref().map(Heap::attach);
        let kept = mutators[0].alloc(&classes[0]).unwrap();
        for _ in 0..1_000 {
            let other = mutators[1].alloc(&classes[1]).unwrap();
            other.set(0, Some(&other));
            assert_ne!(other.identity(), kept.identity());
        }
        settle(&mutators[1]);
        heaps.iter().zip(&mutators).for_each(|(_, mutator)| mutator.check());
        assert_eq!(heaps[0].statistics().allocated.objects, 1);
        assert_eq!(heaps[1].statistics().allocated.objects, 1_000);
        expect_held_garbage(&heaps[1], 1_000, 1_000);
        if reclaims_acyclic::<C>() {
            drop(kept);
            settle(&mutators[0]);
            assert_eq!(heaps[0].statistics().held().objects, 0);
        }
    }
}
