//! Batches: which objects a mutator has made, and what becomes of these lists.
//!
//! The young bits of a block are its owner's. At a safepoint of its own, or in the act of a handshake, they are copied and
//! cleared, so that the owner can go on at once. What survives a cycle gets its *old* bit, which is the collector's alone (the
//! table of the middle generation serves). A block that goes back to the pool loses its bits; if the collector is just
//! setting others, old bits without objects may remain there, and mean nothing.

use super::{Counted, pace::Extent};
use crate::{
    counts::biased::BiasedCount,
    heap::{
        block::Block,
        core::Core,
        layout::{BITMAP_WORD, BLOCK_BITMAP},
        share::Share,
        space::Recency,
    },
    threads::sync::{atomic::Ordering::Relaxed, capacity},
};

/// Batches of one mutator that wait before it does.
pub(super) const BACKLOG: usize = capacity(4, 1);

/// The bits of one block.
type Bits = [u64; BLOCK_BITMAP];

/// What one mutator has made.
pub(super) struct Batch {
    seat: usize,
    blocks: Vec<(Block, Bits)>,
    /// Those of its objects that are suspects from the beginning, if it is expected that most are garbage.
    flagged: Option<Vec<Counted>>,
}

/// What mutators have handed over, and what they ask for.
#[derive(Default)]
pub(super) struct Inbox {
    batches: Vec<Batch>,
    wish: Option<Extent>,
}

/// The objects that a cycle looks at. By the time that it does, they may be none.
pub(super) struct Candidates {
    blocks: Vec<(Block, Bits)>,
    /// Blocks of objects that are suspects already, and need no guess.
    flagged_blocks: Vec<(Block, Bits)>,
    /// Large objects, and others that no bit tells.
    others: Vec<Counted>,
}

/// The large objects that cannot be unmapped while the cycle runs.
pub(super) struct Large {
    pub(super) all: Vec<Counted>,
    /// Those that are not yet old.
    pub(super) recent: Vec<Counted>,
}

impl Large {
    /// The large objects at the beginning of a cycle, when limbo is open.
    pub(super) fn new(core: &Core<BiasedCount>) -> Self {
        let recent = core.space.large_objects(Recency::Recent);
        Self { all: core.space.large_objects(Recency::Any), recent }
    }
}

impl Batch {
    /// Takes what the mutator of `share`, which is the caller or stands still, has made.
    pub(super) fn take(seat: usize, share: &Share<BiasedCount>) -> Self {
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
        Self { seat, blocks, flagged: None }
    }

    /// Makes suspects of all objects. The caller is the mutator that has made them.
    pub(super) fn flag(mut self) -> Self {
        let mut flagged = Vec::new();
        for (block, bits) in &self.blocks {
            for (index, &word) in bits.iter().enumerate().filter(|(_, word)| **word != 0) {
                for object in block.cells_of_bits::<BiasedCount>(index, word) {
                    let descriptor = object.descriptor();
                    let is_candidate = !descriptor.is_free() && !descriptor.is_acyclic();
                    if is_candidate && object.header().suspect() {
                        flagged.push(object);
                    }
                }
            }
        }
        self.flagged = Some(flagged);
        self
    }

    /// How many objects there are, those that have died since included.
    fn objects(&self) -> u64 {
        let words = self.blocks.iter().flat_map(|(_, bits)| bits);
        words.map(|word| u64::from(word.count_ones())).sum()
    }
}

impl Inbox {
    /// Adds a batch; says whether its mutator is too far ahead.
    pub(super) fn push(&mut self, batch: Batch) -> bool {
        let seat = batch.seat;
        if !batch.blocks.is_empty() {
            self.batches.push(batch);
        }
        self.batches.iter().filter(|batch| batch.seat == seat).count() > BACKLOG
    }

    /// Asks for a cycle of everything that has been made by now, `extent` or more.
    pub(super) fn wish(&mut self, extent: Extent) {
        self.wish = self.wish.max(Some(extent));
    }

    pub(super) fn take_wish(&mut self) -> Option<Extent> {
        self.wish.take()
    }

    /// Makes old, without a look, the batches that are in no cycle; gives how many objects these are.
    pub(super) fn make_old(&mut self) -> u64 {
        let mut objects = 0;
        for batch in self.batches.extract_if(.., |batch| batch.flagged.is_none()) {
            objects += batch.objects();
            batch.blocks.iter().for_each(|(block, bits)| set_old(*block, bits));
        }
        objects
    }

    pub(super) fn take(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.batches)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.wish.is_none()
    }
}

impl Candidates {
    /// The candidates of a cycle: what is in `batches`, what was kept for the finalizers of an earlier one, and in a full
    /// cycle all that is old. Also gives those that are suspects already.
    pub(super) fn new(
        core: &Core<BiasedCount>,
        batches: Vec<Batch>,
        again: Vec<Counted>,
        large: Large,
        extent: Extent,
    ) -> (Self, Vec<Counted>) {
        let (mut young, mut flagged_blocks, mut flagged) = (Vec::new(), Vec::new(), Vec::new());
        for batch in batches {
            match batch.flagged {
                Some(mut suspects) if extent == Extent::Young => {
                    flagged.append(&mut suspects);
                    flagged_blocks.extend(batch.blocks);
                }
                suspects => {
                    flagged.extend(suspects.into_iter().flatten());
                    young.extend(batch.blocks);
                }
            }
        }
        let candidates = match extent {
            Extent::Young => {
                let mut others = again;
                others.extend(large.recent);
                Self { blocks: young, flagged_blocks, others }
            }
            Extent::Full => {
                young.iter().for_each(|(block, bits)| set_old(*block, bits));
                let with_bits = core
                    .space
                    .blocks_of_cells()
                    .into_iter()
                    .map(|block| (block, old_bits(block)))
                    .filter(|(_, bits)| *bits != [0; BLOCK_BITMAP]);
                Self { blocks: with_bits.collect(), flagged_blocks, others: large.all }
            }
        };
        (candidates, flagged)
    }

    /// Calls `visit` with each candidate; `pause` between blocks.
    #[inline(always)]
    pub(super) fn each(&self, mut visit: impl FnMut(Counted), mut pause: impl FnMut()) {
        for (block, bits) in &self.blocks {
            for (index, &word) in bits.iter().enumerate().filter(|(_, word)| **word != 0) {
                block.cells_of_bits(index, word).for_each(&mut visit);
            }
            pause();
        }
        self.others.iter().copied().for_each(visit);
    }

    /// Gives `visit` each candidate whose scratch entry is `wanted`, and clears the entries of all, whatever has become of
    /// them.
    pub(super) fn clear_entries(&self, wanted: u32, mut visit: impl FnMut(Counted)) {
        for (block, bits) in &self.blocks {
            let entries = block.scratch();
            for (index, &word) in bits.iter().enumerate().filter(|(_, word)| **word != 0) {
                let mut bits = word;
                while bits != 0 {
                    let bit = bits & bits.wrapping_neg();
                    let entry = &entries[index * BITMAP_WORD + bit.trailing_zeros() as usize];
                    // Relaxed: ours alone to write.
                    let value = entry.load(Relaxed);
                    if value != 0 {
                        // Relaxed: ours alone to write.
                        entry.store(0, Relaxed);
                    }
                    if value == wanted {
                        block.cells_of_bits(index, bit).for_each(&mut visit);
                    }
                    bits ^= bit;
                }
            }
        }
        for &object in &self.others {
            let entry = object.scratch();
            // Relaxed: ours alone to write.
            let value = entry.load(Relaxed);
            // Relaxed: ours alone to write.
            entry.store(0, Relaxed);
            if value == wanted {
                visit(object);
            }
        }
    }

    /// Makes old what has survived; of what has not, the bits go.
    pub(super) fn promote(self, core: &Core<BiasedCount>, extent: Extent) {
        for (block, mut bits) in self.blocks.into_iter().chain(self.flagged_blocks) {
            for (index, word) in bits.iter_mut().enumerate() {
                for cell in block.cells_of_bits::<BiasedCount>(index, *word) {
                    if cell.descriptor().is_free() {
                        *word &= !(1 << (cell.granule() % BITMAP_WORD));
                    }
                }
            }
            match extent {
                Extent::Young => set_old(block, &bits),
                Extent::Full => {
                    for (old, word) in block.middle().iter().zip(bits) {
                        old.set(word);
                    }
                }
            }
        }
        core.space.settle_large(|_| true);
    }
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
