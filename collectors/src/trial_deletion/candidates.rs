//! Candidates: the objects that have lost a reference and lived, in buffers from which any of them can be taken out.
//!
//! Buffers are made of *segments*, numbered over the whole heap. A mutator alone fills the places of its segments; a
//! place is emptied by whoever frees its object, wherever it is. An object's scratch entry says where it is buffered, so
//! that this is a store or two; and it is the claim by which one of several mutators buffers it. A mutator looks for
//! empty places in rounds over its segments, and takes another segment if a round finds less than half of them empty.
//!
//! # Invariants
//!
//! 1. A place that is not empty holds the address of an object in the heap, whose scratch entry is the place's number
//!    over all segments, counted from 1.
//! 2. A segment is some mutator's own or idle, and never given back: mutators may remember where it lies.
//! 3. What mutators keep to themselves, and `buffered`, sum up to the number of candidates.

use std::cell::{Cell, RefCell};

use super::{CandidateCount, Policy};
use crate::{
    counts::Count,
    counts::slot::object_at,
    cycles::detect::{CANDIDATE, get, set},
    heap::Object,
    threads::sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed},
        capacity, mutant,
    },
};

type Counted = Object<CandidateCount>;

/// Places of a segment: two kibibytes, so that a mutator with few candidates has few to look through.
const SEGMENT: usize = capacity(256, 2);

/// A mutator tells of its candidates at the latest when it has so many more or fewer than the last time.
const LARGEST_PORTION: i64 = 512;

/// What part of the threshold a mutator may keep to itself.
const PORTIONS: i64 = 16;

/// What part of the first threshold a collection must find, or else the threshold grows: PHP's 100 of 10,000.
const WORTHWHILE: u64 = 100;

/// The candidates of all mutators, and how many are too many.
#[derive(Debug)]
pub struct Candidates {
    segments: Mutex<Segments>,
    /// How many there are, but for what mutators keep to themselves.
    buffered: AtomicI64,
    /// How many must be exceeded for a collection.
    threshold: AtomicI64,
    /// What the threshold was at first, and by how much it grows; 0 if there are no collections but those asked for.
    step: i64,
    policy: Policy,
    /// How many a mutator keeps to itself.
    portion: i64,
}

/// All segments.
#[derive(Debug, Default)]
struct Segments {
    all: Vec<Arc<Segment>>,
    /// Those of mutators that have left, maybe with candidates in them.
    idle: Vec<Arc<Segment>>,
}

/// Some places, each the address of a candidate or 0.
#[derive(Debug)]
struct Segment {
    number: usize,
    places: [AtomicUsize; SEGMENT],
}

/// One mutator's candidates.
#[derive(Debug)]
pub struct Buffer {
    candidates: Arc<Candidates>,
    places: RefCell<Places>,
    /// How many more candidates there are by this mutator's doing than it has told of.
    untold: Cell<i64>,
    /// Whether there were too many when it told of them.
    is_due: Cell<bool>,
    /// Whether nothing that loses a reference is to be buffered.
    is_closed: Cell<bool>,
}

/// Where a mutator finds places.
#[derive(Debug, Default)]
struct Places {
    own: Vec<Arc<Segment>>,
    /// The segments of all mutators, as far as this one has heard of them.
    known: Vec<Arc<Segment>>,
    /// How far the round has come: the segment among the own ones, and the place in it.
    segment: usize,
    place: usize,
    /// How many empty places the round has found.
    found: usize,
}

impl Default for Candidates {
    fn default() -> Self {
        Self::new(0, Policy::Fixed)
    }
}

impl Candidates {
    /// None yet; more than `threshold` are too many, unless that is 0.
    pub(super) fn new(threshold: u32, policy: Policy) -> Self {
        let step = i64::from(threshold);
        Self {
            segments: Mutex::default(),
            buffered: AtomicI64::new(0),
            threshold: AtomicI64::new(if step == 0 { i64::MAX } else { step }),
            step,
            policy,
            portion: if step == 0 {
                LARGEST_PORTION
            } else {
                (step / PORTIONS).clamp(1, LARGEST_PORTION)
            },
        }
    }

    fn segments(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().expect("nothing panics while it holds this lock")
    }

    /// A segment for a mutator to fill.
    fn another_segment(&self) -> Arc<Segment> {
        let mut segments = self.segments();
        if let Some(idle) = segments.idle.pop() {
            return idle;
        }
        let number = segments.all.len();
        assert!(number < CANDIDATE as usize / SEGMENT, "there are fewer than 2^31 candidates");
        let places = std::array::from_fn(|_| AtomicUsize::new(0));
        let segment = Arc::new(Segment { number, places });
        segments.all.push(Arc::clone(&segment));
        segment
    }

    /// How many candidates are known of, and how many must be exceeded.
    pub(super) fn progress(&self) -> (u64, u64) {
        // Relaxed: a statistic.
        let [buffered, threshold] = [&self.buffered, &self.threshold].map(|of| of.load(Relaxed));
        let threshold = if self.step == 0 { 0 } else { threshold.unsigned_abs() };
        (buffered.max(0).unsigned_abs(), threshold)
    }

    /// A collection that was due has found so much garbage: PHP's `gc_adjust_threshold`.
    pub(super) fn learn(&self, garbage: u64) {
        if self.policy == Policy::Fixed || self.step == 0 {
            return;
        }
        // Relaxed: ordered by the safepoint handshake.
        let threshold = self.threshold.load(Relaxed);
        let is_worthwhile = garbage.saturating_mul(WORTHWHILE) >= self.step.unsigned_abs();
        let next = if is_worthwhile { threshold - self.step } else { threshold + self.step };
        let next = next.clamp(self.step, super::LARGEST_THRESHOLD.into());
        // Relaxed: ordered by the safepoint handshake.
        self.threshold.store(next, Relaxed);
    }

    /// Tests invariant 1, and that no entry of `objects` is in use otherwise. The world is stopped.
    pub(super) fn check(&self, objects: impl Iterator<Item = Counted>) {
        let segments = self.segments();
        let mut buffered = 0;
        for object in objects {
            let Some(number) = (get(object) as usize).checked_sub(1) else { continue };
            let segment = segments.all.get(number / SEGMENT);
            // Relaxed: ordered by the safepoint handshake.
            let held = segment.map(|segment| segment.places[number % SEGMENT].load(Relaxed));
            assert_eq!(held, Some(object.address()), "the place of the candidate {object:?}");
            assert!(!object.header().is_doomed(), "the candidate {object:?} is doomed");
            buffered += 1;
        }
        let places = segments.all.iter().flat_map(|segment| &segment.places);
        // Relaxed: ordered by the safepoint handshake.
        let taken = places.filter(|place| place.load(Relaxed) != 0).count();
        assert_eq!(taken, buffered, "each place is empty or has its candidate in the heap");
    }
}

impl Buffer {
    pub(super) fn new(candidates: Arc<Candidates>) -> Self {
        Self {
            candidates,
            places: RefCell::default(),
            untold: Cell::new(0),
            is_due: Cell::new(false),
            is_closed: Cell::new(false),
        }
    }

    /// An object that is not buffered yet is about to lose a reference, which is the caller's, and others remain: buffers
    /// it, if it can be part of a cycle and nobody else is just doing so.
    #[inline(never)]
    pub(super) fn consider(&self, object: Counted) {
        let cannot_be_cyclic = object.descriptor().is_acyclic() || object.shape().slots == 0;
        if cannot_be_cyclic || self.is_closed.get() || object.header().is_doomed() {
            return;
        }
        let mut places = self.places.borrow_mut();
        let (segment, place) = places.find(&self.candidates);
        let number = (segment * SEGMENT + place + 1) as u32;
        if mutant("buffer a candidate without a claim") {
            set(object, number);
        } else {
            // Relaxed: only the compare-and-exchange counts; our own drop, which comes later, publishes it.
            // Relaxed: a failure only tells us what to try next: nothing, it is buffered.
            let claimed = object.scratch().compare_exchange(0, number, Relaxed, Relaxed);
            if claimed.is_err() {
                return;
            }
        }
        places.fill(object);
        drop(places);
        self.tell(1);
    }

    /// Takes an object out of whosever buffer it is in, if it is in any. The caller is about to free it.
    #[inline(always)]
    pub(super) fn forget(&self, object: Counted) {
        let number = get(object) as usize;
        if number != 0 {
            self.empty(object, number - 1);
        }
    }

    #[inline(never)]
    fn empty(&self, object: Counted, number: usize) {
        // INVARIANT 1: the entry and the place become 0 together, for all who can reach the object.
        set(object, 0);
        if mutant("free a candidate and leave it buffered") {
            return;
        }
        let mut places = self.places.borrow_mut();
        let segment = places.known(number / SEGMENT, &self.candidates);
        // Relaxed: ordered by the count: the drop of whoever filled it came before. If its mutator is late to see it
        // empty, it takes another one.
        segment.places[number % SEGMENT].store(0, Relaxed);
        drop(places);
        self.tell(-1);
    }

    /// Whether there are too many candidates, as far as this mutator has been told.
    #[inline(always)]
    pub(super) fn is_due(&self) -> bool {
        self.is_due.get()
    }

    /// There are `change` more candidates.
    #[inline(always)]
    fn tell(&self, change: i64) {
        let untold = self.untold.get() + change;
        self.untold.set(untold);
        if untold.abs() >= self.candidates.portion {
            self.tell_all();
        }
    }

    /// Adds what the mutator has kept to itself to the common number, and looks whether that is too large.
    #[cold]
    pub(super) fn tell_all(&self) {
        let untold = self.untold.replace(0);
        // Relaxed: a late look costs a late collection: a statistic.
        let buffered = self.candidates.buffered.fetch_add(untold, Relaxed) + untold;
        // Relaxed: as above, a statistic.
        self.is_due.set(buffered > self.candidates.threshold.load(Relaxed));
    }

    /// Takes all candidates out of all buffers. With the world stopped.
    pub(super) fn take_all(&self) -> Vec<Counted> {
        let mut taken = Vec::new();
        let segments = self.candidates.segments();
        for place in segments.all.iter().flat_map(|segment| &segment.places) {
            // Relaxed: ordered by the safepoint handshake.
            let address = place.load(Relaxed);
            if let Some(object) = object_at(address) {
                // Relaxed: ordered by the safepoint handshake.
                place.store(0, Relaxed);
                set(object, 0);
                taken.push(object);
            }
        }
        drop(segments);
        self.untold.set(self.untold.get() - taken.len() as i64);
        self.tell_all();
        taken
    }

    /// Runs `part`, in which nothing that loses a reference is buffered.
    pub(super) fn closed<R>(&self, part: impl FnOnce() -> R) -> R {
        self.is_closed.set(true);
        let result = part();
        self.is_closed.set(false);
        result
    }

    /// The mutator is gone: its segments are somebody else's to fill.
    pub(super) fn leave(&self) {
        self.tell_all();
        let Places { own, .. } = self.places.take();
        self.candidates.segments().idle.extend(own);
    }
}

impl Places {
    /// An empty place: the number of its segment, and its own in there.
    fn find(&mut self, candidates: &Candidates) -> (usize, usize) {
        loop {
            let Some(segment) = self.own.get(self.segment) else {
                self.go_round(candidates);
                continue;
            };
            // Relaxed: we alone fill it; who empties it has done with it, ordered by the store that we see.
            let is_empty = |place: &AtomicUsize| place.load(Relaxed) == 0;
            if let Some(ahead) = segment.places[self.place..].iter().position(is_empty) {
                self.place += ahead;
                return (segment.number, self.place);
            }
            self.segment += 1;
            self.place = 0;
        }
    }

    /// The round has come to the last segment's end: begins a new one, or goes on in another segment.
    fn go_round(&mut self, candidates: &Candidates) {
        if !self.own.is_empty() && 2 * self.found >= self.own.len() * SEGMENT {
            self.segment = 0;
            self.found = 0;
        } else {
            self.own.push(candidates.another_segment());
        }
    }

    /// Fills the place that has just been found.
    fn fill(&mut self, object: Counted) {
        let place = &self.own[self.segment].places[self.place];
        // Relaxed: our own drop, which comes later, publishes it: ordered by the count.
        place.store(object.address(), Relaxed);
        self.place += 1;
        self.found += 1;
    }

    /// Segment `number`, whosever it is.
    #[inline(always)]
    fn known(&mut self, number: usize, candidates: &Candidates) -> &Segment {
        if number >= self.known.len() {
            // INVARIANT 2: what is known stays where it is.
            let segments = candidates.segments();
            let unknown = &segments.all[self.known.len()..];
            self.known.extend(unknown.iter().map(Arc::clone));
        }
        &self.known[number]
    }
}
