//! What `generational` shares with CPython 3.11: when it collects, what it frees, and what finalizers see.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use collectors::{
    Class, Event, Heap, Layout, Mutator, Observer, Options, Root, Shared,
    generational::Generational,
    triggers::{Fixed, FixedSettings},
};

type CPython = Generational<Fixed>;

/// Notes each collection: its generation, and how many allocations had been asked for.
#[derive(Default)]
struct Notes {
    allocations: AtomicU64,
    collections: Mutex<Vec<(u8, u64)>>,
}

impl Observer for Notes {
    fn event(&self, _: usize, event: Event) {
        if let Event::Collection { generation, .. } = event {
            self.collections.lock().unwrap().push((generation, self.allocations.load(Relaxed)));
        }
    }
}

fn heap(thresholds: [u32; 3], observer: Option<Arc<dyn Observer>>) -> Heap<CPython> {
    Heap::new(FixedSettings { thresholds }, Options { observer, ..Options::default() }).unwrap()
}

/// What is collected when `allocations` objects are made and none dies: the rules of CPython's `gc_select_generation`
/// and `gc_collect_main`, written down a second time.
fn expected(thresholds: [u32; 3], allocations: u64) -> Vec<(u8, u64)> {
    let (mut count, mut sizes) = ([0_u64; 3], [0_u64; 3]);
    let (mut total, mut pending) = (0, 0);
    let mut collections = Vec::new();
    for allocation in 1..=allocations {
        count[0] += 1;
        if count[0] > u64::from(thresholds[0]) {
            let due = |&generation: &usize| {
                count[generation] > u64::from(thresholds[generation])
                    && (generation < 2 || pending >= total / 4)
            };
            let generation = [2, 1, 0].into_iter().find(due).unwrap();
            collections.push((generation as u8, allocation));
            if generation < 2 {
                count[generation + 1] += 1;
            }
            count[..=generation].fill(0);
            let moved: u64 = sizes[..=generation].iter().sum();
            sizes[..=generation].fill(0);
            sizes[(generation + 1).min(2)] += moved;
            match generation {
                1 => pending += moved,
                2 => (total, pending) = (moved, 0),
                _ => {}
            }
        }
        // The new object is linked after the collection that it triggered.
        sizes[0] += 1;
    }
    collections
}

#[test]
fn collections_happen_at_cpythons_allocations() {
    let triples = [
        [700, 10, 10],
        [50, 2, 2],
        [100, 1, 5],
        [70, 0, 3],
        [64, 3, 0],
        [10, 10, 10],
        [300, 5, 1],
        [1, 1, 1],
    ];
    for thresholds in triples {
        let notes = Arc::new(Notes::default());
        let heap = heap(thresholds, Some(Arc::clone(&notes) as Arc<dyn Observer>));
        let class = heap.class(Layout::new("Node").slots(1));
        let text = heap.class(Layout::new("Text").words(1).acyclic());
        let mutator = heap.attach();
        let mut kept = Vec::new();
        let allocations = 20_000;
        for allocation in 1..=allocations {
            notes.allocations.store(allocation, Relaxed);
            kept.push(mutator.alloc(&class).unwrap());
            // Objects that cannot be part of a cycle do not count.
            kept.push(mutator.alloc(&text).unwrap());
        }
        assert_eq!(
            *notes.collections.lock().unwrap(),
            expected(thresholds, allocations),
            "{thresholds:?}"
        );
    }
}

#[test]
fn frees_count_against_allocations_and_never_below_nothing() {
    let notes = Arc::new(Notes::default());
    let heap = heap([700, 10, 10], Some(Arc::clone(&notes) as Arc<dyn Observer>));
    let class = heap.class(Layout::new("Node").slots(1));
    let mutator = heap.attach();
    for _ in 0..10_000 {
        drop(mutator.alloc(&class).unwrap());
    }
    let kept: Vec<_> = (0..700).map(|_| mutator.alloc(&class).unwrap()).collect();
    assert!(
        notes.collections.lock().unwrap().is_empty(),
        "700 objects do not exceed the threshold"
    );
    let _one_more = mutator.alloc(&class).unwrap();
    assert_eq!(notes.collections.lock().unwrap().len(), 1);
    drop(kept);
}

/// A node with a partner and a helper's slots, whose finalizer does what a test wants.
struct Scene {
    heap: Heap<CPython>,
    seen: Arc<Mutex<Vec<u64>>>,
}

impl Scene {
    /// Automatic collection is off.
    fn new() -> Self {
        Self { heap: heap([0, 10, 10], None), seen: Arc::new(Mutex::new(Vec::new())) }
    }

    /// A class whose finalizer notes the object's number, then runs `then`.
    fn class(
        &self,
        then: impl for<'m> Fn(&Root<'m, CPython>) + Send + Sync + 'static,
    ) -> Class<CPython> {
        let seen = Arc::clone(&self.seen);
        let finalizer = move |object: &Root<'_, CPython>| {
            seen.lock().unwrap().push(object.word(0));
            then(object);
        };
        self.heap.class(Layout::new("Node").slots(2).words(1).finalizer(finalizer))
    }

    fn seen(&self) -> Vec<u64> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn held(&self) -> u64 {
        self.heap.statistics().held().objects
    }
}

fn node<'m>(
    mutator: &'m Mutator<CPython>,
    class: &Class<CPython>,
    number: u64,
) -> Root<'m, CPython> {
    let node = mutator.alloc(class).unwrap();
    node.set_word(0, number);
    node
}

/// A ring of nodes numbered from 1.
fn ring(mutator: &Mutator<CPython>, class: &Class<CPython>, size: u64) {
    let nodes: Vec<_> = (1..=size).map(|number| node(mutator, class, number)).collect();
    for (index, node) in nodes.iter().enumerate() {
        node.set(0, Some(&nodes[(index + 1) % nodes.len()]));
    }
}

#[test]
fn a_collection_finds_the_two_people_who_know_each_other() {
    let scene = Scene::new();
    let class = scene.class(|_| {});
    let mutator = scene.heap.attach();
    ring(&mutator, &class, 2);
    assert_eq!((scene.held(), scene.seen()), (2, vec![]), "counting alone leaks them");
    assert_eq!(mutator.collect().freed, 2);
    assert_eq!((scene.held(), scene.seen()), (0, vec![1, 2]));
    mutator.check();
}

#[test]
fn finalizers_of_a_cycle_see_their_neighbours_intact() {
    let scene = Scene::new();
    let class = scene.class(|object| {
        let neighbour = object.get(0).expect("nothing is cleared before all finalizers have run");
        assert_ne!(neighbour.word(0), 0);
    });
    let mutator = scene.heap.attach();
    ring(&mutator, &class, 5);
    assert_eq!(mutator.collect().freed, 5);
    assert_eq!(scene.heap.statistics().finalizers_panicked, 0);
    assert_eq!(scene.seen().len(), 5);
}

#[test]
fn objects_whose_cycle_a_finalizer_breaks_are_not_counted() {
    let scene = Scene::new();
    let class = scene.class(|object| object.set(0, None));
    let mutator = scene.heap.attach();
    ring(&mutator, &class, 3);
    assert_eq!(mutator.collect().freed, 0, "each dies of its count, as in CPython");
    assert_eq!(scene.held(), 0);
    let mut seen = scene.seen();
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3], "each finalizer runs once");
    mutator.check();
}

#[test]
fn what_a_finalizer_brings_back_stays_with_all_that_it_reaches() {
    let scene = Scene::new();
    let rescued: Arc<Mutex<Option<Shared<CPython>>>> = Arc::default();
    let saved = Arc::clone(&rescued);
    let class = scene.class(move |object| {
        if object.word(0) == 1 {
            *saved.lock().unwrap() = Some(object.share());
        }
    });
    let mutator = scene.heap.attach();
    ring(&mutator, &class, 4);
    ring(&mutator, &scene.class(|_| {}), 2);
    assert_eq!(mutator.collect().freed, 2, "one ring is brought back");
    assert_eq!(scene.held(), 4);
    mutator.check();
    scene.seen();

    let root = mutator.adopt(rescued.lock().unwrap().as_ref().unwrap());
    assert_eq!(root.word(0), 1);
    assert_eq!(root.get(0).unwrap().word(0), 2);
    *rescued.lock().unwrap() = None;
    drop(root);
    assert_eq!(mutator.collect().freed, 4, "the second time nothing is asked");
    assert_eq!((scene.held(), scene.seen()), (0, vec![]));
    mutator.check();
}

#[test]
fn what_is_finalized_on_its_way_down_and_brought_back_is_not_finalized_in_its_turn() {
    let scene = Scene::new();
    let rescued: Arc<Mutex<Option<Shared<CPython>>>> = Arc::default();
    let saved = Arc::clone(&rescued);
    let class = scene.class(move |object| match object.word(0) {
        // The last reference to the third: it is finalized here and now, long before its turn.
        1 => object.set(1, None),
        3 => *saved.lock().unwrap() = Some(object.share()),
        _ => {}
    });
    let mutator = scene.heap.attach();
    let [first, second, third] = [1, 2, 3].map(|number| node(&mutator, &class, number));
    first.set(0, Some(&second));
    second.set(0, Some(&first));
    first.set(1, Some(&third));
    drop((first, second, third));
    assert_eq!(mutator.collect().freed, 2);
    assert_eq!((scene.held(), scene.seen()), (1, vec![1, 3, 2]), "each finalizer runs once");
    mutator.check();
    drop(rescued.lock().unwrap().take());
    mutator.collect();
    assert_eq!((scene.held(), scene.seen()), (0, vec![]));
}

#[test]
fn old_garbage_keeps_young_garbage_until_its_own_generation_is_collected() {
    let scene = Scene::new();
    let class = scene.heap.class(Layout::new("Node").slots(2).words(1));
    let mutator = scene.heap.attach();
    let old = node(&mutator, &class, 1);
    old.set(0, Some(&old));
    assert_eq!(mutator.collect().freed, 0);
    let young = node(&mutator, &class, 2);
    young.set(0, Some(&young));
    old.set(1, Some(&young));
    drop((old, young));
    assert_eq!(mutator.collect_generation(0).freed, 0, "the old one still refers to the young one");
    assert_eq!(mutator.collect_generation(1).freed, 0);
    assert_eq!(mutator.collect_generation(2).freed, 2);
    mutator.check();
}

#[test]
fn a_reference_from_an_old_object_keeps_a_young_one() {
    let scene = Scene::new();
    let class = scene.heap.class(Layout::new("Node").slots(2).words(1));
    let mutator = scene.heap.attach();
    let old = node(&mutator, &class, 1);
    mutator.collect();
    let young = node(&mutator, &class, 2);
    old.set(0, Some(&young));
    drop(young);
    assert_eq!(mutator.collect_generation(0).freed, 0);
    assert_eq!(old.get(0).unwrap().word(0), 2);
    mutator.check();
}

#[test]
fn a_collection_inside_a_finalizer_of_a_collection_does_nothing() {
    let scene = Scene::new();
    let inner = scene.heap.class(Layout::new("Inner").slots(1));
    let class = scene.class(move |object| {
        let made = object.mutator().alloc(&inner).unwrap();
        made.set(0, Some(&made));
        drop(made);
        assert_eq!(object.mutator().collect().freed, 0, "a collection is under way");
    });
    let mutator = scene.heap.attach();
    ring(&mutator, &class, 2);
    assert_eq!(mutator.collect().freed, 2);
    assert_eq!(scene.held(), 2, "what finalizers have made is left to the next collection");
    assert_eq!(scene.heap.statistics().finalizers_panicked, 0);
    assert_eq!(mutator.collect().freed, 2);
    mutator.check();
}

#[test]
fn a_collection_zeroes_its_counts_and_adds_one_to_the_next() {
    let heap = heap([700, 10, 10], None);
    let class = heap.class(Layout::new("Node").slots(1));
    let mutator = heap.attach();
    let counts =
        || mutator.generations().iter().map(|generation| generation.count).collect::<Vec<_>>();
    let _kept: Vec<_> = (0..5).map(|_| mutator.alloc(&class).unwrap()).collect();
    assert_eq!(counts(), [5, 0, 0]);
    let collections =
        [(0, [0, 1, 0]), (0, [0, 2, 0]), (1, [0, 0, 1]), (1, [0, 0, 2]), (2, [0, 0, 0])];
    for (generation, expected) in collections {
        mutator.collect_generation(generation);
        assert_eq!(counts(), expected, "after a collection of generation {generation}");
    }
    let thresholds: Vec<u64> =
        mutator.generations().iter().map(|generation| generation.threshold).collect();
    assert_eq!(thresholds, [700, 10, 10]);
}
