//! Sweeping: frees what is not marked, block by block in address order, shared by the threads that are stopped.
//!
//! Workers free into different blocks. What a block's change means for its owner's lists and for the space is settled
//! afterwards, by one thread.

use super::{MARKED, Traced};
use crate::{
    Amount,
    heap::{block::Block, core::Core, share::Freeing},
    marking::is_marked,
    threads::{
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering::Relaxed},
            capacity,
        },
        world::Stopped,
    },
};

/// Blocks that a worker takes at a time: a mebibyte.
const STRIDE: usize = capacity(16, 1);

/// Frees whatever is not marked, and clears all marks; gives the amount freed.
pub(super) fn sweep(core: &Core<()>, stopped: &Stopped<'_>) -> Amount {
    let sweep = Sweep {
        blocks: core.space.blocks(),
        next: AtomicUsize::new(0),
        ended: Mutex::new(Vec::new()),
    };
    if stopped.helpers() == 0 {
        sweep.work();
    } else {
        stopped.share(&|_| sweep.work());
    }
    let ended = sweep.ended.into_inner().expect("nothing panics while it holds this lock");
    ended.into_iter().fold(Amount::default(), |mut freed, block| {
        freed += block.end(&core.space);
        freed
    })
}

/// One sweep under way.
struct Sweep {
    blocks: Vec<Block>,
    /// The next block that nobody has taken.
    next: AtomicUsize,
    /// Blocks in which something was freed.
    ended: Mutex<Vec<Freeing<()>>>,
}

impl Sweep {
    /// What one worker does: takes blocks until there are none.
    fn work(&self) {
        let mut swept = Vec::new();
        loop {
            // Relaxed: ordered by this variable's own order; the blocks are as the end of marking left them.
            let first = self.next.fetch_add(STRIDE, Relaxed);
            let Some(rest) = self.blocks.get(first..) else { break };
            swept.extend(rest.iter().take(STRIDE).filter_map(|&block| sweep_block(block)));
        }
        let mut ended = self.ended.lock().expect("nothing panics while it holds this lock");
        ended.append(&mut swept);
    }
}

/// Frees what is not marked in `block`, and clears its marks; `None` if there is nothing to free.
fn sweep_block(block: Block) -> Option<Freeing<()>> {
    let mut freeing = None;
    // From the last cell to the first, so that the free list goes through memory in ascending order.
    for index in (0..block.carved.get()).rev() {
        // SAFETY: the address of a cell of this block that has been carved.
        let cell = unsafe { Traced::at(block.object_address(index)) };
        if is_marked(cell, MARKED) {
            // Relaxed: ordered by the end of the job: one worker sweeps the block.
            cell.scratch().store(0, Relaxed);
        } else if !cell.descriptor().is_free() {
            let freeing = freeing.get_or_insert_with(|| Freeing::of(block));
            // SAFETY: the world is stopped, one worker sweeps this block, and nothing reaches the object.
            unsafe { freeing.free(cell) };
        }
    }
    freeing
}
