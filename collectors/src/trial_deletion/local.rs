//! A mutator's side of trial deletion: a buffer of candidates, and a collection from end to end.

use std::cell::RefCell;

use super::{Buffer, CandidateCount, Order, TrialDeletion, trial::Trial};
use crate::{
    Cause, Collected, Event, Progress,
    counts::{
        Count,
        counting::{Counting, Unlisted},
        release::Release,
    },
    cycles::{
        listed,
        reclaim::{self, By, Finish, Finishing},
    },
    heap::{Amount, Kind, Object, Seat, seat::Condition},
    threads::{sync::Arc, world::Stopped},
};

type Counted = Object<CandidateCount>;

/// Why a mutator collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// There are too many candidates. If another mutator collects first, they are gone.
    Due,
    /// The program asked for it.
    Asked,
}

/// One mutator's side of it.
pub struct TrialDeletionLocal {
    seat: Seat<CandidateCount>,
    collector: Arc<TrialDeletion>,
    buffer: Buffer,
    /// The collection that waits for finalizers, if it is ours.
    finishing: RefCell<Option<Finishing<CandidateCount>>>,
}

impl TrialDeletionLocal {
    pub(super) fn new(collector: Arc<TrialDeletion>, seat: Seat<CandidateCount>) -> Self {
        let buffer = CandidateCount::hold(&collector.candidates, &seat);
        Self { seat, collector, buffer, finishing: RefCell::new(None) }
    }

    /// Stops the world and collects.
    fn collect_for(&self, reason: Reason) -> Collected {
        if *self.collector.finishing() {
            return Collected::default();
        }
        let pause = self.seat.pause(Cause::Collection);
        let stopped = loop {
            match (self.seat.stop(), reason) {
                (Some(stopped), _) => break stopped,
                (None, Reason::Asked) => {}
                (None, Reason::Due) => {
                    pause.end(0);
                    return Collected::default();
                }
            }
        };
        let is_finishing = *self.collector.finishing();
        let collected = if is_finishing {
            Collected::default()
        } else {
            self.collect_stopped(&stopped, reason)
        };
        drop(stopped);
        pause.end(collected.examined);
        collected
    }

    /// One collection, up to the finalizers.
    fn collect_stopped(&self, stopped: &Stopped<'_>, reason: Reason) -> Collected {
        self.seat.core.sample(self.seat.index);
        let (mut examined, mut garbage, mut freed) = (0, 0, Amount::default());
        loop {
            let roots = self.buffer.take_all();
            let trial = Trial::of(&roots, self.collector.order, stopped);
            let found = trial.garbage.len() as u64;
            examined += trial.examined;
            garbage += found;
            let is_doomed = self.doom(&trial.garbage);
            if !is_doomed {
                freed += self.reclaim(trial.garbage);
            }
            if is_doomed || found == 0 || reason == Reason::Due {
                break;
            }
            // What only the garbage held, without being part of a cycle, dies and may have been the last to hold another.
            self.go_on(self.slice());
        }
        if reason == Reason::Due {
            self.collector.candidates.learn(garbage);
        }
        self.report(examined, examined - garbage, freed);
        Collected { examined, freed: freed.objects }
    }

    /// Frees garbage, and gives how much it was.
    fn reclaim(&self, garbage: Vec<Counted>) -> Amount {
        let reclaim = || listed::reclaim(garbage, self.by());
        match self.collector.order {
            // What it refers to has been found to be held from outside of all garbage: it is no candidate for that.
            Order::Phased => self.buffer.closed(reclaim),
            // What it refers to was held from outside of a part of the garbage, maybe by another part.
            Order::PerRoot => reclaim(),
        }
    }

    /// Dooms the garbage if it has finalizers to be run; says whether it has.
    fn doom(&self, garbage: &[Counted]) -> bool {
        let each_garbage = |visit: &mut dyn FnMut(Counted)| garbage.iter().copied().for_each(visit);
        let Some(finishing) = Finishing::doom(each_garbage, &self.seat, 0) else { return false };
        *self.collector.finishing() = true;
        *self.finishing.borrow_mut() = Some(finishing);
        self.seat.set_condition(Condition::Finalizers);
        true
    }

    fn by(&self) -> By<'_, CandidateCount> {
        By { seat: &self.seat, holder: &self.buffer }
    }

    fn report(&self, examined: u64, survived: u64, freed: Amount) {
        self.seat.share.tally.freed_many(freed);
        let (freed, freed_bytes) = (freed.objects, freed.bytes);
        self.seat.emit(Event::Collection { generation: 0, examined, freed, survived, freed_bytes });
    }
}

impl Finish for TrialDeletionLocal {
    fn finishing(&self) -> &RefCell<Option<Finishing<CandidateCount>>> {
        &self.finishing
    }

    fn finish(&self, finishing: Finishing<CandidateCount>) {
        let pause = self.seat.pause(Cause::Collection);
        let stopped = loop {
            if let Some(stopped) = self.seat.stop() {
                break stopped;
            }
        };
        let (examined, freed) = finishing.end(self.by());
        self.report(0, 0, freed);
        *self.collector.finishing() = false;
        drop(stopped);
        pause.end(examined);
        self.seat.finish(Collected { examined: 0, freed: freed.objects });
    }
}

impl Counting for TrialDeletionLocal {
    type Count = CandidateCount;
    type Naming = Unlisted;

    fn naming(&self) -> &Unlisted {
        &Unlisted
    }

    fn place(&self) -> &Seat<CandidateCount> {
        &self.seat
    }

    fn holder(&self) -> &Buffer {
        &self.buffer
    }

    #[inline(always)]
    fn wants_attention(&self, _: &Kind) -> bool {
        self.buffer.is_due() || self.seat.attention()
    }

    fn attend_to(&self) {
        self.seat.answer();
        if self.buffer.is_due() {
            // Another mutator may have collected since we were told.
            self.buffer.tell_all();
            if self.buffer.is_due() {
                self.collect_for(Reason::Due);
                self.buffer.tell_all();
            }
        }
        if self.seat.is_stressed() {
            self.collect_up_to(0);
        }
    }

    #[inline(always)]
    fn allocated(&self, _: Counted, _: &Kind) {}

    #[inline(always)]
    unsafe fn free(&self, object: Counted) {
        if object.header().is_doomed() {
            // INVARIANT 4: its cell is freed when the collection ends.
            reclaim::bury_doomed(object);
            return;
        }
        // INVARIANT 2.
        self.buffer.forget(object);
        // SAFETY: by our caller.
        unsafe { self.seat.free(object) };
    }

    fn collect_up_to(&self, _: usize) -> Collected {
        self.collect_for(Reason::Asked)
    }

    fn next_to_finalize(&self) -> Option<Counted> {
        self.next_dying_or_doomed()
    }

    fn progress(&self) -> Vec<Progress> {
        self.buffer.tell_all();
        let (count, threshold) = self.collector.candidates.progress();
        vec![Progress { count, threshold }]
    }
}
