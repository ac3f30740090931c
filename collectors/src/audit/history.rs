//! Histories: what happened to an object, for the message that leads to a collector's mistake.

use std::fmt;

use crate::heap::quarantine::Moment;

/// Who holds a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The program, in mutator number so and so.
    Root(u32),
    /// A slot of the object with this number.
    Slot { owner: u64, slot: u32 },
    /// A finalizer, called by mutator number so and so with the dying object.
    Finalizer(u32),
}

/// A reference was gained or lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) at: Moment,
    pub(super) holder: Holder,
}

/// What is told of one object.
#[derive(Debug)]
pub(super) struct History<'b> {
    pub(super) number: u64,
    pub(super) class: &'b str,
    pub(super) bytes: u64,
    pub(super) born: Change,
    pub(super) gained: Change,
    pub(super) lost: Option<Change>,
    pub(super) died: Option<Moment>,
    pub(super) freed: Option<Moment>,
    /// What the collector counts.
    pub(super) count: Option<u64>,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(mutator) => write!(formatter, "a root of mutator {mutator}"),
            Self::Slot { owner, slot } => write!(formatter, "slot {slot} of object {owner}"),
            Self::Finalizer(mutator) => write!(formatter, "its finalizer on mutator {mutator}"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, in {}", self.holder, Told(self.at))
    }
}

/// A moment, in words.
pub(super) struct Told(pub(super) Moment);

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment { operation, bytes } = self.0;
        write!(formatter, "operation {operation} ({bytes} bytes allocated)")
    }
}

impl fmt::Display for History<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, class, bytes, born, gained, lost, died, freed, count } = self;
        write!(formatter, "object {number}, a `{class}` of {bytes} bytes: made for {born}")?;
        write!(formatter, "; last gained {gained}")?;
        if let Some(lost) = lost {
            write!(formatter, "; last lost {lost}")?;
        }
        match died {
            Some(died) => write!(formatter, "; died in {}", Told(*died))?,
            None => write!(formatter, "; alive")?,
        }
        match freed {
            Some(freed) => write!(formatter, "; freed in {}", Told(*freed))?,
            None => write!(formatter, "; never freed")?,
        }
        if let Some(count) = count {
            write!(formatter, "; its count is {count}")?;
        }
        Ok(())
    }
}
