//! What `concurrent-counting` promises beyond the laws: it frees at once, never stops the world, and bounds what floats.

use std::sync::{Arc, Mutex};

use collectors::{
    Event, Heap, Layout, Observer, Options,
    concurrent_counting::{ConcurrentCounting, ConcurrentCountingSettings},
};

/// Counts what must not happen.
#[derive(Default)]
struct Stops(Mutex<u64>);

impl Observer for Stops {
    fn event(&self, _: usize, event: Event) {
        *self.0.lock().unwrap() += u64::from(matches!(event, Event::TimeToStop { .. }));
    }
}

fn heap(least_batch: u32, options: Options) -> Heap<ConcurrentCounting> {
    let settings = ConcurrentCountingSettings { least_batch, ..Default::default() };
    Heap::new(settings, options).unwrap()
}

#[test]
fn what_loses_its_last_reference_is_finalized_and_freed_at_once() {
    let heap = heap(2_000, Options::default());
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    let layout = Layout::new("Node").slots(1).words(1);
    let class = heap.class(layout.finalizer(move |node| seen.lock().unwrap().push(node.word(0))));
    let mutator = heap.attach();
    let owner = mutator.alloc(&class).unwrap();
    for number in 1..4 {
        let node = mutator.alloc(&class).unwrap();
        node.set_word(0, number);
        owner.set(0, Some(&node));
    }
    assert_eq!(*log.lock().unwrap(), [1, 2]);
    assert_eq!(heap.statistics().held().objects, 2);
    drop(owner);
    assert_eq!(*log.lock().unwrap(), [1, 2, 0, 3]);
    assert_eq!(heap.statistics().held().objects, 0);
}

#[test]
fn cycles_are_freed_without_a_stop_of_the_world() {
    let stops = Arc::new(Stops::default());
    let observer: Arc<dyn Observer> = Arc::clone(&stops) as _;
    let heap = heap(100, Options { observer: Some(observer), ..Options::default() });
    let class = heap.class(Layout::new("Node").slots(2).words(1));
    heap.threads(2, |mutator, _| {
        for _ in 0..50_000 {
            let [one, two] = [(); 2].map(|()| mutator.alloc(&class).unwrap());
            one.set(0, Some(&two));
            two.set(0, Some(&one));
        }
        mutator.collect();
    });
    assert_eq!(*stops.0.lock().unwrap(), 0, "requests to stop the world");
    assert_eq!(heap.statistics().held().objects, 0);
}

#[test]
fn garbage_stays_within_its_bound() {
    let least = 100;
    let heap = heap(least, Options::default());
    let class = heap.class(Layout::new("Node").slots(1).words(1));
    let mutator = heap.attach();
    // Of the bound that the collector states, with one mutator and nothing alive.
    let (batch, backlog) = (4 * u64::from(least), 4);
    let bound = 8 * u64::from(least) + (backlog + 2) * batch;
    let mut most = 0;
    for _ in 0..100_000 {
        let node = mutator.alloc(&class).unwrap();
        node.set(0, Some(&node));
        drop(node);
        most = most.max(heap.statistics().held().objects);
    }
    // What was handed over while the last full cycle ran is part of what it left.
    assert!(most <= 2 * bound, "{most} objects held, of which none is alive; the bound is {bound}");
}
