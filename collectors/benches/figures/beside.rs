//! Collectors that run beside the program: what they cost the program's own thread.

use collectors::{Collector, Options, Root, recycler::Recycler, refcount::RefCount};

use crate::{
    Scale,
    figure::{Figure, Goal},
    graphs::{Cycles, heap, node},
    live::longest_pause,
    measure::{Subject, cpu, median, take_turns},
};

/// Objects that the references lead to: few, so that what is measured is the barrier and not the memory.
const TARGETS: usize = 64;

/// Stores between two safepoints.
const STRIDE: usize = 1024;

pub(crate) fn figures(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    stores(scale, add);
    pauses(scale, add);
}

/// One atomic operation and two entries in a buffer, beside two atomic counts and a slot that is locked.
fn stores(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let (recycler, recycler_class) = heap::<Recycler>(Default::default(), Options::default());
    let (refcount, refcount_class) = heap::<RefCount>(Default::default(), Options::default());
    let (one, other) = (recycler.attach(), refcount.attach());
    let nodes: Vec<_> = (0..TARGETS).map(|_| node(&one, &recycler_class)).collect();
    let other_nodes: Vec<_> = (0..TARGETS).map(|_| node(&other, &refcount_class)).collect();
    let logging: Subject<'_> = Box::new(|| {
        cpu(|| {
            for first in (0..scale.nodes).step_by(STRIDE) {
                store(&nodes, first);
                one.safepoint();
            }
        })
    });
    let counting: Subject<'_> = Box::new(|| {
        cpu(|| {
            for first in (0..scale.nodes).step_by(STRIDE) {
                store(&other_nodes, first);
                other.safepoint();
            }
        })
    });
    let [logging, counting] = take_turns(scale.repetitions, [logging, counting])
        .map(|nanoseconds| nanoseconds / scale.nodes as f64);
    let figure = Figure::new("replace a reference in a slot, recycler", logging, "ns");
    add(figure.beside("refcount", Some(counting)).goal(Goal::Ratio(0.6)));
}

fn store<C: Collector>(nodes: &[Root<'_, C>], first: usize) {
    for store in first..first + STRIDE {
        let value = &nodes[store.wrapping_mul(31) % TARGETS];
        nodes[store % TARGETS].set(store / TARGETS % 2, Some(value));
    }
}

fn pauses(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let count = scale.nodes;
    let longest = median((0..3).map(|_| longest_pause::<Recycler>(count)).collect());
    let reference = median((0..3).map(|_| longest_pause::<Cycles>(count)).collect());
    let what = format!("longest pause while building {count} live nodes, recycler");
    let figure = Figure::new(what, longest, "ms");
    add(figure.beside("generational", Some(reference)).goal(Goal::Ratio(0.05)));
}
