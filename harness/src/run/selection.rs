//! Selection: what a command cuts an experiment down to, kept in the folder so that the rest of its runs can be made later.

use super::UsageError;
use crate::experiment::{Experiment, mistake::unknown};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The name of the file that holds it.
pub(super) const FILE: &str = "selection.json";

/// What a command asks for of an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Selection {
    /// Run only these collectors of the experiment
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    collectors: Vec<String>,
    /// Run only these workloads of the experiment
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    workloads: Vec<String>,
    /// Run each configuration this often instead of as often as the experiment says
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    invocations: Option<u32>,
}

/// A selection as a folder keeps it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Kept {
    /// The name of the experiment.
    pub(super) experiment: String,
    /// The command, as another could give it.
    pub(super) command: String,
    /// What it asked for.
    pub(super) selection: Selection,
}

impl Selection {
    /// Cuts an experiment down to what is asked for.
    pub(super) fn apply(&self, experiment: &mut Experiment) -> Result<(), UsageError> {
        let names: Vec<&str> =
            experiment.collectors.iter().map(|choice| choice.name.as_str()).collect();
        check_names("collector", &self.collectors, &names, &experiment.name)?;
        let names: Vec<&str> =
            experiment.workloads.iter().map(|(choice, _)| choice.name.as_str()).collect();
        check_names("workload", &self.workloads, &names, &experiment.name)?;
        let is_wanted =
            |wanted: &[String], name: &String| wanted.is_empty() || wanted.contains(name);
        experiment.collectors.retain(|choice| is_wanted(&self.collectors, &choice.name));
        experiment.workloads.retain(|(choice, _)| is_wanted(&self.workloads, &choice.name));
        experiment.invocations = self.invocations.unwrap_or(experiment.invocations);
        Ok(())
    }

    /// The command as another could give it: without the folder, and without the path to the experiment.
    pub(super) fn command(&self, experiment: &str) -> String {
        let file = Path::new(experiment)
            .file_name()
            .map_or_else(|| experiment.into(), |name| name.to_string_lossy());
        let mut command = format!("cyclotron run {file}");
        if !self.collectors.is_empty() {
            command.push_str(&format!(" --collectors {}", self.collectors.join(",")));
        }
        if !self.workloads.is_empty() {
            command.push_str(&format!(" --workloads {}", self.workloads.join(",")));
        }
        if let Some(invocations) = self.invocations {
            command.push_str(&format!(" --invocations {invocations}"));
        }
        command
    }
}

fn check_names(
    what: &str,
    wanted: &[String],
    known: &[&str],
    experiment: &str,
) -> Result<(), UsageError> {
    match wanted.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let mut known = known.to_vec();
            known.dedup();
            let (message, help) = unknown(what, name, &known);
            Err(UsageError { message: format!("experiment `{experiment}`: {message}"), help })
        }
    }
}
