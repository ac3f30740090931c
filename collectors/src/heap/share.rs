//! Shares: one mutator's part of the heap, from which it allocates without locks or atomic read-modify-writes.
//!
//! Each size class has a *current* block, whose free list the mutator pops, and a list of *partial* blocks with free
//! cells. A mutator frees into its own blocks by pushing the cell back; a cell of somebody else's block goes on that
//! share's *remote* list, which its owner drains when it runs out of cells. A share whose mutator has left keeps its
//! blocks and is taken over by the next mutator that attaches.
//!
//! # Invariants
//!
//! 1. A block's free list and `used` together cover its carved cells, but for those on the remote list.
//! 2. A block is `Current` for one size class of its owner, `Partial` and on the owner's list, or `Full`.
//!
//! # Synchronization
//!
//! | variable          | written by                           | read by    | protocol                                  |
//! |-------------------|--------------------------------------|------------|-------------------------------------------|
//! | `remote`          | whoever frees an object of our block | the owner  | pushed by Release, taken whole by Acquire |
//! | `current`, lists  | the owner, or a stopped world        | the same   | safepoint handshake                       |
//! | `tally`           | the owner                            | statistics | Relaxed                                   |

use std::marker::PhantomData;

use super::{
    block::{Block, BlockRecord, Use},
    class::Kind,
    object::{EXTENT, Header, Object},
    size::SIZE_CLASSES,
    space::{OutOfMemory, Space},
    tally::{Amount, Tally},
};
use crate::threads::sync::{
    Mutex, Plain,
    atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
    capacity,
};

/// Bytes of cells put on a fresh block's free list at a time: a page, so that pages are touched as they are needed.
const CARVED_AT_ONCE: usize = capacity(4096, 1024);

/// One mutator's part of the heap.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Share<H> {
    /// Cells of our blocks that others have freed, linked through their first slots.
    remote: AtomicUsize,
    bins: Box<[Bin]>,
    /// The block that is current where there is none: it has no free cell.
    none: Box<BlockRecord>,
    /// Blocks that were current at some time since the last young collection.
    touched: Mutex<Vec<Block>>,
    pub(crate) tally: Tally,
    header: PhantomData<fn() -> H>,
}

/// The blocks of one size class.
#[derive(Debug)]
struct Bin {
    /// The record of the current block.
    current: Plain<usize>,
    /// The record of the first partial block, or 0.
    partial: Plain<usize>,
}

impl<H: Header> Share<H> {
    pub(crate) fn new() -> Self {
        let none = Box::new(BlockRecord::new());
        let record = std::ptr::from_ref(&*none) as usize;
        let bin = |_| Bin { current: Plain::new(record), partial: Plain::new(0) };
        Self {
            remote: AtomicUsize::new(0),
            bins: (0..SIZE_CLASSES).map(bin).collect(),
            none,
            touched: Mutex::new(Vec::new()),
            tally: Tally::new(),
            header: PhantomData,
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// A new object of `kind`: null slots, zero words. Calls `took_memory` if the current block had no cell left.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if the heap's limit or the system leaves no room for another block or large object.
    #[inline(always)]
    pub(crate) fn allocate(
        &self,
        space: &Space,
        kind: &Kind,
        took_memory: impl FnOnce(),
    ) -> Result<Object<H>, OutOfMemory> {
        let address = match kind.size_class().and_then(|class| self.pop(class)) {
            Some(address) => address,
            None => {
                let address = self.find_cell(space, kind)?;
                took_memory();
                address
            }
        };
        // SAFETY: the address of a cell that was free and is ours alone now.
        let object = unsafe { Object::<H>::at(address) };
        // SAFETY: as above, and the size class or the mapping is large enough for the kind.
        unsafe { object.initialise(kind.descriptor(), kind.shape()) };
        self.tally.allocated(kind.bytes());
        Ok(object)
    }

    /// Takes a free cell of the current block of `class`.
    #[inline(always)]
    fn pop(&self, class: usize) -> Option<usize> {
        let block = self.current(class);
        let address = block.free.get();
        if address == 0 {
            return None;
        }
        // SAFETY: the free list links cells of this block.
        let cell = unsafe { Object::<H>::at(address) };
        block.free.set(link_of(cell));
        block.used.set(block.used.get() + 1);
        Some(address)
    }

    #[inline(always)]
    fn current(&self, class: usize) -> Block {
        let record = self.bins[class].current.get();
        Block::from_record(record)
            .expect("there is always a current block, if only the one with no cells")
    }

    /// A cell that the current block does not have.
    #[cold]
    #[inline(never)]
    fn find_cell(&self, space: &Space, kind: &Kind) -> Result<usize, OutOfMemory> {
        match kind.size_class() {
            Some(class) => self.refill(space, class, kind),
            None => self.map_large(space, kind),
        }
    }

    /// Finds a current block with a free cell and takes the cell.
    fn refill(&self, space: &Space, class: usize, kind: &Kind) -> Result<usize, OutOfMemory> {
        loop {
            if let Some(address) = self.carve(self.current(class)) {
                return Ok(address);
            }
            self.retire_current(class);
            if self.bins[class].partial.get() == 0 {
                self.drain_remote(space);
            }
            let block = match Block::from_record(self.bins[class].partial.get()) {
                Some(block) => {
                    self.unlist(block);
                    block
                }
                None => {
                    let offset = if kind.shape().is_small() { 0 } else { EXTENT };
                    space.take_block(class, offset, self.address())?
                }
            };
            self.make_current(class, block);
            if let Some(address) = self.pop(class) {
                return Ok(address);
            }
        }
    }

    /// Cuts the next cells from a block that has some left, lists all but the first, and takes that.
    fn carve(&self, block: Block) -> Option<usize> {
        let carved = block.carved.get();
        let left = block.cells.get() - carved;
        if left == 0 {
            return None;
        }
        let run = left.min((CARVED_AT_ONCE / block.cell_bytes.get()).max(1) as u32);
        let mut next = block.free.get();
        for index in (carved..carved + run).rev() {
            // SAFETY: the address of a cell of this block, which is ours, and not yet in use.
            let cell = unsafe { Object::<H>::at(block.object_address(index)) };
            // SAFETY: as above.
            unsafe { cell.entomb(next) };
            next = cell.address();
        }
        block.carved.set(carved + run);
        block.free.set(next);
        self.pop(block.class.get() as usize)
    }

    /// Leaves the current block of `class`, which has no free cell left.
    fn retire_current(&self, class: usize) {
        let block = self.current(class);
        if block.usage() == Use::Current {
            block.set_usage(Use::Full);
        }
        self.bins[class].current.set(std::ptr::from_ref(&*self.none) as usize);
    }

    fn make_current(&self, class: usize, block: Block) {
        block.set_usage(Use::Current);
        self.bins[class].current.set(block.record());
        self.touch(block);
    }

    /// Remembers that objects are being allocated in `block`.
    fn touch(&self, block: Block) {
        if block.touched.get() == 0 {
            block.touched.set(1);
            self.touched.lock().expect("nothing panics while it holds this lock").push(block);
        }
    }

    fn map_large(&self, space: &Space, kind: &Kind) -> Result<usize, OutOfMemory> {
        let block = space.take_large(kind.bytes(), EXTENT)?;
        let address = block.object_address(0);
        // SAFETY: the mapping is ours and large enough for one cell.
        let cell = unsafe { Object::<H>::at(address) };
        // SAFETY: as above.
        unsafe { cell.entomb(0) };
        Ok(address)
    }

    /// Frees an object: the heap's one way to do so while mutators run.
    ///
    /// # Safety
    ///
    /// Nobody can reach the object any more.
    #[inline(always)]
    pub(crate) unsafe fn free(&self, space: &Space, object: Object<H>) {
        self.tally.freed(object.bytes());
        let block = object.block();
        if block.owner.get() == self.address() {
            // SAFETY: nobody can reach it, by our caller, and the block is ours.
            unsafe { self.reclaim(space, block, object) };
        } else {
            // SAFETY: nobody can reach it, by our caller.
            unsafe { free_elsewhere(space, block, object) };
        }
    }

    /// Puts the cell of a dead object of our own `block` on the block's free list.
    ///
    /// # Safety
    ///
    /// Nobody can reach the object, and `block` is the object's and ours.
    #[inline(always)]
    unsafe fn reclaim(&self, space: &Space, block: Block, object: Object<H>) {
        // SAFETY: by our caller.
        unsafe { object.bury(block.free.get()) };
        self.reclaimed(space, block, object.address());
    }

    #[inline(always)]
    fn reclaimed(&self, space: &Space, block: Block, address: usize) {
        block.free.set(address);
        block.used.set(block.used.get() - 1);
        if block.usage() != Use::Current {
            self.reconsider(space, block);
        }
    }

    /// Lists a block that was full, gives back one that is empty.
    #[cold]
    fn reconsider(&self, space: &Space, block: Block) {
        let is_empty = block.used.get() == 0;
        match block.usage() {
            Use::Full if !is_empty => self.list(block),
            Use::Full => space.give_block(block),
            Use::Partial if is_empty => {
                self.unlist(block);
                space.give_block(block);
            }
            Use::Partial | Use::Current => {}
            Use::Pooled | Use::Large => {
                unreachable!("cells are freed in blocks of cells that are in use")
            }
        }
    }

    fn list(&self, block: Block) {
        let bin = &self.bins[block.class.get() as usize];
        let first = bin.partial.get();
        block.previous.set(0);
        block.next.set(first);
        if let Some(first) = Block::from_record(first) {
            first.previous.set(block.record());
        }
        bin.partial.set(block.record());
        block.set_usage(Use::Partial);
    }

    fn unlist(&self, block: Block) {
        let (previous, next) = (block.previous.get(), block.next.get());
        match Block::from_record(previous) {
            Some(previous) => previous.next.set(next),
            None => self.bins[block.class.get() as usize].partial.set(next),
        }
        if let Some(next) = Block::from_record(next) {
            next.previous.set(previous);
        }
    }

    /// Puts the cells that others have freed back on their blocks' lists.
    pub(crate) fn drain_remote(&self, space: &Space) {
        // Acquire: the cells' links, and all that their last users did. Pairs with `push_remote`.
        let mut address = self.remote.swap(0, Acquire);
        while address != 0 {
            // SAFETY: the remote list links cells of our blocks.
            let cell = unsafe { Object::<H>::at(address) };
            let next = link_of(cell);
            let block = cell.block();
            // Relaxed: ours alone to write.
            cell.link().store(block.free.get(), Relaxed);
            self.reclaimed(space, block, address);
            address = next;
        }
    }

    fn push_remote(&self, cell: Object<H>) {
        // Relaxed: only the compare-and-exchange below counts.
        let mut first = self.remote.load(Relaxed);
        loop {
            // Relaxed: ours alone to write until the push publishes it.
            cell.link().store(first, Relaxed);
            // Release: publishes the link and the end of our use of the cell. Pairs with `drain_remote`.
            // Relaxed: a failure only tells us what to try next.
            match self.remote.compare_exchange_weak(first, cell.address(), Release, Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    /// Hands over the blocks allocated from since the last call, and begins anew with the current ones.
    pub(crate) fn take_touched(&self) -> Vec<Block> {
        let mut touched = self.touched.lock().expect("nothing panics while it holds this lock");
        let taken = std::mem::take(&mut *touched);
        for &block in &taken {
            if block.usage() == Use::Current {
                touched.push(block);
            } else {
                block.touched.set(0);
            }
        }
        taken
    }
}

#[inline(always)]
fn link_of<H: Header>(cell: Object<H>) -> usize {
    // Relaxed: ours alone to write, or ordered by the `Acquire` that took the list.
    cell.link().load(Relaxed)
}

/// Frees an object whose block is another share's, or a large object.
///
/// # Safety
///
/// Nobody can reach the object any more.
#[cold]
unsafe fn free_elsewhere<H: Header>(space: &Space, block: Block, object: Object<H>) {
    // SAFETY: by our caller.
    unsafe { object.bury(0) };
    if block.usage() == Use::Large {
        space.give_large(block);
        return;
    }
    // SAFETY: shares stay until their heap is dropped, and the block's owner cannot change while it holds this cell.
    let owner = unsafe { &*(block.owner.get() as *const Share<H>) };
    owner.push_remote(object);
}

/// The freeing of objects of one block while the world is stopped, straight into the block, whoever owns that.
pub(crate) struct Freeing<H> {
    block: Block,
    free: usize,
    freed: Amount,
    header: PhantomData<fn() -> H>,
}

impl<H: Header> Freeing<H> {
    /// Begins to free objects of `block`.
    pub(crate) fn of(block: Block) -> Self {
        Self { block, free: block.free.get(), freed: Amount::default(), header: PhantomData }
    }

    /// The block.
    pub(crate) fn block(&self) -> Block {
        self.block
    }

    /// Frees one.
    ///
    /// # Safety
    ///
    /// The world is stopped, nobody else frees into this block, it is the object's, and nobody can reach the object any
    /// more.
    #[inline(always)]
    pub(crate) unsafe fn free(&mut self, object: Object<H>) {
        self.freed += Amount { objects: 1, bytes: object.bytes() as u64 };
        // SAFETY: by our caller; with the world stopped the owner's block is ours to use.
        unsafe { object.bury(self.free) };
        self.free = object.address();
    }

    /// Hands the block its cells, and lists it or gives it back. Nobody else may do so with blocks of the same owner
    /// meanwhile. Gives how much was freed.
    pub(crate) fn end(self, space: &Space) -> Amount {
        let Self { block, free, freed, .. } = self;
        if freed.objects > 0 {
            block.free.set(free);
            block.used.set(block.used.get() - freed.objects as u32);
            match block.usage() {
                Use::Current => {}
                Use::Large => space.give_large(block),
                _ => {
                    // SAFETY: shares stay until their heap is dropped.
                    let owner = unsafe { &*(block.owner.get() as *const Share<H>) };
                    owner.reconsider(space, block);
                }
            }
        }
        freed
    }
}

#[cfg(test)]
mod models;
