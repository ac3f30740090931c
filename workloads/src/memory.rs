//! What a program works on: the heap, or plain memory in its stead.
//!
//! A workload whose outcome follows from its parameters by arithmetic states it so. One whose objects live and die by
//! what they refer to is written once, over [`Memory`], and is then played on the heap and, for what it must come to, on
//! [`PlainMemory`](crate::PlainMemory).

use collectors::OutOfMemory;

use crate::Choices;

/// Objects handled between two safepoints where nothing is allocated: some tens of microseconds.
pub(crate) const STRETCH: usize = 256;

/// Makes objects, links them, and sums what it reads of them.
pub trait Memory {
    /// What an object is to look like.
    type Class;
    /// A reference that the program holds.
    type Root: Reference;

    /// A class of objects that have so many slots and words.
    fn class(&mut self, name: &str, slots: u32, words: u32) -> Self::Class;

    /// The same for objects that cannot be part of a cycle.
    fn acyclic_class(&mut self, name: &str, slots: u32, words: u32) -> Self::Class;

    /// What this thread draws from.
    fn choices(&mut self) -> &mut Choices;

    /// Makes an object with slots beyond those of its class and draws its words.
    ///
    /// # Errors
    ///
    /// The memory is exhausted.
    fn alloc_with(&mut self, class: &Self::Class, slots: u32) -> Result<Self::Root, OutOfMemory>;

    /// Makes an object and draws its words.
    ///
    /// # Errors
    ///
    /// The memory is exhausted.
    fn alloc(&mut self, class: &Self::Class) -> Result<Self::Root, OutOfMemory> {
        self.alloc_with(class, 0)
    }

    /// Makes an object of at least two words and draws them, but for the last, which is `key`.
    ///
    /// # Errors
    ///
    /// The memory is exhausted.
    fn alloc_keyed(&mut self, class: &Self::Class, key: u64) -> Result<Self::Root, OutOfMemory>;

    /// Stores a reference.
    fn set(&mut self, object: &Self::Root, slot: usize, value: Option<&Self::Root>);

    /// Stores a reference and returns the one that was there.
    fn swap(
        &mut self,
        object: &Self::Root,
        slot: usize,
        value: Option<&Self::Root>,
    ) -> Option<Self::Root>;

    /// Adds every word of an object to the checksum.
    fn read(&mut self, object: &Self::Root);

    /// Adds the first word of an object to the checksum: proof that an edge leads where it should.
    fn glance(&mut self, object: &Self::Root);

    /// Answers a stop. Allocation does that too, so only long stretches without it need to.
    fn safepoint(&self);

    /// Stores a reference and glances at the object that was referred to before.
    fn replace(&mut self, object: &Self::Root, slot: usize, value: Option<&Self::Root>) {
        if let Some(old) = self.swap(object, slot, value) {
            self.glance(&old);
        }
    }

    /// What slot `slot` refers to, at which it glances.
    fn follow(&mut self, object: &Self::Root, slot: usize) -> Option<Self::Root> {
        let found = object.get(slot);
        if let Some(found) = &found {
            self.glance(found);
        }
        found
    }
}

/// A reference that the program holds. Reading slots needs no more than that.
pub trait Reference: Clone {
    /// What slot `slot` refers to.
    fn get(&self, slot: usize) -> Option<Self>;

    /// How many slots the object has.
    fn slots(&self) -> usize;

    /// The last word of the object.
    fn key(&self) -> u64;

    /// Whether both refer to the same object.
    fn same(&self, other: &Self) -> bool;
}
