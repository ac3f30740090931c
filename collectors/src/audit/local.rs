//! One mutator's side of an audited collector: each operation and its entry in the book under one lock.

use super::{Violation, book::Book, history::Holder, lock};
use crate::{
    Collected, Collector, Progress,
    collector::Local,
    heap::{Kind, Object, OutOfMemory, Seat, quarantine::Quarantine, space::Space},
    threads::sync::{Arc, Mutex, thread},
};

/// One mutator's side of an audited collector.
pub struct AuditedLocal<C: Collector> {
    local: C::Local,
    book: Arc<Mutex<Book>>,
}

type HandleOf<C> = <<C as Collector>::Local as Local<<C as Collector>::Header>>::Handle;
type ObjectOf<C> = Object<<C as Collector>::Header>;

impl<C: Collector> AuditedLocal<C> {
    pub(super) fn new(local: C::Local, book: Arc<Mutex<Book>>) -> Self {
        if local.seat().core.stress.is_some() {
            lock(&book).stress();
        }
        Self { local, book }
    }

    fn space(&self) -> &Space {
        &self.local.seat().core.space
    }

    fn quarantine(&self) -> &Quarantine {
        self.space().quarantine.as_ref().expect("an audited heap has a quarantine")
    }

    fn mutator(&self) -> u32 {
        self.local.seat().index as u32
    }

    /// Does an operation and enters it, both under the book's lock.
    fn operation<R>(&self, operation: impl FnOnce(&mut Book) -> Result<R, Violation>) -> R {
        self.attempt(operation).unwrap_or_else(|violation| panic!("{violation}"))
    }

    fn attempt<R>(
        &self,
        operation: impl FnOnce(&mut Book) -> Result<R, Violation>,
    ) -> Result<R, Violation> {
        let mut book = lock(&self.book);
        let result = book
            .begin(self.quarantine())
            .and_then(|()| operation(&mut book))
            .and_then(|result| book.end::<C::Header>(self.space()).map(|()| result));
        if result.is_err() {
            // The heap's objects are not to be touched any more, by the roots that are dropped now least of all.
            self.local.seat().die();
        }
        result
    }

    /// The entry of the object that `root` names.
    fn used(&self, book: &mut Book, root: HandleOf<C>) -> Result<u32, Violation> {
        // SAFETY: by the contract of the method that calls this.
        let object = unsafe { self.local.object(root) };
        book.used(object.address(), self.mutator())
    }

    /// The entry of what a slot is about to refer to.
    fn value(&self, book: &mut Book, value: Option<HandleOf<C>>) -> Result<Option<u32>, Violation> {
        value.map(|value| self.used(book, value)).transpose()
    }

    /// Compares what the collector says a slot held with what the book says.
    fn compare(
        &self,
        book: &mut Book,
        (owner, slot): (u32, usize),
        found: Option<HandleOf<C>>,
    ) -> Result<Option<u32>, Violation> {
        let expected = book.slot(owner, slot);
        // SAFETY: a handle that the collector has just given us.
        let address = found.map(|root| unsafe { self.local.object(root) }.address());
        if address != expected.map(|object| book.address(object)) {
            return Err(book.wrong_slot(owner, slot, address));
        }
        address.map(|address| book.used(address, self.mutator())).transpose()
    }
}

// Every barrier is compiled once for each collector, not once more at each place of each workload.
// SAFETY: every method does what the audited collector's own does, to which the caller's promises are passed on.
unsafe impl<C: Collector> Local<C::Header> for AuditedLocal<C> {
    type Handle = HandleOf<C>;

    fn seat(&self) -> &Seat<C::Header> {
        self.local.seat()
    }

    fn attention(&self) -> bool {
        self.local.attention()
    }

    fn poll(&self, kind: &Kind) -> bool {
        self.local.poll(kind)
    }

    fn attend(&self) {
        self.local.attend();
    }

    #[inline(never)]
    fn allocate(&self, kind: &Kind) -> Result<HandleOf<C>, OutOfMemory> {
        self.operation(|book| {
            let mut root = self.local.allocate(kind);
            if root.is_err() {
                // The quarantine may hold what is wanted.
                book.settle::<C::Header>(self.space())?;
                root = self.local.allocate(kind);
            }
            let Ok(root) = root else { return Ok(root) };
            // SAFETY: a root that the collector has just given us.
            let object = unsafe { self.local.object(root) };
            let shape = (object.shape().slots as usize, object.bytes() as u64);
            let class = object.descriptor().class();
            book.allocated(object.address(), class, shape, self.mutator(), self.quarantine());
            Ok(Ok(root))
        })
    }

    #[inline(never)]
    unsafe fn object(&self, root: HandleOf<C>) -> ObjectOf<C> {
        // SAFETY: by our caller.
        let object = unsafe { self.local.object(root) };
        // The cell of a freed object stays as it is until a step has shown that nothing refers to it, as this root does.
        if object.descriptor().is_free() {
            self.operation(|book| book.used(object.address(), self.mutator()).map(drop));
        }
        object
    }

    #[inline(never)]
    unsafe fn retain(&self, root: HandleOf<C>) -> HandleOf<C> {
        self.operation(|book| {
            let object = self.used(book, root)?;
            book.root_gained(object, Holder::Root(self.mutator()));
            // SAFETY: by our caller.
            Ok(unsafe { self.local.retain(root) })
        })
    }

    #[inline(never)]
    unsafe fn release(&self, root: HandleOf<C>) {
        let released = self.attempt(|book| {
            let object = self.used(book, root)?;
            book.root_lost(object, self.mutator());
            // SAFETY: by our caller.
            unsafe { self.local.release(root) };
            Ok(())
        });
        match released {
            // A second panic would end the process before the first has said why.
            Err(violation) if !thread::panicking() => panic!("{violation}"),
            _ => {}
        }
    }

    #[inline(never)]
    unsafe fn load(&self, owner: ObjectOf<C>, slot: usize) -> Option<HandleOf<C>> {
        self.operation(|book| {
            let place = (book.used(owner.address(), self.mutator())?, slot);
            // SAFETY: by our caller.
            let found = unsafe { self.local.load(owner, slot) };
            if let Some(object) = self.compare(book, place, found)? {
                book.root_gained(object, Holder::Root(self.mutator()));
            }
            Ok(found)
        })
    }

    #[inline(never)]
    unsafe fn store(&self, owner: ObjectOf<C>, slot: usize, value: Option<HandleOf<C>>) {
        self.operation(|book| {
            let owner_entry = book.used(owner.address(), self.mutator())?;
            let entry = self.value(book, value)?;
            book.slot_changed(owner_entry, slot, entry);
            // SAFETY: by our caller.
            unsafe { self.local.store(owner, slot, value) };
            Ok(())
        });
    }

    #[inline(never)]
    unsafe fn swap(
        &self,
        owner: ObjectOf<C>,
        slot: usize,
        value: Option<HandleOf<C>>,
    ) -> Option<HandleOf<C>> {
        self.operation(|book| {
            let place = (book.used(owner.address(), self.mutator())?, slot);
            let entry = self.value(book, value)?;
            // SAFETY: by our caller.
            let found = unsafe { self.local.swap(owner, slot, value) };
            let before = self.compare(book, place, found)?;
            book.slot_changed(place.0, slot, entry);
            if let Some(before) = before {
                book.root_gained(before, Holder::Root(self.mutator()));
            }
            Ok(found)
        })
    }

    #[inline(never)]
    unsafe fn compare_exchange(
        &self,
        owner: ObjectOf<C>,
        slot: usize,
        current: Option<HandleOf<C>>,
        new: Option<HandleOf<C>>,
    ) -> bool {
        self.operation(|book| {
            let owner_entry = book.used(owner.address(), self.mutator())?;
            let (expected, entry) = (self.value(book, current)?, self.value(book, new)?);
            let should = book.slot(owner_entry, slot) == expected;
            // SAFETY: by our caller.
            let does = unsafe { self.local.compare_exchange(owner, slot, current, new) };
            if does != should {
                return Err(book.wrong_exchange(owner_entry, slot, should));
            }
            if does {
                book.slot_changed(owner_entry, slot, entry);
            }
            Ok(does)
        })
    }

    unsafe fn surrender(&self, root: HandleOf<C>) -> ObjectOf<C> {
        // SAFETY: by our caller. The book does not tell roots from entries of the shared table.
        unsafe { self.local.surrender(root) }
    }

    unsafe fn reclaim(&self, object: ObjectOf<C>) -> HandleOf<C> {
        // SAFETY: by our caller.
        unsafe { self.local.reclaim(object) }
    }

    fn collect(&self, generation: usize) -> Collected {
        self.local.collect(generation)
    }

    fn next_finalizer(&self) -> Option<HandleOf<C>> {
        let root = self.local.next_finalizer()?;
        self.operation(|book| {
            let object = self.used(book, root)?;
            book.root_gained(object, Holder::Finalizer(self.mutator()));
            Ok(())
        });
        Some(root)
    }

    fn before_blocked(&self) {
        self.local.before_blocked();
    }

    fn after_blocked(&self) {
        self.local.after_blocked();
    }

    fn leave(&self) -> bool {
        self.local.leave()
    }

    fn generations(&self) -> Vec<Progress> {
        self.local.generations()
    }
}
