//! The yield-aware rule: collect later when little is found, sooner when much is.
//!
//! The young threshold and the share by which the old generation must grow are both multiplied when a collection of
//! their generation finds less than `low` of what it looked at to be garbage, and divided when it finds more than
//! `high`. After the adaptive thresholds of PHP (`zend_gc.c`, D. Stogov, 2018) and of Nim (`orc.nim`, A. Rumpf, 2020),
//! which move theirs by what a run freed.

use serde::{Deserialize, Serialize};

use super::{Found, GENERATIONS, Old, require};
use crate::SettingsError;

/// By how much a threshold moves at once.
const STEP: f64 = 1.5;

/// The range of the share by which the old generation must grow.
const RATIO: std::ops::RangeInclusive<f64> = 0.1..=2.0;

/// Settings of the yield-aware rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct YieldAwareSettings {
    /// What must be exceeded for a young, a middle and a full collection; the first is where the young threshold begins.
    pub thresholds: [u32; GENERATIONS],
    /// The largest young threshold, in net allocations.
    pub most: u32,
    /// Below this share of garbage a threshold grows.
    pub low: f64,
    /// Above this share of garbage a threshold shrinks.
    pub high: f64,
}

impl Default for YieldAwareSettings {
    fn default() -> Self {
        Self { thresholds: [700, 10, 10], most: 20_000, low: 0.1, high: 0.5 }
    }
}

/// The yield-aware rule, with the thresholds that it has arrived at.
#[derive(Debug)]
pub(super) struct YieldAware {
    settings: YieldAwareSettings,
    young: f64,
    ratio: f64,
}

impl YieldAware {
    pub(super) fn new(settings: YieldAwareSettings) -> Result<Self, SettingsError> {
        let first = f64::from(settings.thresholds[0]);
        require(
            "tuned",
            "most",
            f64::from(settings.most),
            first..=1e9,
            "at least the first threshold, at most 1e9",
        )?;
        require("tuned", "high", settings.high, 0.0..=1.0, "a share from 0 to 1")?;
        require("tuned", "low", settings.low, 0.0..=settings.high, "a share from 0 to `high`")?;
        Ok(Self { settings, young: first, ratio: 0.25 })
    }

    pub(super) fn thresholds(&self) -> [u32; GENERATIONS] {
        let [_, middle, full] = self.settings.thresholds;
        [self.young as u32, middle, full]
    }

    pub(super) fn agrees_to_full(&self, old: Old) -> bool {
        old.pending as f64 >= self.ratio * old.total as f64
    }

    pub(super) fn learn(&mut self, found: Found) {
        let share = found.garbage as f64 / found.examined.max(1) as f64;
        let factor = if share < self.settings.low {
            STEP
        } else if share > self.settings.high {
            1.0 / STEP
        } else {
            return;
        };
        let [first, ..] = self.settings.thresholds;
        match found.generation {
            0 => {
                self.young =
                    (self.young * factor).clamp(f64::from(first), f64::from(self.settings.most))
            }
            2 => self.ratio = (self.ratio * factor).clamp(*RATIO.start(), *RATIO.end()),
            _ => {}
        }
    }
}
