//! The layout of memory: chunks, blocks, granules, and where a chunk's side tables lie.
//!
//! ```text
//! chunk   4 MiB, aligned to its size
//! +--------+---------+---------+-----------+---------+---------+-- - - --+
//! | blocks | young   | middle  | scratch   | block 9 | block 10|         |
//! | 1 line | 1 bit / | 1 bit / | 4 bytes / | 64 KiB  |         |         |
//! | each   | granule | granule | granule   | of cells|         |         |
//! +--------+---------+---------+-----------+---------+---------+-- - - --+
//! ```
//!
//! From an object's address a mask finds its chunk, and from the chunk everything else: no look-up, no division, and
//! tables that are dense over 55 blocks. (With tables inside each block, all of them would lie at the same offset of
//! 64 KiB and compete for a tenth of the sets of the second-level cache.) Tables that a collector does not use are
//! never touched and so cost no memory.

use super::block::BlockRecord;
use crate::threads::sync::{Plain, atomic::AtomicU32, capacity};

/// A machine word: the size of a slot and of a data word, and the unit of cells.
pub(crate) const WORD: usize = 8;

/// Side tables have one entry for each granule; no two objects begin in the same one. In a model everything is few and
/// large, because its atomics are.
pub(crate) const GRANULE: usize = capacity(32, 512);

/// Bytes of a block: one size class, one owner.
pub(crate) const BLOCK_BYTES: usize = capacity(64 << 10, 2048);

/// Blocks in a chunk, those that its side tables take included.
pub(crate) const CHUNK_BLOCKS: usize = capacity(64, 8);

/// Bytes of a chunk, and its alignment.
pub(crate) const CHUNK_BYTES: usize = BLOCK_BYTES * CHUNK_BLOCKS;

/// Granules in a block.
pub(crate) const BLOCK_GRANULES: usize = BLOCK_BYTES / GRANULE;

/// Granules in a chunk.
pub(crate) const CHUNK_GRANULES: usize = CHUNK_BYTES / GRANULE;

/// Granules in one word of a bitmap.
pub(crate) const BITMAP_WORD: usize = 64;

/// Words of a bitmap that one block takes.
pub(crate) const BLOCK_BITMAP: usize = BLOCK_GRANULES.div_ceil(BITMAP_WORD);

/// Where the young bitmap begins, in bytes from the chunk's start.
pub(crate) const YOUNG: usize = (CHUNK_BLOCKS * size_of::<BlockRecord>()).next_multiple_of(64);

const BITMAP_BYTES: usize = CHUNK_BLOCKS * BLOCK_BITMAP * size_of::<BitmapWord>();

/// Where the middle bitmap begins.
pub(crate) const MIDDLE: usize = YOUNG + BITMAP_BYTES;

/// Where the scratch table begins: on a page of its own, so that the part of a block can be given back with it.
pub(crate) const SCRATCH: usize = (MIDDLE + BITMAP_BYTES).next_multiple_of(capacity(4096, 64));

/// Bytes of the side tables of a chunk.
pub(crate) const TABLE_BYTES: usize = SCRATCH + CHUNK_GRANULES * size_of::<AtomicU32>();

/// The first block of a chunk that holds objects.
pub(crate) const FIRST_BLOCK: usize = TABLE_BYTES.div_ceil(BLOCK_BYTES);

/// One word of a bitmap.
pub(crate) type BitmapWord = Plain<u64>;

const _: () =
    assert!(FIRST_BLOCK < CHUNK_BLOCKS, "a chunk's side tables leave no room for objects");
const _: () = assert!(CHUNK_BYTES.is_power_of_two(), "an object's chunk is found by a mask");
