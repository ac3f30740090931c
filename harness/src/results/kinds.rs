//! Kinds of runs: what tells one configuration from another, in which order they stand, and what they are called.

use crate::record::Record;
use serde_json::Value;
use std::cmp::Ordering;

/// A kind of run: a name, its values, and the number of threads.
pub(super) type Kind<'r> = (&'r String, &'r Value, usize);

/// The kinds that occur, in the order of the list and then of their values.
pub(super) fn kinds<'r>(
    records: &'r [Record],
    kind: impl Fn(&'r Record) -> Kind<'r>,
    names: &[&str],
) -> Vec<Kind<'r>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for run in records {
        let kind = kind(run);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or(usize::MAX);
    kinds.sort_by(|left, right| {
        let key = |kind: &Kind<'r>| (place(kind.0), kind.0, kind.2);
        key(left).cmp(&key(right)).then_with(|| compare(left.1, right.1))
    });
    kinds
}

/// The name, and whatever tells it from others of the same name.
pub(super) fn label((name, values, threads): Kind<'_>, all: &[Kind<'_>]) -> String {
    let others = all.iter().filter(|(other, ..)| *other == name);
    let (values_of, threads_of): (Vec<&Value>, Vec<usize>) =
        others.map(|(_, values, threads)| (*values, *threads)).unzip();
    let mut told = differences(values, &values_of);
    if threads_of.iter().any(|other| *other != threads) {
        told.push(match threads {
            1 => "1 thread".to_owned(),
            _ => format!("{threads} threads"),
        });
    }
    if told.is_empty() { name.clone() } else { format!("{name} ({})", told.join(", ")) }
}

/// Numbers by their size, lists and tables by their members, everything else as it is written.
fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let float = |number: &serde_json::Number| number.as_f64().unwrap_or(f64::NAN);
            float(left).total_cmp(&float(right))
        }
        (Value::Array(left), Value::Array(right)) => {
            let members = left.iter().zip(right).map(|(left, right)| compare(left, right));
            members.fold(left.len().cmp(&right.len()), |first, next| match first {
                Ordering::Equal => next,
                _ => first,
            })
        }
        (Value::Object(left), Value::Object(right)) => {
            let keys = left.keys().cmp(right.keys());
            let members = left.values().zip(right.values());
            keys.then_with(|| {
                members.fold(Ordering::Equal, |first, (left, right)| {
                    first.then_with(|| compare(left, right))
                })
            })
        }
        _ => left.to_string().cmp(&right.to_string()),
    }
}

/// What tells a table from others: values that are not the same in all, and keys that not all have, such as the name of a
/// rule.
fn differences(values: &Value, others: &[&Value]) -> Vec<String> {
    let mut told = Vec::new();
    for (key, value) in values.as_object().into_iter().flatten() {
        let same: Vec<&Value> = others.iter().filter_map(|other| other.get(key)).collect();
        let all_have_it = same.len() == others.len();
        if all_have_it && same.iter().all(|other| *other == value) {
            continue;
        }
        if value.is_object() {
            if !all_have_it {
                told.push(key.clone());
            }
            told.extend(differences(value, &same));
        } else if !all_have_it || same.iter().any(|other| *other != value) {
            let text = value.to_string().replace(',', ", ");
            told.push(format!("{key} = {}", text.trim_matches('"')));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labels(all: &[Value]) -> Vec<String> {
        let name = "tuned".to_owned();
        let kinds: Vec<Kind<'_>> = all.iter().map(|values| (&name, values, 1)).collect();
        kinds.iter().map(|&kind| label(kind, &kinds)).collect()
    }

    #[test]
    fn a_rule_is_told_by_its_name_and_what_is_its_own() {
        let all = [
            json!({ "policy": { "linear": { "ratio": 0.5, "thresholds": [700, 10, 10] } } }),
            json!({ "policy": { "linear": { "ratio": 1.0, "thresholds": [700, 10, 10] } } }),
            json!({ "policy": { "square-root": { "thresholds": [700, 10, 10] } } }),
        ];
        assert_eq!(
            labels(&all),
            ["tuned (linear, ratio = 0.5)", "tuned (linear, ratio = 1.0)", "tuned (square-root)"]
        );
    }

    #[test]
    fn lists_are_told_whole_and_what_is_the_same_is_not_told() {
        let all = [
            json!({ "thresholds": [700, 10, 10], "other": 1 }),
            json!({ "thresholds": [2000, 10, 10], "other": 1 }),
        ];
        assert_eq!(
            labels(&all),
            ["tuned (thresholds = [700, 10, 10])", "tuned (thresholds = [2000, 10, 10])"]
        );
        assert_eq!(labels(&all[..1]), ["tuned"]);
    }

    #[test]
    fn numbers_in_lists_stand_by_their_size() {
        let mut all = [json!([10_000, 10]), json!([200, 10]), json!([200, 2]), json!([1_000, 10])];
        all.sort_by(compare);
        assert_eq!(
            all,
            [json!([200, 2]), json!([200, 10]), json!([1_000, 10]), json!([10_000, 10])]
        );
    }
}
