//! Batches: which objects a mutator has made, and what becomes of these lists.
//!
//! The young bits of a block are its owner's. At a safepoint of its own, or in the act of a handshake, they are copied and
//! cleared, so that the owner can go on at once. What survives gets its *old* bit, which is the collector's alone (the
//! table of the middle generation serves). A block that goes back to the pool loses its bits; if the collector is just
//! setting others, old bits without objects may remain there, and mean nothing.

use super::Counted;
use crate::{
    counts::biased::BiasedCount,
    heap::{
        block::Block,
        core::Core,
        layout::{BITMAP_WORD, BLOCK_BITMAP},
        share::Share,
    },
    threads::sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// So many batches are taken in, whether a cycle is due or not.
const MANY: usize = 64;

/// The bits of one block.
type Bits = [u64; BLOCK_BITMAP];

/// What one mutator has made.
#[derive(Default)]
pub(super) struct Batch {
    blocks: Vec<(Block, Bits)>,
}

/// What mutators have handed over, and whether the program asks for a cycle.
#[derive(Default)]
pub(super) struct Inbox {
    batches: Vec<Batch>,
    /// For each seat, what its mutator has looked at once, and has not handed over yet.
    aged: Vec<Batch>,
    is_asked: bool,
}

/// The objects that a cycle looks at: all that are old. By the time that it does, they may be none.
pub(super) struct Candidates {
    blocks: Vec<(Block, Bits)>,
    /// Large objects in address order, which cannot be unmapped while the cycle runs.
    pub(super) large: Vec<Counted>,
}

impl Batch {
    /// Takes what the mutator of `share`, which is the caller or stands still, has made.
    pub(super) fn take(share: &Share<BiasedCount>) -> Self {
        let mut blocks = Vec::new();
        share.each_touched(|block| {
            let mut bits = [0; BLOCK_BITMAP];
            for (copy, word) in bits.iter_mut().zip(block.young()) {
                *copy = word.get();
                if *copy != 0 {
                    word.set(0);
                }
            }
            if bits != [0; BLOCK_BITMAP] {
                blocks.push((block, bits));
            }
        });
        Self { blocks }
    }

    /// Keeps the cells of which `keep` says so. The caller is the mutator that has made what was there.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Counted) -> bool) {
        for (block, bits) in &mut self.blocks {
            for (index, word) in bits.iter_mut().enumerate().filter(|(_, word)| **word != 0) {
                for object in block.cells_of_bits::<BiasedCount>(index, *word) {
                    if !keep(object) {
                        *word &= !bit_of(object);
                    }
                }
            }
        }
        self.blocks.retain(|(_, bits)| *bits != [0; BLOCK_BITMAP]);
    }

    /// Adds all of another one.
    pub(super) fn append(&mut self, mut other: Self) {
        self.blocks.append(&mut other.blocks);
    }

    /// How many objects there are, those that have died since included.
    pub(super) fn objects(&self) -> u64 {
        let words = self.blocks.iter().flat_map(|(_, bits)| bits);
        words.map(|word| u64::from(word.count_ones())).sum()
    }
}

impl Inbox {
    /// Adds a batch; says whether there are so many that they should be taken in.
    pub(super) fn push(&mut self, batch: Batch) -> bool {
        if !batch.blocks.is_empty() {
            self.batches.push(batch);
        }
        self.batches.len() >= MANY
    }

    /// What the mutator in seat `seat` has looked at once.
    pub(super) fn aged(&mut self, seat: usize) -> &mut Batch {
        if self.aged.len() <= seat {
            self.aged.resize_with(seat + 1, Batch::default);
        }
        &mut self.aged[seat]
    }

    /// Makes old what was handed over.
    pub(super) fn make_old(&mut self) {
        for batch in self.batches.drain(..) {
            batch.blocks.iter().for_each(|(block, bits)| set_old(*block, bits));
        }
    }

    /// Asks for a cycle of everything that has been made by now.
    pub(super) fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Whether the program has asked since the last time.
    pub(super) fn take_wish(&mut self) -> bool {
        std::mem::take(&mut self.is_asked)
    }
}

impl Candidates {
    /// All that is old by now. Limbo is open.
    pub(super) fn new(core: &Core<BiasedCount>) -> Self {
        let blocks = core.space.blocks_of_cells().into_iter();
        let with_bits = blocks
            .map(|block| (block, old_bits(block)))
            .filter(|(_, bits)| *bits != [0; BLOCK_BITMAP]);
        let mut large = core.space.large_objects();
        large.sort_unstable_by_key(|object: &Counted| object.address());
        Self { blocks: with_bits.collect(), large }
    }

    /// Whether a large object lies at the address of `object`, where a cell may lie as well.
    pub(super) fn has_large(&self, object: Counted) -> bool {
        self.large.binary_search_by_key(&object.address(), |large| large.address()).is_ok()
    }

    /// Calls `visit` with each candidate in a block; `pause` between blocks.
    #[inline(always)]
    pub(super) fn each_in_blocks(&self, mut visit: impl FnMut(Counted), mut pause: impl FnMut()) {
        for (block, bits) in &self.blocks {
            for (index, &word) in bits.iter().enumerate().filter(|(_, word)| **word != 0) {
                block.cells_of_bits(index, word).for_each(&mut visit);
            }
            pause();
        }
    }

    /// Gives `visit` each candidate whose scratch entry is `wanted`, and clears the entries of all, whatever has become of
    /// them.
    pub(super) fn clear_entries(
        &self,
        wanted: impl Fn(u32) -> bool,
        mut visit: impl FnMut(Counted),
    ) {
        for (block, bits) in &self.blocks {
            let entries = block.scratch();
            for (index, &word) in bits.iter().enumerate().filter(|(_, word)| **word != 0) {
                let mut bits = word;
                while bits != 0 {
                    let bit = bits & bits.wrapping_neg();
                    let place = index * BITMAP_WORD + bit.trailing_zeros() as usize;
                    if wanted(take_entry(&entries[place])) {
                        block.cells_of_bits(index, bit).for_each(&mut visit);
                    }
                    bits ^= bit;
                }
            }
        }
        self.large
            .iter()
            .filter(|object| wanted(take_entry(object.scratch())))
            .for_each(|&object| visit(object));
    }
}

/// Clears a scratch entry, and gives what it was.
fn take_entry(entry: &AtomicU32) -> u32 {
    // Relaxed: ours alone to write.
    let value = entry.load(Relaxed);
    if value != 0 {
        // Relaxed: ours alone to write.
        entry.store(0, Relaxed);
    }
    value
}

/// Whether the cell's bit says that it is old.
#[inline(always)]
pub(super) fn is_old(cell: Counted) -> bool {
    cell.block().middle()[cell.granule() / BITMAP_WORD].get() & bit_of(cell) != 0
}

/// Whatever is made of the cell next, it is not old.
pub(super) fn forget_old(cell: Counted) {
    let word = &cell.block().middle()[cell.granule() / BITMAP_WORD];
    word.set(word.get() & !bit_of(cell));
}

/// Its bit, in its word.
#[inline(always)]
fn bit_of(object: Counted) -> u64 {
    1 << (object.granule() % BITMAP_WORD)
}

fn old_bits(block: Block) -> Bits {
    let mut bits = [0; BLOCK_BITMAP];
    for (copy, word) in bits.iter_mut().zip(block.middle()) {
        *copy = word.get();
    }
    bits
}

fn set_old(block: Block, bits: &Bits) {
    for (old, word) in block.middle().iter().zip(bits) {
        if *word != 0 {
            old.set(old.get() | word);
        }
    }
}
