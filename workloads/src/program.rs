//! A running program: one thread's way to the heap, which counts what it does and sums what it reads.

use collectors::{Class, Collector, Mutator, OutOfMemory, Root};

use crate::{Choices, Outcome, faults::Faults};

/// The difference between neighbouring words of an object: odd and irregular, so that no two words of a heap are
/// alike but by chance.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One thread of a workload. Reading slots needs nothing of it: that is [`Root::get`].
pub struct Program<'m, C: Collector> {
    mutator: &'m Mutator<C>,
    /// What this thread draws from.
    pub choices: Choices,
    checksum: u64,
    operations: u64,
    faults: Faults,
}

impl<'m, C: Collector> Program<'m, C> {
    pub(crate) fn new(mutator: &'m Mutator<C>, choices: Choices, faults: Faults) -> Self {
        Self { mutator, choices, checksum: 0, operations: 0, faults }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome { checksum: self.checksum, operations: self.operations }
    }

    /// Makes an object and draws its words.
    pub fn alloc(&mut self, class: &Class<C>) -> Result<Root<'m, C>, OutOfMemory> {
        self.alloc_with(class, 0)
    }

    /// Makes an object with slots beyond those of its class and draws its words.
    pub fn alloc_with(&mut self, class: &Class<C>, slots: u32) -> Result<Root<'m, C>, OutOfMemory> {
        let object = self.mutator.alloc_with(class, slots)?;
        self.operations += 1;
        if object.words() > 0 {
            self.write(&object);
        }
        Ok(object)
    }

    /// Writes every word of an object, from one word drawn.
    fn write(&mut self, object: &Root<'m, C>) {
        let mut value = self.choices.word();
        for index in 0..object.words() {
            object.set_word(index, self.faults.on_word(value));
            value = value.wrapping_add(STEP);
        }
    }

    /// Stores a reference.
    pub fn set(&mut self, object: &Root<'m, C>, slot: usize, value: Option<&Root<'m, C>>) {
        self.operations += 1;
        object.set(slot, self.faults.on_edge(value));
    }

    /// Stores a reference and returns the one that was there.
    pub fn swap(
        &mut self,
        object: &Root<'m, C>,
        slot: usize,
        value: Option<&Root<'m, C>>,
    ) -> Option<Root<'m, C>> {
        self.operations += 1;
        object.swap(slot, self.faults.on_edge(value))
    }

    /// Adds every word of an object to the checksum.
    pub fn read(&mut self, object: &Root<'m, C>) {
        for index in 0..object.words() {
            self.checksum = self.checksum.wrapping_add(object.word(index));
        }
    }

    /// Adds the first word of an object to the checksum: proof that an edge leads where it should.
    pub fn glance(&mut self, object: &Root<'m, C>) {
        self.checksum = self.checksum.wrapping_add(object.word(0));
    }

    /// Answers a stop. Allocation does that too, so only long stretches without it need to.
    pub fn safepoint(&self) {
        self.mutator.safepoint();
    }
}

/// The sum of an object's words, if `value` is what was drawn for it.
pub(crate) fn sum_of_words(value: u64, words: u64) -> u64 {
    let steps = u128::from(words) * u128::from(words.saturating_sub(1)) / 2;
    value.wrapping_mul(words).wrapping_add(STEP.wrapping_mul(steps as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_words_is_that_of_words_written_one_by_one() {
        for words in [0, 1, 2, 3, 1000] {
            let one_by_one = (0..words).fold(0_u64, |sum, index: u64| {
                sum.wrapping_add(77_u64.wrapping_add(index.wrapping_mul(STEP)))
            });
            assert_eq!(sum_of_words(77, words), one_by_one);
        }
    }
}
