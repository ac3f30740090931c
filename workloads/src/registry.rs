//! The list of workloads: names, and the way to run code with one chosen by name.

use crate::Workload;

/// Code that works with any workload.
pub trait WithWorkload {
    /// What the code returns.
    type Output;

    /// Runs the code with `W`.
    fn run<W: Workload>(self) -> Self::Output;
}

/// Makes the list: everything that has to be done for every workload follows from it.
macro_rules! workloads {
    ($($workload:ty),* $(,)?) => {
        /// The names of all workloads, in the order in which reports show them.
        pub const NAMES: &[&str] = &[$(<$workload as Workload>::NAME),*];

        /// Runs `body` with the workload called `name`, or returns `None` if there is none.
        pub fn with_workload<B: WithWorkload>(name: &str, body: B) -> Option<B::Output> {
            match name {
                $(<$workload as Workload>::NAME => Some(body.run::<$workload>()),)*
                _ => None,
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NAMES, with_workload};

    struct Name;

    impl WithWorkload for Name {
        type Output = &'static str;

        fn run<W: Workload>(self) -> &'static str {
            W::NAME
        }
    }

    #[test]
    fn every_workload_is_found_by_its_own_name() {
        for &name in NAMES {
            assert_eq!(with_workload(name, Name), Some(name));
        }
    }

    #[test]
    fn an_unknown_name_is_not_found() {
        assert_eq!(with_workload("freinds", Name), None);
    }
}
