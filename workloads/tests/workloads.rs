//! What every workload must do, under every collector.

use collectors::{Collector, Heap, Options, Reclaims, WithCollector, with_collector};
use workloads::{
    Expected, NAMES, Outcome, VirtualTime, WithWorkload, Workload, heap_graph::HeapGraph,
    with_workload,
};

const SEED: u64 = 2024;

#[test]
fn the_checksum_is_the_expected_one_under_every_collector_and_with_one_to_three_threads() {
    for_each_pair(|workload, collector| {
        for threads in 1..=3 {
            let ran = run(workload, collector, threads, SEED);
            assert_eq!(
                ran.outcome.checksum, ran.expected.checksum,
                "{workload} under {collector} on {threads} threads"
            );
        }
    });
}

#[test]
fn what_is_held_at_the_end_is_what_the_collector_cannot_reclaim_to_the_byte() {
    for_each_pair(|workload, collector| {
        for threads in 1..=3 {
            let ran = run(workload, collector, threads, SEED);
            assert_eq!(
                ran.held,
                ran.leak(),
                "(objects, bytes) held by {workload} under {collector} on {threads} threads"
            );
        }
    });
}

#[test]
fn the_shipped_graphs_are_rebuilt_and_leave_what_they_should() {
    for graph in ["service", "syntax-trees", "documents", "plugins"] {
        for collector in collectors::NAMES {
            let parameters = serde_json::json!({ "graph": graph, "turnover": 1 });
            let parameters = serde_json::from_value(parameters).unwrap();
            let start = Start { collector, threads: 1, seed: SEED, size: Size::Small };
            let ran = with_collector(collector, On::<HeapGraph> { parameters, start }).unwrap();
            assert_eq!(ran.outcome.checksum, ran.expected.checksum, "{graph} under {collector}");
            assert_eq!(ran.held, ran.leak(), "(objects, bytes) held of {graph} under {collector}");
        }
    }
}

#[test]
fn the_same_seed_does_the_same_and_another_seed_does_not() {
    for workload in NAMES {
        let collector = collectors::NAMES[0];
        let [first, again, other] = [1, 1, 2].map(|seed| run(workload, collector, 2, seed).outcome);
        assert_eq!(first, again, "{workload}");
        assert_ne!(first.checksum, other.checksum, "{workload}");
    }
}

#[test]
fn every_thread_adds_work_of_its_own() {
    for workload in NAMES {
        let [one, two] =
            [1, 2].map(|threads| run(workload, collectors::NAMES[0], threads, SEED).outcome);
        assert!(two.operations > one.operations, "{workload}");
        assert_ne!(two.checksum, one.checksum.wrapping_mul(2), "{workload}");
    }
}

#[test]
fn a_collection_at_every_opportunity_changes_nothing() {
    for_each_pair(|workload, collector| {
        // What is collected at every allocation has to be small.
        let ran =
            with_workload(workload, Start { collector, threads: 2, seed: SEED, size: Size::Tiny });
        let ran = ran.unwrap();
        assert_eq!(ran.outcome.checksum, ran.expected.checksum, "{workload} under {collector}");
    });
}

#[test]
fn counting_leaks_something_in_every_workload_but_those_without_cycles() {
    let acyclic = ["binary-trees", "gcbench", "long-list", "hot-object"];
    for workload in NAMES {
        let cyclic = run(workload, collectors::NAMES[0], 1, SEED).expected.cyclic;
        assert_eq!(cyclic.count() == 0, acyclic.contains(workload), "{workload}: {cyclic:?}");
    }
}

/// Calls `body` with every workload and every collector.
fn for_each_pair(body: impl Fn(&'static str, &'static str)) {
    for workload in NAMES {
        for collector in collectors::NAMES {
            body(workload, collector);
        }
    }
}

fn run(workload: &str, collector: &'static str, threads: usize, seed: u64) -> Ran {
    with_workload(workload, Start { collector, threads, seed, size: Size::Small }).unwrap()
}

/// A run and what it left.
struct Ran {
    outcome: Outcome,
    expected: Expected,
    reclaims: Reclaims,
    /// Objects and bytes.
    allocated: (u64, u64),
    held: (u64, u64),
    cyclic_bytes: u64,
}

impl Ran {
    /// The objects and bytes that the collector cannot reclaim.
    fn leak(&self) -> (u64, u64) {
        match self.reclaims {
            Reclaims::Nothing => self.allocated,
            Reclaims::Acyclic => (self.expected.cyclic.count(), self.cyclic_bytes),
            Reclaims::Everything => (0, 0),
        }
    }
}

/// How much a run does.
#[derive(Clone, Copy, PartialEq)]
enum Size {
    Small,
    /// Under stress.
    Tiny,
}

struct Start {
    collector: &'static str,
    threads: usize,
    seed: u64,
    size: Size,
}

impl WithWorkload for Start {
    type Output = Ran;

    fn run<W: Workload>(self) -> Ran {
        let collector = self.collector;
        with_collector(collector, On::<W> { parameters: parameters::<W>(self.size), start: self })
            .unwrap()
    }
}

/// The parameters of a test, as an experiment would give them.
fn parameters<W: Workload>(size: Size) -> W::Parameters {
    let text = match size {
        Size::Small => include_str!("small.json"),
        Size::Tiny => include_str!("tiny.json"),
    };
    let all: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut parameters: W::Parameters = serde_json::from_value(all[W::NAME].clone()).unwrap();
    for file in W::files(&mut parameters) {
        assert_eq!(file.path(), "tests/small.graph");
        file.supply(&include_bytes!("small.graph")[..]);
    }
    W::validate(&parameters).unwrap();
    parameters
}

/// A workload that waits for a collector.
struct On<W: Workload> {
    parameters: W::Parameters,
    start: Start,
}

impl<W: Workload> WithCollector for On<W> {
    type Output = Ran;

    fn run<C: Collector>(self) -> Ran {
        let Start { threads, seed, size, .. } = self.start;
        let stress = (size == Size::Tiny).then_some(seed);
        let options = Options { stress, ..Options::default() };
        let heap = Heap::<C>::new(C::Settings::default(), options).unwrap();
        let outcome =
            W::run(&heap, &self.parameters, threads, seed, &VirtualTime::default()).unwrap();
        let expected = W::expect(&self.parameters, threads, seed);
        let mutator = heap.attach();
        while mutator.collect().freed > 0 {}
        drop(mutator);
        heap.check();
        let statistics = heap.statistics();
        let cyclic_bytes = expected.cyclic.bytes::<C>();
        let (allocated, held) = (statistics.allocated, statistics.held());
        Ran {
            outcome,
            expected,
            reclaims: C::CAPABILITIES.reclaims,
            allocated: (allocated.objects, allocated.bytes),
            held: (held.objects, held.bytes),
            cyclic_bytes,
        }
    }
}
