//! Audit: exact knowledge of what is dead, beside any collector.
//!
//! A collector under audit runs as it always does, while a *book* keeps its own graph of the program's objects and
//! references. The book knows what is reachable; the heap tells it what is freed. From the two follows what floats
//! (dead, not yet freed), what leaks and why, how long each object was dragged along, and whether anything was freed
//! too early.
//!
//! # How it works
//!
//! 1. *Operations.* Each operation of a mutator and its entry in the book happen under one lock, which is never held
//!    across a safepoint (`local.rs`). Time is counted in operations and in bytes allocated.
//! 2. *Frees.* The heap's one way to free puts the cell in quarantine with the time (`heap/quarantine.rs`).
//! 3. *Steps.* Now and then the book traces its graph. What it does not reach has died, and when is found by Merlin's
//!    method: M. Hertz, S. M. Blackburn, J. E. B. Moss, K. S. McKinley, D. Stefanovic, *Generating object lifetime traces
//!    with Merlin*, TOPLAS 2006 (`merlin.rs`). An object freed before it died is a mistake of the collector, and the run
//!    ends with the histories of both sides; what was rightly freed leaves the quarantine.
//! 4. *Findings.* Sums on the allocation clock (`curve.rs`), leaks by kind (`findings.rs`).
//!
//! # Invariants
//!
//! 1. Between operations the book's graph is the program's: the same roots, the same slots.
//! 2. The cell of a freed object is not used again before a step has found it rightly freed.
//!
//! An audited run is slower, so a concurrent collector keeps up better in it: times and floating garbage measured in it
//! say nothing about a run without.

pub use findings::{Curve, CurvePoint, Drag, Findings, Leaks};
pub use picture::Pictured;

mod book;
mod curve;
mod findings;
mod history;
mod leaks;
mod local;
mod merlin;
mod picture;

#[cfg(all(test, not(loom)))]
mod broken;

use std::fmt;

use crate::{
    Capabilities, Collector, Heap, Setting, SettingsError, SideTables,
    collector::Inspection,
    heap::Seat,
    threads::sync::{Arc, Mutex, MutexGuard},
};
use book::Book;

/// A collector under audit. It has the name, the settings and the capabilities of the collector.
pub struct Audited<C: Collector> {
    collector: Arc<C>,
    book: Arc<Mutex<Book>>,
}

/// The audit has found that the collector is wrong, and ended the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit: {0}")]
pub struct Violation(String);

impl<C: Collector> Collector for Audited<C> {
    const NAME: &'static str = C::NAME;
    const SUMMARY: &'static str = C::SUMMARY;
    const PAPER: &'static str = C::PAPER;
    const CAPABILITIES: Capabilities = C::CAPABILITIES;
    const SETTINGS: &'static [Setting] = C::SETTINGS;
    const SIDE_TABLES: SideTables = C::SIDE_TABLES;
    const IS_AUDITED: bool = true;

    type Settings = C::Settings;
    type Header = C::Header;
    type Local = local::AuditedLocal<C>;

    fn new(settings: C::Settings) -> Result<Self, SettingsError> {
        let book = Arc::new(Mutex::new(Book::new()));
        Ok(Self { collector: Arc::new(C::new(settings)?), book })
    }

    fn attach(self: &Arc<Self>, seat: Seat<C::Header>) -> Self::Local {
        local::AuditedLocal::new(self.collector.attach(seat), Arc::clone(&self.book))
    }

    fn close(&self) {
        self.collector.close();
    }

    fn name_class(&self, number: u32, name: &str) {
        lock(&self.book).name_class(number, name);
    }

    fn check(&self, inspection: &Inspection<'_, C::Header>) {
        self.collector.check(inspection);
        let mut book = lock(&self.book);
        let quarantine = inspection.core.space.quarantine.as_ref();
        let taken = book.take_in(quarantine.expect("an audited heap has a quarantine"));
        assert_eq!(taken, Ok(()));
        let objects = inspection.objects().map(crate::heap::Object::address);
        book.check(objects);
    }
}

impl<C: Collector> fmt::Debug for Audited<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Audited<{}>", C::NAME)
    }
}

impl<C: Collector> Heap<Audited<C>> {
    /// What the audit knows now.
    ///
    /// # Errors
    ///
    /// If the collector has freed something too early. (The operation that notices panics; this is for whoever asks
    /// afterwards.)
    pub fn findings(&self) -> Result<Findings, Violation> {
        let mut book = lock(&self.inner.collector.book);
        book.settle::<C::Header>(&self.inner.core.space)?;
        Ok(book.findings(C::CAPABILITIES.reclaims))
    }

    /// All objects that the heap holds, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// If the collector has freed something too early.
    pub fn picture(&self) -> Result<Vec<Pictured>, Violation> {
        let mut book = lock(&self.inner.collector.book);
        book.settle::<C::Header>(&self.inner.core.space)?;
        Ok(book.picture::<C::Header>())
    }

    /// The histories of at most `limit` dead objects that the collector has not freed though by its capabilities it can,
    /// oldest first. When full collections find nothing more, each of them is a mistake.
    pub fn forgotten(&self, limit: usize) -> Vec<String> {
        let book = lock(&self.inner.collector.book);
        book.forgotten::<C::Header>(C::CAPABILITIES.reclaims, limit)
    }
}

/// The book's lock. Whoever panics under it has found a mistake in the audit itself, and the book is still its own.
fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
