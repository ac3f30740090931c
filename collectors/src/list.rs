//! The list of collectors, and the way to run code with one chosen by name.

use crate::Collector;

/// Code that works with any collector.
pub trait WithCollector {
    /// What the code returns.
    type Output;

    /// Runs the code with `C`.
    fn run<C: Collector>(self) -> Self::Output;
}

macro_rules! collectors {
    ($($collector:ty),* $(,)?) => {
        /// The names of all collectors, in the order in which charts show them.
        pub const NAMES: &[&str] = &[$(<$collector>::NAME),*];

        /// Runs `body` with the collector called `name`, or returns `None` if there is none.
        pub fn with_collector<B: WithCollector>(name: &str, body: B) -> Option<B::Output> {
            match name {
                $(<$collector>::NAME => Some(body.run::<$collector>()),)*
                _ => None,
            }
        }
    };
}

collectors![
    crate::leak::Leak,
    crate::refcount::RefCount,
    crate::generational::Generational<crate::triggers::Fixed, crate::counts::biased::BiasedCount>,
    crate::deferred::Deferred,
    crate::generational::Generational<crate::triggers::Fixed>,
    crate::generational::Generational<crate::triggers::Tuned>,
    crate::trial_deletion::TrialDeletion,
    crate::incremental::Incremental,
    crate::recycler::Recycler,
    crate::coalescing::Coalescing,
    crate::mark_sweep::MarkSweep,
    crate::snapshot::Snapshot,
    crate::concurrent_counting::ConcurrentCounting,
];

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Name;

    impl WithCollector for Name {
        type Output = &'static str;

        fn run<C: Collector>(self) -> &'static str {
            C::NAME
        }
    }

    #[test]
    fn every_collector_is_found_by_its_name() {
        for &name in NAMES {
            assert_eq!(with_collector(name, Name), Some(name));
        }
    }

    #[test]
    fn an_unknown_name_is_not_found() {
        assert_eq!(with_collector("ref-cuont", Name), None);
    }
}
