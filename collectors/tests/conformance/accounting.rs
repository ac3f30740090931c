//! Every byte is accounted for, and memory goes back.

use collectors::{Amount, Layout, Options, object_bytes};

use crate::laws::{
    expect_held_garbage, gives_memory_back, heap, heap_with, reclaims_acyclic, settle,
};

const SHAPES: [(u32, u32); 6] = [(0, 0), (1, 0), (2, 2), (0, 40), (200, 60), (5_000, 1)];

laws! {
    fn what_is_allocated_is_counted_to_the_byte<C>() {
        let heap = heap::<C>();
        let mutator = heap.attach();
        let mut kept = Vec::new();
        let mut expected = Amount::default();
        for (slots, words) in SHAPES {
            let class = heap.class(Layout::new("Object").slots(slots).words(words));
            for _ in 0..10 {
                kept.push(mutator.alloc(&class).unwrap());
                let bytes = object_bytes::<C>(slots.into(), words.into());
                expected += Amount { objects: 1, bytes };
            }
        }
        assert_eq!(heap.statistics().allocated, expected);
        assert_eq!(heap.statistics().held(), expected);
        assert!(heap.statistics().blocks >= expected.bytes);
        mutator.check();
        drop(kept);
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, expected.objects, 0);
        assert_eq!(heap.statistics().allocated, expected);
        assert!(heap.statistics().peak_held <= expected.bytes);
    }

    fn an_objects_bytes_are_its_header_slots_and_data<C>() {
        let empty = object_bytes::<C>(0, 0);
        assert!((8..=16).contains(&empty), "a header of {empty} bytes");
        assert_eq!(object_bytes::<C>(2, 2), empty + 32);
        assert_eq!(object_bytes::<C>(254, 0), empty + 254 * 8);
        // Objects of more slots and words than the header can say keep their numbers in one more word.
        assert_eq!(object_bytes::<C>(255, 0), empty + 255 * 8 + 8);
    }

    fn empty_blocks_are_given_back<C>() {
        let heap = heap_with::<C>(Options { reserve: 0, ..Options::default() });
        let class = heap.class(Layout::new("Node").slots(2).words(2));
        let mutator = heap.attach();
        let kept: Vec<_> = (0..100_000).map(|_| mutator.alloc(&class).unwrap()).collect();
        let full = heap.statistics().blocks;
        assert!(full >= heap.statistics().held().bytes);
        drop(kept);
        settle(&mutator);
        let empty = heap.statistics().blocks;
        if gives_memory_back::<C>() {
            assert!(empty <= full / 20, "{empty} bytes of blocks are left, of {full}");
            assert_eq!(heap.statistics().peak_blocks, full);
        } else if !C::IS_AUDITED {
            assert_eq!(empty, full);
        }
        let again: Vec<_> = (0..100_000).map(|_| mutator.alloc(&class).unwrap()).collect();
        assert!(again.iter().all(|object| object.get(0).is_none() && object.word(1) == 0));
        mutator.check();
    }

    fn large_objects_are_given_back<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Table"));
        let mutator = heap.attach();
        for round in 0..100 {
            let table = mutator.alloc_with(&class, 10_000).unwrap();
            table.set(9_999, Some(&table));
            assert!(table.get(round).is_none());
            table.set(9_999, None);
        }
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 100, 0);
        if gives_memory_back::<C>() {
            assert_eq!(heap.statistics().blocks, 0);
        }
    }

    fn a_heap_at_its_limit_says_so_and_works_on<C>() {
        let limit = 4 << 20;
        let heap = heap_with::<C>(Options { limit, ..Options::default() });
        let class = heap.class(Layout::new("Node").slots(2).words(2));
        let mutator = heap.attach();
        for _ in 0..3 {
            let mut kept = Vec::new();
            let error = loop {
                match mutator.alloc(&class) {
                    Ok(object) => kept.push(object),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.limit, limit);
            assert!(error.in_use <= limit && error.in_use + error.asked > limit, "{error}");
            assert!(error.to_string().contains(&limit.to_string()), "{error}");
            assert!(heap.statistics().blocks <= limit);
            mutator.check();
            if !reclaims_acyclic::<C>() {
                return;
            }
            assert!(kept.len() > 50_000, "{} objects fit {limit} bytes", kept.len());
            kept.truncate(100);
            settle(&mutator);
            let more: Vec<_> = (0..50_000).map(|_| mutator.alloc(&class).unwrap()).collect();
            assert!(more.iter().all(|object| object.word(0) == 0));
        }
    }

    fn a_large_object_beyond_the_limit_is_refused_and_a_small_one_is_not<C>() {
        let heap = heap_with::<C>(Options { limit: 1 << 20, ..Options::default() });
        let class = heap.class(Layout::new("Table").words(1));
        let mutator = heap.attach();
        assert!(mutator.alloc_with(&class, 1_000_000).is_err());
        assert!(mutator.alloc_with(&class, 10_000).is_ok());
        assert!(mutator.alloc(&class).is_ok());
        mutator.check();
    }

    fn garbage_makes_room_before_an_allocation_fails<C>() {
        if !reclaims_acyclic::<C>() {
            return;
        }
        let heap = heap_with::<C>(Options { limit: 2 << 20, ..Options::default() });
        let class = heap.class(Layout::new("Table").words(1));
        let mutator = heap.attach();
        for _ in 0..200 {
            let table = mutator.alloc_with(&class, 100_000).expect("the last one is garbage");
            assert_eq!(table.word(0), 0);
        }
        mutator.check();
    }

    fn statistics_are_summed_over_mutators_gone_and_present<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1));
        for _ in 0..3 {
            heap.threads(4, |mutator, _| {
                for _ in 0..1_000 {
                    mutator.alloc(&class).unwrap();
                }
            });
        }
        assert_eq!(heap.statistics().allocated.objects, 12_000);
        heap.check();
        settle(&heap.attach());
        expect_held_garbage(&heap, 12_000, 0);
    }
}
