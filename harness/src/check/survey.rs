//! Survey: every model explored as it is, then again with one thing wrong at a time.

use std::{collections::BTreeSet, io, num::NonZero, sync::Mutex, thread, time::Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    model::{Change, Ending, Explorer, Limits, Outcome, Record, Site},
    orderings::{Justifications, Weakening, weakenings},
    source::{Ordering, Sources, module_of, split_place},
};

/// Seconds within which a model is explored without a bound, if it ends in them.
const UNBOUNDED_SECONDS: u64 = 5;
/// The same for `--deep`.
const DEEP_SECONDS: u64 = 60;
/// Models that took longer than this with the bound, in seconds, are not worth trying without it.
const PROMISING_SECONDS: f64 = 0.5;
/// The bound that `--deep` takes where no bound at all takes too long.
const DEEP_BOUND: usize = 3;
/// Seconds that a model may take with the bound. Reaching it fails.
const MOST_SECONDS: u64 = 300;

/// How thoroughly to look.
#[derive(Clone, Copy, Debug)]
pub struct Thoroughness {
    /// Preemptions in one permutation.
    pub bound: usize,
    /// Whether to spend minutes on a model.
    pub is_deep: bool,
    /// How many processes run at a time.
    pub jobs: NonZero<usize>,
}

/// A model, explored.
#[derive(Debug)]
pub struct Model {
    /// The test's name, with its module.
    pub name: String,
    /// What it did within the bound.
    pub bounded: Result<Record, String>,
    /// What it did without, if it ended.
    pub thorough: Option<Record>,
    /// Wall time of all its explorations, in seconds.
    pub seconds: f64,
}

/// Something that a model must notice.
#[derive(Debug)]
pub struct Mutant {
    /// What is wrong.
    pub fault: Fault,
    /// What came of it.
    pub verdict: Verdict,
}

/// What is wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An ordering is weaker than written.
    Weakened(Weakening),
    /// An ordering that no model uses at all.
    Unreached(Ordering),
    /// A mistake from history is back.
    Mutated(String),
}

/// What came of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This model failed.
    Caught(String),
    /// No model failed, and the list says why that is right.
    Justified(String),
    /// No model failed.
    Survived,
    /// The list says that no model fails, but this one does.
    Stale(String),
    /// It is not known, for this reason.
    Undecided(String),
}

impl Verdict {
    /// Whether the check may pass with it.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Caught(_) | Self::Justified(_))
    }
}

impl Fault {
    /// How people are told.
    pub fn describe(&self) -> String {
        match self {
            Self::Weakened(weakening) => weakening.describe(),
            Self::Unreached(Ordering { file, line, operation, ordering, function }) => {
                format!(
                    "{file}:{line}: `{operation}` {ordering} in `{function}` is reached by no model"
                )
            }
            Self::Mutated(name) => format!("the mistake `{name}`"),
        }
    }
}

impl Model {
    /// The most thorough exploration that ended.
    pub fn best(&self) -> Result<&Record, &String> {
        self.thorough.as_ref().map_or(self.bounded.as_ref(), Ok)
    }
}

/// Explores every model called `names` as it is.
///
/// # Errors
///
/// If a process cannot be started.
pub fn explore(explorer: &Explorer, names: &[String], how: Thoroughness) -> io::Result<Vec<Model>> {
    let bar = progress("models", names.len());
    let models = in_parallel(how.jobs, names, |worker, name| {
        bar.set_message(name.clone());
        let model = explore_one(explorer, name, how, worker);
        bar.inc(1);
        model
    });
    bar.finish_and_clear();
    models.into_iter().collect()
}

fn explore_one(
    explorer: &Explorer,
    name: &str,
    how: Thoroughness,
    worker: usize,
) -> io::Result<Model> {
    let begun = Instant::now();
    let run =
        |bound, seconds| explorer.explore(name, Limits { bound, seconds }, &Change::None, worker);
    let bounded = judge(run(Some(how.bound), MOST_SECONDS)?);
    let mut thorough = None;
    let promising =
        bounded.as_ref().is_ok_and(|record| how.is_deep || record.seconds < PROMISING_SECONDS);
    if promising {
        let seconds = if how.is_deep { DEEP_SECONDS } else { UNBOUNDED_SECONDS };
        let mut tries = vec![(None, seconds)];
        if how.is_deep && how.bound < DEEP_BOUND {
            tries.push((Some(DEEP_BOUND), DEEP_SECONDS));
        }
        for (bound, seconds) in tries {
            match run(bound, seconds)? {
                // It would have taken too long; what is known within the bound stands.
                Ending::Ended => {}
                Ending::Recorded(record) if record.outcome == Outcome::Truncated => {}
                ending => match judge(ending) {
                    Ok(record) => {
                        thorough = Some(record);
                        break;
                    }
                    failure => {
                        let seconds = begun.elapsed().as_secs_f64();
                        return Ok(Model {
                            name: name.to_owned(),
                            bounded: failure,
                            thorough: None,
                            seconds,
                        });
                    }
                },
            }
        }
    }
    Ok(Model { name: name.to_owned(), bounded, thorough, seconds: begun.elapsed().as_secs_f64() })
}

/// The record of a model that holds, or why it does not.
fn judge(ending: Ending) -> Result<Record, String> {
    match ending {
        Ending::Recorded(record) if record.permutations == 0 => {
            Err("it ran no permutation".to_owned())
        }
        Ending::Recorded(record) => match record.outcome {
            Outcome::Complete | Outcome::Bounded => Ok(record),
            Outcome::Truncated => Err(format!(
                "TRUNCATED after {} permutations, which proves nothing",
                record.permutations
            )),
            Outcome::Failed => Err(record.message.unwrap_or_else(|| "it failed".to_owned())),
        },
        Ending::Unrecorded(words) => Err(words),
        Ending::Ended => Err("it hung and was ended".to_owned()),
    }
}

/// Tries everything that can be wrong, one thing at a time, on the models that could notice.
///
/// Whatever the models did not reach is a fault as well, if `models` are all that there are.
///
/// # Errors
///
/// If a process cannot be started.
pub fn try_faults(
    explorer: &Explorer,
    models: &[Model],
    sources: &Sources,
    list: &Justifications,
    how: Thoroughness,
) -> io::Result<Vec<Mutant>> {
    let sites: BTreeSet<Site> = models
        .iter()
        .filter_map(|model| model.bounded.as_ref().ok())
        .flat_map(|record| record.sites.clone())
        .collect();
    let mut sites: Vec<Site> = sites.into_iter().collect();
    sites.sort_by_key(|site| split_place(&site.place).map(|(file, line)| (file.to_owned(), line)));
    let mut faults: Vec<Fault> =
        weakenings(&sites, sources).into_iter().map(Fault::Weakened).collect();
    faults.extend(sources.mutants().into_iter().map(Fault::Mutated));

    let bar = progress("faults", faults.len());
    let mutants = in_parallel(how.jobs, &faults, |worker, fault| {
        bar.set_message(fault.describe());
        let verdict = try_one(explorer, models, fault, list, how, worker);
        bar.inc(1);
        verdict.map(|verdict| Mutant { fault: fault.clone(), verdict })
    });
    bar.finish_and_clear();
    let mut mutants = mutants.into_iter().collect::<io::Result<Vec<_>>>()?;
    for ordering in sources.orderings().into_iter().filter(|ordering| !is_reached(ordering, &sites))
    {
        let entry = list.of_unreached(&ordering).map(|index| list.entries()[index].reason.clone());
        let verdict = entry.map_or(Verdict::Survived, Verdict::Justified);
        mutants.push(Mutant { fault: Fault::Unreached(ordering), verdict });
    }
    Ok(mutants)
}

/// Whether a model passed the operation whose argument the ordering is.
fn is_reached(ordering: &Ordering, sites: &[Site]) -> bool {
    sites.iter().any(|site| {
        let is_alike = site.operation == ordering.operation && site.ordering == ordering.ordering;
        is_alike
            && split_place(&site.place).is_some_and(|(file, line)| {
                file == ordering.file && (line..line + 12).contains(&ordering.line)
            })
    })
}

fn try_one(
    explorer: &Explorer,
    models: &[Model],
    fault: &Fault,
    list: &Justifications,
    how: Thoroughness,
    worker: usize,
) -> io::Result<Verdict> {
    let (change, entry) = match fault {
        Fault::Weakened(weakening) => (Change::Weaken(weakening.order()), list.of(weakening)),
        Fault::Mutated(name) => (Change::Mutate(name.clone()), None),
        Fault::Unreached(_) => (Change::None, None),
    };
    let mut able: Vec<(&str, &Record)> = models
        .iter()
        .filter_map(|model| Some((model.name.as_str(), model.bounded.as_ref().ok()?)))
        .filter(|(_, record)| match fault {
            Fault::Weakened(weakening) => record.sites.contains(&weakening.site),
            Fault::Mutated(name) => record.mutants.contains(name),
            Fault::Unreached(_) => false,
        })
        .collect();
    able.sort_by(|one, two| one.1.seconds.total_cmp(&two.1.seconds));
    let mut doubt = None;
    for (name, record) in able {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few minutes at most"
        )]
        let seconds = 20 + (record.seconds * 10.0) as u64;
        match explorer.explore(name, Limits { bound: Some(how.bound), seconds }, &change, worker)? {
            ending if ending.is_failure() => {
                let by = name.to_owned();
                return Ok(if entry.is_some() { Verdict::Stale(by) } else { Verdict::Caught(by) });
            }
            Ending::Recorded(record) if record.outcome.is_proof() => {
                if record.weakened == 0 && matches!(change, Change::Weaken(_)) {
                    doubt = Some(format!("`{name}` no longer uses it"));
                }
            }
            _ => doubt = Some(format!("`{name}` took more than {seconds} s")),
        }
    }
    let justified = entry.map(|index| Verdict::Justified(list.entries()[index].reason.clone()));
    Ok(justified.unwrap_or_else(|| doubt.map_or(Verdict::Survived, Verdict::Undecided)))
}

/// The entries of the list that are about nothing, described.
pub fn idle_entries(list: &Justifications, mutants: &[Mutant]) -> Vec<String> {
    let used: BTreeSet<usize> = mutants
        .iter()
        .filter_map(|mutant| match &mutant.fault {
            Fault::Weakened(weakening) => list.of(weakening),
            Fault::Unreached(ordering) => list.of_unreached(ordering),
            Fault::Mutated(_) => None,
        })
        .collect();
    let entries = list.entries().iter().enumerate();
    entries.filter(|(index, _)| !used.contains(index)).map(|(_, entry)| entry.describe()).collect()
}

/// Whether a fault is about anything that `models`, which are not all, can decide: one that they have noticed, or in whose
/// module they are.
pub fn concerns(mutant: &Mutant, models: &[Model], sources: &Sources) -> bool {
    let module = match &mutant.fault {
        Fault::Unreached(_) => return false,
        Fault::Mutated(name) => sources.module_of_mutant(name),
        Fault::Weakened(weakening) => {
            split_place(&weakening.site.place).map(|(file, _)| module_of(file))
        }
    };
    let beside = module.map(|module| format!("{module}::"));
    let is_beside =
        |model: &Model| beside.as_ref().is_some_and(|it| model.name.starts_with(it.as_str()));
    mutant.verdict.is_good() || models.iter().any(is_beside)
}

/// Calls `work` with every item and the number of the worker that does it, and keeps the items' order.
fn in_parallel<T: Sync, R: Send>(
    jobs: NonZero<usize>,
    items: &[T],
    work: impl Fn(usize, &T) -> R + Sync,
) -> Vec<R> {
    let queue = Mutex::new(items.iter().enumerate());
    let next = || queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let (next, work) = (&next, &work);
        let workers: Vec<_> = (0..jobs.get())
            .map(|worker| {
                scope.spawn(move || {
                    let items = std::iter::from_fn(next);
                    items.map(|(index, item)| (index, work(worker, item))).collect::<Vec<_>>()
                })
            })
            .collect();
        let joined = workers.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn progress(what: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {pos}/{len} {elapsed} {wide_msg}");
    let bar = ProgressBar::new(length as u64).with_prefix(what);
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..20).collect();
        let jobs = NonZero::new(3).expect("three is not zero");
        assert_eq!(
            in_parallel(jobs, &items, |_, item| item * 2),
            items.iter().map(|item| item * 2).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_model_that_was_truncated_or_ran_nothing_does_not_hold() {
        let record = |permutations, outcome| Record {
            protocol: "slot".to_owned(),
            model: "a".to_owned(),
            threads: 2,
            bound: None,
            permutations,
            seconds: 0.0,
            outcome,
            message: None,
            weakened: 0,
            sites: Vec::new(),
            mutants: Vec::new(),
        };
        assert!(judge(Ending::Recorded(record(1, Outcome::Complete))).is_ok());
        assert!(judge(Ending::Recorded(record(0, Outcome::Complete))).is_err());
        assert!(judge(Ending::Recorded(record(9, Outcome::Truncated))).is_err());
        assert!(judge(Ending::Ended).is_err());
    }
}
