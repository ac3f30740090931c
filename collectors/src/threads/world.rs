//! The world: which mutators there are, and how one of them stops the others.
//!
//! Mutators answer a stop at safepoints, or are in `blocked` already. All of the handshake but the poll goes through one
//! lock: a stop is rare and costs microseconds, `blocked` surrounds calls that block, and a lock is the shortest proof.
//! While the world is stopped, waiting mutators lend a hand: the collecting one hands them a job. What each mutator must
//! do for itself, but not all at once, is a *handshake* (`world/handshake.rs`): nobody waits for another mutator then.
//!
//! A thread of a collector's own (`collector_thread.rs`) is a member like a mutator: it stops when the world does.
//!
//! # Invariants
//!
//! 1. `running` is the number of mutators whose activity is `Running`.
//! 2. While a `Stopped` exists, its maker is the only running mutator; nobody attaches, and nobody leaves `blocked`.
//! 3. A job is run only between `share` and its return, by threads that `helping` counts.
//! 4. The act of a handshake is run only between `handshake` and its return: by a mutator that is `Running` and in
//!    `serving`, or under the lock in place of one that is not running.
//!
//! # Synchronization
//!
//! | variable    | written by                   | read by   | protocol                                        |
//! |-------------|------------------------------|-----------|-------------------------------------------------|
//! | `attention` | whoever wants a safepoint    | mutators  | Relaxed hint; what it announces is under a lock |
//! | `state`     | everybody                    | everybody | the lock                                        |

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use crate::threads::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU32, Ordering::Relaxed},
    mutant, thread, wait_for,
};

/// What a mutator should look after at its next safepoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attention(u32);

impl Attention {
    /// Somebody wants the world to stop, or it is poisoned.
    pub(crate) const STOP: Self = Self(1);
    /// Finalizers wait for a mutator to run them.
    pub(crate) const FINALIZERS: Self = Self(2);
    /// Shared handles were dropped.
    pub(crate) const ABANDONED: Self = Self(4);
    /// The stress setting: every safepoint is an opportunity.
    pub(crate) const STRESS: Self = Self(8);
    /// A handshake is under way.
    pub(crate) const HANDSHAKE: Self = Self(16);

    /// Whether `self` includes all of `other`.
    pub(crate) fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// All mutators of one heap.
#[derive(Debug)]
pub(crate) struct World {
    attention: AtomicU32,
    state: Mutex<State>,
    changed: Condvar,
    timeout: Duration,
}

#[derive(Debug, Default)]
struct State {
    activities: Vec<Activity>,
    running: usize,
    stopping: bool,
    poisoned: Option<String>,
    job: Option<Job>,
    /// How many jobs there have been: a thread runs each at most once.
    jobs: u64,
    next_worker: usize,
    helping: usize,
    failure: Option<Failure>,
    handshake: Option<Handshake>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    Absent,
    Running,
    Waiting,
    Blocked,
}

/// A job for all threads that are stopped anyway.
#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(usize) + Sync));

// SAFETY: the closure is `Sync`, and `share` keeps it until the last helper has ended (invariant 3).
unsafe impl Send for Job {}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Job")
    }
}

/// The panic of a helper, to be continued by the collecting mutator.
struct Failure(Box<dyn Any + Send>);

impl std::fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Failure")
    }
}

/// The heap is poisoned: a collection panicked, and nothing in it can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the heap is poisoned: a collection panicked: {0}")]
pub(crate) struct Poisoned(pub(crate) String);

/// The witness that no other mutator is running; dropping it lets them go on.
#[derive(Debug)]
pub(crate) struct Stopped<'w> {
    world: &'w World,
}

impl World {
    pub(crate) fn new(timeout: Duration, stress: bool) -> Self {
        let attention = if stress { Attention::STRESS.0 } else { 0 };
        Self {
            attention: AtomicU32::new(attention),
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            timeout,
        }
    }

    /// Whether anything wants a mutator's attention: the poll.
    #[inline(always)]
    pub(crate) fn attention(&self) -> Attention {
        // Relaxed: a statistic in this sense: a late look costs a late safepoint, and the lock orders the rest.
        Attention(self.attention.load(Relaxed))
    }

    pub(crate) fn call(&self, attention: Attention) {
        // Relaxed: a hint, as in `attention`; what it announces is published by a lock. A statistic.
        self.attention.fetch_or(attention.0, Relaxed);
    }

    pub(crate) fn clear(&self, attention: Attention) {
        // Relaxed: a hint, as in `attention`. A statistic.
        self.attention.fetch_and(!attention.0, Relaxed);
    }

    /// Adds a mutator and gives its number; waits while the world is stopped.
    pub(crate) fn attach(&self) -> usize {
        let mut state = self.state();
        while state.stopping && !mutant("attach to a stopped world") {
            state = self.wait(state);
        }
        state.running += 1;
        let absent = state.activities.iter().position(|&activity| activity == Activity::Absent);
        let index = absent.unwrap_or_else(|| {
            state.activities.push(Activity::Absent);
            state.activities.len() - 1
        });
        state.activities[index] = Activity::Running;
        // Whoever comes now finds what the handshake is about to tell the others.
        state.excuse(index);
        index
    }

    /// Removes mutator `index`; if a handshake wants something of it, it is done now.
    pub(crate) fn detach(&self, index: usize) {
        let mut state = self.state();
        state.act_for(index);
        self.leave(&mut state, index, Activity::Absent);
    }

    /// Does `work` if no member has number `index`, and none can take it meanwhile; says what came of it, or `false`.
    pub(crate) fn if_absent(&self, index: usize, work: impl FnOnce() -> bool) -> bool {
        let state = self.state();
        let is_absent =
            state.activities.get(index).is_none_or(|&activity| activity == Activity::Absent);
        is_absent && !state.stopping && work()
    }

    /// How many mutators are attached.
    pub(crate) fn population(&self) -> usize {
        let state = self.state();
        state.activities.iter().filter(|&&activity| activity != Activity::Absent).count()
    }

    /// Answers a stop, if there is one: waits until the world goes on, lending a hand. Says whether there was one.
    ///
    /// # Errors
    ///
    /// If a collection has panicked.
    pub(crate) fn answer(&self, index: usize) -> Result<bool, Poisoned> {
        let mut state = self.state();
        let was_stopping = state.stopping;
        if was_stopping {
            self.leave(&mut state, index, Activity::Waiting);
            state = self.wait_and_help(state);
            state.activities[index] = Activity::Running;
            state.running += 1;
        }
        state.poison()?;
        Ok(was_stopping)
    }

    /// Runs `f` while mutator `index` counts as stopped.
    ///
    /// # Errors
    ///
    /// If a collection has panicked, before `f` or meanwhile.
    pub(crate) fn blocked<R>(&self, index: usize, f: impl FnOnce() -> R) -> Result<R, Poisoned> {
        {
            let mut state = self.state();
            state.poison()?;
            self.leave(&mut state, index, Activity::Blocked);
        }
        // A panic of `f` must come back into the running world too, for the mutator's own drop.
        let result = catch_unwind(AssertUnwindSafe(f));
        let state = self.come_back(self.state(), index);
        let poison = state.poison();
        drop(state);
        match result {
            Ok(result) => poison.map(|()| result),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Stops the world for mutator `index`, or, if another mutator is doing so, waits until it has ended and gives
    /// `None`: what the caller wanted may have been done.
    ///
    /// # Errors
    ///
    /// If a collection has panicked.
    ///
    /// # Panics
    ///
    /// If a mutator does not answer within the time limit; the message names it.
    pub(crate) fn stop(&self, index: usize) -> Result<Option<Stopped<'_>>, Poisoned> {
        if self.answer(index)? {
            return Ok(None);
        }
        let mut state = self.state();
        if state.stopping {
            drop(state);
            self.answer(index)?;
            return Ok(None);
        }
        state.stopping = true;
        self.call(Attention::STOP);
        let stopped = Stopped { world: self };
        while state.running > 1 && !mutant("stop without a handshake") {
            let (now, timed_out) = wait_for(&self.changed, state, self.timeout);
            state = now;
            if timed_out && state.running > 1 {
                let late = state.running_but(index);
                drop(state);
                panic!("{}", self.is_late(late));
            }
        }
        drop(state);
        Ok(Some(stopped))
    }

    /// Says that the heap cannot be trusted any more: every member panics at its next safepoint.
    pub(crate) fn poison(&self, message: String) {
        let mut state = self.state();
        state.poisoned.get_or_insert(message);
        self.call(Attention::STOP);
        self.changed.notify_all();
    }

    /// Makes member `index`, which was blocked, run again.
    fn come_back<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        index: usize,
    ) -> MutexGuard<'s, State> {
        while state.stopping && !mutant("leave `blocked` in a stopped world") {
            state = self.wait(state);
        }
        state.activities[index] = Activity::Running;
        state.running += 1;
        state
    }

    /// What is said of a mutator that has not answered in time.
    fn is_late(&self, mutator: usize) -> String {
        format!(
            "mutator {mutator} did not reach a safepoint within {:?}; it should call `safepoint` in long loops and \
             `blocked` around whatever waits",
            self.timeout
        )
    }

    fn leave(&self, state: &mut State, index: usize, activity: Activity) {
        state.activities[index] = activity;
        state.running -= 1;
        self.changed.notify_all();
    }

    fn wait_and_help<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let mut done = 0;
        while state.stopping {
            match state.job {
                Some(job) if state.jobs != done => {
                    done = state.jobs;
                    state.helping += 1;
                    state.next_worker += 1;
                    let worker = state.next_worker;
                    drop(state);
                    // SAFETY: `share` does not return before `helping` is 0 again (invariant 3).
                    let job = unsafe { &*job.0 };
                    let result = catch_unwind(AssertUnwindSafe(|| job(worker)));
                    state = self.state();
                    state.helping -= 1;
                    if let Err(panic) = result {
                        state.failure = Some(Failure(panic));
                    }
                    self.changed.notify_all();
                }
                _ => state = self.wait(state),
            }
        }
        state
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).expect("nothing panics while it holds the world's lock")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the world's lock")
    }
}

impl State {
    fn poison(&self) -> Result<(), Poisoned> {
        self.poisoned.as_ref().map_or(Ok(()), |message| Err(Poisoned(message.clone())))
    }

    fn running_but(&self, index: usize) -> usize {
        let mut running = self.activities.iter().enumerate();
        let late =
            running.find(|&(other, &activity)| other != index && activity == Activity::Running);
        late.map_or(index, |(other, _)| other)
    }
}

impl Stopped<'_> {
    /// How many mutators wait and could help.
    pub(crate) fn helpers(&self) -> usize {
        let state = self.world.state();
        state.activities.iter().filter(|&&activity| activity == Activity::Waiting).count()
    }

    /// Runs `job` here as worker 0, and on every waiting mutator that comes in time as worker 1, 2, ...; returns when
    /// all have ended.
    ///
    /// # Panics
    ///
    /// If `job` panics, here or there.
    pub(crate) fn share(&self, job: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime is forgotten, and this function ends no earlier than the last use (invariant 3).
        let forgotten = unsafe {
            std::mem::transmute::<
                *const (dyn Fn(usize) + Sync + '_),
                *const (dyn Fn(usize) + Sync + 'static),
            >(job)
        };
        {
            let mut state = self.world.state();
            state.job = Some(Job(forgotten));
            state.jobs += 1;
            state.next_worker = 0;
            self.world.changed.notify_all();
        }
        let result = catch_unwind(AssertUnwindSafe(|| job(0)));
        let mut state = self.world.state();
        state.job = None;
        while state.helping > 0 && !mutant("forget a helper") {
            state = self.world.wait(state);
        }
        let failure = state.failure.take();
        drop(state);
        if let Err(panic) = result {
            resume_unwind(panic);
        }
        if let Some(Failure(panic)) = failure {
            resume_unwind(panic);
        }
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let mut state = self.world.state();
        if thread::panicking() {
            state.poisoned = Some("see the message of the panic above".to_owned());
        } else {
            self.world.clear(Attention::STOP);
        }
        state.stopping = false;
        self.world.changed.notify_all();
    }
}

mod handshake;
#[cfg(test)]
mod models;

use handshake::Handshake;
