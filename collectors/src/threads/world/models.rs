//! Models of the safepoint handshake: nobody runs while the world is stopped, and nobody is forgotten.

use std::time::Duration;

use super::{Attention, World};
use crate::threads::sync::{Plain, explore, scope, thread};

const PROTOCOL: &str = "safepoint handshake";

/// A world, and what its mutators use without synchronisation: one value each.
struct Place {
    world: World,
    values: [Plain<u32>; 3],
}

impl Place {
    fn new() -> Self {
        let world = World::new(Duration::from_secs(1), false);
        Self { world, values: [0; 3].map(Plain::new) }
    }

    /// What a running mutator does: no stopped world may be in the middle of anything.
    fn mutate(&self, index: usize) {
        self.values[index].set(self.values[index].get() + 1);
    }

    /// A safepoint.
    fn poll(&self, index: usize) {
        if self.world.attention().includes(Attention::STOP) {
            self.world.answer(index).unwrap();
        }
    }

    /// What a collection does: uses everything that mutators use. Says whether it took place.
    fn collect(&self, index: usize) -> bool {
        let Some(_stopped) = self.world.stop(index).unwrap() else { return false };
        self.values.iter().for_each(|value| value.set(value.get() + 100));
        true
    }

    /// The sum of what was done to the values.
    fn sum(&self) -> u32 {
        self.values.iter().map(Plain::get).sum()
    }
}

#[test]
fn nobody_mutates_a_stopped_world() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let collector = place.world.attach();
        let mutator = place.world.attach();
        scope(|scope| {
            scope.spawn(|| {
                place.mutate(mutator);
                place.poll(mutator);
                place.mutate(mutator);
                place.world.detach(mutator);
            });
            assert!(place.collect(collector), "nobody else stops the world");
            place.mutate(collector);
            place.world.detach(collector);
        });
        assert_eq!(place.sum(), 303);
    });
}

#[test]
fn a_mutator_that_attaches_waits_for_the_world_to_go_on() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let collector = place.world.attach();
        scope(|scope| {
            scope.spawn(|| {
                let mutator = place.world.attach();
                place.mutate(mutator);
                place.world.detach(mutator);
            });
            assert!(place.collect(collector), "nobody else stops the world");
            place.world.detach(collector);
        });
        assert_eq!(place.sum(), 301);
    });
}

#[test]
fn a_blocked_mutator_does_not_delay_a_stop_and_comes_back_after_it() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let collector = place.world.attach();
        let mutator = place.world.attach();
        scope(|scope| {
            scope.spawn(|| {
                place.mutate(mutator);
                place.world.blocked(mutator, || ()).unwrap();
                place.mutate(mutator);
                place.world.detach(mutator);
            });
            assert!(place.collect(collector), "nobody else stops the world");
            place.world.detach(collector);
        });
        assert_eq!(place.sum(), 302);
    });
}

#[test]
fn a_mutator_may_wait_in_blocked_for_one_that_stops_the_world() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let waiting = place.world.attach();
        scope(|scope| {
            let collector = scope.spawn(|| {
                let collector = place.world.attach();
                assert!(place.collect(collector), "nobody else stops the world");
                place.world.detach(collector);
            });
            place.mutate(waiting);
            place.world.blocked(waiting, || collector.join().unwrap()).unwrap();
            place.mutate(waiting);
            place.world.detach(waiting);
        });
        assert_eq!(place.sum(), 302);
    });
}

#[test]
fn of_two_that_stop_the_world_each_collects_or_has_waited_for_the_other() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let mutators = [place.world.attach(), place.world.attach()];
        let collections = scope(|scope| {
            let run = |mutator| {
                place.mutate(mutator);
                let collected = place.collect(mutator);
                place.mutate(mutator);
                place.world.detach(mutator);
                u32::from(collected)
            };
            let other = scope.spawn(move || run(mutators[1]));
            run(mutators[0]) + other.join().unwrap()
        });
        assert!((1..=2).contains(&collections), "{collections} collections");
        assert_eq!(place.sum(), 300 * collections + 4);
    });
}

#[test]
fn a_collection_waits_for_every_one_of_two_mutators() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let collector = place.world.attach();
        let mutators = [place.world.attach(), place.world.attach()];
        scope(|scope| {
            for mutator in mutators {
                let place = &place;
                scope.spawn(move || {
                    place.mutate(mutator);
                    place.poll(mutator);
                    place.world.detach(mutator);
                });
            }
            assert!(place.collect(collector), "nobody else stops the world");
            place.world.detach(collector);
        });
        assert_eq!(place.sum(), 302);
    });
}

#[test]
fn a_shared_job_is_over_when_its_sharing_is() {
    explore(PROTOCOL, || {
        let place = Place::new();
        let collector = place.world.attach();
        let mutator = place.world.attach();
        scope(|scope| {
            scope.spawn(|| {
                place.mutate(mutator);
                while !place.world.attention().includes(Attention::STOP) {
                    thread::yield_now();
                }
                place.poll(mutator);
                place.mutate(mutator);
                place.world.detach(mutator);
            });
            let stopped =
                place.world.stop(collector).unwrap().expect("nobody else stops the world");
            stopped.share(&|worker| place.values[worker].set(place.values[worker].get() + 10));
            let workers = place.values.iter().filter(|value| value.get() >= 10).count();
            assert!((1..=2).contains(&workers), "{workers} workers");
            drop(stopped);
            place.world.detach(collector);
        });
        assert!([12, 22].contains(&place.sum()), "{}", place.sum());
    });
}

const HANDSHAKE: &str = "handshake without a stop";

impl Place {
    /// A safepoint at which a mutator answers handshakes too.
    fn poll_all(&self, index: usize) {
        if self.world.attention().includes(Attention::HANDSHAKE) {
            self.world.shake_hands(index).unwrap();
        }
        self.poll(index);
    }

    /// A handshake in which each mutator's value is used.
    fn ask(&self, index: usize) {
        let act = |other: usize| self.values[other].set(self.values[other].get() + 10);
        self.world.handshake(index, &act).unwrap();
    }
}

#[test]
fn each_of_two_mutators_acts_at_most_once_and_alone_with_its_own() {
    explore(HANDSHAKE, || {
        let place = Place::new();
        let collector = place.world.attach();
        let mutators = [place.world.attach(), place.world.attach()];
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                place.mutate(mutators[0]);
                place.poll_all(mutators[0]);
                place.mutate(mutators[0]);
                place.world.detach(mutators[0]);
            });
            scope.spawn(move || {
                place.mutate(mutators[1]);
                place.world.blocked(mutators[1], || ()).unwrap();
                place.mutate(mutators[1]);
                place.world.detach(mutators[1]);
            });
            place.ask(collector);
            place.values[collector].set(1);
            place.world.detach(collector);
        });
        // Whoever has left before it began is not asked.
        let acted = place.values.each_ref().map(Plain::get);
        assert!(acted[1..].iter().all(|value| [2, 12].contains(value)), "{acted:?}");
    });
}

#[test]
fn what_was_done_before_an_answer_is_seen_after_the_handshake() {
    explore(HANDSHAKE, || {
        let place = Place::new();
        let collector = place.world.attach();
        let mutator = place.world.attach();
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                place.values[2].set(7);
                while !place.world.shake_hands(mutator).unwrap() {
                    thread::yield_now();
                }
                place.world.detach(mutator);
            });
            place.ask(collector);
            assert_eq!(place.values[2].get(), 7, "the mutator has acted, and then it was written");
            place.world.detach(collector);
        });
    });
}

#[test]
fn a_world_can_be_stopped_in_the_middle_of_a_handshake() {
    explore(HANDSHAKE, || {
        let place = Place::new();
        let collector = place.world.attach();
        let mutator = place.world.attach();
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                assert!(place.collect(mutator), "nobody else stops the world");
                place.poll_all(mutator);
                place.world.detach(mutator);
            });
            place.ask(collector);
            place.poll(collector);
            place.mutate(collector);
            place.world.detach(collector);
        });
        assert_eq!(place.sum(), 311);
    });
}
