//! Sweeping: frees what is not marked, and clears the marks of the rest.

use super::{MARKED, Traced};
use crate::{
    Amount,
    heap::core::Core,
    marking::is_marked,
    sweeping::sweep_stopped,
    threads::{sync::atomic::Ordering::Relaxed, world::Stopped},
};

/// Frees whatever is not marked, and clears all marks; gives the amount freed.
pub(super) fn sweep(core: &Core<()>, stopped: &Stopped<'_>) -> Amount {
    let is_dead = |cell: Traced| {
        let is_marked = is_marked(cell, MARKED);
        if is_marked {
            // Relaxed: ordered by the end of the job: one worker sweeps the block.
            cell.scratch().store(0, Relaxed);
        }
        !is_marked
    };
    // SAFETY: what is reachable is marked (invariant 2).
    unsafe { sweep_stopped(core.space.blocks(), &core.space, stopped, &is_dead) }
}
