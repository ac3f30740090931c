//! Command line: the verbs, and how each ends.

use crate::{
    check,
    experiment::ExperimentError,
    folder::FolderError,
    list, measure, process, report,
    run::{self, ResumeError, UsageError},
    stress, tour,
};
use anyhow::Context;
use clap::{Parser, Subcommand};
use std::io::{ErrorKind, Write};

/// Run experiments over ways of managing memory, and see what each costs in pauses and leaves behind in bytes
#[derive(Debug, Parser)]
#[command(name = "cyclotron", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const AFTER_HELP: &str = "\
Exit status:
  0    success
  1    a run or a check failed, or something could not be written
  2    bad usage, or a mistake in an experiment
  130  interrupted; the runs that had ended are kept";

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::List),
    Run(run::Run),
    Report(report::Report),
    Check(check::Check),
    Stress(stress::Stress),
    Tour(tour::Tour),
    #[command(name = process::VERB, hide = true)]
    RunOneJob,
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Success = 0,
    /// A run or a check failed, or something could not be written.
    Failed = 1,
    /// The command or the experiment makes no sense.
    Usage = 2,
    /// The user ended it.
    Interrupted = 130,
}

impl Cli {
    /// Does what the command line asks.
    ///
    /// # Errors
    ///
    /// Whatever keeps the verb from doing its work.
    pub fn run(self) -> anyhow::Result<Exit> {
        match self.verb {
            Verb::List(list) => list.run(),
            Verb::Run(run) => run.run(),
            Verb::Report(report) => report.run(),
            Verb::Check(check) => check.run(),
            Verb::Stress(stress) => stress.run(),
            Verb::Tour(tour) => tour.run(),
            Verb::RunOneJob => run_one_job(),
        }
    }
}

impl Exit {
    /// Tells the user what went wrong, and says how the program is to end. A reader that has gone away is no error.
    pub fn report(error: &anyhow::Error) -> Self {
        let closed = |cause: &(dyn std::error::Error + 'static)| {
            cause
                .downcast_ref()
                .is_some_and(|error: &std::io::Error| error.kind() == ErrorKind::BrokenPipe)
        };
        if error.chain().any(closed) {
            return Self::Success;
        }
        // If nobody can be told there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "error: {error:#}");
        let is_folder =
            |error: &FolderError| matches!(error, FolderError::Taken(_) | FolderError::Empty(_));
        let is_usage = match error.downcast_ref() {
            Some(ResumeError::Folder(error)) => is_folder(error),
            Some(_) => true,
            None => {
                error.downcast_ref().is_some_and(is_folder)
                    || error.is::<ExperimentError>()
                    || error.is::<UsageError>()
            }
        };
        if is_usage { Self::Usage } else { Self::Failed }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What the process of one run does: reads a job, runs it, and writes the answer.
fn run_one_job() -> anyhow::Result<Exit> {
    let job = process::receive()
        .context("standard input holds no job, expected a line of JSON from `cyclotron run`")?;
    let answer = serde_json::to_string(&measure::measure(&job)?)?;
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
