//! Records as they are documented, and the documentation as the records are.

use super::{SMALL, records, run};
use serde_json::Value;
use std::collections::BTreeSet;

/// The page that says what each field means.
const DOCUMENTED: &str = include_str!("../../RECORDS.md");

/// Fields whose contents are another's: a collector's, a workload's, a histogram's.
const LEAVES: [&str; 8] = [
    "settings",
    "parameters",
    "pauses.histogram",
    "pauses.below_floor",
    "pauses.unclocked",
    "memory.points",
    "latency.intended",
    "latency.simple",
];

/// Adds the path of every field in a value that is at `path`.
fn walk(path: &str, value: &Value, paths: &mut BTreeSet<String>) {
    if !path.is_empty() {
        paths.insert(path.trim_end_matches("[]").to_owned());
    }
    if LEAVES.contains(&path) {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&path, field, paths);
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| walk(&format!("{path}[]"), item, paths))
        }
        _ => {}
    }
}

/// The paths in the first column of the page's tables.
fn documented() -> BTreeSet<String> {
    let rows = DOCUMENTED.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`')).map(|(path, _)| path.to_owned()).collect()
}

#[test]
fn every_field_of_a_record_is_documented_and_every_documented_field_occurs() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = SMALL
        .replace("invocations = 2", "invocations = 1\naudit = \"every\"")
        .replace("name = \"leak\"", "name = \"generational\"")
        + "\n[[workloads]]\nname = \"requests\"\nparameters = { requests = 200 }\n";
    assert_eq!(run(folder.path(), &experiment, &[]).0, 0);
    let mut paths = BTreeSet::new();
    for record in records(folder.path()) {
        walk("", &record, &mut paths);
    }
    let documented = documented();
    // An object is documented by its fields, unless it can be null.
    let is_parent = |path: &String| {
        documented.iter().any(|other| {
            other.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']))
        })
    };
    let silent: Vec<_> =
        paths.iter().filter(|path| !documented.contains(*path) && !is_parent(path)).collect();
    assert!(silent.is_empty(), "not in RECORDS.md: {silent:?}");
    let gone: Vec<_> = documented.difference(&paths).collect();
    assert!(gone.is_empty(), "in RECORDS.md and in no record: {gone:?}");
}

#[test]
fn a_timed_run_is_told_what_was_live_by_the_audited_one() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = SMALL.replace("name = \"leak\"", "name = \"mark-sweep\"");
    assert_eq!(run(folder.path(), &experiment, &["--workloads", "friends"]).0, 0);
    let records = records(folder.path());
    let (audited, timed) = records.split_at(1);
    let number = |record: &Value, path: &str| {
        record.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}: {record}"))
    };
    assert_eq!(
        (&audited[0]["audited"], &audited[0]["collector"]),
        (&true.into(), &"mark-sweep".into())
    );
    assert!(audited[0]["pauses"].is_null() && audited[0]["drag"].is_array());
    assert!(timed.len() == 4 && timed.iter().all(|record| record["audited"] == false));
    for record in timed {
        assert!(record["drag"].is_null() && record["bytes"]["leaks"].is_null());
        let held = number(record, "/bytes/peak_held");
        assert!(number(record, "/bytes/live_peak") <= held, "{record}");
        assert!(number(record, "/bytes/floating_peak") <= held, "{record}");
        assert!(number(record, "/bytes/floating_mean") > 0, "{record}");
        let points = record["memory"]["points"].as_array().unwrap();
        assert!((2..=512).contains(&points.len()));
        let last = points[points.len() - 1].as_array().unwrap();
        assert_eq!(last[2].as_u64().unwrap(), number(record, "/bytes/allocated"));
    }
    // Two pairs are alive at a time at most; what counting does not free are the cycles.
    let refcount = timed.iter().find(|record| record["collector"] == "refcount").unwrap();
    assert!(number(refcount, "/bytes/live_peak") < 1_000, "{refcount}");
    let leaked = number(refcount, "/bytes/leaked");
    assert!(number(refcount, "/bytes/floating_peak").abs_diff(leaked) < leaked / 50, "{refcount}");
    assert_eq!(number(&audited[0], "/bytes/leaks/structural/bytes"), 0);
    assert_eq!(
        number(&audited[0], "/bytes/leaks/policy/bytes"),
        number(&audited[0], "/bytes/held_at_end")
    );
}
