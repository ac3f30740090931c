//! The page made of synthetic records.

use super::*;
use crate::{charts, synthetic};

fn page(records: &[Record]) -> String {
    let results = Results::of(records).unwrap();
    render(&results, &charts::draw(&results).unwrap())
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page(&synthetic::records());
    for loaded in ["src=", "@import", "url(", "<script", "<link"] {
        assert!(!page.contains(loaded), "{loaded:?} would load something");
    }
    assert_eq!(page.matches("<svg ").count(), 3);
    assert!(page.contains("prefers-color-scheme:dark"));
}

#[test]
fn what_a_user_wrote_is_text_and_not_markup() {
    let page = page(&synthetic::records());
    assert!(page.contains("What is &lt;drawn&gt; &amp; told?") && !page.contains("<drawn>"));
}

#[test]
fn verdict_and_table_come_before_charts_and_method() {
    let page = page(&synthetic::records());
    let places: Vec<usize> = ["Verdict", "Figures", "Charts", "How it was measured"]
        .map(|title| page.find(&format!("<h2>{title}")).unwrap())
        .to_vec();
    assert!(places.is_sorted());
    assert!(
        page.contains("cyclotron run synthetic")
            && page.contains("Synthetic CPU")
            && page.contains("seed 7")
    );
    assert!(page.contains("href=\"runs.jsonl\""));
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
