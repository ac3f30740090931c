//! Loads: two threads that read one object, beside one.

use collectors::{Collector, Options, deferred::Deferred, refcount::RefCount};

use crate::{
    Scale,
    figure::{Figure, Goal},
    graphs::{heap, node},
    measure::{Subject, take_turns, wall},
};

/// Loads of each thread in one turn.
const LOADS: usize = 4_000_000;

/// Loads between two safepoints.
const LOADS_A_SAFEPOINT: usize = 64;

pub(crate) fn figures(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    /// `threads` threads load from one slot of one object.
    fn ours<C: Collector>(threads: usize) -> Subject<'static> {
        let (heap, class) = heap::<C>(C::Settings::default(), Options::default());
        Box::new(move || {
            let mutator = heap.attach();
            let owner = node(&mutator, &class);
            owner.set(0, Some(&node(&mutator, &class)));
            let shared = owner.share();
            wall(|| {
                mutator.threads(threads, |mutator, _| {
                    let owner = mutator.adopt(&shared);
                    for _ in 0..LOADS / LOADS_A_SAFEPOINT {
                        for _ in 0..LOADS_A_SAFEPOINT {
                            let loaded = owner.get(0);
                            std::hint::black_box(loaded.map(|root| root.identity()));
                        }
                        mutator.safepoint();
                    }
                });
            }) / (threads * LOADS) as f64
        })
    }
    let [one, two, counted_one, counted_two] = take_turns(
        2 * scale.repetitions,
        [ours::<Deferred>(1), ours::<Deferred>(2), ours::<RefCount>(1), ours::<RefCount>(2)],
    );
    // 1.6 times as many loads in the same time.
    for (name, one, two, goal) in [
        ("deferred", one, two, Goal::Ratio(1.0 / 1.6)),
        ("refcount", counted_one, counted_two, Goal::None),
    ] {
        let what = format!("load from one object, two threads (wall), {name}");
        add(Figure::new(what, two, "ns").beside("one thread", Some(one)).goal(goal));
    }
}
