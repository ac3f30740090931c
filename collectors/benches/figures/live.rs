//! A large live heap: what it costs what is young, how long it pauses while it grows, and how many bytes it takes.

use std::sync::{Arc, Mutex};

use collectors::{Collector, Event, Heap, Observer, Options, Root};

use crate::{
    Scale,
    figure::{Figure, Goal},
    graphs::{self, Cycles, Shape, heap, node, off},
    measure::{cpu, median, resident_bytes, take_turns, thread_cpu},
    python,
};

/// Live nodes that garbage refers to.
const TARGETS: usize = 1024;

/// Young objects in one young collection: CPython's threshold.
const YOUNG: usize = 700;

pub(crate) fn figures(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    churn(scale, add);
    young(scale, add);
    growing(scale, add);
    bytes(scale, add);
}

fn churn(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let (heap, class) = heap::<Cycles>(Default::default(), Options::default());
    let mutator = heap.attach();
    let root = Shape::Random.build(&mutator, &class, scale.nodes);
    mutator.collect();
    let targets: Vec<Root<'_, Cycles>> =
        (0..TARGETS).filter_map(|index| root.get(index * (scale.nodes / TARGETS))).collect();
    let churn = |targets| cpu(|| graphs::pairs(&mutator, &class, 10 * scale.nodes, targets));
    let [apart, pointing] = take_turns(
        scale.repetitions.min(3),
        [Box::new(|| churn(&[])), Box::new(|| churn(&targets))],
    )
    .map(|nanoseconds| nanoseconds / (10 * scale.nodes) as f64);
    let what = "garbage pairs beside a live random graph, default trigger";
    add(Figure::new(what, apart, "ns").goal(Goal::AtMost(40.0)));
    let what = "the same, each pair pointing into the live graph";
    add(Figure::new(what, pointing, "ns").goal(Goal::AtMost(40.0)));
}

fn young(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let [few, many] = [scale.few_live, scale.many_live].map(|live| {
        let (heap, class) = heap::<Cycles>(off(), Options::default());
        let mutator = heap.attach();
        let root = Shape::Random.build(&mutator, &class, live);
        mutator.collect();
        let target: Vec<_> = root.get(live / 2).into_iter().collect();
        let collect = || {
            graphs::pairs(&mutator, &class, YOUNG, &target);
            cpu(|| mutator.collect_generation(0)) / 1e3
        };
        median((0..301).map(|_| collect()).collect())
    });
    let what = format!("young collection of {YOUNG} objects beside {} old ones", scale.many_live);
    let reference = if scale.few_live == 100_000 { "100,000 old" } else { "10,000 old" };
    add(Figure::new(what, many, "us").beside(reference, Some(few)).goal(Goal::Ratio(1.5)));
}

fn growing(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let longest = median((0..3).map(|_| longest_pause::<Cycles>(scale.growing)).collect());
    let peer = python::measure(&["growing", &scale.growing.to_string()]);
    let what = format!("longest pause while building {} live nodes", scale.growing);
    let figure = Figure::new(what, longest, "ms").beside("python3", peer.map(|peer| peer / 1e6));
    add(figure.goal(Goal::Ratio(0.5)));
}

/// The longest pause, in CPU milliseconds, while a chain of `count` nodes is built under the default trigger.
pub(crate) fn longest_pause<C: Collector>(count: usize) -> f64 {
    let longest = Arc::new(Longest::default());
    let observer: Arc<dyn Observer> = Arc::<Longest>::clone(&longest);
    let options = Options { observer: Some(observer), ..Options::default() };
    let (heap, class) = heap::<C>(Default::default(), options);
    let mutator = heap.attach();
    let mut newest = node(&mutator, &class);
    for _ in 1..count {
        let next = node(&mutator, &class);
        next.set(0, Some(&newest));
        newest = next;
    }
    let state = longest.state.lock().expect("nothing panics while it holds this lock");
    state.longest / 1e6
}

/// Keeps the longest pause in mind.
#[derive(Default)]
struct Longest {
    state: Mutex<Pause>,
}

#[derive(Default)]
struct Pause {
    began: f64,
    longest: f64,
}

impl Observer for Longest {
    fn event(&self, _: usize, event: Event) {
        let mut state = self.state.lock().expect("nothing panics while it holds this lock");
        match event {
            Event::PauseBegan { .. } => state.began = thread_cpu(),
            Event::PauseEnded { .. } => {
                state.longest = state.longest.max(thread_cpu() - state.began);
            }
            _ => {}
        }
    }
}

fn bytes(scale: &Scale, add: &mut dyn FnMut(Figure)) {
    let before = resident_bytes();
    let (heap, class): (Heap<Cycles>, _) = heap(off(), Options::default());
    let mutator = heap.attach();
    let root = Shape::Chain.build(&mutator, &class, scale.many_live);
    // What a collection touches belongs to the cost.
    mutator.collect();
    let nodes = scale.many_live as f64;
    let payload = (root.slots() * 8 + root.words() * 8) as f64;
    let statistics = heap.statistics();
    let held = (statistics.blocks + statistics.side_tables) as f64;
    let after = resident_bytes();
    drop(root);
    let what = format!("bytes beyond slots and data, of {} live nodes", scale.many_live);
    add(Figure::new(what, held / nodes - payload, "B").goal(Goal::AtMost(20.0)));
    if let (Some(before), Some(after)) = (before, after) {
        let resident = (after - before) / nodes - payload;
        add(Figure::new("the same, by the resident size of the process", resident, "B"));
    }
}
