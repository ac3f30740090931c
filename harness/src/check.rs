//! The verb `check`: model-checks every protocol, and shows that every memory ordering in it is needed.

use std::{
    fs,
    io::Write,
    num::NonZero,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use anyhow::Context;
use clap::Args;

use crate::{cli::Exit, units};

pub mod model;
pub mod program;

pub mod orderings;
pub mod source;
pub mod standing;

pub mod findings;
pub mod matrix;
pub mod survey;

use findings::Findings;
use matrix::Matrix;
use model::Explorer;
use orderings::Justifications;
use program::Workspace;
use source::Sources;
use standing::Standing;
use survey::Thoroughness;

/// Explore every interleaving of every protocol, then weaken each memory ordering and see a model fail
#[derive(Debug, Args)]
pub struct Check {
    /// Explore only the models whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How many preemptions an interleaving may have
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    bound: usize,
    /// Take minutes for a model: no bound where that ends, three preemptions where it does not
    #[arg(long)]
    deep: bool,
    /// Explore only, and weaken nothing
    #[arg(long)]
    no_faults: bool,
    /// Write everything that was found to this file; as `check.json` in a folder of results it is shown on the report's page
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The sources to check; those that this program was built from if not given
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// How many models to explore at a time; one a processor if not given
    #[arg(long, value_name = "COUNT")]
    jobs: Option<NonZero<usize>>,
}

/// What a model relies on and does not check.
pub const TRUSTED: &[&str] = &[
    "loom itself: it generates no load buffering, and no compare-exchange that fails without a cause",
    "mutexes and condition variables of the standard library: a model has loom's in their place",
    "`Arc` of the standard library",
    "crossbeam's work-stealing queues: a model has queues behind a lock, with the same contract, in their place",
    "crossbeam's epochs, in part: models explore them, on its own support for loom, but weaken none of their orderings",
    "the system's memory: what a model frees is never used again",
];

impl Check {
    /// Builds the models, explores them, tries the faults, and writes the table to standard output.
    ///
    /// # Errors
    ///
    /// If the models do not build, or a process or a file cannot be used.
    pub fn run(self) -> anyhow::Result<Exit> {
        let begun = Instant::now();
        let workspace = Workspace::find(self.workspace.as_deref())?;
        let sources =
            Sources::read(workspace.path()).context("cannot read the sources of `collectors`")?;
        let list = Justifications::read(workspace.path())?;
        tell("building the models with `--cfg loom`");
        let program = workspace.build()?;
        let names: Vec<String> =
            program.tests()?.into_iter().filter(|name| name.contains("models::")).collect();
        let expected = sources.models();
        if names.len() != expected || names.is_empty() {
            anyhow::bail!(
                "the program lists {} models, but the sources hold {expected}\nhelp: a model is a test in a module `models`",
                names.len()
            );
        }
        let names: Vec<String> = match &self.filter {
            Some(filter) => {
                names.into_iter().filter(|name| name.contains(filter.as_str())).collect()
            }
            None => names,
        };
        if names.is_empty() {
            anyhow::bail!("no model's name contains `{}`", self.filter.unwrap_or_default());
        }

        let jobs =
            self.jobs.or(thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN);
        let how = Thoroughness { bound: self.bound, is_deep: self.deep, jobs };
        let reports =
            workspace.path().join("target/loom/reports").join(std::process::id().to_string());
        let explorer = Explorer::new(program, &reports)
            .context("cannot make a folder for the models' reports")?;
        let models = survey::explore(&explorer, &names, how).context("cannot explore a model")?;
        tell(&format!("explored {}", units::counted(models.len() as u64, "model", "models")));
        let mut faults = Vec::new();
        if !self.no_faults {
            faults = survey::try_faults(&explorer, &models, &sources, &list, how)
                .context("cannot try a fault")?;
            tell(&format!("tried {}", units::counted(faults.len() as u64, "fault", "faults")));
        }
        // They are of no use to anybody else; a folder that stays does no harm.
        let _ = fs::remove_dir_all(&reports);

        // Part of the models says nothing of what no model reaches, or of what the list is about.
        let is_whole = self.filter.is_none() && !self.no_faults;
        let mut idle = Vec::new();
        if is_whole {
            idle = survey::idle_entries(&list, &faults);
        } else {
            faults.retain(|mutant| survey::concerns(mutant, &models, &sources));
        }
        let findings = Findings {
            bound: self.bound,
            is_whole,
            models,
            faults,
            idle,
            standing: Standing::of(&sources, collectors::NAMES),
            seconds: begun.elapsed().as_secs_f64(),
        };
        let matrix = findings.matrix(&sources);
        std::io::stdout().write_all(matrix.text().as_bytes())?;
        if let Some(path) = &self.json {
            write(path, &matrix)?;
        }
        Ok(if matrix.passed { Exit::Success } else { Exit::Failed })
    }
}

fn write(path: &Path, matrix: &Matrix) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(matrix)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Tells the user how far it is. If nobody reads it, nobody misses it.
fn tell(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
