//! The square-root rule: a full collection when the old generation has grown by the square root of its size, times a
//! factor that follows the yield.
//!
//! After M. Kirisame, P. Shenoy, P. Panchekha, *Optimal heap limits for reducing browser memory use*, OOPSLA 2022, with
//! cycle collection in place of tracing. Let `L` be the objects of the old generation, `T` those that become old between
//! two full collections, and `f` the share of them that is garbage. A full collection looks at `L`, so looking costs
//! `L / T` for each object that becomes old; garbage waits in `f T / 2` objects on average. The weighted sum
//! `f T / 2 + c L / T` is least at `T = sqrt(2 c L / f)`. So a big heap is collected more often than under a linear
//! rule, a small one less often, and both less often the less there is to be found.

use serde::{Deserialize, Serialize};

use super::{Found, GENERATIONS, Old, require};
use crate::SettingsError;

/// The least yield that is believed: were it nothing, there would never be another collection to correct it.
const LEAST_YIELD: f64 = 0.01;

/// How much the newest measurement of the yield counts.
const NEWEST: f64 = 0.5;

/// Settings of the square-root rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SquareRootSettings {
    /// What must be exceeded for a young, a middle and a full collection.
    pub thresholds: [u32; GENERATIONS],
    /// The weight of looking at an object against keeping a dead one, in objects.
    pub weight: f64,
}

impl Default for SquareRootSettings {
    fn default() -> Self {
        Self { thresholds: [700, 10, 10], weight: 10_000.0 }
    }
}

/// The square-root rule, with the yield that it has measured.
#[derive(Debug)]
pub(super) struct SquareRoot {
    pub(super) settings: SquareRootSettings,
    garbage_share: f64,
}

impl SquareRoot {
    pub(super) fn new(settings: SquareRootSettings) -> Result<Self, SettingsError> {
        require("tuned", "weight", settings.weight, 1.0..=1e12, "a number from 1 to 1e12")?;
        // Nothing is known of the yield yet; a quarter makes the first full collections as frequent as CPython's.
        Ok(Self { settings, garbage_share: 0.25 })
    }

    pub(super) fn agrees_to_full(&self, old: Old) -> bool {
        let best = (2.0 * self.settings.weight * old.total as f64 / self.garbage_share).sqrt();
        old.pending as f64 >= best
    }

    pub(super) fn learn(&mut self, found: Found) {
        if found.generation == GENERATIONS - 1 && found.pending > 0 {
            let share = (found.garbage as f64 / found.pending as f64).clamp(LEAST_YIELD, 1.0);
            self.garbage_share = NEWEST * share + (1.0 - NEWEST) * self.garbage_share;
        }
    }
}
