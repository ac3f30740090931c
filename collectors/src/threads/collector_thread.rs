//! A thread of a collector's own: it sleeps until a round of work is asked for, and does one round at a time.
//!
//! It is a member of the world like a mutator: while it works it must come to safepoints, so that whoever stops the world
//! stops it too, and while it sleeps it counts as blocked. It is started by the first mutator and joined before the heap
//! is gone. If it panics, the heap is poisoned: mutators panic at their next safepoint, and nobody waits for it in vain.
//!
//! # Invariants
//!
//! 1. `begun` rounds have begun, `ended` have ended; they differ by one while the thread works, and are equal otherwise.
//! 2. A round is asked for as long as `begun` is less than `wanted`, which is at most one more than `begun`.
//!
//! # Synchronization
//!
//! | variable | written by                   | read by  | protocol |
//! |----------|------------------------------|----------|----------|
//! | `state`  | whoever asks, and the thread | the same | the lock |

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use super::message_of;
use super::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, mutant,
        thread::{self, JoinHandle},
        wait_for,
    },
    world::World,
};
use crate::heap::{Header, Seat, core::Core};

/// The handle on a collector's thread, shared with it.
#[derive(Debug)]
pub(crate) struct CollectorThread {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_started: bool,
    handle: Option<JoinHandle<()>>,
    wanted: u64,
    begun: u64,
    ended: u64,
    is_closing: bool,
    has_failed: bool,
}

/// A round that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round(u64);

impl CollectorThread {
    /// A thread that has not been started.
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::default()), changed: Condvar::new() }
    }

    /// Starts the thread, if nobody has: it does rounds of `work` as a member of the world of `core`, until the heap is
    /// dropped.
    pub(crate) fn start<H: Header>(
        self: &Arc<Self>,
        core: &Arc<Core<H>>,
        work: impl FnMut(&Seat<H>) + Send + 'static,
    ) {
        let mut state = self.state();
        if state.is_started {
            return;
        }
        state.is_started = true;
        let this = Arc::clone(self);
        // Here, and not when the thread comes to it, so that no seat that a mutator gives up becomes the thread's: the next
        // mutator is to have it.
        let seat = Seat::new(Arc::clone(core));
        let mut work = work;
        state.handle = Some(thread::spawn(move || {
            let seat = seat.of_collector();
            this.serve(&seat.core.world, seat.index, || {
                work(&seat);
                seat.report_work();
            });
            seat.leave();
        }));
    }

    /// Asks for a round that begins after this call, unless one is asked for already.
    pub(crate) fn request(&self) -> Round {
        let mut state = self.state();
        if state.wanted == state.begun {
            state.wanted += 1;
            self.changed.notify_all();
        }
        Round(state.wanted)
    }

    /// The round that is under way, if there is one; else asks for one, and does not wait for it.
    pub(crate) fn prompt(&self) -> Option<Round> {
        let state = self.state();
        let (begun, ended) = (state.begun, state.ended);
        drop(state);
        if begun > ended {
            return Some(Round(begun));
        }
        self.request();
        None
    }

    /// Waits for the end of `round`; the caller is blocked. Says whether it has ended, rather than the thread.
    pub(crate) fn wait(&self, round: Round) -> bool {
        self.wait_at_most(round, None)
    }

    /// As `wait`, but no longer than `most`, if that is given.
    pub(crate) fn wait_at_most(&self, round: Round, most: Option<Duration>) -> bool {
        let mut state = self.state();
        while state.ended < round.0 && !state.has_failed && !state.is_closing {
            let Some(most) = most else {
                state = self.wait_for_change(state);
                continue;
            };
            let (now, is_over) = wait_for(&self.changed, state, most);
            state = now;
            if is_over {
                break;
            }
        }
        state.ended >= round.0
    }

    /// Whether no round is under way.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        state.begun == state.ended
    }

    /// What the thread does, as member `index` of `world`. The heap is poisoned if a round panics.
    fn serve(&self, world: &World, index: usize, mut work: impl FnMut()) {
        // Poison is no news to whoever waits here: it ends with the mutators.
        while let Ok(true) = world.blocked(index, || self.next()) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(&mut work)) {
                world.poison(message_of(&*panic));
                self.fail();
                break;
            }
            self.state().ended += 1;
            self.changed.notify_all();
        }
        self.fail();
    }

    /// Sleeps until a round is asked for and begins it; `false` if there are to be no more.
    fn next(&self) -> bool {
        let mut state = self.state();
        while state.begun == state.wanted && !state.is_closing {
            state = self.wait_for_change(state);
        }
        let goes_on = !state.is_closing;
        state.begun += u64::from(goes_on);
        goes_on
    }

    /// Nobody is to wait for a round any more.
    fn fail(&self) {
        self.state().has_failed = true;
        self.changed.notify_all();
    }

    /// Ends the thread and waits for it. The heap has no mutator any more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closing = true;
        let handle = state.handle.take();
        drop(state);
        if !mutant("close without waking the collector") {
            self.changed.notify_all();
        }
        // Its panic has poisoned the heap, and been told to those who used it.
        let _ = handle.map(JoinHandle::join);
    }

    fn wait_for_change<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).expect("nothing panics while it holds this lock")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod models {
    use super::*;
    use crate::{
        Options,
        heap::SideTables,
        threads::sync::{Plain, explore, scope},
    };

    const PROTOCOL: &str = "thread of the collector's own";

    /// A heap without a mutator, and a thread that counts its rounds.
    struct Place {
        core: Arc<Core<()>>,
        thread: Arc<CollectorThread>,
        rounds: Arc<Plain<u32>>,
    }

    impl Place {
        fn new(panics: bool) -> Self {
            let core = Arc::new(Core::new(Options::default(), SideTables::None, false));
            let (thread, rounds) = (Arc::new(CollectorThread::new()), Arc::new(Plain::new(0)));
            let counted = Arc::clone(&rounds);
            thread.start(&core, move |_| {
                assert!(!panics, "the collector has a mistake");
                counted.set(counted.get() + 1);
            });
            Self { core, thread, rounds }
        }

        /// What a mutator does that asks for a collection; gives the rounds that have ended by then.
        fn collect(&self) -> u32 {
            let index = self.core.world.attach();
            let round = self.thread.request();
            let ended = self.core.world.blocked(index, || self.thread.wait(round));
            assert_eq!(ended, Ok(true));
            self.core.world.detach(index);
            self.rounds.get()
        }
    }

    #[test]
    fn a_round_that_is_waited_for_has_ended_and_closing_ends_the_thread() {
        explore(PROTOCOL, || {
            let place = Place::new(false);
            assert_eq!(place.collect(), 1);
            place.thread.close();
        });
    }

    #[test]
    fn a_thread_that_was_never_asked_for_anything_ends() {
        explore(PROTOCOL, || {
            let place = Place::new(false);
            place.thread.close();
            assert_eq!(place.rounds.get(), 0);
        });
    }

    #[test]
    fn two_that_ask_at_once_both_get_a_round_that_began_later() {
        explore(PROTOCOL, || {
            let place = Place::new(false);
            scope(|scope| {
                let place = &place;
                let ask = move || {
                    let index = place.core.world.attach();
                    let round = place.thread.request();
                    let ended = place.core.world.blocked(index, || place.thread.wait(round));
                    assert_eq!(ended, Ok(true));
                    place.core.world.detach(index);
                };
                scope.spawn(ask);
                ask();
            });
            place.thread.close();
            assert!((1..=2).contains(&place.rounds.get()));
        });
    }

    /// loom cannot go on after a panic, not even a caught one.
    #[cfg(not(loom))]
    #[test]
    fn a_panic_of_the_thread_is_told_to_whoever_waits() {
        explore(PROTOCOL, || {
            let place = Place::new(true);
            let index = place.core.world.attach();
            let round = place.thread.request();
            let told = place.core.world.blocked(index, || place.thread.wait(round));
            assert!(told.is_err_and(|poisoned| poisoned.0.contains("the collector has a mistake")));
            place.core.world.detach(index);
            place.thread.close();
        });
    }
}
