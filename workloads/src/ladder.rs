//! Ladders: cycles that refer to one another, each to the next, and die together.
//!
//! *Claim tested:* that to look at one candidate at a time is fast enough. Trial deletion asks of an object whether it is
//! alive but for references from inside; asked of one cycle of a ladder, the answer is no for all but the first, and to
//! find that out takes a walk to the ladder's end. Done root by root, as in Lins's first algorithm, the whole takes
//! quadratic time; done for all roots at once (Bacon and Rajan) it is linear, but the cycles then have to be freed in
//! the right order, or only one of them is in each collection.
//!
//! Which order of the candidates is the worst depends on the collector, so that ladders are made from the top and from
//! the bottom in turn.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Workload,
    chains::{self, Shape},
    parameter::within,
};

/// The slot of the first node of a cycle that holds that of the next cycle.
const BELOW: usize = 1;

/// The workload `ladder`.
pub struct Ladder;

/// How many ladders, of which size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Ladders made by each thread, one after the other.
    pub ladders: u32,
    /// Cycles of each ladder.
    pub rungs: u32,
    /// Nodes of each cycle.
    pub cycle_size: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { ladders: 1000, rungs: 1000, cycle_size: 2, words: 2 }
    }
}

impl Workload for Ladder {
    const NAME: &'static str = "ladder";
    const SUMMARY: &'static str = "chains of cycles that die together: \
                                   what if candidates are looked at one by one?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "ladders",
            default: "1000",
            unit: "ladders",
            range: "1 to 1000000000",
            meaning: "ladders made by each thread, one after the other",
        },
        Parameter {
            name: "rungs",
            default: "1000",
            unit: "cycles",
            range: "1 to 100000000",
            meaning: "cycles of each ladder",
        },
        Parameter {
            name: "cycle-size",
            default: "2",
            unit: "objects",
            range: "1 to 1000000",
            meaning: "nodes of each cycle",
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
        within("ladders", parameters.ladders.into(), 1..=1_000_000_000)?;
        within("rungs", parameters.rungs.into(), 1..=100_000_000)?;
        within("cycle-size", parameters.cycle_size.into(), 1..=1_000_000)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<C::Class, OutOfMemory> {
        Ok(node(program, parameters))
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &C::Class,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        play(program, setup, parameters)
    }

    fn predict(parameters: &Parameters, choices: Choices) -> Expected {
        PlainMemory::play(choices, |memory| {
            let node = node(memory, parameters);
            play(memory, &node, parameters)
        })
    }
}

/// Makes and drops all ladders.
fn play<M: Memory>(
    memory: &mut M,
    node: &M::Class,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    for made in 0..parameters.ladders {
        let first = match made % 2 {
            0 => from_the_top(memory, node, parameters)?,
            _ => from_the_bottom(memory, node, parameters)?,
        };
        let mut rung = Some(first);
        while let Some(cycle) = rung {
            chains::read(memory, &cycle, parameters.cycle_size);
            rung = memory.follow(&cycle, BELOW);
        }
    }
    Ok(())
}

/// The class of the nodes.
fn node<M: Memory>(memory: &mut M, parameters: &Parameters) -> M::Class {
    memory.class("Node", 2, parameters.words)
}

/// Makes a ladder whose first cycle is the oldest.
fn from_the_top<M: Memory>(
    memory: &mut M,
    node: &M::Class,
    parameters: &Parameters,
) -> Result<M::Root, OutOfMemory> {
    let first = chains::make(memory, node, Shape::Ring, parameters.cycle_size)?;
    let mut last = first.clone();
    for _ in 1..parameters.rungs {
        let next = chains::make(memory, node, Shape::Ring, parameters.cycle_size)?;
        memory.set(&last, BELOW, Some(&next));
        last = next;
    }
    Ok(first)
}

/// Makes a ladder whose first cycle is the youngest.
fn from_the_bottom<M: Memory>(
    memory: &mut M,
    node: &M::Class,
    parameters: &Parameters,
) -> Result<M::Root, OutOfMemory> {
    let mut first = chains::make(memory, node, Shape::Ring, parameters.cycle_size)?;
    for _ in 1..parameters.rungs {
        let above = chains::make(memory, node, Shape::Ring, parameters.cycle_size)?;
        memory.set(&above, BELOW, Some(&first));
        first = above;
    }
    Ok(first)
}
