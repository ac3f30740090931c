//! Reaching: the visit of all that is reachable from what is held from outside.
//!
//! A part of the heap is swept over in address order. What an object reaches ahead of the sweep is left to the sweep;
//! what it reaches behind goes through a short queue in front of a stack, in which it is fetched; what lies in another
//! part is sent there.

use super::detect::{CANDIDATE, each_child, get, set};
use crate::{
    counts::Count,
    heap::{Object, block::Block, layout::BLOCK_BYTES},
};

/// How many objects are being fetched while others are visited. (A queue in front of the mark stack, as in C.-Y. Cher,
/// A. L. Hosking, T. N. Vijaykumar, *Software prefetching for mark-sweep garbage collection*, ASPLOS 2004.)
const FETCHED: usize = 16;

/// How many visits before an object's own the entries of what it refers to are asked for.
const LOOKED_AHEAD: usize = 6;

/// Where objects belong when several threads detect.
pub(crate) trait Route<K: Count> {
    /// Whether `object` lies in the part that we have.
    fn is_ours(&self, object: Object<K>) -> bool;

    /// Sends `object` to whoever has its part.
    fn send(&mut self, object: Object<K>);
}

/// One thread has it all.
pub(crate) struct Alone;

impl<K: Count> Route<K> for Alone {
    #[inline(always)]
    fn is_ours(&self, _: Object<K>) -> bool {
        true
    }

    fn send(&mut self, _: Object<K>) {
        unreachable!("everything is ours");
    }
}

/// The visit of what is reachable in one part of the heap: a sweep in address order, and a queue of what was reached behind it.
pub(crate) struct Reach<K: Count> {
    /// How far the sweep has come.
    position: usize,
    pub(crate) reached: u64,
    /// Reached objects behind the sweep that are being fetched, oldest first, from `first` on.
    fetched: [Option<Object<K>>; FETCHED],
    first: usize,
    queued: usize,
    /// Reached objects behind the sweep that do not fit the queue.
    behind: Vec<Object<K>>,
}

impl<K: Count> Reach<K> {
    pub(crate) fn new() -> Self {
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
    pub(crate) fn sweep_block(&mut self, block: Block, route: &mut impl Route<K>) {
        let cells = block.cells::<K>();
        for index in 0..cells.len() {
            if let Some(ahead) = cells.get(index + LOOKED_AHEAD)
                && get(ahead) > CANDIDATE
            {
                fetch_entries(ahead);
            }
            let Some(object) = cells.get(index) else { break };
            let entry = get(object);
            if entry != 0 && entry != CANDIDATE {
                if object.descriptor().is_acyclic() {
                    // It is no candidate, and its entry has served no purpose.
                    set(object, 0);
                } else {
                    self.sweep_object(object, route);
                }
            }
        }
        // What lies in this block is behind the sweep now, visited or not.
        self.position = block.start() + BLOCK_BYTES - 1;
    }

    #[inline(always)]
    pub(crate) fn sweep_object(&mut self, object: Object<K>, route: &mut impl Route<K>) {
        if get(object) > CANDIDATE {
            self.position = object.address();
            self.take(object);
            self.visit(object, route);
            if self.queued == FETCHED {
                self.work(FETCHED / 2, route);
            }
        }
    }

    /// The sweep has come to the end of its part, and nothing is ahead of it any more; visits what is left behind.
    pub(crate) fn end(&mut self, route: &mut impl Route<K>) {
        self.position = usize::MAX;
        self.work(0, route);
    }

    /// An object is found to be reachable.
    #[inline(always)]
    fn take(&mut self, object: Object<K>) {
        set(object, 0);
        self.reached += 1;
    }

    #[inline(always)]
    fn visit(&mut self, object: Object<K>, route: &mut impl Route<K>) {
        each_child(object, |child| {
            if route.is_ours(child) {
                self.reach(child);
            } else if get(child) == CANDIDATE {
                // An entry never becomes this again: one that is more is going to be visited, or has been.
                route.send(child);
            }
        });
    }

    /// A reachable object refers to `child`, which is in our part.
    #[inline(always)]
    pub(crate) fn reach(&mut self, child: Object<K>) {
        let entry = get(child);
        if entry & CANDIDATE == 0 {
            return;
        }
        if child.address() > self.position {
            // INVARIANT 2 of `detect`: its turn will come.
            set(child, entry | 1);
        } else {
            self.take(child);
            self.enqueue(child);
        }
    }

    #[inline(always)]
    fn enqueue(&mut self, object: Object<K>) {
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
    pub(crate) fn work(&mut self, left: usize, route: &mut impl Route<K>) {
        loop {
            while self.queued < FETCHED {
                let Some(object) = self.behind.pop() else { break };
                self.enqueue(object);
            }
            if self.queued <= left {
                return;
            }
            if self.queued > LOOKED_AHEAD
                && let Some(ahead) = self.fetched[(self.first + LOOKED_AHEAD) % FETCHED]
            {
                fetch_entries(ahead);
            }
            let oldest = self.fetched[self.first].take();
            self.first = (self.first + 1) % FETCHED;
            self.queued -= 1;
            if let Some(object) = oldest {
                self.visit(object, route);
            }
        }
    }
}

/// Asks the processor to fetch the entries of all that `object` refers to.
#[inline(always)]
fn fetch_entries<K: Count>(object: Object<K>) {
    each_child(object, Object::prefetch_scratch);
}
