//! The guess: which candidates look like garbage while the program changes them.
//!
//! The subtraction of `cycles/detect.rs`, on memory that may be anything. It decides what is worth a closer look, and nothing
//! else: if it takes a living object for garbage, validation will tell; garbage does not change, so it is never taken to be
//! alive.
//!
//! # Invariants
//!
//! 1. A word is taken for a reference only if it is the address of something in a chunk or in the mapping of a large object,
//!    and followed only to a candidate.

use super::{Counted, Worker, batch::Candidates};
use crate::{
    heap::layout::{CHUNK_BYTES, GRANULE, WORD},
    threads::sync::{atomic::Ordering::Relaxed, capacity},
};

/// Set in the scratch entry of a candidate. The bits below it count references from outside.
pub(super) const CANDIDATE: u32 = 1 << 31;

/// Blocks between two safepoints of the collector's thread.
const STRIDE: usize = capacity(8, 1);

/// The bit of a slot that locks it.
const LOCKED: usize = 1;

/// What the guess has come to.
pub(super) struct Guess {
    pub(super) examined: u64,
    pub(super) suspects: Vec<Counted>,
}

/// Where there is memory that can be looked at.
pub(super) struct Mapped {
    first: usize,
    chunks: Vec<bool>,
}

impl Worker<'_> {
    /// Which of the candidates may be garbage. All that were garbage when this began are among the suspects.
    pub(super) fn guess(&self, candidates: &Candidates, mapped: &Mapped) -> Guess {
        let mut examined = 0;
        self.each(candidates, |object| {
            let descriptor = object.descriptor();
            if !descriptor.is_free() && !descriptor.is_acyclic() {
                examined += 1;
                set(object, CANDIDATE | estimate(object));
            }
        });
        self.each(candidates, |object| {
            if get(object) & CANDIDATE != 0 {
                mapped.each_child(object, |child| {
                    let entry = get(child);
                    if entry > CANDIDATE {
                        set(child, entry - 1);
                    }
                });
            }
        });
        let mut reached = Vec::new();
        self.each(candidates, |object| {
            if get(object) > CANDIDATE {
                set(object, 0);
                reached.push(object);
                while let Some(object) = reached.pop() {
                    mapped.each_child(object, |child| {
                        if get(child) & CANDIDATE != 0 {
                            set(child, 0);
                            reached.push(child);
                        }
                    });
                }
            }
        });
        let mut suspects = Vec::new();
        candidates.clear_entries(CANDIDATE, |object| suspects.push(object));
        Guess { examined, suspects }
    }

    #[inline(always)]
    fn each(&self, candidates: &Candidates, visit: impl FnMut(Counted)) {
        let mut blocks = 0;
        candidates.each(visit, || {
            blocks += 1;
            if blocks % STRIDE == 0 {
                self.seat.answer();
            }
        });
    }
}

/// By how many references a candidate seems to be held. One that waits to be destroyed may have none left, and is held by
/// whoever destroys it.
fn estimate(object: Counted) -> u32 {
    // SAFETY: the cell lies in a block that is mapped, and has been an object.
    let count = unsafe { object.header_of_cell() }.estimate();
    count.clamp(1, CANDIDATE - 1)
}

impl Mapped {
    /// What is mapped and stays so while the cycle runs: these chunks, and large objects.
    pub(super) fn new(chunks: &[usize], large: &[Counted]) -> Self {
        let addresses =
            || chunks.iter().copied().chain(large.iter().map(|object| object.address()));
        let chunks = || addresses().map(|address| address / CHUNK_BYTES);
        let first = chunks().min().unwrap_or(0);
        let mut mapped = vec![false; chunks().max().map_or(0, |last| last - first + 1)];
        chunks().for_each(|chunk| mapped[chunk - first] = true);
        Self { first, chunks: mapped }
    }

    /// Whether something can be read at `address`, if that is a cell's.
    #[inline(always)]
    pub(super) fn has(&self, address: usize) -> bool {
        let chunk = (address / CHUNK_BYTES).wrapping_sub(self.first);
        self.chunks.get(chunk).is_some_and(|&is_mapped| is_mapped)
    }

    /// Calls `visit` with what `object` seems to refer to: cells of which the scratch entry can be looked at.
    #[inline(always)]
    fn each_child(&self, object: Counted, mut visit: impl FnMut(Counted)) {
        // SAFETY: blocks of cells stay mapped, and while a cycle runs so do large objects.
        for slot in unsafe { object.alleged_slots() } {
            // Relaxed: a hint: nothing that is found here is relied on.
            let address = slot.load(Relaxed) & !LOCKED;
            let has_room = address % CHUNK_BYTES <= CHUNK_BYTES - GRANULE;
            if address != 0 && address.is_multiple_of(WORD) && has_room && self.has(address) {
                // SAFETY: if not the address of a cell, one at which there is room for one.
                visit(unsafe { Counted::at(address) });
            }
        }
    }
}

#[inline(always)]
pub(super) fn get(object: Counted) -> u32 {
    // Relaxed: ours alone to write.
    object.scratch().load(Relaxed)
}

#[inline(always)]
pub(super) fn set(object: Counted, entry: u32) {
    // Relaxed: ours alone to write.
    object.scratch().store(entry, Relaxed);
}
