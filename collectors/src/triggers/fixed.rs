//! Fixed thresholds and the 25 % rule: CPython's trigger.

use serde::{Deserialize, Serialize};

use super::{GENERATIONS, Old, Trigger};
use crate::{Setting, SettingsError};

/// CPython's trigger: fixed thresholds; a full collection only when the objects that became old since the last one
/// exceed a quarter of those that survived it, which makes the cost of full collections linear in the number of objects
/// that become old.
///
/// After CPython's `gc_select_generation`; the rule is M. von Löwis's, python-dev, 2008.
#[derive(Debug)]
pub struct Fixed {
    thresholds: [u32; GENERATIONS],
}

/// Settings of [`Fixed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FixedSettings {
    /// What must be exceeded for a young, a middle and a full collection.
    pub thresholds: [u32; GENERATIONS],
}

impl Default for FixedSettings {
    fn default() -> Self {
        Self { thresholds: [700, 10, 10] }
    }
}

impl Trigger for Fixed {
    const NAME: &'static str = "generational";
    const SUMMARY: &'static str =
        "counts references, and finds cycles in three generations with CPython's thresholds";
    const PAPER: &'static str = "N. Schemenauer, T. Peters, A. Pitrou et al., CPython's cycle collector (PEP 442 and \
                                 InternalDocs), as in Python 3.11, 2001-2022";
    const SETTINGS: &'static [Setting] = &[Setting {
        name: "thresholds",
        default: "[700, 10, 10]",
        unit: "net allocations, collections, collections",
        range: "whole numbers; the first 0 turns automatic collection off",
        meaning: "what must be exceeded for a young, a middle and a full collection",
    }];

    type Settings = FixedSettings;

    fn new(settings: FixedSettings) -> Result<Self, SettingsError> {
        Ok(Self { thresholds: settings.thresholds })
    }

    fn thresholds(&self) -> [u32; GENERATIONS] {
        self.thresholds
    }

    fn agrees_to_full(&self, old: Old) -> bool {
        old.pending >= old.total / 4
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{super::select, *};

    /// The generations that are collected while objects are allocated and none dies.
    fn sequence(thresholds: [u32; GENERATIONS], allocations: u64) -> Vec<(usize, u64)> {
        let trigger = Fixed::new(FixedSettings { thresholds }).unwrap();
        let (mut counts, mut sizes, mut old) =
            ([0; GENERATIONS], [0_u64; GENERATIONS], Old::default());
        let mut sequence = Vec::new();
        for allocation in 1..=allocations {
            counts[0] += 1;
            if counts[0] > thresholds[0] {
                let generation = select(&trigger, counts, old).unwrap();
                sequence.push((generation, allocation));
                if generation < 2 {
                    counts[generation + 1] += 1;
                }
                counts[..=generation].fill(0);
                let survivors: u64 = sizes[..=generation].iter().sum();
                sizes[..=generation].fill(0);
                sizes[(generation + 1).min(2)] += survivors;
                match generation {
                    1 => old.pending += survivors,
                    2 => old = Old { total: survivors, pending: 0 },
                    _ => {}
                }
            }
            sizes[0] += 1;
        }
        sequence
    }

    #[test]
    fn a_young_collection_happens_at_the_701st_allocation() {
        assert_eq!(sequence([700, 10, 10], 1_500), [(0, 701), (0, 1402)]);
    }

    #[test]
    fn the_cascade_is_cpythons() {
        let generations: Vec<usize> =
            sequence([50, 2, 2], 51 * 13).iter().map(|&(g, _)| g).collect();
        assert_eq!(generations, [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 2]);
        let first_full = sequence([700, 10, 10], 701 * 140).iter().position(|&(g, _)| g == 2);
        assert_eq!(first_full, Some(132), "the 133rd trigger is the first full collection");
    }

    #[test]
    fn full_collections_happen_at_sizes_that_grow_by_a_quarter() {
        let full: Vec<u64> = sequence([700, 10, 10], 5_000_000)
            .iter()
            .filter(|&&(generation, _)| generation == 2)
            .map(|&(_, allocation)| allocation)
            .collect();
        assert_eq!(full.len(), 15, "CPython 3.11 has 15 while it builds a list of five million");
        for pair in full.windows(2) {
            assert!(pair[1] as f64 >= 1.25 * pair[0] as f64 - 20_000.0, "{pair:?}");
        }
    }

    #[test]
    fn a_first_threshold_of_zero_turns_it_off() {
        let trigger = Fixed::new(FixedSettings { thresholds: [0, 10, 10] }).unwrap();
        assert_eq!(select(&trigger, [1_000, 0, 0], Old::default()), None);
    }
}
