//! Seats: one mutator's place in a heap, and what collectors do through it.

use std::cell::{Cell, RefCell};

use super::{
    class::Kind,
    core::Core,
    object::{Header, Object},
    share::Share,
    space::OutOfMemory,
};
use crate::{
    Cause, Collected, Event,
    threads::{
        sync::{Arc, thread},
        world::{Attention, Poisoned, Stopped},
    },
};

/// From this many objects on, a cascade is a pause of its own; shorter ones are only counted.
const CASCADE_CLOCKED: u64 = 64;

/// One mutator's place in a heap. Its mutator alone uses it.
pub struct Seat<H: Header> {
    pub(crate) core: Arc<Core<H>>,
    pub(crate) share: Arc<Share<H>>,
    pub(crate) index: usize,
    /// What the mutator has to look after when an operation ends.
    condition: Cell<Condition>,
    /// Dying objects whose references have not been released yet: what remains of a cascade.
    pub(crate) dying: RefCell<Vec<Object<H>>>,
    /// How many of them, from the bottom, are somebody else's: of the operation that our finalizer interrupts.
    floor: Cell<usize>,
    /// How many finalizers we are inside of.
    depth: Cell<u32>,
    in_pause: Cell<bool>,
    unclocked: Cell<[u64; 2]>,
    random: Cell<u64>,
    /// What collections have found whose finalizers had to be run first.
    finished: Cell<Collected>,
}

/// What a mutator has to look after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    Normal,
    /// Finalizers are to be run.
    Finalizers,
    /// Nothing any more: the heap is poisoned, and its objects are left alone.
    Dead,
}

impl<H: Header> Seat<H> {
    pub(crate) fn new(core: Arc<Core<H>>) -> Self {
        let index = core.world.attach();
        let share = core.share(index);
        let random = core.stress.unwrap_or_default()
            ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            | 1;
        Self {
            core,
            share,
            index,
            condition: Cell::new(Condition::Normal),
            dying: RefCell::new(Vec::new()),
            floor: Cell::new(0),
            depth: Cell::new(0),
            in_pause: Cell::new(false),
            unclocked: Cell::new([0; 2]),
            random: Cell::new(random),
            finished: Cell::new(Collected::default()),
        }
    }

    /// As the place of the calling thread, which is a collector's own. What it does is nobody's pause.
    pub(crate) fn of_collector(self) -> Self {
        self.in_pause.set(true);
        self.report_work();
        self
    }

    /// Lets the observer see what this thread of the collector's own has done so far.
    pub(crate) fn report_work(&self) {
        self.emit(Event::CollectorThread);
    }

    /// Gives up the place of a thread of the collector's own.
    pub(crate) fn leave(&self) {
        self.report_work();
        self.core.world.detach(self.index);
    }

    #[inline(always)]
    pub(crate) fn condition(&self) -> Condition {
        self.condition.get()
    }

    /// Says that finalizers are to be run when the operation under way ends.
    pub(crate) fn set_condition(&self, condition: Condition) {
        if self.condition.get() != Condition::Dead {
            self.condition.set(condition);
        }
    }

    /// Whether the next safepoint has something to do.
    #[inline(always)]
    pub(crate) fn attention(&self) -> bool {
        self.core.world.attention() != Attention::default()
    }

    /// Whether this is an opportunity that the stress setting takes; may yield the processor.
    pub(crate) fn is_stressed(&self) -> bool {
        if self.core.stress.is_none() {
            return false;
        }
        if self.random_below(4) == 0 {
            thread::yield_now();
        }
        true
    }

    /// A number below `end` from the stress setting's seed.
    pub(crate) fn random_below(&self, end: usize) -> usize {
        // Xorshift: good enough to choose who runs next.
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.set(random);
        (random >> 32) as usize % end
    }

    /// Allocates; `Cause::SlowAllocation` is counted whenever memory had to be taken from the space.
    #[inline(always)]
    pub(crate) fn allocate(&self, kind: &Kind) -> Result<Object<H>, OutOfMemory> {
        self.share.allocate(&self.core.space, kind, || self.took_memory())
    }

    #[cold]
    fn took_memory(&self) {
        let [cascades, refills] = self.unclocked.get();
        self.unclocked.set([cascades, refills + 1]);
        self.core.sample(self.index);
    }

    /// Frees an object: the heap's one way to do so while mutators run.
    ///
    /// # Safety
    ///
    /// Nobody can reach the object any more.
    #[inline(always)]
    pub(crate) unsafe fn free(&self, object: Object<H>) {
        // SAFETY: by our caller.
        unsafe { self.share.free(&self.core.space, object) };
    }

    /// Takes back all that others have freed of what this mutator allocated.
    pub(crate) fn drain_remote(&self) {
        while self.share.drain_remote(&self.core.space, usize::MAX) {}
    }

    /// Stops the world; `None` if somebody else had, and this mutator has waited for the end of it.
    pub(crate) fn stop(&self) -> Option<Stopped<'_>> {
        self.emit(Event::TimeToStop { requested: true });
        let stopped = self.survive(self.core.world.stop(self.index));
        if stopped.is_some() {
            self.emit(Event::TimeToStop { requested: false });
        }
        stopped
    }

    /// Does what others want of this mutator: answers a stop and a handshake, if there is one.
    pub(crate) fn answer(&self) {
        let attention = self.core.world.attention();
        if attention.includes(Attention::HANDSHAKE) {
            let pause = self.pause(Cause::Handshake);
            self.survive(self.core.world.shake_hands(self.index));
            pause.end(0);
        }
        if attention.includes(Attention::STOP) {
            let pause = self.pause(Cause::Stop);
            self.survive(self.core.world.answer(self.index));
            pause.end(0);
        }
    }

    /// Waits for `condition`, blocked, because the program is ahead of the collector.
    pub(crate) fn stall<R>(&self, wait: impl FnOnce() -> R) -> R {
        let pause = self.pause(Cause::Stall);
        let result = self.survive(self.core.world.blocked(self.index, wait));
        pause.end(0);
        result
    }

    /// The result, or, if the heap is poisoned, a panic after which this mutator leaves the heap's objects alone.
    pub(crate) fn survive<R>(&self, result: Result<R, Poisoned>) -> R {
        match result {
            Ok(result) => result,
            Err(poisoned) => {
                self.condition.set(Condition::Dead);
                panic!("{poisoned}");
            }
        }
    }

    /// Leaves the heap's objects alone from now on, if the thread is panicking in a collection.
    pub(crate) fn die(&self) {
        self.condition.set(Condition::Dead);
    }

    pub(crate) fn emit(&self, event: Event) {
        if let Some(observer) = &self.core.observer {
            observer.event(self.index, event);
        }
    }

    /// Begins a pause, unless one has begun already.
    pub(crate) fn pause(&self, cause: Cause) -> Pause<'_, H> {
        let is_outermost = !self.in_pause.replace(true);
        if is_outermost {
            self.emit(Event::PauseBegan { cause });
        }
        Pause { seat: self, cause, is_outermost, estimated: 0 }
    }

    /// How many dying objects an operation must leave to whoever it interrupts.
    pub(crate) fn floor(&self) -> usize {
        self.floor.get()
    }

    /// Runs `finalizer` one level deeper: what dies in it is released before what waits already.
    pub(crate) fn nested<R>(&self, finalizer: impl FnOnce() -> R) -> R {
        let floor = self.floor.replace(self.dying.borrow().len());
        self.depth.set(self.depth.get() + 1);
        let result = finalizer();
        self.depth.set(self.depth.get() - 1);
        self.floor.set(floor);
        result
    }

    /// How many finalizers we are inside of.
    pub(crate) fn depth(&self) -> u32 {
        self.depth.get()
    }

    /// Adds to what collections have found after finalizers had been run.
    pub(crate) fn finish(&self, collected: Collected) {
        let mut finished = self.finished.get();
        finished += collected;
        self.finished.set(finished);
    }

    /// Takes what collections have found after finalizers had been run.
    pub(crate) fn take_finished(&self) -> Collected {
        self.finished.take()
    }

    /// A cascade begins.
    pub(crate) fn cascade(&self) -> Cascade<'_, H> {
        Cascade { seat: self, objects: 0, pause: None }
    }

    /// Tells the observer of the pauses that were not worth a clock.
    pub(crate) fn report_unclocked(&self) {
        let [cascades, refills] = self.unclocked.replace([0; 2]);
        for (cause, count) in [(Cause::Cascade, cascades), (Cause::SlowAllocation, refills)] {
            if count > 0 {
                self.emit(Event::Unclocked { cause, count });
            }
        }
    }
}

/// A pause under way.
#[must_use]
pub(crate) struct Pause<'s, H: Header> {
    seat: &'s Seat<H>,
    cause: Cause,
    is_outermost: bool,
    estimated: u64,
}

impl<H: Header> Pause<'_, H> {
    /// Ends the pause, in which `objects` were handled.
    pub(crate) fn end(self, objects: u64) {
        if self.is_outermost {
            self.seat.in_pause.set(false);
            let (cause, estimated) = (self.cause, self.estimated);
            self.seat.emit(Event::PauseEnded { cause, objects, estimated });
        }
    }
}

/// A cascade under way: counted, and a pause from its 64th object on.
#[must_use]
pub(crate) struct Cascade<'s, H: Header> {
    seat: &'s Seat<H>,
    objects: u64,
    pause: Option<Pause<'s, H>>,
}

impl<H: Header> Cascade<'_, H> {
    /// One more object is being destroyed.
    #[inline(always)]
    pub(crate) fn destroys_one(&mut self) {
        self.objects += 1;
        if self.objects == CASCADE_CLOCKED {
            let pause = self.seat.pause(Cause::Cascade);
            self.pause = Some(Pause { estimated: CASCADE_CLOCKED, ..pause });
        }
    }

    /// Nothing more is dying, or a finalizer has to be run first.
    pub(crate) fn end(self) {
        match self.pause {
            Some(pause) => pause.end(self.objects),
            None if self.objects > 0 => {
                let [cascades, refills] = self.seat.unclocked.get();
                self.seat.unclocked.set([cascades + 1, refills]);
            }
            None => {}
        }
    }
}
