//! GCBench: the benchmark of Ellis, Kovac and Boehm, trees of several depths beside long-lived data.
//!
//! *Claim tested:* that a collector which does well on short-lived objects does well on objects of every age. Trees of
//! each depth are made in both of the classic orders: from the top down, where every store makes an older object refer
//! to a younger one (the worst case of a write barrier and of a young collection), and from the bottom up, where none
//! does. A tree and a large array live from the beginning to the end and are looked at in vain by every full collection.
//! Nothing is cyclic: counting frees each tree when it is dropped.
//!
//! The numbers of trees are those of the original, in which the tree that stretches the heap is two levels deeper than
//! the long-lived one.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, Program, Workload,
    binary_trees::{CHILDREN, grow, read},
    parameter::within,
    program::sum_of_words,
};

/// The smallest depth of the short-lived trees, as in the original.
const SHALLOWEST: u32 = 4;

/// The workload `gcbench`.
pub struct GcBench;

/// How deep the trees are and how long the array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Depth of the long-lived tree and of the deepest short-lived ones.
    pub depth: u32,
    /// Data words of the long-lived array.
    pub array_words: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { depth: 14, array_words: 500_000, words: 2 }
    }
}

/// The classes of the workload.
pub struct Setup<C: Manager> {
    node: C::Class,
    array: C::Class,
}

impl Workload for GcBench {
    const NAME: &'static str = "gcbench";
    const SUMMARY: &'static str = "trees made top-down and bottom-up beside long-lived data (Ellis, Kovac, Boehm): \
                                   what do old objects cost that never die?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "depth",
            default: "14",
            unit: "levels",
            range: "4 to 26",
            meaning: "edges from the root of the long-lived tree to its leaves",
        },
        Parameter {
            name: "array-words",
            default: "500000",
            unit: "words of 8 bytes",
            range: "1 to 100000000",
            meaning: "data in the long-lived array",
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
        within("depth", parameters.depth.into(), u64::from(SHALLOWEST)..=26)?;
        within("array-words", parameters.array_words.into(), 1..=100_000_000)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Setup<C>, OutOfMemory> {
        Ok(Setup {
            node: program.class("Node", 2, parameters.words),
            array: program.acyclic_class("Array", 0, parameters.array_words),
        })
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Setup<C>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        let array = program.alloc(&setup.array)?;
        let stretch = grow(program, &setup.node, stretch_depth(parameters))?;
        read(program, &stretch);
        drop(stretch);

        let long_lived = top_down(program, &setup.node, parameters.depth)?;
        for (depth, count) in short_lived(parameters) {
            for make in [top_down, grow] {
                for _ in 0..count {
                    let tree = make(program, &setup.node, depth)?;
                    read(program, &tree);
                }
            }
        }
        read(program, &long_lived);
        program.read(&array);
        Ok(())
    }

    fn predict(parameters: &Parameters, mut choices: Choices) -> Expected {
        let array = sum_of_words(choices.word(), parameters.array_words.into());
        let short: u64 = short_lived(parameters).map(|(d, count)| 2 * count * nodes_of(d)).sum();
        let nodes = nodes_of(stretch_depth(parameters)) + nodes_of(parameters.depth) + short;
        let words = u64::from(parameters.words);
        // Every node is read once, in whatever order.
        let checksum =
            (0..nodes).fold(array, |sum, _| sum.wrapping_add(sum_of_words(choices.word(), words)));
        Expected { checksum, ..Expected::default() }
    }
}

/// Nodes of a tree.
fn nodes_of(depth: u32) -> u64 {
    (2 << depth) - 1
}

/// The depth of the tree that makes the heap as large as it is going to be.
fn stretch_depth(parameters: &Parameters) -> u32 {
    parameters.depth + 2
}

/// The depths of the short-lived trees, and how many are made of each in each order: about as many nodes at every depth.
fn short_lived(parameters: &Parameters) -> impl Iterator<Item = (u32, u64)> {
    let nodes = 2 * nodes_of(stretch_depth(parameters));
    (SHALLOWEST..=parameters.depth).step_by(2).map(move |depth| (depth, nodes / nodes_of(depth)))
}

/// Makes a tree whose nodes are older than their children. Recursion is no deeper than the tree.
fn top_down<'m, C: Manager>(
    program: &mut Program<'m, C>,
    class: &C::Class,
    depth: u32,
) -> Result<C::Root<'m>, OutOfMemory> {
    let node = program.alloc(class)?;
    populate(program, class, &node, depth)?;
    Ok(node)
}

/// Gives a node its children, and them theirs.
fn populate<'m, C: Manager>(
    program: &mut Program<'m, C>,
    class: &C::Class,
    node: &C::Root<'m>,
    depth: u32,
) -> Result<(), OutOfMemory> {
    if depth == 0 {
        return Ok(());
    }
    let children = [program.alloc(class)?, program.alloc(class)?];
    for (slot, child) in CHILDREN.into_iter().zip(&children) {
        program.set(node, slot, Some(child));
    }
    for child in &children {
        populate(program, class, child, depth - 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_trees_as_in_the_original() {
        // Its output with a long-lived tree of depth 16.
        let parameters = Parameters { depth: 16, ..Parameters::default() };
        let trees: Vec<_> = short_lived(&parameters).collect();
        let original =
            [(4, 33_824), (6, 8_256), (8, 2_052), (10, 512), (12, 128), (14, 32), (16, 8)];
        assert_eq!(trees, original);
    }
}
