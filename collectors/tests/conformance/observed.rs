//! What an observer is told is true, and in order.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use collectors::{Cause, Collector, Event, Heap, Layout, Observer, Options};

use crate::laws::{finalizes, heap_with, reclaims_acyclic, reclaims_everything, settle};

/// Writes everything down.
#[derive(Default)]
struct Record(Mutex<Vec<(usize, Event)>>);

impl Observer for Record {
    fn event(&self, mutator: usize, event: Event) {
        self.0.lock().unwrap().push((mutator, event));
    }
}

impl Record {
    fn take(&self) -> Vec<(usize, Event)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn observed_heap<C: Collector>(stress: Option<u64>) -> (Heap<C>, Arc<Record>) {
    let record = Arc::new(Record::default());
    let observer: Arc<dyn Observer> = Arc::clone(&record) as _;
    (heap_with(Options { observer: Some(observer), stress, ..Options::default() }), record)
}

/// Tests that each mutator's pauses begin and end in turn, and gives how many there were of each kind.
fn count_pauses(events: &[(usize, Event)]) -> HashMap<Cause, u64> {
    let mut open = HashMap::new();
    let mut counts = HashMap::new();
    for (mutator, event) in events {
        match *event {
            Event::PauseBegan { cause } => {
                let before = open.insert(*mutator, cause);
                assert_eq!(before, None, "a pause of mutator {mutator} began in another");
            }
            Event::PauseEnded { cause, objects, estimated } => {
                assert_eq!(open.remove(mutator), Some(cause), "the pause that ends has begun");
                assert!(estimated <= objects, "{estimated} of {objects} objects are an estimate");
                *counts.entry(cause).or_default() += 1;
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "pauses that have not ended: {open:?}");
    counts
}

laws! {
    fn collections_report_what_they_freed<C>() {
        let (heap, record) = observed_heap::<C>(None);
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let mutator = heap.attach();
        let kept = mutator.alloc(&class).unwrap();
        for _ in 0..100_000 {
            let node = mutator.alloc(&class).unwrap();
            node.set(0, Some(&node));
        }
        settle(&mutator);
        let statistics = heap.statistics();
        drop(kept);
        drop(mutator);
        let events = record.take();
        let pauses = count_pauses(&events);
        let (mut collections, mut freed, mut freed_bytes) = (0, 0, 0);
        for (_, event) in &events {
            if let Event::Collection { generation, examined, freed: objects, freed_bytes: bytes, survived } = event {
                assert!(usize::from(*generation) < C::CAPABILITIES.generations);
                assert_eq!(examined, &(objects + survived));
                collections += 1;
                freed += objects;
                freed_bytes += bytes;
            }
        }
        if reclaims_everything::<C>() {
            assert_eq!(freed, statistics.freed.objects);
            assert_eq!(freed_bytes, statistics.freed.bytes);
            let is_beside = events.iter().any(|(_, event)| *event == Event::CollectorThread);
            if is_beside {
                assert!(pauses[&Cause::Stall] > 0, "who asks for a collection waits for it");
            } else {
                assert!(pauses[&Cause::Collection] >= collections, "each collection is a pause");
            }
        } else {
            assert_eq!(collections, 0);
        }
    }

    fn samples_of_the_heap_are_of_what_is_held<C>() {
        let (heap, record) = observed_heap::<C>(None);
        let class = heap.class(Layout::new("Node").slots(1).words(1));
        let mutator = heap.attach();
        let kept: Vec<_> = (0..50_000).map(|_| mutator.alloc(&class).unwrap()).collect();
        let statistics = heap.statistics();
        let mut samples = 0;
        let mut last = 0;
        for (_, event) in record.take() {
            if let Event::Heap { held_bytes, allocated_bytes, blocks_bytes, .. } = event {
                assert!(held_bytes <= allocated_bytes && held_bytes <= blocks_bytes);
                assert!(last <= allocated_bytes && allocated_bytes <= statistics.allocated.bytes);
                last = allocated_bytes;
                samples += 1;
            }
        }
        assert!(samples > 10, "{samples} samples while {} objects were made", kept.len());
    }

    fn a_long_cascade_is_a_pause_and_a_short_one_is_counted<C>() {
        if !reclaims_acyclic::<C>() {
            return;
        }
        let (heap, record) = observed_heap::<C>(None);
        let class = heap.class(Layout::new("Node").slots(1).words(1).acyclic());
        let mutator = heap.attach();
        let list = |length| {
            let mut list = mutator.alloc(&class).unwrap();
            for _ in 1..length {
                let next = mutator.alloc(&class).unwrap();
                next.set(0, Some(&list));
                list = next;
            }
            list
        };
        drop(list(10));
        drop(list(1_000));
        drop(mutator);
        let events = record.take();
        let pauses = count_pauses(&events);
        let is_cascade = |event: &Event| matches!(event, Event::PauseEnded { cause: Cause::Cascade, objects: 1_000, estimated: 64 });
        if pauses.contains_key(&Cause::Cascade) {
            assert_eq!(events.iter().filter(|(_, event)| is_cascade(event)).count(), 1);
            let short = Event::Unclocked { cause: Cause::Cascade, count: 1 };
            assert!(events.iter().any(|(_, event)| *event == short), "{events:?}");
        } else {
            assert_eq!(heap.statistics().freed.objects, 0, "objects died without a pause");
        }
    }

    fn pauses_of_a_mutator_do_not_nest<C>() {
        let (heap, record) = observed_heap::<C>(Some(11));
        let class = heap.class(Layout::new("Node").slots(2).words(1).finalizer(|node| {
            drop(node.mutator().alloc_with(&node.mutator().heap().class(Layout::new("List")), 3));
        }));
        heap.threads(4, |mutator, _| {
            for _ in 0..30 {
                let mut list = mutator.alloc(&class).unwrap();
                for _ in 0..3 {
                    let next = mutator.alloc(&class).unwrap();
                    next.set(0, Some(&list));
                    list.set(1, Some(&next));
                    list = next;
                }
                mutator.blocked(std::thread::yield_now);
            }
            mutator.collect();
        });
        heap.check();
        count_pauses(&record.take());
    }

    fn a_finalizer_that_panics_is_reported_and_breaks_nothing<C>() {
        let (heap, record) = observed_heap::<C>(None);
        let layout = Layout::new("Rude").slots(1).words(1);
        let class = heap.class(layout.finalizer(|object| {
            assert!(object.word(0) % 2 == 0, "number {} will not go", object.word(0));
        }));
        let mutator = heap.attach();
        let kept = mutator.alloc(&class).unwrap();
        for number in 0..10 {
            let object = mutator.alloc(&class).unwrap();
            object.set_word(0, number);
            if number % 3 == 0 {
                object.set(0, Some(&kept));
            }
        }
        settle(&mutator);
        mutator.check();
        if !finalizes::<C>() {
            return;
        }
        let mut messages: Vec<_> = record.take().into_iter().filter_map(|(_, event)| match event {
            Event::FinalizerPanicked { class, message } => Some((class, message)),
            _ => None,
        }).collect();
        messages.sort();
        let expected = [1, 3, 5, 7, 9].map(|n| ("Rude".to_owned(), format!("number {n} will not go")));
        assert_eq!(messages, expected);
        assert_eq!(heap.statistics().finalizers_run, 10);
        assert_eq!(heap.statistics().finalizers_panicked, 5);
        assert_eq!(heap.statistics().held().objects, 1);
        assert!(kept.get(0).is_none());
    }
}
