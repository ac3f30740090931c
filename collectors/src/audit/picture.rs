//! Picture: every object that a heap holds, to be drawn.

use super::book::Book;
use crate::{Header, heap::Object};

/// An object of a heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pictured {
    /// Its number: objects are numbered from 1 as they are made.
    pub number: u64,
    /// The name of its class.
    pub class: String,
    /// How many references it has, if the collector counts them.
    pub count: Option<u64>,
    /// Roots and shared handles that refer to it.
    pub roots: u32,
    /// The numbers of the objects that its slots refer to.
    pub slots: Vec<Option<u64>>,
    /// Whether the program can still reach it.
    pub is_live: bool,
}

impl Book {
    /// All objects that have not been freed, oldest first. A step has just been made.
    pub(super) fn picture<H: Header>(&self) -> Vec<Pictured> {
        let held = self.entries.iter().filter(|entry| entry.address != 0 && entry.freed.is_none());
        let mut objects: Vec<Pictured> = held
            .map(|entry| {
                // SAFETY: the object has not been freed, so it is in the heap.
                let object = unsafe { Object::<H>::at(entry.address) };
                let number =
                    |&index: &u32| self.entries.get(index as usize).map(|entry| entry.number);
                Pictured {
                    number: entry.number,
                    class: self.class_name(entry.class).to_owned(),
                    count: object.header().count(),
                    roots: entry.roots,
                    slots: entry.slots.iter().map(number).collect(),
                    is_live: entry.died.is_none(),
                }
            })
            .collect();
        objects.sort_by_key(|object| object.number);
        objects
    }
}
