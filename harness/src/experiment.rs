//! Experiment: a question, and the runs that answer it, read from a strict TOML file.
//!
//! Nothing is guessed: an unknown key, name, setting or parameter is a mistake, shown at its place with what was expected.

mod choices;
mod file;
pub mod mistake;
mod sweep;

use crate::job::{Job, Limits};
use collectors::{Collector, Reclaims, WithCollector, with_collector};
use mistake::{Mistake, unknown};
use serde::Deserialize;
use std::{fs, path::Path};

/// The experiments that are built into the program, by name.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("quick", include_str!("../experiments/quick.toml")),
    ("pauses-and-leaks", include_str!("../experiments/pauses-and-leaks.toml")),
    ("thresholds", include_str!("../experiments/thresholds.toml")),
    ("scaling", include_str!("../experiments/scaling.toml")),
    ("concurrent", include_str!("../experiments/concurrent.toml")),
    ("under-collection", include_str!("../experiments/under-collection.toml")),
    ("beside-a-million", include_str!("../experiments/beside-a-million.toml")),
];

/// Pauses of at least this are kept one by one, unless the experiment says otherwise.
const DEFAULT_PAUSE_FLOOR_NS: u64 = 10_000;

/// Seeds above this would be read as another number by programs that hold JSON numbers as doubles.
const LARGEST_SEED: u64 = (1 << 53) - 1;

/// A question and everything needed to answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its name: that of its file, without the ending.
    pub name: String,
    /// The file as it was read, to be kept beside the answers.
    pub text: String,
    /// The question, in prose.
    pub question: String,
    /// The seed of the workloads and of the order of runs.
    pub seed: u64,
    /// How often each configuration runs.
    pub invocations: u32,
    /// Pauses shorter than this are counted and not kept, in nanoseconds.
    pub pause_floor_ns: u64,
    /// Which runs are made under the audit besides.
    pub audit: Audit,
    /// What a run may use at most.
    pub limits: Limits,
    /// Seconds after which an audited run is ended.
    pub audit_seconds: u64,
    /// The collectors, each with all its settings; one that is swept is listed with every combination of them.
    pub collectors: Vec<Choice>,
    /// The workloads, each with all its parameters and its threads, likewise.
    pub workloads: Vec<(Choice, usize)>,
}

/// Which runs are made under the audit, which knows exactly what is dead and when it died.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audit {
    /// None: of no run is it known what floats.
    None,
    /// One of each workload, under the first collector that frees everything: what is live is the same under all.
    #[default]
    Workload,
    /// One of each configuration: every kind of leak is told apart under every collector.
    Every,
}

/// A collector or workload by name, with its settings or parameters in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its name in the list.
    pub name: String,
    /// Every setting or parameter, defaults included.
    pub values: serde_json::Value,
}

/// Why there is no experiment to run.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The file cannot be read.
    #[error("cannot read experiment `{path}`")]
    Unreadable {
        /// Which file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is neither a file nor the name of an experiment that is built in.
    #[error("there is no experiment `{name}`: {message}\nhelp: {help}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What exists.
        message: String,
        /// What to do.
        help: String,
    },
    /// The file says something that makes no sense.
    #[error(transparent)]
    Mistake(#[from] Box<Mistake>),
}

impl Experiment {
    /// The experiment in a file, or the one of that name that is built in.
    ///
    /// # Errors
    ///
    /// If there is no such experiment, its file cannot be read, or something in it is wrong.
    pub fn find(name: &str) -> Result<Self, ExperimentError> {
        let is_path =
            name.contains(['/', '\\']) || name.ends_with(".toml") || Path::new(name).is_file();
        if !is_path {
            return Self::embedded(name);
        }
        let read = fs::read_to_string(name);
        let text =
            read.map_err(|source| ExperimentError::Unreadable { path: name.to_owned(), source })?;
        let stem =
            Path::new(name).file_stem().map_or_else(|| name.into(), |stem| stem.to_string_lossy());
        Ok(Self::parse(&stem, name, &text)?)
    }

    /// The experiment of that name that is built in.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn embedded(name: &str) -> Result<Self, ExperimentError> {
        if let Some((name, text)) = EMBEDDED.iter().find(|(known, _)| *known == name) {
            return Ok(Self::parse(name, name, text)?);
        }
        let known: Vec<&str> = EMBEDDED.iter().map(|(known, _)| *known).collect();
        let (message, hint) = unknown("name", name, &known);
        let help = hint.unwrap_or_else(|| {
            "give the path of a file to run an experiment of your own".to_owned()
        });
        Err(ExperimentError::Unknown { name: name.to_owned(), message, help })
    }

    /// Reads an experiment from text; `shown` is what messages call it.
    ///
    /// # Errors
    ///
    /// The first mistake in it, with its place.
    pub fn parse(name: &str, shown: &str, text: &str) -> Result<Self, Box<Mistake>> {
        file::parse(name, shown, text)
    }

    /// Every collector on every workload.
    pub fn configurations(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for workload in &self.workloads {
            for collector in &self.collectors {
                jobs.push(self.job(collector, workload));
            }
        }
        jobs
    }

    /// The runs that are made under the audit.
    pub fn audits(&self) -> Vec<Job> {
        let limits = Limits { seconds: self.audit_seconds, ..self.limits };
        let audited = |job: Job| Job { audited: true, limits, ..job };
        match self.audit {
            Audit::None => Vec::new(),
            Audit::Workload => {
                let auditor = self.collectors.iter().find(|choice| reclaims_everything(choice));
                let Some(auditor) = auditor.or(self.collectors.first()) else { return Vec::new() };
                self.workloads.iter().map(|workload| audited(self.job(auditor, workload))).collect()
            }
            Audit::Every => self.configurations().into_iter().map(audited).collect(),
        }
    }

    fn job(&self, collector: &Choice, (workload, threads): &(Choice, usize)) -> Job {
        Job {
            collector: collector.name.clone(),
            settings: collector.values.clone(),
            workload: workload.name.clone(),
            parameters: workload.values.clone(),
            threads: *threads,
            seed: self.seed,
            pause_floor_ns: self.pause_floor_ns,
            audited: false,
            limits: self.limits,
        }
    }
}

/// Whether the collector promises to free everything that is dead.
fn reclaims_everything(choice: &Choice) -> bool {
    struct Promises;

    impl WithCollector for Promises {
        type Output = bool;

        fn run<C: Collector>(self) -> bool {
            C::CAPABILITIES.reclaims == Reclaims::Everything
        }
    }

    with_collector(&choice.name, Promises).unwrap_or_default()
}

#[cfg(test)]
mod tests;
