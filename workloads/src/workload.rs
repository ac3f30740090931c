//! What a workload is: a program, its parameters, and what it must come to.

use collectors::{Collector, Heap, OutOfMemory};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

use crate::{
    Choices, Expected, InputFile, Manager, Outcome, Parameter, ParameterError, Program, Stage,
    compiled::{self, Call},
    faults::Faults,
    program::Run,
};

/// A program to try collectors on.
///
/// An author writes what one thread does with the heap in [`play`](Self::play), and what that must come to without it in
/// [`predict`](Self::predict): by arithmetic, or by the same steps on [`PlainMemory`](crate::PlainMemory). Both are given
/// the same [`Choices`] and have to draw from them in the same order.
pub trait Workload: Sized {
    /// The name used in experiment files, records and charts.
    const NAME: &'static str;
    /// One sentence: what it does and which claim it tests.
    const SUMMARY: &'static str;
    /// What can be set, in the order of [`Self::Parameters`]' fields.
    const PARAMETERS: &'static [Parameter];

    /// The parameters as experiment files give them: strict, and complete by their defaults.
    type Parameters: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What is made once for all threads: classes, what they share, and what follows from the parameters alone.
    type Setup<C: Manager>: Sync;

    /// The files that the parameters name. Whoever runs the workload reads them and supplies their contents before
    /// [`validate`](Self::validate), for this crate does not touch files.
    fn files(parameters: &mut Self::Parameters) -> Vec<&mut InputFile> {
        let _ = parameters;
        Vec::new()
    }

    /// Checks every parameter against its range.
    ///
    /// # Errors
    ///
    /// The first parameter out of range, its value and the range.
    fn validate(parameters: &Self::Parameters) -> Result<(), ParameterError>;

    /// Makes what all threads share, before they start. Draws from [`Choices::common`]. May panic on parameters that
    /// are not valid.
    ///
    /// # Errors
    ///
    /// The heap is exhausted.
    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Self::Parameters,
    ) -> Result<Self::Setup<C>, OutOfMemory>;

    /// What one thread does. All roots are dropped before it returns.
    ///
    /// # Errors
    ///
    /// Ends early if the heap is exhausted.
    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Self::Setup<C>,
        parameters: &Self::Parameters,
    ) -> Result<(), OutOfMemory>;

    /// What one thread must come to, worked out without a heap.
    fn predict(parameters: &Self::Parameters, choices: Choices) -> Expected;

    /// Runs the workload on `threads` threads and joins them. Parameters have to be valid. `stage` is the time that it
    /// is paced by, if it is. Under a collector of the list it is a program compiled for that collector, under any
    /// other, an audited one for instance, it is compiled for none and slower.
    ///
    /// # Errors
    ///
    /// The heap was exhausted on at least one thread.
    ///
    /// # Panics
    ///
    /// If the workload is not in the list.
    fn run<C: Collector>(
        heap: &Heap<C>,
        parameters: &Self::Parameters,
        threads: usize,
        seed: u64,
        stage: &dyn Stage,
    ) -> Result<Outcome, OutOfMemory> {
        let run = Run { threads, seed, stage, faults: &Faults::default() };
        let (collector, workload) = (C::NAME, Self::NAME);
        compiled::run(&Call { workload, collector, heap, parameters, run })
    }

    /// What [`run`](Self::run) must come to under every collector, worked out without a heap. Takes time and memory in
    /// proportion to the run itself.
    fn expect(parameters: &Self::Parameters, threads: usize, seed: u64) -> Expected {
        (0..threads).map(|thread| Self::predict(parameters, Choices::new(seed, thread))).sum()
    }
}

/// Runs a workload with faults injected, of which there are none outside of this crate's tests.
pub(crate) fn run_with<W: Workload, C: Manager>(
    heap: &C::Heap,
    parameters: &W::Parameters,
    run: Run<'_>,
) -> Result<Outcome, OutOfMemory> {
    let (setup, prepared) = C::attached(heap, run, |mutator, run| {
        let mut program = Program::<C>::preparation(mutator, run);
        let setup = W::prepare(&mut program, parameters)?;
        Ok((setup, program.outcome()))
    })?;
    let played = C::threads(heap, run, |mutator, run, thread| {
        let mut program = Program::<C>::new(mutator, run, thread);
        W::play(&mut program, &setup, parameters)?;
        Ok(program.outcome())
    });
    played.into_iter().chain([Ok(prepared)]).sum()
}
