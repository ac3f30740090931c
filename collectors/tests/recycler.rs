//! What `recycler` promises beyond the laws: epochs until a cycle is freed, bounds of floating garbage and of buffers.

use std::sync::{Arc, Mutex};

use collectors::{
    Class, Event, Heap, Layout, Mutator, Observer, Options, Root,
    recycler::{Recycler, RecyclerSettings},
};

/// The default of `minimum-bytes`, which is the limit while less than that is alive.
const LIMIT: u64 = 4 << 20;

/// What a mutator uses before it tells the others.
const PORTION: u64 = 256 << 10;

/// An epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Epoch {
    traced: u64,
    freed: u64,
}

/// Notes what each epoch did.
#[derive(Default)]
struct Notes(Mutex<Vec<Epoch>>);

impl Observer for Notes {
    fn event(&self, _: usize, event: Event) {
        if let Event::Collection { survived: traced, freed, .. } = event {
            self.0.lock().unwrap().push(Epoch { traced, freed });
        }
    }
}

impl Notes {
    fn take(&self) -> Vec<Epoch> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn heap() -> (Heap<Recycler>, Class<Recycler>, Arc<Notes>) {
    heap_with(RecyclerSettings::default())
}

fn heap_with(settings: RecyclerSettings) -> (Heap<Recycler>, Class<Recycler>, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let observer = Some(Arc::clone(&notes) as Arc<dyn Observer>);
    let options = Options { observer, ..Options::default() };
    let heap = Heap::new(settings, options).unwrap();
    let class = heap.class(Layout::new("Node").slots(2));
    (heap, class, notes)
}

/// A ring of `size` nodes, each of which refers to the next by slot 0; the first one.
fn ring<'m>(
    mutator: &'m Mutator<Recycler>,
    class: &Class<Recycler>,
    size: usize,
) -> Root<'m, Recycler> {
    let first = mutator.alloc(class).unwrap();
    let mut last = first.clone();
    for _ in 1..size {
        let next = mutator.alloc(class).unwrap();
        last.set(0, Some(&next));
        last = next;
    }
    last.set(0, Some(&first));
    first
}

#[test]
fn cycles_that_hang_from_each_other_are_freed_in_three_epochs_however_many_there_are() {
    for cycles in [1, 2, 10, 1_000] {
        let (heap, class, notes) = heap();
        let mutator = heap.attach();
        let kept = ring(&mutator, &class, 5);
        mutator.collect();
        // Each refers to the one that was made, and so became a possible root, before it.
        let mut chain = ring(&mutator, &class, 3);
        for _ in 1..cycles {
            let before = ring(&mutator, &class, 3);
            before.set(1, Some(&chain));
            chain = before;
        }
        chain.set(1, Some(&kept));
        drop(chain);
        notes.take();
        assert_eq!(mutator.collect().freed, 3 * cycles);
        let epochs = notes.take();
        assert_eq!(epochs.len(), 3, "{cycles} cycles: {epochs:?}");
        assert_eq!(epochs[2].freed, 3 * cycles, "all in one epoch: {epochs:?}");
        assert_eq!(heap.statistics().held().objects, 5);
        mutator.check();
    }
}

#[test]
fn what_hangs_from_a_cycle_by_an_acyclic_object_takes_an_epoch_more() {
    let (heap, class, notes) = heap();
    let link = heap.class(Layout::new("Link").slots(1).acyclic());
    let mutator = heap.attach();
    let mut chain = ring(&mutator, &class, 2);
    for _ in 1..10 {
        let before = ring(&mutator, &class, 2);
        let between = mutator.alloc(&link).unwrap();
        between.set(0, Some(&chain));
        before.set(1, Some(&between));
        chain = before;
    }
    drop(chain);
    notes.take();
    assert_eq!(mutator.collect().freed, 29);
    let epochs = notes.take();
    assert!(epochs.len() <= 12, "{epochs:?}");
    assert_eq!(heap.statistics().held().objects, 0);
}

#[test]
fn a_root_that_stays_is_no_possible_root() {
    let (heap, class, notes) = heap();
    let mutator = heap.attach();
    let kept = ring(&mutator, &class, 10_000);
    mutator.collect();
    notes.take();
    for _ in 0..3 {
        mutator.collect();
    }
    let epochs = notes.take();
    assert!(epochs.iter().all(|epoch| epoch.traced == 0 && epoch.freed == 0), "{epochs:?}");
    drop(kept);
    assert_eq!(mutator.collect().freed, 10_000);
}

#[test]
fn what_dies_without_a_cycle_is_freed_without_a_search() {
    let minimum_bytes = 1 << 30;
    let (heap, class, notes) = heap_with(RecyclerSettings { minimum_bytes, ..Default::default() });
    let mutator = heap.attach();
    let kept = mutator.alloc(&class).unwrap();
    // What is written down in one epoch is dropped in the next, for which the program has to go on.
    while notes.0.lock().unwrap().iter().all(|epoch| epoch.freed == 0) {
        for _ in 0..5_000 {
            mutator.alloc(&class).unwrap().set(1, Some(&kept));
        }
        mutator.blocked(std::thread::yield_now);
    }
    assert!(notes.take().iter().all(|epoch| epoch.traced == 0));
}

#[test]
fn garbage_in_cycles_is_bounded_by_the_triggers_limit() {
    let (heap, class, _) = heap();
    let mutator = heap.attach();
    for _ in 0..500_000 {
        ring(&mutator, &class, 2);
    }
    let statistics = heap.statistics();
    // What was allocated before a search and is not known to be dead yet, and what has been allocated since.
    let most = 2 * LIMIT + 4 * PORTION;
    assert!(
        statistics.peak_held <= most,
        "{} bytes were held, of {} that died soon, against {most}",
        statistics.peak_held,
        statistics.allocated.bytes
    );
}

#[test]
fn a_program_that_only_stores_brings_about_epochs() {
    const STORES: u64 = 2_000_000;
    let (heap, class, notes) = heap();
    let mutator = heap.attach();
    let (owner, one, other) =
        (ring(&mutator, &class, 1), ring(&mutator, &class, 1), ring(&mutator, &class, 1));
    for store in 0..STORES {
        owner.set(1, Some(if store % 2 == 0 { &one } else { &other }));
        if store % 128 == 0 {
            mutator.safepoint();
        }
    }
    // Two entries of eight bytes for each; no more than the limit and a portion lie in buffers of one epoch.
    let epochs = notes.take().len() as u64;
    assert!(epochs >= STORES * 16 / (LIMIT + PORTION), "{epochs} epochs");
    mutator.check();
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |settings| {
        Heap::<Recycler>::new(settings, Options::default()).map(drop).unwrap_err().to_string()
    };
    let error = refused(RecyclerSettings { growth: 0.0, ..RecyclerSettings::default() });
    assert_eq!(error, "setting `growth` of `recycler` is 0, expected a number from 0.1 to 16");
    let error = refused(RecyclerSettings { minimum_bytes: 0, ..RecyclerSettings::default() });
    assert_eq!(error, "setting `minimum-bytes` of `recycler` is 0, expected at least 1");
}
