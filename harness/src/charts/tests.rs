//! Charts of synthetic records.

use super::*;
use crate::{
    record::Status,
    results::{Results, samples::Samples},
    synthetic,
};

#[test]
fn there_are_charts_of_everything_and_of_each_workload() {
    let records = synthetic::records();
    let charts = draw(&Results::of(&records).unwrap(), &Samples::default()).unwrap();
    let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
    let of_each = ["friends", "rings"].map(|workload| {
        ["front", "percentiles", "timeline", "memory"].map(|chart| format!("{workload}-{chart}"))
    });
    assert_eq!(names[..4], ["overview", "pareto", "pauses-and-leaks", "throughput"]);
    assert_eq!(names[4..], of_each.concat());
    for chart in charts {
        assert!(
            chart.svg.starts_with("<svg ") && chart.svg.trim_end().ends_with("</svg>"),
            "{}",
            chart.name
        );
        assert!(chart.svg.contains("prefers-color-scheme:dark"), "{}", chart.name);
        for collector in ["leak", "refcount", "generational"] {
            assert!(
                chart.svg.contains(&colour_code(collector)),
                "{collector} has no colour in {}",
                chart.name
            );
            assert!(chart.svg.contains(collector), "{collector} has no name in {}", chart.name);
        }
    }
}

#[test]
fn a_chart_says_what_was_measured_how_often_and_which_direction_is_better() {
    let records = synthetic::records();
    let charts = draw(&Results::of(&records).unwrap(), &Samples::default()).unwrap();
    let first = &charts[2].svg;
    for told in [
        "Pauses of 10 µs or more",
        "3 runs of each configuration",
        "shorter is better",
        "fewer is better",
        "seed 7",
        "overslept",
    ] {
        assert!(first.contains(told), "{told:?} is missing");
    }
    assert!(
        first.contains("no pause at all"),
        "a collector without pauses was expected to be told apart from one without data"
    );
}

#[test]
fn a_failed_run_is_told_and_no_blank() {
    let mut records = synthetic::records();
    for record in
        records.iter_mut().filter(|run| run.collector == "generational" && run.workload == "rings")
    {
        *record =
            synthetic::failed("generational", "rings", record.invocation, Status::OutOfMemory);
    }
    for chart in draw(&Results::of(&records).unwrap(), &Samples::default())
        .unwrap()
        .iter()
        .filter(|chart| !chart.name.starts_with("friends"))
    {
        assert!(chart.svg.contains("out-of-memory"), "{}", chart.name);
    }
}

#[test]
fn nothing_but_failures_can_still_be_drawn() {
    let records = [synthetic::failed("leak", "friends", 1, Status::Crashed)];
    let charts = draw(&Results::of(&records).unwrap(), &Samples::default()).unwrap();
    assert!(charts.iter().all(|chart| chart.svg.contains("1 of 1 crashed")));
}
