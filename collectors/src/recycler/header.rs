//! Header of a counted object: its count, its cyclic count, its colour, and which list of the collector it is on.
//!
//! The mutator that makes an object writes the header once, before anybody else can see the object. From then on it
//! belongs to the collector's thread alone: nothing here is an atomic operation, and a model fails if somebody else looks.

use crate::{heap::Header, threads::sync::Plain};

/// What the collector keeps in every object.
#[derive(Debug)]
pub struct RecyclerHeader {
    /// References from slots, shared handles, waiting finalizers and scanned roots, as of the epoch that was processed last.
    count: Plain<u32>,
    /// What is left of the count when references from within are subtracted. Of a possible root: where it is in the list.
    cyclic: Plain<u32>,
    state: Plain<u32>,
}

/// Colours, as in the paper. Green, that of objects whose class is acyclic, is their class's and not written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Colour {
    /// In use, as far as is known.
    Black = 0,
    /// A possible root of a garbage cycle: it has lost a reference and not gained one since.
    Purple = 1,
    /// Reached from a possible root.
    Gray = 2,
    /// Reached, and nothing outside refers to it.
    White = 3,
    /// A member of a candidate that waits for the next epoch.
    Orange = 4,
    /// A member of the candidate that is being looked at.
    Red = 5,
}

/// The list that an object is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Place {
    /// None.
    Nowhere = 0,
    /// That of possible roots.
    Roots = 1,
    /// That of the members of candidates.
    Candidates = 2,
}

const COLOUR: u32 = 0b111;
const PLACE: u32 = 0b11;
const PLACE_SHIFT: u32 = 3;
const FINALIZED: u32 = 1 << 5;

impl Header for RecyclerHeader {
    /// One reference: its maker's, for which a decrement waits in the maker's buffer.
    fn newborn() -> Self {
        Self { count: Plain::new(1), cyclic: Plain::new(0), state: Plain::new(0) }
    }
}

impl RecyclerHeader {
    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.count.get()
    }

    /// One more reference.
    #[inline(always)]
    pub(super) fn add(&self) {
        let count = self.count.get().checked_add(1);
        self.count.set(count.expect("an object has fewer than 2^32 references"));
    }

    /// One reference less; gives how many are left.
    #[inline(always)]
    pub(super) fn subtract(&self) -> u32 {
        let count = self.count.get().checked_sub(1);
        let count = count.expect("a reference that is dropped has been counted");
        self.count.set(count);
        count
    }

    #[inline(always)]
    pub(super) fn cyclic_count(&self) -> u32 {
        self.cyclic.get()
    }

    /// Begins to subtract references from within.
    #[inline(always)]
    pub(super) fn begin_cyclic_count(&self) {
        self.cyclic.set(self.count.get());
    }

    /// Subtracts a reference from within. It may be one that has not been counted yet.
    #[inline(always)]
    pub(super) fn subtract_cyclic(&self) {
        self.cyclic.set(self.cyclic.get().saturating_sub(1));
    }

    /// Where in the list of possible roots it is, if it is there.
    pub(super) fn position(&self) -> usize {
        self.cyclic.get() as usize
    }

    pub(super) fn set_position(&self, position: usize) {
        self.cyclic.set(u32::try_from(position).expect("a heap has fewer than 2^32 objects"));
    }

    #[inline(always)]
    pub(super) fn colour(&self) -> Colour {
        match self.state.get() & COLOUR {
            0 => Colour::Black,
            1 => Colour::Purple,
            2 => Colour::Gray,
            3 => Colour::White,
            4 => Colour::Orange,
            _ => Colour::Red,
        }
    }

    #[inline(always)]
    pub(super) fn set_colour(&self, colour: Colour) {
        self.state.set(self.state.get() & !COLOUR | colour as u32);
    }

    #[inline(always)]
    pub(super) fn place(&self) -> Place {
        match self.state.get() >> PLACE_SHIFT & PLACE {
            0 => Place::Nowhere,
            1 => Place::Roots,
            _ => Place::Candidates,
        }
    }

    pub(super) fn set_place(&self, place: Place) {
        self.state.set(self.state.get() & !(PLACE << PLACE_SHIFT) | (place as u32) << PLACE_SHIFT);
    }

    /// Whether the finalizer waits or has been called.
    pub(super) fn is_finalized(&self) -> bool {
        self.state.get() & FINALIZED != 0
    }

    pub(super) fn set_finalized(&self) {
        self.state.set(self.state.get() | FINALIZED);
    }
}
