//! Model: one law of a protocol, explored in a process of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::program::Program;

/// How long a process may outlive the time that its model was given, before it is ended.
const GRACE: Duration = Duration::from_secs(20);

/// How far a model is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Preemptions in one permutation, or any number.
    pub bound: Option<usize>,
    /// Time for the whole model.
    pub seconds: u64,
}

/// What is changed in the program while it runs a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    None,
    /// One ordering is weakened, named as `file:line:column#role:ordering=weaker`.
    Weaken(String),
    /// A mistake that the source keeps for this purpose is switched on.
    Mutate(String),
}

/// What one model did, as the model's process wrote it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The protocol that the model belongs to.
    pub protocol: String,
    /// The test's name.
    pub model: String,
    /// The most threads in one permutation.
    pub threads: usize,
    /// Preemptions in one permutation, or any number.
    pub bound: Option<usize>,
    /// How many permutations were explored.
    pub permutations: u64,
    /// How long that took.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed, if it did.
    pub message: Option<String>,
    /// How often the weakened ordering was used.
    pub weakened: u64,
    /// The orderings that it used.
    pub sites: Vec<Site>,
    /// The mistakes that it asked about.
    pub mutants: Vec<String>,
}

/// How a model ended.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All permutations were explored, and the law held.
    Complete,
    /// All permutations with so many preemptions were explored, and the law held.
    Bounded,
    /// A limit was reached first, so that nothing is known.
    Truncated,
    /// The law was broken.
    Failed,
}

impl Outcome {
    /// Whether the law held in all that was to be explored.
    pub fn is_proof(self) -> bool {
        matches!(self, Self::Complete | Self::Bounded)
    }
}

/// One ordering of one operation in the source.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// `file:line:column`.
    pub place: String,
    /// Such as `fetch_sub`.
    pub operation: String,
    /// `only`, or of a compare-exchange `success` or `failure`.
    pub role: String,
    /// Such as `acq-rel`.
    pub ordering: String,
}

/// How a process ended that was to explore one model.
#[derive(Clone, Debug)]
pub enum Ending {
    /// With a record.
    Recorded(Record),
    /// Without one: it crashed, or never called `explore`.
    Unrecorded(String),
    /// It hung, and was ended.
    Ended,
}

impl Ending {
    /// Whether the law was broken, or worse.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Recorded(record) => record.outcome == Outcome::Failed,
            Self::Unrecorded(_) => true,
            Self::Ended => false,
        }
    }
}

/// A place to explore models in.
#[derive(Debug)]
pub struct Explorer {
    program: Program,
    reports: PathBuf,
}

impl Explorer {
    /// A place whose reports go to `reports`, a folder that is emptied.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made.
    pub fn new(program: Program, reports: &Path) -> io::Result<Self> {
        if reports.exists() {
            fs::remove_dir_all(reports)?;
        }
        fs::create_dir_all(reports)?;
        Ok(Self { program, reports: reports.to_owned() })
    }

    /// Explores the model called `name`; `worker` is a number that no other caller uses at the same time.
    ///
    /// # Errors
    ///
    /// If its process cannot be started or read.
    pub fn explore(
        &self,
        name: &str,
        limits: Limits,
        change: &Change,
        worker: usize,
    ) -> io::Result<Ending> {
        let report = self.reports.join(format!("{worker}.jsonl"));
        let output = self.reports.join(format!("{worker}.txt"));
        // What the last model left here must not be taken for this one's.
        fs::write(&report, "")?;
        let file = fs::File::create(&output)?;
        let mut command = self.program.command();
        command
            .args([name, "--exact", "--nocapture", "--test-threads", "1"])
            .env("CYCLOTRON_MODEL_REPORT", &report)
            .env(
                "CYCLOTRON_BOUND",
                limits.bound.map_or("none".to_owned(), |bound| bound.to_string()),
            )
            .env("CYCLOTRON_MAX_SECONDS", limits.seconds.to_string())
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::from(file.try_clone()?))
            .stderr(Stdio::from(file));
        match change {
            Change::None => {}
            Change::Weaken(site) => _ = command.env("CYCLOTRON_WEAKEN", site),
            Change::Mutate(name) => _ = command.env("CYCLOTRON_MUTANT", name),
        }
        let limit = Duration::from_secs(limits.seconds) + GRACE;
        let Some(is_success) = wait(command.spawn()?, limit)? else { return Ok(Ending::Ended) };
        let words = || last_words(&fs::read(&output).unwrap_or_default());
        let text = fs::read_to_string(&report)?;
        // A test may fail after its model has passed, and then there are two records: the last counts.
        let record = text.lines().next_back().map(serde_json::from_str::<Record>);
        Ok(match record {
            Some(Ok(record)) if is_success || !record.outcome.is_proof() => {
                Ending::Recorded(record)
            }
            Some(Err(error)) => Ending::Unrecorded(format!("its record cannot be read: {error}")),
            _ if is_success => Ending::Unrecorded("it explored nothing".to_owned()),
            _ => Ending::Unrecorded(words()),
        })
    }
}

/// Waits for a process, and says whether it succeeded, or `None` if it had to be ended.
fn wait(mut child: Child, limit: Duration) -> io::Result<Option<bool>> {
    let begun = Instant::now();
    let mut nap = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if begun.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(20));
    }
}

/// The end of what a process said, in one line.
fn last_words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| {
            !line.is_empty() && !line.starts_with("note: ") && !line.starts_with("running ")
        })
        .collect();
    lines[lines.len().saturating_sub(6)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_a_model_is_read() {
        let line = r#"{"protocol":"slot","model":"a","threads":2,"bound":null,"permutations":7,"seconds":0.5,
            "outcome":"complete","message":null,"weakened":0,"sites":[{"place":"a.rs:1:2",
            "operation":"load","role":"only","ordering":"acquire"}],"mutants":["late store"]}"#;
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(record.outcome, Outcome::Complete);
        assert_eq!(record.sites[0].place, "a.rs:1:2");
    }

    #[test]
    fn the_last_words_are_one_line() {
        let words = b"\nrunning 1 test\nthread 'x' panicked at a.rs:1:1:\nbroken\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(last_words(words), "thread 'x' panicked at a.rs:1:1:; broken");
    }
}
