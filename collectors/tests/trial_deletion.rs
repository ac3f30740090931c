//! What `trial-deletion` looks at, counted: how its work grows, what makes a candidate, and when too many are.

use std::sync::{Arc, Mutex};

use collectors::{
    Class, Collected, Event, Heap, Layout, Mutator, Observer, Options, Root,
    trial_deletion::{Order, Policy, TrialDeletion, TrialDeletionSettings},
};

type Trial = TrialDeletion;

/// Notes what each collection looked at, and what it freed.
#[derive(Default)]
struct Notes(Mutex<Vec<(u64, u64)>>);

impl Observer for Notes {
    fn event(&self, _: usize, event: Event) {
        if let Event::Collection { examined, freed, .. } = event {
            self.0.lock().unwrap().push((examined, freed));
        }
    }
}

impl Notes {
    fn take(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A heap that collects only if it is asked to.
fn heap(order: Order) -> (Heap<Trial>, Class<Trial>) {
    let settings = TrialDeletionSettings { order, threshold: 0, ..Default::default() };
    let heap = Heap::new(settings, Options::default()).unwrap();
    let class = heap.class(Layout::new("Node").slots(2).words(1));
    (heap, class)
}

fn node<'m>(mutator: &'m Mutator<Trial>, class: &Class<Trial>) -> Root<'m, Trial> {
    mutator.alloc(class).unwrap()
}

fn held(heap: &Heap<Trial>) -> u64 {
    heap.statistics().held().objects
}

fn candidates(mutator: &Mutator<Trial>) -> u64 {
    mutator.generations()[0].count
}

/// Where a chain of cycles is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Head,
    End,
}

/// Makes and drops a chain of cycles of two nodes, each of which refers to the next, and collects it.
fn collect_ladder(order: Order, from: From, rungs: u64) -> Collected {
    let (heap, class) = heap(order);
    let mutator = heap.attach();
    let mut last: Option<Root<'_, Trial>> = None;
    let mut first = None;
    for _ in 0..rungs {
        let (left, right) = (node(&mutator, &class), node(&mutator, &class));
        left.set(0, Some(&right));
        right.set(0, Some(&left));
        match (from, &last) {
            (_, None) => first = Some(left.clone()),
            (From::Head, Some(last)) => last.set(1, Some(&left)),
            (From::End, Some(last)) => left.set(1, Some(last)),
        }
        last = Some(left);
    }
    drop((first, last));
    let collected = mutator.collect();
    mutator.check();
    assert_eq!(held(&heap), 0, "the whole ladder is garbage");
    collected
}

#[test]
fn phased_a_ladder_takes_linear_work() {
    for from in [From::Head, From::End] {
        for rungs in [500, 1000] {
            let collected = collect_ladder(Order::Phased, from, rungs);
            assert_eq!(collected, Collected { examined: 2 * rungs, freed: 2 * rungs }, "{from:?}");
        }
    }
}

#[test]
fn per_root_a_ladder_takes_quadratic_work_from_its_end_and_linear_work_from_its_head() {
    for rungs in [500, 1000] {
        let collected = collect_ladder(Order::PerRoot, From::End, rungs);
        // The two nodes of each rung are tried in turn, and each time all 2i nodes from rung i to the end are looked at,
        // but at the head, where the first node finds all to be garbage.
        let expected = (1..rungs).map(|rung| 2 * 2 * rung).sum::<u64>() + 2 * rungs;
        assert_eq!(collected, Collected { examined: expected, freed: 2 * rungs });
        assert_eq!(expected, 2 * rungs * rungs);
        let collected = collect_ladder(Order::PerRoot, From::Head, rungs);
        assert_eq!(collected, Collected { examined: 2 * rungs, freed: 2 * rungs });
    }
}

#[test]
fn the_pause_follows_the_live_graph_behind_a_candidate() {
    let (heap, class) = heap(Order::Phased);
    let mutator = heap.attach();
    for live in [1_000, 10_000] {
        let first = node(&mutator, &class);
        let mut last = first.clone();
        for _ in 1..live {
            let next = node(&mutator, &class);
            last.set(0, Some(&next));
            next.set(1, Some(&last));
            last = next;
        }
        drop(last);
        mutator.collect();
        assert_eq!(mutator.collect(), Collected::default(), "nothing has lost a reference");
        drop(first.clone());
        assert_eq!(candidates(&mutator), 1);
        assert_eq!(mutator.collect(), Collected { examined: live, freed: 0 });
        drop(first);
        mutator.collect();
        assert_eq!(held(&heap), 0);
    }
}

#[test]
fn an_object_is_buffered_once_and_only_if_it_can_be_part_of_a_cycle() {
    let (heap, class) = heap(Order::Phased);
    let green = heap.class(Layout::new("Green").slots(1).acyclic());
    let leaf = heap.class(Layout::new("Leaf").words(1));
    let mutator = heap.attach();
    let roots = [&class, &green, &leaf].map(|class| node(&mutator, class));
    for root in &roots {
        (0..10).for_each(|_| drop(root.clone()));
    }
    assert_eq!(candidates(&mutator), 1);
    mutator.check();
}

#[test]
fn a_candidate_that_dies_leaves_the_buffer_and_the_heap_at_once() {
    let (heap, class) = heap(Order::Phased);
    let mutator = heap.attach();
    for _ in 0..10_000 {
        let some = [(); 3].map(|()| node(&mutator, &class));
        drop(some.clone());
        assert_eq!(candidates(&mutator), 3);
    }
    assert_eq!((candidates(&mutator), held(&heap)), (0, 0));
    mutator.check();
}

#[test]
fn a_candidate_that_dies_elsewhere_leaves_the_buffer_of_whoever_buffered_it() {
    let (heap, class) = heap(Order::Phased);
    let mutator = heap.attach();
    for _ in 0..3 {
        let made: Vec<_> = (0..1_000).map(|_| node(&mutator, &class)).collect();
        drop(made.clone());
        assert_eq!(candidates(&mutator), 1_000);
        let shared = Mutex::new(Some(made.iter().map(Root::share).collect::<Vec<_>>()));
        drop(made);
        mutator.threads(1, |other, _| {
            let shared = shared.lock().unwrap().take().unwrap();
            let adopted: Vec<_> = shared.iter().map(|shared| other.adopt(shared)).collect();
            drop(shared);
            other.safepoint();
            drop(adopted);
        });
        assert_eq!((candidates(&mutator), held(&heap)), (0, 0));
        mutator.check();
    }
}

#[test]
fn whatever_drops_a_reference_makes_a_candidate() {
    let (heap, class) = heap(Order::Phased);
    let mutator = heap.attach();
    let holder = node(&mutator, &class);
    let hold_a_ring = || {
        let ring = node(&mutator, &class);
        ring.set(0, Some(&ring));
        holder.set(0, Some(&ring));
        drop(ring);
        mutator.collect();
        assert_eq!(candidates(&mutator), 0);
    };
    let expect_one_freed = |how: &str| {
        mutator.safepoint();
        assert_eq!(mutator.collect().freed, 1, "{how}");
        assert_eq!(held(&heap), 1, "{how}");
    };
    hold_a_ring();
    holder.set(0, None);
    expect_one_freed("a store");
    hold_a_ring();
    drop(holder.swap(0, None));
    expect_one_freed("a swap");
    hold_a_ring();
    let ring = holder.get(0);
    assert!(holder.compare_exchange(0, ring.as_ref(), None));
    drop(ring);
    expect_one_freed("an exchange");
    hold_a_ring();
    let shared = holder.swap(0, None).unwrap().share();
    mutator.collect();
    drop(shared);
    expect_one_freed("a shared handle");
    hold_a_ring();
    let dying = node(&mutator, &class);
    dying.set(0, holder.swap(0, None).as_ref());
    mutator.collect();
    drop(dying);
    expect_one_freed("the death of what referred to it");
}

#[test]
fn what_garbage_held_through_an_acyclic_object_is_found_in_the_same_collection() {
    for order in [Order::Phased, Order::PerRoot] {
        let (heap, class) = heap(order);
        let green = heap.class(Layout::new("Green").slots(1).acyclic());
        let mutator = heap.attach();
        let mut below = None;
        for _ in 0..10 {
            let ring = node(&mutator, &class);
            ring.set(0, Some(&ring));
            ring.set(1, below.as_ref());
            let above = node(&mutator, &green);
            above.set(0, Some(&ring));
            below = Some(above);
        }
        mutator.collect();
        assert_eq!(held(&heap), 20);
        drop(below);
        mutator.collect();
        assert_eq!((held(&heap), candidates(&mutator)), (0, 0));
    }
}

#[test]
fn what_two_parts_of_the_garbage_hold_is_found_in_the_same_collection() {
    for order in [Order::Phased, Order::PerRoot] {
        let (heap, class) = heap(order);
        let mutator = heap.attach();
        let common = node(&mutator, &class);
        common.set(0, Some(&common));
        for _ in 0..2 {
            let holder = node(&mutator, &class);
            holder.set(0, Some(&holder));
            holder.set(1, Some(&common));
        }
        drop(common);
        assert_eq!(mutator.collect().freed, 3, "{order:?}");
    }
}

#[test]
fn a_collection_is_due_when_more_candidates_are_buffered_than_the_threshold() {
    let notes = Arc::new(Notes::default());
    let observer = Some(Arc::clone(&notes) as Arc<dyn Observer>);
    let settings = TrialDeletionSettings { threshold: 10, ..Default::default() };
    let heap = Heap::<Trial>::new(settings, Options { observer, ..Options::default() }).unwrap();
    let class = heap.class(Layout::new("Node").slots(2));
    let mutator = heap.attach();
    let roots: Vec<_> = (0..30).map(|_| node(&mutator, &class)).collect();
    let threshold = || mutator.generations()[0].threshold;
    drop(roots[..10].to_vec());
    let _one = node(&mutator, &class);
    assert_eq!(notes.take(), []);
    drop(roots[10].clone());
    let _another = node(&mutator, &class);
    assert_eq!(notes.take(), [(11, 0)]);
    // That was not worth it: the next one has to wait.
    assert_eq!(threshold(), 20);
    for ring in &roots[..21] {
        ring.set(0, Some(ring));
    }
    drop(roots);
    let _third = node(&mutator, &class);
    assert_eq!(notes.take(), [(21, 21)]);
    assert_eq!(threshold(), 10);
}

#[test]
fn random_graphs_are_freed_whole_by_several_mutators_in_either_order() {
    for order in [Order::Phased, Order::PerRoot] {
        let settings = TrialDeletionSettings { order, threshold: 20, policy: Policy::Fixed };
        let heap = Heap::<Trial>::new(settings, Options::default()).unwrap();
        let node = heap.class(Layout::new("Node").slots(2));
        let loud = heap.class(Layout::new("Loud").slots(2).finalizer(|object| {
            // It brings back what it refers to for a while, and loses it.
            object.set(0, object.get(1).and_then(|other| other.get(0)).as_ref());
        }));
        let shared = Mutex::new(Vec::new());
        heap.threads(3, |mutator, index| {
            let mut random = 0x9e37_79b9 + index as u64;
            let mut below = |end: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random % end) as usize
            };
            let mut roots = vec![mutator.alloc(&node).unwrap()];
            for step in 0..3_000 {
                let (one, other) = (below(roots.len() as u64), below(roots.len() as u64));
                match below(8) {
                    0..3 => {
                        let class = if below(10) == 0 { &loud } else { &node };
                        roots.push(mutator.alloc(class).unwrap());
                    }
                    3..6 => roots[one].set(below(2), Some(&roots[other])),
                    6 if roots.len() > 20 => drop(roots.swap_remove(one)),
                    _ if roots.len() > 20 => {
                        shared.lock().unwrap().push(roots[one].share());
                        let taken = shared.lock().unwrap().swap_remove(0);
                        roots[other] = mutator.adopt(&taken);
                    }
                    _ => {}
                }
                if step % 500 == 0 {
                    mutator.check();
                }
            }
        });
        shared.lock().unwrap().clear();
        let mutator = heap.attach();
        for _ in 0..5 {
            mutator.collect();
        }
        mutator.check();
        assert_eq!(held(&heap), 0, "{order:?}");
    }
}

#[test]
fn settings_are_strict() {
    let read = |text: &str| serde_json::from_str::<TrialDeletionSettings>(text);
    let settings = read(r#"{ "order": "per-root", "policy": "fixed" }"#).unwrap();
    assert_eq!(settings.threshold, 10_000);
    assert!(read(r#"{ "treshold": 1 }"#).is_err());
    let too_large = TrialDeletionSettings { threshold: 1_000_000_001, ..Default::default() };
    let error = Heap::<Trial>::new(too_large, Options::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting `threshold` of `trial-deletion` is 1000000001, expected a whole number up to 1000000000"
    );
}
