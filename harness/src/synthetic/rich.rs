//! Rich experiment, synthetic: sweeps, threads, requests, audited runs and failures, so that every chart has something to
//! show.

use super::{failed, record};
use crate::{
    histogram::Histogram,
    record::{Latency, Moment, Pauses, Record, Status, Timeline},
    recorder::{Generation, Recording},
};
use collectors::{
    Amount,
    audit::{Drag, Leaks},
};
use serde_json::json;

/// Invocations of each configuration.
const INVOCATIONS: u32 = 5;

/// Five collectors, one of them with four thresholds, on one workload of three sizes, one with three numbers of threads
/// and one that serves requests; one configuration never finishes, and one run of another fails.
pub(crate) fn rich() -> Vec<Record> {
    let mut records = Vec::new();
    for invocation in 1..=INVOCATIONS {
        for (workload, objects, threads) in [
            ("friends", 10_000, 1),
            ("friends", 100_000, 1),
            ("friends", 1_000_000, 1),
            ("rings", 50_000, 1),
            ("rings", 50_000, 2),
            ("rings", 50_000, 4),
            ("requests", 200_000, 2),
        ] {
            for collector in ["leak", "refcount", "generational", "tuned", "mark-sweep"] {
                let thresholds: &[u64] =
                    if collector == "generational" { &[700, 2_000, 7_000, 20_000] } else { &[0] };
                for &threshold in thresholds {
                    let kind = Kind { collector, workload, objects, threads, threshold };
                    records.push(kind.run(invocation));
                    if invocation == 1 {
                        records.push(kind.audited());
                    }
                }
            }
        }
    }
    let runs = records.len();
    for (record, position) in records.iter_mut().zip(1..) {
        record.order.position = position;
        record.order.runs = runs;
    }
    records
}

#[derive(Clone, Copy)]
struct Kind<'k> {
    collector: &'k str,
    workload: &'k str,
    objects: u64,
    threads: usize,
    threshold: u64,
}

impl Kind<'_> {
    fn run(self, invocation: u32) -> Record {
        let Self { collector, workload, objects, threads, threshold } = self;
        let mut run = if collector == "mark-sweep" && objects == 1_000_000 {
            failed(collector, workload, invocation, Status::OutOfMemory)
        } else if collector == "refcount" && threads == 4 && invocation == 2 {
            failed(collector, workload, invocation, Status::Crashed)
        } else {
            record(collector, workload, invocation)
        };
        run.parameters = json!({ "objects": objects, "words": 2 });
        run.threads = threads;
        if threshold > 0 {
            run.settings = json!({ "threshold": threshold, "generations": 3 });
        }
        if run.status == Status::Ok {
            self.fill(&mut run);
        }
        run
    }

    /// Grows the figures with the number of objects, the number of pauses with the threads, their length with the
    /// threshold.
    fn fill(self, run: &mut Record) {
        let size = self.objects;
        let mut noise = Noise(u64::from(run.invocation) * 7_919 + size + self.threshold);
        let (count, length) = match self.collector {
            "leak" => (0, 0),
            "refcount" => (40, 12_000),
            "generational" => (1_400_000 / self.threshold, 9_000 + self.threshold * 18),
            "tuned" => (300, 60_000),
            _ => (12, 40 * size),
        };
        let mut recording = Recording::default();
        for _ in 0..count * self.threads as u64 {
            let ns = 10_000 + length * (50 + noise.below(100)) / 100 + noise.tail(length * 40);
            recording.histogram.record(ns);
            recording.total_ns += ns;
            recording.total_cpu_ns += ns;
            recording.max_ns = recording.max_ns.max(ns);
        }
        recording.max_cpu_ns = recording.max_ns;
        run.operations = Some(size * 3 * self.threads as u64);
        run.wall_ns = size * 400 + recording.total_ns + noise.below(size * 40);
        run.cpu_ns = run.wall_ns * self.threads as u64 * 9 / 10;
        run.collections = Some(vec![Generation {
            generation: 0,
            count,
            examined: size * 10,
            freed: size,
            ns: recording.total_ns,
        }]);
        run.pauses = Some(Pauses::of(&recording, 10_000));
        let allocated = size * 40;
        let (leaked, floating) = match self.collector {
            "leak" => (allocated, allocated / 2),
            "refcount" => (allocated / 2, allocated / 4),
            "generational" => (0, (self.threshold * 40).min(allocated / 3)),
            "tuned" => (0, 20_000),
            _ => (0, allocated / 6),
        };
        if let Some(bytes) = &mut run.bytes {
            bytes.allocated = allocated;
            bytes.leaked = leaked;
            bytes.leak_expected = leaked;
            bytes.floating_mean = Some(floating);
            bytes.floating_peak = Some(floating * 2);
            bytes.live = Some(allocated / 20);
            bytes.live_peak = Some(allocated / 15);
            bytes.peak_held = leaked.max(allocated / 15 + floating * 2);
        }
        run.memory = Some(timeline(allocated, leaked, floating, run.wall_ns));
        if self.workload == "requests" {
            run.latency = Some(latency(count, length, &mut noise));
        }
    }

    fn audited(self) -> Record {
        let mut run = self.run(1);
        run.audited = true;
        if let Some(bytes) = &mut run.bytes {
            let amount = |bytes| Amount { objects: bytes / 40, bytes };
            bytes.leaks = Some(Leaks {
                structural: amount(bytes.leaked),
                policy: amount(bytes.floating_mean.unwrap_or(0) / 4),
                protocol: Amount::default(),
            });
        }
        for moment in run.memory.iter_mut().flat_map(|memory| &mut memory.points) {
            let live = moment.allocated.bytes / 40 + 10_000;
            moment.live = Some(Amount { objects: live / 40, bytes: live });
        }
        let drag =
            |at_most, objects| Drag { at_most, amount: Amount { objects, bytes: objects * 40 } };
        run.drag = Some(vec![drag(0, 500), drag(4_096, 900), drag(65_536, 200)]);
        run
    }
}

fn timeline(allocated: u64, leaked: u64, floating: u64, wall_ns: u64) -> Timeline {
    let moment = |n: u64| {
        let bytes = allocated * n / 200;
        Moment {
            at_ns: wall_ns * n / 200,
            allocated: Amount { objects: bytes / 40, bytes },
            held: bytes / 40
                + 10_000
                + if leaked > 0 { leaked * n / 200 } else { floating * 2 * (n % 9) / 9 },
            blocks: bytes / 40 + 80_000 + floating * 2 + leaked * n / 200,
            live: None,
        }
    };
    Timeline { points: (0..=200).map(moment).collect() }
}

fn latency(count: u64, length: u64, noise: &mut Noise) -> Latency {
    let (mut intended, mut simple) = (Histogram::new(), Histogram::new());
    let mut max_ns = 0;
    for request in 0..20_000 {
        let work = 4_000 + noise.below(2_000);
        let is_stopped = count > 0 && request % (20_000 / count.min(2_000) + 1) == 0;
        let stopped = if is_stopped { length } else { 0 };
        let queued = if noise.below(50) == 0 { length * 2 } else { 0 };
        simple.record(work + stopped);
        intended.record(work + stopped + queued);
        max_ns = max_ns.max(work + stopped + queued);
    }
    Latency { intended, simple, max_ns }
}

/// Numbers that look random and are the same every time.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    /// Rarely long.
    fn tail(&mut self, longest: u64) -> u64 {
        let sixteenth = self.below(1 << 16);
        longest * sixteenth.pow(2) / (1 << 32) * sixteenth.pow(2) / (1 << 32)
    }
}
