//! The count of candidates: an atomic count whose drops tell a buffer what has lost a reference and lives.
//!
//! The object is buffered before the reference is dropped. Afterwards it would be too late: another may drop the last
//! one meanwhile, and free the object.

use super::candidates::{Buffer, Candidates};
use crate::{
    counts::{
        Count, Dropped,
        atomic::{Anyone, AtomicCount},
    },
    cycles::detect::get,
    heap::{Header, Object, Seat},
    threads::sync::{Arc, mutant},
};

/// An object's number of references, and its flags.
#[derive(Debug)]
pub struct CandidateCount(AtomicCount);

impl Header for CandidateCount {
    fn newborn() -> Self {
        Self(AtomicCount::new())
    }

    fn count(&self) -> Option<u64> {
        self.0.count()
    }
}

impl Count for CandidateCount {
    type Common = Candidates;
    type Holder = Buffer;

    fn hold(candidates: &Arc<Candidates>, _: &Seat<Self>) -> Buffer {
        Buffer::new(Arc::clone(candidates))
    }

    #[inline(always)]
    fn bear(&self, _: &Buffer) {}

    #[inline(always)]
    fn increment(&self, _: &Buffer) {
        self.0.increment();
    }

    #[inline(always)]
    fn decrement(object: Object<Self>, buffer: &Buffer) -> Dropped {
        let count = &object.header().0;
        if mutant("buffer a candidate after its reference is dropped") {
            let dropped = count.decrement();
            if dropped == Dropped::Alive {
                buffer.consider(object);
            }
            return dropped;
        }
        // The entry of one that is buffered is not 0; if it is late to be seen, the claim fails.
        if !count.is_sole(&Anyone) && get(object) == 0 {
            buffer.consider(object);
        }
        count.decrement()
    }

    #[inline(always)]
    fn is_sole(&self, _: &Buffer) -> bool {
        self.0.is_sole(&Anyone)
    }

    #[inline(always)]
    fn references(&self) -> u32 {
        self.0.references()
    }

    fn increment_unless_zero(&self, _: &Buffer) -> bool {
        self.0.increment_unless_zero()
    }

    #[inline(always)]
    fn is_finalized(&self) -> bool {
        self.0.is_finalized()
    }

    fn set_finalized(&self) {
        self.0.set_finalized();
    }

    fn revive(&self) {
        self.0.revive();
    }

    #[inline(always)]
    fn is_doomed(&self) -> bool {
        self.0.is_doomed()
    }

    fn set_doomed(&self, doomed: bool) {
        self.0.set_doomed(doomed);
    }

    fn leave(buffer: &Buffer) -> bool {
        buffer.leave();
        true
    }
}
