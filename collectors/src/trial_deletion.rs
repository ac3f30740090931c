//! Trial deletion: reference counting, with a search for cycles among what has lost a reference and lived.
//!
//! After D. F. Bacon, V. T. Rajan, *Concurrent cycle collection in reference counted systems*, ECOOP 2001, the section on
//! the synchronous collector; the setting `order = "per-root"` is its predecessor, A. D. Martínez, R. Wachenchauzer,
//! R. D. Lins, *Cyclic reference counting with local mark-scan*, IPL 1990.
//!
//! # How it works
//!
//! 1. *Count.* As `refcount`; what is not part of a cycle is freed at once.
//! 2. *Buffer* (`trial_deletion/candidates.rs`). A cycle becomes garbage only when one of its objects, or one that leads
//!    to it, loses a reference and keeps others. So an object that does, a *candidate* (purple), goes into its mutator's
//!    buffer, once. An object whose class is acyclic (green) never does, nor does one without slots.
//! 3. *Trigger.* When more candidates are buffered than the threshold, the next allocation collects.
//! 4. *Try* (world stopped, `trial_deletion/trial.rs`). The buffers are emptied. *Mark gray* subtracts all references
//!    inside of what the candidates reach; *scan* finds what is held from outside, and makes all that it reaches black
//!    again; *collect white* lists the rest, which is garbage. Phased, each step is taken for all candidates before the
//!    next; per root, one candidate goes through all three before another begins.
//! 5. *Finalize and free* (`cycles/reclaim.rs`, `cycles/listed.rs`). If garbage has finalizers, it is doomed: they are
//!    run, and it is looked at again.
//!
//! A collection that the program asks for tries again in the same pause what has become a candidate when acyclic garbage
//! died with the cycles that held it, until it finds nothing more.
//!
//! # Invariants
//!
//! 1. An object's count is the number of roots, slots and shared entries that refer to it.
//! 2. While mutators run, the scratch entry of a candidate is its place in the buffers, counted from 1, and that place
//!    holds its address; all other entries and places are 0. So a candidate is buffered once, and it is in the heap: who
//!    frees it empties its place first.
//! 3. Garbage that is in the heap, and not doomed, is reached from a candidate.
//! 4. A doomed object is in its mutator's `Finishing`, and no candidate; if its last reference goes, its cell is freed
//!    only at the end of that.
//!
//! Invariant 3 holds because whatever is reachable can become unreachable only when a reference is dropped to something
//! that leads to it, and whoever drops one that is not the last buffers the object. Two drops do not. That to a doomed
//! object: it is looked at again, and what is not doomed was reached at its doom by a path without doomed objects; the
//! last reference of that path to be cut leads to an object that is buffered. And, phased, garbage's own references to
//! what the trial has found to be held from outside: that is alive. (Per root it may be held by garbage that another root
//! led to, and is buffered.)
//!
//! # Bounds
//!
//! A phased collection walks three times over what its candidates reach, alive or not: its pause follows the live
//! graph behind them and not the garbage. Per root it is that for each candidate; where the cycles of a chain are
//! buffered from its end, that is quadratic. Garbage that floats is what as many candidates reach as the threshold
//! says (the adaptive policy may raise it to a thousand million), and at most 512 more for each mutator. A place takes
//! 8 bytes, and there are about twice as many as were needed at a time; they are not given back.
//!
//! # Synchronization
//!
//! | variable        | written by                                    | read by         | protocol                               |
//! |-----------------|-----------------------------------------------|-----------------|----------------------------------------|
//! | a scratch entry | whoever drops a reference; who drops the last | the same        | one winner, by compare-and-exchange; the count orders its end |
//! | a place         | its segment's mutator fills it; who frees its object, or a stopped world, empties it | the same | the count, or the safepoint handshake |
//! | `segments`      | mutators that need more or leave              | the same        | its lock                               |
//! | `buffered`      | all mutators                                  | the same        | Relaxed: a late look costs a late collection |
//! | `threshold`     | a stopped world                               | all mutators    | the same                               |
//! | `finishing`     | a mutator that collects                       | the same        | its lock                               |
//!
//! # Departures
//!
//! In the paper colours and the buffered flag are in headers, and the trial subtracts from the counts themselves. Here
//! both are in a table beside the objects: nothing has to be added back, purple is a place in a buffer, and the count is
//! that of `refcount`, with its shortcuts. In the paper an increment makes an object black, and the next collection
//! drops it from the buffer; here increments do not look at the table, and the object is tried.
//!
//! In the paper an object that dies while it is buffered stays in memory until the buffer is worked through. Here its
//! place is known, and so the object is freed at once, whoever drops the last reference, and in whosever buffer it is.
//! Per root, garbage is freed when all roots have been tried, and not after each. When a buffer is full is PHP's rule
//! (`Zend/zend_gc.c`), and with several mutators all buffers count together. Finalizers are ours.

use serde::{Deserialize, Serialize};

use crate::{
    Capabilities, Collector, Finalizers, Reclaims, Setting, SettingsError, SideTables,
    collector::Inspection,
    heap::Seat,
    threads::sync::{Arc, Mutex, MutexGuard},
};

mod candidates;
mod count;
mod local;
#[cfg(test)]
mod models;
mod trial;

use self::candidates::Candidates;
pub use self::{candidates::Buffer, count::CandidateCount, local::TrialDeletionLocal};

/// The most candidates that a threshold can be, PHP's.
const LARGEST_THRESHOLD: u32 = 1_000_000_000;

/// Counting with trial deletion of cycles.
#[derive(Debug)]
pub struct TrialDeletion {
    order: Order,
    candidates: Arc<Candidates>,
    /// Whether a collection waits for finalizers: then there is no other.
    finishing: Mutex<bool>,
}

/// In which order candidates go through the steps of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// All of them through one step, and then through the next.
    #[default]
    Phased,
    /// One of them through all steps, and then another.
    PerRoot,
}

/// What becomes of the threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// It grows while collections find little, and comes down again: PHP's rule.
    #[default]
    Adaptive,
    /// It stays what it is.
    Fixed,
}

/// Settings of [`TrialDeletion`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TrialDeletionSettings {
    /// In which order candidates go through the steps of a trial.
    pub order: Order,
    /// How many buffered candidates must be exceeded for a collection; 0 turns automatic collection off.
    pub threshold: u32,
    /// What becomes of the threshold.
    pub policy: Policy,
}

impl Default for TrialDeletionSettings {
    fn default() -> Self {
        Self { order: Order::default(), threshold: 10_000, policy: Policy::default() }
    }
}

impl Collector for TrialDeletion {
    const NAME: &'static str = "trial-deletion";
    const SUMMARY: &'static str = "counts references, and tries in a stopped world whether what has lost some is held by \
                                   cycles alone";
    const PAPER: &'static str = "D. F. Bacon, V. T. Rajan, Concurrent cycle collection in reference counted systems, \
                                 ECOOP, 2001";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Everything,
        moves: false,
        finalizers: Finalizers::Immediate,
        resurrects: true,
        generations: 1,
    };
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: "order",
            default: "\"phased\"",
            unit: "",
            range: "\"phased\" or \"per-root\"",
            meaning: "whether all candidates take a step before any takes the next, or one goes through before another",
        },
        Setting {
            name: "threshold",
            default: "10000",
            unit: "candidates",
            range: "0 to 1000000000; 0 turns automatic collection off",
            meaning: "how many buffered objects that lost a reference and lived must be exceeded for a collection",
        },
        Setting {
            name: "policy",
            default: "\"adaptive\"",
            unit: "",
            range: "\"adaptive\" or \"fixed\"",
            meaning: "whether the threshold grows by itself after a collection that frees less than a hundredth of it, and \
                      comes down after others",
        },
    ];
    const SIDE_TABLES: SideTables = SideTables::Scratch;

    type Settings = TrialDeletionSettings;
    type Header = CandidateCount;
    type Local = TrialDeletionLocal;

    fn new(settings: TrialDeletionSettings) -> Result<Self, SettingsError> {
        let TrialDeletionSettings { order, threshold, policy } = settings;
        if threshold > LARGEST_THRESHOLD {
            return Err(SettingsError {
                collector: Self::NAME,
                setting: "threshold",
                value: threshold.to_string(),
                expected: "a whole number up to 1000000000",
            });
        }
        let candidates = Arc::new(Candidates::new(threshold, policy));
        Ok(Self { order, candidates, finishing: Mutex::new(false) })
    }

    fn attach(self: &Arc<Self>, seat: Seat<CandidateCount>) -> TrialDeletionLocal {
        TrialDeletionLocal::new(Arc::clone(self), seat)
    }

    fn check(&self, inspection: &Inspection<'_, CandidateCount>) {
        inspection.check_counts();
        self.candidates.check(inspection.objects());
    }
}

impl TrialDeletion {
    fn finishing(&self) -> MutexGuard<'_, bool> {
        self.finishing.lock().expect("nothing panics while it holds this lock")
    }
}
