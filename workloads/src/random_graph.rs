//! A random graph: nodes that know one another, change whom they know, and leave.
//!
//! *Claim tested:* that cyclic garbage comes in neat pieces. Nobody makes a cycle here to drop it. Two nodes that know
//! one another refer to one another; when they part, both references go. But a node that leaves its place to a new one
//! tells nobody, and lives on for as long as those that know it. It is garbage when the last of them has parted from it
//! or has left too; then the nodes that left one after the other are knots of any size and shape, dead at no particular
//! moment and old. Every store is into an object of any age, at random.
//!
//! Few of those who know a node leave before they have parted from it, unless the share of changes by which a node
//! leaves is set very high; then those who have left hold on to ever more of the past, and the live heap grows.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Reference,
    Workload, memory::STRETCH, parameter::within,
};

/// The workload `random-graph`.
pub struct RandomGraph;

/// How large the graph is and how it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Nodes that have a place.
    pub nodes: u32,
    /// Slots of a node.
    pub degree: u32,
    /// Changes made by each thread.
    pub changes: u64,
    /// Of 100 changes, by how many a node leaves.
    pub leave_percent: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { nodes: 20_000, degree: 4, changes: 800_000, leave_percent: 20, words: 2 }
    }
}

/// The classes of the workload.
pub struct Classes<K> {
    table: K,
    node: K,
}

impl Workload for RandomGraph {
    const NAME: &'static str = "random-graph";
    const SUMMARY: &'static str = "nodes that know one another, part, and leave unnoticed: \
                                   is cyclic garbage found that nobody made on purpose?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "nodes",
            default: "20000",
            unit: "objects",
            range: "2 to 100000000",
            meaning: "nodes that have not left",
        },
        Parameter {
            name: "degree",
            default: "4",
            unit: "slots",
            range: "1 to 1000",
            meaning: "how many others a node can know",
        },
        Parameter {
            name: "changes",
            default: "800000",
            unit: "changes",
            range: "1 to 1000000000",
            meaning: "changes made by each thread",
        },
        Parameter {
            name: "leave-percent",
            default: "20",
            unit: "%",
            range: "0 to 100",
            meaning: "changes by which a node leaves; by the others two get to know one another",
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
    type Setup<C: Manager> = Classes<C::Class>;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("nodes", parameters.nodes.into(), 2..=100_000_000)?;
        within("degree", parameters.degree.into(), 1..=1000)?;
        within("changes", parameters.changes, 1..=1_000_000_000)?;
        within("leave-percent", parameters.leave_percent.into(), 0..=100)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Classes<C::Class>, OutOfMemory> {
        Ok(Classes::new(program, parameters))
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Classes<C::Class>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        play(program, setup, parameters)
    }

    fn predict(parameters: &Parameters, choices: Choices) -> Expected {
        PlainMemory::play(choices, |memory| {
            let classes = Classes::new(memory, parameters);
            play(memory, &classes, parameters)
        })
    }
}

impl<K> Classes<K> {
    fn new<M: Memory<Class = K>>(memory: &mut M, parameters: &Parameters) -> Self {
        let node = memory.class("Node", parameters.degree, parameters.words);
        Self { table: memory.class("Table", 0, 0), node }
    }
}

/// Makes the graph, changes it, and reads what is left.
fn play<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    let table = memory.alloc_with(&classes.table, parameters.nodes)?;
    for place in 0..table.slots() {
        let node = memory.alloc(&classes.node)?;
        memory.set(&table, place, Some(&node));
    }
    for place in 0..table.slots() {
        if let Some(node) = table.get(place) {
            introduce(memory, &table, &node);
        }
    }
    for _ in 0..parameters.changes {
        let place = memory.choices().below(table.slots());
        if memory.choices().percent(parameters.leave_percent) {
            let next = memory.alloc(&classes.node)?;
            if let Some(leaving) = memory.swap(&table, place, Some(&next)) {
                read(memory, &leaving);
            }
            introduce(memory, &table, &next);
        } else if let Some(node) = table.get(place) {
            let slot = memory.choices().below(node.slots());
            meet(memory, &table, &node, slot);
        }
        memory.safepoint();
    }
    for place in 0..table.slots() {
        if let Some(node) = table.get(place) {
            read(memory, &node);
        }
        if place.is_multiple_of(STRETCH) {
            memory.safepoint();
        }
    }
    Ok(())
}

/// Lets a node get to know as many others as it can.
fn introduce<M: Memory>(memory: &mut M, table: &M::Root, node: &M::Root) {
    for slot in 0..node.slots() {
        meet(memory, table, node, slot);
    }
}

/// Lets a node get to know another one, for which each parts from whom it knew by that slot.
fn meet<M: Memory>(memory: &mut M, table: &M::Root, node: &M::Root, slot: usize) {
    let place = memory.choices().below(table.slots());
    let Some(other) = table.get(place) else { return };
    let other_slot = memory.choices().below(other.slots());
    // Nobody gets to know itself.
    if other.same(node) {
        return;
    }
    part(memory, node, slot);
    part(memory, &other, other_slot);
    memory.set(node, slot, Some(&other));
    memory.set(&other, other_slot, Some(node));
}

/// Parts a node from the one that it knows by a slot, on both sides.
fn part<M: Memory>(memory: &mut M, node: &M::Root, slot: usize) {
    let Some(other) = memory.swap(node, slot, None) else { return };
    memory.glance(&other);
    let knows = |slot: &usize| other.get(*slot).is_some_and(|back| back.same(node));
    if let Some(back) = (0..other.slots()).find(knows) {
        memory.replace(&other, back, None);
    }
}

/// Reads a node and all that it refers to.
fn read<M: Memory>(memory: &mut M, node: &M::Root) {
    memory.read(node);
    for slot in 0..node.slots() {
        memory.follow(node, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_knows_another_is_known_by_it_until_one_has_left() {
        let parameters = Parameters { nodes: 50, ..Parameters::default() };
        PlainMemory::play(Choices::new(1, 0), |memory| {
            let classes = Classes::new(memory, &parameters);
            let table = memory.alloc_with(&classes.table, parameters.nodes)?;
            for place in 0..table.slots() {
                let node = memory.alloc(&classes.node)?;
                memory.set(&table, place, Some(&node));
            }
            let nodes: Vec<_> = (0..table.slots()).filter_map(|place| table.get(place)).collect();
            for _ in 0..20 {
                nodes.iter().for_each(|node| introduce(memory, &table, node));
            }
            let others = |node: &crate::PlainRoot| {
                (0..node.slots()).filter_map(|slot| node.get(slot)).collect::<Vec<_>>()
            };
            let mut known = 0;
            for node in &nodes {
                for other in others(node) {
                    let times = |one, other: &crate::PlainRoot| {
                        others(one).iter().filter(|known| known.same(other)).count()
                    };
                    assert_eq!(times(node, &other), times(&other, node));
                    assert!(!node.same(&other), "a node knows itself");
                    known += 1;
                }
            }
            assert!(known > 80, "only {known} slots are taken");
            nodes.iter().for_each(|node| (0..4).for_each(|slot| part(memory, node, slot)));
            assert!(nodes.iter().all(|node| others(node).is_empty()));
            Ok(())
        });
    }
}
