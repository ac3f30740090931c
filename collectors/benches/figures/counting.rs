//! Counting: allocation and release, beside the standard library's pointers.

use collectors::{
    Collector, Options, coalescing::Coalescing, counts::biased::BiasedCount,
    generational::Generational, refcount::RefCount, triggers::Fixed,
};

use crate::{
    Scale,
    figure::{Figure, Goal},
    graphs::{self, Cycles, heap},
    measure::{Subject, cpu, take_turns},
    peers,
};

/// Nodes made and dropped in one turn.
const ALLOCATIONS: usize = 500_000;

/// References copied and dropped in one turn.
const COPIES: usize = 2_000_000;

/// The nodes that they are references to.
const COPIED: usize = 64;

/// The collector whose owners count without atomic operations.
type Biased = Generational<Fixed, BiasedCount>;

pub(crate) fn figures(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    allocate_and_drop(scale, add);
    copy_and_drop(scale, add);
    tree(scale, add);
}

fn allocate_and_drop(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    fn ours<C: Collector>() -> Subject<'static> {
        let (heap, class) = heap::<C>(C::Settings::default(), Options::default());
        Box::new(move || {
            let mutator = heap.attach();
            cpu(|| graphs::allocate_and_drop(&mutator, &class, ALLOCATIONS))
        })
    }
    let [counted, cycles, biased, coalescing, arc, rc] = take_turns(
        4 * scale.repetitions,
        [
            ours::<RefCount>(),
            ours::<Cycles>(),
            ours::<Biased>(),
            ours::<Coalescing>(),
            Box::new(|| cpu(|| peers::arc::allocate_and_drop(ALLOCATIONS))),
            Box::new(|| cpu(|| peers::rc::allocate_and_drop(ALLOCATIONS))),
        ],
    )
    .map(|nanoseconds| nanoseconds / ALLOCATIONS as f64);
    for (name, measured, goal) in [
        ("refcount", counted, Goal::Ratio(0.35)),
        ("generational", cycles, Goal::Ratio(0.6)),
        ("biased", biased, Goal::Ratio(0.6)),
        ("coalescing", coalescing, Goal::Ratio(0.6)),
        ("std::rc::Rc", rc, Goal::None),
    ] {
        let what = format!("allocate and drop a node, {name}");
        add(Figure::new(what, measured, "ns").beside("Arc", Some(arc)).goal(goal));
    }
}

fn copy_and_drop(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    fn ours<C: Collector>() -> Subject<'static> {
        let (heap, class) = heap::<C>(C::Settings::default(), Options::default());
        Box::new(move || {
            let mutator = heap.attach();
            // In turn, so that no copy waits for the drop of the one before.
            let nodes: Vec<_> = (0..COPIED).map(|_| graphs::node(&mutator, &class)).collect();
            // A count of more than one: nobody can take the shortcut of a sole holder.
            let _others = nodes.clone();
            cpu(|| {
                for _ in 0..COPIES / COPIED {
                    for node in &nodes {
                        let copy = node.clone();
                        std::hint::black_box(copy.identity());
                        drop(copy);
                    }
                }
            })
        })
    }
    let [biased, atomic] = take_turns(4 * scale.repetitions, [ours::<Biased>(), ours::<Cycles>()])
        .map(|nanoseconds| nanoseconds / COPIES as f64);
    let figure = Figure::new("copy and drop a reference by its owner, biased", biased, "ns");
    add(figure.beside("atomic", Some(atomic)).goal(Goal::Ratio(0.15)));
}

fn tree(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let nodes = ((2_u64 << scale.tree_depth) - 1) as f64;
    let (counted, class) = heap::<RefCount>(Default::default(), Options::default());
    let [counted, arc, rc] = take_turns(
        2 * scale.repetitions,
        [
            Box::new(|| {
                let mutator = counted.attach();
                cpu(|| drop(graphs::tree(&mutator, &class, scale.tree_depth)))
            }),
            Box::new(|| cpu(|| drop(peers::arc::tree(scale.tree_depth)))),
            Box::new(|| cpu(|| drop(peers::rc::tree(scale.tree_depth)))),
        ],
    )
    .map(|nanoseconds| nanoseconds / nodes);
    for (name, measured, goal) in
        [("refcount", counted, Goal::Ratio(0.6)), ("std::rc::Rc", rc, Goal::None)]
    {
        let what = format!("tree of 2^{} nodes, build and drop, {name}", scale.tree_depth + 1);
        add(Figure::new(what, measured, "ns").beside("Arc", Some(arc)).goal(goal));
    }
}
