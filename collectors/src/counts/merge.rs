//! The merge queues: where references wait that only an object's owner can drop.
//!
//! Each seat has a queue. A mutator that drops a reference to somebody else's object and cannot tell whether it is the
//! last leaves it there, and calls the owner; the owner merges the count and drops the reference at its next safepoint
//! (S. Gross, PEP 703). Nobody waits for anybody:
//!
//! * If nobody sits in the owner's seat, whoever drops merges the count itself, under the queue's lock.
//! * Whoever leaves a seat empties its queue first, under the same lock. The objects that the seat owns stay its own,
//!   like the blocks of its share; the next to sit there owns them.
//! * Whoever stops the world takes over the references of all queues, and drops them when the world goes on.
//!
//! # Invariants
//!
//! 1. A queue is empty while nobody sits in its seat.
//! 2. Each entry is a reference; its count has `QUEUED` set, and is set by nobody else.
//!
//! # Synchronization
//!
//! | variable    | written by                        | read by   | protocol                                           |
//! |-------------|-----------------------------------|-----------|----------------------------------------------------|
//! | `state`     | whoever drops; whoever sits there | the same  | the lock, which also orders the owner's own counts |
//! | `is_called` | the same, under the lock          | the owner | Relaxed hint                                       |

use crate::threads::sync::{
    Arc, Mutex, MutexGuard, RwLock,
    atomic::{AtomicBool, Ordering::Relaxed},
    mutant,
};

use super::{
    Dropped,
    biased::{BiasedCount, Left},
};

/// What a queue holds references to.
pub trait Queued: Copy {
    /// The count of the references to it.
    fn count(&self) -> &BiasedCount;
}

/// The queues of all seats of a heap.
#[derive(Debug)]
pub struct Common<T> {
    by_seat: RwLock<Vec<Arc<MergeQueue<T>>>>,
}

/// The references that wait for one seat's mutator.
#[derive(Debug)]
struct MergeQueue<T> {
    state: Mutex<State<T>>,
    /// Whether there may be some.
    is_called: AtomicBool,
}

#[derive(Debug)]
struct State<T> {
    is_taken: bool,
    waiting: Vec<T>,
}

/// A mutator, as biased counts know it: its seat, and its queue.
#[derive(Debug)]
pub struct Holder<T> {
    number: u32,
    /// The address of the seat's share of the heap.
    share: usize,
    queue: Arc<MergeQueue<T>>,
    common: Arc<Common<T>>,
}

impl<T> Default for Common<T> {
    fn default() -> Self {
        Self { by_seat: RwLock::new(Vec::new()) }
    }
}

impl<T: Queued> Common<T> {
    /// The queue of seat `index`.
    fn queue(&self, index: usize) -> Arc<MergeQueue<T>> {
        let by_seat = self.by_seat.read().expect("nothing panics while it holds this lock");
        if let Some(queue) = by_seat.get(index) {
            return Arc::clone(queue);
        }
        drop(by_seat);
        let mut by_seat = self.by_seat.write().expect("nothing panics while it holds this lock");
        while by_seat.len() <= index {
            by_seat.push(Arc::new(MergeQueue::new()));
        }
        Arc::clone(&by_seat[index])
    }

    /// Does `act` while nobody can take seat `index`, give it up, or leave a reference to who sits there; tells it whether
    /// anybody does.
    pub(crate) fn with_seat<R>(&self, index: usize, act: impl FnOnce(bool) -> R) -> R {
        let queue = self.queue(index);
        let state = queue.state();
        act(state.is_taken)
    }

    /// Merges all that waits for who sits in seat `index`, and gives the references to the caller, who is that or stands
    /// for it.
    pub(crate) fn settle_seat(&self, index: usize) -> Vec<T> {
        self.queue(index).settle()
    }

    /// Merges all that waits for anybody, and gives the queues' references to the caller. With the world stopped.
    pub(super) fn settle_all(&self) -> Vec<T> {
        let by_seat = self.by_seat.read().expect("nothing panics while it holds this lock");
        by_seat.iter().flat_map(|queue| queue.settle()).collect()
    }
}

impl<T: Queued> MergeQueue<T> {
    fn new() -> Self {
        let state = State { is_taken: false, waiting: Vec::new() };
        Self { state: Mutex::new(state), is_called: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// Merges all that waits, and gives the queue's references to the caller.
    fn settle(&self) -> Vec<T> {
        let waiting = {
            let mut state = self.state();
            // Relaxed: a hint, as in `Holder::is_called`.
            self.is_called.store(false, Relaxed);
            std::mem::take(&mut state.waiting)
        };
        waiting.iter().for_each(|object| object.count().merge());
        waiting
    }

    /// Leaves a reference to `object` to whoever sits in the queue's seat. Says whether anybody does; if not, the count is
    /// merged, and the reference the caller's again.
    fn leave_to_owner(&self, object: T) -> bool {
        let mut state = self.state();
        if state.is_taken || mutant("queue to a seat that nobody has") {
            state.waiting.push(object);
            // Relaxed: a hint, as in `Holder::is_called`.
            self.is_called.store(true, Relaxed);
            return true;
        }
        // INVARIANT 2 of `biased`: under the lock, and nobody sits there.
        object.count().merge();
        false
    }
}

impl<T: Queued> Holder<T> {
    /// The mutator that has just taken seat `index`, and now owns what the seat owns.
    pub(super) fn new(common: &Arc<Common<T>>, index: usize, share: usize) -> Self {
        let common = Arc::clone(common);
        let queue = common.queue(index);
        queue.state().is_taken = true;
        let number = u32::try_from(index + 1).expect("there are fewer mutators than objects");
        Self { number, share, queue, common }
    }

    /// Somebody who sits in no seat as far as counts go: a thread of a collector's own, which makes no objects. It may have
    /// the place of a mutator that has left, but does not own what that has made.
    pub(crate) fn of_nobody(common: &Arc<Common<T>>) -> Self {
        let queue = Arc::new(MergeQueue::new());
        Self { number: u32::MAX, share: 0, queue, common: Arc::clone(common) }
    }

    /// By what number counts know the mutator.
    #[inline(always)]
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The address of the seat's share of the heap.
    #[inline(always)]
    pub(super) fn share(&self) -> usize {
        self.share
    }

    /// Whether references wait in the mutator's queue.
    #[inline(always)]
    pub(super) fn is_called(&self) -> bool {
        // Relaxed: a hint: a late look costs a late safepoint, and the lock orders the rest.
        self.queue.is_called.load(Relaxed)
    }

    /// Drops a reference to `object`.
    #[inline(always)]
    pub(super) fn drop_one(&self, object: T) -> Dropped {
        match object.count().drop_one(self.number) {
            Left::Nothing => Dropped::Alive,
            Left::TheEnd => Dropped::Dead,
            Left::ToItsOwner => self.ask_owner(object),
        }
    }

    /// A reference to `object` has been dropped that only its owner can count off.
    #[cold]
    #[inline(never)]
    fn ask_owner(&self, object: T) -> Dropped {
        if let Some(index) = object.count().owner().checked_sub(1)
            && self.common.queue(index as usize).leave_to_owner(object)
        {
            return Dropped::Alive;
        }
        // The count is merged, by us or by the owner meanwhile, or as good as that: the reference is an ordinary one.
        match object.count().drop_one(self.number) {
            Left::TheEnd => Dropped::Dead,
            Left::Nothing => Dropped::Alive,
            Left::ToItsOwner => unreachable!("a count is queued once"),
        }
    }

    /// Merges what waits in the mutator's queue, and gives the queue's references to the caller.
    pub(super) fn settle(&self) -> Vec<T> {
        self.queue.settle()
    }

    /// Gives up the seat, unless something waits; says whether it has.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.queue.state();
        let is_free = state.waiting.is_empty() || mutant("leave with a full queue");
        state.is_taken = !is_free;
        is_free
    }
}
