//! Counted slots: references in objects, each of which counts.
//!
//! A reader must not be left with an address whose count drops to zero before it has been counted. So a load locks the
//! slot for the two instructions between reading the address and counting it; a store waits for that. A slot of an
//! object that the caller alone can reach needs no lock, nor does one that holds what cannot end without the caller.
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

use super::Count;
use crate::{
    heap::{Object, object::Slot},
    threads::sync::{
        atomic::Ordering::{AcqRel, Acquire, Relaxed, Release},
        mutant, thread,
    },
};

/// The bit that locks a slot.
const LOCKED: usize = 1;

/// How often a mutator looks again before it lets others run.
const SPINS: u32 = crate::threads::sync::capacity(64, 0) as u32;

/// Reads a slot of `owner` and counts the reference to what it holds.
///
/// # Safety
///
/// The caller holds a reference to `owner`, which has the slot.
#[inline(always)]
pub(crate) unsafe fn load<K: Count>(
    owner: Object<K>,
    index: usize,
    holder: &K::Holder,
) -> Option<Object<K>> {
    // SAFETY: the caller's reference keeps the owner, which has the slot.
    let slot = unsafe { owner.slot(index) };
    // Relaxed: a null is no reference; anything else is read again under the lock, ordered by that.
    if slot.load(Relaxed) == 0 {
        return None;
    }
    if owner.header().is_sole(holder) {
        // Relaxed: ours alone to write: nobody else can reach the slot.
        let object = object_at::<K>(slot.load(Relaxed))?;
        object.header().increment(holder);
        return Some(object);
    }
    if K::HAS_OWNERS {
        // Acquire: what was written to the object before it was stored here. Pairs with `swap`.
        let cell = object_at::<K>(slot.load(Acquire) & !LOCKED)?;
        // SAFETY: just read from a slot of `owner`, which the caller holds.
        if unsafe { K::copy_if_owned(cell, holder) } {
            return Some(cell);
        }
    }
    let address = lock(slot);
    if mutant("count after unlocking") {
        // Relaxed: this is the mistake, ordered by nothing.
        slot.store(address, Relaxed);
        let object = object_at::<K>(address)?;
        object.header().increment(holder);
        return Some(object);
    }
    let object = object_at::<K>(address);
    if let Some(object) = object {
        object.header().increment(holder);
    }
    // Release: our count comes before whoever takes the reference out and drops it. Pairs with `lock`, `swap`.
    slot.store(address, Release);
    object
}

/// Makes a slot of `owner` hold `value`, counting the slot's reference, and gives what it held, with its reference.
///
/// # Safety
///
/// The caller holds references to `owner`, which has the slot, and to `value`.
#[inline(always)]
pub(crate) unsafe fn exchange<K: Count>(
    owner: Object<K>,
    index: usize,
    value: Option<Object<K>>,
    holder: &K::Holder,
) -> Option<Object<K>> {
    if let Some(value) = value {
        value.header().increment(holder);
    }
    // SAFETY: by our caller; the slot takes the reference counted above.
    unsafe { swap(owner, index, value, holder) }
}

/// Makes a slot of `owner` hold `value`, whose reference the slot takes over, and gives what it held, with its reference.
///
/// # Safety
///
/// The caller holds a reference to `owner`, which has the slot, and gives up one to `value`.
#[inline(always)]
pub(crate) unsafe fn swap<K: Count>(
    owner: Object<K>,
    index: usize,
    value: Option<Object<K>>,
    holder: &K::Holder,
) -> Option<Object<K>> {
    // SAFETY: the caller's reference keeps the owner, which has the slot.
    let slot = unsafe { owner.slot(index) };
    let new = address_of(value);
    if owner.header().is_sole(holder) {
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
pub(crate) unsafe fn compare_exchange<K: Count>(
    owner: Object<K>,
    index: usize,
    current: Option<Object<K>>,
    new: Option<Object<K>>,
) -> bool {
    // SAFETY: the caller's reference keeps the owner, which has the slot.
    let slot = unsafe { owner.slot(index) };
    let expected = address_of(current);
    let mut spins = 0;
    loop {
        // AcqRel: publishes the new object, and shows us what was done before `current` was stored. Pairs with `swap`.
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
fn address_of<K: Count>(value: Option<Object<K>>) -> usize {
    value.map_or(0, Object::address)
}

/// The object at a slot's `address`, or `None` for null.
#[inline(always)]
pub(crate) fn object_at<K: Count>(address: usize) -> Option<Object<K>> {
    // SAFETY: slots hold null or the address of an object (heap invariant 2).
    (address != 0).then(|| unsafe { Object::at(address) })
}

#[cfg(test)]
mod models {
    use super::*;
    use crate::{
        counts::{
            Dropped,
            atomic::{Anyone, AtomicCount},
        },
        heap::{Kind, SideTables, object::Shape, share::Share, space::Space},
        threads::sync::{Arc, explore, scope},
    };

    type Counted = Object<AtomicCount>;

    const PROTOCOL: &str = "slot";

    /// Two threads' shares of a heap, and an owner with one slot that both have a reference to.
    struct Place {
        space: Space,
        shares: [Arc<Share<AtomicCount>>; 2],
        kind: Kind,
        owner: usize,
    }

    impl Place {
        fn new() -> Self {
            let space = Space::new(u64::MAX, 0, SideTables::None, None);
            let shares: [Arc<Share<AtomicCount>>; 2] = [0, 1].map(|_| Arc::new(Share::new()));
            let kind = Kind::new::<AtomicCount>(1, Shape { slots: 1, words: 1 }, false, false);
            let owner = shares[0].allocate(&space, &kind, || ()).unwrap();
            owner.header().increment();
            Self { space, shares, kind, owner: owner.address() }
        }

        fn owner(&self) -> Counted {
            object_at(self.owner).expect("there is an owner")
        }

        /// A new object with `word` in it, and one reference.
        fn object(&self, thread: usize, word: u64) -> Counted {
            let object = self.shares[thread].allocate(&self.space, &self.kind, || ()).unwrap();
            // SAFETY: the object has a word, and we a reference to it.
            unsafe { object.word(0) }.store(word, Relaxed);
            object
        }

        fn word(object: Counted) -> u64 {
            object.access();
            // SAFETY: the object has a word, and our caller a reference to it.
            unsafe { object.word(0) }.load(Relaxed)
        }

        fn load(&self) -> Option<Counted> {
            // SAFETY: both threads have a reference to the owner, which has the slot.
            unsafe { load(self.owner(), 0, &Anyone) }
        }

        fn swap(&self, value: Option<Counted>) -> Option<Counted> {
            // SAFETY: both threads have a reference to the owner, which has the slot.
            unsafe { swap(self.owner(), 0, value, &Anyone) }
        }

        fn compare_exchange(&self, current: Option<Counted>, new: Option<Counted>) -> bool {
            // SAFETY: both threads have a reference to the owner, which has the slot.
            unsafe { compare_exchange(self.owner(), 0, current, new) }
        }

        /// Drops a reference of `thread`, and frees the object with what it refers to if it was the last.
        fn release(&self, thread: usize, object: Counted) {
            let mut dying = vec![object];
            while let Some(object) = dying.pop() {
                if object.header().decrement() == Dropped::Dead {
                    // SAFETY: the object was ours last.
                    let slots = unsafe { object.slots() };
                    dying.extend(slots.iter().filter_map(|slot| object_at(slot.load(Relaxed))));
                    // SAFETY: the object was ours last.
                    unsafe { self.shares[thread].free(&self.space, object) };
                }
            }
        }

        /// How many objects are in the heap.
        fn held(&self) -> u64 {
            let count = |share: &Arc<Share<AtomicCount>>| {
                share.tally.sum_allocated().objects.wrapping_sub(share.tally.sum_freed().objects)
            };
            self.shares.iter().map(count).fold(0, u64::wrapping_add)
        }
    }

    /// Explores what two threads do, each of which then drops its reference to the owner; nothing may be left.
    fn explore_two(
        first: impl Fn(&Place) + Send + Sync + Copy + 'static,
        second: impl Fn(&Place) + Send + Sync + Copy + 'static,
        prepare: impl Fn(&Place) + Send + Sync + Copy + 'static,
    ) {
        explore(PROTOCOL, move || {
            let place = Place::new();
            prepare(&place);
            scope(|scope| {
                let place = &place;
                scope.spawn(move || {
                    second(place);
                    place.release(1, place.owner());
                });
                first(place);
                place.release(0, place.owner());
            });
            assert_eq!(place.held(), 0, "every object was dropped");
        });
    }

    fn with_child(place: &Place) {
        let child = place.object(0, 7);
        assert!(place.swap(Some(child)).is_none());
    }

    #[test]
    fn a_load_keeps_what_a_store_takes_out() {
        let store = |place: &Place| {
            let before = place.swap(None).expect("nobody else changes the slot");
            place.release(0, before);
        };
        let load = |place: &Place| {
            if let Some(child) = place.load() {
                assert_eq!(Place::word(child), 7);
                place.release(1, child);
            }
        };
        explore_two(store, load, with_child);
    }

    #[test]
    fn what_is_stored_is_seen_whole_by_who_loads_it() {
        let store = |place: &Place| {
            let before = place.swap(Some(place.object(0, 8))).expect("the slot was not null");
            place.release(0, before);
        };
        let load = |place: &Place| {
            let child = place.load().expect("the slot is never null");
            assert!([7, 8].contains(&Place::word(child)), "a word was not seen");
            place.release(1, child);
        };
        explore_two(store, load, with_child);
    }

    #[test]
    fn what_is_stored_is_seen_whole_by_who_takes_it_out() {
        let swap = |thread: usize, word: u64| {
            move |place: &Place| {
                let before = place.swap(Some(place.object(thread, word)));
                let before = before.expect("the slot is never null");
                assert!([7, 8, 9].contains(&Place::word(before)), "a word was not seen");
                place.release(thread, before);
            }
        };
        explore_two(swap(0, 8), swap(1, 9), with_child);
    }

    #[test]
    fn two_loads_both_keep_what_they_found() {
        let load = |thread: usize| {
            move |place: &Place| {
                let child = place.load().expect("the slot is never null");
                assert_eq!(Place::word(child), 7);
                place.release(thread, child);
            }
        };
        explore_two(load(0), load(1), with_child);
    }

    #[test]
    fn a_sole_owner_finds_what_others_stored() {
        let load = |place: &Place| {
            if let Some(child) = place.load() {
                assert_eq!(Place::word(child), 7, "a word was not seen");
                place.release(0, child);
            }
        };
        let store = |place: &Place| {
            assert!(place.swap(Some(place.object(1, 7))).is_none());
        };
        explore_two(load, store, |_| ());
    }

    #[test]
    fn of_two_exchanges_for_the_same_object_one_succeeds() {
        let exchange = |thread: usize, word: u64| {
            move |place: &Place| {
                let new = place.object(thread, word);
                let done = place.compare_exchange(None, Some(new));
                if !done {
                    let winner = place.load().expect("the other one has succeeded");
                    assert!([8, 9].contains(&Place::word(winner)), "a word was not seen");
                    place.release(thread, winner);
                    place.release(thread, new);
                }
            }
        };
        explore_two(exchange(0, 8), exchange(1, 9), |_| ());
    }

    #[test]
    fn an_exchange_sees_what_was_done_before_the_slot_was_emptied() {
        let empty = |place: &Place| {
            // SAFETY: the owner has a word, and both threads a reference to it.
            unsafe { place.owner().word(0) }.store(5, Relaxed);
            let before = place.swap(None).expect("the slot was not null");
            place.release(1, before);
        };
        let exchange = |place: &Place| {
            let new = place.object(0, 8);
            if place.compare_exchange(None, Some(new)) {
                assert_eq!(Place::word(place.owner()), 5, "a word was not seen");
            } else {
                place.release(0, new);
            }
        };
        explore_two(exchange, empty, with_child);
    }

    #[test]
    fn a_load_keeps_what_an_exchange_takes_out() {
        let exchange = |place: &Place| {
            let child = place.load().expect("nobody else changes the slot");
            assert!(place.compare_exchange(Some(child), None), "nobody else changes the slot");
            place.release(0, child);
            place.release(0, child);
        };
        let load = |place: &Place| {
            if let Some(child) = place.load() {
                assert_eq!(Place::word(child), 7);
                place.release(1, child);
            }
        };
        explore_two(exchange, load, with_child);
    }
}
