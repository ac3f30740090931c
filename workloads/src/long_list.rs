//! Long lists: one chain of very many nodes, made and dropped as a whole, again and again.
//!
//! *Claim tested:* that counting has no pauses. To drop the last reference to a list is one store for the program, but
//! the first node's death releases the second, and so on to the end: a pause as long as the list, on the thread that
//! happened to let go, and in a naive implementation a recursion as deep. A collector that defers or bounds its releases
//! spreads this out; one that traces does not see it at all. Nothing is cyclic.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, Program, Workload, chains,
    parameter::within, program::sum_of_words,
};

/// The workload `long-list`.
pub struct LongList;

/// How many lists and how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Lists made by each thread, one after the other.
    pub lists: u32,
    /// Nodes of each.
    pub nodes: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { lists: 6, nodes: 500_000, words: 2 }
    }
}

impl Workload for LongList {
    const NAME: &'static str = "long-list";
    const SUMMARY: &'static str = "lists of very many nodes, made, read and dropped at once: \
                                   does counting have no pauses?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "lists",
            default: "6",
            unit: "lists",
            range: "1 to 1000000",
            meaning: "lists made by each thread, one after the other",
        },
        Parameter {
            name: "nodes",
            default: "500000",
            unit: "objects",
            range: "1 to 1000000000",
            meaning: "nodes of each list",
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
    type Setup<C: Manager> = C::Class;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("lists", parameters.lists.into(), 1..=1_000_000)?;
        within("nodes", parameters.nodes.into(), 1..=1_000_000_000)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<C::Class, OutOfMemory> {
        Ok(program.class("Node", 1, parameters.words))
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &C::Class,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        for _ in 0..parameters.lists {
            let mut head = program.alloc(setup)?;
            for _ in 1..parameters.nodes {
                let before = program.alloc(setup)?;
                program.set(&before, chains::NEXT, Some(&head));
                head = before;
            }
            chains::read(program, &head, parameters.nodes);
        }
        Ok(())
    }

    fn predict(parameters: &Parameters, mut choices: Choices) -> Expected {
        let nodes = u64::from(parameters.lists) * u64::from(parameters.nodes);
        let words = u64::from(parameters.words);
        let checksum =
            (0..nodes).fold(0_u64, |sum, _| sum.wrapping_add(sum_of_words(choices.word(), words)));
        Expected { checksum, ..Expected::default() }
    }
}
