//! Recorder: the observer that stamps what a collector reports, one lane for each mutator.
//!
//! A pause is any interval in which a mutator does collector work or waits for it. Those of at least the floor are kept
//! one by one and counted in a histogram; shorter ones are counted and summed by cause. Each mutator writes to a lane of
//! its own, so that no two threads ever wait for each other here: the lane's lock is there for the reader at the end.
//!
//! # What a reading costs
//!
//! The wall clock costs some 30 ns and is read twice for each pause. Reading a thread's CPU time is a system call of up
//! to 0.8 us, more than a young collection can bear, so it is read at most once in [`CPU_CLOCK_EVERY_NS`]: before a pause only if
//! the last reading is older than that, and after a pause only if the pause was that long. In between a thread is taken to
//! have run all the time; one that was taken off its core for longer shows as a reading that is too old. The CPU time
//! of a long pause is thus off by at most that interval, and that of a shorter one is its wall time, an upper bound.
//!
//! # Threads of the collector's own
//!
//! What they do is no pause, and the CPU time that they use is the collector's. It is read on the thread itself, whenever it
//! says that it has done what it was asked for, and at whatever else it reports if the last reading is old; of a round that
//! is under way when the recording is taken, what came after that is missing.

mod trace;

use crate::{
    clock::{Clock, thread_cpu_ns},
    histogram::Histogram,
    record::{Moment, Timeline},
};
use collectors::{Amount, Cause, Event, Observer};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread::{self, ThreadId},
};
use trace::Trace;

/// How old a reading of the CPU clock may be before a pause begins: reading it costs less than 1 % of this.
pub const CPU_CLOCK_EVERY_NS: u64 = 100_000;

/// Pauses kept one by one for each mutator; all are in the histogram, whatever their number.
pub const SAMPLES_KEPT: usize = 1 << 18;

/// Mutators that can be told apart at the same time: more than any experiment may ask for.
const LANES: usize = 1024;

/// No object of a release cascade is taken to have cost more than this before the cascade's clock was started.
const LONGEST_ESTIMATE_PER_OBJECT_NS: u64 = 1_000;

/// The observer of one run.
#[derive(Debug)]
pub struct Recorder {
    clock: Clock,
    floor_ns: u64,
    lanes: Box<[OnceLock<Mutex<Lane>>]>,
}

/// Everything that was seen in a run, over all mutators.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Recording {
    /// Pauses of at least the floor, shortest first.
    pub histogram: Histogram,
    /// The same one by one, in the order in which they began, as far as they were kept.
    pub samples: Vec<Sample>,
    /// Their sum, exactly.
    pub total_ns: u64,
    /// The longest, exactly.
    pub max_ns: u64,
    /// The CPU time of all of them, each on its own thread.
    pub total_cpu_ns: u64,
    /// The most CPU time that any one took.
    pub max_cpu_ns: u64,
    /// CPU time of threads of the collector's own.
    pub collector_cpu_ns: u64,
    /// Pauses that were clocked and found shorter than the floor.
    pub below_floor: BTreeMap<Cause, Total>,
    /// Pauses that the collector knew to be too short for a clock.
    pub unclocked: BTreeMap<Cause, u64>,
    /// How long it took until all mutators had stopped, once it was asked for.
    pub stops: Stops,
    /// Collections of each generation, youngest first.
    pub generations: BTreeMap<u8, Generation>,
    /// What was held, from the first sample to the last.
    pub memory: Timeline,
    /// Finalizers that panicked.
    pub panics: Panics,
}

/// Finalizers that panicked. Their panics were caught, and the program went on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Panics {
    /// How many.
    pub count: u64,
    /// The class of the first one's object, and its message.
    pub first: Option<(String, String)>,
}

/// One pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When it began, in nanoseconds since the run began.
    pub start_ns: u64,
    /// How long it took on the wall, estimate included.
    pub wall_ns: u64,
    /// How long on the CPU.
    pub cpu_ns: u64,
    /// The part of both that was estimated: what a release cascade did before its clock was started.
    pub estimated_ns: u64,
    /// Whose pause it was.
    pub mutator: u32,
    /// What it was for.
    pub cause: Cause,
    /// The oldest generation collected in it, if any.
    pub generation: Option<u8>,
    /// Objects handled in it.
    pub objects: u64,
}

/// A number of intervals and their sum.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// How many.
    pub count: u64,
    /// How long together, in nanoseconds.
    pub total_ns: u64,
}

/// Times to stop: from the request until the last mutator had stopped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stops {
    /// How many stops.
    pub count: u64,
    /// How long they took together, in nanoseconds.
    pub total_ns: u64,
    /// The slowest, in nanoseconds.
    pub max_ns: u64,
}

/// Collections of one generation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Which, the youngest being 0.
    pub generation: u8,
    /// How many.
    pub count: u64,
    /// Objects looked at.
    pub examined: u64,
    /// Objects freed.
    pub freed: u64,
    /// Time of the pauses in which they happened, in nanoseconds.
    pub ns: u64,
}

impl Recorder {
    /// A recorder that keeps pauses of at least `floor_ns` one by one; its clock starts now.
    pub fn new(floor_ns: u64) -> Self {
        let lanes = (0..LANES).map(|_| OnceLock::new()).collect();
        Self { clock: Clock::start(), floor_ns, lanes }
    }

    /// The clock by which pauses are stamped.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Takes what has been seen so far, over all mutators; what follows is seen afresh.
    pub fn take(&self) -> Recording {
        let mut all = Recording::default();
        let mut traces = Vec::new();
        for lane in self.lanes.iter().filter_map(OnceLock::get) {
            let mut lane = lock(lane);
            all.merge(std::mem::take(&mut lane.seen));
            traces.push(std::mem::take(&mut lane.trace));
        }
        all.memory = Trace::join(traces.into_iter());
        all.samples.sort_by_key(|sample| (sample.start_ns, sample.mutator));
        all
    }
}

impl Observer for Recorder {
    fn event(&self, mutator: usize, event: Event) {
        // The clock is read before anything else at the end of a pause and after everything else at its beginning.
        let now = self.clock.now();
        let lane = self.lanes[mutator % LANES].get_or_init(Mutex::default);
        let mut lane = lock(lane);
        let is_collector = lane.is_collector();
        if is_collector {
            lane.work(now, event == Event::CollectorThread);
        } else if lane.collector.is_some() {
            lane.belong_to_mutator();
        }
        match event {
            Event::CollectorThread if !is_collector => lane.belong_to_collector(now),
            Event::PauseBegan { .. } | Event::PauseEnded { .. } if is_collector => {}
            Event::PauseBegan { .. } => lane.begin(&self.clock),
            Event::PauseEnded { cause, objects, estimated } => {
                lane.end(now, mutator, cause, objects, estimated, self.floor_ns);
            }
            Event::Unclocked { cause, count } => {
                *lane.seen.unclocked.entry(cause).or_default() += count
            }
            Event::TimeToStop { requested: true } => lane.stop_requested = Some(now),
            Event::TimeToStop { requested: false } => lane.stopped(now),
            Event::Collection { generation, examined, freed, freed_bytes, .. } => {
                lane.collected(generation, examined, freed);
                lane.sink(now, freed_bytes);
            }
            Event::Heap { held_bytes, allocated_objects, allocated_bytes, blocks_bytes } => {
                let allocated = Amount { objects: allocated_objects, bytes: allocated_bytes };
                let (held, blocks) = (held_bytes, blocks_bytes);
                lane.sample(Moment { at_ns: now, allocated, held, blocks, live: None });
            }
            Event::FinalizerPanicked { class, message } => {
                lane.seen.panics.merge(Panics { count: 1, first: Some((class, message)) });
            }
            _ => {}
        }
    }
}

/// What one mutator has seen, and what it is in the middle of.
#[derive(Debug, Default)]
struct Lane {
    open: Option<Open>,
    /// The last reading of the CPU clock, and when it was made.
    cpu: Option<Reading>,
    /// The thread of the collector's own whose number this is, if it is that of one.
    collector: Option<ThreadId>,
    stop_requested: Option<u64>,
    seen: Recording,
    /// The last sample of the heap that this mutator made.
    sampled: Option<Moment>,
    trace: Trace,
}

/// A pause that has begun.
#[derive(Debug, Clone, Copy)]
struct Open {
    start_ns: u64,
    start_cpu_ns: u64,
    generation: Option<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    wall_ns: u64,
    cpu_ns: u64,
}

impl Lane {
    /// Whether the calling thread is the collector's own. A number is used again, so another thread is a mutator.
    fn is_collector(&self) -> bool {
        self.collector.is_some_and(|collector| collector == thread::current().id())
    }

    /// The calling thread is the collector's own from now on; all that it has used so far is the collector's too.
    fn belong_to_collector(&mut self, now: u64) {
        self.collector = Some(thread::current().id());
        self.cpu = Some(Reading { wall_ns: now, cpu_ns: 0 });
        self.work(now, true);
    }

    /// The number is that of a mutator again, whose clock is another.
    fn belong_to_mutator(&mut self) {
        self.collector = None;
        self.cpu = None;
    }

    /// Counts what the collector's thread has used since the last reading, if that `must` be known or is old.
    fn work(&mut self, now: u64, must: bool) {
        let last = self.cpu.unwrap_or(Reading { wall_ns: now, cpu_ns: 0 });
        if must || now.saturating_sub(last.wall_ns) >= CPU_CLOCK_EVERY_NS {
            let cpu_ns = thread_cpu_ns();
            self.seen.collector_cpu_ns += cpu_ns.saturating_sub(last.cpu_ns);
            self.cpu = Some(Reading { wall_ns: now, cpu_ns });
        }
    }

    fn begin(&mut self, clock: &Clock) {
        debug_assert!(self.open.is_none(), "pauses were expected not to nest");
        let mut now = clock.now();
        let reading = match self.cpu {
            Some(reading) if now - reading.wall_ns < CPU_CLOCK_EVERY_NS => reading,
            _ => {
                let cpu_ns = thread_cpu_ns();
                now = clock.now();
                *self.cpu.insert(Reading { wall_ns: now, cpu_ns })
            }
        };
        let start_cpu_ns = reading.cpu_ns + (now - reading.wall_ns);
        self.open = Some(Open { start_ns: now, start_cpu_ns, generation: None });
    }

    fn end(
        &mut self,
        now: u64,
        mutator: usize,
        cause: Cause,
        objects: u64,
        estimated: u64,
        floor_ns: u64,
    ) {
        let Some(open) = self.open.take() else {
            debug_assert!(false, "a pause that ends was expected to have begun");
            return;
        };
        let clocked_ns = now.saturating_sub(open.start_ns);
        let estimated_ns = estimate(clocked_ns, objects, estimated);
        let wall_ns = clocked_ns + estimated_ns;
        if let Some(generation) = open.generation {
            self.seen.generations.entry(generation).or_default().ns += wall_ns;
        }
        if wall_ns < floor_ns {
            let below = self.seen.below_floor.entry(cause).or_default();
            below.count += 1;
            below.total_ns += wall_ns;
            return;
        }
        let cpu_ns = if clocked_ns < CPU_CLOCK_EVERY_NS {
            wall_ns
        } else {
            let cpu_ns = thread_cpu_ns();
            self.cpu = Some(Reading { wall_ns: now, cpu_ns });
            cpu_ns.saturating_sub(open.start_cpu_ns).min(clocked_ns) + estimated_ns
        };
        let mutator = u32::try_from(mutator).unwrap_or(u32::MAX);
        let generation = open.generation;
        let start_ns = open.start_ns.saturating_sub(estimated_ns);
        self.seen.keep(Sample {
            start_ns,
            wall_ns,
            cpu_ns,
            estimated_ns,
            mutator,
            cause,
            generation,
            objects,
        });
    }

    fn stopped(&mut self, now: u64) {
        if let Some(requested) = self.stop_requested.take() {
            let ns = now.saturating_sub(requested);
            self.seen.stops.merge(Stops { count: 1, total_ns: ns, max_ns: ns });
        }
    }

    fn collected(&mut self, generation: u8, examined: u64, freed: u64) {
        let seen = self.seen.generations.entry(generation).or_default();
        seen.merge(Generation { generation, count: 1, examined, freed, ns: 0 });
        if let Some(open) = &mut self.open {
            open.generation = open.generation.max(Some(generation));
        }
    }

    fn sample(&mut self, moment: Moment) {
        self.sampled = Some(moment);
        self.trace.add(moment);
    }

    /// A heap is sampled when a collection begins, so what it leaves behind follows from what it freed.
    fn sink(&mut self, now: u64, freed: u64) {
        if let Some(before) = self.sampled {
            let held = before.held.saturating_sub(freed);
            self.sample(Moment { at_ns: now, held, ..before });
        }
    }
}

impl Recording {
    fn keep(&mut self, sample: Sample) {
        self.histogram.record(sample.wall_ns);
        self.total_ns += sample.wall_ns;
        self.total_cpu_ns += sample.cpu_ns;
        self.max_ns = self.max_ns.max(sample.wall_ns);
        self.max_cpu_ns = self.max_cpu_ns.max(sample.cpu_ns);
        if self.samples.len() < SAMPLES_KEPT {
            self.samples.push(sample);
        }
    }

    fn merge(&mut self, other: Self) {
        self.histogram.merge(&other.histogram);
        self.samples.extend(other.samples);
        self.total_ns += other.total_ns;
        self.total_cpu_ns += other.total_cpu_ns;
        self.collector_cpu_ns += other.collector_cpu_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
        self.max_cpu_ns = self.max_cpu_ns.max(other.max_cpu_ns);
        for (cause, total) in other.below_floor {
            let below = self.below_floor.entry(cause).or_default();
            below.count += total.count;
            below.total_ns += total.total_ns;
        }
        for (cause, count) in other.unclocked {
            *self.unclocked.entry(cause).or_default() += count;
        }
        for (number, generation) in other.generations {
            self.generations.entry(number).or_default().merge(generation);
        }
        self.stops.merge(other.stops);
        self.panics.merge(other.panics);
    }
}

impl Panics {
    /// What is to be said of them, if there were any.
    pub fn describe(&self) -> Option<String> {
        let (class, message) = self.first.as_ref()?;
        let panicked = if self.count == 1 { "a finalizer" } else { "finalizers" };
        Some(format!(
            "{panicked} panicked ({} in all), first that of `{class}`: {message}",
            self.count
        ))
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.take().or(other.first);
    }
}

impl Stops {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.total_ns += other.total_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

impl Generation {
    fn merge(&mut self, other: Self) {
        self.generation = other.generation;
        self.count += other.count;
        self.examined += other.examined;
        self.freed += other.freed;
        self.ns += other.ns;
    }
}

/// What a cascade took before its clock was started: as long for each object as the rest took, within reason.
fn estimate(clocked_ns: u64, objects: u64, estimated: u64) -> u64 {
    let clocked_objects = objects.saturating_sub(estimated).max(1);
    let each_ns = (clocked_ns / clocked_objects).min(LONGEST_ESTIMATE_PER_OBJECT_NS);
    each_ns.saturating_mul(estimated)
}

/// A lane's lock. A panic of a finalizer under it has been counted or not; either way the lane is sound.
fn lock(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
