//! Finalizers run once, see what the object saw, may do whatever the program may, and do not break the heap.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use collectors::{Class, Collector, Finalizers, Heap, Layout, Mutator, Root, Shared};

use crate::laws::{
    expect_held_garbage, finalizes, heap, on_a_small_stack, reclaims_acyclic, reclaims_everything,
    settle, stressed_heap,
};

/// What finalizers write down.
type Log = Arc<Mutex<Vec<u64>>>;

/// Takes what has been written down, in ascending order.
fn take(log: &Log) -> Vec<u64> {
    let mut entries = std::mem::take(&mut *log.lock().unwrap());
    entries.sort_unstable();
    entries
}

/// A class of two slots and a word, whose finalizer writes the word down.
fn logged<C: Collector>(heap: &Heap<C>, log: &Log) -> Class<C> {
    let log = Arc::clone(log);
    let layout = Layout::new("Logged").slots(2).words(1);
    heap.class(layout.finalizer(move |object| log.lock().unwrap().push(object.word(0))))
}

fn numbered<'m, C: Collector>(
    mutator: &'m Mutator<C>,
    class: &Class<C>,
    number: u64,
) -> Root<'m, C> {
    let object = mutator.alloc(class).unwrap();
    object.set_word(0, number);
    object
}

laws! {
    fn a_finalizer_runs_once_for_each_object<C>() {
        let log = Log::default();
        let heap = heap::<C>();
        let class = logged(&heap, &log);
        let mutator = heap.attach();
        let kept = numbered(&mutator, &class, 1_000);
        for number in 0..1_000 {
            drop(numbered(&mutator, &class, number));
        }
        settle(&mutator);
        mutator.check();
        let expected = if finalizes::<C>() { (0..1_000).collect() } else { Vec::new() };
        assert_eq!(take(&log), expected);
        drop(kept);
        settle(&mutator);
        settle(&mutator);
        mutator.check();
        let expected = if finalizes::<C>() { vec![1_000] } else { Vec::new() };
        assert_eq!(take(&log), expected);
        expect_held_garbage(&heap, 1_001, 0);
        let runs = if finalizes::<C>() { 1_001 } else { 0 };
        assert_eq!(heap.statistics().finalizers_run, runs);
        assert_eq!(heap.statistics().finalizers_panicked, 0);
    }

    fn immediate_finalizers_run_where_the_last_reference_goes<C>() {
        if C::CAPABILITIES.finalizers != Finalizers::Immediate {
            return;
        }
        let log = Log::default();
        let heap = heap::<C>();
        let class = logged(&heap, &log);
        let mutator = heap.attach();
        let owner = numbered(&mutator, &class, 0);
        for number in 1..5 {
            owner.set(0, Some(&numbered(&mutator, &class, number)));
        }
        assert_eq!(take(&log), [1, 2, 3]);
        let last = owner.swap(0, None);
        assert_eq!(take(&log), []);
        drop(last);
        assert_eq!(take(&log), [4]);
        drop(owner);
        assert_eq!(take(&log), [0]);
    }

    fn finalizers_of_cycles_run_when_the_cycle_is_found<C>() {
        let log = Log::default();
        let heap = heap::<C>();
        let class = logged(&heap, &log);
        let mutator = heap.attach();
        for number in 0..100 {
            let [one, two] = [2 * number, 2 * number + 1].map(|n| numbered(&mutator, &class, n));
            one.set(0, Some(&two));
            two.set(0, Some(&one));
            one.set(1, Some(&one));
        }
        settle(&mutator);
        mutator.check();
        let expected = if reclaims_everything::<C>() { (0..200).collect() } else { Vec::new() };
        assert_eq!(take(&log), expected);
        expect_held_garbage(&heap, 200, 200);
    }

    fn a_collection_that_was_asked_for_frees_what_it_finalized<C>() {
        if !reclaims_everything::<C>() {
            return;
        }
        let log = Log::default();
        let heap = heap::<C>();
        let class = logged(&heap, &log);
        let mutator = heap.attach();
        let node = numbered(&mutator, &class, 0);
        node.set(0, Some(&node));
        drop(node);
        assert_eq!(mutator.collect().freed, 1);
        assert_eq!(heap.statistics().held().objects, 0);
    }

    fn a_finalizer_sees_its_neighbours_intact<C>() {
        let seen = Arc::new(AtomicU64::new(0));
        let heap = heap::<C>();
        let leaf = heap.class(Layout::new("Leaf").words(1));
        let sum = Arc::clone(&seen);
        let layout = Layout::new("Owner").slots(2).words(1).finalizer(move |object| {
            let other = object.get(0).expect("its neighbour is there");
            let leaf = other.get(1).expect("its neighbour's leaf is there");
            sum.fetch_add(other.word(0) + leaf.word(0), Relaxed);
        });
        let class = heap.class(layout);
        let mutator = heap.attach();
        for _ in 0..10 {
            let ring: Vec<_> = (0..10).map(|_| numbered(&mutator, &class, 1)).collect();
            for (index, object) in ring.iter().enumerate() {
                object.set(0, Some(&ring[(index + 1) % 10]));
                object.set(1, Some(&numbered(&mutator, &leaf, 100)));
            }
        }
        settle(&mutator);
        mutator.check();
        let expected = if reclaims_everything::<C>() { 100 * 101 } else { 0 };
        assert_eq!(seen.load(Relaxed), expected);
        expect_held_garbage(&heap, 200, 200);
    }

    fn a_finalizer_may_allocate_and_store<C>() {
        let log = Log::default();
        let heap = heap::<C>();
        let inner = logged(&heap, &log);
        let class = inner.clone();
        let outer = heap.class(Layout::new("Outer").slots(1).words(1).finalizer(move |object| {
            let heap_full = "the heap has no limit";
            let held = object.mutator().alloc(&class).expect(heap_full);
            held.set_word(0, 2 * object.word(0));
            object.set(0, Some(&held));
            let dropped = object.mutator().alloc(&class).expect(heap_full);
            dropped.set_word(0, 2 * object.word(0) + 1);
        }));
        let mutator = heap.attach();
        for number in 0..1_000 {
            let object = numbered(&mutator, &outer, number);
            if number % 2 == 1 {
                object.set(0, Some(&object));
            }
        }
        settle(&mutator);
        mutator.check();
        match () {
            () if reclaims_everything::<C>() => assert_eq!(take(&log), (0..2_000).collect::<Vec<_>>()),
            () if finalizes::<C>() => assert_eq!(take(&log).len(), 1_000),
            () => assert_eq!(take(&log), []),
        }
        if reclaims_everything::<C>() {
            assert_eq!(heap.statistics().held().objects, 0);
        }
    }

    fn a_finalizer_may_bring_its_object_back_once<C>() {
        if !C::CAPABILITIES.resurrects {
            return;
        }
        let haven: Arc<Mutex<Vec<Shared<C>>>> = Arc::default();
        let heap = heap::<C>();
        let rescue = Arc::clone(&haven);
        let layout = Layout::new("Phoenix").slots(2).words(1);
        let class = heap.class(layout.finalizer(move |object| rescue.lock().unwrap().push(object.share())));
        let mutator = heap.attach();
        for number in 0..10 {
            let object = numbered(&mutator, &class, number);
            object.set(0, Some(&numbered(&mutator, &class, 100 + number)));
        }
        settle(&mutator);
        mutator.check();
        assert_eq!(heap.statistics().held().objects, 20);
        let mut back = std::mem::take(&mut *haven.lock().unwrap());
        let mut numbers: Vec<u64> = back.iter().map(|shared| mutator.adopt(shared).word(0)).collect();
        numbers.sort_unstable();
        assert!(numbers.iter().filter(|&&number| number < 100).eq(&(0..10).collect::<Vec<_>>()));
        for object in back.iter().map(|shared| mutator.adopt(shared)).filter(|o| o.word(0) < 100) {
            assert_eq!(object.get(0).unwrap().word(0), 100 + object.word(0));
        }
        back.clear();
        settle(&mutator);
        mutator.check();
        // Those that died only now have not been finalized before.
        haven.lock().unwrap().clear();
        settle(&mutator);
        mutator.check();
        assert_eq!(heap.statistics().finalizers_run, 20);
        assert_eq!(heap.statistics().held().objects, 0);
        assert!(haven.lock().unwrap().is_empty(), "a finalizer ran twice");
    }

    fn a_cycle_brought_back_by_a_finalizer_is_whole<C>() {
        if !reclaims_everything::<C>() {
            return;
        }
        let haven: Arc<Mutex<Vec<Shared<C>>>> = Arc::default();
        let heap = heap::<C>();
        let plain = heap.class(Layout::new("Plain").slots(2).words(1));
        let rescue = Arc::clone(&haven);
        let layout = Layout::new("Phoenix").slots(2).words(1);
        let class = heap.class(layout.finalizer(move |object| rescue.lock().unwrap().push(object.share())));
        let mutator = heap.attach();
        let phoenix = numbered(&mutator, &class, 0);
        let mut last = phoenix.clone();
        for number in 1..100 {
            let next = numbered(&mutator, &plain, number);
            last.set(0, Some(&next));
            last = next;
        }
        last.set(0, Some(&phoenix));
        drop((phoenix, last));
        settle(&mutator);
        mutator.check();
        assert_eq!(heap.statistics().held().objects, 100);
        let start = mutator.adopt(&haven.lock().unwrap()[0]);
        let mut current = start.clone();
        for number in 0..100 {
            assert_eq!(current.word(0), number);
            current = current.get(0).unwrap();
        }
        assert!(current.same(&start));
        drop((start, current));
        haven.lock().unwrap().clear();
        settle(&mutator);
        mutator.check();
        assert_eq!(heap.statistics().held().objects, 0);
    }

    fn finalizers_may_collect<C>() {
        let heap = heap::<C>();
        let log = Log::default();
        let inner = logged(&heap, &log);
        let layout = Layout::new("Collects").slots(1).words(1);
        let class = heap.class(layout.finalizer(|object| {
            object.mutator().collect();
            object.mutator().safepoint();
        }));
        let mutator = heap.attach();
        for number in 0..20 {
            let object = numbered(&mutator, &class, number);
            let held = numbered(&mutator, &inner, number);
            object.set(0, Some(&held));
            held.set(0, Some(&object));
        }
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 40, 40);
        let expected = if reclaims_everything::<C>() { (0..20).collect() } else { Vec::new() };
        assert_eq!(take(&log), expected);
    }

    fn a_collection_leaves_alone_what_is_being_destroyed<C>() {
        let rescued: Arc<Mutex<Option<Shared<C>>>> = Arc::default();
        let saved = Arc::clone(&rescued);
        let heap = heap::<C>();
        let parent = heap.class(Layout::new("Parent").slots(2));
        let rescuing = heap.class(Layout::new("Rescued").slots(1).finalizer(move |object| {
            *saved.lock().unwrap() = Some(object.share());
        }));
        let collecting = heap.class(Layout::new("Collecting").slots(1).finalizer(|object| {
            object.mutator().collect();
        }));
        let mutator = heap.attach();
        drop(mutator.alloc(&rescuing).unwrap());
        settle(&mutator);
        let Some(shared) = rescued.lock().unwrap().take() else { return };
        // One that has been finalized already dies together with one whose finalizer collects, and has to wait for it.
        let owner = mutator.alloc(&parent).unwrap();
        owner.set(0, Some(&mutator.alloc(&collecting).unwrap()));
        owner.set(1, Some(&mutator.adopt(&shared)));
        drop(shared);
        mutator.safepoint();
        drop(owner);
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 3, 0);
    }

    fn a_chain_of_a_million_finalizers_does_not_overflow_the_stack<C>() {
        on_a_small_stack(|| {
            let heap = heap::<C>();
            let layout = Layout::new("Link").slots(1).words(1);
            let class = heap.class(layout.finalizer(|object| drop(object.swap(0, None))));
            let mutator = heap.attach();
            let mut chain = mutator.alloc(&class).unwrap();
            for _ in 1..1_000_000 {
                let next = mutator.alloc(&class).unwrap();
                next.set(0, Some(&chain));
                chain = next;
            }
            drop(chain);
            settle(&mutator);
            expect_held_garbage(&heap, 1_000_000, 0);
            let runs = if finalizes::<C>() { 1_000_000 } else { 0 };
            assert_eq!(heap.statistics().finalizers_run, runs);
        });
    }

    fn finalizers_run_while_a_thread_unwinds<C>() {
        if !finalizes::<C>() {
            return;
        }
        let log = Log::default();
        let heap = heap::<C>();
        let class = logged(&heap, &log);
        let panic = crate::laws::panic_of(|| {
            let mutator = heap.attach();
            let _kept = numbered(&mutator, &class, 1);
            let _other = numbered(&mutator, &class, 2);
            panic!("on purpose");
        });
        assert_eq!(panic, "on purpose");
        settle(&heap.attach());
        heap.check();
        assert_eq!(take(&log), [1, 2]);
        expect_held_garbage(&heap, 2, 0);
    }

    fn the_last_mutator_runs_the_finalizers_that_wait<C>() {
        let log = Log::default();
        let heap = heap::<C>();
        let class = logged(&heap, &log);
        heap.threads(4, |mutator, index| {
            for number in 0..100 {
                let object = numbered(mutator, &class, 100 * index as u64 + number);
                object.set(0, Some(&object));
            }
            mutator.collect();
        });
        heap.check();
        settle(&heap.attach());
        let expected = if reclaims_everything::<C>() { (0..400).collect() } else { Vec::new() };
        assert_eq!(take(&log), expected);
        expect_held_garbage(&heap, 400, 400);
    }

    fn finalizers_run_once_with_collections_everywhere<C>() {
        let log = Log::default();
        let heap = stressed_heap::<C>(3);
        let class = logged(&heap, &log);
        heap.threads(3, |mutator, index| {
            let mut kept = Vec::new();
            for number in 0..60 {
                let object = numbered(mutator, &class, 100 * index as u64 + number);
                object.set((number % 2) as usize, kept.last());
                kept.push(object);
                if number % 5 == 4 {
                    kept.clear();
                }
            }
        });
        heap.check();
        settle(&heap.attach());
        let all = (0..3).flat_map(|index| (0..60).map(move |number| 100 * index + number));
        let expected = if finalizes::<C>() { all.collect() } else { Vec::new() };
        assert_eq!(take(&log), expected);
        expect_held_garbage(&heap, 180, 0);
    }

    fn dropping_a_heap_runs_no_finalizer<C>() {
        let log = Log::default();
        let heap = heap::<C>();
        let class = logged(&heap, &log);
        let mutator = heap.attach();
        let shared = numbered(&mutator, &class, 1).share();
        drop((mutator, class, heap));
        drop(shared);
        assert_eq!(take(&log), []);
    }

    fn memory_is_not_used_again_before_the_finalizer_has_run<C>() {
        let wrong = Arc::new(OnceLock::new());
        let heap = heap::<C>();
        let report = Arc::clone(&wrong);
        let layout = Layout::new("Sealed").slots(1).words(2).finalizer(move |object| {
            if object.word(1) != !object.word(0) {
                let _ = report.set((object.word(0), object.word(1)));
            }
        });
        let class = heap.class(layout);
        let mutator = heap.attach();
        for number in 0..200_000 {
            let object = numbered(&mutator, &class, number);
            object.set_word(1, !number);
            if number % 3 == 0 {
                object.set(0, Some(&object));
            }
        }
        settle(&mutator);
        assert_eq!(wrong.get(), None, "the words of an object that was finalized too late");
        if reclaims_acyclic::<C>() {
            assert!(heap.statistics().finalizers_run > 100_000);
        }
    }
}
