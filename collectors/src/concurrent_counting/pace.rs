//! Pace: when a cycle is due, and how much is done in one go.
//!
//! A mutator looks at its young objects whenever it has made a batch of them; where hardly any has been garbage, the next
//! batches become old without a look. A cycle is due when the objects that have become old since the last one, as far as
//! there are more objects than then, would at the yield that it had come to more garbage than the memory target allows.
//!
//! There is no clock here: costs are counted in objects.

use std::{ops::Range, time::Duration};

use super::ConcurrentCountingSettings;
use crate::{
    Collector, Progress, SettingsError,
    threads::sync::{Mutex, MutexGuard, capacity},
};

/// What it takes to flag a suspect where its memory has to be fetched, in nanoseconds. The destruction of an object takes less.
const FLAG_NANOSECONDS: u32 = 20;

/// What it takes to look at a young object, in nanoseconds.
const LOOK_NANOSECONDS: u32 = 12;

/// Below this share of garbage in young objects batches grow, above the other they shrink.
const YIELD: Range<f64> = 0.1..0.5;

/// If the largest batches have less garbage than this, the next are not looked at.
const HARDLY_ANY: f64 = 0.02;

/// How many batches that are: twice as many each time, and one more, up to this.
const MOST_SKIPPED: u32 = 15;

/// What share of new old objects is taken to be garbage at least, so that a cycle comes due.
const LEAST_YIELD: f64 = 0.5;

/// Batches of garbage that may float, however little is alive: from a heap of which most is garbage to one of which most is
/// alive, where a cycle costs more than it yields.
const LEAST_ALLOWED: Range<f64> = 8.0..16.0;

/// How many times what is alive that is, in between.
const SMALL_HEAP: f64 = 1.4;

/// How many times what makes a cycle due may become old while one is under way, before mutators wait for its end.
const MOST_BEHIND: f64 = 4.0;

/// What a look at objects has shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Learned {
    pub(super) examined: u64,
    pub(super) freed: u64,
}

/// How many objects a mutator makes before it looks at them, and how often it does not look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batches {
    /// Net allocations that make a batch.
    pub(super) size: i64,
    /// How many batches are still to be skipped.
    left: u32,
    /// How many are skipped at a time.
    skipped: u32,
}

impl Batches {
    /// Whether the next batch is skipped.
    pub(super) fn skip(&mut self) -> bool {
        let is_skipped = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_skipped
    }

    /// What a look has shown.
    pub(super) fn learn(&mut self, Learned { examined, freed }: Learned, pace: &Pace) {
        let share = freed as f64 / examined.max(1) as f64;
        let is_largest = self.size == pace.largest_batch();
        self.skipped = match share < HARDLY_ANY && is_largest {
            true => (2 * self.skipped + 1).min(MOST_SKIPPED),
            false => 0,
        };
        self.left = self.skipped;
        let size = match share {
            share if share < YIELD.start => 2 * self.size,
            share if share > YIELD.end => self.size / 2,
            _ => self.size,
        };
        self.size = size.clamp(pace.smallest_batch(), pace.largest_batch());
    }
}

/// When a cycle is due.
pub(super) struct Pace {
    settings: ConcurrentCountingSettings,
    old: Mutex<Old>,
}

/// What is known of the old objects.
#[derive(Clone, Copy, Debug)]
struct Old {
    /// How many survived the last cycle.
    total: u64,
    /// How many have become old since that began.
    pending: u64,
    /// How many had become old before, if a cycle is under way.
    looked_at: u64,
    /// Which share of those that had become old the last cycle freed.
    garbage: f64,
}

impl Pace {
    pub(super) fn new(settings: ConcurrentCountingSettings) -> Result<Self, SettingsError> {
        let refuse = |setting, value, expected| {
            let collector = super::ConcurrentCounting::NAME;
            Err(SettingsError { collector, setting, value, expected })
        };
        let ConcurrentCountingSettings { pause_target, memory_target, batch } = settings;
        if !(10..=100_000).contains(&pause_target) {
            return refuse("pause-target", pause_target.to_string(), "a number from 10 to 100000");
        }
        if !(0.05..=4.0).contains(&memory_target) {
            return refuse("memory-target", memory_target.to_string(), "a number from 0.05 to 4");
        }
        if !(1..=1_000_000).contains(&batch) {
            return refuse("batch", batch.to_string(), "a number from 1 to 1000000");
        }
        let old = Old { total: 0, pending: 0, looked_at: 0, garbage: 1.0 };
        Ok(Self { settings, old: Mutex::new(old) })
    }

    /// A mutator begins.
    pub(super) fn batches(&self) -> Batches {
        Batches { size: self.smallest_batch(), left: 0, skipped: 0 }
    }

    fn smallest_batch(&self) -> i64 {
        i64::from(self.settings.batch).min(self.largest_batch())
    }

    fn largest_batch(&self) -> i64 {
        // A look is at two.
        self.most_looked_at() as i64 / 2
    }

    /// How many young objects may be looked at in one go.
    pub(super) fn most_looked_at(&self) -> usize {
        capacity((self.settings.pause_target * 1_000 / LOOK_NANOSECONDS) as usize, 2)
    }

    /// How many objects are handled in one go.
    pub(super) fn portion(&self) -> usize {
        capacity((self.settings.pause_target * 1_000 / FLAG_NANOSECONDS) as usize, 1)
    }

    /// So many objects have become old.
    pub(super) fn have_become_old(&self, objects: u64) {
        self.old().pending += objects;
    }

    /// Whether a cycle is due, or, while one is under way, whether the next one is; `held` tells how many objects there are.
    pub(super) fn is_due(&self, held: impl FnOnce() -> u64) -> bool {
        let old = self.old();
        let allowed = old.allowed(self.settings);
        let exceeds = |objects: u64| objects as f64 * old.garbage > allowed;
        // What has become old and been freed by its count since is no garbage.
        exceeds(old.pending) && exceeds(old.pending.min(held().saturating_sub(old.total)))
    }

    /// How long a mutator that has made another batch while a cycle is under way waits for that: the longer, the more has
    /// become old, and at last (`None`) to its end.
    pub(super) fn wait(&self) -> Option<Duration> {
        let old = self.old();
        let behind = old.pending as f64 * old.garbage / old.allowed(self.settings);
        let target = Duration::from_micros(self.settings.pause_target.into());
        (behind < MOST_BEHIND).then(|| target.mul_f64(behind))
    }

    /// A cycle begins.
    pub(super) fn begin(&self) {
        let mut old = self.old();
        old.looked_at = std::mem::take(&mut old.pending);
    }

    /// A cycle has ended.
    pub(super) fn learn(&self, Learned { examined, freed }: Learned) {
        let mut old = self.old();
        let garbage = freed as f64 / old.looked_at.max(1) as f64;
        old.garbage = garbage.clamp(LEAST_YIELD, 1.0);
        old.total = examined - freed;
        old.looked_at = 0;
    }

    /// How near cycles are, for a mutator that has made `count` objects of a batch of `size`.
    pub(super) fn progress(&self, count: i64, size: i64) -> Vec<Progress> {
        let old = *self.old();
        let allowed = old.allowed(self.settings);
        let progress = |count, threshold| Progress { count, threshold };
        vec![
            progress(count.unsigned_abs(), size.unsigned_abs()),
            progress(old.pending, (allowed / old.garbage) as u64),
        ]
    }

    fn old(&self) -> MutexGuard<'_, Old> {
        self.old.lock().expect("nothing panics while it holds this lock")
    }
}

impl Old {
    /// How many old objects may be garbage.
    fn allowed(&self, settings: ConcurrentCountingSettings) -> f64 {
        let (total, batch) = (self.total as f64, f64::from(settings.batch));
        let Range { start, end } = LEAST_ALLOWED;
        let least = (SMALL_HEAP * total).clamp(start * batch, end * batch);
        (total * settings.memory_target).max(least)
    }
}
