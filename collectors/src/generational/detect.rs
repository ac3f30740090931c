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

use crate::{
    counts::{atomic::AtomicCount, slot::object_at},
    heap::{Object, block::Block, core::Core},
    threads::{sync::atomic::Ordering::Relaxed, world::Stopped},
};

type Counted = Object<AtomicCount>;

/// Set in the scratch entry of a candidate. The bits below count references from outside.
pub(super) const CANDIDATE: u32 = 1 << 31;

/// How many objects are being fetched while others are visited. (A queue in front of the mark stack, as in C.-Y. Cher,
/// A. L. Hosking, T. N. Vijaykumar, *Software prefetching for mark-sweep garbage collection*, ASPLOS 2004.)
const FETCHED: usize = 16;

/// How many visits before an object's own the entries of what it refers to are asked for.
const LOOKED_AHEAD: usize = 6;

/// The objects to look at.
pub(super) struct Candidates {
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
pub(super) struct Detection {
    /// How many candidates there were.
    pub(super) examined: u64,
    /// How many of them are garbage.
    pub(super) garbage: u64,
}

impl Candidates {
    /// The candidates of generation `generation` and the younger ones. Takes the lists of touched and middle blocks;
    /// `promote` makes new ones.
    pub(super) fn new(
        core: &Core<AtomicCount>,
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

    /// Moves all candidates one generation up.
    pub(super) fn promote(
        &self,
        core: &Core<AtomicCount>,
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
            if generation == 0 && block.listed.get() == 0 {
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
    pub(super) fn each(&self, mut visit: impl FnMut(Counted)) {
        for &block in &self.blocks {
            self.each_of(block, &mut visit);
        }
    }

    #[inline(always)]
    fn each_of(&self, block: Block, mut visit: impl FnMut(Counted)) {
        match self.which {
            Which::All => {
                for object in block.objects::<AtomicCount>() {
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
                        for object in block.objects_of_bits::<AtomicCount>(index, bits) {
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
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Calls `visit` with every garbage object of a block, after detection and before its entry is reset.
    #[inline(always)]
    pub(super) fn each_garbage_of(&self, block: Block, mut visit: impl FnMut(Counted)) {
        let mut visit_garbage = |object| {
            if get(object) == CANDIDATE {
                visit(object);
            }
        };
        if self.which == Which::All {
            // No need to touch the others.
            let cells = block.cells::<AtomicCount>();
            (0..cells.len()).filter_map(|index| cells.get(index)).for_each(visit_garbage);
        } else {
            self.each_of(block, &mut visit_garbage);
        }
    }

    /// Calls `visit` with every garbage object, in address order.
    #[inline(always)]
    pub(super) fn each_garbage(&self, mut visit: impl FnMut(Counted)) {
        for &block in &self.blocks {
            self.each_garbage_of(block, &mut visit);
        }
    }

    /// Finds the garbage: its scratch entries are `CANDIDATE` afterwards, all others 0.
    pub(super) fn detect(&self, _stopped: &Stopped<'_>) -> Detection {
        let examined = if self.which == Which::All { self.subtract_all() } else { self.subtract() };
        let reachable = self.sweep();
        Detection { examined, garbage: examined - reachable }
    }

    /// Copies the counts, then subtracts the references from inside.
    fn subtract(&self) -> u64 {
        let mut examined = 0;
        self.each(|object| {
            examined += 1;
            set(object, CANDIDATE | object.header().count());
        });
        self.each(|object| {
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
    fn subtract_all(&self) -> u64 {
        let mut examined = 0;
        self.each(|object| {
            examined += 1;
            set(object, get(object).wrapping_add(CANDIDATE | object.header().count()));
            each_child(object, |child| set(child, get(child).wrapping_sub(1)));
        });
        examined
    }

    /// Visits what is held from outside and what it reaches, clears the entries, and gives the number of candidates
    /// among them.
    fn sweep(&self) -> u64 {
        let mut reach = Reach::new();
        for &block in &self.blocks {
            match self.which {
                Which::All => reach.sweep_block(block),
                _ => self.each_of(block, |object| reach.sweep_object(object)),
            }
        }
        // Nothing is ahead of the sweep any more.
        reach.position = usize::MAX;
        reach.work(0);
        reach.reached
    }
}

/// The visit of what is reachable: a sweep in address order, and a queue of what was reached behind it.
struct Reach {
    /// How far the sweep has come.
    position: usize,
    reached: u64,
    /// Reached objects behind the sweep that are being fetched, oldest first, from `first` on.
    fetched: [Option<Counted>; FETCHED],
    first: usize,
    queued: usize,
    /// Reached objects behind the sweep that do not fit the queue.
    behind: Vec<Counted>,
}

impl Reach {
    fn new() -> Self {
        Self {
            position: 0,
            reached: 0,
            fetched: [None; FETCHED],
            first: 0,
            queued: 0,
            behind: Vec::new(),
        }
    }

    /// Sweeps over all cells of a block, touching no object that is not to be visited.
    fn sweep_block(&mut self, block: Block) {
        let cells = block.cells::<AtomicCount>();
        for index in 0..cells.len() {
            if let Some(ahead) = cells.get(index + LOOKED_AHEAD) {
                if get(ahead) > CANDIDATE {
                    fetch_entries(ahead);
                }
            }
            let Some(object) = cells.get(index) else { break };
            let entry = get(object);
            if entry != 0 && entry != CANDIDATE {
                if object.descriptor().is_acyclic() {
                    // It is no candidate, and its entry has served no purpose.
                    set(object, 0);
                } else {
                    self.sweep_object(object);
                }
            }
        }
    }

    #[inline(always)]
    fn sweep_object(&mut self, object: Counted) {
        if get(object) > CANDIDATE {
            self.position = object.address();
            self.take(object);
            self.visit(object);
            if self.queued == FETCHED {
                self.work(FETCHED / 2);
            }
        }
    }

    /// An object is found to be reachable.
    #[inline(always)]
    fn take(&mut self, object: Counted) {
        set(object, 0);
        self.reached += 1;
    }

    #[inline(always)]
    fn visit(&mut self, object: Counted) {
        each_child(object, |child| {
            let entry = get(child);
            if entry & CANDIDATE == 0 {
                return;
            }
            if child.address() > self.position {
                // INVARIANT 2: its turn will come.
                set(child, entry | 1);
            } else {
                self.take(child);
                self.enqueue(child);
            }
        });
    }

    #[inline(always)]
    fn enqueue(&mut self, object: Counted) {
        if self.queued == FETCHED {
            self.behind.push(object);
            return;
        }
        object.prefetch();
        self.fetched[(self.first + self.queued) % FETCHED] = Some(object);
        self.queued += 1;
    }

    /// Visits what was reached behind the sweep until at most `left` objects are left, which go on being fetched.
    #[inline(never)]
    fn work(&mut self, left: usize) {
        loop {
            while self.queued < FETCHED {
                let Some(object) = self.behind.pop() else { break };
                self.enqueue(object);
            }
            if self.queued <= left {
                return;
            }
            if self.queued > LOOKED_AHEAD {
                if let Some(ahead) = self.fetched[(self.first + LOOKED_AHEAD) % FETCHED] {
                    fetch_entries(ahead);
                }
            }
            let oldest = self.fetched[self.first].take();
            self.first = (self.first + 1) % FETCHED;
            self.queued -= 1;
            if let Some(object) = oldest {
                self.visit(object);
            }
        }
    }
}

/// Asks the processor to fetch the entries of all that `object` refers to.
#[inline(always)]
fn fetch_entries(object: Counted) {
    each_child(object, Object::prefetch_scratch);
}

#[inline(always)]
pub(super) fn each_child(object: Counted, mut visit: impl FnMut(Counted)) {
    // SAFETY: the world is stopped, and the object in the heap.
    for slot in unsafe { object.slots() } {
        // Relaxed: ordered by the safepoint handshake.
        if let Some(child) = object_at(slot.load(Relaxed)) {
            visit(child);
        }
    }
}

#[inline(always)]
pub(super) fn get(object: Counted) -> u32 {
    // Relaxed: ordered by the safepoint handshake.
    object.scratch().load(Relaxed)
}

#[inline(always)]
pub(super) fn set(object: Counted, entry: u32) {
    // Relaxed: ordered by the safepoint handshake.
    object.scratch().store(entry, Relaxed);
}
