//! A mutator's side of deferred: loads that count nothing, stores that put a decrement off.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use super::{
    Counted, Deferred,
    grace::Section,
    roots::{Removed, Roots, Table},
};
use crate::{
    Collected, OutOfMemory,
    collector::Local,
    counts::sticky::StickyCount,
    heap::{Kind, Object, Seat},
    marking::object_at,
    roots::RootEntry,
    threads::sync::{
        Arc,
        atomic::Ordering::{AcqRel, Acquire, Relaxed, Release},
        capacity,
    },
};

/// References given up that make the end of the section due: so many that handing them in costs each next to nothing, and
/// applying them takes some microseconds.
const GIVEN_UP: usize = capacity(256, 2);

/// Bytes allocated that make it due: what is given up then waits for about three times as many.
const BYTES: i64 = 32 << 10;

/// One mutator's side of it.
pub struct DeferredLocal {
    pub(super) collector: Arc<Deferred>,
    pub(super) roots: Roots,
    pub(super) table: Arc<Table>,
    pub(super) section: Section<Counted>,
    pub(super) seat: Seat<StickyCount>,
    /// Bytes that may still be allocated in this section; 0 or less if enough has been given up.
    budget: Cell<i64>,
    /// Batches that are over and have not been applied.
    pub(super) batches: RefCell<VecDeque<Vec<Counted>>>,
    /// Whether whatever can be freed is to be freed, one grace period after another.
    pub(super) is_flushing: Cell<bool>,
    /// Whether this mutator is on its way out, and no more on the list.
    pub(super) has_left: Cell<bool>,
}

// SAFETY: a slot, a shared entry and a counted root are counted references; a count is decremented only when all sections
// have ended that were under way when the reference was given up. So what a section has loaded is counted at least until the
// section ends, and by then it is counted for the root (`attend`). Slots release and acquire.
unsafe impl Local<StickyCount> for DeferredLocal {
    type Handle = RootEntry;

    fn seat(&self) -> &Seat<StickyCount> {
        &self.seat
    }

    #[inline(always)]
    fn attention(&self) -> bool {
        // Whoever calls a safepoint has the time to go on with what waits.
        self.poll_flags() || self.section.has_given_up() || self.section.is_waited_for()
    }

    #[inline(always)]
    fn poll(&self, _: &Kind) -> bool {
        self.poll_flags() || self.budget.get() <= 0
    }

    fn attend(&self) {
        self.seat.answer();
        self.seat.is_stressed();
        self.renew();
    }

    #[inline(always)]
    fn allocate(&self, kind: &Kind) -> Result<RootEntry, OutOfMemory> {
        let object = self.seat.allocate(kind)?;
        self.budget.set(self.budget.get() - kind.bytes() as i64);
        Ok(self.roots.enter(object))
    }

    #[inline(always)]
    unsafe fn object(&self, root: RootEntry) -> Counted {
        // SAFETY: by our caller.
        unsafe { self.roots.object(root) }
    }

    #[inline(always)]
    unsafe fn retain(&self, root: RootEntry) -> RootEntry {
        // SAFETY: by our caller.
        let object = unsafe { self.roots.object(root) };
        object.header().share();
        self.roots.protect(object)
    }

    #[inline(always)]
    unsafe fn release(&self, root: RootEntry) {
        // SAFETY: by our caller.
        if let Removed::Counted(object) = unsafe { self.roots.remove(root) } {
            // SAFETY: the root's reference.
            unsafe { self.drop_root(object) };
        }
    }

    #[inline(always)]
    unsafe fn load(&self, owner: Counted, slot: usize) -> Option<RootEntry> {
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Acquire: what was written to the object before it was stored. Pairs with `exchange`, `compare_exchange`.
        let object = object_at(slot.load(Acquire))?;
        Some(self.roots.protect(object))
    }

    #[inline(always)]
    unsafe fn store(&self, owner: Counted, slot: usize, value: Option<RootEntry>) {
        // SAFETY: by our caller.
        if let Some(before) = unsafe { self.exchange(owner, slot, value) } {
            self.give_up(before);
        }
    }

    #[inline(always)]
    unsafe fn swap(
        &self,
        owner: Counted,
        slot: usize,
        value: Option<RootEntry>,
    ) -> Option<RootEntry> {
        // SAFETY: by our caller.
        let before = unsafe { self.exchange(owner, slot, value) }?;
        Some(self.roots.enter(before))
    }

    unsafe fn compare_exchange(
        &self,
        owner: Counted,
        slot: usize,
        current: Option<RootEntry>,
        new: Option<RootEntry>,
    ) -> bool {
        // SAFETY: by our caller.
        let [current, new] =
            [current, new].map(|root| root.map(|root| unsafe { self.roots.object(root) }));
        new.inspect(|&new| count(new));
        let address = |object: Option<Counted>| object.map_or(0, Object::address);
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        // Release: publishes the new object; `current` is a root of ours, so we have been shown it. Pairs with `load`.
        // Relaxed: the answer no gives nothing that could be read through: a statistic.
        let is_done =
            slot.compare_exchange(address(current), address(new), Release, Relaxed).is_ok();
        // The slot's reference to what it held, or ours to what it did not take.
        let given_up = if is_done { current } else { new };
        given_up.inspect(|&object| self.give_up(object));
        is_done
    }

    #[inline(always)]
    unsafe fn surrender(&self, root: RootEntry) -> Counted {
        // SAFETY: by our caller.
        match unsafe { self.roots.remove(root) } {
            Removed::Counted(object) => {
                object.header().share();
                object
            }
            Removed::Protected(object) => {
                count(object);
                object
            }
        }
    }

    unsafe fn reclaim(&self, object: Counted) -> RootEntry {
        self.roots.enter(object)
    }

    fn collect(&self, _: usize) -> Collected {
        if self.seat.depth() > 0 {
            // What a finalizer asks for is done when it has ended.
            self.renew();
        } else {
            self.is_flushing.set(true);
            self.flush();
        }
        Collected::default()
    }

    fn next_finalizer(&self) -> Option<RootEntry> {
        Some(self.roots.enter(self.next_to_finalize()?))
    }

    fn before_blocked(&self) {
        self.count_roots();
        self.section.end();
    }

    fn after_blocked(&self) {
        self.section.begin();
    }

    fn leave(&self) -> bool {
        self.try_to_leave()
    }
}

impl DeferredLocal {
    pub(super) fn new(collector: Arc<Deferred>, seat: Seat<StickyCount>) -> Self {
        let section = collector.grace.join();
        section.begin();
        let table = Arc::new(Table::new());
        collector.tables().push(Arc::clone(&table));
        Self {
            collector,
            roots: Roots::of(Arc::clone(&table)),
            table,
            section,
            seat,
            budget: Cell::new(BYTES),
            batches: RefCell::default(),
            is_flushing: Cell::new(false),
            has_left: Cell::new(false),
        }
    }

    #[inline(always)]
    fn poll_flags(&self) -> bool {
        self.seat.attention() || self.section.is_called()
    }

    /// A new section begins: its budget is new.
    pub(super) fn refresh_budget(&self) {
        self.budget.set(BYTES);
    }

    /// Puts a decrement off.
    #[inline(always)]
    fn give_up(&self, object: Counted) {
        if self.section.give_up(object) >= GIVEN_UP {
            self.budget.set(0);
        }
    }

    /// Drops a root's reference.
    ///
    /// # Safety
    ///
    /// The caller gives up a counted reference.
    #[inline(always)]
    unsafe fn drop_root(&self, object: Counted) {
        if object.header().is_newborn() && is_leaf(object) {
            // SAFETY: nobody has ever had another reference, and it has none to others.
            unsafe { self.seat.free(object) };
        } else {
            self.give_up(object);
        }
    }

    /// Writes a slot and gives what it held, with the slot's reference.
    ///
    /// # Safety
    ///
    /// As `store`.
    #[inline(always)]
    unsafe fn exchange(
        &self,
        owner: Counted,
        slot: usize,
        value: Option<RootEntry>,
    ) -> Option<Counted> {
        let address = value.map_or(0, |root| {
            // SAFETY: by our caller.
            let object = unsafe { self.roots.object(root) };
            count(object);
            object.address()
        });
        // SAFETY: by our caller.
        let slot = unsafe { owner.slot(slot) };
        if owner.header().is_newborn() {
            // Relaxed: ours alone to write: nobody else can reach the slot.
            let before = slot.load(Relaxed);
            // Relaxed: ours alone to write; whoever gets to see the owner is shown it by a Release.
            slot.store(address, Relaxed);
            return object_at(before);
        }
        // AcqRel: publishes the new object, and shows us what was written to the old one. Pairs with `load`.
        object_at(slot.swap(address, AcqRel))
    }
}

/// Counts a reference to what a root of ours refers to: the section, or the root, keeps it from being zero.
#[inline(always)]
pub(super) fn count(object: Counted) {
    assert!(object.header().increment(), "{object:?} was dead while a root referred to it");
}

/// Whether it has no finalizer, and refers to nothing.
#[inline(always)]
fn is_leaf(object: Counted) -> bool {
    // SAFETY: the object is its last holder's.
    let slots = unsafe { object.slots() };
    // Relaxed: ours alone to write: nobody else can reach the object.
    !object.descriptor().has_finalizer() && slots.iter().all(|slot| slot.load(Relaxed) == 0)
}
