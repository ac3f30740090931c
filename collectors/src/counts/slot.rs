//! Counted slots: references in objects, each of which counts.
//!
//! A reader must not be left with an address whose count drops to zero before it has been counted. So a load locks the
//! slot for the two instructions between reading the address and counting it; a store waits for that. A slot of an
//! object that the caller alone can reach needs no lock.
//!
//! # Invariants
//!
//! 1. A slot that is not null counts as one reference to its object.
//! 2. While a slot is locked, nobody but the locker changes it.
//!
//! # Synchronization
//!
//! | variable | written by      | read by   | protocol                                                   |
//! |----------|-----------------|-----------|------------------------------------------------------------|
//! | the slot | any mutator     | the same  | lock bit; stores release, loads acquire what they publish   |
//! | the slot | a stopped world | the same  | safepoint handshake; no slot is locked at a safepoint       |

use super::atomic::AtomicCount;
use crate::{
    heap::{Object, object::Slot},
    threads::sync::{
        atomic::Ordering::{AcqRel, Acquire, Relaxed, Release},
        thread,
    },
};

/// The bit that locks a slot.
const LOCKED: usize = 1;

/// How often a mutator looks again before it lets others run.
const SPINS: u32 = crate::threads::sync::capacity(64, 0) as u32;

type Counted = Object<AtomicCount>;

/// Reads a slot of `owner` and counts the reference to what it holds.
///
/// # Safety
///
/// The caller holds a reference to `owner`, which has the slot.
#[inline(always)]
pub(crate) unsafe fn load(owner: Counted, index: usize) -> Option<Counted> {
    // SAFETY: the caller's reference keeps the owner, which has the slot.
    let slot = unsafe { owner.slot(index) };
    // Relaxed: a null is no reference; anything else is read again under the lock, ordered by that.
    if slot.load(Relaxed) == 0 {
        return None;
    }
    if owner.header().is_sole() {
        // Relaxed: ours alone to write: nobody else can reach the slot.
        let object = object_at(slot.load(Relaxed))?;
        object.header().increment();
        return Some(object);
    }
    let address = lock(slot);
    let object = object_at(address);
    if let Some(object) = object {
        object.header().increment();
    }
    // Release: our count comes before whoever takes the reference out and drops it. Pairs with `lock`, `swap`.
    slot.store(address, Release);
    object
}

/// Makes a slot of `owner` hold `value`, whose reference the slot takes over, and gives what it held, with its reference.
///
/// # Safety
///
/// The caller holds a reference to `owner`, which has the slot, and gives up one to `value`.
#[inline(always)]
pub(crate) unsafe fn swap(owner: Counted, index: usize, value: Option<Counted>) -> Option<Counted> {
    // SAFETY: the caller's reference keeps the owner, which has the slot.
    let slot = unsafe { owner.slot(index) };
    let new = address_of(value);
    if owner.header().is_sole() {
        // Relaxed: ours alone to write: nobody else can reach the slot.
        let before = slot.load(Relaxed);
        // Relaxed: ours alone to write; whoever gets to see the owner is shown it by a Release.
        slot.store(new, Relaxed);
        return object_at(before);
    }
    // Relaxed: only the compare-and-exchange counts, ordered by that.
    let mut before = slot.load(Relaxed);
    let mut spins = 0;
    loop {
        before &= !LOCKED;
        // AcqRel: publishes the new object, and shows us what was written to the old one. Pairs with `lock`, `load`.
        // Relaxed: a failure only tells us what to try next, ordered by that.
        match slot.compare_exchange_weak(before, new, AcqRel, Relaxed) {
            Ok(_) => return object_at(before),
            Err(now) => {
                pause_if_locked(now, &mut spins);
                before = now;
            }
        }
    }
}

/// Makes a slot of `owner` hold `new`, whose reference it takes over, if it holds `current`; says whether it did.
///
/// # Safety
///
/// The caller holds references to `owner`, which has the slot, and to `current`, and gives up one to `new` if the
/// answer is true, one to what the slot held then being the caller's.
pub(crate) unsafe fn compare_exchange(
    owner: Counted,
    index: usize,
    current: Option<Counted>,
    new: Option<Counted>,
) -> bool {
    // SAFETY: the caller's reference keeps the owner, which has the slot.
    let slot = unsafe { owner.slot(index) };
    let expected = address_of(current);
    let mut spins = 0;
    loop {
        // AcqRel: publishes the new object, and orders us behind whoever counted the old one. Pairs with `lock`, `load`.
        // Relaxed: a failure only tells us whether to try again, ordered by that.
        match slot.compare_exchange(expected, address_of(new), AcqRel, Relaxed) {
            Ok(_) => return true,
            Err(now) if now & !LOCKED != expected => return false,
            Err(now) => pause_if_locked(now, &mut spins),
        }
    }
}

/// Locks a slot and gives the address in it, 0 if it was null (and is locked all the same).
#[inline(always)]
fn lock(slot: &Slot) -> usize {
    // Relaxed: only the compare-and-exchange counts, ordered by that.
    let mut address = slot.load(Relaxed);
    let mut spins = 0;
    loop {
        address &= !LOCKED;
        // Acquire: what was written to the object before it was stored here. Pairs with `swap`.
        // Relaxed: a failure only tells us what to try next, ordered by that.
        match slot.compare_exchange_weak(address, address | LOCKED, Acquire, Relaxed) {
            Ok(_) => return address,
            Err(now) => {
                pause_if_locked(now, &mut spins);
                address = now;
            }
        }
    }
}

/// Waits a moment if `now` shows that somebody else has the slot locked.
#[cold]
fn pause_if_locked(now: usize, spins: &mut u32) {
    if now & LOCKED != 0 {
        *spins += 1;
        if *spins > SPINS {
            thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

#[inline(always)]
fn address_of(value: Option<Counted>) -> usize {
    value.map_or(0, Counted::address)
}

/// The object at a slot's `address`, or `None` for null.
#[inline(always)]
pub(crate) fn object_at(address: usize) -> Option<Counted> {
    // SAFETY: slots hold null or the address of an object (heap invariant 2).
    (address != 0).then(|| unsafe { Counted::at(address) })
}
