//! Cycles: what it costs to find and free them, and to find that there are none.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use collectors::Options;

use crate::{
    Scale,
    figure::{Figure, Goal},
    graphs::{self, Cycles, Shape, heap, off},
    measure::{cpu, median, take_turns, wall},
    python,
};

pub(crate) fn figures(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    rings_as_they_come(scale, add);
    for size in [2, 100, scale.nodes] {
        rings_forced(scale, size, add);
    }
    for shape in Shape::ALL {
        full_detection(scale, shape, add);
    }
    shared_detection(scale, add);
}

fn rings_as_they_come(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let (heap, class) = heap::<Cycles>(Default::default(), Options::default());
    let mutator = heap.attach();
    let [measured] = take_turns(
        scale.repetitions,
        [Box::new(|| {
            cpu(|| {
                graphs::rings(&mutator, &class, scale.nodes, 2);
                mutator.collect()
            })
        })],
    );
    let measured = measured / scale.nodes as f64;
    let what = "rings of 2 made and dropped, default trigger, generational";
    add(Figure::new(what, measured, "ns").goal(Goal::AtMost(25.0)));
}

fn rings_forced(scale: &Scale, size: usize, add: &mut dyn FnMut(Figure)) {
    let (heap, class) = heap::<Cycles>(off(), Options::default());
    let mutator = heap.attach();
    let [measured] = take_turns(
        scale.repetitions,
        [Box::new(|| {
            graphs::rings(&mutator, &class, scale.nodes, size);
            let mut freed = 0;
            let nanoseconds = cpu(|| freed = mutator.collect().freed);
            assert_eq!(freed, scale.nodes as u64, "every ring of {size} is garbage");
            nanoseconds
        })],
    );
    let measured = measured / scale.nodes as f64;
    let what = if size == scale.nodes {
        "detect and free, one ring".to_owned()
    } else {
        format!("detect and free, rings of {size}")
    };
    let peer = python::measure(&["rings", &scale.nodes.to_string(), &size.to_string()]);
    add(Figure::new(what, measured, "ns").beside("python3", peer).goal(Goal::AtMost(15.0)));
}

fn full_detection(scale: &Scale, shape: Shape, add: &mut dyn FnMut(Figure)) {
    let (heap, class) = heap::<Cycles>(off(), Options::default());
    let mutator = heap.attach();
    let root = shape.build(&mutator, &class, scale.nodes);
    let collect = || {
        let mut collected = Default::default();
        let nanoseconds = cpu(|| collected = mutator.collect());
        assert_eq!(collected.freed, 0, "everything is alive");
        nanoseconds / scale.nodes as f64
    };
    let first = collect();
    let later = median((0..scale.repetitions.max(5)).map(|_| collect()).collect());
    drop(root);
    let (name, nodes) = (shape.name(), scale.nodes.to_string());
    let goal = match shape {
        Shape::Chain => 12.0,
        Shape::DoublyLinked => 15.0,
        Shape::Random => 35.0,
    };
    let peer = python::measure(&["live", &nodes, name]);
    let what = format!("full detection, {name}");
    add(Figure::new(what, later, "ns").beside("python3", peer).goal(Goal::AtMost(goal)));
    add(Figure::new(format!("full detection, {name}, the first one"), first, "ns"));
}

/// One thread collects; the other one, if there is one, has stopped for it and lends a hand.
fn shared_detection(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let (heap, class) = heap::<Cycles>(off(), Options::default());
    let mutator = heap.attach();
    let root = Shape::Random.build(&mutator, &class, scale.nodes);
    let alone = || wall(|| mutator.collect());
    let helped = || {
        let (attached, done) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let helper = heap.attach();
                // Relaxed: only the moment matters.
                attached.store(true, Relaxed);
                // Relaxed: as above.
                while !done.load(Relaxed) {
                    helper.safepoint();
                    std::hint::spin_loop();
                }
            });
            // Relaxed: as above.
            while !attached.load(Relaxed) {
                std::thread::yield_now();
            }
            let nanoseconds = wall(|| mutator.collect());
            // Relaxed: as above.
            done.store(true, Relaxed);
            nanoseconds
        })
    };
    let [alone, helped] = take_turns(scale.repetitions.max(5), [Box::new(alone), Box::new(helped)])
        .map(|nanoseconds| nanoseconds / scale.nodes as f64);
    drop(root);
    let what = "full detection, random, with one stopped mutator's help (wall)";
    add(Figure::new(what, helped, "ns").beside("one thread", Some(alone)).goal(Goal::Ratio(0.65)));
}
