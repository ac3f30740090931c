//! Binary trees: the workload of the Computer Language Benchmarks Game, after Ellis, Kovac and Boehm's GCBench.
//!
//! *Claim tested:* that a cycle detector costs nothing where there are no cycles. There are none here, counting frees
//! every tree the moment it is dropped, and whatever else a collector does is overhead: under CPython 3.11 the detector
//! doubles the run time of programs like this one. A stretch tree grows the heap first, a long-lived tree stays until
//! the end, and between them many trees of each depth are made from the bottom up, read and dropped.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, Program, Reference, Workload,
    parameter::within, program::sum_of_words,
};

/// The slots of a node that hold its children.
pub(crate) const CHILDREN: [usize; 2] = [0, 1];

/// The smallest depth of the short-lived trees, as in the Benchmarks Game.
const SHALLOWEST: u32 = 4;

/// The workload `binary-trees`.
pub struct BinaryTrees;

/// How deep the trees are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Depth of the long-lived tree and of the deepest short-lived ones.
    pub depth: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { depth: 15, words: 1 }
    }
}

impl Workload for BinaryTrees {
    const NAME: &'static str = "binary-trees";
    const SUMMARY: &'static str = "trees made, read and dropped, as in the Benchmarks Game: \
                                   what does cycle detection cost where there are no cycles?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "depth",
            default: "15",
            unit: "levels",
            range: "4 to 28",
            meaning: "edges from the root of the long-lived tree to its leaves",
        },
        Parameter {
            name: "words",
            default: "1",
            unit: "words of 8 bytes",
            range: "1 to 1024",
            meaning: "data in each node",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = C::Class;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("depth", parameters.depth.into(), u64::from(SHALLOWEST)..=28)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<C::Class, OutOfMemory> {
        Ok(program.class("Tree", 2, parameters.words))
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        tree: &C::Class,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        let stretch = grow(program, tree, parameters.depth + 1)?;
        read(program, &stretch);
        drop(stretch);

        let long_lived = grow(program, tree, parameters.depth)?;
        for (depth, count) in short_lived(parameters.depth) {
            for _ in 0..count {
                let short_lived = grow(program, tree, depth)?;
                read(program, &short_lived);
            }
        }
        read(program, &long_lived);
        Ok(())
    }

    fn predict(parameters: &Parameters, mut choices: Choices) -> Expected {
        let nodes_of = |depth: u32| (2 << depth) - 1;
        let short: u64 = short_lived(parameters.depth).map(|(d, count)| count * nodes_of(d)).sum();
        let nodes = nodes_of(parameters.depth + 1) + nodes_of(parameters.depth) + short;
        let words = u64::from(parameters.words);
        // Every node is read once, in whatever order.
        let checksum =
            (0..nodes).fold(0_u64, |sum, _| sum.wrapping_add(sum_of_words(choices.word(), words)));
        Expected { checksum, ..Expected::default() }
    }
}

/// The depths of the short-lived trees, and how many there are of each: about as many nodes at every depth.
fn short_lived(deepest: u32) -> impl Iterator<Item = (u32, u64)> {
    (SHALLOWEST..=deepest).step_by(2).map(move |depth| (depth, 1 << (deepest - depth + SHALLOWEST)))
}

/// Makes a tree from the bottom up. Recursion is no deeper than the tree, which is no deeper than its parameter.
pub(crate) fn grow<'m, C: Manager>(
    program: &mut Program<'m, C>,
    tree: &C::Class,
    depth: u32,
) -> Result<C::Root<'m>, OutOfMemory> {
    if depth == 0 {
        return program.alloc(tree);
    }
    let left = grow(program, tree, depth - 1)?;
    let right = grow(program, tree, depth - 1)?;
    let node = program.alloc(tree)?;
    program.set(&node, CHILDREN[0], Some(&left));
    program.set(&node, CHILDREN[1], Some(&right));
    Ok(node)
}

/// Reads every node of a tree.
pub(crate) fn read<'m, C: Manager>(program: &mut Program<'m, C>, node: &C::Root<'m>) {
    program.read(node);
    for child in CHILDREN {
        if let Some(child) = node.get(child) {
            read(program, &child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_trees_as_in_the_benchmarks_game() {
        // Its output for n = 10: 1024 trees of depth 4, 256 of depth 6, 64 of depth 8, 16 of depth 10.
        let trees: Vec<_> = short_lived(10).collect();
        assert_eq!(trees, [(4, 1024), (6, 256), (8, 64), (10, 16)]);
    }
}
