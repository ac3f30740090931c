//! Findings: what an audit knows of a heap at one moment.

use serde::{Deserialize, Serialize};

use crate::Amount;

/// What an audit knows of a heap at one moment, exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Ever allocated; its bytes are the clock of everything below.
    pub allocated: Amount,
    /// Freed.
    pub freed: Amount,
    /// Reachable from a root or a shared handle.
    pub live: Amount,
    /// Bytes reachable on average over the allocation clock, exactly.
    pub live_mean: u64,
    /// The most bytes reachable at a point of the curve.
    pub live_peak: u64,
    /// Dead and not yet freed.
    pub floating: Amount,
    /// Bytes dead and not yet freed on average over the allocation clock, exactly.
    pub floating_mean: u64,
    /// The most bytes dead and not yet freed at a point of the curve.
    pub floating_peak: u64,
    /// Of what floats, that which the collector can never free, by its capabilities: all of it, or what is part of a
    /// dead cycle or held by one.
    pub structural: Amount,
    /// How live and held memory went over the run.
    pub curve: Curve,
    /// How long objects floated between their death and their end, shortest first.
    pub drag: Vec<Drag>,
}

/// Memory on the allocation clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curve {
    /// One point every so many bytes allocated, and one at the end.
    pub points: Vec<CurvePoint>,
}

/// A moment of a curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Allocated until then.
    pub allocated: Amount,
    /// Reachable then.
    pub live: Amount,
    /// Allocated and not freed then.
    pub held: Amount,
}

/// The objects that floated for so long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drag {
    /// At most this many bytes were allocated in between, and more than half of it; 0 stands for none at all.
    pub at_most: u64,
    /// The objects.
    pub amount: Amount,
}

/// Dead objects that a collector has not freed, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaks {
    /// It can never free them: everything under a collector that frees nothing, dead cycles and what they hold under
    /// pure counting.
    pub structural: Amount,
    /// It had only not got round to them: the full collections at the end did free them.
    pub policy: Amount,
    /// It should have freed them and did not: a bug.
    pub protocol: Amount,
}

impl Leaks {
    /// The leaks of a run, from what was known when its program had ended and when full collections had found nothing
    /// more.
    pub fn between(at_end: &Findings, after: &Findings) -> Self {
        Self {
            structural: after.structural,
            policy: difference(at_end.floating, after.floating),
            protocol: difference(after.floating, after.structural),
        }
    }
}

fn difference(whole: Amount, part: Amount) -> Amount {
    Amount {
        objects: whole.objects.saturating_sub(part.objects),
        bytes: whole.bytes.saturating_sub(part.bytes),
    }
}
