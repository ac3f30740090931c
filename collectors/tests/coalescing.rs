//! What `coalescing` promises beyond what every collector does: what is logged, what is put off, and how long.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use collectors::{
    Cause, Class, Event, Heap, Layout, Mutator, Observer, Options, Root,
    coalescing::{Coalescing, CoalescingSettings},
};

/// Bytes of a node: descriptor and count, one slot, two words.
const NODE_BYTES: u64 = 32;

/// Writes everything down.
#[derive(Default)]
struct Record(Mutex<Vec<Event>>);

impl Observer for Record {
    fn event(&self, _: usize, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Record {
    /// How many slots have been overwritten, and how many logged, since the last call.
    fn barriers(&self) -> (u64, u64) {
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        events.iter().fold((0, 0), |(all, taken), event| match event {
            Event::Barrier { stores, logged } => (all + stores, taken + logged),
            _ => (all, taken),
        })
    }

    /// How many objects or decrements each collection's pause has handled since the last call, and how many epochs ended.
    fn pauses(&self) -> (Vec<u64>, usize) {
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        let is_end = |event: &&Event| matches!(event, Event::Collection { .. });
        let ends = events.iter().filter(is_end).count();
        let pauses = events.iter().filter_map(|event| match event {
            Event::PauseEnded { cause: Cause::Collection, objects, .. } => Some(*objects),
            _ => None,
        });
        (pauses.collect(), ends)
    }
}

/// A heap and the class of its nodes.
struct Place {
    heap: Heap<Coalescing>,
    node: Class<Coalescing>,
    record: Arc<Record>,
}

impl Place {
    fn new(settings: CoalescingSettings) -> Self {
        let record = Arc::new(Record::default());
        let observer: Arc<dyn Observer> = Arc::clone(&record) as _;
        let options = Options { observer: Some(observer), ..Options::default() };
        let heap = Heap::new(settings, options).unwrap();
        let node = heap.class(Layout::new("Node").slots(1).words(2));
        Self { heap, node, record }
    }

    fn alloc<'m>(&self, mutator: &'m Mutator<Coalescing>) -> Root<'m, Coalescing> {
        mutator.alloc(&self.node).unwrap()
    }

    /// A list of so many nodes.
    fn list<'m>(&self, mutator: &'m Mutator<Coalescing>, length: u64) -> Root<'m, Coalescing> {
        let mut list = self.alloc(mutator);
        for _ in 1..length {
            let next = self.alloc(mutator);
            next.set(0, Some(&list));
            list = next;
        }
        list
    }

    fn held(&self) -> u64 {
        self.heap.statistics().held().objects
    }
}

#[test]
fn a_slot_is_logged_once_an_epoch_however_often_it_is_overwritten() {
    let place = Place::new(CoalescingSettings::default());
    let mutator = place.heap.attach();
    let nodes: Vec<_> = (0..100).map(|_| place.alloc(&mutator)).collect();
    mutator.collect();
    assert_eq!(place.record.barriers(), (0, 0));
    for epoch in 0..3 {
        for round in 0..50 {
            for (index, node) in nodes.iter().enumerate() {
                match round % 3 {
                    0 => node.set(0, Some(&nodes[(index + epoch) % 100])),
                    1 => drop(node.swap(0, None)),
                    _ => assert!(node.compare_exchange(0, None, Some(&nodes[0]))),
                }
            }
        }
        mutator.check();
        mutator.collect_generation(0);
        mutator.check();
        assert_eq!(place.record.barriers(), (5_000, 100));
    }
}

#[test]
fn slots_of_new_objects_are_not_logged() {
    let place = Place::new(CoalescingSettings::default());
    let mutator = place.heap.attach();
    let list = place.list(&mutator, 1_000);
    mutator.collect();
    assert_eq!(place.record.barriers(), (999, 0));
    drop(list);
    mutator.collect();
    assert_eq!(place.held(), 0);
}

#[test]
fn what_a_mutator_leaves_behind_is_counted() {
    let place = Place::new(CoalescingSettings::default());
    let mutator = place.heap.attach();
    let owner = place.alloc(&mutator);
    owner.set(0, Some(&place.alloc(&mutator)));
    mutator.collect();
    let shared = owner.share();
    mutator.threads(1, |mutator, _| {
        let owner = mutator.adopt(&shared);
        owner.set(0, Some(&place.alloc(mutator)));
    });
    mutator.check();
    assert_eq!(mutator.collect_generation(0).freed, 1, "what the slot held before");
    assert_eq!(place.held(), 2);
    assert!(owner.get(0).is_some());
    mutator.check();
}

#[test]
fn a_long_list_dies_in_slices_and_within_the_stated_bytes() {
    const LENGTH: u64 = 200_000;
    let settings = CoalescingSettings {
        epoch_bytes: 1 << 20,
        slice: 512,
        minimum_bytes: 1 << 40,
        ..CoalescingSettings::default()
    };
    let place = Place::new(settings);
    let mutator = place.heap.attach();
    let list = place.list(&mutator, LENGTH);
    mutator.collect();
    place.record.pauses();
    drop(list);
    // Two epochs, until the root counts no more, and four bytes for each decrement.
    let bytes = 2 * settings.epoch_bytes + 4 * LENGTH;
    for _ in 0..bytes / NODE_BYTES {
        drop(place.alloc(&mutator));
    }
    let young = settings.epoch_bytes / NODE_BYTES + 1;
    assert!(place.held() <= young, "{} objects are held", place.held());
    let (pauses, ends) = place.record.pauses();
    // The end of an epoch handles what is young, a slice what it says, and the one slot of the last object.
    assert!(pauses.iter().all(|&objects| objects <= young + 1), "{pauses:?}");
    let long = pauses.iter().filter(|&&objects| objects > settings.slice + 1).count();
    assert!(
        long <= ends && pauses.len() as u64 > LENGTH / settings.slice,
        "{long} of {} pauses",
        pauses.len()
    );
    mutator.check();
}

#[test]
fn cycles_are_freed_when_the_heap_has_grown() {
    const RECENT: usize = 10_000;
    let settings =
        CoalescingSettings { epoch_bytes: RECENT as u64 * NODE_BYTES, ..Default::default() };
    let place = Place::new(settings);
    let mutator = place.heap.attach();
    // Each lives so long that the end of an epoch finds it.
    let mut recent = VecDeque::new();
    for _ in 0..1_000_000 {
        let node = place.alloc(&mutator);
        node.set(0, Some(&node));
        recent.push_back(node);
        if recent.len() > RECENT {
            recent.pop_front();
        }
    }
    let peak = place.heap.statistics().peak_held;
    assert!(peak < 3 * settings.minimum_bytes, "{peak} bytes were held");
    mutator.check();
}

#[test]
fn settings_out_of_range_are_refused() {
    let default = CoalescingSettings::default();
    for (settings, message) in [
        (
            CoalescingSettings { epoch_bytes: 0, ..default },
            "setting `epoch-bytes` of `coalescing` is 0, expected at least 1",
        ),
        (
            CoalescingSettings { slice: 0, ..default },
            "setting `slice` of `coalescing` is 0, expected at least 1",
        ),
        (
            CoalescingSettings { growth: 0.0, ..default },
            "setting `growth` of `coalescing` is 0, expected a number from 0.1 to 16",
        ),
    ] {
        let refused = Heap::<Coalescing>::new(settings, Options::default()).unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
}
