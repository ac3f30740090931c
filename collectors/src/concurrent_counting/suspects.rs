//! Suspects: how what looks like garbage is shown to be garbage, or not.
//!
//! That this is right is proved where the collector is described (invariant 2), whatever the suspects are.
//!
//! # Invariants
//!
//! 1. Who flags a suspect sits in the seat that has made it, or nobody does and it is done under the queue's lock. So
//!    nobody else allocates in the block meanwhile, and what is flagged is an object.

use super::{
    Counted, Worker,
    guess::{Mapped, get, set},
};
use crate::{
    counts::{
        biased::{BiasedCount, Fate},
        slot::object_at,
    },
    heap::share::Share,
    threads::sync::{Mutex, MutexGuard, atomic::Ordering::Acquire, mutant},
};

/// Set in the scratch entry of a suspect that is being validated. The bits below it count references.
pub(super) const CANDIDATE: u32 = 1 << 31;

/// How often the rest is validated after some have turned out to be alive.
const ATTEMPTS: usize = 8;

/// How many suspects ahead memory is fetched.
const AHEAD: usize = 8;

/// The bit of a slot that locks it.
const LOCKED: usize = 1;

/// The suspects that one seat has made.
#[derive(Default)]
struct List {
    suspects: Vec<Counted>,
    /// How many of them have been looked at.
    done: usize,
}

/// What has been shown to be garbage.
pub(super) struct Garbage {
    pub(super) objects: Vec<Counted>,
    /// Whether any of it refers to what is none.
    pub(super) refers_outward: bool,
}

impl List {
    fn is_done(&self) -> bool {
        self.done == self.suspects.len()
    }
}

impl Worker<'_> {
    /// Has suspects flagged by those who made them; gives those that are objects and alive as far as that goes.
    pub(super) fn summon(&self, suspects: Vec<Counted>) -> Vec<Counted> {
        let core = &*self.seat.core;
        let shares = core.shares();
        let flagged = Mutex::new(Vec::with_capacity(suspects.len()));
        let mut lists: Vec<List> = shares.iter().map(|_| List::default()).collect();
        let mut last = (0, None);
        for suspect in suspects {
            let owner = suspect.block().owner();
            let seat = match owner {
                0 => suspect.header().owner().checked_sub(1).map(|seat| seat as usize),
                _ if owner == last.0 => last.1,
                _ => shares.iter().position(|share| share.address() == owner),
            };
            last = (owner, seat);
            if let Some(list) = seat.and_then(|seat| lists.get_mut(seat)) {
                list.suspects.push(suspect);
            } else if owner == 0 && suspect.header().suspect_if_merged() {
                lock(&flagged).push(suspect);
            }
        }
        let lists: Vec<Mutex<List>> = lists.into_iter().map(Mutex::new).collect();
        let portion = self.collector.pace.portion();
        let flag = |seat: usize, portion: usize| {
            let Some(list) = lists.get(seat) else { return };
            let mut list = lock(list);
            let end = list.suspects.len().min(list.done.saturating_add(portion));
            let coming = &list.suspects[list.done..end];
            let mut now = Vec::with_capacity(coming.len());
            for (index, &suspect) in coming.iter().enumerate() {
                if let Some(ahead) = coming.get(index + AHEAD) {
                    ahead.prefetch();
                }
                if is_of(suspect, &shares[seat]) && suspect.header().suspect() {
                    now.push(suspect);
                }
            }
            list.done = end;
            lock(&flagged).append(&mut now);
        };
        loop {
            for (seat, list) in lists.iter().enumerate() {
                if !lock(list).is_done() {
                    self.collector.counting.with_seat(seat, |is_taken| {
                        if !is_taken {
                            flag(seat, usize::MAX);
                        }
                    });
                }
            }
            if lists.iter().all(|list| lock(list).is_done()) {
                break;
            }
            let act =
                |seat: usize| self.collector.counting.with_seat(seat, |_| flag(seat, portion));
            self.seat.survive(core.world.handshake(self.seat.index, &act));
        }
        flagged.into_inner().expect("nothing panics while it holds this lock")
    }

    /// Which of the flagged objects are garbage: their scratch entries have `CANDIDATE` afterwards, all others are 0. The
    /// others are acquitted.
    pub(super) fn validate(&self, mut flagged: Vec<Counted>, mapped: &Mapped) -> Garbage {
        // Each slot must be counted once, so each object must be there once.
        flagged.retain(|&suspect| {
            let is_new = get(suspect) == 0;
            set(suspect, CANDIDATE);
            is_new
        });
        for _ in 0..ATTEMPTS {
            let early = mutant("look at the counts before the slots")
                .then(|| flagged.iter().map(|suspect| suspect.header().undropped()).collect());
            let early: Option<Vec<_>> = early;
            let mut outward: u64 = 0;
            for &suspect in &flagged {
                each_seen(suspect, mapped, |child| {
                    let entry = get(child);
                    if entry & CANDIDATE != 0 {
                        set(child, entry + 1);
                    } else {
                        outward += 1;
                    }
                });
            }
            let is_held = |&(index, suspect): &(usize, &Counted)| {
                let undropped = suspect.header().undropped();
                let undropped = early.as_ref().map_or(undropped, |early| early[index]);
                undropped.map(|count| CANDIDATE | count) != Some(get(*suspect))
            };
            let mut alive: Vec<Counted> =
                flagged.iter().enumerate().filter(is_held).map(|(_, &suspect)| suspect).collect();
            if alive.is_empty() {
                return Garbage { objects: flagged, refers_outward: outward > 0 };
            }
            alive.iter().for_each(|&suspect| set(suspect, 0));
            while let Some(suspect) = alive.pop() {
                each_seen(suspect, mapped, |child| {
                    if get(child) != 0 {
                        set(child, 0);
                        alive.push(child);
                    }
                });
            }
            flagged.retain(|&suspect| {
                let remains = get(suspect) != 0;
                if remains {
                    set(suspect, CANDIDATE);
                } else {
                    self.acquit(suspect);
                }
                remains
            });
            self.seat.answer();
        }
        for suspect in flagged {
            set(suspect, 0);
            self.acquit(suspect);
        }
        Garbage { objects: Vec::new(), refers_outward: false }
    }

    /// Lets a suspect go; frees its cell if it has died meanwhile.
    pub(super) fn acquit(&self, suspect: Counted) {
        if suspect.header().acquit() == Fate::Left {
            // SAFETY: it is dead, and who destroyed it has left it to us.
            unsafe { self.free_one(suspect) };
        }
    }
}

/// Whether `suspect` is an object that the mutator of `share` has made. The caller is that mutator, or stands for it.
fn is_of(suspect: Counted, share: &Share<BiasedCount>) -> bool {
    let block = suspect.block();
    let is_there = match block.owner() {
        // Its mapping stays while the cycle runs.
        0 => true,
        owner => owner == share.address() && block.has_cell_at(suspect.address()),
    };
    let descriptor = suspect.descriptor();
    is_there && !descriptor.is_free() && !descriptor.is_acyclic()
}

/// Calls `visit` with what a flagged object refers to.
#[inline(always)]
pub(super) fn each_child(suspect: Counted, mut visit: impl FnMut(Counted)) {
    // SAFETY: the cell of a flagged object is no other object's (invariant 2 of `counts/biased/suspects.rs`).
    for slot in unsafe { suspect.slots() } {
        // Acquire: the count of the reference that the slot holds. Pairs with a mutator's store, in `counts/slot.rs`.
        if let Some(child) = object_at(slot.load(Acquire) & !LOCKED) {
            visit(child);
        }
    }
}

/// Calls `visit` with what a flagged object refers to that may be flagged too. One that has just died may still seem to refer
/// to a large object that has died before the cycle began.
#[inline(always)]
fn each_seen(suspect: Counted, mapped: &Mapped, mut visit: impl FnMut(Counted)) {
    each_child(suspect, |child| {
        if mapped.has(child.address()) {
            visit(child);
        }
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds this lock")
}
