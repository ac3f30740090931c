//! Leaks: which of the dead a collector can never free, and which it has forgotten.

use std::collections::{HashMap, HashSet};

use super::{
    book::{Book, Entry},
    history::History,
};
use crate::{Header, Reclaims, heap::Object};

impl Book {
    /// Dead objects that a collector that reclaims so much can never free.
    pub(super) fn unreclaimable(&self, reclaims: Reclaims) -> Vec<u32> {
        match reclaims {
            Reclaims::Nothing => self.floating().collect(),
            Reclaims::Acyclic => self.cyclic(),
            Reclaims::Everything => Vec::new(),
        }
    }

    fn floating(&self) -> impl Iterator<Item = u32> {
        let floats = |(entry, index): (&Entry, u32)| {
            (entry.address != 0 && entry.died.is_some() && entry.freed.is_none()).then_some(index)
        };
        self.entries.iter().zip(0_u32..).filter_map(floats)
    }

    /// How many references each floating object has from floating ones.
    fn references(&self) -> HashMap<u32, u32> {
        let mut references: HashMap<u32, u32> = self.floating().map(|index| (index, 0)).collect();
        for index in self.floating() {
            for child in &self.entries[index as usize].slots {
                if let Some(count) = references.get_mut(child) {
                    *count += 1;
                }
            }
        }
        references
    }

    /// Floating objects that are part of a dead cycle or held by one: those that are left when whatever nothing refers to
    /// is taken away, again and again.
    fn cyclic(&self) -> Vec<u32> {
        let mut references = self.references();
        let mut free: Vec<u32> = references
            .iter()
            .filter_map(|(&index, &count)| (count == 0).then_some(index))
            .collect();
        while let Some(index) = free.pop() {
            references.remove(&index);
            for child in &self.entries[index as usize].slots {
                if let Some(count) = references.get_mut(child) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(*child);
                    }
                }
            }
        }
        references.into_keys().collect()
    }

    /// See [`Heap::forgotten`](crate::Heap::forgotten).
    pub(super) fn forgotten<H: Header>(&self, reclaims: Reclaims, limit: usize) -> Vec<String> {
        let expected: HashSet<u32> = self.unreclaimable(reclaims).into_iter().collect();
        let references = self.references();
        let mut forgotten: Vec<u32> =
            self.floating().filter(|index| !expected.contains(index)).collect();
        // What nothing refers to is where a mistake was made; what hangs off it only follows.
        forgotten
            .sort_by_key(|index| (references[index] > 0, self.entries[*index as usize].number));
        let tell = |index: u32| {
            // SAFETY: the object has not been freed, so it is in the heap.
            let object = unsafe { Object::<H>::at(self.entries[index as usize].address) };
            let count = object.header().count();
            let held = match references[&index] {
                0 => "nothing dead refers to it".to_owned(),
                count => format!("{count} references of dead objects keep it"),
            };
            History { count, ..self.history(index) }.to_string() + "; " + &held
        };
        forgotten.into_iter().take(limit).map(tell).collect()
    }
}
