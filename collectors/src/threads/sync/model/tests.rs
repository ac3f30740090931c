//! Tests of the machinery itself, on a handshake small enough to be explored in every permutation.

use std::{panic::Location, sync::Arc};

use super::{
    Lifetime, Plain,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{self, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
    explore::{Limits, explore_within},
    mutant,
    record::{Outcome, Record},
    scope, sites, thread,
};

const WITHOUT_END: Limits = Limits { bound: None, seconds: 60, permutations: u64::MAX };

/// A collector that starts to mark while a mutator may be in the middle of an overwrite.
#[derive(Default)]
struct Handshake {
    marking: AtomicBool,
    busy: AtomicBool,
}

impl Handshake {
    fn start(&self) {
        self.marking.store(true, Relaxed);
        fence(SeqCst);
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Acquire)
    }

    fn overwrite(&self, write: impl FnOnce(bool)) {
        self.busy.store(true, Relaxed);
        fence(SeqCst);
        write(self.marking.load(Relaxed));
        self.busy.store(false, Release);
    }
}

/// An overwrite after the snapshot is reported.
fn handshake() -> Record {
    explore_within(WITHOUT_END, "handshake", || {
        let shared = Arc::new((Handshake::default(), AtomicUsize::new(1), AtomicBool::new(false)));
        let mutators = Arc::clone(&shared);
        let mutator = thread::spawn(move || {
            let (handshake, slot, reported) = &*mutators;
            handshake.overwrite(|report| {
                reported.store(report, Relaxed);
                slot.store(0, Relaxed);
            });
        });
        let (handshake, slot, reported) = &*shared;
        handshake.start();
        while handshake.is_busy() {
            thread::yield_now();
        }
        let in_snapshot = slot.load(Relaxed) == 1;
        mutator.join().unwrap();
        assert!(!in_snapshot || reported.load(Relaxed), "an overwrite went unreported");
    })
}

#[test]
fn a_model_that_holds_is_complete_and_knows_its_sites() {
    let record = handshake();
    assert_eq!(record.outcome, Outcome::Complete);
    assert_eq!(record.threads, 2);
    assert!(record.permutations > 1);
    let orderings: Vec<_> = record
        .sites
        .iter()
        .filter(|site| site.ordering != "relaxed")
        .map(|site| (site.operation, site.role, site.ordering))
        .collect();
    let fence = ("fence", "only", "seq-cst");
    let acquire = ("load", "only", "acquire");
    let release = ("store", "only", "release");
    assert_eq!(orderings, [fence, acquire, fence, release]);
}

#[test]
fn every_weakening_of_the_handshake_is_caught() {
    let weaker = |ordering| match ordering {
        "seq-cst" => &["acq-rel", "removed"][..],
        "acquire" | "release" => &["relaxed"],
        _ => &[],
    };
    let mut tried = 0;
    for site in handshake().sites {
        for weaker in weaker(site.ordering) {
            let weakening = format!("{}#{}:{}={weaker}", site.place, site.role, site.ordering);
            sites::weaken(Some(&weakening));
            let record = handshake();
            sites::weaken(None);
            assert!(record.weakened > 0, "{weakening} was not passed");
            assert!(matches!(record.outcome, Outcome::Failed { .. }), "{weakening} was missed");
            tried += 1;
        }
    }
    assert_eq!(tried, 6);
}

#[test]
fn a_store_that_follows_a_load_is_explored_before_another_threads_load() {
    let seen = Arc::new([const { std::sync::atomic::AtomicU64::new(0) }; 2]);
    let count = Arc::clone(&seen);
    let record = explore_within(WITHOUT_END, "schedules", move || {
        let value = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&value);
        let thread = thread::spawn(move || {
            other.load(Acquire);
            other.store(1, Release);
        });
        count[value.load(Acquire)].fetch_add(1, Relaxed);
        thread.join().unwrap();
    });
    assert_eq!(record.outcome, Outcome::Complete);
    assert!(seen.iter().all(|count| count.load(Relaxed) > 0), "a schedule is missing: {seen:?}");
}

#[test]
fn a_truncated_model_fails() {
    for limits in [
        Limits { permutations: 1, ..WITHOUT_END },
        Limits { seconds: 0, ..WITHOUT_END },
        Limits { permutations: 0, ..WITHOUT_END },
    ] {
        let record = explore_within(limits, "truncation", || {
            let flag = Arc::new(AtomicBool::new(false));
            let other = Arc::clone(&flag);
            let thread = thread::spawn(move || other.store(true, Relaxed));
            flag.load(Relaxed);
            thread.join().unwrap();
        });
        assert_eq!(record.outcome, Outcome::Truncated);
        assert!(record.permutations <= limits.permutations);
    }
}

#[test]
fn a_use_after_free_is_caught_in_every_schedule() {
    let record = explore_within(WITHOUT_END, "lifetime", || {
        let object = Arc::new(Lifetime::new());
        let other = Arc::clone(&object);
        let thread = thread::spawn(move || other.access());
        object.end();
        thread.join().unwrap();
    });
    assert!(matches!(record.outcome, Outcome::Failed { .. }));
    assert_eq!(record.permutations, 1);
}

#[test]
fn a_second_free_is_caught() {
    let record = explore_within(WITHOUT_END, "lifetime", || {
        let object = Lifetime::new();
        object.access();
        object.end();
        object.end();
    });
    let message = "an object was freed twice".to_owned();
    assert_eq!(record.outcome, Outcome::Failed { message });
}

#[test]
fn a_race_on_a_plain_value_is_caught_and_a_handed_over_one_is_not() {
    let hand_over = |ordering: Ordering| {
        explore_within(WITHOUT_END, "plain", move || {
            let shared = Arc::new((Plain::new(0), AtomicBool::new(false)));
            let others = Arc::clone(&shared);
            let thread = thread::spawn(move || {
                let (value, ready) = &*others;
                value.set(7);
                ready.store(true, ordering);
            });
            let (value, ready) = &*shared;
            if ready.load(Acquire) {
                assert_eq!(value.get(), 7);
            }
            thread.join().unwrap();
        })
    };
    assert_eq!(hand_over(Release).outcome, Outcome::Complete);
    assert!(matches!(hand_over(Relaxed).outcome, Outcome::Failed { .. }));
}

#[test]
fn a_scope_joins_threads_that_nobody_joined() {
    let record = explore_within(WITHOUT_END, "scope", || {
        let sum = AtomicUsize::new(0);
        let one = scope(|scope| {
            scope.spawn(|| sum.fetch_add(2, Relaxed));
            scope.spawn(|| 1).join().unwrap()
        });
        assert_eq!(one + sum.load(Relaxed), 3);
    });
    assert_eq!(record.outcome, Outcome::Complete);
    assert_eq!(record.threads, 3);
}

#[test]
fn a_sequentially_consistent_access_is_refused() {
    let record = explore_within(WITHOUT_END, "refusal", || {
        AtomicBool::new(false).load(SeqCst);
    });
    let Outcome::Failed { message } = record.outcome else { panic!("it was not refused") };
    assert!(message.contains("use a SeqCst fence"), "{message}");
}

#[test]
fn a_mutation_that_is_asked_about_is_recorded_and_off() {
    let record = explore_within(WITHOUT_END, "mutation", || {
        assert!(!mutant("late store after merge"));
    });
    assert_eq!(record.mutants, ["late store after merge"]);
}

#[test]
fn a_site_is_where_the_caller_is() {
    let here = Location::caller().line() + 1;
    let record = explore_within(WITHOUT_END, "place", || _ = AtomicBool::new(false).load(Relaxed));
    assert!(record.sites[0].place.contains(&format!("tests.rs:{here}:")), "{:?}", record.sites);
}
