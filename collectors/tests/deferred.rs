//! When objects die under `deferred`: after one grace period, however much hangs from them; and who holds that up.

use std::sync::mpsc;

use collectors::{
    Class, Collector, Heap, Layout, Mutator, Options, Root, audit::Audited, deferred::Deferred,
};

fn heap<C: Collector>() -> (Heap<C>, Class<C>) {
    let heap = Heap::new(C::Settings::default(), Options::default()).unwrap();
    let class = heap.class(Layout::new("Node").slots(1).words(1));
    (heap, class)
}

fn list<'m, C: Collector>(mutator: &'m Mutator<C>, class: &Class<C>, length: usize) -> Root<'m, C> {
    list_beside(mutator, class, length, || ())
}

/// As `list`, while others do something after each node.
fn list_beside<'m, C: Collector>(
    mutator: &'m Mutator<C>,
    class: &Class<C>,
    length: usize,
    others: impl Fn(),
) -> Root<'m, C> {
    let mut list = mutator.alloc(class).unwrap();
    for _ in 1..length {
        let next = mutator.alloc(class).unwrap();
        next.set(0, Some(&list));
        list = next;
        others();
    }
    list
}

/// How many safepoints each of two mutators passes before a list that one of them drops is gone.
fn safepoints_until_gone(length: usize) -> usize {
    let (heap, class) = heap::<Deferred>();
    let (one, other) = (heap.attach(), heap.attach());
    let list = list_beside(&one, &class, length, || other.safepoint());
    assert_eq!(heap.statistics().held().objects, length as u64);
    drop(list);
    let passed = (1..).find(|_| {
        one.safepoint();
        other.safepoint();
        heap.statistics().held().objects == 0
    });
    passed.expect("there is an end")
}

#[test]
fn a_list_of_a_million_nodes_is_gone_after_as_many_safepoints_as_one_of_two() {
    let [short, long] = [2, 1_000_000].map(safepoints_until_gone);
    assert!(short <= 3 && long <= 3, "{long} safepoints, {short} for the short one");
}

#[test]
fn what_dies_while_a_mutator_comes_to_no_safepoint_floats_until_it_does() {
    let (heap, class) = heap::<Audited<Deferred>>();
    let (ready, is_ready) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (passed, has_passed) = mpsc::channel();
    std::thread::scope(|scope| {
        let (heap, class) = (&heap, &class);
        scope.spawn(move || {
            let mutator = heap.attach();
            ready.send(()).unwrap();
            // Neither a safepoint nor `blocked`.
            may_go_on.recv().unwrap();
            mutator.blocked(move || {
                passed.send(()).unwrap();
                may_go_on.recv().unwrap();
            });
        });
        let mutator = heap.attach();
        is_ready.recv().unwrap();
        let owner = mutator.alloc(class).unwrap();
        for _ in 0..1_000 {
            owner.set(0, Some(&mutator.alloc(class).unwrap()));
        }
        mutator.collect();
        let findings = heap.findings().unwrap();
        assert_eq!((findings.live.objects, findings.floating.objects), (2, 999));
        assert_eq!(findings.structural.objects, 0, "it can free them, but for the other mutator");
        go_on.send(()).unwrap();
        has_passed.recv().unwrap();
        mutator.collect();
        assert_eq!(heap.findings().unwrap().floating.objects, 0);
        go_on.send(()).unwrap();
    });
}

#[test]
fn what_a_mutator_has_loaded_is_there_when_it_comes_back_from_blocked() {
    let (heap, class) = heap::<Deferred>();
    let mutator = heap.attach();
    let owner = mutator.alloc(&class).unwrap();
    owner.set(0, Some(&mutator.alloc(&class).unwrap()));
    let loaded = owner.get(0).unwrap();
    loaded.set_word(0, 7);
    let shared = owner.share();
    mutator.threads(1, |other, _| {
        other.adopt(&shared).set(0, None);
        drop(list(other, &class, 100));
        other.collect();
        assert_eq!(heap.statistics().held().objects, 2, "whoever is blocked holds up nobody");
    });
    assert_eq!(loaded.word(0), 7);
    drop(loaded);
    mutator.collect();
    assert_eq!(heap.statistics().held().objects, 1);
    mutator.check();
}

#[test]
fn what_the_last_mutator_leaves_is_freed_when_it_goes() {
    let (heap, class) = heap::<Deferred>();
    heap.threads(4, |mutator, _| drop(list(mutator, &class, 1_000)));
    assert_eq!(heap.statistics().held().objects, 0);
}
