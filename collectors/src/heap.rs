//! What is managed: objects and their classes, in blocks of cells, every byte accounted for.

pub(crate) mod block;
pub(crate) mod class;
pub(crate) mod core;
pub(crate) mod layout;
pub(crate) mod memory;
pub(crate) mod object;
pub(crate) mod quarantine;
pub(crate) mod seal;
pub(crate) mod seat;
pub(crate) mod share;
pub(crate) mod shared;
pub(crate) mod size;
pub(crate) mod space;
pub(crate) mod tally;

pub use self::{
    class::{Class, Kind, Layout},
    core::{Options, Statistics},
    object::{Header, Object},
    seat::Seat,
    space::{OutOfMemory, SideTables},
    tally::Amount,
};
