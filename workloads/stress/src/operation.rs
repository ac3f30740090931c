//! Operations: what a thread of a storm may do next, drawn from a stream of its own.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// How many roots a thread has names for.
pub(crate) const VARIABLES: usize = 8;

/// Classes of objects: plain, with a finalizer, without slots, with slots only, with many words.
pub(crate) const CLASSES: usize = 5;

/// Slots that an operation may name. Not every class has as many.
pub(crate) const SLOTS: usize = 4;

/// Places in the pool by which threads exchange objects.
pub(crate) const PLACES: usize = 32;

/// The oldest generation that is asked for; collectors with fewer collect their oldest.
const GENERATIONS: usize = 3;

/// One step of one thread. Variables that are empty and slots that an object does not have make it do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Make an object of a class, with so many slots beyond the class's own.
    Allocate {
        /// The variable that it goes to.
        to: usize,
        /// The class.
        class: usize,
        /// Further slots.
        extra: u32,
    },
    /// Copy a root.
    Copy {
        /// The variable that is copied.
        from: usize,
        /// The variable that the copy goes to.
        to: usize,
    },
    /// Drop a root.
    Drop {
        /// The variable.
        variable: usize,
    },
    /// Read a slot.
    Load {
        /// The variable with the object.
        owner: usize,
        /// The slot.
        slot: usize,
        /// The variable that what is found goes to.
        to: usize,
    },
    /// Write a slot.
    Set {
        /// The variable with the object.
        owner: usize,
        /// The slot.
        slot: usize,
        /// The variable that is written, or none: null.
        value: Option<usize>,
    },
    /// Write a slot and keep what it held.
    Swap {
        /// The variable with the object.
        owner: usize,
        /// The slot.
        slot: usize,
        /// The variable that is written.
        value: usize,
        /// The variable that what was found goes to.
        to: usize,
    },
    /// Write a slot if it still holds what has just been found there.
    Exchange {
        /// The variable with the object.
        owner: usize,
        /// The slot.
        slot: usize,
        /// The variable that is written.
        value: usize,
    },
    /// Offer an object to the other threads.
    Share {
        /// The variable with the object.
        from: usize,
        /// The place in the pool.
        place: usize,
    },
    /// Take an object that some thread offers.
    Adopt {
        /// The place in the pool.
        place: usize,
        /// The variable that it goes to.
        to: usize,
    },
    /// Take an offer back.
    Withdraw {
        /// The place in the pool.
        place: usize,
    },
    /// Wait in a blocked section, as for input.
    Block,
    /// Come to a safepoint.
    Safepoint,
    /// Let another thread run.
    Yield,
    /// Collect a generation and the younger ones.
    Collect {
        /// The generation.
        generation: usize,
    },
    /// Drop all roots, detach, and come back as another mutator.
    Leave,
}

impl Operation {
    /// Which of the [`KINDS`](crate::KINDS) it is.
    pub fn kind(self) -> usize {
        match self {
            Self::Allocate { .. } => 0,
            Self::Copy { .. } => 1,
            Self::Drop { .. } => 2,
            Self::Load { .. } => 3,
            Self::Set { .. } => 4,
            Self::Swap { .. } => 5,
            Self::Exchange { .. } => 6,
            Self::Share { .. } => 7,
            Self::Adopt { .. } => 8,
            Self::Withdraw { .. } => 9,
            Self::Block => 10,
            Self::Safepoint => 11,
            Self::Yield => 12,
            Self::Collect { .. } => 13,
            Self::Leave => 14,
        }
    }
}

/// The operations of one thread, without an end: the same for the same seed and number on every machine.
#[derive(Clone, Debug)]
pub struct Operations(ChaCha8Rng);

impl Operations {
    /// Those of the thread with number `thread`.
    pub fn new(seed: u64, thread: usize) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(thread as u64);
        Self(generator)
    }

    /// A number below `bound`. The bias is below `bound` in 2^64.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    fn variable(&mut self) -> usize {
        self.below(VARIABLES)
    }

    /// Slots beyond those of the class: now and then an object is too wide for its header, or for a block.
    fn extra(&mut self) -> u32 {
        match self.below(400) {
            0 => 9_000,
            1..=3 => 300,
            4..=20 => 4,
            _ => 0,
        }
    }
}

impl Iterator for Operations {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        let (one, other) = (self.variable(), self.variable());
        let (slot, place) = (self.below(SLOTS), self.below(PLACES));
        // What builds is more frequent than what tears down, so that there is a graph to break.
        Some(match self.below(1000) {
            0..220 => Operation::Allocate {
                to: one,
                class: [0, 0, 0, 1, 2, 3, 4][self.below(7)],
                extra: self.extra(),
            },
            220..270 => Operation::Copy { from: one, to: other },
            270..340 => Operation::Drop { variable: one },
            340..460 => Operation::Load { owner: one, slot, to: other },
            460..680 => Operation::Set { owner: one, slot, value: Some(other) },
            680..700 => Operation::Set { owner: one, slot, value: None },
            700..770 => Operation::Swap { owner: one, slot, value: other, to: self.variable() },
            770..830 => Operation::Exchange { owner: one, slot, value: other },
            830..880 => Operation::Share { from: one, place },
            880..940 => Operation::Adopt { place, to: one },
            940..955 => Operation::Withdraw { place },
            955..965 => Operation::Block,
            965..978 => Operation::Safepoint,
            978..994 => Operation::Yield,
            994..999 => Operation::Collect { generation: self.below(GENERATIONS) },
            _ => Operation::Leave,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KINDS;

    #[test]
    fn a_seed_and_a_thread_determine_the_operations() {
        let first = |seed, thread| Operations::new(seed, thread).take(10_000).collect::<Vec<_>>();
        assert_eq!(first(7, 3), first(7, 3));
        assert_ne!(first(7, 3), first(7, 4));
        assert_ne!(first(7, 3), first(8, 3));
    }

    #[test]
    fn the_operations_are_the_same_in_every_version() {
        let expected = [
            Operation::Drop { variable: 3 },
            Operation::Swap { owner: 5, slot: 0, value: 3, to: 3 },
            Operation::Drop { variable: 4 },
        ];
        assert_eq!(Operations::new(1, 0).take(3).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_kind_of_operation_is_drawn() {
        let mut drawn = [0; KINDS.len()];
        Operations::new(1, 0).take(20_000).for_each(|operation| drawn[operation.kind()] += 1);
        assert!(drawn.iter().all(|&count| count > 0), "{drawn:?}");
    }
}
