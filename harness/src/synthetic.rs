//! Synthetic records, for tests of what is made from records.

mod rich;

pub(crate) use rich::rich;

use crate::{
    environment::Environment,
    record::{Bytes, Moment, Order, Pauses, Question, Record, SCHEMA, Status, Timeline},
    recorder::{Generation, Recording, Stops, Total},
};
use collectors::{Amount, Cause};
use serde_json::json;

/// Three invocations of three collectors on two workloads; each run is told apart by small differences.
pub(crate) fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for invocation in 1..=3 {
        for workload in ["friends", "rings"] {
            for collector in ["leak", "refcount", "generational"] {
                records.push(record(collector, workload, invocation));
            }
        }
    }
    for (record, position) in records.iter_mut().zip(1..) {
        record.order.position = position;
    }
    records
}

/// A run that ended well and leaked what it should.
pub(crate) fn record(collector: &str, workload: &str, invocation: u32) -> Record {
    let noise = u64::from(invocation) * 1_000;
    let (pauses, leaked, wall_ns) = match collector {
        "leak" => (0, 4_000_000, 100_000_000),
        "refcount" => (30, 1_000_000, 150_000_000),
        _ => (2_000, 0, 250_000_000),
    };
    let mut recording = Recording::default();
    for n in 0..pauses {
        let ns = 10_000 + n * n * 3 + noise;
        recording.histogram.record(ns);
        recording.total_ns += ns;
        recording.total_cpu_ns += ns;
        recording.max_ns = recording.max_ns.max(ns);
    }
    recording.max_cpu_ns = recording.max_ns;
    if pauses > 0 {
        recording.below_floor.insert(Cause::Collection, Total { count: 500, total_ns: 2_000_000 });
        recording.unclocked.insert(Cause::SlowAllocation, 12);
    }
    Record {
        schema: SCHEMA,
        experiment: Question {
            name: "synthetic".to_owned(),
            question: "What is <drawn> & told?".to_owned(),
            command: "cyclotron run synthetic".to_owned(),
        },
        order: Order { seed: 7, position: 1, runs: 18 },
        collector: collector.to_owned(),
        settings: json!({}),
        workload: workload.to_owned(),
        parameters: json!({ "objects": 100_000 }),
        threads: 1,
        seed: 7,
        invocation,
        audited: false,
        status: Status::Ok,
        message: None,
        checksum: Some("000000000000002a".to_owned()),
        wall_ns: wall_ns + noise,
        cpu_ns: wall_ns,
        collector_cpu_ns: Some(0),
        operations: Some(300_000),
        pauses: Some(Pauses::of(&recording, 10_000)),
        time_to_stop: Some(Stops::default()),
        hiccup_max_ns: Some(80_000 + noise),
        collections: Some(vec![Generation {
            generation: 0,
            count: pauses,
            examined: 700 * pauses,
            freed: 300 * pauses,
            ns: recording.total_ns,
        }]),
        bytes: Some(Bytes {
            allocated: 4_000_000,
            freed: 4_000_000 - leaked,
            peak_held: leaked.max(400_000),
            held_at_end: leaked.max(30_000),
            leaked,
            leak_expected: leaked,
            blocks: leaked.max(400_000) + 65_536,
            side_tables: 4_096,
            final_collections: 1,
            live: Some(200_000),
            live_peak: Some(300_000),
            floating_mean: Some(leaked / 2 + 10_000),
            floating_peak: Some(leaked + 20_000),
            leaks: None,
        }),
        memory: Some(timeline(leaked)),
        latency: None,
        drag: None,
        rss_peak: Some(9_000_000),
        environment: environment(),
    }
}

/// A run that did not end well.
pub(crate) fn failed(collector: &str, workload: &str, invocation: u32, status: Status) -> Record {
    Record {
        status,
        message: Some("it was meant to fail".to_owned()),
        checksum: None,
        operations: None,
        pauses: None,
        collector_cpu_ns: None,
        time_to_stop: None,
        hiccup_max_ns: None,
        collections: None,
        bytes: None,
        memory: None,
        rss_peak: None,
        ..record(collector, workload, invocation)
    }
}

/// Memory that grows by what leaks, in a saw of four teeth.
fn timeline(leaked: u64) -> Timeline {
    let point = |n: u64| Moment {
        at_ns: n * 2_500_000,
        allocated: Amount { objects: n * 2_500, bytes: n * 100_000 },
        held: 200_000 + n % 10 * 10_000 + leaked * n / 40,
        blocks: 300_000 + leaked * n / 40,
        live: None,
    };
    Timeline { points: (0..=40).map(point).collect() }
}

fn environment() -> Environment {
    Environment {
        cpu: "Synthetic CPU".to_owned(),
        cores: 2,
        kernel: "Linux 6".to_owned(),
        compiler: "rustc 1".to_owned(),
        commit: "0123456789ab".to_owned(),
        build: "release".to_owned(),
        load: Some(0.25),
        started: "2026-11-22T17:00:00Z".to_owned(),
    }
}
