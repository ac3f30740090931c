//! Shares: one mutator's part of the heap, from which it allocates without locks or atomic read-modify-writes.
//!
//! Each size class has a *current* block, whose free cells the mutator takes over all at once and pops one by one, and a
//! list of *partial* blocks with free cells. A mutator frees into its own blocks by pushing the cell back (so that what
//! it frees and what it allocates next do not wait for each other); a cell of somebody else's block goes on that
//! share's *remote* list, which its owner drains, so many at a time, when it runs out of cells. A share whose mutator has
//! left keeps its blocks and is taken over by the next mutator that attaches.
//!
//! # Invariants
//!
//! 1. A block's free list and `used` together cover its carved cells. Among the used ones are those that a bin has taken
//!    over, which are of its current block, and those on the remote list or taken from it and `pending`.
//! 2. A block is `Current` for one size class of its owner, `Partial` and on the owner's list, or `Full`.
//! 3. When the cell of a dead object comes back, its block becomes another `Use` only if `used` is `reconsidered_at` then.
//!
//! # Synchronization
//!
//! | variable          | written by                           | read by    | protocol                                  |
//! |-------------------|--------------------------------------|------------|-------------------------------------------|
//! | `remote`          | whoever frees an object of our block | the owner  | pushed by Release, taken whole by Acquire |
//! | `current`, lists  | the owner, or a stopped world        | the same   | safepoint handshake                       |
//! | `tally`           | the owner                            | statistics | Relaxed                                   |

use std::marker::PhantomData;

use crossbeam_utils::CachePadded;

use super::{
    block::{Block, BlockRecord, Use},
    class::Kind,
    object::{EXTENT, Header, Object},
    size::{SIZE_CLASSES, is_exact},
    space::{OutOfMemory, Space},
    tally::{Amount, Tally},
};
use crate::threads::sync::{
    Mutex, Plain,
    atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
    capacity, mutant,
};

/// Bytes of cells put on a fresh block's free list at a time: a page, so that pages are touched as they are needed.
const CARVED_AT_ONCE: usize = capacity(4096, 1024);

/// Remote cells drained whenever a bin runs out: some microseconds' worth, and more than a page has cells, so that a
/// share drains faster than it allocates.
const DRAINED_AT_ONCE: usize = capacity(256, 2);

/// Bins of a share.
const BINS: usize = SIZE_CLASSES + 1;

/// One mutator's part of the heap.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Share<H> {
    /// Cells of our blocks that others have freed, linked through their first slots; apart from what only we write.
    remote: CachePadded<AtomicUsize>,
    /// The rest of a remote list that was taken, or 0.
    pending: Plain<usize>,
    /// One for each size class, and one for large objects, whose current block never has a cell.
    bins: [Bin; BINS],
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
    /// The first free cell that was taken over from the current block, or 0.
    free: Plain<usize>,
    /// The record of the current block.
    current: Plain<usize>,
    /// The record of the first partial block, or 0.
    partial: Plain<usize>,
}

impl<H: Header> Share<H> {
    pub(crate) fn new() -> Self {
        let none = Box::new(BlockRecord::new());
        let record = std::ptr::from_ref(&*none) as usize;
        let bin =
            |_| Bin { free: Plain::new(0), current: Plain::new(record), partial: Plain::new(0) };
        Self {
            remote: CachePadded::new(AtomicUsize::new(0)),
            pending: Plain::new(0),
            bins: std::array::from_fn(bin),
            none,
            touched: Mutex::new(Vec::new()),
            tally: Tally::new(),
            header: PhantomData,
        }
    }

    /// By what blocks know their owner.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// A new object of `kind`: null slots, zero words. Calls `took_memory` if the current block had no cell left and is
    /// another one now.
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
        let address = match self.pop(kind.bin()) {
            Some(address) => {
                self.tally.allocated(kind.bin(), kind.rounding());
                address
            }
            None => self.find_cell(space, kind, took_memory)?,
        };
        // SAFETY: the address of a cell that was free and is ours alone now.
        let object = unsafe { Object::<H>::at(address) };
        // SAFETY: as above, and the size class or the mapping is large enough for the kind.
        unsafe { object.initialise(kind.descriptor(), kind.shape()) };
        Ok(object)
    }

    /// Takes a cell that bin `bin` has taken over.
    #[inline(always)]
    fn pop(&self, bin: usize) -> Option<usize> {
        let bin = &self.bins[bin];
        let address = bin.free.get();
        if address == 0 {
            return None;
        }
        // SAFETY: the free list links cells of this block.
        let cell = unsafe { Object::<H>::at(address) };
        bin.free.set(cell.linked());
        Some(address)
    }

    #[inline(always)]
    fn current(&self, bin: usize) -> Block {
        let record = self.bins[bin].current.get();
        // SAFETY: there is always a current block, if only the one without cells.
        unsafe { Block::at_record(record) }
    }

    /// A cell that the bin does not have.
    #[cold]
    #[inline(never)]
    fn find_cell(
        &self,
        space: &Space,
        kind: &Kind,
        took_memory: impl FnOnce(),
    ) -> Result<usize, OutOfMemory> {
        let Some(class) = kind.size_class() else {
            let address = self.map_large(space, kind)?;
            self.tally.allocated_large(kind.bytes());
            took_memory();
            return Ok(address);
        };
        if !self.take_over(class) {
            self.refill(space, class, kind)?;
            took_memory();
        }
        self.tally.allocated(class, kind.rounding());
        Ok(self.pop(class).expect("the bin has taken over cells"))
    }

    /// Makes a block with free cells the current one of `class`, and takes its cells over.
    fn refill(&self, space: &Space, class: usize, kind: &Kind) -> Result<(), OutOfMemory> {
        self.retire_current(class);
        if self.bins[class].partial.get() == 0 {
            self.drain_remote(space, DRAINED_AT_ONCE);
        }
        let block = match self.take_partial(class) {
            Some(block) => block,
            None => {
                let offset = if kind.shape().is_small() { 0 } else { EXTENT };
                space.take_block(class, offset, self.address()).or_else(|exhausted| {
                    while self.drain_remote(space, DRAINED_AT_ONCE) {}
                    let block = self.take_partial(class);
                    block
                        .map_or_else(|| space.take_block(class, offset, self.address()), Ok)
                        .map_err(|_| exhausted)
                })?
            }
        };
        self.make_current(class, block);
        let has_cells = self.take_over(class);
        debug_assert!(
            has_cells,
            "a partial or new block was expected to have a free cell: {block:?}"
        );
        Ok(())
    }

    /// Takes the first block of `class` that has free cells off its list.
    fn take_partial(&self, class: usize) -> Option<Block> {
        let block = Block::from_record(self.bins[class].partial.get())?;
        self.unlist(block);
        Some(block)
    }

    /// Takes over the free cells of the current block of `class`, or the next run of it; says whether there were any.
    fn take_over(&self, class: usize) -> bool {
        let block = self.current(class);
        let first = match block.free.get() {
            0 => self.carve(block),
            first => first,
        };
        // INVARIANT 1: what the block has free from now on is what comes back.
        block.free.set(0);
        block.used.set(block.carved.get());
        self.bins[class].free.set(first);
        first != 0
    }

    /// Cuts the next cells from a block, if it has some left, and gives the first of their list, or 0.
    fn carve(&self, block: Block) -> usize {
        let carved = block.carved.get();
        let left = block.cells.get() - carved;
        if left == 0 {
            return 0;
        }
        let run = left.min((CARVED_AT_ONCE / block.cell_bytes.get()).max(1) as u32);
        let mut next = 0;
        for index in (carved..carved + run).rev() {
            // SAFETY: the address of a cell of this block, which is ours, and not yet in use.
            let cell = unsafe { Object::<H>::at(block.object_address(index)) };
            // SAFETY: as above.
            unsafe { cell.entomb(next) };
            next = cell.address();
        }
        block.carved.set(carved + run);
        next
    }

    /// Leaves the current block of `class`, which has no free cell left.
    fn retire_current(&self, class: usize) {
        let block = self.current(class);
        if block.usage() == Use::Current {
            block.set_usage(Use::Full);
            // INVARIANT 3: the first cell that comes back makes it partial.
            block.reconsidered_at.set(block.used.get() - 1);
        }
        self.bins[class].current.set(std::ptr::from_ref(&*self.none) as usize);
    }

    fn make_current(&self, class: usize, block: Block) {
        block.set_usage(Use::Current);
        // INVARIANT 3: whatever comes back, it stays current.
        block.reconsidered_at.set(u32::MAX);
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
        let block = object.block();
        if block.is_freely_owned_by(self.address()) {
            self.count_freed(block, object);
            // SAFETY: nobody can reach it, by our caller, and the block is ours.
            unsafe { self.reclaim(space, block, object) };
        } else {
            // SAFETY: nobody can reach it, by our caller.
            unsafe { self.free_elsewhere(space, block, object) };
        }
    }

    /// Counts an object that is about to be freed; it lies in a cell of `block`.
    #[inline(always)]
    fn count_freed(&self, block: Block, object: Object<H>) {
        let class = block.class.get() as usize;
        let rounding =
            if is_exact(class) { 0 } else { (block.cell_bytes.get() - object.bytes()) as u32 };
        self.tally.freed(class, rounding);
    }

    /// Frees an object whose block is another share's, a large object, or any object of an audited heap.
    ///
    /// # Safety
    ///
    /// Nobody can reach the object any more.
    #[cold]
    unsafe fn free_elsewhere(&self, space: &Space, block: Block, object: Object<H>) {
        // What the block is being used for is its owner's to change meanwhile, and not ours to look at.
        if block.owner() == 0 {
            self.tally.freed_many(Amount { objects: 1, bytes: object.bytes() as u64 });
        } else {
            self.count_freed(block, object);
        }
        // SAFETY: by our caller.
        unsafe { object.bury(0) };
        match &space.quarantine {
            Some(quarantine) => quarantine.keep(object.address()),
            // SAFETY: the object has just been buried.
            None => unsafe { Self::give_back(space, object) },
        }
    }

    /// Gives the cell of a buried object to its block's owner, or the mapping of a large one to the system.
    ///
    /// # Safety
    ///
    /// The object has been freed and buried, and its cell is on no list.
    pub(crate) unsafe fn give_back(space: &Space, cell: Object<H>) {
        let block = cell.block();
        let owner = block.owner();
        if owner == 0 {
            space.give_large(block);
            return;
        }
        // SAFETY: shares stay until their heap is dropped, and the block's owner cannot change while it holds this cell.
        let owner = unsafe { &*(owner as *const Self) };
        owner.push_remote(cell);
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
        let used = block.used.get() - 1;
        block.used.set(used);
        // INVARIANT 3: at any other number there is nothing to do.
        if used == block.reconsidered_at.get() {
            self.reconsider(space, block);
        }
    }

    /// Lists a block that was full, gives back one that is empty.
    #[cold]
    #[inline(never)]
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
        // INVARIANT 3: the last object that goes makes it empty.
        block.reconsidered_at.set(0);
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

    /// Puts at most `most` of the cells that others have freed back on their blocks' lists; says whether there may be more.
    pub(crate) fn drain_remote(&self, space: &Space, most: usize) -> bool {
        let mut address = self.pending.get();
        if address == 0 {
            // Acquire: the cells' links, and all that their last users did. Pairs with `push_remote`.
            address = self.remote.swap(0, Acquire);
            if mutant("lose what was freed meanwhile") {
                // Relaxed: this is the mistake, ordered by nothing.
                self.remote.store(0, Relaxed);
            }
        }
        let mut left = most;
        while address != 0 && left > 0 {
            // SAFETY: the remote list links cells of our blocks.
            let cell = unsafe { Object::<H>::at(address) };
            let next = cell.linked();
            let block = cell.block();
            cell.set_linked(block.free.get());
            self.reclaimed(space, block, address);
            address = next;
            left -= 1;
        }
        self.pending.set(address);
        left == 0
    }

    fn push_remote(&self, cell: Object<H>) {
        self.push_remote_list(cell, cell);
    }

    /// Pushes cells that are linked from `from` to `to`.
    fn push_remote_list(&self, from: Object<H>, to: Object<H>) {
        // Relaxed: only the compare-and-exchange below counts.
        let mut first = self.remote.load(Relaxed);
        loop {
            to.set_linked(first);
            // Release: publishes the links and the end of our use of the cells. Pairs with `drain_remote`.
            // Relaxed: a failure only tells us what to try next.
            match self.remote.compare_exchange_weak(first, from.address(), Release, Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    /// Frees objects one after the other, and gives their cells back all at once; gives how much that was.
    ///
    /// # Safety
    ///
    /// Nobody can reach the objects any more. They lie in blocks of one share.
    pub(crate) unsafe fn free_together(&self, space: &Space, objects: &[Object<H>]) -> Amount {
        let mut freed = Amount::default();
        let mut last: Option<Object<H>> = None;
        for &object in objects {
            freed += Amount { objects: 1, bytes: object.bytes() as u64 };
            self.count_freed(object.block(), object);
            // SAFETY: nobody can reach it, by our caller.
            unsafe { object.bury(last.map_or(0, Object::address)) };
            if let Some(quarantine) = &space.quarantine {
                quarantine.keep(object.address());
            }
            last = Some(object);
        }
        if let (Some(first), Some(last), None) = (objects.first(), last, &space.quarantine) {
            // SAFETY: shares stay until their heap is dropped, and the blocks' owner cannot change while it holds the cells.
            let owner = unsafe { &*(last.block().owner() as *const Self) };
            owner.push_remote_list(last, *first);
        }
        freed
    }

    /// Calls `take` with each of our blocks that has been allocated from since the last call. The owner, or who stands for
    /// it, does this; what has changed hands is listed by whoever has it now.
    pub(crate) fn each_touched(&self, mut take: impl FnMut(Block)) {
        let mut touched = self.touched.lock().expect("nothing panics while it holds this lock");
        touched.retain(|&block| {
            if block.owner() != self.address() || block.touched.get() == 0 {
                return false;
            }
            take(block);
            let is_current = block.usage() == Use::Current;
            if !is_current {
                block.touched.set(0);
            }
            is_current
        });
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
        let free = if block.is_audited() { 0 } else { block.free.get() };
        Self { block, free, freed: Amount::default(), header: PhantomData }
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
        if let Some(quarantine) = &space.quarantine {
            let mut address = free;
            while address != 0 {
                quarantine.keep(address);
                // SAFETY: the list links the cells that were freed here.
                let cell = unsafe { Object::<H>::at(address) };
                address = cell.linked();
            }
        } else if freed.objects > 0 {
            block.free.set(free);
            block.used.set(block.used.get() - freed.objects as u32);
            match block.usage() {
                Use::Current => {}
                Use::Large => space.give_large(block),
                _ => {
                    // SAFETY: shares stay until their heap is dropped.
                    let owner = unsafe { &*(block.owner() as *const Share<H>) };
                    owner.reconsider(space, block);
                }
            }
        }
        freed
    }
}

#[cfg(test)]
mod models;
