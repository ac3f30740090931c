//! Pace: when a cycle is due, and how much an act of a handshake handles.
//!
//! A young cycle costs a hand-over, a wake-up and a handshake or two, whatever it finds; so batches grow when little is found
//! in them, and shrink when much is; if most is garbage, mutators make suspects of all that they hand over, and if hardly any
//! is, the next batches become old without a look. A full cycle is due when the objects that have become old since the last
//! one, as far as there are more objects than then, would at the yield that it had come to more garbage than the memory
//! target allows.
//!
//! There is no clock here: costs are counted in objects.

use super::ConcurrentCountingSettings;
use crate::{
    Collector, Progress, SettingsError,
    threads::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
        capacity,
    },
};

/// What it takes to flag an object in the act of a handshake, in nanoseconds, where its memory has to be fetched.
const NANOSECONDS: u32 = 20;

/// How many times the smallest batch the largest is.
const MOST: u64 = 4;

/// Below this share of garbage batches grow, above the other they shrink, and all of the next one is suspected.
const YIELD: std::ops::Range<f64> = 0.1..0.5;

/// Below this share of garbage in young objects, the next cycles do not look at them.
const HARDLY_ANY: f64 = 0.02;

/// How many cycles that is.
const SKIPPED: u32 = 3;

/// What share of new old objects is taken to be garbage at least, so that a full cycle comes due.
const LEAST_YIELD: f64 = 0.25;

/// Which objects a cycle looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Extent {
    /// Those that were in no cycle before.
    Young = 0,
    /// All.
    Full = 1,
}

/// What a cycle has shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned {
    pub(super) examined: u64,
    pub(super) freed: u64,
}

/// When a cycle is due.
pub(super) struct Pace {
    settings: ConcurrentCountingSettings,
    /// Net allocations of a mutator that make a batch.
    batch: AtomicU64,
    /// Whether most of a batch is expected to be garbage.
    expects_garbage: AtomicBool,
    /// How many batches are still to become old without a look.
    skips: AtomicU32,
    old: Mutex<Old>,
}

/// What is known of the old objects.
#[derive(Clone, Copy, Debug)]
struct Old {
    /// How many survived the last full cycle.
    total: u64,
    /// How many have become old since.
    pending: u64,
    /// Which share of those that had become old the last full cycle freed.
    garbage: f64,
}

impl Pace {
    pub(super) fn new(settings: ConcurrentCountingSettings) -> Result<Self, SettingsError> {
        let refuse = |setting, value, expected| {
            let collector = super::ConcurrentCounting::NAME;
            Err(SettingsError { collector, setting, value, expected })
        };
        let ConcurrentCountingSettings { pause_target, memory_target, least_batch } = settings;
        if !(10..=100_000).contains(&pause_target) {
            return refuse("pause-target", pause_target.to_string(), "a number from 10 to 100000");
        }
        if !(0.05..=4.0).contains(&memory_target) {
            return refuse("memory-target", memory_target.to_string(), "a number from 0.05 to 4");
        }
        if !(1..=1_000_000).contains(&least_batch) {
            return refuse("least-batch", least_batch.to_string(), "a number from 1 to 1000000");
        }
        let old = Old { total: 0, pending: 0, garbage: 1.0 };
        Ok(Self {
            settings,
            batch: AtomicU64::new(least_batch.into()),
            expects_garbage: AtomicBool::new(false),
            skips: AtomicU32::new(0),
            old: Mutex::new(old),
        })
    }

    /// Whether a mutator is to make suspects of all that it hands over, rather than have the collector guess.
    pub(super) fn expects_garbage(&self) -> bool {
        // Relaxed: a hint.
        self.expects_garbage.load(Relaxed) && self.batch() <= 2 * self.portion() as u64
    }

    /// Whether the next young cycle is not worth its cost.
    pub(super) fn skips(&self) -> bool {
        // Relaxed: a statistic, and the collector's alone.
        let skips = self.skips.load(Relaxed);
        // Relaxed: a statistic, as above.
        self.skips.store(skips.saturating_sub(1), Relaxed);
        skips > 0
    }

    /// So many objects have become old without a look.
    pub(super) fn skip(&self, objects: u64) {
        self.old().pending += objects;
    }

    /// Net allocations of a mutator that make a batch.
    pub(super) fn batch(&self) -> u64 {
        // Relaxed: a statistic: a late look costs a late cycle.
        self.batch.load(Relaxed)
    }

    /// How many suspects an act of a handshake handles.
    pub(super) fn portion(&self) -> usize {
        capacity((self.settings.pause_target * 1_000 / NANOSECONDS) as usize, 1)
    }

    /// Whether a full cycle is due, when so many objects are held.
    pub(super) fn is_full_due(&self, held: u64) -> bool {
        self.old().is_full_due(held, self.settings)
    }

    /// A cycle has ended.
    pub(super) fn learn(&self, extent: Extent, learned: Learned) {
        let Learned { examined, freed } = learned;
        let survived = examined - freed;
        let mut old = self.old();
        match extent {
            Extent::Young => {
                old.pending += survived;
                let least = u64::from(self.settings.least_batch);
                let share = freed as f64 / examined.max(1) as f64;
                let batch = self.batch();
                let next = match () {
                    () if share < YIELD.start => 2 * batch,
                    () if share > YIELD.end => batch / 2,
                    () => batch,
                };
                // Relaxed: a statistic, as above.
                self.batch.store(next.clamp(least, MOST * least), Relaxed);
                // Relaxed: a hint.
                self.expects_garbage.store(share > YIELD.end, Relaxed);
                // Relaxed: a statistic, and the collector's alone.
                self.skips.store(if share < HARDLY_ANY { SKIPPED } else { 0 }, Relaxed);
            }
            Extent::Full => {
                let garbage = freed as f64 / old.pending.max(1) as f64;
                *old =
                    Old { total: survived, pending: 0, garbage: garbage.clamp(LEAST_YIELD, 1.0) };
            }
        }
    }

    /// How near cycles are, for a mutator that has made `count` objects.
    pub(super) fn progress(&self, count: u64) -> Vec<Progress> {
        let old = *self.old();
        let threshold = (old.allowed(self.settings) / old.garbage) as u64;
        let young = Progress { count, threshold: self.batch() };
        vec![young, Progress { count: old.pending, threshold }]
    }

    fn old(&self) -> MutexGuard<'_, Old> {
        self.old.lock().expect("nothing panics while it holds this lock")
    }
}

impl Old {
    /// How many old objects may be garbage.
    fn allowed(self, settings: ConcurrentCountingSettings) -> f64 {
        let least = f64::from(2 * settings.least_batch);
        (self.total as f64 * settings.memory_target).max(least)
    }

    fn is_full_due(self, held: u64, settings: ConcurrentCountingSettings) -> bool {
        // What has become old and been freed by its count since is no garbage.
        let grown = self.pending.min(held.saturating_sub(self.total));
        grown as f64 * self.garbage > self.allowed(settings)
    }
}
