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
        let space = Space::new(u64::MAX, 0, SideTables::None);
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

    /// The owner allocates until its blocks are used up once; gives the addresses.
    fn exhaust(&self) -> Vec<usize> {
        let blocks = self.space.in_use();
        let mut cells = Vec::new();
        while self.space.in_use() == blocks || cells.is_empty() {
            cells.push(self.allocate());
        }
        cells
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
        scope(|scope| {
            scope.spawn(|| place.free(1, cell));
            place.shares[0].drain_remote(&place.space);
            assert_distinct(vec![place.allocate(), place.allocate()]);
        });
        place.shares[0].drain_remote(&place.space);
        assert_distinct((0..3).map(|_| place.allocate()).collect());
    });
}

#[test]
fn what_two_threads_free_comes_back_once_each() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let cells = [place.allocate(), place.allocate()];
        scope(|scope| {
            for (index, cell) in cells.into_iter().enumerate() {
                let place = &place;
                scope.spawn(move || place.free(1 + index, cell));
            }
            place.shares[0].drain_remote(&place.space);
        });
        place.shares[0].drain_remote(&place.space);
        let owner = &place.shares[0];
        assert_eq!(owner.tally.sum_allocated().objects, 2);
        assert_distinct((0..4).map(|_| place.allocate()).collect());
    });
}

#[test]
fn a_thread_frees_into_a_block_that_its_owner_has_left_full() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let mut cells = Vec::new();
        cells.push(place.allocate());
        cells.extend(place.exhaust());
        // The last one lies in the next block; the first block is full.
        let freed = cells.swap_remove(0);
        scope(|scope| {
            scope.spawn(|| place.free(1, freed));
            place.free(0, cells.swap_remove(0));
            cells.push(place.allocate());
            place.shares[0].drain_remote(&place.space);
        });
        place.shares[0].drain_remote(&place.space);
        cells.push(place.allocate());
        assert_distinct(cells);
    });
}
