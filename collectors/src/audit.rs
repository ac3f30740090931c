//! Audit: exact knowledge of what is dead, beside any collector.

pub use findings::{Curve, CurvePoint, Drag, Findings, Leaks};

mod findings;
