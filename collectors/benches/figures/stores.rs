//! Stores: what it costs to overwrite the slots of old objects, by who counts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use collectors::{
    Collector, Event, Observer, Options, Root, coalescing::Coalescing, counts::biased::BiasedCount,
    generational::Generational, refcount::RefCount, triggers::Fixed,
};

use crate::{
    Scale,
    figure::{Figure, Goal},
    graphs::{self, Cycles, heap},
    measure::{Subject, cpu, take_turns},
};

/// Old nodes whose slots are overwritten: more than the first-level cache holds.
const NODES: usize = 4096;

/// Stores in one turn.
const STORES: usize = 1_000_000;

/// How often each slot is overwritten between two young collections, and what is to be reached beside the best of those
/// who count each store. Once is the worst that can be: every store is logged, and nothing coalesces.
const ROUNDS: [(usize, Goal); 3] = [(1, Goal::None), (4, Goal::Ratio(1.0)), (16, Goal::Ratio(0.5))];

/// The collector whose owners count without atomic operations.
type Biased = Generational<Fixed, BiasedCount>;

pub(crate) fn figures(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    for (rounds, goal) in ROUNDS {
        let [coalescing, counted, cycles, biased] = take_turns(
            2 * scale.repetitions,
            [
                overwrite::<Coalescing>(rounds),
                overwrite::<RefCount>(rounds),
                overwrite::<Cycles>(rounds),
                overwrite::<Biased>(rounds),
            ],
        );
        let others = [("refcount", counted), ("generational", cycles), ("biased", biased)];
        let (name, best) = others
            .into_iter()
            .fold(others[0], |best, other| if other.1 < best.1 { other } else { best });
        let what = format!("overwrite a slot, {rounds} times an epoch, coalescing");
        add(Figure::new(what, coalescing, "ns").beside(name, Some(best)).goal(goal));
        let what = format!("slots logged of 100 overwritten, {rounds} times an epoch each");
        add(Figure::new(what, logged(rounds), "slots"));
    }
}

/// Overwrites slots of old nodes by references to others, and has the young generation collected after each has been
/// overwritten `rounds` times. Gives the time of a store.
fn overwrite<C: Collector>(rounds: usize) -> Subject<'static> {
    let (heap, class) = heap::<C>(C::Settings::default(), Options::default());
    Box::new(move || {
        let mutator = heap.attach();
        let nodes: Vec<_> = (0..NODES).map(|_| graphs::node(&mutator, &class)).collect();
        mutator.collect();
        cpu(|| {
            for epoch in 0..STORES / (NODES * rounds) {
                for round in 0..rounds {
                    overwrite_all(&nodes, epoch * rounds + round);
                }
                mutator.collect_generation(0);
            }
        }) / (STORES / (NODES * rounds) * NODES * rounds) as f64
    })
}

fn overwrite_all<C: Collector>(nodes: &[Root<'_, C>], round: usize) {
    for (index, node) in nodes.iter().enumerate() {
        node.set(0, Some(&nodes[(7 * index + round) % NODES]));
    }
}

/// How many of a hundred stores take the barrier's slow path.
fn logged(rounds: usize) -> f64 {
    let rate = Arc::new(Rate::default());
    let observer: Arc<dyn Observer> = Arc::<Rate>::clone(&rate);
    let options = Options { observer: Some(observer), ..Options::default() };
    let (heap, class) = heap::<Coalescing>(Default::default(), options);
    let mutator = heap.attach();
    let nodes: Vec<_> = (0..NODES).map(|_| graphs::node(&mutator, &class)).collect();
    mutator.collect();
    for epoch in 0..4 {
        (0..rounds).for_each(|round| overwrite_all(&nodes, epoch * rounds + round));
        mutator.collect_generation(0);
    }
    100.0 * rate.logged.load(Relaxed) as f64 / rate.stores.load(Relaxed) as f64
}

/// Counts what barriers did.
#[derive(Default)]
struct Rate {
    stores: AtomicU64,
    logged: AtomicU64,
}

impl Observer for Rate {
    fn event(&self, _: usize, event: Event) {
        if let Event::Barrier { stores, logged } = event {
            // Relaxed: a statistic.
            self.stores.fetch_add(stores, Relaxed);
            // Relaxed: a statistic.
            self.logged.fetch_add(logged, Relaxed);
        }
    }
}
