//! Cycles: how garbage that references from garbage keep is found and freed, whatever collector asks, and when.

pub(crate) mod detect;
pub(crate) mod listed;
mod reach;
pub(crate) mod reclaim;
mod shared;
