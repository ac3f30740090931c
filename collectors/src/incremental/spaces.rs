//! Spaces: which objects are young, and which of the old ones this scavenge has visited.
//!
//! An object that can be part of a cycle is young if its young bit is set. If not, its middle bit says which of the two
//! old spaces it is in, and `visited` which value of the bit means that this scavenge has come by: to flip the spaces
//! is to flip that. Bits of cells that are no objects mean nothing, nor does the middle bit of a young object.
//!
//! # Invariants
//!
//! 1. Behind the cursor, in blocks of cells, nothing is pending: what becomes old becomes visited.

use crate::{
    counts::atomic::AtomicCount,
    heap::{
        Object,
        block::Block,
        core::Core,
        layout::{BITMAP_WORD, BLOCK_BYTES, BitmapWord},
    },
};

type Counted = Object<AtomicCount>;

/// The two old spaces, and how far the walk through the pending one has come.
#[derive(Debug)]
pub(super) struct Spaces {
    /// What the middle bit of a visited object is.
    visited: bool,
    /// The address of the first cell that may be pending.
    cursor: usize,
    /// Blocks that the cursor has left in this scavenge.
    pub(super) passed: u64,
}

impl Spaces {
    pub(super) fn new() -> Self {
        Self { visited: true, cursor: 0, passed: 0 }
    }

    /// Whether `object` is young or pending.
    #[inline(always)]
    pub(super) fn is_unvisited(&self, object: Counted) -> bool {
        !object.descriptor().is_acyclic()
            && (has(young(object)) || has(middle(object)) != self.visited)
    }

    /// Whether `object` is in the pending space.
    #[inline(always)]
    pub(super) fn is_pending(&self, object: Counted) -> bool {
        !object.descriptor().is_acyclic()
            && !has(young(object))
            && has(middle(object)) != self.visited
    }

    /// Moves `object` to the visited space.
    #[inline(always)]
    pub(super) fn visit(&self, object: Counted) {
        put(young(object), false);
        put(middle(object), self.visited);
    }

    /// Visits all young objects and gives them, those of each block in address order. The world is stopped.
    pub(super) fn take_young(&self, core: &Core<AtomicCount>) -> Vec<Counted> {
        let mut taken = Vec::new();
        let mut blocks = core.space.recent_large();
        for share in core.shares() {
            blocks.extend(share.take_touched());
        }
        for block in blocks {
            for (index, bits) in block.young().iter().enumerate() {
                for object in block.objects_of_bits::<AtomicCount>(index, bits.get()) {
                    // A stale bit may lie where an acyclic object has been allocated since.
                    if !object.descriptor().is_acyclic() {
                        put(middle(object), self.visited);
                        taken.push(object);
                    }
                }
                bits.set(0);
            }
        }
        core.space.settle_large(|_| true);
        taken
    }

    /// The next pending object, which stays where it is; `None` if there is none left.
    pub(super) fn next_pending(&mut self, core: &Core<AtomicCount>) -> Option<Counted> {
        while let Some(block) = core.space.block_from(self.cursor) {
            if let Some(object) = self.next_pending_of(block) {
                self.cursor = object.address();
                return Some(object);
            }
            // INVARIANT 1: the whole block has been looked at.
            self.cursor = block.start() + BLOCK_BYTES;
            self.passed += 1;
        }
        let large = core.space.large().into_iter().flat_map(Block::objects);
        large.into_iter().find(|&object| self.is_pending(object))
    }

    /// The first pending object of a block from the cursor on.
    fn next_pending_of(&self, block: Block) -> Option<Counted> {
        let cells = block.cells::<AtomicCount>();
        let before = self.cursor.saturating_sub(block.object_address(0));
        let first = before.div_ceil(block.cell_bytes.get());
        // The bits first: most cells that are not pending are passed without a look at their objects.
        (first..cells.len())
            .filter_map(|index| cells.get(index))
            .filter(|&cell| has(middle(cell)) != self.visited)
            .find(|&cell| !cell.descriptor().is_free() && self.is_pending(cell))
    }

    /// A scavenge has ended: all that was visited is pending.
    pub(super) fn flip(&mut self) {
        *self = Self { visited: !self.visited, ..Self::new() };
    }

    /// A full collection has cleared all bits of all survivors: they are pending.
    pub(super) fn restart(&mut self) {
        *self = Self::new();
    }

    /// Invariant 1, and that every young object lies in a block that `take_young` looks at.
    pub(super) fn check(&self, core: &Core<AtomicCount>) {
        let recent = core.space.recent_large();
        for block in core.space.blocks() {
            let is_large = block.usage() == crate::heap::block::Use::Large;
            let is_listed = block.touched.get() != 0 || recent.contains(&block);
            for object in block.objects::<AtomicCount>() {
                if object.descriptor().is_acyclic() {
                    continue;
                }
                assert!(
                    is_listed || !has(young(object)),
                    "the young {object:?} in a block that is not listed: {block:?}"
                );
                assert!(
                    is_large || object.address() >= self.cursor || !self.is_pending(object),
                    "the pending {object:?} behind the cursor, {:#x}",
                    self.cursor
                );
            }
        }
    }
}

/// A bit in a bitmap.
type Bit<'b> = (&'b BitmapWord, u64);

#[inline(always)]
fn young<'b>(object: Counted) -> Bit<'b> {
    bit(object.block().young(), object)
}

#[inline(always)]
fn middle<'b>(object: Counted) -> Bit<'b> {
    bit(object.block().middle(), object)
}

#[inline(always)]
fn bit(bitmap: &[BitmapWord], object: Counted) -> Bit<'_> {
    let granule = object.granule();
    (&bitmap[granule / BITMAP_WORD], 1 << (granule % BITMAP_WORD))
}

#[inline(always)]
fn has((word, bit): Bit<'_>) -> bool {
    word.get() & bit != 0
}

#[inline(always)]
fn put((word, bit): Bit<'_>, value: bool) {
    word.set(if value { word.get() | bit } else { word.get() & !bit });
}
