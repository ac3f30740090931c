//! Detection: which objects of a generation are garbage.
//!
//! Each candidate's scratch entry takes a copy of its count, from which every reference from inside the generation is
//! subtracted. An entry left with references is held from outside; such objects are swept over in address order, and
//! what they reach ahead of the sweep is left to the sweep, so that most objects are visited in the order in which they
//! lie in memory. What they reach behind it goes through a short queue that fetches it meanwhile.
//!
//! # Invariants
//!
//! 1. Before and after, every scratch entry is 0. Between detection and the reset, an entry that is not 0 is garbage's.
//! 2. During the sweep, an entry is 0 (no candidate, or known to be reachable), `CANDIDATE` (no reference found yet), or
//!    more (held from outside, or by a reachable object behind the sweep; its turn will come).
//!
//! A full collection does both steps of the subtraction in one pass, since every object that can be part of a cycle is a
//! candidate; entries may wrap below zero for a while. Acyclic objects get entries too then, which the sweep clears.

use super::{
    reach::{Alone, Reach, Route},
    shared,
};
use crate::{
    counts::{Count, slot::object_at},
    heap::{
        Object,
        block::{Block, Use},
        core::Core,
        layout::BITMAP_WORD,
    },
    threads::{
        sync::{atomic::Ordering::Relaxed, capacity},
        world::Stopped,
    },
};

/// Set in the scratch entry of a candidate. The bits below count references from outside.
pub(crate) const CANDIDATE: u32 = 1 << 31;

/// From how many blocks on a full detection is worth sharing: some tens of microseconds of work each.
const SHARED_FROM: usize = capacity(16, 1);

/// The objects to look at.
pub(crate) struct Candidates {
    /// Blocks that have some, in address order.
    blocks: Vec<Block>,
    which: Which,
}

/// Which objects of a block are candidates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Young,
    YoungAndMiddle,
    All,
}

/// What a detection found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detection {
    /// How many candidates there were.
    pub(crate) examined: u64,
    /// How many of them are garbage.
    pub(crate) garbage: u64,
}

impl Candidates {
    /// The candidates of generation `generation` and the younger ones. Takes the lists of touched and middle blocks;
    /// `promote` makes new ones.
    pub(crate) fn new<K: Count>(
        core: &Core<K>,
        middle: &mut Vec<Block>,
        generation: usize,
    ) -> Self {
        let mut blocks: Vec<Block> = core.space.recent_large();
        for share in core.shares() {
            blocks.extend(share.take_touched());
        }
        let which = match generation {
            0 => Which::Young,
            1 => Which::YoungAndMiddle,
            _ => Which::All,
        };
        if generation > 0 {
            for block in middle.drain(..) {
                block.listed.set(0);
                blocks.push(block);
            }
        }
        if which == Which::All {
            // The bits of touched and middle blocks are cleared by `promote`: all blocks include them.
            blocks = core.space.blocks();
        }
        blocks.sort_unstable_by_key(|block| block.start());
        blocks.dedup();
        Self { blocks, which }
    }

    /// Forgets the blocks that are not among `blocks`: they have gone back to the system.
    pub(crate) fn keep(&mut self, blocks: Vec<Block>) {
        self.blocks = blocks;
    }

    /// Moves all candidates one generation up.
    pub(crate) fn promote<K: Count>(
        &self,
        core: &Core<K>,
        middle: &mut Vec<Block>,
        generation: usize,
    ) {
        for &block in &self.blocks {
            for (young, middle) in block.young().iter().zip(block.middle()) {
                match generation {
                    0 => middle.set(middle.get() | young.get()),
                    _ => middle.set(0),
                }
                young.set(0);
            }
            // Large objects are on a list of their own, which they leave when they are freed.
            let is_large = block.usage() == Use::Large;
            if generation == 0 && !is_large && block.listed.get() == 0 {
                block.listed.set(1);
                middle.push(block);
            }
        }
        if generation > 0 {
            core.space.settle_large(|_| true);
        }
    }

    /// Calls `visit` with every candidate, in address order.
    #[inline(always)]
    pub(crate) fn each<K: Count>(&self, mut visit: impl FnMut(Object<K>)) {
        for &block in &self.blocks {
            self.each_of(block, &mut visit);
        }
    }

    #[inline(always)]
    fn each_of<K: Count>(&self, block: Block, mut visit: impl FnMut(Object<K>)) {
        match self.which {
            Which::All => {
                for object in block.objects::<K>() {
                    if !object.descriptor().is_acyclic() {
                        visit(object);
                    }
                }
            }
            Which::Young | Which::YoungAndMiddle => {
                let with_middle = self.which == Which::YoungAndMiddle;
                for (index, (young, middle)) in block.young().iter().zip(block.middle()).enumerate()
                {
                    let bits = young.get() | if with_middle { middle.get() } else { 0 };
                    if bits != 0 {
                        for object in block.objects_of_bits::<K>(index, bits) {
                            // A stale bit may lie where an acyclic object has been allocated since.
                            if !object.descriptor().is_acyclic() {
                                visit(object);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The blocks with candidates, in address order.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Calls `visit` with every garbage object of a block, after detection and before its entry is reset.
    #[inline(always)]
    pub(crate) fn each_garbage_of<K: Count>(&self, block: Block, mut visit: impl FnMut(Object<K>)) {
        let mut visit_garbage = |object: Object<K>| {
            if get(object) == CANDIDATE {
                visit(object);
            }
        };
        if self.which == Which::All {
            // No need to touch the others.
            let cells = block.cells::<K>();
            (0..cells.len()).filter_map(|index| cells.get(index)).for_each(visit_garbage);
        } else {
            self.each_of(block, &mut visit_garbage);
        }
    }

    /// Clears the entries of a block's candidates, buried or not.
    pub(crate) fn clear_entries(&self, block: Block) {
        let entries = block.scratch();
        if self.which == Which::All {
            // Relaxed: ordered by the safepoint handshake.
            entries.iter().for_each(|entry| entry.store(0, Relaxed));
            return;
        }
        for (index, (young, middle)) in block.young().iter().zip(block.middle()).enumerate() {
            let mut bits = young.get() | middle.get();
            while bits != 0 {
                let granule = index * BITMAP_WORD + bits.trailing_zeros() as usize;
                // Relaxed: ordered by the safepoint handshake.
                entries[granule].store(0, Relaxed);
                bits &= bits - 1;
            }
        }
    }

    /// Calls `visit` with every garbage object, in address order.
    #[inline(always)]
    pub(crate) fn each_garbage<K: Count>(&self, mut visit: impl FnMut(Object<K>)) {
        for &block in &self.blocks {
            self.each_garbage_of(block, &mut visit);
        }
    }

    /// Finds the garbage: its scratch entries are `CANDIDATE` afterwards, all others 0.
    pub(crate) fn detect<K: Count>(&self, stopped: &Stopped<'_>) -> Detection {
        if self.which == Which::All && self.blocks.len() >= SHARED_FROM {
            let helpers = stopped.helpers();
            if helpers > 0 {
                return shared::detect::<K>(&self.blocks, stopped, helpers + 1);
            }
        }
        let examined =
            if self.which == Which::All { self.subtract_all::<K>() } else { self.subtract::<K>() };
        let reachable = self.sweep::<K>();
        Detection { examined, garbage: examined - reachable }
    }

    /// Copies the counts, then subtracts the references from inside.
    fn subtract<K: Count>(&self) -> u64 {
        let mut examined = 0;
        self.each(|object: Object<K>| {
            examined += 1;
            set(object, CANDIDATE | held(object));
        });
        self.each(|object: Object<K>| {
            each_child(object, |child| {
                let entry = get(child);
                if entry & CANDIDATE != 0 {
                    set(child, entry - 1);
                }
            })
        });
        examined
    }

    /// Both in one pass: everything that can be part of a cycle is a candidate.
    fn subtract_all<K: Count>(&self) -> u64 {
        let mut examined = 0;
        for &block in &self.blocks {
            examined += subtract_block::<K>(block, &mut Alone);
        }
        examined
    }

    /// Visits what is held from outside and what it reaches, clears the entries, and gives the number of candidates
    /// among them.
    fn sweep<K: Count>(&self) -> u64 {
        let mut reach = Reach::<K>::new();
        for &block in &self.blocks {
            match self.which {
                Which::All => reach.sweep_block(block, &mut Alone),
                _ => self.each_of(block, |object| reach.sweep_object(object, &mut Alone)),
            }
        }
        reach.end(&mut Alone);
        reach.reached
    }
}

/// Adds the counts of a block's candidates to their entries, and subtracts one for each reference that they hold.
#[inline(always)]
pub(crate) fn subtract_block<K: Count>(block: Block, route: &mut impl Route<K>) -> u64 {
    let mut examined = 0;
    for object in block.objects::<K>() {
        if object.descriptor().is_acyclic() {
            continue;
        }
        examined += 1;
        set(object, get(object).wrapping_add(CANDIDATE | held(object)));
        each_child(object, |child| {
            if route.is_ours(child) {
                subtract_one(child);
            } else {
                route.send(child);
            }
        });
    }
    examined
}

/// By how many references a candidate is held. One that waits to be destroyed may have none left, and is held by whoever
/// destroys it.
#[inline(always)]
pub(crate) fn held<K: Count>(object: Object<K>) -> u32 {
    object.header().references().max(1)
}

/// A reference from inside is found.
#[inline(always)]
pub(crate) fn subtract_one<K: Count>(object: Object<K>) {
    set(object, get(object).wrapping_sub(1));
}

#[inline(always)]
pub(crate) fn each_child<K: Count>(object: Object<K>, mut visit: impl FnMut(Object<K>)) {
    // SAFETY: the world is stopped, and the object in the heap.
    for slot in unsafe { object.slots() } {
        // Relaxed: ordered by the safepoint handshake.
        if let Some(child) = object_at(slot.load(Relaxed)) {
            visit(child);
        }
    }
}

#[inline(always)]
pub(crate) fn get<K: Count>(object: Object<K>) -> u32 {
    // Relaxed: ordered by the safepoint handshake.
    object.scratch().load(Relaxed)
}

#[inline(always)]
pub(crate) fn set<K: Count>(object: Object<K>, entry: u32) {
    // Relaxed: ordered by the safepoint handshake.
    object.scratch().store(entry, Relaxed);
}
