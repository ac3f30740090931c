//! Stops of the world: `blocked`, detaching, time limits, and what a panic leaves behind.

use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use collectors::{Event, Layout, Observer, Options};

use crate::laws::{
    expect_held_garbage, heap, heap_with, message_of, panic_of, reclaims_everything, settle,
};

laws! {
    fn a_mutator_that_waits_in_blocked_stops_nobody<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let (ready, is_ready) = mpsc::channel();
        let (done, is_done) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let (heap, class) = (&heap, &class);
            scope.spawn(move || {
                let mutator = heap.attach();
                let kept = mutator.alloc(class).unwrap();
                kept.set_word(0, 9);
                ready.send(()).unwrap();
                mutator.blocked(move || is_done.recv().unwrap());
                assert_eq!(kept.word(0), 9);
            });
            let mutator = heap.attach();
            mutator.blocked(move || is_ready.recv().unwrap());
            let ring = mutator.alloc(class).unwrap();
            ring.set(0, Some(&ring));
            drop(ring);
            settle(&mutator);
            mutator.check();
            if reclaims_everything::<C>() {
                assert_eq!(heap.statistics().held().objects, 1);
            }
            done.send(()).unwrap();
        });
        heap.check();
    }

    fn blocked_gives_what_its_closure_gives<C>() {
        let heap = heap::<C>();
        let mutator = heap.attach();
        assert_eq!(mutator.blocked(|| 17), 17);
        assert_eq!(panic_of(|| mutator.blocked(|| -> u64 { panic!("within") })), "within");
        mutator.check();
    }

    fn a_mutator_can_wait_for_threads_of_its_own<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let mutator = heap.attach();
        let kept = mutator.alloc(&class).unwrap();
        let shared = kept.share();
        let sums = mutator.threads(4, |mutator, index| {
            let kept = mutator.adopt(&shared);
            for _ in 0..100 {
                let node = mutator.alloc(&class).unwrap();
                node.set(0, Some(&kept));
            }
            mutator.collect();
            kept.slots() + index
        });
        assert_eq!(sums, [1, 2, 3, 4]);
        drop((kept, shared));
        settle(&mutator);
        expect_held_garbage(&heap, 401, 0);
    }

    fn mutators_come_and_go_while_others_collect<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_over.load(Relaxed) {
                        let mutator = heap.attach();
                        let node = mutator.alloc(&class).unwrap();
                        node.set(0, Some(&node));
                        mutator.safepoint();
                    }
                });
            }
            let mutator = heap.attach();
            for _ in 0..300 {
                mutator.collect();
                mutator.safepoint();
            }
            is_over.store(true, Relaxed);
        });
        let mutator = heap.attach();
        settle(&mutator);
        mutator.check();
        let all = heap.statistics().allocated.objects;
        expect_held_garbage(&heap, all, all);
    }

    fn threads_may_be_more_than_processors<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let barrier = Barrier::new(24);
        heap.threads(24, |mutator, _| {
            mutator.blocked(|| barrier.wait());
            for _ in 0..20 {
                for _ in 0..50 {
                    let node = mutator.alloc(&class).unwrap();
                    node.set(0, Some(&node));
                }
                mutator.collect_generation(0);
            }
        });
        let mutator = heap.attach();
        settle(&mutator);
        mutator.check();
        expect_held_garbage(&heap, 24_000, 24_000);
    }

    fn a_stop_that_is_not_answered_names_the_mutator<C>() {
        let stop_timeout = Duration::from_millis(100);
        let heap = heap_with::<C>(Options { stop_timeout, ..Options::default() });
        let (ready, is_ready) = mpsc::channel();
        let (done, is_done) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let heap = &heap;
            let collecting = scope.spawn(move || {
                let mutator = heap.attach();
                ready.send(()).unwrap();
                // Neither a safepoint nor `blocked`: the mistake that the time limit is for.
                is_done.recv().unwrap();
                panic_of(|| mutator.check())
            });
            let mutator = heap.attach();
            mutator.blocked(move || is_ready.recv().unwrap());
            let panic = panic_of(|| mutator.check());
            // A thread of the collector's own has a number too.
            let is_named = |number| panic.starts_with(&format!("mutator {number} did not reach a safepoint"));
            assert!((0..3).any(is_named), "{panic}");
            assert!(panic.contains("`blocked` around whatever waits"), "{panic}");
            done.send(()).unwrap();
            let panic = collecting.join().unwrap();
            assert!(panic.contains("the heap is poisoned"), "{panic}");
        });
    }

    fn a_panic_in_one_thread_leaves_the_others_alone<C>() {
        let heap = heap::<C>();
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let panic = panic_of(|| heap.threads(3, |mutator, index| {
            let kept = mutator.alloc(&class).unwrap();
            for round in 0..1_000 {
                let node = mutator.alloc(&class).unwrap();
                node.set(0, Some(&kept));
                assert!(index != 1 || round != 500, "thread 1 gives up");
                if round % 100 == 0 {
                    mutator.collect();
                }
            }
        }));
        assert_eq!(panic, "thread 1 gives up");
        let mutator = heap.attach();
        settle(&mutator);
        mutator.check();
        let all = heap.statistics().allocated.objects;
        expect_held_garbage(&heap, all, 0);
    }

    fn a_panic_in_a_collection_releases_the_others_and_poisons_the_heap<C>() {
        if C::CAPABILITIES.generations == 0 {
            return;
        }
        let observer: Arc<dyn Observer> = Arc::new(Bomb(Mutex::new(false)));
        let heap = heap_with::<C>(Options { observer: Some(observer), ..Options::default() });
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let barrier = Barrier::new(3);
        let work = || -> () {
            let mutator = heap.attach();
            let kept = mutator.alloc(&class).unwrap();
            let shared = kept.share();
            mutator.blocked(|| barrier.wait());
            loop {
                let node = mutator.alloc(&class).unwrap();
                node.set(0, Some(&kept));
                mutator.collect();
                drop(mutator.adopt(&shared));
            }
        };
        let panics: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| message_of(thread.join().unwrap_err())).collect()
        });
        // It is a mutator that panics, or a thread of the collector's own.
        let collecting = panics.iter().filter(|panic| *panic == "the bomb").count();
        assert!(collecting <= 1, "{panics:?}");
        let is_released = |panic: &&String| panic.contains("the heap is poisoned");
        assert_eq!(panics.iter().filter(is_released).count(), 3 - collecting, "{panics:?}");
        // The heap can still be dropped, and be asked what it did.
        assert!(heap.statistics().allocated.objects >= 4);
    }
}

/// An observer that panics in the first collection: once the world has stopped, or once it has ended beside a running
/// one.
struct Bomb(Mutex<bool>);

impl Observer for Bomb {
    fn event(&self, _: usize, event: Event) {
        let mut is_over = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_collecting =
            matches!(event, Event::TimeToStop { requested: false } | Event::Collection { .. });
        if is_collecting && !*is_over {
            *is_over = true;
            drop(is_over);
            panic!("the bomb");
        }
    }
}
