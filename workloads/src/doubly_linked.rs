//! Doubly linked lists: every list is one large cycle, whatever is done to it.
//!
//! *Claim tested:* that cycles are rare and made on purpose. The most ordinary of structures is one: each node knows the
//! one before it, so that counting frees nothing of a list once it is dropped. While it is edited, though, most of what
//! dies is not cyclic: a node that is taken out is referred to by nobody, and counting frees it at once, if the collector
//! lets it. Each edit writes four references, two of them into old objects, and leaves two nodes behind whose counts
//! have fallen to something other than zero: false suspects for trial deletion.
//!
//! Lists are kept until some more have been made; meanwhile a walk along one of them takes out some nodes and puts in
//! others.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Reference,
    Workload, parameter::within,
};

/// The slots of a node.
const PREVIOUS: usize = 0;
const NEXT: usize = 1;

/// The workload `doubly-linked`.
pub struct DoublyLinked;

/// How many lists, and what is done to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Lists made by each thread.
    pub lists: u32,
    /// Nodes of a list when it is made.
    pub length: u32,
    /// Lists alive at a time.
    pub kept: u32,
    /// Walks along a list for each list made.
    pub walks: u32,
    /// Of 100 nodes passed on a walk, how many are edits.
    pub edit_percent: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { lists: 10_000, length: 100, kept: 50, walks: 2, edit_percent: 20, words: 2 }
    }
}

/// The classes of the workload.
pub struct Classes<K> {
    table: K,
    node: K,
}

impl Workload for DoublyLinked {
    const NAME: &'static str = "doubly-linked";
    const SUMMARY: &'static str = "lists whose nodes know the one before, made, edited and dropped: \
                                   are cycles rare?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "lists",
            default: "10000",
            unit: "lists",
            range: "1 to 1000000000",
            meaning: "lists made by each thread",
        },
        Parameter {
            name: "length",
            default: "100",
            unit: "objects",
            range: "1 to 100000000",
            meaning: "nodes of a list when it is made",
        },
        Parameter {
            name: "kept",
            default: "50",
            unit: "lists",
            range: "1 to 1000000",
            meaning: "lists alive at a time: the oldest is dropped for each new one",
        },
        Parameter {
            name: "walks",
            default: "2",
            unit: "walks",
            range: "0 to 1000000",
            meaning: "walks along one of the lists for each list made",
        },
        Parameter {
            name: "edit-percent",
            default: "20",
            unit: "%",
            range: "0 to 100",
            meaning: "nodes met on a walk that are taken out, or have another put before them",
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
        within("lists", parameters.lists.into(), 1..=1_000_000_000)?;
        within("length", parameters.length.into(), 1..=100_000_000)?;
        within("kept", parameters.kept.into(), 1..=1_000_000)?;
        within("walks", parameters.walks.into(), 0..=1_000_000)?;
        within("edit-percent", parameters.edit_percent.into(), 0..=100)?;
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
        let node = memory.class("Node", 2, parameters.words);
        Self { table: memory.class("Table", 0, 0), node }
    }
}

/// Makes all lists, and edits some after each.
fn play<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    let kept = memory.alloc_with(&classes.table, parameters.kept)?;
    for made in 0..parameters.lists as usize {
        let head = make(memory, &classes.node, parameters.length)?;
        if let Some(oldest) = memory.swap(&kept, made % kept.slots(), Some(&head)) {
            read(memory, oldest);
        }
        for _ in 0..parameters.walks {
            let place = memory.choices().below(kept.slots().min(made + 1));
            if let Some(head) = kept.get(place) {
                edit(memory, &classes.node, head, parameters.edit_percent)?;
            }
        }
    }
    for place in 0..kept.slots() {
        if let Some(head) = kept.get(place) {
            read(memory, head);
        }
    }
    Ok(())
}

/// Makes a list of `length` nodes and returns its first.
fn make<M: Memory>(memory: &mut M, node: &M::Class, length: u32) -> Result<M::Root, OutOfMemory> {
    let head = memory.alloc(node)?;
    let mut last = head.clone();
    for _ in 1..length {
        let next = memory.alloc(node)?;
        memory.set(&last, NEXT, Some(&next));
        memory.set(&next, PREVIOUS, Some(&last));
        last = next;
    }
    Ok(head)
}

/// Walks along a list; takes out some of the nodes that it meets, and puts others before some.
fn edit<M: Memory>(
    memory: &mut M,
    node: &M::Class,
    head: M::Root,
    edit_percent: u32,
) -> Result<(), OutOfMemory> {
    let mut at = head;
    while let Some(next) = at.get(NEXT) {
        if !memory.choices().percent(edit_percent) {
            at = next;
        } else if memory.choices().percent(50) {
            take_out(memory, &at, &next);
        } else {
            let new = memory.alloc(node)?;
            memory.set(&new, PREVIOUS, Some(&at));
            memory.set(&new, NEXT, Some(&next));
            memory.replace(&next, PREVIOUS, Some(&new));
            memory.replace(&at, NEXT, Some(&new));
            at = next;
        }
    }
    Ok(())
}

/// Takes `node`, which comes after `before`, out of its list.
fn take_out<M: Memory>(memory: &mut M, before: &M::Root, node: &M::Root) {
    memory.read(node);
    memory.follow(node, PREVIOUS);
    let after = memory.follow(node, NEXT);
    if let Some(after) = &after {
        memory.replace(after, PREVIOUS, Some(before));
    }
    memory.replace(before, NEXT, after.as_ref());
}

/// Reads every node of a list, and every reference in both directions.
fn read<M: Memory>(memory: &mut M, head: M::Root) {
    let mut node = Some(head);
    while let Some(at) = node {
        memory.read(&at);
        memory.follow(&at, PREVIOUS);
        node = memory.follow(&at, NEXT);
    }
}
