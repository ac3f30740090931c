//! What the recorder makes of events.

use super::*;
use std::{thread, time::Duration};

const FLOOR_NS: u64 = 1_000_000;

fn pause(recorder: &Recorder, mutator: usize, cause: Cause, inside: impl FnOnce()) {
    recorder.event(mutator, Event::PauseBegan { cause });
    inside();
    recorder.event(mutator, Event::PauseEnded { cause, objects: 7, estimated: 0 });
}

#[test]
fn a_pause_of_at_least_the_floor_is_kept_and_a_shorter_one_counted() {
    let recorder = Recorder::new(FLOOR_NS);
    pause(&recorder, 3, Cause::Collection, || thread::sleep(Duration::from_millis(5)));
    pause(&recorder, 3, Cause::Cascade, || ());
    let seen = recorder.take();
    assert_eq!(seen.histogram.count(), 1);
    let sample = seen.samples[0];
    assert!(
        sample.wall_ns >= 5_000_000
            && sample.wall_ns == seen.max_ns
            && sample.wall_ns == seen.total_ns
    );
    assert_eq!((sample.mutator, sample.cause, sample.objects), (3, Cause::Collection, 7));
    assert_eq!(seen.below_floor[&Cause::Cascade].count, 1);
    assert!(recorder.take().samples.is_empty(), "what was taken was expected to be gone");
}

#[test]
fn time_asleep_is_not_cpu_time() {
    let recorder = Recorder::new(FLOOR_NS);
    pause(&recorder, 0, Cause::Stop, || thread::sleep(Duration::from_millis(20)));
    let sample = recorder.take().samples[0];
    assert!(sample.cpu_ns < sample.wall_ns / 2, "{sample:?}");
}

#[test]
fn a_collection_is_charged_to_the_generation_and_the_pause_in_which_it_happened() {
    let recorder = Recorder::new(0);
    recorder.event(1, Event::PauseBegan { cause: Cause::Collection });
    let event = Event::Collection {
        generation: 2,
        examined: 100,
        freed: 40,
        survived: 60,
        freed_bytes: 4_000,
    };
    recorder.event(1, event);
    recorder.event(1, Event::PauseEnded { cause: Cause::Collection, objects: 100, estimated: 0 });
    let seen = recorder.take();
    let generation = seen.generations[&2];
    assert_eq!((generation.count, generation.examined, generation.freed), (1, 100, 40));
    assert_eq!(generation.ns, seen.samples[0].wall_ns);
    assert_eq!(seen.samples[0].generation, Some(2));
}

#[test]
fn the_beginning_of_a_cascade_is_estimated_from_its_rest() {
    assert_eq!(estimate(1_000, 164, 64), 640);
    assert_eq!(estimate(1_000, 64, 0), 0);
    assert_eq!(estimate(5_000_000, 65, 64), 64 * LONGEST_ESTIMATE_PER_OBJECT_NS);
}

#[test]
fn times_to_stop_are_kept_apart_from_pauses() {
    let recorder = Recorder::new(0);
    recorder.event(0, Event::TimeToStop { requested: true });
    thread::sleep(Duration::from_millis(2));
    recorder.event(0, Event::TimeToStop { requested: false });
    let seen = recorder.take();
    assert_eq!((seen.stops.count, seen.samples.len()), (1, 0));
    assert!(seen.stops.max_ns >= 2_000_000);
}

#[test]
fn lanes_of_all_threads_are_merged_in_the_order_of_time() {
    let recorder = Recorder::new(0);
    thread::scope(|scope| {
        for mutator in 0..4 {
            let recorder = &recorder;
            scope.spawn(move || {
                (0..100).for_each(|_| pause(recorder, mutator, Cause::Cascade, || ()))
            });
        }
    });
    recorder.event(2, Event::Unclocked { cause: Cause::SlowAllocation, count: 5 });
    let seen = recorder.take();
    assert_eq!(seen.samples.len(), 400);
    assert!(seen.samples.is_sorted_by_key(|sample| sample.start_ns));
    assert_eq!(seen.histogram.count(), 400);
    assert_eq!(seen.unclocked[&Cause::SlowAllocation], 5);
}

fn heap(held: u64, allocated: u64) -> Event {
    let (held_bytes, allocated_bytes) = (held, allocated);
    Event::Heap {
        held_bytes,
        allocated_objects: allocated / 40,
        allocated_bytes,
        blocks_bytes: held,
    }
}

#[test]
fn what_a_collection_leaves_is_known_from_the_sample_before_it() {
    let recorder = Recorder::new(0);
    recorder.event(0, heap(100_000, 4_000_000));
    let event = Event::Collection {
        generation: 0,
        examined: 9,
        freed: 5,
        survived: 4,
        freed_bytes: 70_000,
    };
    recorder.event(0, event);
    let points = recorder.take().memory.points;
    let seen: Vec<_> = points.iter().map(|point| (point.allocated.bytes, point.held)).collect();
    assert_eq!(seen, [(4_000_000, 100_000), (4_000_000, 30_000)]);
    assert!(points[0].at_ns <= points[1].at_ns && points[0].allocated.objects == 100_000);
}

#[test]
fn samples_of_all_threads_are_one_timeline() {
    let recorder = Recorder::new(0);
    for n in 0..1_000 {
        recorder.event(n as usize % 3, heap(50_000, n * 65_536));
    }
    let points = recorder.take().memory.points;
    assert!(points.len() > 200 && points.is_sorted_by_key(|point| point.allocated.bytes));
    assert!(recorder.take().memory.points.is_empty(), "what was taken was expected to be gone");
}

#[test]
fn panics_of_finalizers_are_counted_and_the_first_is_kept() {
    let recorder = Recorder::new(0);
    for message in ["one", "two"] {
        let (class, message) = ("Person".to_owned(), message.to_owned());
        recorder.event(4, Event::FinalizerPanicked { class, message });
    }
    let panics = recorder.take().panics;
    assert_eq!((panics.count, panics.first), (2, Some(("Person".to_owned(), "one".to_owned()))));
}

/// Uses the CPU for at least so long.
fn work(ms: u64) {
    let until = thread_cpu_ns() + ms * 1_000_000;
    while thread_cpu_ns() < until {}
}

#[test]
fn the_cpu_time_of_a_thread_of_the_collectors_own_is_the_collectors_and_no_pause() {
    let recorder = Recorder::new(0);
    work(5);
    thread::scope(|scope| {
        scope.spawn(|| {
            recorder.event(7, Event::CollectorThread);
            work(20);
            thread::sleep(Duration::from_millis(20));
            pause(&recorder, 7, Cause::Collection, || ());
            recorder.event(7, Event::CollectorThread);
        });
    });
    let seen = recorder.take();
    let used = seen.collector_cpu_ns;
    assert!((20_000_000..35_000_000).contains(&used), "it used {used} ns");
    assert_eq!((seen.histogram.count(), seen.below_floor.len()), (0, 0));
}

#[test]
fn a_number_that_was_a_collectors_is_a_mutators_when_another_thread_has_it() {
    let recorder = Recorder::new(0);
    thread::scope(|scope| {
        scope.spawn(|| recorder.event(7, Event::CollectorThread));
    });
    work(20);
    pause(&recorder, 7, Cause::Collection, || work(2));
    let seen = recorder.take();
    assert!(seen.collector_cpu_ns < 5_000_000, "it used {} ns", seen.collector_cpu_ns);
    assert_eq!(seen.histogram.count(), 1);
    assert!((1_500_000..=seen.total_ns).contains(&seen.total_cpu_ns), "{seen:?}");
}
