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
//! References are counted as in `counts/biased.rs`; what loses its last one is destroyed there and then, in slices that fit
//! the pause target if much dies at once: as long as something is left, every allocation destroys a little of it.
//!
//! *Young* (`young.rs`). A mutator that has made a batch of objects looks at them, and once more at those of the batch before:
//! by itself, at a safepoint of its own, while all others run on. It counts the references from its young objects to its
//! young objects; what has no others is garbage and freed. The rest becomes old. How large a batch is, and how often there is
//! no look at it, depends on what the last looks have yielded (`pace.rs`).
//!
//! *Old.* When what has become old may have come to more garbage than the memory target allows, a cycle runs on a thread of
//! the collector's own:
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
//! # Invariants
//!
//! 1. An object's count is the number of roots, slots, shared entries, entries of merge queues and waiting finalizers that
//!    refer to it.
//! 2. What step 3 passes is garbage, and so is what a look at young objects passes. Call each counted reference a token, and let
//!    R be what passed, with s a moment when all of it was flagged, after which each slot of R was read once, and then each count. A token enters a slot only when it is
//!    made, and a reader that sees the slot sees its count. Between s and the look at the count of X in R no token of X
//!    was dropped, or the flag would be gone; so all tokens that were in that time are still counted then. The tokens seen in
//!    slots are that many, so they are all there are: X has no root at any moment between s and then, unless it is a token
//!    that was seen in a slot of R and taken out since. Whoever takes one out of a slot of Y in R has a root of Y. The
//!    first to do so has none that was taken out of a slot of R, and so none before the look at Y; and to get one later he
//!    needs another root of R, or a token of R elsewhere, which there are none of. So nobody has: R is referred to by R
//!    alone, and will be. A mutator that is alone needs no flags: nobody drops anything between s and then.
//! 3. Of an object that is not flagged, the collector knows nothing: its memory may be used otherwise at any time. It reads
//!    there only what may be any word, and writes nothing (`guess.rs`). The cell of a flagged object stays what it is until
//!    the collector acquits it; large objects are not unmapped while a cycle runs (`limbo.rs`).
//! 4. Between cycles every scratch entry is 0, and no object is flagged.
//! 5. An object that can be part of a cycle is in a batch, has its young bit set, has its old (middle) bit set, or is on the
//!    list of large objects. Bits of cells that are no objects mean nothing. A cell may be in several of these, since it may
//!    have been another object's: so a guess may look at young objects too; what is suspected, no mutator owns any more.
//!
//! # Bounds
//!
//! A pause is a look or the act of a handshake, which handle what fits the pause target; a slice of a release; or a wait of a
//! mutator that makes old objects faster than the collector looks at them: the longer, the further ahead it is, and at last
//! to the end of the cycle under way.
//!
//! Let T be the objects that the last cycle left, m the memory target, N the smallest and B the largest batch, P the number
//! of mutators, and a = max(m T, 16 N). A cycle is due, at the latest, when 2 a objects have become old since the last one
//! began, for half of them is always taken to be garbage; while it runs, no more than 8 a and a batch of each mutator become
//! old before all wait. What was garbage when a cycle began and was a candidate of it is freed by it. So no more than
//! T + 16 a + 4 P B objects that can be part of a cycle are held, alive or not, but for those that a mutator which makes
//! nothing has let go and not destroyed yet; and where nothing has become old since, T itself lives but for what the program
//! has let go since the last cycle.
//!
//! # Synchronization
//!
//! | variable            | written by                        | read by         | protocol                                     |
//! |---------------------|-----------------------------------|-----------------|----------------------------------------------|
//! | counts, queues      | see `counts/biased.rs`, `counts/biased/suspects.rs`, `counts/merge.rs`                               |
//! | slots               | mutators                          | the collector   | stores release, validation acquires          |
//! | young bits          | the owner of their block          | the same        | copied to a batch at a safepoint of its own  |
//! | `census`            | mutators                          | the same        | who leaves releases, who looks acquires      |
//! | scratch, old bits   | the collector                     | the same        | its own thread                               |
//! | `inbox`, `limbo`    | mutators                          | the collector   | their locks                                  |
//!
//! # Departures
//!
//! Bacon and Rajan buffer what has been decremented, colour it in the header and validate candidates by an epoch in which
//! their counts stay; here candidates are all objects, nothing is buffered, and a flag tells a drop. The guess reads memory of
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
mod young;

use serde::{Deserialize, Serialize};

pub use self::local::ConcurrentCountingLocal;
use self::{
    batch::{Batch, Candidates, Inbox},
    guess::{Guess, Mapped},
    limbo::Limbo,
    pace::{Learned, Pace},
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
        sync::{
            Arc, Mutex, MutexGuard,
            atomic::{
                AtomicU64,
                Ordering::{Acquire, Relaxed, Release},
            },
        },
    },
};

/// The generation of what has become old.
const OLD: u8 = 1;

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
    /// What the last cycle found.
    last: Mutex<Found>,
    /// How many mutators there are, and, from bit 32 on, how many have ever come.
    census: AtomicU64,
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
    /// Microseconds that may be spent in one go.
    pub pause_target: u32,
    /// Garbage that may float, as a share of what is alive.
    pub memory_target: f64,
    /// Net allocations of a mutator that make a batch.
    pub batch: u32,
}

impl Default for ConcurrentCountingSettings {
    fn default() -> Self {
        Self { pause_target: 50, memory_target: 0.17, batch: 700 }
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
            meaning: "how long what is done in one go may take, at 12 ns for each young object and 20 for each suspect",
        },
        Setting {
            name: "memory-target",
            default: "0.17",
            unit: "ratio",
            range: "0.05..=4",
            meaning: "old garbage that may float before a cycle, by estimate, as a share of what is alive",
        },
        Setting {
            name: "batch",
            default: "700",
            unit: "objects",
            range: "1..=1000000",
            meaning: "net allocations after which a mutator looks at what it has made, if the pause target allows so many",
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
            last: Mutex::default(),
            census: AtomicU64::new(0),
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
        if !self.thread.is_idle() {
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

    fn last(&self) -> MutexGuard<'_, Found> {
        self.last.lock().expect("nothing panics while it holds this lock")
    }

    /// A mutator has come.
    fn has_arrived(&self) {
        // Relaxed: a hint until something is seen that it does, all of which it publishes.
        self.census.fetch_add(1 << 32 | 1, Relaxed);
    }

    /// A mutator has gone.
    fn has_left(&self) {
        // Release: all that it has done comes before. Pairs with `is_alone`.
        self.census.fetch_sub(1, Release);
    }

    /// Whether the mutator that asks is the only one: if it gets the same answer twice, it has been all the time, but for one
    /// of which nothing was seen.
    fn is_alone(&self) -> Option<u64> {
        // Acquire: what those did that have left. Pairs with `has_left`.
        let census = self.census.load(Acquire);
        (census as u32 == 1).then_some(census)
    }
}

impl Worker<'_> {
    /// One cycle, on the collector's thread. Ends early if the heap is poisoned; its mutators find out themselves.
    fn cycle(&self) {
        let (collector, core) = (self.collector, &*self.seat.core);
        self.seat.answer();
        core.sample(self.seat.index);
        let is_asked = collector.inbox().take_wish();
        if is_asked {
            self.gather();
        }
        let is_due = collector.pace.is_due(|| core.statistics().held().objects);
        collector.inbox().make_old();
        if !is_asked && !is_due {
            return;
        }
        collector.pace.begin();
        collector.limbo.open();
        let found = self.collect();
        self.empty_limbo();
        core.drain_vacant();
        // The seat may have been a mutator's.
        self.seat.drain_remote();
        *collector.last() = found;
    }

    fn collect(&self) -> Found {
        let (collector, core) = (self.collector, &*self.seat.core);
        let candidates = Candidates::new(core);
        let mapped = Mapped::new(&core.space.chunks(), &candidates.large);
        let Guess { examined, suspects } = self.guess(&candidates, &mapped);
        let flagged = self.summon(suspects);
        let garbage = self.validate(flagged, &mapped);
        let finalizers = self.finalize(&garbage.objects);
        let freed = if finalizers { self.keep(garbage.objects) } else { self.free(&garbage) };
        core.space.settle_large(|_| true);
        collector.pace.learn(Learned { examined, freed: freed.objects });
        self.seat.emit(Event::Collection {
            generation: OLD,
            examined,
            freed: freed.objects,
            survived: examined - freed.objects,
            freed_bytes: freed.bytes,
        });
        let collected = Collected { examined, freed: freed.objects };
        Found { collected, finalizers }
    }

    /// A handshake: each mutator hands over what it has made, and its queue.
    fn gather(&self) {
        let (collector, seat) = (self.collector, self.seat);
        let shares = seat.core.shares();
        let settled = Mutex::new(Vec::new());
        let asked = seat.core.world.handshake(seat.index, &|index| {
            if let Some(share) = shares.get(index) {
                let mut batch = Batch::take(share);
                let mut inbox = collector.inbox();
                batch.append(std::mem::take(inbox.aged(index)));
                collector.pace.have_become_old(batch.objects());
                inbox.push(batch);
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
