//! The linear rule: a full collection when the old generation has grown by a given share.

use serde::{Deserialize, Serialize};

use super::{GENERATIONS, Old, require};
use crate::SettingsError;

/// CPython's 25 % rule with another share than 25 %. Between full collections the old generation grows by the share, so
/// each old object is looked at about `1 / ratio` times in all, and dead old cycles are at most `ratio` of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LinearSettings {
    /// What must be exceeded for a young, a middle and a full collection.
    pub thresholds: [u32; GENERATIONS],
    /// How much the old generation must have grown, as a share of what survived the last full collection.
    pub ratio: f64,
}

impl Default for LinearSettings {
    fn default() -> Self {
        Self { thresholds: [700, 10, 10], ratio: 0.25 }
    }
}

impl LinearSettings {
    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        require("tuned", "ratio", self.ratio, 0.0..=100.0, "a number from 0 to 100")
    }

    pub(super) fn agrees_to_full(&self, old: Old) -> bool {
        old.pending as f64 >= self.ratio * old.total as f64
    }
}
