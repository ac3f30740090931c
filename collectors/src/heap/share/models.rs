//! Models of remote frees: a cell that another thread frees comes back to its owner once, whole.

use super::Share;
use crate::{
    counts::atomic::AtomicCount,
    heap::{
        class::Kind,
        object::{Object, Shape},
        space::{SideTables, Space},
    },
    threads::sync::{Arc, atomic::Ordering::Relaxed, explore, scope},
};

const PROTOCOL: &str = "remote free";

/// Words that make a cell so large that a model's block has few of them.
const WORDS: u32 = 16;

/// The shares of three threads, the first of which owns all blocks.
struct Place {
    space: Space,
    shares: [Arc<Share<AtomicCount>>; 3],
    kind: Kind,
}

impl Place {
    fn new() -> Self {
        let space = Space::new(u64::MAX, 0, SideTables::None, None);
        let shares = [0; 3].map(|_| Arc::new(Share::new()));
        let shape = Shape { slots: 1, words: WORDS };
        Self { space, shares, kind: Kind::new::<AtomicCount>(1, shape, false, false) }
    }

    /// The owner allocates: the address of an object with null slots and zero words.
    fn allocate(&self) -> usize {
        let object = self.shares[0].allocate(&self.space, &self.kind, || ()).unwrap();
        // SAFETY: the object has a slot and words, and is ours.
        assert_eq!(unsafe { object.slot(0) }.load(Relaxed), 0, "a new slot is null");
        // SAFETY: as above.
        assert_eq!(unsafe { object.word(0) }.load(Relaxed), 0, "a new word is zero");
        object.address()
    }

    /// A thread uses an object for the last time, and frees it.
    fn free(&self, thread: usize, address: usize) {
        // SAFETY: the address of an object that the thread alone can reach.
        let object = unsafe { Object::<AtomicCount>::at(address) };
        // SAFETY: the object has words, and is the thread's.
        unsafe { object.word(0) }.store(7, Relaxed);
        // SAFETY: nobody else can reach it.
        unsafe { self.shares[thread].free(&self.space, object) };
    }

    /// The owner allocates until it has to take another block; gives the addresses.
    fn exhaust(&self) -> Vec<usize> {
        let blocks = self.space.in_use();
        let mut cells = vec![self.allocate()];
        while self.space.in_use() == blocks {
            cells.push(self.allocate());
        }
        cells
    }

    /// Everything has been freed but `live` objects: all other cells of the only block are there to be used again, once.
    fn assert_whole(&self, live: &[usize]) {
        self.shares[0].drain_remote(&self.space, usize::MAX);
        // SAFETY: the address of an object of the heap.
        let block = unsafe { Object::<AtomicCount>::at(live[0]) }.block();
        let all = block.cells.get() as usize;
        let mut cells = self.exhaust();
        // The last one lies in the next block.
        cells.pop();
        assert_eq!(live.len() + cells.len(), all, "a cell was lost");
        cells.extend(live);
        assert_distinct(cells);
    }
}

fn assert_distinct(mut cells: Vec<usize>) {
    let all = cells.len();
    cells.sort_unstable();
    cells.dedup();
    assert_eq!(cells.len(), all, "a cell was handed out twice");
}

#[test]
fn a_cell_that_another_thread_frees_comes_back_whole() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let cell = place.allocate();
        let live = scope(|scope| {
            scope.spawn(|| place.free(1, cell));
            place.shares[0].drain_remote(&place.space, usize::MAX);
            [place.allocate(), place.allocate()]
        });
        place.assert_whole(&live);
    });
}

#[test]
fn what_two_threads_free_comes_back_once_each() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let cells = [place.allocate(), place.allocate()];
        let live = scope(|scope| {
            for (index, cell) in cells.into_iter().enumerate() {
                let place = &place;
                scope.spawn(move || place.free(1 + index, cell));
            }
            place.shares[0].drain_remote(&place.space, usize::MAX);
            [place.allocate()]
        });
        place.assert_whole(&live);
    });
}

#[test]
fn a_thread_frees_into_a_block_that_its_owner_has_left_full() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let mut full = vec![place.allocate()];
        full.extend(place.exhaust());
        let elsewhere = full.pop().expect("the last one lies in the next block");
        let (cell, mine) = (full.swap_remove(0), full.swap_remove(0));
        scope(|scope| {
            scope.spawn(|| place.free(1, cell));
            place.free(0, mine);
            place.shares[0].drain_remote(&place.space, usize::MAX);
        });
        place.shares[0].drain_remote(&place.space, usize::MAX);
        place.free(0, elsewhere);
        // The block with two free cells is used before another one is taken.
        full.extend([place.allocate(), place.allocate()]);
        full.extend(place.exhaust());
        assert_distinct(full);
    });
}
