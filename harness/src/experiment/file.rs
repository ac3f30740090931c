//! Experiment file: its keys, their ranges, and what is said of a mistake.

use super::{
    Audit, Choice, DEFAULT_PAUSE_FLOOR_NS, Experiment, LARGEST_SEED, choices,
    mistake::{Mistake, Place},
    sweep::Sweep,
};
use crate::job::Limits;
use serde::Deserialize;
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The most configurations of an experiment: more would take days.
const MOST_CONFIGURATIONS: usize = 10_000;

/// An audited run may take so many times as long as a timed one, unless the experiment says otherwise.
const AUDIT_TIMES: u64 = 10;

/// The longest limit of time, in seconds.
const LONGEST_SECONDS: u64 = 3_600;

/// What a process may hold besides its heap and as much again for side tables, unless the experiment says otherwise.
const DEFAULT_PROCESS_MIB: u64 = 1_024;

/// The file, key by key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    question: Spanned<String>,
    seed: Spanned<u64>,
    invocations: Spanned<u32>,
    pause_floor_ns: Option<u64>,
    #[serde(default)]
    audit: Audit,
    limits: LimitsTable,
    collectors: Vec<CollectorTable>,
    workloads: Vec<WorkloadTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LimitsTable {
    seconds: Spanned<u64>,
    audit_seconds: Option<Spanned<u64>>,
    heap_mib: Spanned<u64>,
    process_mib: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CollectorTable {
    name: Spanned<String>,
    #[serde(rename = "settings")]
    _settings: Option<toml::Table>,
    #[serde(rename = "sweep")]
    _sweep: Option<toml::Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WorkloadTable {
    name: Spanned<String>,
    threads: Option<Spanned<usize>>,
    #[serde(rename = "parameters")]
    _parameters: Option<toml::Table>,
    #[serde(rename = "sweep")]
    _sweep: Option<toml::Table>,
}

/// Reads an experiment from text; `shown` is what messages call it.
pub(super) fn parse(name: &str, shown: &str, text: &str) -> Result<Experiment, Box<Mistake>> {
    let reader = Reader { shown, text };
    let file: File = toml::from_str(text).map_err(|error| reader.toml(&error))?;
    let table = DeTable::parse(text).map_err(|error| reader.toml(&error))?;
    reader.check_numbers(&file)?;
    let mut collectors = Vec::new();
    for (index, listed) in file.collectors.iter().enumerate() {
        reader.collectors(table.get_ref(), index, &listed.name, &mut collectors)?;
    }
    let mut workloads = Vec::new();
    for (index, listed) in file.workloads.iter().enumerate() {
        reader.workloads(table.get_ref(), index, listed, &mut workloads)?;
    }
    let configurations = collectors.len().saturating_mul(workloads.len());
    if configurations > MOST_CONFIGURATIONS {
        return Err(Box::new(reader.mistake(None, too_many(configurations), None)));
    }
    let LimitsTable { seconds, audit_seconds, heap_mib, process_mib } = &file.limits;
    let (seconds, heap_mib) = (*seconds.get_ref(), *heap_mib.get_ref());
    let audit_seconds = audit_seconds
        .as_ref()
        .map_or((AUDIT_TIMES * seconds).min(LONGEST_SECONDS), |limit| *limit.get_ref());
    let process_mib =
        process_mib.as_ref().map_or(2 * heap_mib + DEFAULT_PROCESS_MIB, |limit| *limit.get_ref());
    Ok(Experiment {
        name: name.to_owned(),
        text: text.to_owned(),
        question: file.question.get_ref().trim().to_owned(),
        seed: *file.seed.get_ref(),
        invocations: *file.invocations.get_ref(),
        pause_floor_ns: file.pause_floor_ns.unwrap_or(DEFAULT_PAUSE_FLOOR_NS),
        audit: file.audit,
        limits: Limits { seconds, heap_bytes: heap_mib << 20, process_bytes: process_mib << 20 },
        audit_seconds,
        collectors,
        workloads,
    })
}

/// What is being read, for messages.
struct Reader<'a> {
    shown: &'a str,
    text: &'a str,
}

impl Reader<'_> {
    /// Adds every combination of settings that the collector at `index` is listed with.
    fn collectors(
        &self,
        table: &DeTable<'_>,
        index: usize,
        name: &Spanned<String>,
        known: &mut Vec<Choice>,
    ) -> Result<(), Box<Mistake>> {
        let wrong = |wrong| self.wrong(name.span(), wrong);
        let sweep = Sweep::read(nested(table, "collectors", index, "sweep")).map_err(wrong)?;
        self.check_len(name, sweep.len())?;
        let given = nested(table, "collectors", index, "settings");
        for combination in sweep.combinations(given, "settings").map_err(wrong)? {
            let values =
                choices::settings(name.get_ref(), combination.values.as_ref()).map_err(wrong)?;
            let choice = Choice { name: name.get_ref().clone(), values };
            if known.contains(&choice) {
                return Err(self.twice(name, combination.span));
            }
            known.push(choice);
        }
        Ok(())
    }

    /// Adds every combination of parameters and threads that the workload at `index` is listed with.
    fn workloads(
        &self,
        table: &DeTable<'_>,
        index: usize,
        listed: &WorkloadTable,
        known: &mut Vec<(Choice, usize)>,
    ) -> Result<(), Box<Mistake>> {
        let name = &listed.name;
        let wrong = |wrong| self.wrong(name.span(), wrong);
        let mut sweep = Sweep::read(nested(table, "workloads", index, "sweep")).map_err(wrong)?;
        let swept = sweep.take_threads().map_err(wrong)?;
        let threads = match (&listed.threads, swept) {
            (Some(threads), Some(_)) => {
                let message = "`threads` is in `sweep` too, expected it in one of the two";
                return Err(Box::new(self.mistake(Some(threads.span()), message.to_owned(), None)));
            }
            (None, Some(swept)) => swept,
            (Some(threads), None) => vec![threads.clone()],
            (None, None) => vec![Spanned::new(name.span(), 1)],
        };
        for threads in &threads {
            self.check(
                threads,
                |threads| (1..=256).contains(threads),
                "`threads` is out of range, expected 1 to 256",
            )?;
        }
        self.check_len(name, sweep.len().saturating_mul(threads.len()))?;
        let given = nested(table, "workloads", index, "parameters");
        for combination in sweep.combinations(given, "parameters").map_err(wrong)? {
            let values =
                choices::parameters(name.get_ref(), combination.values.as_ref()).map_err(wrong)?;
            for threads in &threads {
                let choice = Choice { name: name.get_ref().clone(), values: values.clone() };
                let choice = (choice, *threads.get_ref());
                if known.contains(&choice) {
                    let span = combination.span.clone().or(Some(threads.span()));
                    return Err(self.twice(name, span));
                }
                known.push(choice);
            }
        }
        Ok(())
    }

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
        self.check_limits(&file.limits)?;
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

    fn check_limits(&self, limits: &LimitsTable) -> Result<(), Box<Mistake>> {
        let is_time = |seconds: &u64| (1..=LONGEST_SECONDS).contains(seconds);
        self.check(&limits.seconds, is_time, "`seconds` is out of range, expected 1 to 3600")?;
        if let Some(seconds) = &limits.audit_seconds {
            self.check(seconds, is_time, "`audit-seconds` is out of range, expected 1 to 3600")?;
        }
        let is_size = |mib: &u64| (1..=1 << 20).contains(mib);
        self.check(&limits.heap_mib, is_size, "`heap-mib` is out of range, expected 1 to 1048576")?;
        if let Some(mib) = &limits.process_mib {
            self.check(mib, is_size, "`process-mib` is out of range, expected 1 to 1048576")?;
        }
        Ok(())
    }

    fn check_len(&self, name: &Spanned<String>, len: usize) -> Result<(), Box<Mistake>> {
        self.check(
            &Spanned::new(name.span(), len),
            |len| *len <= MOST_CONFIGURATIONS,
            &too_many(len),
        )
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

    fn twice(&self, name: &Spanned<String>, span: Option<Range<usize>>) -> Box<Mistake> {
        let message = format!(
            "`{}` is listed twice with the same values, expected each configuration once",
            name.get_ref()
        );
        Box::new(self.mistake(
            span.or(Some(name.span())),
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

fn too_many(configurations: usize) -> String {
    format!("{configurations} configurations, expected at most {MOST_CONFIGURATIONS}")
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
