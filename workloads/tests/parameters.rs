//! What parameters are called, what they may be, and what is said of those that may not.

use serde_json::{Value, json};
use workloads::{
    NAMES, WithWorkload, Workload,
    heap_graph::{Graph, HeapGraph},
    with_workload,
};

#[test]
fn the_described_defaults_are_the_real_ones() {
    for workload in NAMES {
        let (described, real) = with_workload(workload, Defaults).unwrap();
        assert_eq!(described, real, "{workload}");
    }
}

#[test]
fn numbers_are_accepted_at_both_ends_of_their_range_and_not_beyond() {
    let mut tried = 0;
    for workload in NAMES {
        for (name, range) in with_workload(workload, Ranges).unwrap() {
            let Some((low, high)) = range.split_once(" to ") else { continue };
            let [low, high]: [i64; 2] = [low, high].map(|end| end.parse().unwrap());
            for inside in [low, high] {
                assert_eq!(validate(workload, json!({ name: inside })), Ok(()));
            }
            for outside in [low - 1, high + 1].into_iter().filter(|&value| value >= 0) {
                let expected = format!("parameter `{name}` is `{outside}`, expected {range}");
                assert_eq!(validate(workload, json!({ name: outside })), Err(expected));
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "only {tried} values out of range were tried");
}

#[test]
fn an_unknown_parameter_is_an_error_that_lists_the_known_ones() {
    let message = validate("friends", json!({ "couples": 3 })).unwrap_err();
    assert_eq!(
        message,
        "unknown field `couples`, expected one of `pairs`, `cyclic-percent`, `words`"
    );
}

#[test]
fn an_unknown_graph_is_an_error_that_lists_the_known_ones() {
    let message = validate("heap-graph", json!({ "graph": "servise" })).unwrap_err();
    assert_eq!(
        message,
        "unknown variant `servise`, \
         expected one of `syntax-trees`, `service`, `documents`, `plugins`"
    );
}

#[test]
fn a_file_that_is_not_a_captured_graph_is_an_error_that_says_why() {
    let good = &include_bytes!("small.graph")[..];
    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let mut newer = good.to_vec();
    newer[8] = 2;
    let mut swapped = good.to_vec();
    swapped[16] ^= 0xff;
    let expected = [
        (None, "a file whose contents have been read".to_string()),
        (Some(&b"PK\x03\x04"[..]), not_a_graph("it does not begin with `CYCGRAPH`")),
        (Some(&newer), not_a_graph("it is of version 2, expected 1")),
        (Some(&good[..15]), not_a_graph("it is cut short: 15 bytes, expected 20 of header alone")),
    ];
    for (contents, expected) in expected {
        let message = validate_file(contents).unwrap_err();
        assert_eq!(message, format!("parameter `file` is `my.graph`, expected {expected}"));
    }
    let cut_short = validate_file(Some(&good[..good.len() / 2])).unwrap_err();
    assert!(cut_short.contains("it is cut short: "), "{cut_short}");
    for damaged in [&flipped, &swapped] {
        let corrupt = validate_file(Some(damaged)).unwrap_err();
        assert!(corrupt.contains("it is corrupt: "), "{corrupt}");
    }
    assert_eq!(validate_file(Some(good)), Ok(()));
}

#[test]
fn no_damage_to_a_file_changes_a_graph_unnoticed() {
    let good = include_bytes!("small.graph");
    let graph = Graph::decode(good).unwrap();
    for place in 0..good.len() {
        let mut damaged = good.to_vec();
        damaged[place] ^= 1 << (place % 8);
        // Compression can say the same in two ways: then nothing is lost.
        let decoded = Graph::decode(&damaged);
        assert!(decoded.is_err() || decoded == Ok(graph.clone()), "byte {place} was changed");
        assert!(Graph::decode(&good[..place]).is_err(), "{place} bytes were accepted");
    }
    let longer = [&good[..], &[0]].concat();
    let message = Graph::decode(&longer).unwrap_err().to_string();
    assert_eq!(message, "it is corrupt: 1 bytes follow its payload");
}

#[test]
fn parameters_survive_a_record() {
    for workload in NAMES {
        with_workload(workload, RoundTrip).unwrap();
    }
    let file =
        json!({ "graph": "syntax-trees", "file": "my.graph", "part-size": 7, "turnover": 2 });
    let parameters: <HeapGraph as Workload>::Parameters =
        serde_json::from_value(file.clone()).unwrap();
    assert_eq!(serde_json::to_value(parameters).unwrap(), file);
}

fn not_a_graph(why: &str) -> String {
    format!("a captured graph: {why}")
}

/// Parses and validates parameters as an experiment gives them; the text of the error if there is one.
fn validate(workload: &str, given: Value) -> Result<(), String> {
    with_workload(workload, Validate { given, contents: None }).unwrap()
}

fn validate_file(contents: Option<&[u8]>) -> Result<(), String> {
    let given = json!({ "file": "my.graph" });
    with_workload("heap-graph", Validate { given, contents }).unwrap()
}

struct Validate<'a> {
    given: Value,
    contents: Option<&'a [u8]>,
}

impl WithWorkload for Validate<'_> {
    type Output = Result<(), String>;

    fn run<W: Workload>(self) -> Self::Output {
        let parsed = serde_json::from_value(self.given).map_err(|error| error.to_string());
        let mut parameters: W::Parameters = parsed?;
        for file in W::files(&mut parameters) {
            if let Some(contents) = self.contents {
                file.supply(contents);
            }
        }
        W::validate(&parameters).map_err(|error| error.to_string())
    }
}

struct Ranges;

impl WithWorkload for Ranges {
    type Output = Vec<(&'static str, &'static str)>;

    fn run<W: Workload>(self) -> Self::Output {
        W::PARAMETERS.iter().map(|parameter| (parameter.name, parameter.range)).collect()
    }
}

struct Defaults;

impl WithWorkload for Defaults {
    type Output = (Vec<(String, String)>, Vec<(String, String)>);

    fn run<W: Workload>(self) -> Self::Output {
        let named = |name: &str, value: &str| (name.to_string(), value.to_string());
        let described =
            W::PARAMETERS.iter().map(|parameter| named(parameter.name, parameter.default));
        let real = serde_json::to_value(W::Parameters::default()).unwrap();
        let real = W::PARAMETERS.iter().map(|parameter| match &real[parameter.name] {
            Value::String(text) => named(parameter.name, text),
            Value::Null => named(parameter.name, ""),
            value => named(parameter.name, &value.to_string()),
        });
        (described.collect(), real.collect())
    }
}

struct RoundTrip;

impl WithWorkload for RoundTrip {
    type Output = ();

    fn run<W: Workload>(self) {
        let written = serde_json::to_value(W::Parameters::default()).unwrap();
        let read: W::Parameters = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), written);
        let names: Vec<_> = W::PARAMETERS.iter().map(|parameter| parameter.name).collect();
        for name in written.as_object().unwrap().keys() {
            assert!(names.contains(&name.as_str()), "{}: `{name}` is not described", W::NAME);
        }
    }
}
