//! Measurement of one job, in the process that was started for it.
//!
//! Timed is the workload alone: its preparation, which is the same under every collector, and its threads until they have
//! been joined and the last root dropped.
//! Then full collections follow until one finds nothing more; what is held after that is leaked.
//!
//! An audited job is run likewise, but not timed: what is asked of it is what was dead, and when.

mod audit;

use crate::{
    clock::process_cpu_ns,
    hiccup::Watcher,
    input::{self, InputError},
    job::{Answer, Job},
    pacer::Pacer,
    process::memory::rss_peak,
    record::{Bytes, Moment, Pauses, Status, Timeline},
    recorder::{Panics, Recorder},
};
use collectors::{
    Collector, Heap, Options, OutOfMemory, Reclaims, Statistics, WithCollector, with_collector,
};
use std::sync::Arc;
use workloads::{Expected, Outcome, WithWorkload, Workload, with_workload};

/// Final collections after which a collector that still finds something is taken never to end.
const FINAL_COLLECTIONS: u32 = 20;

/// Why a job cannot be run at all. The parent has checked all of it, so each is a difference between two programs.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// No such collector.
    #[error("there is no collector `{0}`")]
    Collector(String),
    /// No such workload.
    #[error("there is no workload `{0}`")]
    Workload(String),
    /// A file that its parameters name is gone.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Its settings or parameters are not those of this program.
    #[error("the values of `{name}` cannot be used: {message}")]
    Values {
        /// Whose values.
        name: &'static str,
        /// What is wrong with them.
        message: String,
    },
}

/// Runs a job and says what was seen.
///
/// # Errors
///
/// If the job is not one for this program.
pub fn measure(job: &Job) -> Result<Answer, JobError> {
    with_collector(&job.collector, OnCollector { job })
        .unwrap_or_else(|| Err(JobError::Collector(job.collector.clone())))
}

struct OnCollector<'a> {
    job: &'a Job,
}

impl WithCollector for OnCollector<'_> {
    type Output = Result<Answer, JobError>;

    fn run<C: Collector>(self) -> Self::Output {
        let settings: C::Settings = values(C::NAME, &self.job.settings)?;
        let on_workload = OnWorkload::<C> { job: self.job, settings };
        with_workload(&self.job.workload, on_workload)
            .unwrap_or_else(|| Err(JobError::Workload(self.job.workload.clone())))
    }
}

struct OnWorkload<'a, C: Collector> {
    job: &'a Job,
    settings: C::Settings,
}

impl<C: Collector> WithWorkload for OnWorkload<'_, C> {
    type Output = Result<Answer, JobError>;

    fn run<W: Workload>(self) -> Self::Output {
        let mut parameters: W::Parameters = values(W::NAME, &self.job.parameters)?;
        input::supply::<W>(&mut parameters)?;
        if self.job.audited {
            audit::audited::<C, W>(self.job, self.settings, &parameters)
        } else {
            timed::<C, W>(self.job, self.settings, &parameters)
        }
    }
}

fn timed<C: Collector, W: Workload>(
    job: &Job,
    settings: C::Settings,
    parameters: &W::Parameters,
) -> Result<Answer, JobError> {
    let recorder = Arc::new(Recorder::new(job.pause_floor_ns));
    let heap = heap::<C>(job, settings, &recorder)?;

    let watcher = Watcher::start();
    let clock = recorder.clock();
    let pacer = Pacer::new(clock, job.threads);
    let (wall, cpu) = (clock.now(), process_cpu_ns());
    let outcome = W::run(&heap, parameters, job.threads, job.seed, &pacer);
    let (end, cpu_ns) = (clock.now(), process_cpu_ns() - cpu);
    let hiccup = watcher.finish();

    // Asking for statistics makes the collector report what it has only counted so far.
    let at_end = heap.statistics();
    let recording = recorder.take();
    let rss_peak = rss_peak("self");
    let final_collections = drain(&heap);

    let expected = W::expect(parameters, job.threads, job.seed);
    let leak_expected = leak_expected::<C>(&at_end, &expected);
    let bytes = bytes(&at_end, &heap.statistics(), leak_expected, final_collections);
    let (status, message) = verdict(&outcome, &expected, &recording.panics);
    let outcome = outcome.ok();
    Ok(Answer {
        status,
        message,
        checksum: outcome.map(checksum),
        wall_ns: end - wall,
        // Watching and waiting are the harness's, and no part of the program.
        cpu_ns: cpu_ns.saturating_sub(hiccup.cpu_ns + pacer.awaited_ns()),
        collector_cpu_ns: Some(recording.collector_cpu_ns),
        operations: outcome.map(|outcome| outcome.operations),
        pauses: Some(Pauses::of(&recording, job.pause_floor_ns)),
        time_to_stop: Some(recording.stops),
        hiccup_max_ns: Some(hiccup.max_ns),
        collections: Some(recording.generations.into_values().collect()),
        bytes,
        memory: complete(recording.memory, &at_end, end),
        latency: pacer.finish(),
        drag: None,
        rss_peak,
        samples: recording.samples,
    })
}

fn heap<C: Collector>(
    job: &Job,
    settings: C::Settings,
    recorder: &Arc<Recorder>,
) -> Result<Heap<C>, JobError> {
    let options = Options {
        limit: job.limits.heap_bytes,
        observer: Some(recorder.clone()),
        ..Options::default()
    };
    Heap::new(settings, options)
        .map_err(|error| JobError::Values { name: C::NAME, message: error.to_string() })
}

/// How the workload ended, and what is to be said of it.
fn verdict(
    outcome: &Result<Outcome, OutOfMemory>,
    expected: &Expected,
    panics: &Panics,
) -> (Status, Option<String>) {
    match outcome {
        Err(error) => (Status::OutOfMemory, Some(error.to_string())),
        Ok(outcome) if outcome.checksum != expected.checksum => {
            let message =
                format!("read back {:016x}, expected {:016x}", outcome.checksum, expected.checksum);
            (Status::WrongChecksum, Some(message))
        }
        Ok(_) => (Status::Ok, panics.describe()),
    }
}

fn checksum(outcome: Outcome) -> String {
    format!("{:016x}", outcome.checksum)
}

/// The samples of a run, from nothing at its beginning to what was held at its end.
fn complete(mut memory: Timeline, at_end: &Statistics, at_ns: u64) -> Timeline {
    memory.points.insert(0, Moment::default());
    memory.points.push(Moment {
        at_ns,
        allocated: at_end.allocated,
        held: at_end.held().bytes,
        blocks: at_end.blocks,
        live: None,
    });
    memory
}

/// Collects until nothing more is found; says how often that took.
fn drain<C: Collector>(heap: &Heap<C>) -> u32 {
    let mutator = heap.attach();
    (1..=FINAL_COLLECTIONS).find(|_| mutator.collect().freed == 0).unwrap_or(FINAL_COLLECTIONS)
}

/// What the collector may leave behind, by its capabilities.
fn leak_expected<C: Collector>(at_end: &Statistics, expected: &Expected) -> u64 {
    match C::CAPABILITIES.reclaims {
        Reclaims::Nothing => at_end.allocated.bytes,
        Reclaims::Acyclic => expected.cyclic.bytes::<C>(),
        Reclaims::Everything => 0,
    }
}

fn bytes(
    at_end: &Statistics,
    after: &Statistics,
    leak_expected: u64,
    final_collections: u32,
) -> Bytes {
    Bytes {
        allocated: after.allocated.bytes,
        freed: after.freed.bytes,
        // The collector samples its peak; what is held at a known moment is a lower bound of it.
        peak_held: at_end.peak_held.max(at_end.held().bytes).max(after.held().bytes),
        held_at_end: at_end.held().bytes,
        leaked: after.held().bytes,
        leak_expected,
        blocks: at_end.peak_blocks,
        side_tables: at_end.side_tables,
        final_collections,
        live: None,
        live_peak: None,
        floating_mean: None,
        floating_peak: None,
        leaks: None,
    }
}

fn values<T: serde::de::DeserializeOwned>(
    name: &'static str,
    given: &serde_json::Value,
) -> Result<T, JobError> {
    T::deserialize(given).map_err(|error| JobError::Values { name, message: error.to_string() })
}
