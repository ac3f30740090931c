//! The sweep: frees what has the old colour, beside running mutators.
//!
//! It walks the scratch tables of blocks of cells, in which an entry that is not 0 is the colour of the object that begins
//! there, and so needs nothing of a block that its owner might be changing; then the large objects, which nobody else
//! unmaps unless they have been freed already and wait for an audit.

use super::{COLOURS, Traced};
use crate::{
    Amount,
    heap::Seat,
    marking::is_marked,
    threads::sync::{atomic::Ordering::Relaxed, capacity},
};

/// Blocks swept between two safepoints.
const STRIDE: usize = capacity(4, 1);

/// Frees whatever has another colour than `colour`; gives how much that was.
pub(super) fn sweep(seat: &Seat<()>, colour: u32) -> Amount {
    let [first, second] = COLOURS;
    let old = if colour == first { second } else { first };
    let space = &seat.core.space;
    let mut freed = Amount::default();
    for blocks in space.blocks_of_cells().chunks(STRIDE) {
        seat.answer();
        for block in blocks {
            for (granule, entry) in block.scratch().iter().enumerate() {
                // Relaxed: ordered by the handshake with which the cycle began: whatever has the old colour was made before
                // its maker took part in it, and what a marker has coloured it did before marking ended.
                if entry.load(Relaxed) == old {
                    // SAFETY: an entry that is not 0 is an object's, and only we free objects.
                    freed += free(seat, unsafe { block.object_in(granule) });
                }
            }
        }
    }
    seat.answer();
    for object in space.large_objects() {
        if is_marked(object, old) {
            freed += free(seat, object);
        }
    }
    freed
}

/// Frees an object that was not reached, and says how much that was.
fn free(seat: &Seat<()>, object: Traced) -> Amount {
    let freed = Amount { objects: 1, bytes: object.bytes() as u64 };
    // Relaxed: ours alone to write; published with the cell, by the list that it is put on.
    object.scratch().store(0, Relaxed);
    // SAFETY: it was not reached, so nobody can reach it (invariant 2).
    unsafe { seat.free(object) };
    freed
}
