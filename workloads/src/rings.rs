//! Rings: cyclic garbage of any size, beside lists of the same size that are not cyclic.
//!
//! *Claims tested:* that the cost of finding a cycle does not depend on its length, that a collector gains from garbage
//! that it need not look for (the lists), and that what survives a few young collections is still found when it dies.
//! Each ring is kept until a number of others have been made, so with large batches rings die old. The lists are what
//! counting handles at once, by a cascade of releases as long as the list.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, Program, Reference, Workload,
    chains::{self, Shape},
    parameter::within,
    program::sum_of_words,
};

/// The workload `rings`.
pub struct Rings;

/// How many rings, of which size and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Rings and lists made by each thread.
    pub rings: u64,
    /// Nodes of each.
    pub ring_size: u32,
    /// Of 100, how many are rings; the others are lists.
    pub cyclic_percent: u32,
    /// Rings and lists alive at a time.
    pub kept: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { rings: 30_000, ring_size: 100, cyclic_percent: 50, kept: 100, words: 2 }
    }
}

/// The classes of the workload.
pub struct Setup<C: Manager> {
    node: C::Class,
    batch: C::Class,
}

impl Workload for Rings {
    const NAME: &'static str = "rings";
    const SUMMARY: &'static str = "rings and lists of one size, kept for a while: \
                                   what does cyclic garbage cost that plain garbage does not?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "rings",
            default: "30000",
            unit: "rings",
            range: "1 to 1000000000",
            meaning: "rings and lists made by each thread",
        },
        Parameter {
            name: "ring-size",
            default: "100",
            unit: "objects",
            range: "1 to 100000000",
            meaning: "nodes of each ring and of each list",
        },
        Parameter {
            name: "cyclic-percent",
            default: "50",
            unit: "%",
            range: "0 to 100",
            meaning: "how many are rings; the others are lists",
        },
        Parameter {
            name: "kept",
            default: "100",
            unit: "rings",
            range: "1 to 1000000",
            meaning: "rings and lists alive at a time: the oldest is dropped for each new one",
        },
        Parameter {
            name: "words",
            default: "2",
            unit: "words of 8 bytes",
            range: "1 to 1024",
            meaning: "data in each node",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = Setup<C>;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("rings", parameters.rings, 1..=1_000_000_000)?;
        within("ring-size", parameters.ring_size.into(), 1..=100_000_000)?;
        within("cyclic-percent", parameters.cyclic_percent.into(), 0..=100)?;
        within("kept", parameters.kept.into(), 1..=1_000_000)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Setup<C>, OutOfMemory> {
        Ok(Setup {
            node: program.class("Node", 1, parameters.words),
            batch: program.class("Batch", 0, 0),
        })
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Setup<C>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        let batch = program.alloc_with(&setup.batch, parameters.kept)?;
        for made in 0..parameters.rings {
            let place = (made % u64::from(parameters.kept)) as usize;
            let shape = Shape::choose(&mut program.choices, parameters.cyclic_percent);
            let head = chains::make(program, &setup.node, shape, parameters.ring_size)?;
            if let Some(oldest) = program.swap(&batch, place, Some(&head)) {
                chains::read(program, &oldest, parameters.ring_size);
            }
        }
        for place in 0..parameters.kept as usize {
            if let Some(head) = batch.get(place) {
                chains::read(program, &head, parameters.ring_size);
            }
        }
        Ok(())
    }

    fn predict(parameters: &Parameters, mut choices: Choices) -> Expected {
        let words = u64::from(parameters.words);
        let mut expected = Expected::default();
        for _ in 0..parameters.rings {
            let shape = Shape::choose(&mut choices, parameters.cyclic_percent);
            for position in 0..parameters.ring_size {
                let value = choices.word();
                expected.checksum = expected.checksum.wrapping_add(sum_of_words(value, words));
                if shape == Shape::Ring {
                    expected.cyclic.add(1, words);
                    if position == 0 {
                        expected.checksum = expected.checksum.wrapping_add(value);
                    }
                }
            }
        }
        expected
    }
}
