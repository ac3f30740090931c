//! Random programs of one thread, step by step beside a model of the heap.
//!
//! A failure shows the shortest program that fails; `PROPTEST_RNG_SEED` repeats a run.

use collectors::Heap;
use proptest::{
    collection::vec,
    test_runner::{Config, TestRunner},
};

use crate::{
    laws::{heap, stressed_heap},
    program::{any_step, run},
};

/// Tries random programs on heaps that `heap` makes.
fn try_programs<C: collectors::Collector>(cases: u32, length: usize, heap: impl Fn() -> Heap<C>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&vec(any_step(), 1..length), |steps| {
        run(&heap(), &steps);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

laws! {
    fn a_random_program_leaves_what_the_model_says<C>() {
        try_programs(200, 120, heap::<C>);
    }

    fn a_random_program_under_stress_leaves_what_the_model_says<C>() {
        try_programs(100, 120, || stressed_heap::<C>(5));
    }

    fn a_long_random_program_leaves_what_the_model_says<C>() {
        try_programs(5, 1_500, heap::<C>);
    }
}
