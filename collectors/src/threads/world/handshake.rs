//! Handshakes: every mutator does something once, at a safepoint of its own, while the others run on.
//!
//! After D. Doligez and X. Leroy, *A concurrent, generational garbage collector for a multithreaded implementation of ML*,
//! POPL 1993, and D. Doligez and G. Gonthier, *Portable, unobtrusive garbage collection for multiprocessor systems*, POPL
//! 1994. A mutator that is running does it itself at its next safepoint; for one that is blocked, or leaves, it is done
//! under the world's lock, without which it cannot come back.

use super::{Activity, Attention, Poisoned, State, World};
use crate::threads::sync::{MutexGuard, mutant, wait_for};

/// A handshake under way.
#[derive(Debug)]
pub(super) struct Handshake {
    act: Act,
    /// The mutators that have not begun.
    wanted: Vec<bool>,
    /// How many are in the middle of it.
    serving: usize,
}

/// What each mutator does.
#[derive(Clone, Copy)]
struct Act(*const (dyn Fn(usize) + Sync));

// SAFETY: the closure is `Sync`, and `handshake` keeps it until nobody can run it any more (invariant 4).
unsafe impl Send for Act {}

impl std::fmt::Debug for Act {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Act")
    }
}

impl Act {
    fn run(self, index: usize) {
        // SAFETY: the handshake is under way, and `handshake` does not return before it has ended (invariant 4).
        let act = unsafe { &*self.0 };
        act(index);
    }
}

impl World {
    /// Has every member but `index`, the caller, do `act` once, with its number; returns when all have. Those that
    /// attach meanwhile are not asked. The caller counts as blocked while it waits, so that the world can be stopped.
    ///
    /// # Errors
    ///
    /// If a collection has panicked.
    ///
    /// # Panics
    ///
    /// If a mutator does not answer within the time limit; the message names it. If `act` panics here.
    pub(crate) fn handshake(
        &self,
        index: usize,
        act: &(dyn Fn(usize) + Sync),
    ) -> Result<(), Poisoned> {
        // SAFETY: only the lifetime is forgotten, and this function ends no earlier than the last use (invariant 4).
        let forgotten = unsafe {
            std::mem::transmute::<
                *const (dyn Fn(usize) + Sync + '_),
                *const (dyn Fn(usize) + Sync + 'static),
            >(act)
        };
        let mut state = self.state();
        let wanted = (0..state.activities.len()).map(|other| other != index).collect();
        debug_assert!(state.handshake.is_none(), "one handshake at a time");
        state.handshake = Some(Handshake { act: Act(forgotten), wanted, serving: 0 });
        self.call(Attention::HANDSHAKE);
        self.leave(&mut state, index, Activity::Blocked);
        let late;
        (state, late) = self.wait_for_answers(state);
        state.handshake = None;
        self.clear(Attention::HANDSHAKE);
        state = self.come_back(state, index);
        let poison = state.poison();
        drop(state);
        if let Some(late) = late {
            panic!("{}", self.is_late(late));
        }
        poison
    }

    /// Waits until all have answered, or one has not for too long; gives that one's number.
    fn wait_for_answers<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
    ) -> (MutexGuard<'s, State>, Option<usize>) {
        let mut late = None;
        while late.is_none() && state.poisoned.is_none() && !mutant("do not wait for the handshake")
        {
            // In a stopped world nothing is done behind the back of whoever has stopped it.
            if !state.stopping {
                (0..state.activities.len()).for_each(|other| state.act_for_idle(other));
                if state.has_shaken_hands() {
                    break;
                }
            }
            let (now, timed_out) = wait_for(&self.changed, state, self.timeout);
            state = now;
            late = if timed_out { state.late() } else { None };
        }
        // Whoever is in the middle of it uses the act.
        while state.handshake.as_ref().is_some_and(|handshake| handshake.serving > 0) {
            state = self.wait(state);
        }
        (state, late)
    }

    /// Does what a handshake wants of member `index`, which is running; says whether there was anything.
    ///
    /// # Errors
    ///
    /// If a collection has panicked.
    pub(crate) fn shake_hands(&self, index: usize) -> Result<bool, Poisoned> {
        struct Served<'w>(&'w World);
        impl Drop for Served<'_> {
            fn drop(&mut self) {
                let mut state = self.0.state();
                if let Some(handshake) = &mut state.handshake {
                    handshake.serving -= 1;
                }
                if state.has_shaken_hands() {
                    // Nobody need look again until the requester has woken up.
                    self.0.clear(Attention::HANDSHAKE);
                }
                self.0.changed.notify_all();
            }
        }
        let mut state = self.state();
        state.poison()?;
        let Some(act) = state.begin(index) else { return Ok(false) };
        drop(state);
        // Counted off even if the act panics: then the mutator is on its way out, and the requester must not hang.
        let _served = Served(self);
        act.run(index);
        Ok(true)
    }
}

impl State {
    /// Nothing is wanted of member `index`.
    pub(super) fn excuse(&mut self, index: usize) {
        if let Some(wanted) =
            self.handshake.as_mut().and_then(|handshake| handshake.wanted.get_mut(index))
        {
            *wanted = false;
        }
    }

    /// Takes the act, if it is still wanted of member `index`.
    fn take_act(&mut self, index: usize) -> Option<Act> {
        let handshake = self.handshake.as_mut()?;
        let wanted = handshake.wanted.get_mut(index)?;
        std::mem::take(wanted).then_some(handshake.act)
    }

    fn begin(&mut self, index: usize) -> Option<Act> {
        let act = self.take_act(index)?;
        if let Some(handshake) = &mut self.handshake {
            handshake.serving += 1;
        }
        Some(act)
    }

    /// Does the act in place of member `index`.
    pub(super) fn act_for(&mut self, index: usize) {
        if let Some(act) = self.take_act(index) {
            act.run(index);
        }
    }

    /// Does the act in place of member `index`, if that is not running.
    fn act_for_idle(&mut self, index: usize) {
        match self.activities[index] {
            Activity::Running => {}
            Activity::Absent => self.excuse(index),
            Activity::Waiting | Activity::Blocked => self.act_for(index),
        }
    }

    fn has_shaken_hands(&self) -> bool {
        let Some(handshake) = &self.handshake else { return true };
        handshake.serving == 0 && !handshake.wanted.contains(&true)
    }

    /// A running member that has not answered.
    fn late(&self) -> Option<usize> {
        let handshake = self.handshake.as_ref()?;
        let mut wanted = handshake.wanted.iter().enumerate();
        let late =
            wanted.find(|&(index, &wanted)| wanted && self.activities[index] == Activity::Running);
        late.map(|(index, _)| index)
    }
}
