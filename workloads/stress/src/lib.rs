//! Stress: random programs that try to break a way of managing memory.
//!
//! This crate must never know a collector by name, a file or the terminal, and it forbids `unsafe`: what it breaks, a
//! user of the library could have broken. What each thread does is determined by the seed and the thread's number alone;
//! when it does it is not, for that is up to the system, to the random yields and to the random collections.
//!
//! It is a crate of its own so that a sanitizer can build it without everything else: the example `storm` is the smallest
//! program that runs it (`.ci/asan`). The conformance suite of `collectors` has a storm of its own, because nothing that
//! `collectors` needs may depend on `collectors`.
//!
//! `operation.rs` has what a thread may do, `storm.rs` does it, `round.rs` gives it a heap and looks at what is left.

#![forbid(unsafe_code)]

pub use operation::{Operation, Operations};
pub use progress::{Place, Progress};
pub use round::{Broken, Found, Limit, Outcome, Round};
pub use tally::{KINDS, Tally};

mod operation;
mod progress;
mod round;
mod storm;
mod tally;
