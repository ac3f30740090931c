//! Who manages memory: mutators, safepoints, and the switch between real threads and the model checker's.

pub(crate) mod collector_thread;
pub(crate) mod sync;
pub(crate) mod world;
