//! Faults that a test injects, to see that the checksum notices them.
//!
//! Outside of this crate's tests there are none, and nothing is paid for them.

#[cfg(test)]
use std::sync::{Arc, Mutex};

/// What is to go wrong in a run.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    #[cfg(test)]
    planned: Option<Arc<Mutex<Plan>>>,
}

/// One fault, in a test.
#[cfg(test)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// Chances to pass before the fault; `None` once it has happened.
    pub(crate) after: Option<u64>,
}

/// What goes wrong.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A word is written with one bit flipped.
    Word,
    /// A reference that should be stored is not: null is.
    Edge,
}

impl Faults {
    /// The word that is really written in place of `value`.
    #[inline]
    pub(crate) fn on_word(&self, value: u64) -> u64 {
        #[cfg(test)]
        if self.strikes(Kind::Word) {
            return value ^ 1 << 17;
        }
        value
    }

    /// The reference that is really stored in place of `value`.
    #[inline]
    pub(crate) fn on_edge<'r, R>(&self, value: Option<&'r R>) -> Option<&'r R> {
        #[cfg(test)]
        if value.is_some() && self.strikes(Kind::Edge) {
            return None;
        }
        value
    }
}

#[cfg(test)]
mod tests;
