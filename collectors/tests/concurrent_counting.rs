//! What `concurrent-counting` promises beyond the laws: it frees at once, never stops the world, and bounds what floats.

use std::sync::{Arc, Mutex};

use collectors::{
    Cause, Event, Heap, Layout, Observer, Options,
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

fn heap(batch: u32, options: Options) -> Heap<ConcurrentCounting> {
    let settings = ConcurrentCountingSettings { batch, ..Default::default() };
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
    let batch = 100;
    let heap = heap(batch, Options::default());
    let class = heap.class(Layout::new("Node").slots(1).words(1));
    let mutator = heap.attach();
    // Of the bound that the collector states: nothing is alive, and a look at 12 ns an object fits into 50 us.
    let (allowed, largest) = (16 * u64::from(batch), 50_000 / 12 / 2);
    let bound = 16 * allowed + 4 * largest;
    let mut most = 0;
    for _ in 0..100_000 {
        let node = mutator.alloc(&class).unwrap();
        node.set(0, Some(&node));
        drop(node);
        most = most.max(heap.statistics().held().objects);
    }
    assert!(most <= bound, "{most} objects held, of which none is alive; the bound is {bound}");
}

#[test]
fn young_cycles_are_freed_by_the_mutator_that_made_them() {
    let heap = heap(100, Options::default());
    let class = heap.class(Layout::new("Node").slots(1));
    let mutator = heap.attach();
    let kept = mutator.alloc(&class).unwrap();
    for _ in 0..10 {
        let node = mutator.alloc(&class).unwrap();
        node.set(0, Some(&node));
    }
    let held = mutator.alloc(&class).unwrap();
    kept.set(0, Some(&held));
    held.set(0, Some(&kept));
    drop(held);
    assert_eq!(mutator.collect_generation(0).freed, 10);
    assert_eq!(heap.statistics().held().objects, 2, "what is held is kept, and what it refers to");
    mutator.check();
}

#[test]
fn a_release_of_much_is_cut_into_slices_and_ends_with_the_next_allocations() {
    const NODES: u64 = 100_000;
    let cascades = Arc::new(Cascades::default());
    let observer: Arc<dyn Observer> = Arc::clone(&cascades) as _;
    let heap = heap(1_000, Options { observer: Some(observer), ..Options::default() });
    let class = heap.class(Layout::new("Node").slots(1));
    let mutator = heap.attach();
    let mut list = mutator.alloc(&class).unwrap();
    for _ in 1..NODES {
        let node = mutator.alloc(&class).unwrap();
        node.set(0, Some(&list));
        list = node;
    }
    drop(list);
    let left = heap.statistics().held().objects;
    assert!(left > 0 && left < NODES, "{left} of {NODES} are left");
    // Every allocation destroys eight, itself not counted.
    for _ in 0..left / 8 + 1 {
        drop(mutator.alloc(&class).unwrap());
    }
    assert_eq!(heap.statistics().held().objects, 0);
    let longest = *cascades.0.lock().unwrap();
    assert!((1..=2_500).contains(&longest), "{longest} objects are destroyed in one go");
}

#[test]
fn what_is_left_of_a_release_ends_with_its_mutator() {
    let heap = heap(1_000, Options::default());
    let class = heap.class(Layout::new("Node").slots(1));
    {
        let mutator = heap.attach();
        let mut list = mutator.alloc(&class).unwrap();
        for _ in 0..50_000 {
            let node = mutator.alloc(&class).unwrap();
            node.set(0, Some(&list));
            list = node;
        }
    }
    assert_eq!(heap.statistics().held().objects, 0);
}

#[test]
fn a_wide_object_that_lies_where_a_large_one_could_is_freed_as_well() {
    let heap = heap(100, Options::default());
    let class = heap.class(Layout::new("Wide"));
    let mutator = heap.attach();
    let alloc = || mutator.alloc_with(&class, 300).unwrap();
    // A ring over more than one chunk of 4 MiB, the first cell of which is where large objects lie in theirs.
    let (first, mut last) = (alloc(), alloc());
    first.set(0, Some(&last));
    for _ in 0..4_000 {
        let next = alloc();
        last.set(0, Some(&next));
        last = next;
    }
    last.set(0, Some(&first));
    mutator.collect();
    drop((first, last));
    mutator.collect();
    assert_eq!(heap.statistics().held().objects, 0);
}

/// The most objects that were destroyed in one go, as far as that was clocked.
#[derive(Default)]
struct Cascades(Mutex<u64>);

impl Observer for Cascades {
    fn event(&self, _: usize, event: Event) {
        if let Event::PauseEnded { cause: Cause::Cascade, objects, .. } = event {
            let mut longest = self.0.lock().unwrap();
            *longest = (*longest).max(objects);
        }
    }
}
