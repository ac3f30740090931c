//! Marking: finds whatever a set of objects reaches, shared by the threads that are stopped.
//!
//! Every worker has a stack of its own. It gives the older half of it away, as one batch, when it sees that another
//! worker is idle: the oldest entries are the nearest to the roots, and so tend to lead to the most.
//!
//! # Invariants
//!
//! 1. `pending` is the number of batches that are in a queue or in work; none can come once it is 0.
//!
//! # Synchronization
//!
//! | variable  | written by             | read by        | protocol                                                 |
//! |-----------|------------------------|----------------|----------------------------------------------------------|
//! | marks     | whoever takes an entry | the same       | Relaxed: two workers may both mark and scan an object     |
//! | batches   | whoever gives one away | who takes it   | the queues'                                              |
//! | `pending` | the same               | idle workers   | Relaxed: one variable's order; the job's end orders marks |
//! | `idle`    | idle workers           | busy workers   | Relaxed: a hint                                          |

use super::{MARKED, Traced, is_marked, object_at};
use crate::threads::{
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        capacity,
        queues::{Queue, Queues},
        thread,
    },
    world::Stopped,
};

/// Objects in a batch of roots.
const BATCH: usize = capacity(256, 1);

/// How many objects ahead of the one that is scanned are being fetched from memory: about as many as a core can have
/// misses outstanding.
const AHEAD: usize = capacity(16, 1);

/// How many objects a worker scans before it looks whether somebody is idle.
const PATIENCE: u32 = capacity(128, 1) as u32;

/// Marks whatever `roots` reach and is not yet marked.
pub(super) fn mark(mut roots: Vec<Traced>, stopped: &Stopped<'_>) {
    let helpers = stopped.helpers();
    let marking = Marking {
        queues: Queues::new(helpers + 1),
        pending: AtomicUsize::new(0),
        idle: AtomicUsize::new(0),
    };
    while !roots.is_empty() {
        marking.count_batch();
        marking.queues.push(roots.split_off(roots.len().saturating_sub(BATCH)));
    }
    if helpers == 0 {
        marking.work(0);
    } else {
        stopped.share(&|worker| marking.work(worker));
    }
}

/// One pass of marking.
struct Marking {
    queues: Queues<Vec<Traced>>,
    pending: AtomicUsize,
    idle: AtomicUsize,
}

impl Marking {
    /// What one worker does: takes batches until there are none and none can come.
    fn work(&self, worker: usize) {
        let queue = self.queues.claim(worker);
        while let Some(batch) = self.wait_for_batch(&queue) {
            self.scan(batch, &queue);
            // Relaxed: ordered by this variable's own order: what the batch led to was counted before (invariant 1).
            self.pending.fetch_sub(1, Relaxed);
        }
    }

    /// The next batch, or `None` if all is marked.
    fn wait_for_batch(&self, queue: &Queue<'_, Vec<Traced>>) -> Option<Vec<Traced>> {
        if let Some(batch) = queue.pop() {
            return Some(batch);
        }
        // Relaxed: a hint.
        self.idle.fetch_add(1, Relaxed);
        let batch = loop {
            // Relaxed: ordered by the end of the job, which makes marks visible; a stale value costs another look.
            if self.pending.load(Relaxed) == 0 {
                break None;
            }
            thread::yield_now();
            if let Some(batch) = queue.pop() {
                break Some(batch);
            }
        };
        // Relaxed: a hint.
        self.idle.fetch_sub(1, Relaxed);
        batch
    }

    /// Marks what the objects of `stack` reach, but for what is given away.
    fn scan(&self, mut stack: Vec<Traced>, queue: &Queue<'_, Vec<Traced>>) {
        let mut fetched = Fetched::new();
        let mut patience = PATIENCE;
        loop {
            let object = match stack.pop() {
                Some(next) => {
                    next.prefetch_scratch();
                    next.prefetch();
                    match fetched.exchange(next) {
                        Some(object) => object,
                        None => continue,
                    }
                }
                None => match fetched.take() {
                    Some(object) => object,
                    None => return,
                },
            };
            if is_marked(object) {
                continue;
            }
            // Relaxed: ordered by the end of the job; a worker that sees it late marks and scans the object once more.
            object.scratch().store(MARKED, Relaxed);
            // SAFETY: the world is stopped, and what is reachable is in the heap.
            for slot in unsafe { object.slots() } {
                // Relaxed: ordered by the safepoint handshake.
                stack.extend(object_at(slot.load(Relaxed)));
            }
            patience -= 1;
            if patience == 0 {
                patience = PATIENCE;
                self.give_away(&mut stack, queue);
            }
        }
    }

    /// Gives half of a stack away if somebody is idle.
    fn give_away(&self, stack: &mut Vec<Traced>, queue: &Queue<'_, Vec<Traced>>) {
        // Relaxed: a hint.
        if stack.len() > 1 && self.idle.load(Relaxed) > 0 {
            let kept = stack.split_off(stack.len() / 2);
            self.count_batch();
            queue.push(std::mem::replace(stack, kept));
        }
    }

    /// Counts a batch that is about to be queued.
    fn count_batch(&self) {
        // Relaxed: ordered by this variable's own order: whoever gives a batch away has one in work (invariant 1).
        self.pending.fetch_add(1, Relaxed);
    }
}

/// The objects that are being fetched from memory, first in, first out.
struct Fetched {
    objects: [Option<Traced>; AHEAD],
    first: usize,
    count: usize,
}

impl Fetched {
    fn new() -> Self {
        Self { objects: [None; AHEAD], first: 0, count: 0 }
    }

    /// Adds an object; if there are enough, takes the one that has been fetched longest.
    #[inline(always)]
    fn exchange(&mut self, next: Traced) -> Option<Traced> {
        let place = (self.first + self.count) % AHEAD;
        let before = self.objects[place].replace(next);
        if before.is_some() {
            self.first = (self.first + 1) % AHEAD;
        } else {
            self.count += 1;
        }
        before
    }

    /// Takes the object that has been fetched longest.
    #[inline(always)]
    fn take(&mut self) -> Option<Traced> {
        let object = self.objects[self.first].take()?;
        self.first = (self.first + 1) % AHEAD;
        self.count -= 1;
        Some(object)
    }
}
