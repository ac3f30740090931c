//! Grace periods: what a mutator gives up waits, in batches, until nobody can be reading it any more.
//!
//! A mutator is pinned (`threads/sync/epochs.rs`) from one safepoint to the next; the time between is a *section*. What it
//! gives up in a section it hands in at the end of it, as a batch. When all sections that were under way then have ended,
//! the batch is *over*: it is on a stack from which any mutator may take it.
//!
//! # Invariants
//!
//! 1. A batch is over only when every section that was under way when it was handed in has ended.
//! 2. A batch that was handed in is taken once.
//!
//! # Synchronization
//!
//! | variable  | written by                       | read by                | protocol                                    |
//! |-----------|----------------------------------|------------------------|---------------------------------------------|
//! | epochs    | whoever pins, defers, advances   | the same               | crossbeam's                                 |
//! | `first`   | whoever's epoch ends a wait      | whoever takes          | pushed by Release, taken whole by Acquire   |
//! | `beat`    | whoever wants the next epoch     | mutators, at polls     | Relaxed: a hint to end a section            |
//! | `batches` | whoever hands in or has applied  | the same               | Relaxed: a hint that something waits        |

use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
};

use crate::threads::sync::{
    Arc,
    atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
    epochs::{Epochs, Participant},
    mutant,
};

/// What the mutators of a heap have given up.
pub(super) struct Grace<T> {
    epochs: Epochs,
    over: Arc<Over<T>>,
    /// How often somebody has asked the others to end their sections.
    beat: AtomicUsize,
    /// Batches that were handed in and have not been applied.
    batches: AtomicUsize,
}

/// Batches that nobody can be reading any more: a stack.
struct Over<T> {
    /// The address of the last batch that came, or 0.
    first: AtomicUsize,
    item: PhantomData<fn(T) -> T>,
}

/// References that were given up together.
struct Batch<T> {
    given_up: Vec<T>,
    /// The address of the batch below, or 0.
    below: usize,
}

/// One mutator among them, in a section or between two.
pub(super) struct Section<T> {
    grace: Arc<Grace<T>>,
    participant: Participant,
    /// What has been given up in this section.
    given_up: RefCell<Vec<T>>,
    /// The beat that this mutator has followed.
    followed: Cell<usize>,
}

impl<T: Send + 'static> Grace<T> {
    pub(super) fn new() -> Self {
        Self {
            epochs: Epochs::new(),
            over: Arc::new(Over::new()),
            beat: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
        }
    }

    /// A mutator takes part from now on, between two sections.
    pub(super) fn join(self: &Arc<Self>) -> Section<T> {
        Section {
            grace: Arc::clone(self),
            participant: self.epochs.join(),
            given_up: RefCell::new(Vec::new()),
            // Relaxed: a hint, as in `is_called`.
            followed: Cell::new(self.beat.load(Relaxed)),
        }
    }
}

impl<T: Send + 'static> Section<T> {
    /// A section begins.
    pub(super) fn begin(&self) {
        self.participant.pin();
    }

    /// The section ends, and no other begins; what was given up is handed in.
    pub(super) fn end(&self) {
        self.hand_in();
        // What was handed in leaves this thread's hands, so that others can go on with it.
        self.advance();
        self.participant.unpin();
    }

    /// The section ends and another begins: whatever was read has been counted or is not used any more. What was given up
    /// is handed in, and others are asked to do the same if something waits for them.
    pub(super) fn renew(&self) {
        self.participant.repin();
        self.hand_in();
        self.follow();
        self.advance();
    }

    /// Gives up a reference; says how many that makes in this section.
    #[inline(always)]
    pub(super) fn give_up(&self, object: T) -> usize {
        let mut given_up = self.given_up.borrow_mut();
        given_up.push(object);
        given_up.len()
    }

    /// Whether something has been given up in this section.
    pub(super) fn has_given_up(&self) -> bool {
        !self.given_up.borrow().is_empty()
    }

    /// Whether anything that was given up waits to be applied.
    pub(super) fn is_waited_for(&self) -> bool {
        // Relaxed: a hint: what is handed in meanwhile is seen the next time.
        self.grace.batches.load(Relaxed) > 0
    }

    /// Whether somebody wants this section to end.
    #[inline(always)]
    pub(super) fn is_called(&self) -> bool {
        // Relaxed: a hint: what is answered late is freed late.
        self.grace.beat.load(Relaxed) != self.followed.get()
    }

    /// Takes the batches that are over, in the order in which they came.
    pub(super) fn take(&self) -> Vec<Vec<T>> {
        let mut batches = self.grace.over.take();
        batches.reverse();
        batches
    }

    /// A batch that was taken has been applied.
    pub(super) fn applied(&self) {
        // Relaxed: a hint, as in `is_waited_for`.
        self.grace.batches.fetch_sub(1, Relaxed);
    }

    /// Has what was given up wait for all sections that are under way.
    fn hand_in(&self) {
        let given_up = self.given_up.take();
        if given_up.is_empty() {
            return;
        }
        // Relaxed: a hint, as in `is_waited_for`.
        self.grace.batches.fetch_add(1, Relaxed);
        let over = Arc::clone(&self.grace.over);
        let batch = Box::new(Batch { given_up, below: 0 });
        if mutant("free what is given up without a grace period") {
            over.push(batch);
            return;
        }
        self.participant.defer(move || over.push(batch));
    }

    /// Begins the next epoch if something waits for it, and others are ready.
    fn advance(&self) {
        if self.is_waited_for() {
            self.participant.advance();
        }
    }

    /// Follows the beat, and, if this mutator has done so before and something waits, gives the next one.
    fn follow(&self) {
        // Relaxed: a hint, as in `is_called`.
        let beat = self.grace.beat.load(Relaxed);
        let next = beat.wrapping_add(1);
        // Relaxed: a hint, as in `is_called`.
        // Relaxed: a failure only tells us what to try next: somebody else has given it.
        let gives_next = beat == self.followed.get()
            && self.is_waited_for()
            && self.grace.beat.compare_exchange(beat, next, Relaxed, Relaxed).is_ok();
        self.followed.set(if gives_next { next } else { beat });
    }
}

impl<T> Over<T> {
    fn new() -> Self {
        Self { first: AtomicUsize::new(0), item: PhantomData }
    }

    fn push(&self, batch: Box<Batch<T>>) {
        let batch = Box::into_raw(batch);
        // Relaxed: only the compare-and-exchange below counts.
        let mut first = self.first.load(Relaxed);
        loop {
            // SAFETY: a box of our caller's, which nobody else can take before it is pushed.
            unsafe { (*batch).below = first };
            // Release: publishes the batch, and the ends of the sections that it has waited for. Pairs with `take`.
            // Relaxed: a failure only tells us what to try next.
            match self.first.compare_exchange_weak(first, batch as usize, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    fn take(&self) -> Vec<Vec<T>> {
        let mut taken = Vec::new();
        // Relaxed: a hint: a batch that comes meanwhile is taken the next time.
        if self.first.load(Relaxed) == 0 {
            return taken;
        }
        // Acquire: the batches, and the ends of the sections that they have waited for. Pairs with `push`.
        let mut address = self.first.swap(0, Acquire);
        while address != 0 {
            // SAFETY: the address of a box that was pushed, and that we alone have taken (invariant 2).
            let batch = unsafe { Box::from_raw(address as *mut Batch<T>) };
            taken.push(batch.given_up);
            address = batch.below;
        }
        taken
    }
}

impl<T> Drop for Over<T> {
    fn drop(&mut self) {
        // Nothing is freed: the heap goes as a whole.
        self.take();
    }
}

#[cfg(test)]
mod models {
    use super::*;
    use crate::threads::sync::{Lifetime, Plain, explore, scope};

    const PROTOCOL: &str = "epoch hand-off";

    /// Something that can be read as long as it is in its place, and is given up by whoever takes it out.
    struct Thing {
        is_there: AtomicUsize,
        lifetime: Lifetime,
        mark: Plain<u32>,
    }

    impl Thing {
        fn new() -> Arc<Self> {
            let (lifetime, mark) = (Lifetime::new(), Plain::new(0));
            Arc::new(Self { is_there: AtomicUsize::new(1), lifetime, mark })
        }

        fn read(&self) {
            if self.is_there.load(Relaxed) == 1 {
                self.lifetime.access();
                self.lifetime.access();
            }
        }

        fn take_out(&self) {
            self.is_there.store(0, Relaxed);
            self.mark.set(1);
        }

        fn end(&self) {
            assert_eq!(self.mark.get(), 1, "it was taken out before it was given up");
            self.lifetime.end();
        }
    }

    type Things = Section<Arc<Thing>>;

    /// Ends what is over; says how many things that were.
    fn finish(section: &Things) -> usize {
        let mut ended = 0;
        for batch in section.take() {
            batch.iter().for_each(|thing| thing.end());
            ended += batch.len();
            section.applied();
        }
        ended
    }

    /// A safepoint.
    fn renew(section: &Things) -> usize {
        section.renew();
        finish(section)
    }

    /// A section that another thread goes on with.
    struct Moved(Things);

    // SAFETY: one thread at a time uses it: the model hands it over when it spawns a thread, and back when it joins it.
    unsafe impl Send for Moved {}

    /// Explores a thing taken out and given up in one section, in which `writer` goes on, beside `reader` in another; when
    /// both have ended, the thing is over once.
    fn explore_pair(reader: fn(&Things, &Thing) -> usize, writer: fn(&Things) -> usize) {
        explore(PROTOCOL, move || {
            let (grace, thing) = (Arc::new(Grace::new()), Thing::new());
            let (reading, writing): (Things, Things) = (grace.join(), grace.join());
            reading.begin();
            writing.begin();
            let reading = Moved(reading);
            let (reading, mut ended) = scope(|scope| {
                let reading = scope.spawn(|| {
                    let reading = { reading };
                    let ended = reader(&reading.0, &thing);
                    (reading, ended)
                });
                thing.take_out();
                writing.give_up(Arc::clone(&thing));
                let written = writer(&writing);
                let (reading, read) = reading.join().unwrap();
                (reading, read + written)
            });
            reading.0.begin();
            ended += (0..3).map(|_| renew(&reading.0)).sum::<usize>();
            reading.0.end();
            assert_eq!(ended, 1);
        });
    }

    #[test]
    fn what_a_section_may_be_reading_is_over_only_after_it() {
        fn read(section: &Things, thing: &Thing) -> usize {
            thing.read();
            section.end();
            0
        }
        fn renew_until_over(section: &Things) -> usize {
            let ended = renew(section) + renew(section);
            section.end();
            ended
        }
        explore_pair(read, renew_until_over);
    }

    #[test]
    fn what_is_left_behind_is_over_for_another() {
        fn read_and_renew(section: &Things, thing: &Thing) -> usize {
            thing.read();
            let ended = renew(section);
            section.end();
            ended
        }
        fn leave(section: &Things) -> usize {
            section.end();
            0
        }
        explore_pair(read_and_renew, leave);
    }

    #[test]
    fn a_batch_that_is_over_is_taken_once_as_it_was_handed_in() {
        explore(PROTOCOL, || {
            let over = Over::new();
            let things = [Thing::new(), Thing::new()];
            let take = || over.take().into_iter().flatten().map(|thing: Arc<Thing>| thing.end());
            let taken = scope(|scope| {
                let others = things.each_ref().map(|thing| {
                    let over = &over;
                    scope.spawn(move || {
                        thing.take_out();
                        over.push(Box::new(Batch { given_up: vec![Arc::clone(thing)], below: 0 }));
                    })
                });
                let taken = take().count();
                others.into_iter().for_each(|other| other.join().unwrap());
                taken
            });
            assert_eq!(taken + take().count(), 2);
        });
    }
}
