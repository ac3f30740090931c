//! Parts: the pieces of a captured graph that are replaced as wholes.
//!
//! Breadth-first search from the entries finds every object once and so spans the graph by trees. A part is a subtree
//! of at most a given size that is not inside a larger such subtree. So parts do not overlap, an object of a part is
//! found only through its part, and to take a part out leaves the way to everything else as it was. What is in no part
//! (the modules, the large dictionaries) is the backbone, which stays.

use super::Graph;
use crate::Choices;

/// How a graph is cut.
pub(super) struct Parts {
    /// For each object how the search found it.
    found: Vec<Found>,
    /// For each object its part, or [`BACKBONE`].
    part_of: Vec<u32>,
    /// The members of each part in the order in which the search found them: the first is the root of its subtree.
    members: Vec<Vec<u32>>,
    /// The edges that lead into each part from elsewhere, by rising source.
    inbound: Vec<Vec<Edge>>,
    /// The entries in each part: (position among the graph's entries, object).
    entries: Vec<Vec<(u32, u32)>>,
    /// All objects that are in parts.
    movable: Vec<u32>,
}

/// How an object is found: the first way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is an entry.
    Entry { position: u32 },
    /// An object found before it refers to it.
    Slot { source: u32, slot: u32 },
}

/// A reference from one object to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) source: u32,
    pub(super) slot: u32,
    pub(super) target: u32,
}

/// Stands in `part_of` for what is in no part.
const BACKBONE: u32 = u32::MAX;

impl Parts {
    pub(super) fn new(graph: &Graph, part_size: u32) -> Self {
        let (found, order) = search(graph);

        // Sizes of subtrees: children come after their parents in the order of the search.
        let mut sizes = vec![1_u32; graph.objects()];
        for &object in order.iter().rev() {
            if let Found::Slot { source, .. } = found[object as usize] {
                sizes[source as usize] += sizes[object as usize];
            }
        }

        let mut part_of = vec![BACKBONE; graph.objects()];
        let mut members: Vec<Vec<u32>> = Vec::new();
        for &object in &order {
            if sizes[object as usize] > part_size {
                continue;
            }
            let above = match found[object as usize] {
                Found::Slot { source, .. } => part_of[source as usize],
                Found::Entry { .. } => BACKBONE,
            };
            let part = if above == BACKBONE { members.len() as u32 } else { above };
            if above == BACKBONE {
                members.push(Vec::new());
            }
            part_of[object as usize] = part;
            members[part as usize].push(object);
        }

        let mut inbound = vec![Vec::new(); members.len()];
        for source in 0..graph.objects() as u32 {
            for (slot, &target) in graph.slots(source as usize).iter().enumerate() {
                let part = part_of[target as usize];
                if part != BACKBONE && part != part_of[source as usize] {
                    inbound[part as usize].push(Edge { source, slot: slot as u32, target });
                }
            }
        }
        let mut entries = vec![Vec::new(); members.len()];
        for (position, &entry) in graph.entries().iter().enumerate() {
            let part = part_of[entry as usize];
            if part != BACKBONE {
                entries[part as usize].push((position as u32, entry));
            }
        }
        let movable = members.concat();
        Self { found, part_of, members, inbound, entries, movable }
    }

    /// Picks a part, larger ones more often: that of any object which is in one.
    pub(super) fn choose(&self, choices: &mut Choices) -> usize {
        // Leaves are subtrees of one object, and no part is smaller, so there always are parts.
        let object = self.movable[choices.below(self.movable.len())];
        self.part_of[object as usize] as usize
    }

    pub(super) fn found(&self, object: u32) -> Found {
        self.found[object as usize]
    }

    pub(super) fn part_of(&self, object: u32) -> Option<usize> {
        Some(self.part_of[object as usize])
            .filter(|&part| part != BACKBONE)
            .map(|part| part as usize)
    }

    pub(super) fn members(&self, part: usize) -> &[u32] {
        &self.members[part]
    }

    pub(super) fn inbound(&self, part: usize) -> &[Edge] {
        &self.inbound[part]
    }

    pub(super) fn entries(&self, part: usize) -> &[(u32, u32)] {
        &self.entries[part]
    }
}

/// Breadth-first search from all entries: how each object is found, and in which order.
fn search(graph: &Graph) -> (Vec<Found>, Vec<u32>) {
    let mut found = vec![None; graph.objects()];
    let mut order = Vec::with_capacity(graph.objects());
    for (position, &entry) in graph.entries().iter().enumerate() {
        found[entry as usize] = Some(Found::Entry { position: position as u32 });
        order.push(entry);
    }
    let mut next = 0;
    while let Some(&source) = order.get(next) {
        next += 1;
        for (slot, &target) in graph.slots(source as usize).iter().enumerate() {
            let way = &mut found[target as usize];
            if way.is_none() {
                *way = Some(Found::Slot { source, slot: slot as u32 });
                order.push(target);
            }
        }
    }
    let found = found.into_iter().map(|way| way.expect("every object is reached from an entry"));
    (found.collect(), order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap_graph::Captured;

    #[test]
    fn parts_are_disjoint_subtrees_and_every_way_in_is_known() {
        let graph = Graph::decode(Captured::Service.bytes()).unwrap();
        let parts = Parts::new(&graph, 500);
        let mut total = 0;
        for part in 0..parts.members.len() {
            let members = parts.members(part);
            assert!((1..=500).contains(&members.len()));
            assert!(members.iter().all(|&member| parts.part_of(member) == Some(part)));
            for &member in &members[1..] {
                let Found::Slot { source, slot } = parts.found(member) else {
                    panic!("{member} is an entry inside of a part");
                };
                assert_eq!(parts.part_of(source), Some(part), "{member} is found from outside");
                assert_eq!(graph.slots(source as usize)[slot as usize], member);
            }
            let ways_in = parts.inbound(part).len() + parts.entries(part).len();
            assert!(ways_in > 0, "nothing leads to part {part}");
            total += members.len();
        }
        assert_eq!(total, parts.movable.len());
        assert!(total * 2 > graph.objects(), "only {total} objects are in parts");
    }
}
