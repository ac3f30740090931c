//! Round: one storm on a heap of its own, and what is left of it.
//!
//! A round lasts so long that there is a graph worth breaking, and no longer, so that what a collector cannot free does
//! not fill the memory.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use collectors::{
    Amount, Collector, Event, Heap, Observer, Options, Reclaims, Statistics,
    audit::{Audited, Leaks},
};

use crate::{
    operation::{Operation, Operations},
    progress::{MOST_THREADS, Place, Progress},
    storm::{Storm, Variables},
    tally::Tally,
};

/// Operations of each thread in a round whose heap collects when its collector would.
const LONGEST: u64 = 10_000;

/// Operations of each thread in a round whose heap collects at every opportunity, which takes long.
const LONGEST_UNDER_STRESS: u64 = 400;

/// How long a stop of the world may remain unanswered: more than the machine ever keeps a thread waiting.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Operations between two looks at the clock.
const CLOCK_EVERY: u64 = 16;

/// How many of the objects that a collector has forgotten are told of, with their histories.
const FORGOTTEN_TOLD: usize = 3;

/// When a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After so many operations of each thread, or a round's worth of them.
    Operations(u64),
    /// At this time, or after a round's worth of operations.
    Time(Instant),
}

/// One storm, to be run.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Whence all operations come.
    pub seed: u64,
    /// How many threads there are; at most 256.
    pub threads: usize,
    /// When it ends.
    pub limit: Limit,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// The operations done.
    pub operations: Tally,
    /// Collections, as the collector reports them.
    pub collections: u64,
    /// What the heap has done by the end.
    pub statistics: Statistics,
    /// What the audit knows, if there was one.
    pub findings: Option<Found>,
}

/// What the audit of a round found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Reachable when the threads had ended.
    pub live: Amount,
    /// Dead and not yet freed then.
    pub floating: Amount,
    /// What was dead at the end, by why.
    pub leaks: Leaks,
}

/// The collector is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where it was noticed; in no thread of the storm if it was noticed at the end.
    pub place: Option<Place>,
    /// What was noticed.
    pub message: String,
}

impl Round {
    /// Whether the heap collects at every opportunity: under every other seed.
    pub fn is_stressed(&self) -> bool {
        self.seed.is_multiple_of(2)
    }

    /// How many operations a thread does at most.
    pub fn longest(&self) -> u64 {
        let longest = if self.is_stressed() { LONGEST_UNDER_STRESS } else { LONGEST };
        match self.limit {
            Limit::Operations(operations) => operations.min(longest),
            Limit::Time(_) => longest,
        }
    }

    /// Runs the round and looks at what is left.
    ///
    /// # Errors
    ///
    /// If the collector turns out to be wrong.
    pub fn run<C: Collector>(
        &self,
        settings: C::Settings,
        progress: &Progress,
    ) -> Result<Outcome, Broken> {
        let play = Play::<C>::new(self, settings)?;
        let operations = play.rage(self, progress)?;
        at_end(|| {
            play.settle();
            let outcome = play.outcome(operations)?;
            let held = outcome.statistics.held();
            if C::CAPABILITIES.reclaims == Reclaims::Everything && held != Amount::default() {
                return Err(format!(
                    "{} objects ({} bytes) are held when nothing is reachable and collections find nothing more",
                    held.objects, held.bytes
                ));
            }
            Ok(outcome)
        })
    }

    /// Runs the round under the audit and looks at what is left.
    ///
    /// # Errors
    ///
    /// If the collector turns out to be wrong.
    pub fn run_audited<C: Collector>(
        &self,
        settings: C::Settings,
        progress: &Progress,
    ) -> Result<Outcome, Broken> {
        let play = Play::<Audited<C>>::new(self, settings)?;
        let operations = play.rage(self, progress)?;
        at_end(|| {
            let told = |violation: collectors::audit::Violation| violation.to_string();
            let at_end = play.heap.findings().map_err(told)?;
            play.settle();
            let after = play.heap.findings().map_err(told)?;
            let leaks = Leaks::between(&at_end, &after);
            if leaks.protocol.objects > 0 {
                return Err(format!(
                    "audit: the collector should have freed {} objects ({} bytes) and has not: {}",
                    leaks.protocol.objects,
                    leaks.protocol.bytes,
                    play.heap.forgotten(FORGOTTEN_TOLD).join("; ")
                ));
            }
            let found = Found { live: at_end.live, floating: at_end.floating, leaks };
            Ok(Outcome { findings: Some(found), ..play.outcome(operations)? })
        })
    }
}

/// A heap with a storm on it.
struct Play<C: Collector> {
    heap: Heap<C>,
    storm: Storm<C>,
    witness: Arc<Witness>,
}

impl<C: Collector> Play<C> {
    fn new(round: &Round, settings: C::Settings) -> Result<Self, Broken> {
        assert!(round.threads <= MOST_THREADS, "a storm has at most {MOST_THREADS} threads");
        let witness = Arc::new(Witness::default());
        let options = Options {
            stop_timeout: STOP_TIMEOUT,
            observer: Some(witness.clone()),
            stress: round.is_stressed().then_some(round.seed),
            ..Options::default()
        };
        let heap = Heap::new(settings, options)
            .map_err(|error| Broken { place: None, message: error.to_string() })?;
        let storm = Storm::new(&heap);
        Ok(Self { heap, storm, witness })
    }

    /// Runs the threads; gives what they did, or the first failure.
    fn rage(&self, round: &Round, progress: &Progress) -> Result<Tally, Broken> {
        progress.begin(round.seed);
        let first: Mutex<Option<Broken>> = Mutex::new(None);
        let run = |thread: usize| {
            let mut tally = Tally::default();
            let lived = catch_unwind(AssertUnwindSafe(|| {
                self.live(round, thread, progress, &mut tally);
            }));
            if let Err(panic) = lived {
                self.storm.fail();
                let broken =
                    Broken { place: Some(progress.place(thread)), message: message_of(&*panic) };
                first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(broken);
            }
            tally
        };
        let mut sum = Tally::default();
        thread::scope(|scope| {
            let run = &run;
            let threads: Vec<_> =
                (0..round.threads).map(|thread| scope.spawn(move || run(thread))).collect();
            for thread in threads {
                sum += thread.join().expect("a thread catches its own panics");
            }
        });
        first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(sum), Err)
    }

    /// One thread's operations, as one mutator after another.
    fn live(&self, round: &Round, thread: usize, progress: &Progress, tally: &mut Tally) {
        let mut operations = Operations::new(round.seed, thread).zip(1..=round.longest());
        let mut goes_on = true;
        while goes_on {
            let mutator = self.heap.attach();
            let mut variables = Variables::new();
            goes_on = false;
            for (operation, number) in operations.by_ref() {
                if self.storm.has_failed() || round.is_over(number) {
                    break;
                }
                progress.set(thread, number);
                tally.count(operation.kind());
                if operation == Operation::Leave {
                    goes_on = true;
                    break;
                }
                let named = (thread as u64 + 1) << 32 | number;
                self.storm.step(&mutator, &mut variables, operation, named);
            }
        }
    }

    /// Collects until a collection changes nothing any more and nothing has come back to life.
    fn settle(&self) {
        self.heap.check();
        let mutator = self.heap.attach();
        loop {
            let before = self.heap.statistics();
            self.storm.clear();
            mutator.safepoint();
            mutator.collect();
            if self.heap.statistics() == before {
                break;
            }
        }
        mutator.check();
    }

    fn outcome(&self, operations: Tally) -> Result<Outcome, String> {
        let panic = self.witness.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            return Err(panic);
        }
        // Relaxed: a statistic, read after the threads have ended.
        let collections = self.witness.collections.load(Relaxed);
        let statistics = self.heap.statistics();
        Ok(Outcome { operations, collections, statistics, findings: None })
    }
}

impl Round {
    fn is_over(&self, operation: u64) -> bool {
        match self.limit {
            Limit::Operations(_) => false,
            Limit::Time(end) => operation.is_multiple_of(CLOCK_EVERY) && Instant::now() >= end,
        }
    }
}

/// Looks at what is left; whatever panics there has noticed something.
fn at_end(look: impl FnOnce() -> Result<Outcome, String>) -> Result<Outcome, Broken> {
    let looked = catch_unwind(AssertUnwindSafe(look));
    let looked = looked.unwrap_or_else(|panic| Err(message_of(&*panic)));
    looked.map_err(|message| Broken { place: None, message })
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
    literal
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Counts collections, and keeps the first panic of a finalizer: the heap catches those.
#[derive(Default)]
struct Witness {
    collections: AtomicU64,
    panic: Mutex<Option<String>>,
}

impl Observer for Witness {
    fn event(&self, _: usize, event: Event) {
        match event {
            // Relaxed: a statistic.
            Event::Collection { .. } => _ = self.collections.fetch_add(1, Relaxed),
            Event::FinalizerPanicked { class, message } => {
                let mut panic = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
                panic.get_or_insert(format!("a finalizer of {class} panicked: {message}"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collectors::{WithCollector, with_collector};

    /// A round of two threads under each collector, with and without the audit.
    struct Small {
        round: Round,
        is_audited: bool,
    }

    impl WithCollector for Small {
        type Output = Result<Outcome, Broken>;

        fn run<C: Collector>(self) -> Self::Output {
            let settings = C::Settings::default();
            if self.is_audited {
                self.round.run_audited::<C>(settings, &Progress::new())
            } else {
                self.round.run::<C>(settings, &Progress::new())
            }
        }
    }

    fn small(name: &str, seed: u64, threads: usize, is_audited: bool) -> Outcome {
        let round = Round { seed, threads, limit: Limit::Operations(1_500) };
        let outcome = with_collector(name, Small { round, is_audited }).expect("it is listed");
        outcome.unwrap_or_else(|broken| panic!("{name}, seed {seed}: {broken:?}"))
    }

    #[test]
    fn every_collector_stands_a_small_storm() {
        for &name in collectors::NAMES {
            for (seed, is_audited) in [(1, false), (2, false), (3, true), (4, true)] {
                let outcome = small(name, seed, 3, is_audited);
                assert!(outcome.operations.total() >= 3 * 400, "{name}: {outcome:?}");
                assert_eq!(outcome.findings.is_some(), is_audited);
            }
        }
    }

    #[test]
    fn one_thread_does_the_same_again() {
        let (one, other) = (small("refcount", 5, 1, true), small("refcount", 5, 1, true));
        assert_eq!(one.operations, other.operations);
        assert_eq!(one.statistics.allocated, other.statistics.allocated);
        assert_eq!(one.statistics.freed, other.statistics.freed);
    }

    #[test]
    fn an_object_with_another_ones_words_ends_the_round_and_the_place_is_told() {
        let round = Round { seed: 1, threads: 2, limit: Limit::Operations(5_000) };
        let progress = Progress::new();
        let result = with_collector("refcount", Unsound { round, progress: &progress });
        let broken = result.expect("it is listed").unwrap_err();
        assert!(broken.message.starts_with("wrong checksum: "), "{broken:?}");
        let place = broken.place.expect("a thread noticed it");
        let operation = Operations::new(1, place.thread).nth(place.operation as usize - 1);
        assert!(matches!(operation, Some(Operation::Adopt { .. })), "{operation:?}");
    }

    struct Unsound<'a> {
        round: Round,
        progress: &'a Progress,
    }

    impl WithCollector for Unsound<'_> {
        type Output = Result<Tally, Broken>;

        fn run<C: Collector>(self) -> Self::Output {
            let play = Play::<C>::new(&self.round, C::Settings::default())?;
            let mutator = play.heap.attach();
            let object = play.storm.unsound(&mutator);
            play.storm.offer(&object);
            drop(object);
            drop(mutator);
            play.rage(&self.round, self.progress)
        }
    }

    #[test]
    fn a_panic_is_told_with_the_thread_and_the_operation() {
        let progress = Progress::new();
        progress.begin(9);
        progress.set(3, 17);
        assert_eq!(progress.place(3), Place { seed: 9, thread: 3, operation: 17 });
        let broken = at_end(|| panic!("lost"));
        assert_eq!(broken.unwrap_err(), Broken { place: None, message: "lost".to_owned() });
    }
}
