//! Parts: what the collector knows of one mutator, and what changes hands between the two when an epoch ends.
//!
//! # Synchronization
//!
//! | variable          | written by                     | read by                       | protocol         |
//! |-------------------|--------------------------------|-------------------------------|------------------|
//! | `roots`, `buffer` | the mutator                    | the same, acts of handshakes  | handshake        |
//! | `handed`          | acts of handshakes, collector  | the same                      | the lock         |

use super::{
    Counted,
    buffer::{MutationBuffer, Segment},
    header::RecyclerHeader,
};
use crate::{
    marking::object_at,
    roots::RootTable,
    threads::sync::{Mutex, MutexGuard, mutant},
};

/// A mutator, as the collector sees it.
pub(super) struct Part {
    pub(super) roots: RootTable<RecyclerHeader>,
    pub(super) buffer: MutationBuffer,
    handed: Mutex<Handed>,
}

/// What a mutator hands over at the end of an epoch.
#[derive(Default)]
struct Handed {
    segments: Vec<Segment>,
    /// The root table as it was then, entry by entry: addresses, and 0 for free entries.
    image: Vec<usize>,
    /// Whether it has been scanned since the collector took it last.
    is_scanned: bool,
    /// The image whose roots are counted.
    counted: Vec<usize>,
}

/// Two images of a root table, one epoch after the other. A root that is in both at the same place has been counted and
/// stays so; the others have come or gone.
pub(super) struct Scan {
    before: Vec<usize>,
    after: Vec<usize>,
}

impl Part {
    pub(super) fn new() -> Self {
        Self {
            roots: RootTable::new(),
            buffer: MutationBuffer::new(),
            handed: Mutex::new(Handed::default()),
        }
    }

    /// Ends the mutator's epoch: hands over its buffer and an image of its roots. By the mutator, or in its place.
    pub(super) fn hand_over(&self) {
        let mut handed = self.handed();
        let Handed { segments, image, is_scanned, .. } = &mut *handed;
        self.buffer.hand_over(segments);
        image.clear();
        if !mutant("no stack scan") {
            self.roots.copy_to(image);
        }
        *is_scanned = true;
    }

    /// Takes what has been handed over: the buffer goes to the end of `segments`, and the scan is given, if there was one.
    pub(super) fn take(&self, segments: &mut Vec<Segment>) -> Option<Scan> {
        let mut handed = self.handed();
        segments.append(&mut handed.segments);
        std::mem::take(&mut handed.is_scanned).then(|| Scan {
            before: std::mem::take(&mut handed.counted),
            after: std::mem::take(&mut handed.image),
        })
    }

    /// Gives back a scan that has been counted.
    pub(super) fn give_back(&self, scan: Scan) {
        let Scan { before: mut spare, after } = scan;
        spare.clear();
        // So that the mutator need not ask for memory in its pause, not even if its table has doubled.
        spare.reserve(2 * after.len());
        let mut handed = self.handed();
        handed.image = spare;
        handed.counted = after;
    }

    /// The roots that are counted.
    pub(super) fn counted_roots(&self) -> Vec<Counted> {
        self.handed().counted.iter().filter_map(|&address| object_at(address)).collect()
    }

    fn handed(&self) -> MutexGuard<'_, Handed> {
        self.handed.lock().expect("nothing panics while it holds this lock")
    }
}

impl Scan {
    /// Roots that were not there an epoch ago.
    pub(super) fn come(&self) -> impl Iterator<Item = Counted> {
        difference(&self.after, &self.before)
    }

    /// Roots that are no longer there.
    pub(super) fn gone(&self) -> impl Iterator<Item = Counted> {
        difference(&self.before, &self.after)
    }
}

/// What is in `one` and not at the same place of `other`.
fn difference(one: &[usize], other: &[usize]) -> impl Iterator<Item = Counted> {
    let others = other.iter().copied().chain(std::iter::repeat(0));
    one.iter().zip(others).filter_map(|(&here, there)| object_at(here).filter(|_| here != there))
}
