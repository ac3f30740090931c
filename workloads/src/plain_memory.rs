//! Plain memory: objects in vectors, with nothing but counts to free by.
//!
//! What is left in it when a program has dropped its last root is what counting alone never frees.

use collectors::OutOfMemory;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    Choices, Expected, Memory, Objects, Reference,
    program::{STEP, sum_of_words},
};

/// A slot that is null.
const NULL: u32 = u32::MAX;

/// Memory to work out on what a program must come to.
pub struct PlainMemory {
    choices: Choices,
    checksum: u64,
    world: Rc<RefCell<World>>,
}

/// A reference to an object of plain memory, counted.
pub struct PlainRoot {
    world: Rc<RefCell<World>>,
    object: u32,
}

/// Slots and words of the objects of a class.
#[derive(Clone, Copy)]
pub struct PlainClass {
    slots: u32,
    words: u32,
}

#[derive(Default)]
struct World {
    objects: Vec<Object>,
    slots: Vec<u32>,
    /// Objects that have been freed, by their number of slots, to be used again.
    free: BTreeMap<u32, Vec<u32>>,
}

struct Object {
    /// References to it from slots and roots; 0 if it has been freed.
    count: u32,
    shape: PlainClass,
    /// Where its slots begin.
    slots: usize,
    /// The word that was drawn for it.
    value: u64,
    /// What its last word is in place of one that follows from `value`.
    key: Option<u64>,
}

impl PlainMemory {
    /// What `program` comes to.
    pub(crate) fn play(
        choices: Choices,
        program: impl FnOnce(&mut Self) -> Result<(), OutOfMemory>,
    ) -> Expected {
        let mut memory = Self { choices, checksum: 0, world: Rc::default() };
        program(&mut memory).expect("plain memory has no limit");
        let cyclic = memory.world.borrow().remaining();
        Expected { checksum: memory.checksum, cyclic }
    }

    fn add(&mut self, value: u64) {
        self.checksum = self.checksum.wrapping_add(value);
    }

    fn make(&mut self, shape: PlainClass, key: Option<u64>) -> PlainRoot {
        let value = if shape.words > 0 { self.choices.word() } else { 0 };
        let object = self.world.borrow_mut().begin(shape, value, key);
        PlainRoot { world: Rc::clone(&self.world), object }
    }
}

impl Memory for PlainMemory {
    type Class = PlainClass;
    type Root = PlainRoot;

    fn class(&mut self, _name: &str, slots: u32, words: u32) -> PlainClass {
        PlainClass { slots, words }
    }

    fn acyclic_class(&mut self, name: &str, slots: u32, words: u32) -> PlainClass {
        self.class(name, slots, words)
    }

    fn choices(&mut self) -> &mut Choices {
        &mut self.choices
    }

    fn alloc_with(&mut self, class: &PlainClass, slots: u32) -> Result<PlainRoot, OutOfMemory> {
        Ok(self.make(PlainClass { slots: class.slots + slots, ..*class }, None))
    }

    fn alloc_keyed(&mut self, class: &PlainClass, key: u64) -> Result<PlainRoot, OutOfMemory> {
        assert!(class.words >= 2, "a word is drawn beside the key");
        Ok(self.make(*class, Some(key)))
    }

    fn set(&mut self, object: &PlainRoot, slot: usize, value: Option<&PlainRoot>) {
        drop(self.swap(object, slot, value));
    }

    fn swap(
        &mut self,
        object: &PlainRoot,
        slot: usize,
        value: Option<&PlainRoot>,
    ) -> Option<PlainRoot> {
        let mut world = self.world.borrow_mut();
        let value = value.map_or(NULL, |value| world.retain(value.object));
        let place = world.place(object.object, slot);
        let old = std::mem::replace(&mut world.slots[place], value);
        (old != NULL).then(|| PlainRoot { world: Rc::clone(&self.world), object: old })
    }

    fn read(&mut self, object: &PlainRoot) {
        let sum = self.world.borrow().objects[object.object as usize].sum();
        self.add(sum);
    }

    fn glance(&mut self, object: &PlainRoot) {
        let value = self.world.borrow().objects[object.object as usize].value;
        self.add(value);
    }

    fn safepoint(&self) {}
}

impl Reference for PlainRoot {
    fn get(&self, slot: usize) -> Option<Self> {
        let mut world = self.world.borrow_mut();
        let value = world.slots[world.place(self.object, slot)];
        (value != NULL).then(|| Self { world: Rc::clone(&self.world), object: world.retain(value) })
    }

    fn slots(&self) -> usize {
        self.world.borrow().objects[self.object as usize].shape.slots as usize
    }

    fn key(&self) -> u64 {
        self.world.borrow().objects[self.object as usize].last()
    }

    fn same(&self, other: &Self) -> bool {
        self.object == other.object
    }
}

impl Clone for PlainRoot {
    fn clone(&self) -> Self {
        let object = self.world.borrow_mut().retain(self.object);
        Self { world: Rc::clone(&self.world), object }
    }
}

impl Drop for PlainRoot {
    fn drop(&mut self) {
        self.world.borrow_mut().release(self.object);
    }
}

impl World {
    /// Makes an object that one root refers to.
    fn begin(&mut self, shape: PlainClass, value: u64, key: Option<u64>) -> u32 {
        let object = Object { count: 1, shape, slots: self.slots.len(), value, key };
        if let Some(number) = self.free.get_mut(&shape.slots).and_then(Vec::pop) {
            let place = &mut self.objects[number as usize];
            *place = Object { slots: place.slots, ..object };
            return number;
        }
        self.slots.resize(self.slots.len() + shape.slots as usize, NULL);
        self.objects.push(object);
        (self.objects.len() - 1) as u32
    }

    /// Where slot `slot` of an object is.
    fn place(&self, object: u32, slot: usize) -> usize {
        let object = &self.objects[object as usize];
        assert!(slot < object.shape.slots as usize, "the object has no slot {slot}");
        object.slots + slot
    }

    fn retain(&mut self, object: u32) -> u32 {
        self.objects[object as usize].count += 1;
        object
    }

    /// Takes a reference away; frees the object if it was the last, and those that this leaves without one.
    fn release(&mut self, object: u32) {
        if !self.take_last(object) {
            return;
        }
        let mut dead = vec![object];
        while let Some(number) = dead.pop() {
            let Object { slots, shape, .. } = self.objects[number as usize];
            self.free.entry(shape.slots).or_default().push(number);
            for slot in slots..slots + shape.slots as usize {
                let value = std::mem::replace(&mut self.slots[slot], NULL);
                if value != NULL && self.take_last(value) {
                    dead.push(value);
                }
            }
        }
    }

    /// Takes a reference away and says whether it was the last.
    fn take_last(&mut self, object: u32) -> bool {
        let object = &mut self.objects[object as usize];
        assert!(object.count > 0, "an object was released after its end");
        object.count -= 1;
        object.count == 0
    }

    /// The objects that have not been freed.
    fn remaining(&self) -> Objects {
        let mut remaining = Objects::default();
        for object in self.objects.iter().filter(|object| object.count > 0) {
            remaining.add(object.shape.slots.into(), object.shape.words.into());
        }
        remaining
    }
}

impl Object {
    fn sum(&self) -> u64 {
        let words = u64::from(self.shape.words);
        match self.key {
            Some(key) => sum_of_words(self.value, words - 1).wrapping_add(key),
            None => sum_of_words(self.value, words),
        }
    }

    /// The last word.
    fn last(&self) -> u64 {
        let steps = u64::from(self.shape.words).saturating_sub(1);
        self.key.unwrap_or(self.value.wrapping_add(STEP.wrapping_mul(steps)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_cycle_and_what_hangs_off_it_remain_and_nothing_else_does() {
        let expected = PlainMemory::play(Choices::new(1, 0), |memory| {
            let pair = memory.class("Pair", 1, 2);
            let leaf = memory.class("Leaf", 0, 1);
            let [one, two] = [memory.alloc_with(&pair, 1)?, memory.alloc(&pair)?];
            let [hanging, list] = [memory.alloc(&leaf)?, memory.alloc(&pair)?];
            memory.set(&one, 0, Some(&two));
            memory.set(&two, 0, Some(&one));
            memory.set(&one, 1, Some(&hanging));
            memory.set(&list, 0, Some(&hanging));
            Ok(())
        });
        let cyclic = expected.cyclic;
        assert_eq!((cyclic.count(), cyclic.slots(), cyclic.words()), (3, 3, 5));
    }

    #[test]
    fn freed_objects_are_used_again_with_null_slots() {
        let expected = PlainMemory::play(Choices::new(1, 0), |memory| {
            let node = memory.class("Node", 1, 2);
            for key in 0..10 {
                let (list, next) = (memory.alloc_keyed(&node, key)?, memory.alloc(&node)?);
                assert!(list.get(0).is_none() && !list.same(&next));
                assert_eq!(list.key(), key);
                memory.set(&list, 0, Some(&next));
            }
            assert_eq!(memory.world.borrow().objects.len(), 2);
            Ok(())
        });
        assert_eq!(expected.cyclic.count(), 0);
    }
}
