//! Root tables: where a tracing collector finds the roots of one mutator.
//!
//! A table is pages of entries; a root is the address of its entry, so that using one is a single load. The mutator
//! takes and gives back entries without locks; a collector reads them all while the world is stopped.
//!
//! # Invariants
//!
//! 1. An entry in use holds an object's address; a free one the address of the next free one, or 0, with `FREE` set.
//! 2. Pages stay where they are for as long as the table exists.
//!
//! # Synchronization
//!
//! | variable         | written by  | read by                      | protocol            |
//! |------------------|-------------|------------------------------|---------------------|
//! | entries, `first` | the mutator | the same, or a stopped world | safepoint handshake |
//! | `pages`          | the mutator | the same, or a stopped world | the lock            |

use std::ptr::NonNull;

use crate::{
    heap::{Header, Object},
    threads::sync::{Mutex, MutexGuard, Plain, capacity},
};

/// Entries of a page: 4 KiB of them.
const PAGE: usize = capacity(512, 4);

/// Marks a free entry; objects' addresses are multiples of eight.
const FREE: usize = 1;

type Entry = Plain<usize>;

/// The roots of one mutator.
pub struct RootTable<H> {
    /// The first free entry, as entries hold it.
    first: Plain<usize>,
    pages: Mutex<Vec<Box<[Entry]>>>,
    header: std::marker::PhantomData<fn() -> H>,
}

/// The name of a root: its entry in its mutator's table.
#[derive(Clone, Copy, Debug)]
pub struct RootEntry(NonNull<Entry>);

impl<H: Header> RootTable<H> {
    pub(crate) fn new() -> Self {
        Self {
            first: Plain::new(FREE),
            pages: Mutex::new(Vec::new()),
            header: std::marker::PhantomData,
        }
    }

    /// A new root for `object`. By the table's mutator.
    #[inline(always)]
    pub(crate) fn enter(&self, object: Object<H>) -> RootEntry {
        let first = match NonNull::new((self.first.get() & !FREE) as *mut Entry) {
            Some(first) => first,
            None => self.grow(),
        };
        // SAFETY: free entries are linked to entries of pages of this table, which stay (invariants 1 and 2).
        let entry = unsafe { first.as_ref() };
        self.first.set(entry.get());
        entry.set(object.address());
        RootEntry(first)
    }

    /// Gives back a root. By the table's mutator.
    ///
    /// # Safety
    ///
    /// `enter` gave it, and it has not been given back.
    #[inline(always)]
    pub(crate) unsafe fn remove(&self, root: RootEntry) {
        // SAFETY: an entry of a page of this table, by our caller; pages stay (invariant 2).
        let entry = unsafe { root.0.as_ref() };
        entry.set(self.first.get());
        self.first.set(root.0.as_ptr() as usize | FREE);
    }

    /// The object that `root` refers to. By the table's mutator.
    ///
    /// # Safety
    ///
    /// `enter` gave it, and it has not been given back.
    #[inline(always)]
    pub(crate) unsafe fn object(&self, root: RootEntry) -> Object<H> {
        // SAFETY: an entry of a page of this table, by our caller; pages stay (invariant 2).
        let entry = unsafe { root.0.as_ref() };
        // SAFETY: an entry in use holds an object's address (invariant 1).
        unsafe { Object::at(entry.get()) }
    }

    /// Adds a page of free entries and gives the first of them.
    #[cold]
    fn grow(&self) -> NonNull<Entry> {
        let page: Box<[Entry]> = (0..PAGE).map(|_| Plain::new(FREE)).collect();
        for (entry, next) in page.iter().zip(&page[1..]) {
            entry.set(std::ptr::from_ref(next) as usize | FREE);
        }
        let first = NonNull::from(&page[0]);
        self.pages().push(page);
        first
    }

    /// Calls `visit` with the object of every root. With the world stopped.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Object<H>)) {
        for page in self.pages().iter() {
            for address in page.iter().map(Plain::get).filter(|address| address & FREE == 0) {
                // SAFETY: an entry in use holds an object's address (invariant 1).
                visit(unsafe { Object::at(address) });
            }
        }
    }

    /// Appends all entries to `image`, page by page: the address of a root's object, or 0 for a free entry. An entry has the
    /// same place in every image. By the table's mutator, or in its place.
    pub(crate) fn copy_to(&self, image: &mut Vec<usize>) {
        for page in self.pages().iter() {
            image.extend(page.iter().map(|entry| {
                let address = entry.get();
                if address & FREE == 0 { address } else { 0 }
            }));
        }
    }

    fn pages(&self) -> MutexGuard<'_, Vec<Box<[Entry]>>> {
        self.pages.lock().expect("nothing panics while it holds this lock")
    }
}
