//! The tuned trigger: one of several rules, chosen by a setting.

use serde::{Deserialize, Serialize};

use super::{
    Found, GENERATIONS, Old, Trigger,
    fixed::{Fixed, FixedSettings},
    linear::LinearSettings,
    square_root::{SquareRoot, SquareRootSettings},
    yield_aware::{YieldAware, YieldAwareSettings},
};
use crate::{Setting, SettingsError};

/// A trigger that follows one of several rules.
#[derive(Debug)]
pub struct Tuned {
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Fixed(Fixed),
    Linear(LinearSettings),
    SquareRoot(SquareRoot),
    YieldAware(YieldAware),
}

/// Settings of [`Tuned`]: `policy = { linear = { ratio = 0.5 } }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TunedSettings {
    /// Which rule, with its settings.
    pub policy: Policy,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Fixed thresholds and CPython's 25 % rule.
    Fixed(FixedSettings),
    /// The 25 % rule with another share.
    Linear(LinearSettings),
    /// Growth by the square root of the old generation's size.
    SquareRoot(SquareRootSettings),
    /// Thresholds that follow what collections find.
    YieldAware(YieldAwareSettings),
}

impl Default for Policy {
    fn default() -> Self {
        Self::YieldAware(YieldAwareSettings::default())
    }
}

impl Trigger for Tuned {
    const NAME: &'static str = "tuned";
    const SUMMARY: &'static str =
        "the same with a trigger of your choice; by default it follows what it finds";
    const PAPER: &'static str = "thresholds after CPython, PHP and Nim; square root after M. Kirisame, P. Shenoy, \
                                 P. Panchekha, Optimal heap limits, OOPSLA, 2022";
    const SETTINGS: &'static [Setting] = &[Setting {
        name: "policy",
        default: "{ yield-aware = { thresholds = [700, 10, 10], most = 20000, low = 0.1, high = 0.5 } }",
        unit: "objects; `ratio`, `low` and `high` are shares",
        range: "fixed = { thresholds }, linear = { thresholds, ratio }, square-root = { thresholds, weight }, \
                yield-aware = { thresholds, most, low, high }",
        meaning: "when a young and when a full collection is due",
    }];

    type Settings = TunedSettings;

    fn new(settings: TunedSettings) -> Result<Self, SettingsError> {
        let rule = match settings.policy {
            Policy::Fixed(settings) => Rule::Fixed(Fixed::new(settings)?),
            Policy::Linear(settings) => {
                settings.validate()?;
                Rule::Linear(settings)
            }
            Policy::SquareRoot(settings) => Rule::SquareRoot(SquareRoot::new(settings)?),
            Policy::YieldAware(settings) => Rule::YieldAware(YieldAware::new(settings)?),
        };
        Ok(Self { rule })
    }

    fn thresholds(&self) -> [u32; GENERATIONS] {
        match &self.rule {
            Rule::Fixed(rule) => rule.thresholds(),
            Rule::Linear(settings) => settings.thresholds,
            Rule::SquareRoot(rule) => rule.settings.thresholds,
            Rule::YieldAware(rule) => rule.thresholds(),
        }
    }

    fn agrees_to_full(&self, old: Old) -> bool {
        match &self.rule {
            Rule::Fixed(rule) => rule.agrees_to_full(old),
            Rule::Linear(settings) => settings.agrees_to_full(old),
            Rule::SquareRoot(rule) => rule.agrees_to_full(old),
            Rule::YieldAware(rule) => rule.agrees_to_full(old),
        }
    }

    fn learn(&mut self, found: Found) {
        match &mut self.rule {
            Rule::Fixed(_) | Rule::Linear(_) => {}
            Rule::SquareRoot(rule) => rule.learn(found),
            Rule::YieldAware(rule) => rule.learn(found),
        }
    }
}
