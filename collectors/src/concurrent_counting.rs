//! Concurrent counting: frees at once what nobody refers to, and finds cycles beside the running program, which never stops.
//!
//! Ours. It is built from: owner-biased counts (J. Choi, T. Shull, J. Torrellas, *Biased reference counting: minimizing
//! atomic operations in garbage collection*, PACT 2018; S. Gross, *PEP 703*, 2023); the subtraction of internal references
//! (N. Schemenauer, T. Peters, CPython's cycle collector, 2000); the idea that garbage found beside a running program is
//! validated before it is freed, by whether counts have changed (D. F. Bacon, V. T. Rajan, *Concurrent cycle collection in
//! reference counted systems*, ECOOP 2001); handshakes (D. Doligez, G. Gonthier, *Portable, unobtrusive garbage collection for
//! multiprocessor systems*, POPL 1994).
//!
//! # How it works
//!
//! References are counted as in `counts/biased.rs`; what loses its last one is destroyed there and then. A mutator that has
//! made so many objects as the trigger says (`concurrent_counting/pace.rs`) hands over which they are (`batch.rs`), and goes
//! on. A cycle runs on a thread of the collector's own:
//!
//! 1. *Guess* (`guess.rs`, nobody waits). References from inside the candidates are subtracted from copies of their counts,
//!    while the program changes both. What is left with references, and what that reaches, is taken to be alive; the rest
//!    is suspected. All garbage among the candidates is, since nobody changes garbage.
//! 2. *Summon* (`suspects.rs`, handshakes). Each mutator merges the counts of the suspects that its seat has made, and
//!    flags them, so many in each handshake. From now on every drop of a reference to one clears its flag.
//! 3. *Validate* (nobody waits). The references from suspects to suspects are counted. One whose flag is gone, or that has
//!    another count than this, is alive, and so is what it refers to. It is repeated with the rest until all pass: they are
//!    garbage.
//! 4. *Finalize* (`reclaim.rs`). If garbage has finalizers, it is kept, and mutators run them at safepoints. The next cycle
//!    looks at it again.
//! 5. *Free* (`reclaim.rs`, nobody waits). References from garbage to what is alive are dropped. What dies of it is destroyed
//!    on the collector's thread, unless it has a finalizer. Cells go back to their owners.
//!
//! Survivors become old. Old objects are candidates of a *full* cycle only. Where most of what is young has been garbage, a
//! mutator makes suspects of all that it hands over, then and there: steps 1 and 2 fall away, and with them every handshake.
//! Where hardly any has been, most batches become old without a look.
//!
//! # Invariants
//!
//! 1. An object's count is the number of roots, slots, shared entries, entries of merge queues and waiting finalizers that
//!    refer to it.
//! 2. What step 3 passes is garbage. Call each counted reference a token, and let R be what passed, with s a moment when all
//!    of it was flagged, after which each slot of R was read once, and then each count. A token enters a slot only when it is
//!    made, and a reader that sees the slot sees its count. Between s and the look at the count of X in R no token of X
//!    was dropped, or the flag would be gone; so all tokens that were in that time are still counted then. The tokens seen in
//!    slots are that many, so they are all there are: X has no root at any moment between s and then, unless it is a token
//!    that was seen in a slot of R and taken out since. Whoever takes one out of a slot of Y in R has a root of Y. The
//!    first to do so has none that was taken out of a slot of R, and so none before the look at Y; and to get one later he
//!    needs another root of R, or a token of R elsewhere, which there are none of. So nobody has: R is referred to by R
//!    alone, and will be.
//! 3. Of an object that is not flagged, the collector knows nothing: its memory may be used otherwise at any time. It reads
//!    there only what may be any word, and writes nothing (`guess.rs`). The cell of a flagged object stays what it is until
//!    the collector acquits it; large objects are not unmapped while a cycle runs (`limbo.rs`).
//! 4. Between cycles every scratch entry is 0, and no object is flagged.
//! 5. An object that can be part of a cycle is in a batch, has its young bit set, has its old (middle) bit set, or is on the
//!    list of large objects. Bits of cells that are no objects mean nothing.
//!
//! # Bounds
//!
//! A pause is a handshake, which handles what fits the pause target; the hand-over of a batch; a stall of a mutator that is
//! `BACKLOG` batches ahead, which lasts no longer than the cycle under way; or the release of what the program itself drops.
//!
//! Let T be the objects that the last full cycle left, m the memory target, P the number of mutators, N the least batch and
//! B = 4 N the largest. What was garbage when a cycle began and was a candidate of it is freed by it, so T is no more than what
//! lived then and what has been handed over since. A full cycle is due, at the latest, when T has grown by max(4 m T, 8 N)
//! objects, since a quarter of what becomes old is always taken to be garbage; and a mutator stalls when `BACKLOG` batches of
//! its own wait. So no more than T + max(4 m T, 8 N) + P (`BACKLOG` + 2) B objects that can be part of a cycle are held, alive
//! or not, and no more of them are garbage than that less those that live; where nothing has become old since, T itself
//! lives but for what the program has let go since the last full cycle.
//!
//! # Synchronization
//!
//! | variable            | written by                        | read by         | protocol                                     |
//! |---------------------|-----------------------------------|-----------------|----------------------------------------------|
//! | counts, queues      | see `counts/biased.rs`, `counts/biased/suspects.rs`, `counts/merge.rs`                               |
//! | slots               | mutators                          | the collector   | stores release, validation acquires          |
//! | young bits          | the owner of their block          | the same        | copied to a batch at a safepoint of its own  |
//! | scratch, old bits   | the collector                     | the same        | its own thread                               |
//! | `inbox`, `limbo`    | mutators                          | the collector   | their locks                                  |
//!
//! # Departures
//!
//! Bacon and Rajan buffer what has been decremented, colour it in the header and validate candidates by an epoch in which
//! their counts stay; here candidates are what is new, nothing is buffered, and a flag tells a drop. The guess reads memory of
//! which another thread may just be making an object, as the reader of a sequence lock does: all of it is written and read
//! atomically, word by word (`Header::MAY_BE_GUESSED`), so that it may be wrong and never undefined.

mod batch;
mod guess;
mod limbo;
mod local;
#[cfg(test)]
mod models;
mod pace;
mod reclaim;
mod suspects;

use serde::{Deserialize, Serialize};

pub use self::local::ConcurrentCountingLocal;
use self::{
    batch::{Batch, Candidates, Inbox, Large},
    guess::Mapped,
    limbo::Limbo,
    pace::{Extent, Learned, Pace},
};
use crate::{
    Capabilities, Collected, Collector, Event, Finalizers, Reclaims, Setting, SettingsError,
    SideTables,
    collector::Inspection,
    counts::{
        biased::BiasedCount,
        merge::{Common, Holder},
    },
    finalization::Waiting,
    heap::{Object, Seat},
    threads::{
        collector_thread::CollectorThread,
        sync::{Arc, Mutex, MutexGuard, atomic::Ordering::Relaxed},
    },
};

/// What lies in a heap managed by concurrent counting.
type Counted = Object<BiasedCount>;

/// Counts with a bias, and collects cycles on a thread of its own.
pub struct ConcurrentCounting {
    counting: Arc<Common<Counted>>,
    thread: Arc<CollectorThread>,
    pace: Pace,
    /// What mutators have handed over, and what they ask for.
    inbox: Mutex<Inbox>,
    /// Large objects that have died while a cycle runs.
    limbo: Limbo,
    /// Garbage whose finalizers have to be run, with a reference to each.
    waiting: Waiting<BiasedCount>,
    state: Mutex<State>,
}

/// What the collector knows from one cycle to the next.
#[derive(Default)]
struct State {
    /// What the last cycle found.
    last: Found,
    /// Garbage that was kept for its finalizers.
    again: Vec<Counted>,
}

/// What a cycle has found.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    collected: Collected,
    finalizers: bool,
}

/// The settings of concurrent counting.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConcurrentCountingSettings {
    /// Microseconds that the act of a handshake may take.
    pub pause_target: u32,
    /// Garbage that may float, as a share of what is alive.
    pub memory_target: f64,
    /// Net allocations of a mutator that make the smallest batch.
    pub least_batch: u32,
}

impl Default for ConcurrentCountingSettings {
    fn default() -> Self {
        Self { pause_target: 50, memory_target: 0.25, least_batch: 2_000 }
    }
}

/// What the collector's thread has at hand.
struct Worker<'w> {
    collector: &'w ConcurrentCounting,
    seat: &'w Seat<BiasedCount>,
    holder: &'w Holder<Counted>,
}

impl Collector for ConcurrentCounting {
    const NAME: &'static str = "concurrent-counting";
    const SUMMARY: &'static str = "counts with a bias, and finds cycles beside the running program, which stops for handshakes only";
    const PAPER: &'static str = "ours; built from J. Choi, T. Shull, J. Torrellas, Biased reference counting, PACT, 2018, and \
         D. F. Bacon, V. T. Rajan, Concurrent cycle collection in reference counted systems, ECOOP, 2001";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Everything,
        moves: false,
        // Those of objects whose last reference goes run at once, but a dead suspect's cell is held for a while.
        finalizers: Finalizers::Deferred,
        resurrects: true,
        generations: 2,
    };
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: "pause-target",
            default: "50",
            unit: "microseconds",
            range: "10..=100000",
            meaning: "how long the act of a handshake may take, at 20 ns for each object that it handles",
        },
        Setting {
            name: "memory-target",
            default: "0.25",
            unit: "ratio",
            range: "0.05..=4",
            meaning: "old garbage that may float before a full cycle, by estimate, as a share of what is alive",
        },
        Setting {
            name: "least-batch",
            default: "2000",
            unit: "objects",
            range: "1..=1000000",
            meaning: "net allocations of a mutator that make a young cycle due, if it finds much",
        },
    ];
    const SIDE_TABLES: SideTables = SideTables::Generations;

    type Settings = ConcurrentCountingSettings;
    type Header = BiasedCount;
    type Local = ConcurrentCountingLocal;

    fn new(settings: ConcurrentCountingSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            counting: Arc::default(),
            thread: Arc::new(CollectorThread::new()),
            pace: Pace::new(settings)?,
            inbox: Mutex::default(),
            limbo: Limbo::new(),
            waiting: Waiting::new(),
            state: Mutex::default(),
        })
    }

    fn attach(self: &Arc<Self>, seat: Seat<BiasedCount>) -> ConcurrentCountingLocal {
        let this = Arc::downgrade(self);
        let holder = Holder::of_nobody(&self.counting);
        self.thread.start(&seat.core, move |seat| {
            if let Some(this) = this.upgrade() {
                Worker { collector: &this, seat, holder: &holder }.cycle();
            }
        });
        ConcurrentCountingLocal::new(Arc::clone(self), seat)
    }

    fn close(&self) {
        self.thread.close();
    }

    fn check(&self, inspection: &Inspection<'_, BiasedCount>) {
        let waiting = self.waiting.objects().into_iter();
        inspection.check_references(waiting.map(|object| ("a waiting finalizer", object)));
        if !self.thread.is_idle() || !self.inbox().is_empty() {
            return;
        }
        inspection.check_counts();
        for object in inspection.objects() {
            // Relaxed: ordered by the safepoint handshake.
            let entry = object.scratch().load(Relaxed);
            assert_eq!(entry, 0, "the scratch entry of {object:?} between cycles");
            assert!(!object.header().is_watched(), "{object:?} is suspected between cycles");
        }
    }
}

impl ConcurrentCounting {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().expect("nothing panics while it holds this lock")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl Worker<'_> {
    /// One cycle, on the collector's thread. Ends early if the heap is poisoned; its mutators find out themselves.
    fn cycle(&self) {
        let (collector, core) = (self.collector, &*self.seat.core);
        self.seat.answer();
        core.sample(self.seat.index);
        let asked = collector.inbox().take_wish();
        if asked.is_some() {
            self.gather();
        }
        if asked.is_none() && collector.pace.skips() {
            let objects = collector.inbox().make_old();
            collector.pace.skip(objects);
        }
        let held = core.statistics().held().objects;
        let extent = if collector.pace.is_full_due(held) { Extent::Full } else { Extent::Young };
        let extent = asked.map_or(extent, |asked| asked.max(extent));
        if asked.is_none() && extent == Extent::Young && collector.inbox().is_empty() {
            return;
        }
        collector.limbo.open();
        let found = self.collect(extent);
        self.empty_limbo();
        core.drain_vacant();
        // The seat may have been a mutator's.
        self.seat.drain_remote();
        collector.state().last = found;
        if !collector.inbox().is_empty() {
            collector.thread.request();
        }
    }

    fn collect(&self, extent: Extent) -> Found {
        let (collector, core) = (self.collector, &*self.seat.core);
        let batches = collector.inbox().take();
        let large = Large::new(core);
        let mapped = Mapped::new(&core.space.chunks(), &large.all);
        let mut again = self.take_again();
        again.retain(|object| mapped.has(object.address()));
        let (candidates, mut flagged) = Candidates::new(core, batches, again, large, extent);
        let guess = self.guess(&candidates, &mapped);
        // In a full cycle those that are flagged are candidates like all others.
        let examined =
            guess.examined + if extent == Extent::Young { flagged.len() as u64 } else { 0 };
        flagged.append(&mut self.summon(guess.suspects));
        let garbage = self.validate(flagged, &mapped);
        let finalizers = self.finalize(&garbage.objects);
        let freed = if finalizers { self.keep(garbage.objects) } else { self.free(&garbage) };
        candidates.promote(core, extent);
        collector.pace.learn(extent, Learned { examined, freed: freed.objects });
        self.seat.emit(Event::Collection {
            generation: extent as u8,
            examined,
            freed: freed.objects,
            survived: examined - freed.objects,
            freed_bytes: freed.bytes,
        });
        let collected = Collected { examined, freed: freed.objects };
        Found { collected, finalizers }
    }

    /// What was kept for finalizers that have all begun by now.
    fn take_again(&self) -> Vec<Counted> {
        if !self.collector.waiting.objects().is_empty() {
            return Vec::new();
        }
        std::mem::take(&mut self.collector.state().again)
    }

    /// A handshake: each mutator hands over what it has made, and its queue.
    fn gather(&self) {
        let (collector, seat) = (self.collector, self.seat);
        let shares = seat.core.shares();
        let settled = Mutex::new(Vec::new());
        let asked = seat.core.world.handshake(seat.index, &|index| {
            if let Some(share) = shares.get(index) {
                collector.inbox().push(Batch::take(index, share));
            }
            let mut references = collector.counting.settle_seat(index);
            settled
                .lock()
                .expect("nothing panics while it holds this lock")
                .append(&mut references);
        });
        seat.survive(asked);
        self.drop_all(settled.into_inner().expect("nothing panics while it holds this lock"));
    }
}
