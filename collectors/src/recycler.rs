//! Recycler: counts references on a thread of its own, from what mutators write down, and collects cycles there too.
//!
//! After D. F. Bacon, C. R. Attanasio, H. B. Lee, V. T. Rajan and S. Smith, *Java without the coffee breaks: a nonintrusive
//! multiprocessor garbage collector*, PLDI 2001; D. F. Bacon and V. T. Rajan, *Concurrent cycle collection in reference
//! counted systems*, ECOOP 2001.
//!
//! # How it works
//!
//! A mutator counts nothing. For a store it writes down that one reference has been made and another one dropped
//! (`recycler/local.rs`, `recycler/buffer.rs`); for its roots it writes down nothing. The collector's thread does the rest, epoch
//! by epoch:
//!
//! 1. *Boundary.* At a handshake each mutator, at a safepoint of its own, ends its epoch: it hands over its buffer and a copy
//!    of its root table (`recycler/part.rs`). Mutators end theirs one after the other, and nobody waits.
//! 2. *Increments* of this epoch: roots that have come, references that were made.
//! 3. *Decrements* of the last epoch: roots that have gone, references that were dropped. What loses its last reference is
//!    freed, and drops its own (`recycler/ledger.rs`). What loses another one is a possible root of a garbage cycle.
//! 4. *Cycles* (`recycler/cycles.rs`). Candidates that the last epoch has found are freed if nothing outside of them referred to
//!    them then (sigma) and no reference to a member has been made or dropped since (delta). New ones are looked for if a search
//!    is due or the program has asked for a collection.
//!
//! An object whose finalizer has not run gets a reference from the queue of waiting finalizers instead of being freed; the
//! mutator that runs the finalizer drops it, and the object dies again.
//!
//! # Invariants
//!
//! 1. Between epochs the count of an object is the number of references to it from slots, shared handles, waiting finalizers
//!    and the last copies of root tables, plus decrements and less increments that have been written down and not processed.
//! 2. Of two mutators at any moment, one is at most one epoch ahead of the other.
//! 3. What is in a mutator's root table is referred to by a slot or a shared handle, or was in this epoch or the last one, or
//!    is in the copy of the table: so a decrement for it is processed after the increment for its root.
//! 4. Only the collector's thread reads or writes counts and colours.
//! 5. Whatever is garbage, and kept by a cycle, is reached from a possible root or a candidate, or will be when what has been
//!    written down is processed.
//!
//! A candidate that passes both tests is garbage: every reference to a member that a count knew of at the first test was seen
//! in a slot of another member. Slots are read while mutators write them, but a reference that was not yet counted would have
//! been by the second test, and that looks for increments. A mutator could have come by a member only through a reference that
//! was not a member's.
//!
//! # Bounds
//!
//! A pause is the hand-over of a buffer, which copies nothing, and a copy of the root table. An epoch begins when a mutator has
//! used up a portion (`triggers/growth.rs`; buffers count as if they were allocated). Garbage outside of cycles is freed within
//! two epochs of its death; a cycle, and all cycles that hang from it, within one more after a search. A search is due when what
//! has been allocated since the last one exceeds the trigger's limit, and a mutator that finds an epoch still under way then
//! waits for its end. So between two searches, with `m` mutators, limit `l` and portions `p`, no more than `l + m * p` bytes are
//! allocated and buffered, but for what a mutator stores between two safepoints; two epochs' buffers are kept at a time. The
//! copies of a root table take twice to four times its size.
//!
//! A garbage cycle that refers to live objects may be looked at together with them, and if a mutator changes these just then,
//! the candidate fails: again and again, if the mutator goes on like that. The papers have the same hole. If mutators leave the
//! objects alone for two epochs, as they do while all wait for `collect`, the cycle is freed.
//!
//! # Synchronization
//!
//! | variable           | written by             | read by                    | protocol                                   |
//! |--------------------|------------------------|----------------------------|--------------------------------------------|
//! | slots              | mutators               | mutators, the collector    | exchanged by AcqRel, loaded by Acquire     |
//! | headers            | an object's maker once | the collector              | published by the slot or the buffer        |
//! | headers            | the collector          | the collector              | one thread: plain                          |
//! | roots, buffers     | their mutator          | the same, acts             | handshake                                  |
//! | `state`            | mutators, collector    | the same                   | the lock                                   |
//! | `ledger`           | the collector          | the same, a stopped heap   | the lock, which nobody waits for           |
//!
//! # Departures
//!
//! Root tables are compared with their last copies, so that a root that stays costs nothing and is no possible root. Shared
//! handles, which the paper does not have, count like slots. A count that changes recolours its object, and not what that
//! reaches, so that it costs the same whatever the graph: the delta test needs no more, and what a search leaves gray it
//! blackens itself. A candidate that fails leaves its first member as a possible root in every case. An object that dies leaves
//! the list of possible roots at once. Cycles are not looked for in every epoch, since a search costs as much as what it
//! reaches; it gets an epoch before it, so that it knows what is dead, and one behind it, in which candidates are tested.

mod buffer;
mod cycles;
mod header;
mod ledger;
mod local;
#[cfg(test)]
mod models;
mod part;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use self::{
    buffer::{Pool, Segment},
    header::Colour,
    ledger::{Done, Ledger},
    part::{Part, Scan},
};
pub use self::{header::RecyclerHeader, local::RecyclerLocal};
use crate::{
    Capabilities, Collected, Collector, Event, Finalizers, Reclaims, Setting, SettingsError,
    collector::Inspection,
    finalization::Waiting,
    heap::{Object, Seat},
    marking::object_at,
    threads::{
        collector_thread::{CollectorThread, Round},
        sync::{Arc, Mutex, MutexGuard, atomic::Ordering::Relaxed, mutant},
    },
    triggers::growth::Growth,
};

/// What lies in a heap managed by the recycler.
type Counted = Object<RecyclerHeader>;

/// Counts and collects cycles on a thread of its own.
pub struct Recycler {
    growth: Growth,
    thread: Arc<CollectorThread>,
    state: Mutex<State>,
    ledger: Mutex<Ledger>,
    pool: Pool,
    /// Objects whose finalizers have to be run. Each place in the queue counts as a reference.
    waiting: Waiting<RecyclerHeader>,
}

/// What mutators and collector have in common.
struct State {
    members: Vec<Member>,
    /// What the next round is to do.
    wish: Wish,
    /// What the last collection that was asked for has found.
    last: Found,
}

/// A mutator, by the number of its seat.
#[derive(Clone)]
struct Member {
    index: usize,
    part: Arc<Part>,
    /// Whether it has left, and waits for its last buffer to be taken.
    has_left: bool,
}

/// What a round is asked for; the later includes the earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    /// An epoch.
    #[default]
    Epoch,
    /// That, and to look for cycles.
    Search,
    /// As many epochs as it takes to free what is garbage by now.
    Collection,
}

/// What an epoch, or several, have found.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    collected: Collected,
    freed_bytes: u64,
    /// Objects of cycles among those that were freed.
    freed_in_cycles: u64,
    /// Whether finalizers wait because of it.
    finalizers: bool,
}

impl std::ops::AddAssign for Found {
    fn add_assign(&mut self, other: Self) {
        self.collected += other.collected;
        self.freed_bytes += other.freed_bytes;
        self.freed_in_cycles += other.freed_in_cycles;
        self.finalizers |= other.finalizers;
    }
}

/// The settings of the recycler.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RecyclerSettings {
    /// Bytes allocated that make a search for cycles due, as a multiple of the bytes that the last one left.
    pub growth: f64,
    /// Bytes allocated that make one due at least.
    pub minimum_bytes: u64,
}

impl Default for RecyclerSettings {
    fn default() -> Self {
        Self { growth: 1.0, minimum_bytes: 4 << 20 }
    }
}

impl Collector for Recycler {
    const NAME: &'static str = "recycler";
    const SUMMARY: &'static str = "counts references and collects cycles beside the running program, from what it writes down";
    const PAPER: &'static str = "D. F. Bacon, C. R. Attanasio, H. B. Lee, V. T. Rajan and S. Smith, Java without the \
         coffee breaks: a nonintrusive multiprocessor garbage collector, PLDI, 2001; D. F. Bacon and V. T. Rajan, \
         Concurrent cycle collection in reference counted systems, ECOOP, 2001";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Everything,
        moves: false,
        finalizers: Finalizers::Deferred,
        resurrects: true,
        generations: 1,
    };
    const SETTINGS: &'static [Setting] = &Growth::SETTINGS;

    type Settings = RecyclerSettings;
    type Header = RecyclerHeader;
    type Local = RecyclerLocal;

    fn new(settings: RecyclerSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            growth: Growth::new(Self::NAME, settings.growth, settings.minimum_bytes)?,
            thread: Arc::new(CollectorThread::new()),
            state: Mutex::new(State {
                members: Vec::new(),
                wish: Wish::Epoch,
                last: Found::default(),
            }),
            ledger: Mutex::new(Ledger::default()),
            pool: Pool::new(),
            waiting: Waiting::new(),
        })
    }

    fn attach(self: &Arc<Self>, seat: Seat<RecyclerHeader>) -> RecyclerLocal {
        let this = Arc::downgrade(self);
        self.thread.start(&seat.core, move |seat| {
            if let Some(this) = this.upgrade() {
                this.round(seat);
            }
        });
        RecyclerLocal::new(Arc::clone(self), seat)
    }

    fn close(&self) {
        self.thread.close();
    }

    fn check(&self, inspection: &Inspection<'_, RecyclerHeader>) {
        let waiting = self.waiting.objects();
        inspection.check_references(waiting.iter().map(|&object| ("a waiting finalizer", object)));
        if self.thread.is_idle() {
            self.check_counts(inspection, &waiting);
        }
    }
}

impl Recycler {
    /// A mutator comes.
    fn admit(&self, index: usize) -> Arc<Part> {
        let part = Arc::new(Part::new());
        self.state().members.push(Member { index, part: Arc::clone(&part), has_left: false });
        part
    }

    /// A mutator goes. What it has written down is taken at the next boundary.
    fn dismiss(&self, part: &Arc<Part>) {
        for member in &mut self.state().members {
            member.has_left |= Arc::ptr_eq(&member.part, part);
        }
    }

    /// Says what the next round is to do, which somebody has yet to ask for.
    fn wish(&self, wish: Wish) {
        let mut state = self.state();
        state.wish = state.wish.max(wish);
    }

    /// Asks for a round.
    fn request(&self, wish: Wish) -> Round {
        self.wish(wish);
        self.thread.request()
    }

    /// What the last collection that was asked for has found.
    fn last(&self) -> Found {
        self.state().last
    }

    /// One round, on the collector's thread. Ends early if the heap is poisoned; its mutators find out themselves.
    fn round(&self, seat: &Seat<RecyclerHeader>) {
        seat.answer();
        let wish = std::mem::take(&mut self.state().wish);
        match wish {
            Wish::Epoch => drop(self.epoch(seat, Wish::Epoch)),
            Wish::Search => drop(self.search(seat, Wish::Search)),
            Wish::Collection => {
                let found = self.search(seat, Wish::Collection);
                self.state().last = found;
            }
        }
        seat.core.drain_vacant();
    }

    /// An epoch that ends with the request; another one, in which its decrements are processed, and which looks for cycles; and
    /// one that frees them. A collection goes on for as long as it frees cycles and finds others.
    fn search(&self, seat: &Seat<RecyclerHeader>, wish: Wish) -> Found {
        // At once: a mutator that finds the limit exceeded and a round under way waits for the end of it.
        self.growth.begin();
        let held = seat.core.statistics().held();
        let mut sum = self.epoch(seat, Wish::Epoch);
        sum += self.epoch(seat, Wish::Search);
        while self.ledger().has_candidates() {
            let found =
                self.epoch(seat, if wish == Wish::Collection { Wish::Search } else { Wish::Epoch });
            sum += found;
            // Mutators that make garbage all the time could keep us here.
            if found.freed_in_cycles == 0 || sum.collected.freed > held.objects {
                break;
            }
        }
        // What has been allocated meanwhile is not what the search leaves.
        self.growth.end(held.bytes.saturating_sub(sum.freed_bytes));
        sum
    }

    /// One epoch.
    fn epoch(&self, seat: &Seat<RecyclerHeader>, wish: Wish) -> Found {
        seat.core.sample(seat.index);
        let (done, finalizers) = self.process(seat, wish);
        let Done { freed, freed_in_cycles, traced } = done;
        let examined = traced + freed.objects;
        seat.emit(Event::Collection {
            generation: 0,
            examined,
            freed: freed.objects,
            survived: traced,
            freed_bytes: freed.bytes,
        });
        let collected = Collected { examined, freed: freed.objects };
        Found { collected, freed_bytes: freed.bytes, freed_in_cycles, finalizers }
    }

    /// Ends the mutators' epoch and processes it; says whether finalizers wait because of it.
    fn process(&self, seat: &Seat<RecyclerHeader>, wish: Wish) -> (Done, bool) {
        let mut ledger = self.ledger();
        let (segments, scans) = self.end_epoch(seat);
        for (_, scan) in &scans {
            scan.come().for_each(|object| ledger.increment(object));
        }
        for segment in &segments {
            segment.increments().for_each(|object| ledger.increment(object));
            ledger.rest_after_segment(seat);
        }
        let mut due = std::mem::replace(&mut ledger.pending, segments);
        if mutant("apply decrements in the same epoch") {
            due.append(&mut ledger.pending);
        }
        for (part, scan) in scans {
            scan.gone().for_each(|object| ledger.decrement(object));
            part.give_back(scan);
        }
        for segment in &due {
            segment.decrements().for_each(|object| ledger.decrement(object));
            ledger.rest_after_segment(seat);
        }
        self.pool.give_back(due);
        ledger.release(seat);
        ledger.free_cycles(seat);
        if wish == Wish::Search {
            ledger.collect_cycles(seat);
        }
        let dying = std::mem::take(&mut ledger.dying);
        self.waiting.extend(&seat.core, &dying);
        (std::mem::take(&mut ledger.done), !dying.is_empty())
    }

    /// The boundary: by a handshake every mutator hands over what it has written down, and its roots.
    fn end_epoch(&self, seat: &Seat<RecyclerHeader>) -> (Vec<Segment>, Vec<(Arc<Part>, Scan)>) {
        let members = self.state().members.clone();
        let is_asked = |member: &&Member, index| member.index == index && !member.has_left;
        let asked = seat.core.world.handshake(seat.index, &|index| {
            for member in members.iter().filter(|member| is_asked(member, index)) {
                member.part.hand_over();
            }
        });
        seat.survive(asked);
        let mut parts = Vec::new();
        self.state().members.retain(|member| {
            parts.push(Arc::clone(&member.part));
            if member.has_left {
                member.part.hand_over();
            }
            !member.has_left
        });
        let mut segments = Vec::new();
        let scan = |part: Arc<Part>| part.take(&mut segments).map(|scan| (part, scan));
        let scans = parts.into_iter().filter_map(scan).collect();
        (segments, scans)
    }

    /// Tests that every count is what slots and everything else that holds a reference come to (invariant 1).
    fn check_counts(&self, inspection: &Inspection<'_, RecyclerHeader>, waiting: &[Counted]) {
        let mut expected: HashMap<Counted, i64> = HashMap::new();
        let mut expect = |object, references| *expected.entry(object).or_default() += references;
        for object in inspection.objects() {
            // SAFETY: the world is stopped, and the object in the heap.
            for slot in unsafe { object.slots() } {
                // Relaxed: ordered by the safepoint handshake.
                object_at(slot.load(Relaxed)).into_iter().for_each(|child| expect(child, 1));
            }
        }
        let shared = inspection.core.shared.objects();
        shared.iter().chain(waiting).for_each(|&object| expect(object, 1));
        let ledger = self.ledger();
        for segment in &ledger.pending {
            segment.decrements().for_each(|object| expect(object, 1));
        }
        for member in &self.state().members {
            member.part.counted_roots().into_iter().for_each(|object| expect(object, 1));
            member.part.buffer.for_each(|object, references| expect(object, -references));
        }
        for object in inspection.objects() {
            let header = object.header();
            let (count, known) = (header.count(), expected.remove(&object).unwrap_or(0));
            assert_eq!(i64::from(count), known, "the count of {object:?}, and references known");
            assert!(
                header.colour() != Colour::Red,
                "{object:?} is being looked at between two epochs"
            );
        }
        assert!(expected.is_empty(), "references to what is no object: {expected:?}");
        ledger.check();
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("a panic of the collector's thread has poisoned the heap")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}
