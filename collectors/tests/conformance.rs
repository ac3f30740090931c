//! The laws of memory management, each tried on every collector of the list.
//!
//! A collector that is added to the list is covered by that alone. What it need not do, its capabilities say.

#[path = "conformance/laws.rs"]
#[macro_use]
mod laws;

#[path = "conformance/program.rs"]
mod program;

#[path = "conformance/accounting.rs"]
mod accounting;
#[path = "conformance/deep.rs"]
mod deep;
#[path = "conformance/finalizers.rs"]
mod finalizers;
#[path = "conformance/misuse.rs"]
mod misuse;
#[path = "conformance/observed.rs"]
mod observed;
#[path = "conformance/random.rs"]
mod random;
#[path = "conformance/reachability.rs"]
mod reachability;
#[path = "conformance/references.rs"]
mod references;
#[path = "conformance/stops.rs"]
mod stops;
#[path = "conformance/storms.rs"]
mod storms;
