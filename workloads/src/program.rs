//! A running program: one thread's way to the heap, which counts what it does and sums what it reads.

use collectors::OutOfMemory;

use crate::{Choices, Manager, Memory, Outcome, Stage, faults::Faults, manager::Form};

/// The difference between neighbouring words of an object: odd and irregular, so that no two words of a heap are
/// alike but by chance.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// What the threads of a run have in common.
#[derive(Clone, Copy)]
pub struct Run<'r> {
    pub(crate) threads: usize,
    pub(crate) seed: u64,
    pub(crate) stage: &'r dyn Stage,
    pub(crate) faults: &'r Faults,
}

/// One thread of a workload, or its preparation. Reading slots needs nothing of it: that is
/// [`Reference::get`](crate::Reference::get).
pub struct Program<'m, C: Manager> {
    mutator: C::Mutator<'m>,
    run: Run<'m>,
    thread: usize,
    /// What this thread draws from.
    pub choices: Choices,
    checksum: u64,
    operations: u64,
}

impl<'m, C: Manager> Program<'m, C> {
    /// The thread with index `thread`.
    pub(crate) fn new(mutator: C::Mutator<'m>, run: Run<'m>, thread: usize) -> Self {
        let choices = Choices::new(run.seed, thread);
        Self { mutator, run, thread, choices, checksum: 0, operations: 0 }
    }

    /// What goes before the threads, and draws from what they have in common.
    pub(crate) fn preparation(mutator: C::Mutator<'m>, run: Run<'m>) -> Self {
        let mut program = Self::new(mutator, run, 0);
        program.choices = program.choices.common();
        program
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome { checksum: self.checksum, operations: self.operations }
    }

    /// The index of this thread.
    pub fn thread(&self) -> usize {
        self.thread
    }

    /// How many threads the run has.
    pub fn threads(&self) -> usize {
        self.run.threads
    }

    /// A handle that another thread can adopt.
    pub fn share(&self, object: &C::Root<'m>) -> C::Shared {
        C::share(object)
    }

    /// A root for what another thread has shared.
    pub fn adopt(&self, shared: &C::Shared) -> C::Root<'m> {
        C::adopt(self.mutator, shared)
    }

    /// Runs `wait` while this thread counts as stopped.
    pub fn blocked<R: Send>(&self, wait: impl FnOnce() -> R + Send) -> R {
        C::blocked(self.mutator, wait)
    }

    /// Nanoseconds since some moment before the run.
    pub fn now_ns(&self) -> u64 {
        self.run.stage.now_ns()
    }

    /// Waits for a moment, if it is not yet over.
    pub fn wait_until(&self, due_ns: u64) {
        if self.now_ns() >= due_ns {
            return self.safepoint();
        }
        let stage = self.run.stage;
        self.blocked(|| stage.wait_until(due_ns));
    }

    /// Tells that a request has been served now.
    pub fn completed(&self, intended_ns: u64, began_ns: u64) {
        self.run.stage.completed(self.thread, intended_ns, began_ns, self.now_ns());
    }

    /// Writes the first words of an object, from one word drawn.
    fn write(&mut self, object: &C::Root<'m>, words: usize) {
        let mut value = self.choices.word();
        for index in 0..words {
            C::set_word(object, index, self.run.faults.on_word(value));
            value = value.wrapping_add(STEP);
        }
    }
}

impl<'m, C: Manager> Memory for Program<'m, C> {
    type Class = C::Class;
    type Root = C::Root<'m>;

    fn class(&mut self, name: &str, slots: u32, words: u32) -> C::Class {
        C::class(self.mutator, &Form { name, slots, words, cyclic: true })
    }

    fn acyclic_class(&mut self, name: &str, slots: u32, words: u32) -> C::Class {
        C::class(self.mutator, &Form { name, slots, words, cyclic: false })
    }

    fn choices(&mut self) -> &mut Choices {
        &mut self.choices
    }

    fn alloc_with(&mut self, class: &C::Class, slots: u32) -> Result<C::Root<'m>, OutOfMemory> {
        let object = C::alloc_with(self.mutator, class, slots)?;
        self.operations += 1;
        let words = C::words(&object);
        if words > 0 {
            self.write(&object, words);
        }
        Ok(object)
    }

    fn alloc_keyed(&mut self, class: &C::Class, key: u64) -> Result<C::Root<'m>, OutOfMemory> {
        let object = C::alloc(self.mutator, class)?;
        self.operations += 1;
        assert!(C::words(&object) >= 2, "a word is drawn beside the key");
        let last = C::words(&object) - 1;
        self.write(&object, last);
        C::set_word(&object, last, self.run.faults.on_word(key));
        Ok(object)
    }

    fn set(&mut self, object: &C::Root<'m>, slot: usize, value: Option<&C::Root<'m>>) {
        self.operations += 1;
        C::set(object, slot, self.run.faults.on_edge(value));
    }

    fn swap(
        &mut self,
        object: &C::Root<'m>,
        slot: usize,
        value: Option<&C::Root<'m>>,
    ) -> Option<C::Root<'m>> {
        self.operations += 1;
        C::swap(object, slot, self.run.faults.on_edge(value))
    }

    fn read(&mut self, object: &C::Root<'m>) {
        for index in 0..C::words(object) {
            self.checksum = self.checksum.wrapping_add(C::word(object, index));
        }
    }

    fn glance(&mut self, object: &C::Root<'m>) {
        self.checksum = self.checksum.wrapping_add(C::word(object, 0));
    }

    fn safepoint(&self) {
        C::safepoint(self.mutator);
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
