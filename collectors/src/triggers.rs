//! Triggers: when a generational collector collects, and which generation.
//!
//! A trigger is asked when the net number of allocations since the last collection exceeds its young threshold. All of
//! them count like CPython: a generation is due when it exceeds its own threshold; the oldest due one is collected; and
//! the oldest of all only if the trigger's full rule agrees. They differ in the thresholds and in the full rule.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Setting, SettingsError};

mod fixed;
pub(crate) mod growth;
mod linear;
mod square_root;
mod tuned;
mod yield_aware;

pub use self::{
    fixed::{Fixed, FixedSettings},
    linear::LinearSettings,
    square_root::SquareRootSettings,
    tuned::{Tuned, TunedSettings},
    yield_aware::YieldAwareSettings,
};

/// The number of generations.
pub(crate) const GENERATIONS: usize = 3;

/// Decides when to collect, and learns from what was found.
pub trait Trigger: Debug + Send + Sized + 'static {
    /// The name of the collector with this trigger.
    const NAME: &'static str;
    /// What it does, in one sentence.
    const SUMMARY: &'static str;
    /// Where it was published: authors, title, venue, year.
    const PAPER: &'static str;
    /// Its settings, as `Settings` reads them.
    const SETTINGS: &'static [Setting];

    /// Its settings.
    type Settings: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync;

    /// The trigger of a new heap.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range.
    fn new(settings: Self::Settings) -> Result<Self, SettingsError>;

    /// What must be exceeded: net allocations since the last collection, young collections since the last middle one,
    /// middle ones since the last full one. A young threshold of 0 turns collection off.
    fn thresholds(&self) -> [u32; GENERATIONS];

    /// Whether a full collection is worth its cost, if its threshold is exceeded.
    fn agrees_to_full(&self, old: Old) -> bool;

    /// A collection has ended.
    fn learn(&mut self, _found: Found) {}
}

/// The old generation, as a trigger sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Old {
    /// Objects that survived the last full collection.
    pub total: u64,
    /// Objects that have become old since.
    pub pending: u64,
}

/// What a collection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The oldest generation that was collected.
    pub generation: usize,
    /// Objects that were looked at.
    pub examined: u64,
    /// Those of them that were garbage.
    pub garbage: u64,
    /// Objects that had become old since the last full collection.
    pub pending: u64,
}

/// The oldest generation that is due: the counts against the thresholds, strictly, and the full rule.
pub(crate) fn select<T: Trigger>(
    trigger: &T,
    counts: [u32; GENERATIONS],
    old: Old,
) -> Option<usize> {
    let thresholds = trigger.thresholds();
    if thresholds[0] == 0 {
        return None;
    }
    let is_due = |&generation: &usize| {
        counts[generation] > thresholds[generation]
            && (generation < 2 || trigger.agrees_to_full(old))
    };
    (0..GENERATIONS).rev().find(is_due)
}

/// Tests that `value` of `setting` lies in a range.
fn require(
    collector: &'static str,
    setting: &'static str,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
    expected: &'static str,
) -> Result<(), SettingsError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(SettingsError { collector, setting, value: value.to_string(), expected })
}
