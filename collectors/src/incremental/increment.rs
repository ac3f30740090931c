//! Increments: one pause's part of a scavenge, with the world stopped.

use super::{Phase, Schedule, Variant, spaces::Spaces};
use crate::{
    counts::atomic::{Anyone, AtomicCount},
    cycles::{
        detect::{Candidates, Detection, each_child},
        listed,
        reclaim::{By, Finishing},
    },
    heap::{Amount, Object, Seat},
    roots::RootTable,
    threads::{sync::Arc, world::Stopped},
};

type Counted = Object<AtomicCount>;

/// CPython's `SCAN_RATE_DIVISOR`: at an old rate of 10, one hundredth of the heap is looked at for each trigger.
const SCAN_RATE_DIVISOR: i64 = 10;

/// What passing a block costs `bounded`, in objects looked at: its bitmaps are read even if nothing in it is pending.
pub(super) const BLOCK_WORK: u64 = 16;

/// A collection under way.
pub(super) struct Pause<'p> {
    pub(super) seat: &'p Seat<AtomicCount>,
    pub(super) stopped: &'p Stopped<'p>,
    pub(super) schedule: &'p mut Schedule,
    pub(super) roots: &'p [Arc<RootTable<AtomicCount>>],
    /// Objects that can be part of a cycle, as far as mutators have told.
    pub(super) heap_size: i64,
    pub(super) generation: usize,
    pub(super) found: Found,
}

/// What a collection has found so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) examined: u64,
    pub(super) garbage: u64,
    pub(super) freed: Amount,
    /// Garbage that waits for its finalizers: then the collection ends.
    pub(super) finishing: Option<Finishing<AtomicCount>>,
}

impl Pause<'_> {
    /// Collects, after `new` net allocations.
    pub(super) fn run(&mut self, new: i64) {
        match (self.generation, self.schedule.variant) {
            (0, variant) => {
                self.schedule.young_collections += 1;
                if variant == Variant::Bounded {
                    // What the program has collected by hand is owed all the same.
                    self.owe(new);
                }
                let young = self.take_young();
                self.examine(young, |_, _| {});
            }
            (1, Variant::Bounded) => self.bounded(new),
            (1, variant) => self.cpython(new, variant),
            _ => self.full(),
        }
        self.schedule.marking.park();
    }

    /// CPython's `gc_collect_increment`.
    fn cpython(&mut self, new: i64, variant: Variant) {
        self.schedule.work_to_do += self.assess(new, variant);
        if variant == Variant::V3_14_2 && self.schedule.work_to_do < 0 {
            return;
        }
        let is_start = self.schedule.phase == Phase::Mark;
        let marked = self.mark_all();
        self.schedule.work_to_do -= marked;
        if is_start {
            // `mark_at_start` has subtracted them, and so does its caller (gh-141890).
            self.schedule.work_to_do -= marked;
            self.schedule.phase = Phase::Collect;
            return;
        }
        let mut increment = self.take_young();
        while (increment.len() as i64) < self.schedule.work_to_do {
            let Some(head) = self.next_pending() else { break };
            expand(&self.schedule.spaces, head, &mut increment);
        }
        let size = increment.len() as i64;
        self.examine(increment, |_, _| {});
        if variant == Variant::V3_14_0 {
            self.schedule.work_to_do += self.heap_fraction();
        }
        self.schedule.work_to_do -= size;
        if self.next_pending().is_none() {
            self.schedule.spaces.flip();
            self.schedule.work_to_do = 0;
            self.schedule.phase = Phase::Mark;
        }
    }

    /// CPython's `assess_work_to_do`.
    fn assess(&self, new: i64, variant: Variant) -> i64 {
        let most = if variant == Variant::V3_14_0 { new * 3 / 2 } else { new * 2 };
        new + self.heap_fraction().min(most)
    }

    fn heap_fraction(&self) -> i64 {
        let size = (self.heap_size - self.found.freed.objects as i64).max(0);
        size / SCAN_RATE_DIVISOR / i64::from(self.schedule.thresholds[1].max(2))
    }

    /// Visits whatever the roots reach and gives how many objects that were.
    fn mark_all(&mut self) -> i64 {
        self.reach_roots();
        let mut marked = 0;
        while self.mark_one() {
            marked += 1;
        }
        marked
    }

    fn reach_roots(&mut self) {
        let Schedule { spaces, marking, .. } = &mut *self.schedule;
        for table in self.roots {
            table.for_each(|object| marking.reach(spaces, object));
        }
        for object in self.seat.core.shared.objects() {
            marking.reach(spaces, object);
        }
    }

    #[inline(always)]
    fn mark_one(&mut self) -> bool {
        let Schedule { spaces, marking, .. } = &mut *self.schedule;
        let has_marked = marking.step(spaces);
        self.found.examined += u64::from(has_marked);
        has_marked
    }

    /// All of the debt, in as many parts of scavenges as it takes.
    fn bounded(&mut self, new: i64) {
        self.owe(new);
        let young = self.take_young();
        self.examine(young, |schedule, survivor| {
            // What young objects refer to is probably alive. They are younger than the scavenge, and so cannot refer to
            // what was dead when it began.
            if schedule.phase == Phase::Mark {
                let Schedule { spaces, marking, .. } = schedule;
                each_child(survivor, |child| marking.reach(spaces, child));
            }
        });
        let mut ended = 0;
        while self.schedule.debt > 0 && self.found.finishing.is_none() {
            match self.schedule.phase {
                Phase::Mark => self.mark_some(),
                Phase::Collect => ended += u32::from(self.collect_some()),
            }
            if ended == 2 {
                // One of them began and ended here: it has found all that was dead.
                self.schedule.debt = 0;
            }
        }
        if self.schedule.debt == 0 {
            self.schedule.unpaid = 0;
        }
    }

    /// Adds what `new` net allocations cost to the debt.
    fn owe(&mut self, new: i64) {
        let new = new.unsigned_abs();
        self.schedule.debt += self.schedule.work * new;
        self.schedule.unpaid += new;
        self.schedule.scavenge.allocated += new;
    }

    fn pay(&mut self, work: u64) {
        self.schedule.debt = self.schedule.debt.saturating_sub(work);
        self.schedule.scavenge.done += work;
    }

    /// Marks until the debt is paid or the roots reach nothing more that is pending.
    fn mark_some(&mut self) {
        while self.schedule.debt > 0 {
            if self.mark_one() {
                self.pay(1);
            } else {
                self.reach_roots();
                if self.schedule.marking.len() == 0 {
                    self.schedule.phase = Phase::Collect;
                    return;
                }
            }
        }
    }

    /// Examines pending objects, in whole closures, until the debt is paid or the scavenge ends; says whether it has.
    fn collect_some(&mut self) -> bool {
        let mut increment = Vec::new();
        let mut passed = self.schedule.spaces.passed;
        let mut paid = 0;
        let has_ended = loop {
            let next = self.next_pending();
            let blocks = self.schedule.spaces.passed;
            self.pay((blocks - passed) * BLOCK_WORK);
            passed = blocks;
            let Some(head) = next else { break true };
            if self.schedule.debt == 0 {
                break false;
            }
            expand(&self.schedule.spaces, head, &mut increment);
            self.pay((increment.len() - paid) as u64);
            paid = increment.len();
        };
        self.examine(increment, |_, _| {});
        if has_ended {
            self.schedule.begin_scavenge();
            self.schedule.spaces.flip();
        }
        has_ended
    }

    /// Everything at once, after which a new scavenge begins.
    fn full(&mut self) {
        let core = &*self.seat.core;
        self.schedule.marking.clear();
        let mut no_middle = Vec::new();
        let mut candidates = Candidates::new(core, &mut no_middle, 2);
        let Detection { examined, garbage } = candidates.detect::<AtomicCount>(self.stopped);
        self.found.examined += examined;
        self.found.garbage += garbage;
        if garbage > 0 {
            self.found.finishing =
                Finishing::doom(|visit| candidates.each_garbage(visit), self.seat, 2);
            if self.found.finishing.is_none() {
                self.found.freed += candidates.reclaim(self.by(), self.stopped);
            }
        }
        candidates.promote(core, &mut no_middle, 2);
        self.schedule.spaces.restart();
        self.schedule.begin_scavenge();
        self.schedule.work_to_do = 0;
        self.schedule.debt = 0;
        self.schedule.unpaid = 0;
        self.schedule.young_collections = 0;
    }

    fn by(&self) -> By<'_, AtomicCount> {
        By { seat: self.seat, holder: &Anyone }
    }

    fn take_young(&mut self) -> Vec<Counted> {
        self.schedule.spaces.take_young(&self.seat.core)
    }

    fn next_pending(&mut self) -> Option<Counted> {
        self.schedule.spaces.next_pending(&self.seat.core)
    }

    /// Finds the garbage on `list` and frees or dooms it; `alive` is called with the rest.
    fn examine(&mut self, list: Vec<Counted>, mut alive: impl FnMut(&mut Schedule, Counted)) {
        self.found.examined += list.len() as u64;
        let schedule = &mut *self.schedule;
        let garbage = listed::detect(list, |object| alive(schedule, object));
        self.found.garbage += garbage.len() as u64;
        if garbage.is_empty() {
            return;
        }
        let each_garbage = |visit: &mut dyn FnMut(Counted)| garbage.iter().copied().for_each(visit);
        self.found.finishing = Finishing::doom(each_garbage, self.seat, self.generation);
        if self.found.finishing.is_none() {
            self.found.freed += listed::reclaim(garbage, self.by());
        }
    }
}

/// Visits `head` and all that it reaches and that is not visited, and adds it to `increment`: CPython's
/// `expand_region_transitively_reachable`. So no cycle is split.
fn expand(spaces: &Spaces, head: Counted, increment: &mut Vec<Counted>) {
    let mut next = increment.len();
    spaces.visit(head);
    increment.push(head);
    while let Some(&object) = increment.get(next) {
        next += 1;
        each_child(object, |child| {
            if spaces.is_unvisited(child) {
                spaces.visit(child);
                increment.push(child);
            }
        });
    }
}
