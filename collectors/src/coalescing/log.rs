//! Logs: the slots that one mutator has overwritten since the last epoch, and what they held at its end.
//!
//! # Invariants
//!
//! 1. Pages stay where they are until the log is taken; `next` to `end` are free entries of the last one.
//!
//! # Synchronization
//!
//! | variable               | written by                   | read by  | protocol            |
//! |------------------------|------------------------------|----------|---------------------|
//! | entries, `next`, `end` | the mutator, a stopped world | the same | safepoint handshake |
//! | `pages`                | the mutator, a stopped world | the same | the lock            |

use crate::{
    heap::object::Slot,
    threads::sync::{Mutex, Plain, capacity},
};

/// Entries of a page: 8 KiB of them.
const PAGE: usize = capacity(512, 2);

/// One entry of a log.
type Entry = [Plain<usize>; 2];

/// A slot that has been overwritten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overwritten {
    /// The slot's address.
    slot: usize,
    /// What it held when the last epoch ended: an object's address, or 0.
    pub(super) before: usize,
}

/// The log of one mutator.
pub(super) struct Log {
    /// The address of the next free entry.
    next: Plain<usize>,
    /// Where the last page ends.
    end: Plain<usize>,
    pages: Mutex<Vec<Box<[Entry]>>>,
}

impl Overwritten {
    /// The slot.
    ///
    /// # Safety
    ///
    /// The object that has the slot is in the heap for as long as this is used.
    pub(super) unsafe fn slot<'a>(self) -> &'a Slot {
        // SAFETY: a slot's address, as `push` got it; its object stays, by our caller.
        unsafe { &*(self.slot as *const Slot) }
    }

    /// The slot's address.
    pub(super) fn address(self) -> usize {
        self.slot
    }
}

impl Log {
    /// An empty log.
    pub(super) fn new() -> Self {
        Self { next: Plain::new(0), end: Plain::new(0), pages: Mutex::new(Vec::new()) }
    }

    /// Adds an entry. By the log's mutator.
    #[inline(always)]
    pub(super) fn push(&self, slot: &Slot, before: usize) {
        let mut next = self.next.get();
        if next == self.end.get() {
            next = self.grow();
        }
        // SAFETY: a free entry of a page that stays (invariant 1).
        let entry = unsafe { &*(next as *const Entry) };
        entry[0].set(std::ptr::from_ref(slot) as usize);
        entry[1].set(before);
        self.next.set(next + size_of::<Entry>());
    }

    /// Adds a page and gives its first entry.
    #[cold]
    fn grow(&self) -> usize {
        let page: Box<[Entry]> = (0..PAGE).map(|_| [Plain::new(0), Plain::new(0)]).collect();
        let first = page.as_ptr() as usize;
        self.end.set(first + PAGE * size_of::<Entry>());
        self.pages.lock().expect("nothing panics while it holds this lock").push(page);
        first
    }

    /// All entries, in the order in which they were made. By the log's mutator, or with the world stopped.
    pub(super) fn entries(&self) -> Vec<Overwritten> {
        let pages = self.pages.lock().expect("nothing panics while it holds this lock");
        let free = (self.end.get() - self.next.get()) / size_of::<Entry>();
        let used = pages.len() * PAGE - free;
        let entries = pages.iter().flat_map(|page| page.iter()).take(used);
        entries
            .map(|[slot, before]| Overwritten { slot: slot.get(), before: before.get() })
            .collect()
    }

    /// Takes all entries. As `entries`.
    pub(super) fn take(&self) -> Vec<Overwritten> {
        let entries = self.entries();
        let mut pages = self.pages.lock().expect("nothing panics while it holds this lock");
        // One page is kept: most epochs need no more.
        pages.truncate(1);
        let first = pages.first().map_or(0, |page| page.as_ptr() as usize);
        self.next.set(first);
        self.end.set(if first == 0 { 0 } else { first + PAGE * size_of::<Entry>() });
        entries
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn entries_come_out_as_they_went_in_however_many() {
        let log = Log::new();
        let slots: Vec<Slot> = (0..3 * PAGE).map(Slot::new).collect();
        for count in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE] {
            for (number, slot) in slots[..count].iter().enumerate() {
                log.push(slot, number);
            }
            let taken = log.take();
            let as_expected = taken.iter().enumerate().all(|(number, entry)| {
                entry.before == number && entry.address() == &raw const slots[number] as usize
            });
            assert!(taken.len() == count && as_expected, "{count} entries");
        }
    }
}
