//! The heap of a real program: a graph captured from CPython, rebuilt, replaced part by part, and dropped part by part.
//!
//! *Claim tested:* that results on made-up rings and trees say anything about programs. Here sizes, fan-out, sharing,
//! depth and cycles are those of a real heap: modules, functions and their globals, classes, documents with parent
//! links, tasks that wait for one another. Most of it is one large knot in which counting frees only leaves, and what
//! is cut out of it is partly cyclic and partly not, in the proportions of reality.
//!
//! A thread allocates the graph in the order in which the program did, and links it. Then, in each turn, it picks a
//! part (see `parts.rs`), reads it, builds a fresh copy of it, and stores the copy wherever the old part was referred to,
//! so that the old one dies as a whole. When enough has been replaced, it reads everything once more and lets go of the
//! graph's entries one by one. Every edge is read back: by the turn that replaces it, or at the end.

pub use graph::{Graph, GraphError};

mod graph;
mod parts;

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use self::parts::{Found, Parts};
use crate::{
    Choices, Expected, InputFile, Manager, Memory, Parameter, ParameterError, PlainMemory, Program,
    Reference, Workload, memory::STRETCH, parameter::within,
};

/// The workload `heap-graph`.
pub struct HeapGraph;

/// Which graph, and how much of it is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// One of the graphs that come with the workload.
    pub graph: Captured,
    /// A graph of the user's own, in place of `graph`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<InputFile>,
    /// Objects in a part, at most.
    pub part_size: u32,
    /// Objects replaced by each thread, in multiples of those in the graph.
    pub turnover: u32,
}

/// A graph that comes with the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Captured {
    /// Syntax trees of part of the standard library, every node linked to its parent.
    SyntaxTrees,
    /// A server with an event loop, sessions, documents, caches and mail.
    Service,
    /// An editor with the trees of some documents, listeners and what can be undone.
    Documents,
    /// An application of plugins: classes made at run time, closures, weak registries, waiting tasks.
    Plugins,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { graph: Captured::Service, file: None, part_size: 1000, turnover: 5 }
    }
}

/// What the threads share: the graph, its parts, and the classes of its objects.
pub struct Setup<K> {
    graph: Graph,
    parts: Parts,
    classes: Vec<K>,
    /// For each object the index of its class.
    class_of: Vec<u16>,
    table: K,
}

impl Workload for HeapGraph {
    const NAME: &'static str = "heap-graph";
    const SUMMARY: &'static str = "the heap of a real Python program, replaced and dropped part by part: \
                                   does what holds for rings and trees hold for programs?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "graph",
            default: "service",
            unit: "name",
            range: "syntax-trees, service, documents, plugins",
            meaning: "the captured graph that is rebuilt",
        },
        Parameter {
            name: "file",
            default: "",
            unit: "path",
            range: "a file written by workloads/capture/capture.py",
            meaning: "a captured graph of your own, in place of `graph`",
        },
        Parameter {
            name: "part-size",
            default: "1000",
            unit: "objects",
            range: "1 to 1000000000",
            meaning: "the largest part that is replaced at once",
        },
        Parameter {
            name: "turnover",
            default: "5",
            unit: "graphs",
            range: "0 to 1000000",
            meaning: "objects replaced by each thread, in multiples of those in the graph",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = Setup<C::Class>;

    fn files(parameters: &mut Parameters) -> Vec<&mut InputFile> {
        parameters.file.iter_mut().collect()
    }

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("part-size", parameters.part_size.into(), 1..=1_000_000_000)?;
        within("turnover", parameters.turnover.into(), 0..=1_000_000)?;
        let Some(file) = &parameters.file else { return Ok(()) };
        let expected = match file.contents().map(Graph::decode) {
            None => "a file whose contents have been read".to_string(),
            Some(Err(error)) => format!("a captured graph: {error}"),
            Some(Ok(_)) => return Ok(()),
        };
        Err(ParameterError { name: "file", value: file.path().to_string(), expected })
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Setup<C::Class>, OutOfMemory> {
        Ok(Setup::new(program, parameters))
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Setup<C::Class>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        play(program, setup, parameters)
    }

    fn predict(parameters: &Parameters, choices: Choices) -> Expected {
        PlainMemory::play(choices, |memory| {
            let setup = Setup::new(memory, parameters);
            play(memory, &setup, parameters)
        })
    }
}

impl Parameters {
    /// The graph that is meant. Panics if the parameters are not valid.
    fn load(&self) -> Graph {
        let bytes = match &self.file {
            Some(file) => file.contents().expect("the file should have been supplied"),
            None => self.graph.bytes(),
        };
        Graph::decode(bytes).expect("the graph should have been validated")
    }

    /// How many objects are to be replaced.
    fn goal(&self, graph: &Graph) -> u64 {
        u64::from(self.turnover) * graph.objects() as u64
    }
}

impl Captured {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::SyntaxTrees => include_bytes!("../graphs/syntax-trees.graph"),
            Self::Service => include_bytes!("../graphs/service.graph"),
            Self::Documents => include_bytes!("../graphs/documents.graph"),
            Self::Plugins => include_bytes!("../graphs/plugins.graph"),
        }
    }
}

impl<K> Setup<K> {
    fn new<M: Memory<Class = K>>(memory: &mut M, parameters: &Parameters) -> Self {
        let graph = parameters.load();
        let parts = Parts::new(&graph, parameters.part_size);
        let mut known = BTreeMap::new();
        let mut classes = Vec::new();
        let class_of = (0..graph.objects()).map(|object| {
            let kind = (graph.words(object), graph.is_tracked(object));
            *known.entry(kind).or_insert_with(|| {
                let (words, is_tracked) = kind;
                classes.push(if is_tracked {
                    memory.class(&format!("Container of {words} words"), 0, words)
                } else {
                    memory.acyclic_class(&format!("Leaf of {words} words"), 0, words)
                });
                (classes.len() - 1) as u16
            })
        });
        let class_of = class_of.collect();
        Self { graph, parts, classes, class_of, table: memory.class("Table", 0, 0) }
    }
}

/// Makes the graph, replaces it part by part, and drops it entry by entry.
fn play<M: Memory>(
    memory: &mut M,
    setup: &Setup<M::Class>,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    let entries = build(memory, setup)?;
    let mut goal = parameters.goal(&setup.graph);
    let mut local = vec![0; setup.graph.objects()];
    while goal > 0 {
        let part = setup.parts.choose(memory.choices());
        let members = setup.parts.members(part);
        replace(memory, setup, &entries, part, &mut local)?;
        goal = goal.saturating_sub(members.len() as u64);
    }
    read(memory, setup, &entries);
    let mut order: Vec<usize> = (0..entries.slots()).collect();
    memory.choices().shuffle(&mut order);
    for position in order {
        memory.set(&entries, position, None);
    }
    Ok(())
}

/// Makes the whole graph and returns the table of its entries.
fn build<M: Memory>(memory: &mut M, setup: &Setup<M::Class>) -> Result<M::Root, OutOfMemory> {
    let graph = &setup.graph;
    let entries = memory.alloc_with(&setup.table, graph.entries().len() as u32)?;
    // As a reader of pickles does, the program keeps what it has made in a table until all of it is linked.
    let memo = memory.alloc_with(&setup.table, graph.objects() as u32)?;
    for object in 0..graph.objects() {
        let made = make(memory, setup, object)?;
        memory.set(&memo, object, Some(&made));
    }
    for object in 0..graph.objects() {
        let Some(source) = memo.get(object) else { continue };
        for (slot, &target) in graph.slots(object).iter().enumerate() {
            memory.set(&source, slot, memo.get(target as usize).as_ref());
        }
        if object.is_multiple_of(STRETCH) {
            memory.safepoint();
        }
    }
    for (position, &entry) in graph.entries().iter().enumerate() {
        memory.set(&entries, position, memo.get(entry as usize).as_ref());
    }
    Ok(entries)
}

/// Makes one object, its slots null.
fn make<M: Memory>(
    memory: &mut M,
    setup: &Setup<M::Class>,
    object: usize,
) -> Result<M::Root, OutOfMemory> {
    let class = &setup.classes[usize::from(setup.class_of[object])];
    memory.alloc_with(class, setup.graph.slots(object).len() as u32)
}

/// Replaces a part by a fresh copy. `local` is scratch space: each member's place in the part.
fn replace<M: Memory>(
    memory: &mut M,
    setup: &Setup<M::Class>,
    entries: &M::Root,
    part: usize,
    local: &mut [u32],
) -> Result<(), OutOfMemory> {
    let (graph, parts) = (&setup.graph, &setup.parts);
    let members = parts.members(part);
    let mut old: Vec<Option<M::Root>> = Vec::with_capacity(members.len());
    for (place, &member) in members.iter().enumerate() {
        local[member as usize] = place as u32;
        // The first member leads the part; every other was found through one before it.
        let found = match parts.found(member) {
            Found::Slot { source, slot } if place > 0 => {
                let source = &old[local[source as usize] as usize];
                source.as_ref().and_then(|source| source.get(slot as usize))
            }
            _ => find(parts, entries, member),
        };
        if let Some(found) = &found {
            memory.read(found);
        }
        old.push(found);
    }

    let mut new = Vec::with_capacity(members.len());
    for &member in members {
        new.push(make(memory, setup, member as usize)?);
    }
    for ((&member, old), copy) in members.iter().zip(&old).zip(&new) {
        let Some(old) = old else { continue };
        for (slot, &target) in graph.slots(member as usize).iter().enumerate() {
            let value = old.get(slot);
            if let Some(value) = &value {
                memory.glance(value);
            }
            let is_inside = parts.part_of(target) == Some(part);
            let inside = is_inside.then(|| &new[local[target as usize] as usize]);
            memory.set(copy, slot, inside.or(value.as_ref()));
        }
    }

    let mut source = None;
    for edge in parts.inbound(part) {
        if source.as_ref().is_none_or(|&(number, _)| number != edge.source) {
            source = Some((edge.source, find(parts, entries, edge.source)));
            memory.safepoint();
        }
        let Some((_, Some(source))) = &source else { continue };
        let copy = &new[local[edge.target as usize] as usize];
        if let Some(old) = memory.swap(source, edge.slot as usize, Some(copy)) {
            memory.glance(&old);
        }
    }
    for &(position, entry) in parts.entries(part) {
        let copy = &new[local[entry as usize] as usize];
        if let Some(old) = memory.swap(entries, position as usize, Some(copy)) {
            memory.glance(&old);
        }
    }
    Ok(())
}

/// Follows the edges by which an object was found, from an entry on.
fn find<R: Reference>(parts: &Parts, entries: &R, object: u32) -> Option<R> {
    let mut path = Vec::new();
    let mut at = object;
    let position = loop {
        match parts.found(at) {
            Found::Entry { position } => break position,
            Found::Slot { source, slot } => {
                path.push(slot);
                at = source;
            }
        }
    };
    let entry = entries.get(position as usize)?;
    path.iter().rev().try_fold(entry, |object, &slot| object.get(slot as usize))
}

/// Reads every object once, and every edge.
fn read<M: Memory>(memory: &mut M, setup: &Setup<M::Class>, entries: &M::Root) {
    let mut handled: usize = 0;
    for (position, &entry) in setup.graph.entries().iter().enumerate() {
        let mut pending: Vec<_> =
            entries.get(position).map(|root| (entry, root)).into_iter().collect();
        while let Some((object, root)) = pending.pop() {
            memory.read(&root);
            for (slot, &target) in setup.graph.slots(object as usize).iter().enumerate() {
                let Some(value) = root.get(slot) else { continue };
                memory.glance(&value);
                let found = Found::Slot { source: object, slot: slot as u32 };
                if setup.parts.found(target) == found {
                    pending.push((target, value));
                }
            }
            handled += 1;
            if handled.is_multiple_of(STRETCH) {
                memory.safepoint();
            }
        }
    }
}
