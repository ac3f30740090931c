//! Estimate of how long runs will take, from the records of earlier ones.

use crate::{environment::seconds_since_1970, folder, job::Job, plan::Step, record::Record};
use std::{fs, path::Path};

/// More than this between the end of a run and the beginning of the next was not the program's doing, in seconds.
const LONGEST_GAP_S: u64 = 30;

/// The runs that are known from earlier experiments.
#[derive(Debug, Default)]
pub(super) struct History {
    records: Vec<Record>,
    /// The folders that they are from.
    folders: Vec<String>,
    /// How long one run took from its beginning to the beginning of the next, as a multiple of what is timed of it.
    overhead: f64,
}

/// How long some runs will take.
#[derive(Debug, PartialEq)]
pub(super) struct Estimate {
    /// All together.
    pub(super) seconds: u64,
    /// Those of a configuration that was run before, as it is.
    pub(super) known: usize,
    /// Earlier runs that it is judged by.
    pub(super) earlier: usize,
    /// The folders that these are from.
    pub(super) folders: Vec<String>,
}

impl History {
    /// Reads what earlier experiments have left in the folders of `results`. What cannot be read tells nothing.
    pub(super) fn read(results: &Path) -> Self {
        let Ok(entries) = fs::read_dir(results) else { return Self::default() };
        let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        let (mut history, mut timed, mut elapsed) = (Self::default(), 0.0, 0.0);
        for path in folders {
            let Ok(read) = folder::read(&path) else { continue };
            for (wall_s, whole_s) in read.records.windows(2).filter_map(span) {
                timed += wall_s;
                elapsed += whole_s;
            }
            history.folders.push(path.display().to_string());
            history.records.extend(read.records);
        }
        // Runs so short that nothing can be told of what surrounds them take what is timed of them.
        history.overhead = if timed > 0.0 { (elapsed / timed).max(1.0) } else { 1.0 };
        history
    }

    /// How long the steps will take; `None` if nothing is known. A configuration takes the median of what it took before;
    /// one that was not run before, that of its workload, or else that of everything.
    pub(super) fn estimate(&self, steps: &[Step]) -> Option<Estimate> {
        let everything = median(self.records.iter())?;
        let (mut total_ns, mut known) = (0.0, 0);
        // The steps of a configuration are spread over the plan.
        let mut seen: Vec<(&Job, f64, bool)> = Vec::new();
        for step in steps {
            let job = &step.job;
            let (_, ns, is_known) = match seen.iter().find(|(other, ..)| *other == job) {
                Some(found) => *found,
                None => {
                    let same = median(self.of_workload(job).filter(|run| is_same(run, job)));
                    let ns = same.or_else(|| median(self.of_workload(job))).unwrap_or(everything);
                    seen.push((job, ns, same.is_some()));
                    (job, ns, same.is_some())
                }
            };
            total_ns += ns;
            known += usize::from(is_known);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of seconds that somebody might wait"
        )]
        let seconds = (total_ns * self.overhead / 1e9).ceil() as u64;
        let (earlier, folders) = (self.records.len(), self.folders.clone());
        Some(Estimate { seconds, known, earlier, folders })
    }

    fn of_workload(&self, job: &Job) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .filter(move |run| (&run.workload, run.audited) == (&job.workload, job.audited))
    }
}

fn is_same(run: &Record, job: &Job) -> bool {
    (&run.collector, &run.settings) == (&job.collector, &job.settings)
        && (&run.parameters, run.threads) == (&job.parameters, job.threads)
}

/// What was timed of a run, and how long it took until the next began, in seconds. `None` if something else came between.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run are far below 2^53")]
fn span(pair: &[Record]) -> Option<(f64, f64)> {
    let [run, next] = pair else { return None };
    let began = seconds_since_1970(&run.environment.started)?;
    let whole = seconds_since_1970(&next.environment.started)?.checked_sub(began)?;
    let is_next = next.order.position == run.order.position + 1;
    let is_near = whole <= run.wall_ns / 1_000_000_000 + LONGEST_GAP_S;
    (is_next && is_near).then_some((run.wall_ns as f64 / 1e9, whole as f64))
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run are far below 2^53")]
fn median<'r>(runs: impl Iterator<Item = &'r Record>) -> Option<f64> {
    crate::results::Range::of(runs.map(|run| run.wall_ns as f64)).map(|range| range.median)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{experiment::Experiment, folder::Folder, plan, synthetic};

    /// Friends and rings under two collectors, without an audit, in two invocations.
    fn steps(collectors: [&str; 2]) -> Vec<Step> {
        let text = format!(
            "question = \"?\"\nseed = 1\ninvocations = 2\naudit = \"none\"\n[limits]\nseconds = 9\nheap-mib = 9\n\
             [[collectors]]\nname = \"{}\"\n[[collectors]]\nname = \"{}\"\n\
             [[workloads]]\nname = \"friends\"\n[[workloads]]\nname = \"rings\"\n",
            collectors[0], collectors[1]
        );
        plan::steps(&Experiment::parse("x", "x", &text).unwrap())
    }

    /// Earlier runs of the steps, of which each took so many seconds; another began each `every` seconds.
    fn history(parent: &Path, steps: &[Step], wall_s: impl Fn(&Step) -> u64, every: u64) {
        let mut folder = Folder::create(&parent.join("earlier-1")).unwrap();
        for (step, n) in steps.iter().zip(0..) {
            let mut record = synthetic::record(&step.job.collector, &step.job.workload, 1);
            record.settings = step.job.settings.clone();
            record.parameters = step.job.parameters.clone();
            record.order = step.order;
            record.wall_ns = wall_s(step) * 1_000_000_000;
            let second = n * every;
            record.environment.started =
                format!("2026-11-22T17:{:02}:{:02}Z", second / 60, second % 60);
            folder.add(&record, &[]).unwrap();
        }
    }

    #[test]
    fn what_was_run_before_takes_as_long_again() {
        let results = tempfile::tempdir().unwrap();
        let steps = steps(["leak", "refcount"]);
        history(results.path(), &steps, |step| if step.job.workload == "rings" { 3 } else { 1 }, 2);
        let estimate = History::read(results.path()).estimate(&steps).unwrap();
        assert_eq!((estimate.seconds, estimate.known, estimate.earlier), (16, 8, 8));
        assert!(estimate.folders[0].ends_with("earlier-1"));
    }

    #[test]
    fn what_surrounds_a_run_counts() {
        let results = tempfile::tempdir().unwrap();
        let steps = steps(["leak", "refcount"]);
        history(results.path(), &steps, |_| 2, 3);
        assert_eq!(History::read(results.path()).estimate(&steps).unwrap().seconds, 24);
    }

    #[test]
    fn what_was_not_run_before_takes_as_long_as_its_workload_does() {
        let results = tempfile::tempdir().unwrap();
        let before = steps(["leak", "refcount"]);
        history(
            results.path(),
            &before,
            |step| if step.job.workload == "rings" { 3 } else { 1 },
            2,
        );
        let after = steps(["leak", "mark-sweep"]);
        let estimate = History::read(results.path()).estimate(&after).unwrap();
        assert_eq!((estimate.seconds, estimate.known), (16, 4));
    }

    #[test]
    fn without_earlier_runs_nothing_is_claimed() {
        let results = tempfile::tempdir().unwrap();
        fs::write(results.path().join("README.md"), "no folder").unwrap();
        let steps = steps(["leak", "refcount"]);
        assert_eq!(History::read(results.path()).estimate(&steps), None);
        assert_eq!(History::read(&results.path().join("none")).estimate(&steps), None);
    }
}
