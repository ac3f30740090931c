//! What a run must come to: the same steps in plain vectors, with nothing but counts to free by.
//!
//! Each object that a run makes is a *life* here, of which a captured object has as many as it is replaced. A life ends
//! when its count falls to 0, and then what it referred to is released. Lives that have not ended when the last entry
//! has been let go are what counting never frees.

use super::{Graph, parts::Parts};
use crate::{Choices, Expected, Objects, program::sum_of_words};

/// A life that has ended, or none at all.
const NONE: u32 = u32::MAX;

/// Plays all turns until `goal` objects have been replaced.
pub(super) fn predict(graph: &Graph, parts: &Parts, goal: u64, choices: Choices) -> Expected {
    let mut world = World::new(graph, choices);
    let mut goal = goal;
    while goal > 0 {
        let part = parts.choose(&mut world.choices);
        world.replace(parts, part);
        goal = goal.saturating_sub(parts.members(part).len() as u64);
    }
    world.read();
    // The order in which the entries are let go decides nothing, so that it need not be drawn.
    for &entry in graph.entries() {
        world.release(world.current[entry as usize]);
    }
    Expected { checksum: world.checksum, cyclic: world.remaining() }
}

struct World<'g> {
    graph: &'g Graph,
    choices: Choices,
    checksum: u64,
    /// For each captured object its present life.
    current: Vec<u32>,
    /// For each captured object what was drawn for its present life.
    values: Vec<u64>,
    lives: Vec<Life>,
    /// What the lives refer to: other lives.
    slots: Vec<u32>,
}

struct Life {
    /// The captured object that this is a life of.
    object: u32,
    /// References to it from lives that have not ended, and from the table of entries.
    count: u32,
    /// Where its slots begin.
    slots: usize,
    has_ended: bool,
}

impl<'g> World<'g> {
    /// The graph as it was captured.
    fn new(graph: &'g Graph, choices: Choices) -> Self {
        let objects = graph.objects();
        let mut world = Self {
            graph,
            choices,
            checksum: 0,
            current: vec![NONE; objects],
            values: vec![0; objects],
            lives: Vec::with_capacity(objects),
            slots: Vec::with_capacity(graph.edges()),
        };
        for object in 0..objects as u32 {
            world.values[object as usize] = world.choices.word();
            world.current[object as usize] = world.begin(object);
        }
        for object in 0..objects {
            for (slot, &target) in graph.slots(object).iter().enumerate() {
                let value = world.current[target as usize];
                world.store(world.current[object], slot, value);
            }
        }
        for &entry in graph.entries() {
            let life = world.current[entry as usize];
            world.lives[life as usize].count += 1;
        }
        world
    }

    /// Begins a life whose slots are null.
    fn begin(&mut self, object: u32) -> u32 {
        let slots = self.slots.len();
        self.slots.resize(slots + self.graph.slots(object as usize).len(), NONE);
        self.lives.push(Life { object, count: 0, slots, has_ended: false });
        (self.lives.len() - 1) as u32
    }

    /// Stores a reference, counts it, and returns what was there, which is still counted.
    fn store(&mut self, life: u32, slot: usize, value: u32) -> u32 {
        self.lives[value as usize].count += 1;
        let place = self.lives[life as usize].slots + slot;
        std::mem::replace(&mut self.slots[place], value)
    }

    /// Takes a reference away; ends the life if it was the last, and those that this leaves without one.
    fn release(&mut self, life: u32) {
        let mut pending = vec![life];
        while let Some(life) = pending.pop() {
            let Life { object, count, slots, has_ended } = &mut self.lives[life as usize];
            assert!(!*has_ended, "a life was released after its end");
            *count -= 1;
            if *count == 0 {
                *has_ended = true;
                let degree = self.graph.slots(*object as usize).len();
                pending.extend_from_slice(&self.slots[*slots..*slots + degree]);
            }
        }
    }

    /// One turn: reads a part, copies it, and refers to the copy wherever the old one was referred to.
    fn replace(&mut self, parts: &Parts, part: usize) {
        let members = parts.members(part);
        for &member in members {
            self.read_words(member);
            for &target in self.graph.slots(member as usize) {
                self.read_edge(target);
            }
        }
        let drawn: Vec<u64> = members.iter().map(|_| self.choices.word()).collect();
        let old: Vec<u32> = members.iter().map(|&member| self.current[member as usize]).collect();
        for &member in members {
            self.current[member as usize] = self.begin(member);
        }
        for &member in members {
            for (slot, &target) in self.graph.slots(member as usize).iter().enumerate() {
                self.store(self.current[member as usize], slot, self.current[target as usize]);
            }
        }
        // The old lives are released once all references to them have gone.
        let mut gone = Vec::new();
        for edge in parts.inbound(part) {
            self.read_edge(edge.target);
            let source = self.current[edge.source as usize];
            gone.push(self.store(source, edge.slot as usize, self.current[edge.target as usize]));
        }
        for &(_, entry) in parts.entries(part) {
            self.read_edge(entry);
            let copy = self.current[entry as usize];
            self.lives[copy as usize].count += 1;
            let place = members.iter().position(|&member| member == entry);
            gone.push(old[place.expect("an entry in a part is a member of it")]);
        }
        for life in gone {
            self.release(life);
        }
        for (&member, value) in members.iter().zip(drawn) {
            self.values[member as usize] = value;
        }
    }

    /// Reads every object and every edge.
    fn read(&mut self) {
        for object in 0..self.graph.objects() {
            self.read_words(object as u32);
            for &target in self.graph.slots(object) {
                self.read_edge(target);
            }
        }
    }

    fn read_words(&mut self, object: u32) {
        let words = u64::from(self.graph.words(object as usize));
        let sum = sum_of_words(self.values[object as usize], words);
        self.checksum = self.checksum.wrapping_add(sum);
    }

    fn read_edge(&mut self, target: u32) {
        self.checksum = self.checksum.wrapping_add(self.values[target as usize]);
    }

    /// The lives that have not ended.
    fn remaining(&self) -> Objects {
        let mut remaining = Objects::default();
        for life in self.lives.iter().filter(|life| !life.has_ended) {
            let object = life.object as usize;
            remaining.add(self.graph.slots(object).len() as u64, self.graph.words(object).into());
        }
        remaining
    }
}
