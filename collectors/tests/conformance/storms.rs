//! Storms: threads with random programs of their own on one heap, which exchange objects.
//!
//! Each object knows its number twice over, so that one freed too early is noticed by whoever meets it. The seed is
//! printed; `CYCLOTRON_SEED` repeats it, though not the order in which threads run.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use collectors::{Class, Collector, Heap, Layout, Mutator, Options, Root, Shared};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::laws::{finalizes, heap_with, reclaims_acyclic, reclaims_everything, settle};

const SLOTS: usize = 3;
const VARIABLES: usize = 8;

/// Which references programs make.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edges {
    /// Any.
    All,
    /// From younger objects to older ones, so that there are no cycles.
    Backward,
}

/// What the threads of a storm share.
struct Storm<C: Collector> {
    class: Class<C>,
    finalized_class: Class<C>,
    next_number: AtomicU64,
    pool: Mutex<Vec<Option<Shared<C>>>>,
    edges: Edges,
}

/// Sets `threads` threads off, `steps` steps each, on a heap that is under stress or not, and looks at what remains.
fn rage<C: Collector>(threads: usize, steps: u32, edges: Edges, is_stressed: bool) {
    let seed = std::env::var("CYCLOTRON_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    eprintln!("CYCLOTRON_SEED={seed}");
    let stress = is_stressed.then_some(seed);
    let heap = heap_with::<C>(Options { stress, ..Options::default() });
    let layout = |name| Layout::new(name).slots(SLOTS as u32).words(3);
    let storm = Storm {
        class: heap.class(layout("Object")),
        finalized_class: heap.class(layout("Finalized").finalizer(|object| {
            require_sound(object);
            assert_eq!(object.word(2), 0, "an object was finalized twice");
            object.set_word(2, 1);
            (0..SLOTS).filter_map(|slot| object.get(slot)).for_each(|child| require_sound(&child));
        })),
        next_number: AtomicU64::new(1),
        pool: Mutex::new((0..4 * threads).map(|_| None).collect()),
        edges,
    };
    heap.threads(threads, |mutator, index| {
        storm.run(mutator, seed.wrapping_add(index as u64), steps);
    });
    heap.check();
    drop(storm);
    clear(&heap, edges);
}

/// Looks at what is left when all threads and shared handles are gone.
fn clear<C: Collector>(heap: &Heap<C>, edges: Edges) {
    let mutator = heap.attach();
    settle(&mutator);
    mutator.check();
    let statistics = heap.statistics();
    assert_eq!(statistics.finalizers_panicked, 0, "finalizers that found something broken");
    let frees_all =
        if edges == Edges::All { reclaims_everything::<C>() } else { reclaims_acyclic::<C>() };
    if frees_all {
        assert_eq!(statistics.held().objects, 0, "objects held when nothing is reachable");
        assert_eq!(statistics.held().bytes, 0);
    }
    if finalizes::<C>() {
        assert!(statistics.finalizers_run > 0);
    }
}

/// An object whose words do not agree is none, or another than it was.
fn require_sound<C: Collector>(object: &Root<'_, C>) {
    let (number, check) = (object.word(0), object.word(1));
    assert!(number != 0 && check == !number, "an object has the words {number:#x} and {check:#x}");
}

impl<C: Collector> Storm<C> {
    fn run(&self, mutator: &Mutator<C>, seed: u64, steps: u32) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut variables: Vec<Option<Root<'_, C>>> = (0..VARIABLES).map(|_| None).collect();
        for _ in 0..steps {
            self.step(mutator, &mut variables, &mut random);
        }
    }

    fn step<'m>(
        &self,
        mutator: &'m Mutator<C>,
        variables: &mut [Option<Root<'m, C>>],
        random: &mut ChaCha8Rng,
    ) {
        let to = random.random_range(0..VARIABLES);
        let slot = random.random_range(0..SLOTS);
        let value = variables[random.random_range(0..VARIABLES)].clone();
        let owner = variables[random.random_range(0..VARIABLES)].clone();
        match random.random_range(0..100) {
            0..25 => variables[to] = Some(self.alloc(mutator, random)),
            25..32 => variables[to] = None,
            32..60 => {
                let Some(owner) = owner else { return };
                if self.may_refer(&owner, value.as_ref()) {
                    owner.set(slot, value.as_ref());
                }
            }
            60..72 => {
                let Some(owner) = owner else { return };
                let found = owner.get(slot);
                found.iter().for_each(require_sound);
                variables[to] = found;
            }
            72..78 => {
                let Some(owner) = owner else { return };
                if self.may_refer(&owner, value.as_ref()) {
                    let before = owner.swap(slot, value.as_ref());
                    before.iter().for_each(require_sound);
                }
            }
            78..84 => {
                let Some(owner) = owner else { return };
                let current = owner.get(slot);
                if self.may_refer(&owner, value.as_ref()) {
                    owner.compare_exchange(slot, current.as_ref(), value.as_ref());
                }
            }
            84..90 => {
                let place = random.random_range(0..self.pool.lock().unwrap().len());
                let shared = value.map(|value| value.share());
                // Dropped after the lock is given back: the pool's lock is held across no safepoint.
                let before = std::mem::replace(&mut self.pool.lock().unwrap()[place], shared);
                drop(before);
            }
            90..98 => {
                let place = random.random_range(0..self.pool.lock().unwrap().len());
                let shared = self.pool.lock().unwrap()[place].clone();
                if let Some(shared) = shared {
                    let adopted = mutator.adopt(&shared);
                    require_sound(&adopted);
                    variables[to] = Some(adopted);
                }
            }
            98 => mutator.blocked(std::thread::yield_now),
            _ => {
                mutator.collect_generation(random.random_range(0..3));
            }
        }
    }

    fn alloc<'m>(&self, mutator: &'m Mutator<C>, random: &mut ChaCha8Rng) -> Root<'m, C> {
        let class =
            if random.random_range(0..10) == 0 { &self.finalized_class } else { &self.class };
        let extra = match random.random_range(0..200) {
            0 => 5_000,
            1 => 300,
            2..10 => 4,
            _ => 0,
        };
        let object = mutator.alloc_with(class, extra).expect("there is no limit");
        // The number comes after the allocation, which may let others run: younger objects have higher numbers.
        let number = self.next_number.fetch_add(1, Relaxed);
        object.set_word(0, number);
        object.set_word(1, !number);
        object
    }

    fn may_refer(&self, owner: &Root<'_, C>, value: Option<&Root<'_, C>>) -> bool {
        self.edges == Edges::All || value.is_none_or(|value| value.word(0) < owner.word(0))
    }
}

laws! {
    fn threads_that_exchange_objects_lose_none_and_leak_none<C>() {
        rage::<C>(4, 40_000, Edges::All, false);
    }

    fn threads_that_make_no_cycles_leak_nothing<C>() {
        rage::<C>(4, 40_000, Edges::Backward, false);
    }

    fn threads_under_stress_lose_none_and_leak_none<C>() {
        rage::<C>(3, 1_500, Edges::All, true);
    }

    fn threads_under_stress_that_make_no_cycles_leak_nothing<C>() {
        rage::<C>(3, 1_500, Edges::Backward, true);
    }

    fn many_more_threads_than_processors_lose_none_and_leak_none<C>() {
        rage::<C>(16, 5_000, Edges::All, false);
    }
}
