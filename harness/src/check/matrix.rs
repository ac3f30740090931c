//! Kill matrix: what was wrong on purpose, and which model noticed; printed, kept as JSON and shown on the page.
//!
//! The file that `check --json` writes is this, with `schema` 2. A reader of another version is refused.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{table::Table, units};

/// The version of the file.
pub const SCHEMA: u32 = 2;

/// The file's name in a folder of results.
pub const FILE: &str = "check.json";

/// Everything that a check found, in words and numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// The version of this format.
    pub schema: u32,
    /// Whether nothing failed.
    pub passed: bool,
    /// Whether all models and all faults were tried.
    pub is_whole: bool,
    /// Preemptions in one permutation.
    pub bound: usize,
    /// How long it took.
    pub seconds: f64,
    /// A line a protocol.
    pub protocols: Vec<Protocol>,
    /// A line a collector, with what stands under it.
    pub collectors: Vec<Standing>,
    /// The models.
    pub models: Vec<Explored>,
    /// What was wrong on purpose.
    pub faults: Vec<Fault>,
    /// Where `Relaxed` is used, which nothing can weaken.
    pub relaxed: Vec<String>,
    /// What models rely on and do not check.
    pub trusted: Vec<String>,
    /// What keeps the check from passing.
    pub failures: Vec<String>,
}

/// A protocol: one line of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Its name.
    pub protocol: String,
    /// How many models it has.
    pub models: usize,
    /// The most threads in one permutation.
    pub threads: usize,
    /// Permutations of all models.
    pub permutations: u64,
    /// How far they were explored: how many `complete`, `bounded(2)`, `TRUNCATED`, `FAILED`.
    pub explored: String,
    /// What became of its faults.
    pub verdicts: Verdicts,
    /// Seconds spent on its models.
    pub seconds: f64,
}

/// A collector, and what stands under it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub collector: String,
    /// The protocols under it.
    pub protocols: Vec<String>,
    /// Models of them.
    pub models: usize,
    /// Permutations of these.
    pub permutations: u64,
    /// What became of the faults in the sources under it.
    pub verdicts: Verdicts,
}

/// How many faults ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// Weakened orderings that a model noticed.
    pub caught: usize,
    /// Those that none noticed, for a reason that is written down.
    pub justified: usize,
    /// Those that none noticed.
    pub survived: usize,
    /// Seeded mistakes.
    pub mistakes: usize,
    /// Those that a model noticed.
    pub mistakes_caught: usize,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explored {
    /// Its name, with its module.
    pub model: String,
    /// Its protocol.
    pub protocol: String,
    /// The most threads in one permutation.
    pub threads: usize,
    /// Permutations.
    pub permutations: u64,
    /// `complete`, `bounded(2)`, `TRUNCATED` or `FAILED`.
    pub explored: String,
    /// Seconds of all its explorations.
    pub seconds: f64,
    /// Why it failed, if it did.
    pub message: Option<String>,
    /// What it was the first to notice.
    pub caught: Vec<String>,
}

/// Something that was wrong on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The protocol that it is about.
    pub protocol: String,
    /// What it is.
    pub kind: Kind,
    /// What was wrong, and where.
    pub fault: String,
    /// What came of it.
    pub verdict: Verdict,
    /// The model that noticed, or the reason why none need, or why it is not known.
    pub detail: Option<String>,
}

/// What a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An ordering is weaker than written.
    Ordering,
    /// An ordering that no model uses.
    Unreached,
    /// A mistake that the source keeps for this purpose.
    Mistake,
}

/// What came of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A model noticed.
    Caught,
    /// None did, for a reason that is written down.
    Justified,
    /// None did.
    Survived,
    /// One did, though a reason is written down why none does.
    Stale,
    /// It is not known.
    Undecided,
}

/// Why a kept check cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// It cannot be read.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is something else, or of another version.
    #[error(
        "`{path}` is no check of schema {SCHEMA}: {reason}\nhelp: make it with `cyclotron check --json {path}`"
    )]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Matrix {
    /// Reads what `check --json` has written.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is of another version.
    pub fn read(path: &Path) -> Result<Self, MatrixError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|source| MatrixError::Unreadable { path: shown.clone(), source })?;
        let malformed = |reason| MatrixError::Malformed { path: shown.clone(), reason };
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if value["schema"] != SCHEMA {
            return Err(malformed(format!("its schema is {}", value["schema"])));
        }
        serde_json::from_value(value).map_err(|error| malformed(error.to_string()))
    }

    /// The tables, what is trusted, and every failure.
    pub fn text(&self) -> String {
        let mut text = self.protocol_table();
        text.push_str(&format!(
            "\n{} permutations of {}; {} and {}; {:.0} s\n\n",
            units::count(self.models.iter().map(|model| model.permutations).sum()),
            units::counted(self.models.len() as u64, "model", "models"),
            units::counted(self.count(false), "weakened ordering", "weakened orderings"),
            units::counted(self.count(true), "seeded mistake", "seeded mistakes"),
            self.seconds
        ));
        if !self.faults.is_empty() {
            text.push_str(&self.fault_table());
            text.push('\n');
        }
        if !self.collectors.is_empty() {
            text.push_str(&self.collector_table());
        }
        text.push_str("\ntrusted, not checked here:\n");
        self.trusted.iter().for_each(|trusted| text.push_str(&format!("  {trusted}\n")));
        self.failures.iter().for_each(|failure| text.push_str(&format!("\nfailed: {failure}\n")));
        if !self.failures.is_empty() {
            let count = units::counted(self.failures.len() as u64, "failure", "failures");
            text.push_str(&format!(
                "\n{count}\nhelp: an ordering that is not caught needs a model, a weaker ordering, or a reason in \
                 `collectors/orderings.toml`\n"
            ));
        }
        text
    }

    fn count(&self, mistakes: bool) -> u64 {
        let is_it = |fault: &&Fault| (fault.kind == Kind::Mistake) == mistakes;
        self.faults.iter().filter(is_it).count() as u64
    }

    fn protocol_table(&self) -> String {
        let columns = [
            "protocol",
            ">models",
            ">threads",
            ">permutations",
            "explored",
            ">caught",
            ">justified",
            ">survived",
            ">mistakes",
            ">time",
        ];
        let mut table = Table::new(&columns);
        for line in &self.protocols {
            let cells = [
                line.protocol.clone(),
                line.models.to_string(),
                line.threads.to_string(),
                units::count(line.permutations),
                line.explored.clone(),
            ];
            let time = format!("{:.1} s", line.seconds);
            table.row(cells.into_iter().chain(line.verdicts.cells()).chain([time]));
        }
        table.render()
    }

    fn fault_table(&self) -> String {
        let mut table = Table::new(&["protocol", "wrong on purpose", "", "by"]);
        for fault in &self.faults {
            let Fault { protocol, fault: what, .. } = fault;
            table.row([protocol.clone(), what.clone(), fault.word().to_owned(), fault.by()]);
        }
        table.render()
    }

    fn collector_table(&self) -> String {
        let columns = [
            "collector",
            ">models",
            ">permutations",
            ">caught",
            ">justified",
            ">survived",
            ">mistakes",
            "stands on",
        ];
        let mut table = Table::new(&columns);
        for line in &self.collectors {
            let cells =
                [line.collector.clone(), line.models.to_string(), units::count(line.permutations)];
            let protocols = line.protocols.join(", ");
            table.row(cells.into_iter().chain(line.verdicts.cells()).chain([protocols]));
        }
        table.render()
    }
}

impl Verdicts {
    /// Counts a fault.
    pub fn count(&mut self, fault: &Fault) {
        match (fault.kind, fault.verdict) {
            (Kind::Mistake, verdict) => {
                self.mistakes += 1;
                self.mistakes_caught += usize::from(verdict == Verdict::Caught);
            }
            (_, Verdict::Caught) => self.caught += 1,
            (_, Verdict::Justified) => self.justified += 1,
            (_, Verdict::Survived | Verdict::Stale | Verdict::Undecided) => self.survived += 1,
        }
    }

    /// Orderings caught, justified, survived, and mistakes caught of those seeded.
    pub fn cells(&self) -> [String; 4] {
        let Self { caught, justified, survived, mistakes, mistakes_caught } = self;
        [
            caught.to_string(),
            justified.to_string(),
            survived.to_string(),
            format!("{mistakes_caught}/{mistakes}"),
        ]
    }
}

impl Fault {
    /// What came of it, in a word.
    pub fn word(&self) -> &'static str {
        match self.verdict {
            Verdict::Caught => "caught",
            Verdict::Justified => "justified",
            Verdict::Survived => "SURVIVED",
            Verdict::Stale => "STALE",
            Verdict::Undecided => "UNDECIDED",
        }
    }

    /// The sentence that the model proves which noticed it, or the reason.
    pub fn by(&self) -> String {
        let detail = self.detail.as_deref().unwrap_or_default();
        match self.verdict {
            Verdict::Caught | Verdict::Stale => {
                detail.rsplit("::").next().unwrap_or(detail).replace('_', " ")
            }
            _ => detail.to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A check of one protocol, as `check --json` would have written it.
    pub(crate) fn matrix() -> Matrix {
        let fault = Fault {
            protocol: "count".to_owned(),
            kind: Kind::Ordering,
            fault: "count.rs:7: `fetch_sub` release made relaxed in `drop`".to_owned(),
            verdict: Verdict::Caught,
            detail: Some("count::models::of_two_one_drops_last".to_owned()),
        };
        let mut verdicts = Verdicts::default();
        verdicts.count(&fault);
        Matrix {
            schema: SCHEMA,
            passed: true,
            is_whole: true,
            bound: 2,
            seconds: 1.5,
            protocols: vec![Protocol {
                protocol: "count".to_owned(),
                models: 1,
                threads: 2,
                permutations: 1_234,
                explored: "1 complete".to_owned(),
                verdicts,
                seconds: 0.5,
            }],
            collectors: vec![Standing {
                collector: "refcount".to_owned(),
                protocols: vec!["count".to_owned()],
                models: 1,
                permutations: 1_234,
                verdicts,
            }],
            models: Vec::new(),
            faults: vec![fault],
            relaxed: Vec::new(),
            trusted: vec!["the model checker".to_owned()],
            failures: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_is_read_again_and_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let text = serde_json::to_string(&matrix()).unwrap();
        fs::write(&path, &text).unwrap();
        assert_eq!(Matrix::read(&path).unwrap(), matrix());
        fs::write(&path, text.replace("\"schema\":2", "\"schema\":1")).unwrap();
        let refused = Matrix::read(&path).unwrap_err().to_string();
        assert!(refused.contains("its schema is 1") && refused.contains("help: "), "{refused}");
    }

    #[test]
    fn the_text_names_the_model_that_caught_a_fault_and_the_protocols_under_a_collector() {
        let text = matrix().text();
        let line = text.lines().find(|line| line.contains("made relaxed")).unwrap();
        assert!(line.ends_with("caught  of two one drops last"), "{line}");
        let line = text.lines().find(|line| line.starts_with("refcount")).unwrap();
        assert!(line.ends_with("0/0  count"), "{line}");
    }
}
