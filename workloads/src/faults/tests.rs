//! A word flipped or an edge dropped anywhere in a run changes the checksum.

use collectors::{Collector, Heap, Options, WithCollector, with_collector};

use super::*;
use crate::{
    NAMES, VirtualTime, WithWorkload, Workload, erased::Erased, program::Run, with_workload,
    workload::run_with,
};

impl Faults {
    /// The fault of one kind that strikes after `after` chances.
    fn planned(kind: Kind, after: u64) -> Self {
        Self { planned: Some(Arc::new(Mutex::new(Plan { kind, after: Some(after) }))) }
    }

    fn struck(&self) -> bool {
        self.planned.as_ref().is_some_and(|plan| plan.lock().unwrap().after.is_none())
    }

    pub(super) fn strikes(&self, kind: Kind) -> bool {
        let Some(plan) = &self.planned else { return false };
        let mut plan = plan.lock().unwrap();
        if plan.kind != kind {
            return false;
        }
        let strikes = plan.after == Some(0);
        plan.after = plan.after.and_then(|after| after.checked_sub(1));
        strikes
    }
}

#[test]
fn a_flipped_word_changes_the_checksum() {
    strike_everywhere(Kind::Word);
}

#[test]
fn a_dropped_edge_changes_the_checksum() {
    strike_everywhere(Kind::Edge);
}

/// Lets a fault strike early, late and in between, in every workload under every collector.
fn strike_everywhere(kind: Kind) {
    for workload in NAMES {
        for collector in collectors::NAMES {
            let struck = with_workload(workload, Strikes { collector, kind }).unwrap();
            assert!(struck > 10, "{workload} under {collector}: {kind:?} struck {struck} times");
        }
    }
}

struct Strikes {
    collector: &'static str,
    kind: Kind,
}

impl WithWorkload for Strikes {
    type Output = u64;

    fn run<W: Workload>(self) -> u64 {
        let small: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/small.json")).unwrap();
        let mut parameters: W::Parameters = serde_json::from_value(small[W::NAME].clone()).unwrap();
        for file in W::files(&mut parameters) {
            file.supply(&include_bytes!("../../tests/small.graph")[..]);
        }
        let expected = W::expect(&parameters, 1, 9).checksum;
        let chances = (0..).map(|step: u32| (1.7_f64.powi(step as i32) - 1.0) as u64);
        for (struck, after) in (0..).zip(chances) {
            let faults = Faults::planned(self.kind, after);
            let body = FaultyRun::<W> { parameters: &parameters, faults: &faults };
            let checksum = with_collector(self.collector, body).unwrap();
            if !faults.struck() {
                assert_eq!(checksum, expected, "{}: no fault and another checksum", W::NAME);
                return struck;
            }
            assert_ne!(checksum, expected, "{}: {:?} {after} was not noticed", W::NAME, self.kind);
        }
        unreachable!("a run that never ends")
    }
}

struct FaultyRun<'a, W: Workload> {
    parameters: &'a W::Parameters,
    faults: &'a Faults,
}

impl<W: Workload> WithCollector for FaultyRun<'_, W> {
    type Output = u64;

    fn run<C: Collector>(self) -> u64 {
        let heap = Heap::<C>::new(C::Settings::default(), Options::default()).unwrap();
        let stage = &VirtualTime::default();
        let run = Run { threads: 1, seed: 9, stage, faults: self.faults };
        run_with::<W, Erased>(&heap, self.parameters, run).unwrap().checksum
    }
}
