//! Tally: how often each kind of operation was done.

/// The kinds of operations, in the order in which they are counted.
pub const KINDS: [&str; 15] = [
    "allocate",
    "copy",
    "drop",
    "load",
    "set",
    "swap",
    "exchange",
    "share",
    "adopt",
    "withdraw",
    "block",
    "safepoint",
    "yield",
    "collect",
    "leave",
];

/// How often each kind of operation was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; KINDS.len()]);

impl Tally {
    /// Counts one of kind `kind`.
    pub(crate) fn count(&mut self, kind: usize) {
        self.0[kind] += 1;
    }

    /// The kinds with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.into_iter().zip(self.0)
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }
}
