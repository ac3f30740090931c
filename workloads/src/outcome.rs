//! What a run came to, and what it should have come to.

use collectors::{Collector, object_bytes};
use serde::Serialize;
use std::{collections::BTreeMap, iter::Sum};

/// What a run came to. The same under every collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[must_use = "a checksum proves something only when it is compared"]
pub struct Outcome {
    /// Data words read back through the heap, combined by wrapping addition.
    pub checksum: u64,
    /// Allocations and slot stores, those of null included.
    pub operations: u64,
}

/// What a run has to come to, worked out without a heap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// What [`Outcome::checksum`] has to be.
    pub checksum: u64,
    /// All that counting alone never frees: the objects of dropped cycles, and what hangs off them.
    pub cyclic: Objects,
}

/// A number of objects, by what they consist of: what a collector adds to each may depend on that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Slots and data words of an object, and how many objects have so many of both.
    by_shape: BTreeMap<(u64, u64), u64>,
}

impl Objects {
    /// Adds one object of so many slots and data words.
    pub fn add(&mut self, slots: u64, words: u64) {
        *self.by_shape.entry((slots, words)).or_default() += 1;
    }

    /// Number of objects.
    pub fn count(&self) -> u64 {
        self.by_shape.values().sum()
    }

    /// Reference slots in all of them.
    pub fn slots(&self) -> u64 {
        self.by_shape.iter().map(|((slots, _), count)| slots * count).sum()
    }

    /// Data words (8 bytes each) in all of them.
    pub fn words(&self) -> u64 {
        self.by_shape.iter().map(|((_, words), count)| words * count).sum()
    }

    /// The bytes that they take under `C`, as its heap counts them: headers, slots and data.
    pub fn bytes<C: Collector>(&self) -> u64 {
        let each = |&(slots, words): &(u64, u64)| object_bytes::<C>(slots, words);
        self.by_shape.iter().map(|(shape, count)| each(shape) * count).sum()
    }
}

impl Sum for Outcome {
    fn sum<I: Iterator<Item = Self>>(outcomes: I) -> Self {
        outcomes.fold(Self::default(), |total, one| Self {
            checksum: total.checksum.wrapping_add(one.checksum),
            operations: total.operations + one.operations,
        })
    }
}

impl Sum for Expected {
    fn sum<I: Iterator<Item = Self>>(expected: I) -> Self {
        expected.fold(Self::default(), |mut total, one| {
            total.checksum = total.checksum.wrapping_add(one.checksum);
            for (shape, count) in one.cyclic.by_shape {
                *total.cyclic.by_shape.entry(shape).or_default() += count;
            }
            total
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_add_up() {
        let mut objects = Objects::default();
        for (slots, words) in [(1, 2), (1, 2), (300, 1)] {
            objects.add(slots, words);
        }
        assert_eq!((objects.count(), objects.slots(), objects.words()), (3, 302, 5));
        let one = Expected { checksum: u64::MAX, cyclic: objects };
        let two: Expected = [one.clone(), one].into_iter().sum();
        assert_eq!((two.checksum, two.cyclic.count(), two.cyclic.slots()), (u64::MAX - 1, 6, 604));
    }
}
