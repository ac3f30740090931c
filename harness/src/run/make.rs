//! Making of runs: one process after another, each recorded as soon as it has ended.

use super::progress::Progress;
use crate::{
    environment::Environment,
    floating::Floating,
    folder::Folder,
    job::Answer,
    plan::Step,
    process::{self, Ending},
    record::{Question, Record, SCHEMA, Status},
    recorder::Sample,
};
use anyhow::Context;
use collectors::{Collector, WithCollector, object_bytes, with_collector};
use std::{
    env,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// Makes the runs and adds them to those that were made before.
pub(super) fn all(
    question: &Question,
    steps: &[Step],
    folder: &mut Folder,
    is_interrupted: &AtomicBool,
    records: &mut Vec<Record>,
) -> anyhow::Result<()> {
    let program = env::current_exe()
        .context("cannot find the program itself, which runs each configuration")?;
    // Relaxed: seen a tick later at worst. Pairs with the handler of Ctrl-C.
    let is_interrupted = || is_interrupted.load(Relaxed);
    let progress = Progress::new(records.len() + steps.len(), records.len());
    for step in steps {
        progress.begin(step);
        let environment = Environment::capture();
        let ending = if is_interrupted() {
            Ending::Interrupted
        } else {
            process::run(&program, &step.job, is_interrupted)?
        };
        let made = record(question, step, environment, ending);
        let Some((mut record, samples)) = made else { break };
        take_over_live(&mut record, records);
        if let Err(error) = folder.add(&record, &samples) {
            progress.finish();
            let error = anyhow::Error::new(error);
            let folder = folder.path().display();
            anyhow::bail!(
                "{error:#}\nhelp: the runs that had ended are kept; \
                 once that is put right, `cyclotron run --resume {folder}` makes the others"
            );
        }
        progress.end(step, &record);
        records.push(record);
    }
    progress.finish();
    Ok(())
}

/// What is recorded of a run; nothing if it was interrupted.
fn record(
    question: &Question,
    step: &Step,
    environment: Environment,
    ending: Ending,
) -> Option<(Record, Vec<Sample>)> {
    let job = &step.job;
    let unanswered = Record {
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
        audited: job.audited,
        status: Status::Ok,
        message: None,
        checksum: None,
        wall_ns: 0,
        cpu_ns: 0,
        collector_cpu_ns: None,
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
        Ending::Failed { status, message, wall_ns, cpu_ns } => Some((
            Record { status, message: Some(message), wall_ns, cpu_ns, ..unanswered },
            Vec::new(),
        )),
        Ending::Answered(answer) => {
            let Answer {
                status,
                message,
                checksum,
                wall_ns,
                cpu_ns,
                collector_cpu_ns,
                operations,
                pauses,
                time_to_stop,
                hiccup_max_ns,
                collections,
                bytes,
                memory,
                latency,
                drag,
                rss_peak,
                samples,
            } = *answer;
            let record = Record {
                status,
                message,
                checksum,
                wall_ns,
                cpu_ns,
                collector_cpu_ns,
                operations,
                pauses,
                time_to_stop,
                hiccup_max_ns,
                collections,
                bytes: Some(bytes),
                memory: Some(memory),
                latency,
                drag,
                rss_peak,
                ..unanswered
            };
            Some((record, samples))
        }
    }
}

/// Fills in what was live and what floated in a timed run, if the same workload has been audited: under the same collector
/// if there is such a run.
fn take_over_live(record: &mut Record, others: &[Record]) {
    let is_same = |audit: &&Record| {
        audit.audited
            && audit.status == Status::Ok
            && (&audit.workload, &audit.parameters, audit.threads)
                == (&record.workload, &record.parameters, record.threads)
    };
    let is_nearest = |audit: &&Record| {
        (&audit.collector, &audit.settings) == (&record.collector, &record.settings)
    };
    let audits = || others.iter().filter(is_same);
    let audit = audits().find(is_nearest).or_else(|| audits().next());
    let floating = (!record.audited)
        .then(|| {
            let audit = audit?;
            let larger = header_bytes(&record.collector)? - header_bytes(&audit.collector)?;
            Floating::between(record.memory.as_ref()?, audit.memory.as_ref()?, larger)
        })
        .flatten();
    if let (Some(floating), Some(bytes)) = (floating, &mut record.bytes) {
        bytes.live = Some(floating.live_mean);
        bytes.live_peak = Some(floating.live_peak);
        bytes.floating_mean = Some(floating.mean);
        bytes.floating_peak = Some(floating.peak);
    }
}

/// What every object of a collector has besides its slots and data.
fn header_bytes(collector: &str) -> Option<i64> {
    struct Header;

    impl WithCollector for Header {
        type Output = u64;

        fn run<C: Collector>(self) -> u64 {
            object_bytes::<C>(0, 0)
        }
    }

    with_collector(collector, Header).and_then(|bytes| i64::try_from(bytes).ok())
}
