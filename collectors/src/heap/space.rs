//! The space: all memory of one heap, handed out to mutators by the block.
//!
//! Blocks that become empty come back into a pool; what the pool holds beyond `reserve` goes back to the system page by
//! page. The heap's limit counts blocks in use and large objects; it is checked where memory is taken, so that
//! exhaustion is a value and not an abort.
//!
//! # Invariants
//!
//! 1. A block is in the pool, or some share's, or a large object's mapping; in the pool its bitmaps are zero.
//! 2. `in_use` is the bytes of the blocks of shares and of the mappings of large objects, and never above the limit.

use std::ptr::NonNull;

use super::{
    block::{Block, BlockRecord, Use},
    layout::{
        BLOCK_BITMAP, BLOCK_BYTES, BLOCK_GRANULES, BitmapWord, CHUNK_BLOCKS, CHUNK_BYTES,
        FIRST_BLOCK, GRANULE, MIDDLE, SCRATCH, YOUNG,
    },
    memory,
    object::{Header, Object},
    quarantine::Quarantine,
    seal,
    size::cell_bytes,
};
use crate::threads::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// No memory is left within the heap's limit, or the system has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of memory: {asked} bytes more than {in_use} would exceed the heap's limit of {limit}")]
pub struct OutOfMemory {
    /// Bytes asked of the heap: a block, or a large object.
    pub asked: u64,
    /// Bytes of blocks and large objects in use.
    pub in_use: u64,
    /// The heap's limit in bytes.
    pub limit: u64,
}

/// Which side tables a collector uses; the others are never touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideTables {
    /// None.
    None,
    /// Four bytes of scratch for each granule of 32 bytes.
    Scratch,
    /// Scratch, and the bitmaps of the young and the middle generation.
    Generations,
}

impl SideTables {
    /// Bytes of side table for one block, the record that every block has included.
    fn bytes_of_block(self) -> usize {
        let scratch = BLOCK_GRANULES * size_of::<AtomicU32>();
        let bitmaps = 2 * BLOCK_BITMAP * size_of::<BitmapWord>();
        size_of::<BlockRecord>()
            + match self {
                Self::None => 0,
                Self::Scratch => scratch,
                Self::Generations => scratch + bitmaps,
            }
    }
}

/// All memory of one heap.
#[derive(Debug)]
pub(crate) struct Space {
    limit: u64,
    reserve: u64,
    tables: SideTables,
    /// Where freed cells wait, if the heap is audited.
    pub(crate) quarantine: Option<Quarantine>,
    in_use: AtomicU64,
    peak: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The start of every chunk of blocks.
    chunks: Vec<usize>,
    /// The chunk mapped last.
    newest: Option<usize>,
    /// The first block of the newest chunk that was never handed out.
    untouched: usize,
    /// Pooled blocks whose pages are still ours.
    warm: Vec<Block>,
    /// Pooled blocks whose pages the system has.
    cold: Vec<Block>,
    /// Large objects: block and bytes mapped.
    large: Vec<(Block, usize)>,
    /// Large objects that are not yet old, if the collector has generations.
    recent: Vec<Block>,
}

impl Space {
    pub(crate) fn new(
        limit: u64,
        reserve: u64,
        tables: SideTables,
        quarantine: Option<Quarantine>,
    ) -> Self {
        Self {
            limit,
            reserve,
            tables,
            quarantine,
            in_use: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            state: Mutex::new(State::default()),
        }
    }

    /// A block of cells of size class `class` for the share at `owner`; its objects begin at `object_offset`.
    pub(crate) fn take_block(
        &self,
        class: usize,
        object_offset: usize,
        owner: usize,
    ) -> Result<Block, OutOfMemory> {
        let mut state = self.state();
        self.charge(BLOCK_BYTES)?;
        let pooled = state.warm.pop().or_else(|| state.cold.pop());
        let Some(block) = pooled.or_else(|| state.untouched_block()) else {
            self.discharge(BLOCK_BYTES);
            return Err(self.exhausted(BLOCK_BYTES));
        };
        // Its cells had other bounds.
        seal::open(block.start(), BLOCK_BYTES);
        let bytes = cell_bytes(class);
        block.free.set(0);
        block.set_owner(owner, self.quarantine.is_some());
        block.used.set(0);
        block.carved.set(0);
        block.cells.set((BLOCK_BYTES / bytes) as u32);
        block.class.set(class as u32);
        block.cell_bytes.set(bytes);
        block.object_offset.set(object_offset);
        Ok(block)
    }

    /// Takes back a block of which no cell is an object.
    pub(crate) fn give_block(&self, block: Block) {
        debug_assert_eq!(block.used.get(), 0, "a block with objects is still needed");
        if self.tables == SideTables::Generations {
            // INVARIANT 1: in the pool its bitmaps are zero.
            for word in block.young().iter().chain(block.middle()) {
                word.set(0);
            }
        }
        // Whoever takes it lists it anew; an entry that is left on a list means nothing.
        block.touched.set(0);
        block.set_usage(Use::Pooled);
        let mut state = self.state();
        self.discharge(BLOCK_BYTES);
        if ((state.warm.len() + 1) * BLOCK_BYTES) as u64 <= self.reserve {
            state.warm.push(block);
        } else {
            self.give_back_pages(block);
            state.cold.push(block);
        }
    }

    fn give_back_pages(&self, block: Block) {
        // SAFETY: no cell of the block is an object, and it is not handed out while we hold the lock.
        unsafe { memory::give_back(block.start(), BLOCK_BYTES) };
        if self.tables != SideTables::None {
            let chunk = block.start() & !(CHUNK_BYTES - 1);
            let granule = (block.start() - chunk) / GRANULE;
            let scratch = chunk + SCRATCH + granule * size_of::<AtomicU32>();
            // SAFETY: the block's part of the scratch table, which is zero between collections as fresh pages are.
            unsafe { memory::give_back(scratch, BLOCK_GRANULES * size_of::<AtomicU32>()) };
        }
    }

    /// A mapping of its own for an object of `bytes`.
    pub(crate) fn take_large(
        &self,
        bytes: usize,
        object_offset: usize,
    ) -> Result<Block, OutOfMemory> {
        let mut state = self.state();
        self.charge(bytes)?;
        let mapped = FIRST_BLOCK * BLOCK_BYTES + bytes;
        let Some(start) = memory::map(mapped) else {
            self.discharge(bytes);
            return Err(self.exhausted(bytes));
        };
        let start = start.as_ptr() as usize;
        prepare_tables(start, FIRST_BLOCK..FIRST_BLOCK + 1);
        let block = Block::of(start + FIRST_BLOCK * BLOCK_BYTES);
        block.cells.set(1);
        block.carved.set(1);
        block.used.set(1);
        block.cell_bytes.set(bytes);
        block.object_offset.set(object_offset);
        block.set_owner(0, self.quarantine.is_some());
        block.set_usage(Use::Large);
        state.large.push((block, mapped));
        if self.tables == SideTables::Generations {
            state.recent.push(block);
        }
        Ok(block)
    }

    /// Unmaps the block of a large object that is no more.
    pub(crate) fn give_large(&self, block: Block) {
        let mut state = self.state();
        let place = state.large.iter().position(|&(large, _)| large == block);
        let (block, mapped) = state.large.swap_remove(place.expect("a large object has a mapping"));
        state.recent.retain(|&recent| recent != block);
        self.discharge(block.cell_bytes.get());
        let start = NonNull::new((block.start() & !(CHUNK_BYTES - 1)) as *mut u8);
        let start = start.expect("a mapping does not lie at address 0");
        // SAFETY: it came from `map` in `take_large`, and its only object is gone.
        unsafe { memory::unmap(start, mapped) };
    }

    /// The blocks in use, in address order, large objects last. With the world stopped.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut state = self.state();
        state.chunks.sort_unstable();
        let large = state.large.iter().map(|&(block, _)| block);
        state.blocks_of_cells().filter(|block| block.usage() != Use::Pooled).chain(large).collect()
    }

    /// All blocks of cells that have ever been in use, in address order.
    pub(crate) fn blocks_of_cells(&self) -> Vec<Block> {
        let mut state = self.state();
        state.chunks.sort_unstable();
        state.blocks_of_cells().collect()
    }

    /// The first block of cells in use that ends behind `address`.
    pub(crate) fn block_from(&self, address: usize) -> Option<Block> {
        let mut state = self.state();
        state.chunks.sort_unstable();
        let newest = state.newest;
        let first = state.chunks.partition_point(|&chunk| chunk + CHUNK_BYTES <= address);
        let mut blocks = state.chunks[first..].iter().flat_map(|&chunk| {
            let end = if Some(chunk) == newest { state.untouched } else { CHUNK_BLOCKS };
            let begun = address.saturating_sub(chunk) / BLOCK_BYTES;
            (FIRST_BLOCK.max(begun)..end).map(move |index| Block::of(chunk + index * BLOCK_BYTES))
        });
        blocks.find(|block| block.usage() != Use::Pooled)
    }

    /// Where each chunk begins.
    pub(crate) fn chunks(&self) -> Vec<usize> {
        self.state().chunks.clone()
    }

    /// The large objects; not those that are being made, or have been freed and wait for an audit, which may unmap them at
    /// any time.
    pub(crate) fn large_objects<H: Header>(&self) -> Vec<Object<H>> {
        self.state().large.iter().flat_map(|(block, _)| block.objects()).collect()
    }

    /// The blocks of all large objects.
    pub(crate) fn large(&self) -> Vec<Block> {
        self.state().large.iter().map(|&(block, _)| block).collect()
    }

    /// The large objects that are not yet old.
    pub(crate) fn recent_large(&self) -> Vec<Block> {
        self.state().recent.clone()
    }

    /// Forgets the recent large objects that `is_old` says are so by now.
    pub(crate) fn settle_large(&self, is_old: impl Fn(Block) -> bool) {
        self.state().recent.retain(|&block| !is_old(block));
    }

    /// Bytes of blocks and large objects in use.
    pub(crate) fn in_use(&self) -> u64 {
        // Relaxed: a statistic.
        self.in_use.load(Relaxed)
    }

    /// The most that `in_use` has been.
    pub(crate) fn peak(&self) -> u64 {
        // Relaxed: a statistic.
        self.peak.load(Relaxed)
    }

    /// Bytes of side tables for what is in use.
    pub(crate) fn table_bytes(&self) -> u64 {
        self.in_use().div_ceil(BLOCK_BYTES as u64) * self.tables.bytes_of_block() as u64
    }

    fn charge(&self, bytes: usize) -> Result<(), OutOfMemory> {
        let after = self.in_use() + bytes as u64;
        if after > self.limit {
            return Err(self.exhausted(bytes));
        }
        // Relaxed: written under the lock only; read elsewhere as a statistic.
        self.in_use.store(after, Relaxed);
        // Relaxed: written under the lock only; read elsewhere as a statistic.
        self.peak.store(self.peak().max(after), Relaxed);
        Ok(())
    }

    fn discharge(&self, bytes: usize) {
        // Relaxed: written under the lock only; read elsewhere as a statistic.
        self.in_use.store(self.in_use() - bytes as u64, Relaxed);
    }

    fn exhausted(&self, bytes: usize) -> OutOfMemory {
        OutOfMemory { asked: bytes as u64, in_use: self.in_use(), limit: self.limit }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the space's lock")
    }
}

impl State {
    /// The blocks of all chunks, but for those that were never handed out.
    fn blocks_of_cells(&self) -> impl Iterator<Item = Block> {
        self.chunks.iter().flat_map(|&chunk| {
            let is_newest = Some(chunk) == self.newest;
            let end = if is_newest { self.untouched } else { CHUNK_BLOCKS };
            (FIRST_BLOCK..end).map(move |index| Block::of(chunk + index * BLOCK_BYTES))
        })
    }

    /// The next block of the newest chunk, or the first of a new one; `None` if the system has no memory.
    fn untouched_block(&mut self) -> Option<Block> {
        if self.newest.is_none() || self.untouched == CHUNK_BLOCKS {
            let start = memory::map(CHUNK_BYTES)?.as_ptr() as usize;
            prepare_tables(start, FIRST_BLOCK..CHUNK_BLOCKS);
            self.chunks.push(start);
            self.newest = Some(start);
            self.untouched = FIRST_BLOCK;
        }
        let start = self.newest? + self.untouched * BLOCK_BYTES;
        self.untouched += 1;
        Some(Block::of(start))
    }
}

/// Makes the side tables for `blocks` of the chunk at `start`. Mapped memory is zero, which in a real run is what they
/// are to begin with; a model's cells and atomics have to be made.
fn prepare_tables(start: usize, blocks: std::ops::Range<usize>) {
    if !cfg!(loom) {
        return;
    }
    for index in blocks {
        // SAFETY: the record lies in the chunk's tables, and nobody knows of the chunk yet.
        unsafe { (start as *mut BlockRecord).wrapping_add(index).write(BlockRecord::new()) };
        for word in index * BLOCK_BITMAP..(index + 1) * BLOCK_BITMAP {
            for table in [YOUNG, MIDDLE] {
                // SAFETY: as above, the bitmap's word.
                unsafe {
                    ((start + table) as *mut BitmapWord)
                        .wrapping_add(word)
                        .write(BitmapWord::new(0))
                };
            }
        }
        for granule in index * BLOCK_GRANULES..(index + 1) * BLOCK_GRANULES {
            // SAFETY: as above, the scratch entry.
            unsafe {
                ((start + SCRATCH) as *mut AtomicU32).wrapping_add(granule).write(AtomicU32::new(0))
            };
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let state = self.state();
        let chunks = state.chunks.iter().map(|&chunk| (chunk, CHUNK_BYTES));
        let large =
            state.large.iter().map(|&(block, mapped)| (block.start() & !(CHUNK_BYTES - 1), mapped));
        for (start, bytes) in chunks.chain(large) {
            let start = NonNull::new(start as *mut u8).expect("a chunk does not lie at address 0");
            // SAFETY: it came from `map`; handles on this heap keep it alive, so nobody holds an object of it.
            unsafe { memory::unmap(start, bytes) };
        }
    }
}
