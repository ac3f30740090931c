//! Chains: rings and lists of nodes, which several workloads are made of.

use collectors::OutOfMemory;

use crate::{Choices, Memory, Reference, memory::STRETCH};

/// The slot of a node that holds the next one.
pub(crate) const NEXT: usize = 0;

/// What a chain of nodes is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The last node leads to the first.
    Ring,
    /// The last node leads nowhere.
    List,
}

impl Shape {
    /// A ring in so many of 100 cases.
    pub(crate) fn choose(choices: &mut Choices, cyclic_percent: u32) -> Self {
        if choices.percent(cyclic_percent) { Self::Ring } else { Self::List }
    }
}

/// Makes a ring or a list of `size` nodes and returns its first.
pub(crate) fn make<M: Memory>(
    memory: &mut M,
    node: &M::Class,
    shape: Shape,
    size: u32,
) -> Result<M::Root, OutOfMemory> {
    let head = memory.alloc(node)?;
    let mut last = head.clone();
    for _ in 1..size {
        let next = memory.alloc(node)?;
        memory.set(&last, NEXT, Some(&next));
        last = next;
    }
    if shape == Shape::Ring {
        memory.set(&last, NEXT, Some(&head));
    }
    Ok(head)
}

/// Reads every node once, and the first of a ring again when the ring closes.
pub(crate) fn read<M: Memory>(memory: &mut M, head: &M::Root, size: u32) {
    let mut node = head.clone();
    for passed in 1..size as usize {
        memory.read(&node);
        if passed.is_multiple_of(STRETCH) {
            memory.safepoint();
        }
        let Some(next) = node.get(NEXT) else { return };
        node = next;
    }
    memory.read(&node);
    memory.follow(&node, NEXT);
}
