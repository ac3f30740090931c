//! Blocks: 64 KiB of cells of one size, owned by one mutator's share of the heap.
//!
//! # Synchronization
//!
//! | variable           | written by                              | read by                     | protocol             |
//! |--------------------|-----------------------------------------|-----------------------------|----------------------|
//! | `owner`            | whoever takes the block from the space  | whoever frees an object     | published with it    |
//! | `cell_bytes` ...   | the same                                | the same                    | the same             |
//! | `free`, `used` ... | the owner; anyone while the world stops | the same                    | safepoint handshake  |
//! | bitmaps            | the owner; anyone while the world stops | the same                    | safepoint handshake  |

use std::{marker::PhantomData, ops::Deref, ptr::NonNull};

use super::{
    layout::{
        BITMAP_WORD, BLOCK_BITMAP, BLOCK_BYTES, BLOCK_GRANULES, BitmapWord, CHUNK_BYTES, GRANULE,
        MIDDLE, SCRATCH, YOUNG,
    },
    object::{Header, Object},
};
use crate::threads::sync::{Plain, atomic::AtomicU32};

/// What a block is being used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Use {
    /// In the space's pool.
    Pooled = 0,
    /// Its owner allocates from it.
    Current = 1,
    /// It has free cells and is on its owner's list of such blocks.
    Partial = 2,
    /// When it was last looked at, all of its cells were objects.
    Full = 3,
    /// It is the mapping of one large object.
    Large = 4,
}

/// What is known of one block; it lies in the block's chunk, not in the block.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct BlockRecord {
    /// The first free cell's object address, or 0. Each links to the next.
    pub(crate) free: Plain<usize>,
    /// The address of the `Share` that allocates here, or 0: a large object's block belongs to none. In an audited heap
    /// also `AUDITED`.
    owner: Plain<usize>,
    /// Cells that are not on the free list.
    pub(crate) used: Plain<u32>,
    /// How many of them are left when its owner lists the block or gives it back.
    pub(crate) reconsidered_at: Plain<u32>,
    /// Cells ever put on the free list; those behind have never been touched.
    pub(crate) carved: Plain<u32>,
    /// How many cells there are.
    pub(crate) cells: Plain<u32>,
    /// The size class.
    pub(crate) class: Plain<u32>,
    /// Bytes of a cell.
    pub(crate) cell_bytes: Plain<usize>,
    /// Where in a cell the object begins: behind its extent, if the cells are for objects that have one.
    pub(crate) object_offset: Plain<usize>,
    /// Neighbours in the owner's list of blocks with free cells, or 0.
    pub(crate) next: Plain<usize>,
    pub(crate) previous: Plain<usize>,
    /// The `Use` of the block.
    usage: Plain<u32>,
    /// Whether it is on its owner's list of blocks allocated from since the last young collection.
    pub(crate) touched: Plain<u32>,
    /// Whether it is on the collector's list of blocks with objects of the middle generation.
    pub(crate) listed: Plain<u32>,
}

impl BlockRecord {
    pub(crate) fn new() -> Self {
        Self {
            free: Plain::new(0),
            owner: Plain::new(0),
            used: Plain::new(0),
            reconsidered_at: Plain::new(0),
            carved: Plain::new(0),
            cells: Plain::new(0),
            class: Plain::new(0),
            cell_bytes: Plain::new(0),
            object_offset: Plain::new(0),
            next: Plain::new(0),
            previous: Plain::new(0),
            usage: Plain::new(Use::Pooled as u32),
            touched: Plain::new(0),
            listed: Plain::new(0),
        }
    }
}

/// In an audited heap this bit of a block's owner is set, so that no share takes the block for its own when it frees. A
/// share's address does not have it.
const AUDITED: usize = 1;

/// A handle on a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Block(NonNull<BlockRecord>);

// SAFETY: the address of a record; what is done through it is proved where it is done.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Deref for Block {
    type Target = BlockRecord;

    #[inline(always)]
    fn deref(&self) -> &BlockRecord {
        // SAFETY: records are made with their chunk and stay until the heap is dropped, or, for a large object, until
        // it is freed; handles are not kept longer (`Block::of`, `Block::from_record`).
        unsafe { self.0.as_ref() }
    }
}

impl Block {
    /// The block that `address` lies in.
    #[inline(always)]
    pub(crate) fn of(address: usize) -> Self {
        let chunk = address & !(CHUNK_BYTES - 1);
        let index = (address & (CHUNK_BYTES - 1)) / BLOCK_BYTES;
        let record = (chunk as *mut BlockRecord).wrapping_add(index);
        // SAFETY: a chunk does not lie at address 0.
        Self(unsafe { NonNull::new_unchecked(record) })
    }

    /// The block whose record lies at `address`, which `record` gave.
    pub(crate) fn from_record(address: usize) -> Option<Self> {
        NonNull::new(address as *mut BlockRecord).map(Self)
    }

    /// The block whose record lies at `address`.
    ///
    /// # Safety
    ///
    /// `record` gave the address.
    #[inline(always)]
    pub(crate) unsafe fn at_record(address: usize) -> Self {
        // SAFETY: no record lies at address 0, by our caller.
        Self(unsafe { NonNull::new_unchecked(address as *mut BlockRecord) })
    }

    /// Whether the share at `address` owns the block and may free into it without telling anybody.
    #[inline(always)]
    pub(crate) fn is_freely_owned_by(self, address: usize) -> bool {
        self.owner.get() == address
    }

    /// Whether what is freed here goes into quarantine.
    pub(crate) fn is_audited(self) -> bool {
        self.owner.get() & AUDITED != 0
    }

    /// The address of the share that owns the block, or 0.
    pub(crate) fn owner(self) -> usize {
        self.owner.get() & !AUDITED
    }

    pub(crate) fn set_owner(self, owner: usize, is_audited: bool) {
        self.owner.set(if is_audited { owner | AUDITED } else { owner });
    }

    /// The address of the block's record, its name in lists.
    #[inline(always)]
    pub(crate) fn record(self) -> usize {
        self.0.as_ptr() as usize
    }

    fn chunk(self) -> usize {
        self.record() & !(CHUNK_BYTES - 1)
    }

    fn index(self) -> usize {
        (self.record() - self.chunk()) / size_of::<BlockRecord>()
    }

    /// The address of its first cell.
    pub(crate) fn start(self) -> usize {
        self.chunk() + self.index() * BLOCK_BYTES
    }

    /// What it is being used for.
    pub(crate) fn usage(&self) -> Use {
        match self.usage.get() {
            0 => Use::Pooled,
            1 => Use::Current,
            2 => Use::Partial,
            3 => Use::Full,
            _ => Use::Large,
        }
    }

    pub(crate) fn set_usage(&self, usage: Use) {
        self.usage.set(usage as u32);
    }

    /// How many bytes belong to it: those of all its cells, or of its one large object.
    pub(crate) fn bytes(self) -> usize {
        if self.usage() == Use::Large { self.cell_bytes.get() } else { BLOCK_BYTES }
    }

    /// Whether one of its cells that have been carved begins at `address`, so that there is, or was, an object.
    pub(crate) fn has_cell_at(self, address: usize) -> bool {
        let cell_bytes = self.cell_bytes.get();
        let offset = address.wrapping_sub(self.start() + self.object_offset.get());
        offset / cell_bytes < self.carved.get() as usize && offset.is_multiple_of(cell_bytes)
    }

    /// The address of cell `index`'s object.
    pub(crate) fn object_address(&self, index: u32) -> usize {
        self.start() + self.object_offset.get() + index as usize * self.cell_bytes.get()
    }

    /// The objects of this block, in address order.
    pub(crate) fn objects<H: Header>(self) -> impl Iterator<Item = Object<H>> {
        let cells = self.cells::<H>();
        (0..cells.len())
            .filter_map(move |index| cells.get(index).filter(|cell| !cell.descriptor().is_free()))
    }

    /// All cells that have ever been on the free list, in address order, objects or not.
    pub(crate) fn cells<H: Header>(self) -> Cells<H> {
        Cells {
            first: self.start() + self.object_offset.get(),
            step: self.cell_bytes.get(),
            len: self.carved.get() as usize,
            header: PhantomData,
        }
    }

    /// One bit a granule: objects allocated since the last young collection, and cells that were.
    #[inline(always)]
    pub(crate) fn young<'a>(self) -> &'a [BitmapWord] {
        self.bitmap(YOUNG)
    }

    /// One bit a granule: objects that survived one young collection, and cells that did.
    pub(crate) fn middle<'a>(self) -> &'a [BitmapWord] {
        self.bitmap(MIDDLE)
    }

    /// The block's part of the scratch table: an entry for each granule.
    pub(crate) fn scratch<'a>(self) -> &'a [AtomicU32] {
        let entries = (self.chunk() + SCRATCH) as *const AtomicU32;
        let first = entries.wrapping_add(self.index() * BLOCK_GRANULES);
        // SAFETY: the table is made with the chunk, has these entries for each block, and stays while the chunk does.
        unsafe { std::slice::from_raw_parts(first, BLOCK_GRANULES) }
    }

    /// The object that begins in granule `granule`.
    ///
    /// # Safety
    ///
    /// One does, so that the block is in use.
    pub(crate) unsafe fn object_in<H: Header>(self, granule: usize) -> Object<H> {
        let address = Grid::of(self).beginning_in(self.start() + granule * GRANULE);
        // SAFETY: by our caller.
        unsafe { Object::at(address) }
    }

    #[inline(always)]
    fn bitmap<'a>(self, table: usize) -> &'a [BitmapWord] {
        let words = (self.chunk() + table) as *const BitmapWord;
        let first = words.wrapping_add(self.index() * BLOCK_BITMAP);
        // SAFETY: the table is made with the chunk, has these words for each block, and stays while the chunk does.
        unsafe { std::slice::from_raw_parts(first, BLOCK_BITMAP) }
    }

    /// The cells whose bit is set in word `index` of `bits`, which may be no objects any more, nor be cells: the block may
    /// have been cut anew since. They lie in the block all the same.
    pub(crate) fn cells_of_bits<H: Header>(
        self,
        index: usize,
        mut bits: u64,
    ) -> impl Iterator<Item = Object<H>> {
        let first = self.start() + index * BITMAP_WORD * GRANULE;
        let grid = Grid::of(self);
        let last = self.start() + self.bytes() - GRANULE;
        std::iter::from_fn(move || {
            while bits != 0 {
                let granule = first + bits.trailing_zeros() as usize * GRANULE;
                bits &= bits - 1;
                let address = grid.beginning_in(granule);
                if address < granule + GRANULE && address <= last {
                    // SAFETY: the address lies in the block, and there is room for a head.
                    return Some(unsafe { Object::at(address) });
                }
            }
            None
        })
    }

    /// The objects whose bit is set in word `index` of `bits`.
    #[inline(always)]
    pub(crate) fn objects_of_bits<H: Header>(
        self,
        index: usize,
        mut bits: u64,
    ) -> impl Iterator<Item = Object<H>> {
        let first = self.start() + index * BITMAP_WORD * GRANULE;
        let grid = Grid::of(self);
        std::iter::from_fn(move || {
            while bits != 0 {
                let granule = first + bits.trailing_zeros() as usize * GRANULE;
                bits &= bits - 1;
                let address = grid.beginning_in(granule);
                // SAFETY: a bit is set only for the granule in which a cell of this block begins.
                let cell = unsafe { Object::<H>::at(address) };
                if !cell.descriptor().is_free() {
                    return Some(cell);
                }
            }
            None
        })
    }
}

/// The cells of a block.
#[derive(Clone, Copy)]
pub(crate) struct Cells<H> {
    first: usize,
    step: usize,
    len: usize,
    header: PhantomData<fn() -> H>,
}

impl<H: Header> Cells<H> {
    /// How many there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Cell `index`.
    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<Object<H>> {
        // SAFETY: the address of a cell of this block that has been carved.
        (index < self.len).then(|| unsafe { Object::at(self.first + index * self.step) })
    }
}

/// Finds the cell that begins in a granule, by a multiplication in place of a division.
#[derive(Clone, Copy)]
struct Grid {
    first: usize,
    bytes: usize,
    reciprocal: u64,
}

impl Grid {
    fn of(block: Block) -> Self {
        let bytes = block.cell_bytes.get().min(BLOCK_BYTES);
        let first = block.start() + block.object_offset.get();
        Self { first, bytes, reciprocal: (1 << 32) / bytes as u64 + 1 }
    }

    /// The object address of the cell that begins in the granule at `granule`.
    fn beginning_in(self, granule: usize) -> usize {
        // The first cell that begins at or after the granule's start. Offsets are below 2^16 and cells at least 2^5,
        // so the rounded-up reciprocal in 32 bits is exact.
        let offset = (granule.saturating_sub(self.first) + self.bytes - 1) as u64;
        let index = ((offset * self.reciprocal) >> 32) as usize;
        self.first + index * self.bytes
    }
}
