//! Every workload compiled for every collector of the list: here, once, for whoever runs them.
//!
//! What is generic is compiled again in each crate and each test that uses it. So nothing but this function is: whoever
//! calls it names a workload and hands over a heap, and it finds the program that was compiled for both.

use collectors::{Collector, Heap, OutOfMemory, WithCollector, with_collector};
use std::any::Any;

use crate::{
    Outcome, WithWorkload, Workload,
    erased::{Erased, ErasedHeap},
    manager::Manager,
    program::Run,
    with_workload,
    workload::run_with,
};

/// What is to be run, and on what.
pub(crate) struct Call<'c> {
    pub(crate) workload: &'static str,
    pub(crate) collector: &'static str,
    pub(crate) heap: &'c dyn ErasedHeap,
    /// The workload's parameters.
    pub(crate) parameters: &'c dyn Any,
    pub(crate) run: Run<'c>,
}

/// Runs a workload of the list: compiled for the collector of the heap if that is in the list, and otherwise, as for one
/// under audit, through [`Erased`].
pub(crate) fn run(call: &Call<'_>) -> Result<Outcome, OutOfMemory> {
    let compiled = with_collector(call.collector, OnCollector(call)).flatten();
    compiled.unwrap_or_else(|| {
        with_workload(call.workload, Through::<Erased> { call, heap: call.heap })
            .expect("the workload is in the list")
    })
}

struct OnCollector<'c>(&'c Call<'c>);

impl WithCollector for OnCollector<'_> {
    type Output = Option<Result<Outcome, OutOfMemory>>;

    fn run<C: Collector>(self) -> Self::Output {
        let Self(call) = self;
        let heap: &dyn Any = call.heap;
        // An audited heap has the name of its collector, and another type.
        let heap: &Heap<C> = heap.downcast_ref()?;
        with_workload(call.workload, Through::<C> { call, heap })
    }
}

struct Through<'c, C: Manager> {
    call: &'c Call<'c>,
    heap: &'c C::Heap,
}

impl<C: Manager> WithWorkload for Through<'_, C> {
    type Output = Result<Outcome, OutOfMemory>;

    fn run<W: Workload>(self) -> Self::Output {
        let parameters = self.call.parameters.downcast_ref();
        let parameters = parameters.expect("the parameters are the workload's own");
        run_with::<W, C>(self.heap, parameters, self.call.run)
    }
}
