//! Safe code that mixes heaps or mutators, or names what is not there, panics, and breaks nothing.

use collectors::{Heap, Layout};

use crate::laws::{heap, panic_of, settle};

laws! {
    fn roots_of_two_mutators_do_not_mix<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let mutators = [heap.attach(), heap.attach()];
        let [one, other] = mutators.each_ref().map(|mutator| mutator.alloc(&class).unwrap());
        let expected = "a root can be used with roots of its own mutator only";
        assert_eq!(panic_of(|| one.set(0, Some(&other))), expected);
        assert_eq!(panic_of(|| one.swap(0, Some(&other)).is_some()), expected);
        assert_eq!(panic_of(|| one.compare_exchange(0, None, Some(&other))), expected);
        assert_eq!(panic_of(|| one.compare_exchange(0, Some(&other), None)), expected);
        assert_eq!(panic_of(|| one.same(&other)), expected);
        assert!(one.get(0).is_none());
        one.set(0, Some(&one));
        one.set(0, None);
        drop((one, other));
        assert_eq!(heap.statistics().allocated.objects, 2);
    }

    fn roots_of_two_heaps_do_not_mix<C>() {
        let heaps = [heap::<C>(), heap::<C>()];
        let classes = heaps.each_ref().map(|heap| heap.class(Layout::new("Node").slots(1)));
        let mutators = heaps.each_ref().map(Heap::attach);
        let one = mutators[0].alloc(&classes[0]).unwrap();
        let other = mutators[1].alloc(&classes[1]).unwrap();
        let expected = "a root can be used with roots of its own mutator only";
        assert_eq!(panic_of(|| one.set(0, Some(&other))), expected);
        assert_eq!(panic_of(|| other.compare_exchange(0, None, Some(&one))), expected);
        assert_eq!(panic_of(|| one.same(&other)), expected);
        mutators.iter().for_each(settle);
        mutators.iter().for_each(|mutator| mutator.check());
    }

    fn a_class_works_with_its_own_heap_only<C>() {
        let heaps = [heap::<C>(), heap::<C>()];
        let class = heaps[0].class(Layout::new("Node").slots(1));
        let mutator = heaps[1].attach();
        let expected = "a class can be used with its own heap only";
        assert_eq!(panic_of(|| mutator.alloc(&class).is_ok()), expected);
        assert_eq!(panic_of(|| mutator.alloc_with(&class, 3).is_ok()), expected);
        assert_eq!(heaps[1].statistics().allocated.objects, 0);
        mutator.check();
    }

    fn a_shared_handle_is_adopted_by_its_own_heap_only<C>() {
        let heaps = [heap::<C>(), heap::<C>()];
        let class = heaps[0].class(Layout::new("Node").slots(1));
        let mutators = heaps.each_ref().map(Heap::attach);
        let shared = mutators[0].alloc(&class).unwrap().share();
        let panic = panic_of(|| mutators[1].adopt(&shared).slots());
        assert_eq!(panic, "a shared handle can be adopted by mutators of its own heap only");
        assert_eq!(mutators[0].adopt(&shared).slots(), 1);
    }

    fn slots_and_words_that_are_not_there_are_refused<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(2).words(3));
        let mutator = heap.attach();
        let node = mutator.alloc(&class).unwrap();
        let slot = "slot 2 of an object with 2 slots";
        assert_eq!(panic_of(|| node.get(2).is_some()), slot);
        assert_eq!(panic_of(|| node.set(2, None)), slot);
        assert_eq!(panic_of(|| node.swap(2, Some(&node)).is_some()), slot);
        assert_eq!(panic_of(|| node.compare_exchange(2, None, None)), slot);
        assert!(panic_of(|| node.get(usize::MAX).is_some()).ends_with("of an object with 2 slots"));
        let word = "word 3 of an object with 3 words";
        assert_eq!(panic_of(|| node.word(3)), word);
        assert_eq!(panic_of(|| node.set_word(3, 1)), word);
        let large = mutator.alloc_with(&class, 300).unwrap();
        assert_eq!(panic_of(|| large.get(302).is_some()), "slot 302 of an object with 302 slots");
        assert_eq!(panic_of(|| large.word(3)), word);
        mutator.check();
    }

    fn an_object_has_at_most_so_many_slots<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Table").slots(1));
        let mutator = heap.attach();
        let panic = panic_of(|| mutator.alloc_with(&class, u32::MAX).is_ok());
        assert!(panic.contains("2^32 - 1 slots"), "{panic}");
    }
}
