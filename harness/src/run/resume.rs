//! Resumption: what a folder says of the experiment whose runs it holds, and which of them are missing.

use super::{
    Undertaking,
    selection::{self, Kept},
};
use crate::{
    environment::Environment,
    experiment::{Experiment, ExperimentError},
    folder::{self, FolderError},
    plan::{self, Step},
    record::{Question, Record},
    units,
};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// Why runs cannot be added to a folder.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// What the runs are of is not there.
    #[error("cannot read `{}`, which says what the runs of this folder are\nhelp: without it they cannot be completed; begin anew with `--out`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What was selected of the experiment cannot be understood.
    #[error("`{}` does not say which runs were selected ({source})\nhelp: without it they cannot be completed; begin anew with `--out`", .path.display())]
    Selection {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A run is not one of the experiment.
    #[error("run {position} in `{}`, `{collector}` on `{workload}`, is not one of the experiment that its `experiment.toml` describes\nhelp: one of them has been changed since; begin anew with `--out`", .path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The run's place in its order.
        position: usize,
        /// Its collector.
        collector: String,
        /// Its workload.
        workload: String,
    },
    /// The experiment that the folder holds makes no sense to this program.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Reads what was begun in a folder.
pub(super) fn read(path: &Path) -> Result<Undertaking, ResumeError> {
    let read = folder::read_any(path)?;
    let file = path.join(selection::FILE);
    let text = text_of(&file)?;
    let kept: Kept = serde_json::from_str(&text)
        .map_err(|source| ResumeError::Selection { path: file, source })?;
    let file = path.join("experiment.toml");
    let text = text_of(&file)?;
    let mut experiment = Experiment::parse(&kept.experiment, &file.display().to_string(), &text)
        .map_err(ExperimentError::Mistake)?;
    // The names were those of this experiment when they were kept; if they no longer are, its runs are not either.
    let _ = kept.selection.apply(&mut experiment);
    let steps = plan::steps(&experiment);
    let mut is_made = vec![false; steps.len()];
    let mut records = Vec::with_capacity(read.records.len());
    for record in read.records {
        let index = record.order.position.wrapping_sub(1);
        let is_of_step = |step: &&Step| is_of(&record, step, &experiment.name);
        if steps.get(index).filter(is_of_step).is_none() {
            return Err(ResumeError::Foreign {
                path: path.to_owned(),
                position: record.order.position,
                collector: record.collector,
                workload: record.workload,
            });
        }
        if !std::mem::replace(&mut is_made[index], true) {
            records.push(record);
        }
    }
    let mut warnings = read.skipped;
    warnings.extend(differences(&records, &Environment::capture()));
    let planned = steps.len();
    let missing = steps.into_iter().zip(is_made).filter(|(_, is_made)| !is_made);
    Ok(Undertaking {
        question: Question {
            name: experiment.name.clone(),
            question: experiment.question.clone(),
            command: kept.command.clone(),
        },
        experiment,
        kept,
        steps: missing.map(|(step, _)| step).collect(),
        planned,
        records,
        warnings,
    })
}

fn text_of(file: &Path) -> Result<String, ResumeError> {
    fs::read_to_string(file)
        .map_err(|source| ResumeError::Unreadable { path: file.to_owned(), source })
}

/// Whether a record is that of a step of the experiment of that name.
fn is_of(record: &Record, step: &Step, experiment: &str) -> bool {
    let job = &step.job;
    record.experiment.name == experiment
        && record.order == step.order
        && (&record.collector, &record.settings) == (&job.collector, &job.settings)
        && (&record.workload, &record.parameters) == (&job.workload, &job.parameters)
        && (record.threads, record.seed) == (job.threads, job.seed)
        && (record.invocation, record.audited) == (step.invocation, job.audited)
}

/// What has changed since the runs were made, so that those to come may not compare with them.
fn differences(records: &[Record], now: &Environment) -> Vec<String> {
    type Part = fn(&Environment) -> &String;
    let others = |of: Part| {
        let others: BTreeSet<&String> = records
            .iter()
            .map(|record| of(&record.environment))
            .filter(|value| *value != of(now))
            .collect();
        let told: Vec<String> = others.iter().map(|value| format!("`{value}`")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    };
    let parts: [(&str, Part); 3] = [
        ("commit", |environment| &environment.commit),
        ("CPU", |environment| &environment.cpu),
        ("build", |environment| &environment.build),
    ];
    let runs = units::counted(records.len() as u64, "run", "runs");
    let differ = parts.into_iter().filter_map(|(what, of)| {
        let others = others(of)?;
        Some(format!(
            "among the {runs} made before are some of another {what} ({others}; now it is `{}`): \
             differences between runs may come from that",
            of(now)
        ))
    });
    differ.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn another_commit_and_another_cpu_are_warned_of() {
        let records = synthetic::records();
        let mut now = records[0].environment.clone();
        assert!(differences(&records, &now).is_empty());
        now.commit = "fedcba987654".to_owned();
        now.cpu = "Another CPU".to_owned();
        assert_eq!(
            differences(&records, &now),
            [
                "among the 18 runs made before are some of another commit (`0123456789ab`; now it is `fedcba987654`): \
                 differences between runs may come from that",
                "among the 18 runs made before are some of another CPU (`Synthetic CPU`; now it is `Another CPU`): \
                 differences between runs may come from that"
            ]
        );
    }
}
