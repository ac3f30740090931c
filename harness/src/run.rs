//! The verb `run`: makes every run of an experiment, records each, and ends with a report.

use crate::{
    cli::Exit,
    environment::Environment,
    experiment::{Experiment, mistake::unknown},
    folder::Folder,
    job::Answer,
    plan::{self, Step},
    process::{self, Ending},
    record::{Question, Record, SCHEMA, Status},
    recorder::Sample,
    report,
    results::Results,
    table::{self, Table},
    units,
};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    env,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Run an experiment and end with a report of pauses beside leaked bytes
#[derive(Debug, Args)]
pub struct Run {
    /// The name of an experiment that is built in, or the path of a TOML file
    #[arg(default_value = "quick")]
    experiment: String,
    /// Where to put records, charts and report; a new folder in `results` if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Show what would be run, in which order, and run nothing
    #[arg(long)]
    dry_run: bool,
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

impl Run {
    /// Runs the experiment.
    ///
    /// # Errors
    ///
    /// If there is no such experiment or something is wrong in it, or if results cannot be written. A run that fails is
    /// no error but a result.
    pub fn run(self) -> anyhow::Result<Exit> {
        let experiment = self.experiment()?;
        let steps = plan::steps(&experiment);
        if self.dry_run {
            std::io::stdout().write_all(preview(&experiment, &steps).as_bytes())?;
            return Ok(Exit::Success);
        }
        let is_interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_interrupted);
        // Relaxed: seen a tick later at worst. Pairs with the look in `run_all`.
        ctrlc::set_handler(move || flag.store(true, Relaxed)).context("cannot take over Ctrl-C")?;
        let out = self
            .out
            .clone()
            .unwrap_or_else(|| Folder::unused(Path::new("results"), &experiment.name));
        let mut folder = Folder::create(&out)?;
        folder.write("experiment.toml", &experiment.text)?;
        for warning in Environment::capture().warnings() {
            writeln!(std::io::stderr(), "warning: {warning}")?;
        }
        let question = Question {
            name: experiment.name.clone(),
            question: experiment.question.clone(),
            command: self.command(),
        };
        let records = run_all(&question, &steps, &mut folder, &is_interrupted)?;
        // Relaxed: the loop that looked has ended. Pairs with the handler.
        let was_interrupted = is_interrupted.load(Relaxed);
        conclude(&records, folder.path(), was_interrupted, steps.len())
    }

    /// The experiment, cut down to what the command asks for.
    fn experiment(&self) -> anyhow::Result<Experiment> {
        let mut experiment = Experiment::find(&self.experiment)?;
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
        Ok(experiment)
    }

    /// The command as another could give it: without the folder, and without the path to the experiment.
    fn command(&self) -> String {
        let file = Path::new(&self.experiment)
            .file_name()
            .map_or_else(|| self.experiment.as_str().into(), |name| name.to_string_lossy());
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
            let (message, help) = unknown(what, name, known);
            Err(UsageError { message: format!("experiment `{experiment}`: {message}"), help })
        }
    }
}

/// The order of all runs, as text.
fn preview(experiment: &Experiment, steps: &[Step]) -> String {
    let mut table = Table::new(&[">run", "collector", "workload", ">threads", ">invocation"]);
    for step in steps {
        let Step { job, invocation, order } = step;
        let (run, threads) = (order.position.to_string(), job.threads.to_string());
        table.row([
            run,
            job.collector.clone(),
            job.workload.clone(),
            threads,
            invocation.to_string(),
        ]);
    }
    let longest = units::duration(steps.len() as u64 * experiment.limits.seconds * 1_000_000_000);
    format!(
        "{}\n\n{}\n{}, order shuffled from seed {}; at most {longest} if every run reached its limit of {} s\n",
        experiment.question,
        table.render(),
        units::counted(steps.len() as u64, "run", "runs"),
        experiment.seed,
        experiment.limits.seconds,
    )
}

fn run_all(
    question: &Question,
    steps: &[Step],
    folder: &mut Folder,
    is_interrupted: &AtomicBool,
) -> anyhow::Result<Vec<Record>> {
    let program = env::current_exe()
        .context("cannot find the program itself, which runs each configuration")?;
    // Relaxed: seen a tick later at worst. Pairs with the handler of Ctrl-C.
    let is_interrupted = || is_interrupted.load(Relaxed);
    let progress = Progress::new(steps.len());
    let mut records = Vec::with_capacity(steps.len());
    for step in steps {
        progress.begin(step);
        let environment = Environment::capture();
        let ending = if is_interrupted() {
            Ending::Interrupted
        } else {
            process::run(&program, &step.job, is_interrupted)?
        };
        let Some((record, samples)) = record(question, step, environment, ending) else { break };
        folder.add(&record, &samples)?;
        progress.end(step, &record);
        records.push(record);
    }
    progress.finish();
    Ok(records)
}

/// What is recorded of a run; nothing if it was interrupted.
fn record(
    question: &Question,
    step: &Step,
    environment: Environment,
    ending: Ending,
) -> Option<(Record, Vec<Sample>)> {
    let job = &step.job;
    let mut record = Record {
        schema: SCHEMA,
        experiment: question.clone(),
        order: step.order,
        collector: job.collector.clone(),
        settings: job.settings.clone(),
        workload: job.workload.clone(),
        parameters: job.parameters.clone(),
        threads: job.threads,
        seed: job.seed,
        invocation: step.invocation,
        audited: false,
        status: Status::Ok,
        message: None,
        checksum: None,
        wall_ns: 0,
        cpu_ns: 0,
        operations: None,
        pauses: None,
        time_to_stop: None,
        hiccup_max_ns: None,
        collections: None,
        bytes: None,
        memory: None,
        latency: None,
        drag: None,
        rss_peak: None,
        environment,
    };
    match ending {
        Ending::Interrupted => None,
        Ending::Failed { status, message, wall_ns, cpu_ns } => {
            record = Record { status, message: Some(message), wall_ns, cpu_ns, ..record };
            Some((record, Vec::new()))
        }
        Ending::Answered(answer) => {
            let Answer { status, message, checksum, wall_ns, cpu_ns, operations, rss_peak, .. } =
                *answer;
            let (pauses, time_to_stop) = (answer.pauses, answer.time_to_stop);
            let (collections, bytes) = (answer.collections, Some(answer.bytes));
            let hiccup_max_ns = answer.hiccup_max_ns;
            let memory = Some(answer.memory);
            let (latency, drag) = (answer.latency, answer.drag);
            record = Record {
                status,
                message,
                checksum,
                wall_ns,
                cpu_ns,
                operations,
                rss_peak,
                ..record
            };
            record = Record { pauses, time_to_stop, collections, bytes, hiccup_max_ns, ..record };
            record = Record { memory, latency, drag, ..record };
            Some((record, answer.samples))
        }
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
        let page = report::write(&results, folder)?;
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
            "interrupted: {done} kept of {planned} in `{}`",
            folder.display()
        )?;
        return Ok(Exit::Interrupted);
    }
    let all_ok = records.iter().all(|record| record.status == Status::Ok);
    Ok(if all_ok { Exit::Success } else { Exit::Failed })
}

/// Progress: a bar on a terminal, a line a run elsewhere.
struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Progress {
    fn new(runs: usize) -> Self {
        let template = "{bar:30} {pos}/{len}  {elapsed} gone, {eta} to go  {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(runs as u64).with_style(style);
        // Twice a second is enough to show that time passes, and nothing that a run would feel.
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, is_terminal: std::io::stderr().is_terminal() }
    }

    fn begin(&self, step: &Step) {
        self.bar.set_message(format!("{} on {}", step.job.collector, step.job.workload));
    }

    fn end(&self, step: &Step, record: &Record) {
        if record.status != Status::Ok || !self.is_terminal {
            let (run, runs) = (step.order.position, step.order.runs);
            let (status, wall) = (record.status.name(), units::duration(record.wall_ns));
            let line = format!(
                "{run:>4}/{runs}  {} on {} #{}: {status}, {wall}",
                record.collector, record.workload, record.invocation
            );
            if self.is_terminal {
                self.bar.println(line);
            } else {
                eprintln!("{line}");
            }
        }
        self.bar.inc(1);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
