//! Trial deletion: what candidates cost that die, that are garbage, that are alive, and that are tried one by one.

use collectors::{
    Collector, Options,
    refcount::RefCount,
    trial_deletion::{Order, TrialDeletion, TrialDeletionSettings},
};

use crate::{
    Scale,
    figure::{Figure, Goal},
    graphs::{self, Cycles, Shape, heap, off},
    measure::{Subject, cpu, median, take_turns},
};

/// Nodes that become candidates and die in one turn.
const BUFFERED: usize = 500_000;

pub(crate) fn figures(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    buffer_and_die(scale, add);
    rings_as_they_come(scale, add);
    ladders(scale, add);
    live_behind_one_candidate(scale, add);
}

/// Settings under which nothing is collected unless the program asks.
fn asked(order: Order) -> TrialDeletionSettings {
    TrialDeletionSettings { order, threshold: 0, ..Default::default() }
}

fn buffer_and_die(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    fn ours<C: Collector>(settings: C::Settings) -> Subject<'static> {
        let (heap, class) = heap::<C>(settings, Options::default());
        Box::new(move || {
            let mutator = heap.attach();
            cpu(|| {
                for _ in 0..BUFFERED {
                    let node = graphs::node(&mutator, &class);
                    let copy = node.clone();
                    std::hint::black_box(copy.identity());
                    drop(copy);
                    drop(node);
                }
            })
        })
    }
    let subjects =
        [ours::<TrialDeletion>(asked(Order::Phased)), ours::<RefCount>(Default::default())];
    let [measured, counted] = take_turns(4 * scale.repetitions, subjects)
        .map(|nanoseconds| nanoseconds / BUFFERED as f64);
    let what = "allocate a node, drop one reference and the last, trial-deletion";
    add(Figure::new(what, measured, "ns").beside("refcount", Some(counted)));
}

fn rings_as_they_come(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    fn ours<C: Collector>(nodes: usize) -> Subject<'static> {
        let (heap, class) = heap::<C>(C::Settings::default(), Options::default());
        Box::new(move || {
            let mutator = heap.attach();
            cpu(|| {
                graphs::rings(&mutator, &class, nodes, 2);
                mutator.collect()
            })
        })
    }
    let subjects = [ours::<TrialDeletion>(scale.nodes), ours::<Cycles>(scale.nodes)];
    let [measured, generational] =
        take_turns(scale.repetitions, subjects).map(|nanoseconds| nanoseconds / scale.nodes as f64);
    let what = "rings of 2 made and dropped, default trigger, trial-deletion";
    add(Figure::new(what, measured, "ns").beside("generational", Some(generational)));
}

/// From the end, so that every cycle but the first is tried in vain if they are tried one by one.
fn ladders(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    for (order, name) in [(Order::Phased, "phased"), (Order::PerRoot, "per root")] {
        let [short, long] = [1, 2].map(|times| {
            let rungs = times * scale.nodes / 500;
            let (heap, class) = heap::<TrialDeletion>(asked(order), Options::default());
            let mutator = heap.attach();
            let once = |_| {
                let mut last = None;
                for _ in 0..rungs {
                    let pair = [(); 2].map(|()| graphs::node(&mutator, &class));
                    pair[0].set(0, Some(&pair[1]));
                    pair[1].set(0, Some(&pair[0]));
                    pair[0].set(1, last.as_ref());
                    let [first, _] = pair;
                    last = Some(first);
                }
                drop(last);
                let nanoseconds = cpu(|| mutator.collect());
                nanoseconds / (2 * rungs) as f64
            };
            let nanoseconds = median((0..scale.repetitions).map(once).collect());
            (rungs, nanoseconds)
        });
        let what = format!("collect a ladder of {} cycles, {name}", long.0);
        let figure = Figure::new(what, long.1, "ns").beside("half as long", Some(short.1));
        add(if order == Order::Phased { figure.goal(Goal::Ratio(1.5)) } else { figure });
    }
}

fn live_behind_one_candidate(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let pause = |nanoseconds: Vec<f64>| median(nanoseconds) / scale.nodes as f64;
    let (heap_of_ours, class) = heap::<TrialDeletion>(asked(Order::Phased), Options::default());
    let mutator = heap_of_ours.attach();
    let root = Shape::Random.build(&mutator, &class, scale.nodes);
    mutator.collect();
    let tried = (0..scale.repetitions).map(|_| {
        drop(root.clone());
        let mut collected = Default::default();
        let nanoseconds = cpu(|| collected = mutator.collect());
        assert_eq!((collected.examined, collected.freed), (scale.nodes as u64 + 1, 0));
        nanoseconds
    });
    let tried = pause(tried.collect());
    let (heap, class) = heap::<Cycles>(off(), Options::default());
    let other = heap.attach();
    let _root = Shape::Random.build(&other, &class, scale.nodes);
    let full = pause((0..scale.repetitions).map(|_| cpu(|| other.collect())).collect());
    let what = "try one candidate with a live random graph behind it, per node";
    add(Figure::new(what, tried, "ns").beside("generational", Some(full)));
}
