//! Free cells: what an object becomes when it is freed, linked to the next one through its first slot.

use super::{Head, Header, Object, Slot};
use crate::{
    heap::seal,
    threads::sync::{Lifetime, Plain, atomic::Ordering::Relaxed},
};

impl<H: Header> Object<H> {
    /// Makes this object a free cell that links to `next` (0 for none).
    ///
    /// # Safety
    ///
    /// Nobody can reach the object any more, and the cell is ours to put on a free list.
    pub(crate) unsafe fn bury(self, next: usize) {
        self.head().lifetime.end();
        // The header stays as it is: its block's owner may look at it (`header_of_cell`).
        self.head().descriptor.set(0);
        // SAFETY: the cell is ours, by our caller.
        unsafe { self.link_to(next) };
    }

    /// Makes this memory a free cell that links to `next`; it was none before, or one already.
    ///
    /// # Safety
    ///
    /// The memory is a whole cell and ours.
    pub(crate) unsafe fn entomb(self, next: usize) {
        if cfg!(loom) {
            // A model's cells are not valid as zeroed memory: they are made here.
            let head = Head {
                descriptor: Plain::new(0),
                header: H::newborn(),
                lifetime: Lifetime::ended(),
            };
            // SAFETY: the memory is ours, by our caller.
            unsafe { self.0.write(head) };
        } else {
            self.head().descriptor.set(0);
        }
        // SAFETY: as above.
        unsafe { self.link_to(next) };
    }

    /// Makes this free cell's first slot a link to `next`.
    ///
    /// # Safety
    ///
    /// The cell is free and ours.
    #[inline(always)]
    unsafe fn link_to(self, next: usize) {
        if cfg!(loom) {
            // What lies there may be a word, which a model knows from a slot.
            // SAFETY: a cell has room for one slot (`Space::size_class_of`), and this one is ours, by our caller.
            unsafe { self.payload().write(Slot::new(0)) };
        }
        self.set_linked(next);
    }

    /// The address of the cell that this free cell links to, or 0.
    #[inline(always)]
    pub(crate) fn linked(self) -> usize {
        self.open();
        // Relaxed: ours alone to write, or ordered by the `Acquire` that took the list.
        let next = self.link().load(Relaxed);
        self.seal();
        next
    }

    /// Makes this free cell link to `next`.
    #[inline(always)]
    pub(crate) fn set_linked(self, next: usize) {
        self.open();
        // Relaxed: ours alone to write; a list is published by the `Release` of whoever hands it over.
        self.link().store(next, Relaxed);
        self.seal();
    }

    /// Where a free cell keeps the address of the next one.
    fn link(&self) -> &Slot {
        // SAFETY: every cell has room for one slot, which is made with the cell or with its object.
        unsafe { &*self.payload() }
    }

    /// Lets the sanitizer see whoever touches the payload of this free cell; not where a guess may read it.
    #[inline(always)]
    fn seal(self) {
        if cfg!(asan) && !H::MAY_BE_GUESSED {
            seal::seal(self.payload() as usize, self.payload_bytes());
        }
    }

    /// Allows the payload to be touched.
    #[inline(always)]
    pub(super) fn open(self) {
        if cfg!(asan) {
            seal::open(self.payload() as usize, self.payload_bytes());
        }
    }

    /// Bytes from the payload to the end of the cell.
    fn payload_bytes(self) -> usize {
        let block = self.block();
        let end = self.address() - block.object_offset.get() + block.cell_bytes.get();
        end - self.payload() as usize
    }
}
