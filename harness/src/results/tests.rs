//! What is made of records.

use super::*;
use crate::synthetic::{failed, record, records};

#[test]
fn cells_stand_in_the_order_of_the_lists() {
    let mut records = records();
    records.reverse();
    let results = Results::of(&records).unwrap();
    assert_eq!(
        results.groups.iter().map(|group| group.label.as_str()).collect::<Vec<_>>(),
        ["friends", "rings"]
    );
    let cells: Vec<&str> = results.groups[0].cells.iter().map(|cell| cell.label.as_str()).collect();
    assert_eq!(cells, ["leak", "refcount", "generational"]);
}

#[test]
fn percentiles_are_those_of_all_pauses_together() {
    let records = records();
    let results = Results::of(&records).unwrap();
    let pauses = results.groups[0].cells[2].pauses.as_ref().unwrap();
    assert_eq!(pauses.histogram.count(), 6_000);
    let mut all: Vec<u64> = (1..=3_u64)
        .flat_map(|noise| (0..2_000_u64).map(move |n| 10_000 + n * n * 3 + noise * 1_000))
        .collect();
    all.sort_unstable();
    let exact = all[all.len() * 99 / 100 - 1];
    let shown = pauses.percentile(0.99).unwrap();
    assert!(shown.abs_diff(exact) <= exact / 500, "{shown} is not {exact}");
    assert_eq!(pauses.percentile(0.999), None, "6,000 pauses were expected not to carry it");
}

#[test]
fn a_percentile_needs_ten_pauses_beyond_it() {
    let records: Vec<_> =
        (1..=3).map(|invocation| record("refcount", "friends", invocation)).collect();
    let results = Results::of(&records).unwrap();
    let pauses = results.groups[0].cells[0].pauses.as_ref().unwrap();
    assert_eq!(pauses.histogram.count(), 90);
    assert!(pauses.percentile(0.5).is_some());
    assert_eq!(pauses.percentile(0.9), None);
}

#[test]
fn throughput_is_relative_to_the_baseline_of_the_same_invocation() {
    let mut records = records();
    for run in &mut records {
        run.wall_ns *= u64::from(run.invocation);
    }
    let results = Results::of(&records).unwrap();
    let relative = results.groups[0].cells[1].relative.unwrap();
    assert!(
        (relative.low - 0.667).abs() < 0.001 && (relative.high - 0.667).abs() < 0.001,
        "{relative:?}"
    );
}

#[test]
fn a_failed_run_is_told_and_does_not_count() {
    let mut records = records();
    records.push(failed("refcount", "friends", 4, Status::TimedOut));
    records.push(failed("refcount", "friends", 5, Status::Crashed));
    let results = Results::of(&records).unwrap();
    let cell = &results.groups[0].cells[1];
    assert_eq!(cell.failures(), "1 of 5 timed-out, 1 of 5 crashed");
    assert_eq!(cell.pauses.as_ref().unwrap().histogram.count(), 90);
    let verdict = verdict::of(&results);
    assert!(!verdict.is_sound);
    assert_eq!(
        verdict.findings[0],
        "Not every run ended well: refcount on friends: 1 of 5 timed-out, 1 of 5 crashed."
    );
}

#[test]
fn a_leak_that_is_not_allowed_is_told() {
    let mut records = records();
    assert!(verdict::of(&Results::of(&records).unwrap()).is_sound);
    let leaky = records.iter_mut().find(|run| run.collector == "generational").unwrap();
    leaky.bytes.as_mut().unwrap().leaked = 40;
    let verdict = verdict::of(&Results::of(&records).unwrap());
    assert!(!verdict.is_sound);
    assert_eq!(
        verdict.findings[1],
        "Some left behind other than what their capabilities allow: generational on friends leaked 40 B, expected 0 B."
    );
}

#[test]
fn collectors_that_the_runs_cannot_tell_apart_are_said_to_be_so() {
    let mut records = records();
    let told = verdict::of(&Results::of(&records).unwrap()).shortest[0].1.clone();
    assert_eq!(told, "only one left nothing behind: generational 12.0 ms (held 400 kB)");
    records.extend((1..=3).map(|invocation| Record {
        collector: "tuned".to_owned(),
        ..record("generational", "friends", invocation)
    }));
    let told = verdict::of(&Results::of(&records).unwrap()).shortest[0].1.clone();
    assert!(
        told.starts_with("generational and tuned cannot be told apart by these runs: "),
        "{told}"
    );
}

#[test]
fn the_same_collector_with_two_settings_is_two() {
    let mut records = records();
    let settings = serde_json::json!({ "threshold": 10 });
    records.push(Record { settings, ..record("generational", "friends", 1) });
    let results = Results::of(&records).unwrap();
    let labels: Vec<&str> =
        results.groups[0].cells.iter().map(|cell| cell.label.as_str()).collect();
    assert_eq!(labels, ["leak", "refcount", "generational", "generational (threshold = 10)"]);
}

#[test]
fn the_median_of_an_even_number_lies_between() {
    assert_eq!(Range::of([4.0, 1.0, 2.0, 3.0]), Some(Range { low: 1.0, median: 2.5, high: 4.0 }));
    assert_eq!(Range::of([]), None);
}
