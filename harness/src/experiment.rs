//! Experiment: a question, and the runs that answer it, read from a strict TOML file.
//!
//! Nothing is guessed: an unknown key, name, setting or parameter is a mistake, shown at its place with what was expected.

mod choices;
pub mod mistake;

use crate::job::{Job, Limits};
use mistake::{Mistake, Place, unknown};
use serde::Deserialize;
use std::{fs, ops::Range, path::Path};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The experiments that are built into the program, by name.
pub const EMBEDDED: &[(&str, &str)] = &[("quick", include_str!("../experiments/quick.toml"))];

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
    /// What a run may use at most.
    pub limits: Limits,
    /// The collectors, each with all its settings.
    pub collectors: Vec<Choice>,
    /// The workloads, each with all its parameters and its threads.
    pub workloads: Vec<(Choice, usize)>,
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
        let reader = Reader { shown, text };
        let file: File = toml::from_str(text).map_err(|error| reader.toml(&error))?;
        let table = DeTable::parse(text).map_err(|error| reader.toml(&error))?;
        reader.check_numbers(&file)?;
        let mut collectors: Vec<Choice> = Vec::new();
        for (index, listed) in file.collectors.iter().enumerate() {
            let settings = nested(table.get_ref(), "collectors", index, "settings");
            let values = choices::settings(listed.name.get_ref(), settings)
                .map_err(|wrong| reader.wrong(listed.name.span(), wrong))?;
            let choice = Choice { name: listed.name.get_ref().clone(), values };
            if collectors.contains(&choice) {
                return Err(reader.twice(&listed.name));
            }
            collectors.push(choice);
        }
        let mut workloads: Vec<(Choice, usize)> = Vec::new();
        for (index, listed) in file.workloads.iter().enumerate() {
            let parameters = nested(table.get_ref(), "workloads", index, "parameters");
            let values = choices::parameters(listed.name.get_ref(), parameters)
                .map_err(|wrong| reader.wrong(listed.name.span(), wrong))?;
            let threads = listed.threads.as_ref().map_or(1, |threads| *threads.get_ref());
            let choice = (Choice { name: listed.name.get_ref().clone(), values }, threads);
            if workloads.contains(&choice) {
                return Err(reader.twice(&listed.name));
            }
            workloads.push(choice);
        }
        Ok(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            question: file.question.get_ref().trim().to_owned(),
            seed: *file.seed.get_ref(),
            invocations: *file.invocations.get_ref(),
            pause_floor_ns: file.pause_floor_ns.unwrap_or(DEFAULT_PAUSE_FLOOR_NS),
            limits: Limits {
                seconds: *file.limits.seconds.get_ref(),
                heap_bytes: *file.limits.heap_mib.get_ref() << 20,
            },
            collectors,
            workloads,
        })
    }

    /// Every collector on every workload.
    pub fn configurations(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (workload, threads) in &self.workloads {
            for collector in &self.collectors {
                jobs.push(Job {
                    collector: collector.name.clone(),
                    settings: collector.values.clone(),
                    workload: workload.name.clone(),
                    parameters: workload.values.clone(),
                    threads: *threads,
                    seed: self.seed,
                    pause_floor_ns: self.pause_floor_ns,
                    limits: self.limits,
                });
            }
        }
        jobs
    }
}

/// The file, key by key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    question: Spanned<String>,
    seed: Spanned<u64>,
    invocations: Spanned<u32>,
    pause_floor_ns: Option<u64>,
    limits: LimitsTable,
    collectors: Vec<CollectorTable>,
    workloads: Vec<WorkloadTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LimitsTable {
    seconds: Spanned<u64>,
    heap_mib: Spanned<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CollectorTable {
    name: Spanned<String>,
    #[serde(rename = "settings")]
    _settings: Option<toml::Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WorkloadTable {
    name: Spanned<String>,
    threads: Option<Spanned<usize>>,
    #[serde(rename = "parameters")]
    _parameters: Option<toml::Table>,
}

/// What is being read, for messages.
struct Reader<'a> {
    shown: &'a str,
    text: &'a str,
}

impl Reader<'_> {
    fn check_numbers(&self, file: &File) -> Result<(), Box<Mistake>> {
        self.check(
            &file.question,
            |question| !question.trim().is_empty(),
            "`question` is empty, expected what the experiment asks, in prose",
        )?;
        self.check(
            &file.seed,
            |seed| *seed <= LARGEST_SEED,
            "`seed` is too large, expected at most 9007199254740991",
        )?;
        self.check(
            &file.invocations,
            |number| (1..=1_000).contains(number),
            "`invocations` is out of range, expected 1 to 1000",
        )?;
        self.check(
            &file.limits.seconds,
            |seconds| (1..=3_600).contains(seconds),
            "`seconds` is out of range, expected 1 to 3600",
        )?;
        self.check(
            &file.limits.heap_mib,
            |mib| (1..=1 << 20).contains(mib),
            "`heap-mib` is out of range, expected 1 to 1048576",
        )?;
        for threads in file.workloads.iter().filter_map(|workload| workload.threads.as_ref()) {
            self.check(
                threads,
                |threads| (1..=256).contains(threads),
                "`threads` is out of range, expected 1 to 256",
            )?;
        }
        let missing = |what| {
            Box::new(self.mistake(
                None,
                format!("no {what}, expected at least one `[[{what}]]`"),
                None,
            ))
        };
        if file.collectors.is_empty() {
            return Err(missing("collectors"));
        }
        if file.workloads.is_empty() {
            return Err(missing("workloads"));
        }
        Ok(())
    }

    fn check<T>(
        &self,
        value: &Spanned<T>,
        holds: impl Fn(&T) -> bool,
        message: &str,
    ) -> Result<(), Box<Mistake>> {
        if holds(value.get_ref()) {
            return Ok(());
        }
        Err(Box::new(self.mistake(Some(value.span()), message.to_owned(), None)))
    }

    fn toml(&self, error: &toml::de::Error) -> Box<Mistake> {
        Box::new(self.mistake(error.span(), error.message().to_owned(), None))
    }

    fn wrong(&self, name: Range<usize>, wrong: choices::Wrong) -> Box<Mistake> {
        Box::new(self.mistake(Some(wrong.span.unwrap_or(name)), wrong.message, wrong.help))
    }

    fn twice(&self, name: &Spanned<String>) -> Box<Mistake> {
        let message = format!(
            "`{}` is listed twice with the same values, expected each configuration once",
            name.get_ref()
        );
        Box::new(self.mistake(
            Some(name.span()),
            message,
            Some("raise `invocations` to run it more often".to_owned()),
        ))
    }

    fn mistake(
        &self,
        span: Option<Range<usize>>,
        message: String,
        help: Option<String>,
    ) -> Mistake {
        let place = span.map(|span| Place::of(self.text, &span));
        Mistake { experiment: self.shown.to_owned(), place, message, help }
    }
}

/// The value of `key` in the table that is at `index` of the array `list`.
fn nested<'t, 'i>(
    table: &'t DeTable<'i>,
    list: &str,
    index: usize,
    key: &str,
) -> Option<&'t Spanned<DeValue<'i>>> {
    table.get(list)?.get_ref().get(index)?.get_ref().get(key)
}

#[cfg(test)]
mod tests;
