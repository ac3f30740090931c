//! Requests come when they come, however fast they are served, and are all told of.

use collectors::{Collector, Heap, Options, WithCollector, with_collector};
use std::sync::Mutex;

use super::*;
use crate::{Stage, VirtualTime, erased::Erased, faults::Faults, program::Run, workload::run_with};

/// A request as the stage is told of it.
#[derive(Clone, Copy)]
struct Told {
    thread: usize,
    intended_ns: u64,
    began_ns: u64,
    ended_ns: u64,
}

/// Time that only waiting and serving move: serving takes `service_ns` every time.
struct SlowTime {
    service_ns: u64,
    now_ns: Mutex<u64>,
    told: Mutex<Vec<Told>>,
}

impl Stage for SlowTime {
    fn now_ns(&self) -> u64 {
        *self.now_ns.lock().unwrap()
    }

    fn wait_until(&self, due_ns: u64) {
        let mut now = self.now_ns.lock().unwrap();
        *now = due_ns.max(*now);
    }

    fn completed(&self, thread: usize, intended_ns: u64, began_ns: u64, ended_ns: u64) {
        let ended_ns = ended_ns + self.service_ns;
        self.wait_until(ended_ns);
        self.told.lock().unwrap().push(Told { thread, intended_ns, began_ns, ended_ns });
    }
}

/// A run of the workload, for its effects on a stage alone.
struct Served<'a> {
    parameters: &'a Parameters,
    threads: usize,
    stage: &'a dyn Stage,
}

impl WithCollector for Served<'_> {
    type Output = ();

    fn run<C: Collector>(self) {
        let heap = Heap::<C>::new(C::Settings::default(), Options::default()).unwrap();
        let (threads, stage, faults) = (self.threads, self.stage, &Faults::default());
        let run = Run { threads, seed: 5, stage, faults };
        let outcome = run_with::<Requests, Erased>(&heap, self.parameters, run).unwrap();
        let expected = Requests::expect(self.parameters, self.threads, 5);
        assert_eq!(outcome.checksum, expected.checksum);
    }
}

fn parameters() -> Parameters {
    let default = Parameters::default();
    Parameters { requests: 4000, sessions: 20, parts: 2, rate: 10_000, ..default }
}

/// What is told of one thread that takes `service_ns` for a request.
fn told(service_ns: u64) -> Vec<Told> {
    let stage = SlowTime { service_ns, now_ns: Mutex::default(), told: Mutex::default() };
    let parameters = &parameters();
    with_collector(collectors::NAMES[0], Served { parameters, threads: 1, stage: &stage });
    stage.told.into_inner().unwrap()
}

#[test]
fn the_schedule_has_its_rate_and_does_not_depend_on_the_service() {
    let [fast, slow] = [told(1), told(1_000_000)];
    assert_eq!(fast.len(), 4000);
    let intended = |told: &[Told]| told.iter().map(|told| told.intended_ns).collect::<Vec<_>>();
    assert_eq!(intended(&fast), intended(&slow));
    // 4000 gaps of 100 microseconds.
    let last = fast[3999].intended_ns;
    assert!((380_000_000..420_000_000).contains(&last), "the last request came at {last} ns");
}

#[test]
fn a_server_that_cannot_keep_up_has_latencies_that_grow() {
    let latency = |told: &Told| told.ended_ns - told.intended_ns;
    let slow = told(200_000);
    // Each request takes 100 microseconds more than it may.
    let last = latency(&slow[3999]);
    assert!(last > 350_000_000, "the last latency was {last} ns");
    let fast = told(1000);
    let longest = fast.iter().map(latency).max().unwrap();
    assert!(longest < 20_000, "the longest latency was {longest} ns");
}

#[test]
fn no_request_begins_before_it_came() {
    for told in told(90_000) {
        assert_eq!(told.thread, 0);
        assert!(told.intended_ns <= told.began_ns && told.began_ns < told.ended_ns);
    }
}

#[test]
fn every_request_of_every_thread_is_told_of_in_virtual_time() {
    let stage = VirtualTime::default();
    let parameters = &Parameters { requests: 100, ..parameters() };
    for name in collectors::NAMES {
        with_collector(name, Served { parameters, threads: 3, stage: &stage });
    }
    assert_eq!(stage.completed_requests(), 300 * collectors::NAMES.len() as u64);
}
