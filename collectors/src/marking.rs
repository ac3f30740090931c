//! Marking: finds whatever a set of objects reaches, shared by several workers.
//!
//! An object is marked when its entry in the scratch table is the marking's colour. The workers are the mutators that are
//! stopped anyway, or threads of the collector's own beside running mutators.
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

use crate::{
    heap::{Header, Object, object::SLOT_FLAG},
    threads::{
        sync::{
            atomic::{
                AtomicUsize,
                Ordering::{Acquire, Relaxed},
            },
            capacity,
            queues::{Queue, Queues},
            thread,
        },
        world::Stopped,
    },
};

/// Objects in a batch of roots.
const BATCH: usize = capacity(256, 1);

/// How many objects ahead of the one that is scanned are being fetched from memory: about as many as a core can have
/// misses outstanding.
const AHEAD: usize = capacity(16, 1);

/// How many objects a worker scans before it looks whether somebody is idle.
const PATIENCE: u32 = capacity(128, 1) as u32;

/// Marks with `colour` whatever `roots` reach and is not yet marked, in a stopped world.
pub(crate) fn mark_stopped<H: Header>(roots: Vec<Object<H>>, colour: u32, stopped: &Stopped<'_>) {
    let helpers = stopped.helpers();
    let marking = Marking::new(helpers + 1, colour, roots);
    if helpers == 0 {
        marking.work(0, || ());
    } else {
        stopped.share(&|worker| {
            marking.work(worker, || ());
        });
    }
}

/// Whether `object` is marked with `colour`.
#[inline(always)]
pub(crate) fn is_marked<H: Header>(object: Object<H>, colour: u32) -> bool {
    // Relaxed: marks are ordered by the end of the job that set them; within it they are a hint.
    object.scratch().load(Relaxed) == colour
}

/// The object whose address a slot holds, or `None` for null.
#[inline(always)]
pub(crate) fn object_at<H: Header>(address: usize) -> Option<Object<H>> {
    // SAFETY: slots hold null or the address of an object (heap invariant 2).
    (address != 0).then(|| unsafe { Object::at(address) })
}

/// One pass of marking.
pub(crate) struct Marking<H> {
    colour: u32,
    queues: Queues<Vec<Object<H>>>,
    pending: AtomicUsize,
    idle: AtomicUsize,
}

impl<H: Header> Marking<H> {
    /// A pass from `roots` by so many workers.
    pub(crate) fn new(workers: usize, colour: u32, mut roots: Vec<Object<H>>) -> Self {
        let marking = Self {
            colour,
            queues: Queues::new(workers),
            pending: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
        };
        while !roots.is_empty() {
            marking.count_batch();
            marking.queues.push(roots.split_off(roots.len().saturating_sub(BATCH)));
        }
        marking
    }

    /// What one worker does: takes batches until there are none and none can come. Calls `pause` now and then. Gives how
    /// many objects it has marked.
    pub(crate) fn work(&self, worker: usize, pause: impl Fn()) -> u64 {
        let queue = self.queues.claim(worker);
        let mut marked = 0;
        while let Some(batch) = self.wait_for_batch(&queue, &pause) {
            marked += self.scan(batch, &queue, &pause);
            // Relaxed: ordered by this variable's own order: what the batch led to was counted before (invariant 1).
            self.pending.fetch_sub(1, Relaxed);
        }
        marked
    }

    /// The next batch, or `None` if all is marked.
    fn wait_for_batch(
        &self,
        queue: &Queue<'_, Vec<Object<H>>>,
        pause: &impl Fn(),
    ) -> Option<Vec<Object<H>>> {
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
            pause();
            thread::yield_now();
            if let Some(batch) = queue.pop() {
                break Some(batch);
            }
        };
        // Relaxed: a hint.
        self.idle.fetch_sub(1, Relaxed);
        batch
    }

    /// Marks what the objects of `stack` reach, but for what is given away; gives how many.
    fn scan(
        &self,
        mut stack: Vec<Object<H>>,
        queue: &Queue<'_, Vec<Object<H>>>,
        pause: &impl Fn(),
    ) -> u64 {
        let mut fetched = Fetched::new();
        let mut patience = PATIENCE;
        let mut marked = 0;
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
                    None => return marked,
                },
            };
            if is_marked(object, self.colour) {
                continue;
            }
            // Relaxed: ordered by the end of the job; a worker that sees it late marks and scans the object once more.
            object.scratch().store(self.colour, Relaxed);
            marked += 1;
            // SAFETY: what is reachable is in the heap, and nothing is freed before marking has ended.
            for slot in unsafe { object.slots() } {
                // Acquire: the object's shape, and what it refers to. Pairs with a mutator's store beside us.
                stack.extend(object_at(slot.load(Acquire) & !SLOT_FLAG));
            }
            patience -= 1;
            if patience == 0 {
                patience = PATIENCE;
                self.give_away(&mut stack, queue);
                pause();
            }
        }
    }

    /// Gives half of a stack away if somebody is idle.
    fn give_away(&self, stack: &mut Vec<Object<H>>, queue: &Queue<'_, Vec<Object<H>>>) {
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
struct Fetched<H> {
    objects: [Option<Object<H>>; AHEAD],
    first: usize,
    count: usize,
}

impl<H: Header> Fetched<H> {
    fn new() -> Self {
        Self { objects: [None; AHEAD], first: 0, count: 0 }
    }

    /// Adds an object; if there are enough, takes the one that has been fetched longest.
    #[inline(always)]
    fn exchange(&mut self, next: Object<H>) -> Option<Object<H>> {
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
    fn take(&mut self) -> Option<Object<H>> {
        let object = self.objects[self.first].take()?;
        self.first = (self.first + 1) % AHEAD;
        self.count -= 1;
        Some(object)
    }
}
