//! The trace: finds what has references although nothing reaches it.

use super::{
    Counted,
    epoch::{Work, must_be_finalized},
};
use crate::{
    heap::block::Block,
    marking::{is_marked, mark_stopped, object_at},
    sweeping::sweep_stopped,
    threads::{
        sync::{Mutex, atomic::Ordering::Relaxed},
        world::Stopped,
    },
};

impl Work<'_> {
    /// Marks what the roots reach, and frees the rest, whose references to what is marked are dropped. At the end of an epoch
    /// that has left no decrements. Gives how many objects are left.
    pub(super) fn trace(&mut self, stopped: &Stopped<'_>) -> u64 {
        let core = &*self.seat.core;
        // No object has the mark of a trace to come: marks need not be cleared.
        self.state.traces += 1;
        let colour = self.state.traces;
        let roots = self.state.roots.len() - self.finalizing.len();
        mark_stopped(self.state.roots[..roots].to_vec(), colour, stopped);
        let blocks = core.space.blocks();
        if core.has_finalizers() {
            // What died in this epoch does not keep what it refers to from being finalized: a chain is done at once.
            let objects = blocks.iter().copied().flat_map(Block::objects);
            let is_dying =
                |object: &Counted| !is_marked(*object, colour) && must_be_finalized(*object);
            let dying: Vec<Counted> = objects.filter(is_dying).collect();
            dying.iter().for_each(|&object| self.finalize(object));
            mark_stopped(self.finalizing.clone(), colour, stopped);
        }
        let dropped = Mutex::new(Vec::<Counted>::new());
        let is_dead = |cell: Counted| {
            if is_marked(cell, colour) || cell.descriptor().is_free() {
                return false;
            }
            // SAFETY: the object is in the heap until we have answered.
            for slot in unsafe { cell.slots() } {
                // Relaxed: ordered by the safepoint handshake.
                let child = object_at(slot.load(Relaxed) & !super::UNLOGGED);
                if let Some(child) = child.filter(|&child| is_marked(child, colour)) {
                    let mut dropped =
                        dropped.lock().expect("nothing panics while it holds this lock");
                    dropped.push(child);
                }
            }
            true
        };
        // SAFETY: what is reachable is marked.
        let freed = unsafe { sweep_stopped(blocks, &core.space, stopped, &is_dead) };
        self.seat.share.tally.freed_many(freed);
        self.count_freed(freed);
        let dropped = dropped.into_inner().expect("nothing panics while it holds this lock");
        for object in dropped {
            let is_last = object.header().decrement();
            debug_assert!(!is_last, "{object:?} is reachable and has no reference");
        }
        core.statistics().held().objects
    }
}
