//! Sweeping in a stopped world: block by block, shared by the threads that are stopped.
//!
//! Workers free into different blocks. What a block's change means for its owner's lists and for the space is settled
//! afterwards, by one thread.

use crate::{
    Amount,
    heap::{Header, Object, block::Block, share::Freeing, space::Space},
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

/// Frees the objects of `blocks` that `is_dead` says are; gives the amount freed. Each cell is asked about once, by one
/// worker, the free ones too.
///
/// # Safety
///
/// Nobody can reach what `is_dead` says is dead, or does so in `is_dead` only.
pub(crate) unsafe fn sweep_stopped<H: Header>(
    blocks: Vec<Block>,
    space: &Space,
    stopped: &Stopped<'_>,
    is_dead: &(impl Fn(Object<H>) -> bool + Sync),
) -> Amount {
    let sweep = Sweep { blocks, next: AtomicUsize::new(0), ended: Mutex::new(Vec::new()), is_dead };
    if stopped.helpers() == 0 {
        sweep.work();
    } else {
        stopped.share(&|_| sweep.work());
    }
    let ended = sweep.ended.into_inner().expect("nothing panics while it holds this lock");
    ended.into_iter().fold(Amount::default(), |mut freed, block| {
        freed += block.end(space);
        freed
    })
}

/// One sweep under way.
struct Sweep<'s, H, F> {
    blocks: Vec<Block>,
    /// The next block that nobody has taken.
    next: AtomicUsize,
    /// Blocks in which something was freed.
    ended: Mutex<Vec<Freeing<H>>>,
    is_dead: &'s F,
}

impl<H: Header, F: Fn(Object<H>) -> bool + Sync> Sweep<'_, H, F> {
    /// What one worker does: takes blocks until there are none.
    fn work(&self) {
        let mut swept = Vec::new();
        loop {
            // Relaxed: ordered by this variable's own order; the blocks are as the stop has left them.
            let first = self.next.fetch_add(STRIDE, Relaxed);
            let Some(rest) = self.blocks.get(first..) else { break };
            swept.extend(rest.iter().take(STRIDE).filter_map(|&block| self.sweep_block(block)));
        }
        let mut ended = self.ended.lock().expect("nothing panics while it holds this lock");
        ended.append(&mut swept);
    }

    /// Frees what is dead in `block`; `None` if there is nothing to free.
    fn sweep_block(&self, block: Block) -> Option<Freeing<H>> {
        let mut freeing = None;
        let cells = block.cells::<H>();
        // From the last cell to the first, so that the free list goes through memory in ascending order.
        for cell in (0..cells.len()).rev().filter_map(|index| cells.get(index)) {
            if (self.is_dead)(cell) && !cell.descriptor().is_free() {
                let freeing = freeing.get_or_insert_with(|| Freeing::of(block));
                // SAFETY: the world is stopped, one worker sweeps this block, and nobody reaches the object, by our caller.
                unsafe { freeing.free(cell) };
            }
        }
        freeing
    }
}
