//! Work queues for threads that share a job: one for each, and one for all, with stealing.
//!
//! A normal build uses crossbeam's deques, after D. Chase and Y. Lev, *Dynamic circular work-stealing deque*, SPAA 2005.
//! crossbeam cannot be explored by loom, so a model gets one queue behind a lock with the same contract: an item pushed
//! is popped exactly once, and what its pusher did before comes before all that its popper does after.

#[cfg(not(loom))]
pub(crate) use real::{Queue, Queues};

#[cfg(loom)]
pub(crate) use model::{Queue, Queues};

#[cfg(not(loom))]
mod real {
    use std::sync::{Mutex, PoisonError};

    use crossbeam_deque::{Injector, Steal, Stealer, Worker};

    /// The queues of all workers of one job.
    pub(crate) struct Queues<T> {
        common: Injector<T>,
        stealers: Vec<Stealer<T>>,
        /// The queues that their workers have not claimed yet.
        unclaimed: Mutex<Vec<Option<Worker<T>>>>,
    }

    impl<T> Queues<T> {
        /// Queues for workers 0 to `workers - 1`.
        pub(crate) fn new(workers: usize) -> Self {
            let own: Vec<Worker<T>> = (0..workers).map(|_| Worker::new_lifo()).collect();
            Self {
                common: Injector::new(),
                stealers: own.iter().map(Worker::stealer).collect(),
                unclaimed: Mutex::new(own.into_iter().map(Some).collect()),
            }
        }

        /// Adds an item for whoever comes first.
        pub(crate) fn push(&self, item: T) {
            self.common.push(item);
        }

        /// The queue of worker `index`.
        ///
        /// # Panics
        ///
        /// If it has been claimed before, or there are not so many workers.
        pub(crate) fn claim(&self, index: usize) -> Queue<'_, T> {
            let mut unclaimed = self.unclaimed.lock().unwrap_or_else(PoisonError::into_inner);
            let own = unclaimed[index].take().expect("a worker claims its queue once");
            Queue { all: self, own }
        }
    }

    /// One worker's queue.
    pub(crate) struct Queue<'q, T> {
        all: &'q Queues<T>,
        own: Worker<T>,
    }

    impl<T> Queue<'_, T> {
        /// Adds an item; others steal it if this worker does not come to it first.
        pub(crate) fn push(&self, item: T) {
            self.own.push(item);
        }

        /// Takes an item: the last of our own, the first of the common ones, or somebody else's first.
        pub(crate) fn pop(&self) -> Option<T> {
            self.own
                .pop()
                .or_else(|| self.steal(&|own| self.all.common.steal_batch_and_pop(own)))
                .or_else(|| {
                    self.all.stealers.iter().find_map(|other| self.steal(&|_| other.steal()))
                })
        }

        fn steal(&self, steal: &dyn Fn(&Worker<T>) -> Steal<T>) -> Option<T> {
            loop {
                match steal(&self.own) {
                    Steal::Success(item) => return Some(item),
                    Steal::Empty => return None,
                    Steal::Retry => {}
                }
            }
        }
    }
}

#[cfg(loom)]
mod model {
    use std::collections::VecDeque;

    use crate::threads::sync::{Mutex, MutexGuard};

    /// The queues of all workers of one job.
    pub(crate) struct Queues<T> {
        items: Mutex<VecDeque<T>>,
    }

    impl<T> Queues<T> {
        /// Queues for workers 0 to `workers - 1`.
        pub(crate) fn new(_workers: usize) -> Self {
            Self { items: Mutex::new(VecDeque::new()) }
        }

        /// Adds an item for whoever comes first.
        pub(crate) fn push(&self, item: T) {
            self.items().push_back(item);
        }

        /// The queue of worker `index`.
        pub(crate) fn claim(&self, _index: usize) -> Queue<'_, T> {
            Queue { all: self }
        }

        fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
            self.items.lock().expect("nothing panics while it holds this lock")
        }
    }

    /// One worker's queue.
    pub(crate) struct Queue<'q, T> {
        all: &'q Queues<T>,
    }

    impl<T> Queue<'_, T> {
        /// Adds an item; others steal it if this worker does not come to it first.
        pub(crate) fn push(&self, item: T) {
            self.all.push(item);
        }

        /// Takes an item.
        pub(crate) fn pop(&self) -> Option<T> {
            self.all.items().pop_front()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Queues;
    use crate::threads::sync::{explore, scope};

    #[test]
    fn an_item_pushed_is_popped_exactly_once() {
        explore("queues", || {
            let queues = Queues::new(2);
            queues.push(1_u64);
            let taken = scope(|scope| {
                let take = |worker: usize| {
                    let queues = &queues;
                    move || {
                        let queue = queues.claim(worker);
                        queue.push(10 << worker);
                        std::iter::from_fn(|| queue.pop()).sum::<u64>()
                    }
                };
                let other = scope.spawn(take(1));
                take(0)() + other.join().expect("the other worker does not panic")
            });
            assert_eq!(taken, 31);
        });
    }
}
