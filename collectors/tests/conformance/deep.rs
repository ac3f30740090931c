//! Long lists, deep trees and wide objects are workloads, not crashes.

use collectors::Layout;

use crate::laws::{expect_held_garbage, heap, on_a_small_stack, settle};

laws! {
    fn a_list_of_ten_million_is_dropped_without_overflowing_the_stack<C>() {
        on_a_small_stack(|| {
            let heap = heap::<C>();
            let class = heap.class(Layout::new("Node").slots(1));
            let mutator = heap.attach();
            let mut list = mutator.alloc(&class).unwrap();
            for _ in 1..10_000_000 {
                let next = mutator.alloc(&class).unwrap();
                next.set(0, Some(&list));
                list = next;
            }
            mutator.collect();
            assert_eq!(heap.statistics().held().objects, 10_000_000);
            drop(list);
            settle(&mutator);
            expect_held_garbage(&heap, 10_000_000, 0);
        });
    }

    fn a_ring_of_a_million_is_found_without_overflowing_the_stack<C>() {
        on_a_small_stack(|| {
            let heap = heap::<C>();
            let class = heap.class(Layout::new("Node").slots(2));
            let mutator = heap.attach();
            let start = mutator.alloc(&class).unwrap();
            let mut last = start.clone();
            for _ in 1..1_000_000 {
                let next = mutator.alloc(&class).unwrap();
                last.set(0, Some(&next));
                next.set(1, Some(&last));
                last = next;
            }
            last.set(0, Some(&start));
            start.set(1, Some(&last));
            drop((start, last));
            settle(&mutator);
            mutator.check();
            expect_held_garbage(&heap, 1_000_000, 1_000_000);
        });
    }

    fn a_tree_a_million_deep_is_dropped_without_overflowing_the_stack<C>() {
        on_a_small_stack(|| {
            let heap = heap::<C>();
            let class = heap.class(Layout::new("Branch").slots(2));
            let leaf = heap.class(Layout::new("Leaf").words(1));
            let mutator = heap.attach();
            let mut tree = mutator.alloc(&class).unwrap();
            for depth in 1..1_000_000 {
                let above = mutator.alloc(&class).unwrap();
                above.set(depth % 2, Some(&tree));
                above.set((depth + 1) % 2, Some(&mutator.alloc(&leaf).unwrap()));
                tree = above;
            }
            mutator.collect();
            assert_eq!(heap.statistics().held().objects, 1_999_999);
            drop(tree);
            settle(&mutator);
            mutator.check();
            expect_held_garbage(&heap, 1_999_999, 0);
        });
    }

    fn an_object_of_a_million_slots_works<C>() {
        on_a_small_stack(|| {
            let heap = heap::<C>();
            let table = heap.class(Layout::new("Table").words(1));
            let leaf = heap.class(Layout::new("Leaf").words(1).slots(1));
            let mutator = heap.attach();
            let wide = mutator.alloc_with(&table, 1_000_000).unwrap();
            assert_eq!(wide.slots(), 1_000_000);
            wide.set_word(0, 5);
            for slot in 0..1_000_000 {
                let object = mutator.alloc(&leaf).unwrap();
                object.set_word(0, slot as u64);
                if slot % 2 == 0 {
                    object.set(0, Some(&wide));
                }
                wide.set(slot, Some(&object));
            }
            mutator.collect();
            mutator.check();
            assert!((0..1_000_000).all(|slot| wide.get(slot).unwrap().word(0) == slot as u64));
            assert_eq!(wide.word(0), 5);
            // All slots but the first, whose object refers back.
            for slot in 1..1_000_000 {
                wide.set(slot, None);
            }
            settle(&mutator);
            drop(wide);
            settle(&mutator);
            mutator.check();
            expect_held_garbage(&heap, 1_000_001, 2);
        });
    }
}
