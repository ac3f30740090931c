//! Phases: a program that builds a world, uses it, lets all of it go at once, and builds the next.
//!
//! *Claim tested:* that the past tells when to collect. A compiler, a solver, a batch job: in each phase nothing dies for
//! a long time and then nearly everything does. Triggers that follow the heap's growth collect while there is nothing to
//! find, and at the end of a phase a policy that has learned to wait is late. Generations are of no use: what dies has
//! become old. Regions would free all of it in one step; counting cascades through it.
//!
//! A world is a table of documents: trees, some of whose nodes know their parents, each linked to an earlier document.
//! Some documents are taken over into the next world, without their links.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Reference,
    Workload, parameter::within,
};

/// The slots of a node.
const CHILDREN: [usize; 2] = [0, 1];
const PARENT: usize = 2;
/// Used in the first node of a document only: another document.
const LINK: usize = 3;

/// The workload `phases`.
pub struct Phases;

/// How many phases, and what is built in each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Phases of each thread.
    pub phases: u32,
    /// Documents in a world.
    pub documents: u32,
    /// Nodes of a document.
    pub document_size: u32,
    /// Documents read in each phase.
    pub uses: u32,
    /// Of 100 documents, in how many nodes know their parents.
    pub cyclic_percent: u32,
    /// Of 100 documents, how many are taken over into the next world.
    pub survivors_percent: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            phases: 20,
            documents: 2000,
            document_size: 20,
            uses: 2000,
            cyclic_percent: 30,
            survivors_percent: 5,
            words: 2,
        }
    }
}

/// The classes of the workload.
pub struct Classes<K> {
    world: K,
    node: K,
}

impl Workload for Phases {
    const NAME: &'static str = "phases";
    const SUMMARY: &'static str = "worlds of linked documents that are built, used, and die at once: \
                                   who notices when a phase ends?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "phases",
            default: "20",
            unit: "phases",
            range: "1 to 1000000",
            meaning: "phases of each thread, one after the other",
        },
        Parameter {
            name: "documents",
            default: "2000",
            unit: "documents",
            range: "1 to 100000000",
            meaning: "documents in each world",
        },
        Parameter {
            name: "document-size",
            default: "20",
            unit: "objects",
            range: "1 to 1000000",
            meaning: "nodes of each document",
        },
        Parameter {
            name: "uses",
            default: "2000",
            unit: "documents",
            range: "0 to 1000000000",
            meaning: "documents read in each phase",
        },
        Parameter {
            name: "cyclic-percent",
            default: "30",
            unit: "%",
            range: "0 to 100",
            meaning: "documents whose nodes know their parents, and so cycles",
        },
        Parameter {
            name: "survivors-percent",
            default: "5",
            unit: "%",
            range: "0 to 100",
            meaning: "documents taken over into the next world, at most",
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
        within("phases", parameters.phases.into(), 1..=1_000_000)?;
        within("documents", parameters.documents.into(), 1..=100_000_000)?;
        within("document-size", parameters.document_size.into(), 1..=1_000_000)?;
        within("uses", parameters.uses.into(), 0..=1_000_000_000)?;
        within("cyclic-percent", parameters.cyclic_percent.into(), 0..=100)?;
        within("survivors-percent", parameters.survivors_percent.into(), 0..=100)?;
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
        let node = memory.class("Node", 4, parameters.words);
        Self { world: memory.class("World", 0, 0), node }
    }
}

/// Plays all phases.
fn play<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    let mut world = memory.alloc_with(&classes.world, parameters.documents)?;
    let mut taken = 0;
    for _ in 0..parameters.phases {
        for place in taken..world.slots() {
            let document = build(memory, classes, parameters)?;
            if place > 0 {
                let earlier = memory.choices().below(place);
                memory.set(&document, LINK, world.get(earlier).as_ref());
            }
            memory.set(&world, place, Some(&document));
        }
        for _ in 0..parameters.uses {
            let place = memory.choices().below(world.slots());
            if let Some(document) = world.get(place) {
                read(memory, document);
            }
            memory.safepoint();
        }
        let next = memory.alloc_with(&classes.world, parameters.documents)?;
        taken = take_over(memory, &world, &next, parameters.survivors_percent);
        clear(memory, &world);
        world = next;
    }
    clear(memory, &world);
    Ok(())
}

/// Makes a document and returns its first node.
fn build<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    parameters: &Parameters,
) -> Result<M::Root, OutOfMemory> {
    let know_parents = memory.choices().percent(parameters.cyclic_percent);
    let mut nodes = vec![memory.alloc(&classes.node)?];
    for number in 1..parameters.document_size as usize {
        let node = memory.alloc(&classes.node)?;
        let parent = &nodes[(number - 1) / 2];
        memory.set(parent, CHILDREN[(number - 1) % 2], Some(&node));
        if know_parents {
            memory.set(&node, PARENT, Some(parent));
        }
        nodes.push(node);
    }
    Ok(nodes.swap_remove(0))
}

/// Moves some documents to the first places of the next world; returns how many.
fn take_over<M: Memory>(
    memory: &mut M,
    world: &M::Root,
    next: &M::Root,
    survivors_percent: u32,
) -> usize {
    let mut taken = 0;
    for _ in 0..world.slots() * survivors_percent as usize / 100 {
        let place = memory.choices().below(world.slots());
        // It may have been taken over before.
        if let Some(document) = memory.swap(world, place, None) {
            memory.replace(&document, LINK, None);
            memory.set(next, taken, Some(&document));
            taken += 1;
        }
    }
    taken
}

/// Reads all documents of a world for the last time.
fn clear<M: Memory>(memory: &mut M, world: &M::Root) {
    for place in 0..world.slots() {
        if let Some(document) = world.get(place) {
            read(memory, document);
        }
        memory.safepoint();
    }
}

/// Reads every node of a document, and every reference.
fn read<M: Memory>(memory: &mut M, document: M::Root) {
    memory.follow(&document, LINK);
    let mut pending = vec![document];
    while let Some(node) = pending.pop() {
        memory.read(&node);
        memory.follow(&node, PARENT);
        pending.extend(CHILDREN.iter().filter_map(|&child| node.get(child)));
    }
}
