//! The verb `run`: makes every run of an experiment, records each, and ends with a report.

mod estimate;
mod make;
mod preview;
mod progress;
mod resume;
mod selection;

pub use resume::ResumeError;

use crate::{
    cli::Exit,
    environment::Environment,
    experiment::Experiment,
    folder::Folder,
    plan::{self, Step},
    record::{Question, Record, Status},
    report,
    results::Results,
    table, units,
};
use anyhow::Context;
use clap::Args;
use estimate::History;
use preview::Detail;
use selection::{Kept, Selection};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Where folders of results go, and where earlier ones are looked for.
const RESULTS: &str = "results";

/// Run an experiment and end with a report of pauses beside leaked bytes
#[derive(Debug, Args)]
pub struct Run {
    /// The name of an experiment that is built in, or the path of a TOML file
    #[arg(default_value = "quick")]
    experiment: String,
    /// Where to put records, charts and report; a new folder in `results` if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Make the runs that are missing in a folder: after an interruption, a full disk, a loss of records
    #[arg(long, value_name = "DIR", conflicts_with_all = ["experiment", "out", "collectors", "workloads", "invocations"])]
    resume: Option<PathBuf>,
    /// Show what would be run and how long it would take, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// With `--dry-run`, show every run of a long plan
    #[arg(long, requires = "dry_run")]
    verbose: bool,
    #[command(flatten)]
    selection: Selection,
}

/// A command that makes no sense for its experiment.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}", help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default())]
pub struct UsageError {
    message: String,
    help: Option<String>,
}

impl UsageError {
    /// What is wrong, and what to do if that is known.
    pub fn new(message: String, help: Option<String>) -> Self {
        Self { message, help }
    }
}

/// An experiment, what has been made of it, and what has not.
#[derive(Debug)]
struct Undertaking {
    question: Question,
    experiment: Experiment,
    kept: Kept,
    /// The runs that are missing, in their order.
    steps: Vec<Step>,
    /// All runs, those that were made before included.
    planned: usize,
    /// The runs that were made before.
    records: Vec<Record>,
    /// What is to be said before more are made.
    warnings: Vec<String>,
}

impl Run {
    /// Runs the experiment.
    ///
    /// # Errors
    ///
    /// If there is no such experiment or something is wrong in it, or if results cannot be written. A run that fails is
    /// no error but a result.
    pub fn run(self) -> anyhow::Result<Exit> {
        let Undertaking { question, experiment, kept, steps, planned, mut records, warnings } =
            match &self.resume {
                Some(folder) => resume::read(folder)?,
                None => self.begin()?,
            };
        let mut stderr = std::io::stderr();
        for warning in warnings {
            writeln!(stderr, "warning: {warning}")?;
        }
        if self.dry_run {
            let detail = if self.verbose { Detail::Full } else { Detail::Brief };
            let history = History::read(Path::new(RESULTS));
            let shown = preview::preview(&experiment, &steps, detail, &history);
            std::io::stdout().write_all(shown.as_bytes())?;
            return Ok(Exit::Success);
        }
        let is_interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_interrupted);
        // Relaxed: seen a tick later at worst. Pairs with the look in `make::all`.
        ctrlc::set_handler(move || flag.store(true, Relaxed)).context("cannot take over Ctrl-C")?;
        let mut folder = match &self.resume {
            Some(folder) => Folder::reopen(folder)?,
            None => self.create(&experiment, &kept)?,
        };
        for warning in Environment::capture().warnings() {
            writeln!(stderr, "warning: {warning}")?;
        }
        if steps.is_empty() {
            let all = units::counted(planned as u64, "run", "runs");
            writeln!(stderr, "nothing is missing: all {all} were made before")?;
        }
        make::all(&question, &steps, &mut folder, &is_interrupted, &mut records)?;
        records.sort_by_key(|record| record.order.position);
        // Relaxed: the loop that looked has ended. Pairs with the handler.
        let was_interrupted = is_interrupted.load(Relaxed);
        conclude(&records, folder.path(), was_interrupted, planned)
    }

    /// The experiment, cut down to what the command asks for, of which nothing has been made.
    fn begin(&self) -> anyhow::Result<Undertaking> {
        let mut experiment = Experiment::find(&self.experiment)?;
        self.selection.apply(&mut experiment)?;
        let steps = plan::steps(&experiment);
        let command = self.selection.command(&self.experiment);
        let (name, question) = (experiment.name.clone(), experiment.question.clone());
        Ok(Undertaking {
            question: Question { name: name.clone(), question, command: command.clone() },
            kept: Kept { experiment: name, command, selection: self.selection.clone() },
            planned: steps.len(),
            experiment,
            steps,
            records: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// The folder of an experiment that begins, with all that is needed to go on if it is interrupted.
    fn create(&self, experiment: &Experiment, kept: &Kept) -> anyhow::Result<Folder> {
        let path = self
            .out
            .clone()
            .unwrap_or_else(|| Folder::unused(Path::new(RESULTS), &experiment.name));
        let folder = Folder::create(&path)?;
        folder.write("experiment.toml", &experiment.text)?;
        folder.write(selection::FILE, &(serde_json::to_string_pretty(kept)? + "\n"))?;
        Ok(folder)
    }
}

/// Draws what there is, shows it, and says how it went.
fn conclude(
    records: &[Record],
    folder: &Path,
    was_interrupted: bool,
    planned: usize,
) -> anyhow::Result<Exit> {
    if let Some(results) = Results::of(records) {
        let page = report::write(&results, folder, report::kept_check(folder)?.as_ref())?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}", table::results(&results))?;
        for record in records.iter().filter(|record| record.status != Status::Ok) {
            let message = record.message.as_deref().unwrap_or_default();
            writeln!(
                stdout,
                "run {}, {} on {}: {}: {message}",
                record.order.position,
                record.collector,
                record.workload,
                record.status.name()
            )?;
        }
        writeln!(stdout, "report: {}", page.display())?;
    }
    if was_interrupted {
        let done = units::counted(records.len() as u64, "run is", "runs are");
        let planned = units::count(planned as u64);
        writeln!(
            std::io::stderr(),
            "interrupted: {done} kept of {planned} in `{0}`\nhelp: `cyclotron run --resume {0}` makes the others",
            folder.display()
        )?;
        return Ok(Exit::Interrupted);
    }
    let all_ok = records.iter().all(|record| record.status == Status::Ok);
    Ok(if all_ok { Exit::Success } else { Exit::Failed })
}
