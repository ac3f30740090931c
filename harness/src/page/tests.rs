//! The page made of synthetic records.

use super::*;
use crate::record::{Record, Status};
use crate::{charts, results::samples::Samples, synthetic};

fn page(records: &[Record]) -> String {
    let results = Results::of(records).unwrap();
    render(&results, &charts::draw(&results, &Samples::default()).unwrap(), None)
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page(&synthetic::records());
    for loaded in ["src=", "@import", "url(", "<script", "<link"] {
        assert!(!page.contains(loaded), "{loaded:?} would load something");
    }
    // Four of everything, and four of each workload.
    assert_eq!(page.matches("<svg ").count(), 4 + 2 * 4);
    assert!(page.contains("prefers-color-scheme:dark"));
}

#[test]
fn what_a_user_wrote_is_text_and_not_markup() {
    let page = page(&synthetic::records());
    assert!(page.contains("What is &lt;drawn&gt; &amp; told?") && !page.contains("<drawn>"));
}

#[test]
fn the_verdict_comes_first_and_the_method_last() {
    let page = page(&synthetic::records());
    let places: Vec<usize> = [
        "Verdict",
        "At a glance",
        "Pause, garbage and CPU",
        "Pauses and",
        "What it costs",
        "Each workload",
        "Figures",
        "How it was",
    ]
    .map(|title| page.find(&format!("<h2>{title}")).unwrap())
    .to_vec();
    assert!(places.is_sorted());
    assert!(
        page.contains("cyclotron run synthetic")
            && page.contains("Synthetic CPU")
            && page.contains("seed 7")
    );
    for file in ["runs.jsonl", "summary.csv", "summary.md", "charts/overview.png"] {
        assert!(page.contains(&format!("href=\"{file}\"")), "{file} is not linked");
    }
}

#[test]
fn failed_runs_are_told_with_their_reason() {
    let mut records = synthetic::records();
    records.push(synthetic::failed("leak", "friends", 4, Status::Crashed));
    let page = page(&records);
    assert!(page.contains("Runs that did not end well") && page.contains("it was meant to fail"));
    assert!(page.contains("class=\"verdict unsound\""));
}

#[test]
fn the_same_records_make_the_same_page() {
    assert_eq!(page(&synthetic::records()), page(&synthetic::records()));
}

#[test]
fn every_chart_collector_and_failure_of_a_rich_experiment_is_there_and_every_figure_a_number() {
    let records = synthetic::rich();
    let results = Results::of(&records).unwrap();
    let charts = charts::draw(&results, &Samples::default()).unwrap();
    let page = render(&results, &charts, None);
    for chart in &charts {
        assert_eq!(page.matches(&format!("id=\"{}\"", chart.name)).count(), 1, "{}", chart.name);
    }
    for title in ["What settings trade", "What grows with what", "how long a request waits"] {
        assert!(page.contains(title), "{title} is missing");
    }
    for cell in results.groups.iter().flat_map(|group| &group.cells) {
        assert!(page.contains(&cell.label), "{} is missing", cell.label);
    }
    assert!(page.contains("5 of 5 out-of-memory") && page.contains("1 of 5 crashed"));
    assert!(!page.contains("NaN") && !page.contains("inf "), "a figure is no number");
    assert_eq!(page.matches("<details").count(), results.groups.len());
    assert_eq!(page.matches("<details open").count(), 1);
}
