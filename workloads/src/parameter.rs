//! Parameters of workloads: how they are described, and what is said of a bad one.

use serde::Serialize;
use std::ops::RangeInclusive;

/// The description of one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// The name in experiment files.
    pub name: &'static str,
    /// The value if none is given.
    pub default: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// The values allowed: `A to B` for numbers, both ends included.
    pub range: &'static str,
    /// One clause on what it does.
    pub meaning: &'static str,
}

/// A parameter that a workload cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}` is `{value}`, expected {expected}")]
pub struct ParameterError {
    /// The name in experiment files.
    pub name: &'static str,
    /// The value that was given.
    pub value: String,
    /// What was expected instead.
    pub expected: String,
}

/// Checks that a number is in its range.
pub(crate) fn within(
    name: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<(), ParameterError> {
    if range.contains(&value) {
        return Ok(());
    }
    let expected = format!("{} to {}", range.start(), range.end());
    Err(ParameterError { name, value: value.to_string(), expected })
}
