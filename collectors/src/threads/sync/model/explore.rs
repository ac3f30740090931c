//! Exploration of one model: all its permutations, counted, within stated limits.
//!
//! loom ends a model that reaches a limit as if it had passed. Here the limits are ours: a model that
//! reaches one is truncated, and a truncated model fails.
//!
//! | variable                     | meaning                                                  | default |
//! |------------------------------|----------------------------------------------------------|---------|
//! | `CYCLOTRON_BOUND`            | preemptions in one permutation, or `none`                | 2       |
//! | `CYCLOTRON_MAX_SECONDS`      | time for one model                                       | 600     |
//! | `CYCLOTRON_MAX_PERMUTATIONS` | permutations of one model                                | no end  |
//! | `CYCLOTRON_MODEL_REPORT`     | the file to which each model's record is appended        | none    |
//! | `CYCLOTRON_WEAKEN`           | the site to weaken, `file:1:2#only:release=relaxed`      | none    |
//! | `CYCLOTRON_MUTANT`           | the mutation to switch on                                | none    |

use std::{
    any::Any,
    env,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    process,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    record::{Outcome, Record},
    sites,
    thread::take_spawned,
};

/// How many operations one permutation may have: more than any terminating model needs.
const LONGEST_PERMUTATION: usize = 100_000;

/// The most threads that loom can have, the one that spawns the others included.
const MOST_THREADS: usize = 5;

/// How far one model is explored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many preemptions a permutation may have, or `None` for any number.
    pub(super) bound: Option<usize>,
    pub(super) seconds: u64,
    pub(super) permutations: u64,
}

impl Limits {
    /// The limits that the environment asks for.
    pub(super) fn from_environment() -> Self {
        let bound = match env::var("CYCLOTRON_BOUND").as_deref() {
            Ok("none") => None,
            _ => Some(number("CYCLOTRON_BOUND").unwrap_or(2)),
        };
        Self {
            bound,
            seconds: number("CYCLOTRON_MAX_SECONDS").unwrap_or(600),
            permutations: number("CYCLOTRON_MAX_PERMUTATIONS").unwrap_or(u64::MAX),
        }
    }
}

/// Explores `test`, a law of the protocol called `protocol`, in every permutation.
///
/// How far is said by the environment; what came of it is recorded for `cyclotron check`.
///
/// # Panics
///
/// If a permutation breaks the law, or a limit leaves some untried.
pub(crate) fn explore(protocol: &'static str, test: impl Fn() + Send + Sync + 'static) {
    let record = explore_within(Limits::from_environment(), protocol, test);
    record.write();
    match record.outcome {
        Outcome::Complete | Outcome::Bounded => {}
        Outcome::Truncated => panic!("{}", truncated(record.permutations)),
        Outcome::Failed { message } => panic!("{message}"),
    }
}

/// Explores `test` within `limits`, and says what came of it.
pub(super) fn explore_within(
    limits: Limits,
    protocol: &'static str,
    test: impl Fn() + Send + Sync + 'static,
) -> Record {
    assert!(!protocol.is_empty(), "a model must name its protocol");
    // What an earlier model on this thread has left behind is not ours.
    sites::take();
    take_spawned();

    let progress = Arc::new(Progress::new(limits, protocol));
    if env::var_os("CYCLOTRON_MODEL_REPORT").is_some() {
        fail_fast(Arc::clone(&progress));
    }
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = limits.bound;
    builder.max_branches = LONGEST_PERMUTATION;
    builder.max_threads = MOST_THREADS;
    builder.max_permutations = None;
    builder.max_duration = None;
    let counted = Arc::clone(&progress);
    let explored = catch_unwind(AssertUnwindSafe(|| {
        builder.check(move || {
            counted.begin_permutation();
            test();
        });
    }));
    progress.record(progress.outcome(explored.err().as_deref()))
}

/// What is known of a model while it is explored.
struct Progress {
    limits: Limits,
    protocol: &'static str,
    model: String,
    begun: Instant,
    /// One thread explores a model, so everything below is its own; the types only satisfy `Sync`.
    permutations: AtomicU64,
    most_spawned: AtomicUsize,
    truncated: AtomicBool,
}

impl Progress {
    fn new(limits: Limits, protocol: &'static str) -> Self {
        Self {
            limits,
            protocol,
            model: thread::current().name().unwrap_or("unnamed").to_owned(),
            begun: Instant::now(),
            permutations: AtomicU64::new(0),
            most_spawned: AtomicUsize::new(0),
            truncated: AtomicBool::new(false),
        }
    }

    /// Counts one more permutation, unless a limit forbids it.
    fn begin_permutation(&self) {
        self.most_spawned.fetch_max(take_spawned(), Relaxed);
        let done = self.permutations.load(Relaxed);
        let limit = Duration::from_secs(self.limits.seconds);
        if done >= self.limits.permutations || self.begun.elapsed() >= limit {
            self.truncated.store(true, Relaxed);
            panic!("{}", truncated(done));
        }
        self.permutations.store(done + 1, Relaxed);
    }

    /// What became of the model, given the panic that ended it, if one did.
    fn outcome(&self, panic: Option<&(dyn Any + Send)>) -> Outcome {
        let text = |panic: &(dyn Any + Send)| {
            let literal = panic.downcast_ref::<&str>().map(ToString::to_string);
            literal.or_else(|| panic.downcast_ref::<String>().cloned())
        };
        match panic {
            _ if self.truncated.load(Relaxed) => Outcome::Truncated,
            Some(panic) => Outcome::Failed {
                message: text(panic).unwrap_or_else(|| "a panic without a message".to_owned()),
            },
            None if self.permutations.load(Relaxed) == 0 => Outcome::Failed {
                message: "the model ran no permutation, which proves nothing".to_owned(),
            },
            None if self.limits.bound.is_none() => Outcome::Complete,
            None => Outcome::Bounded,
        }
    }

    /// The record of the model, which is over.
    fn record(&self, outcome: Outcome) -> Record {
        self.most_spawned.fetch_max(take_spawned(), Relaxed);
        let (sites, mutants, weakened) = sites::take();
        Record {
            protocol: self.protocol,
            model: self.model.clone(),
            threads: 1 + self.most_spawned.load(Relaxed),
            bound: self.limits.bound,
            permutations: self.permutations.load(Relaxed),
            seconds: self.begun.elapsed().as_secs_f64(),
            outcome,
            weakened,
            sites,
            mutants,
        }
    }
}

fn truncated(permutations: u64) -> String {
    format!("the model was truncated after {permutations} permutations, which proves nothing")
}

/// Ends the process at the first panic, after it is recorded.
///
/// A model that fails leaves coroutines that can neither run on nor be unwound: what they hold calls
/// loom when it is dropped, which by then panics again. `cyclotron check` gives each model a process
/// of its own, so that the first panic, the true one, may be the last.
fn fail_fast(progress: Arc<Progress>) {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        usual(panic);
        progress.record(progress.outcome(Some(panic.payload()))).write();
        process::exit(101);
    }));
}

fn number<T: FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    let number = text.parse().ok();
    assert!(number.is_some(), "`{variable}` is `{text}`, but should be a whole number");
    number
}
