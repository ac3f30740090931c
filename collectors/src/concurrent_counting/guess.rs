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

use super::{
    Counted, Worker,
    batch::{Candidates, forget_old, is_old},
};
use crate::{
    heap::layout::{CHUNK_BYTES, GRANULE, WORD},
    threads::sync::{atomic::Ordering::Relaxed, capacity},
};

/// The scratch entry of a candidate that is held by nobody. Entries wrap below it, and below zero, for a while, since both
/// steps of the subtraction are done in one pass.
const GUESSED: u32 = 1 << 30;

/// The entry of a candidate that is held from outside.
const HELD: u32 = GUESSED + 1;

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
        let mut count = |object: Counted| {
            let descriptor = object.descriptor();
            let is_candidate = !descriptor.is_free() && !descriptor.is_acyclic();
            if is_candidate {
                examined += 1;
                set(object, get(object).wrapping_add(GUESSED + estimate(object)));
            }
            is_candidate
        };
        let subtract = |object: Counted| {
            mapped.each_child(object, |child| {
                // No bit tells of large objects, but they have entries by now.
                let is_large = child.may_be_large() && candidates.has_large(child);
                let is_candidate = if is_large { is_guessed(get(child)) } else { is_old(child) };
                if is_candidate {
                    set(child, get(child).wrapping_sub(1));
                }
            });
        };
        candidates.large.iter().for_each(|&object| _ = count(object));
        self.each(candidates, |object| {
            if count(object) {
                subtract(object);
            } else {
                forget_old(object);
            }
        });
        candidates.large.iter().for_each(|&object| subtract(object));
        let mut behind = Vec::new();
        let mut reach = |object: Counted| {
            if is_held(get(object)) {
                let here = object.address();
                set(object, 0);
                behind.push(object);
                while let Some(object) = behind.pop() {
                    mapped.each_child(object, |child| {
                        if !is_guessed(get(child)) {
                        } else if child.address() > here {
                            // Its turn comes, so that memory is visited in the order in which it lies.
                            set(child, HELD);
                        } else {
                            set(child, 0);
                            behind.push(child);
                        }
                    });
                }
            }
        };
        self.each(candidates, &mut reach);
        candidates.large.iter().for_each(|&object| reach(object));
        let mut suspects = Vec::new();
        candidates.clear_entries(is_guessed, |object| suspects.push(object));
        Guess { examined, suspects }
    }

    #[inline(always)]
    fn each(&self, candidates: &Candidates, visit: impl FnMut(Counted)) {
        let mut blocks = 0;
        candidates.each_in_blocks(visit, || {
            blocks += 1;
            if blocks % STRIDE == 0 {
                self.seat.answer();
            }
        });
    }
}

/// Whether an entry is that of a candidate which has not been reached.
#[inline(always)]
fn is_guessed(entry: u32) -> bool {
    entry.wrapping_sub(GUESSED / 2) < GUESSED
}

/// Whether an entry is that of a candidate which is held from outside.
#[inline(always)]
fn is_held(entry: u32) -> bool {
    is_guessed(entry) && entry >= HELD
}

/// By how many references a candidate seems to be held. One that waits to be destroyed may have none left, and is held by
/// whoever destroys it.
fn estimate(object: Counted) -> u32 {
    // SAFETY: the cell lies in a block that is mapped, and has been an object.
    let count = unsafe { object.header_of_cell() }.estimate();
    count.clamp(1, GUESSED / 4)
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
