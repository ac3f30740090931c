//! Root tables: where a collector finds the roots of one mutator.
//!
//! A table is pages of entries; a root is the address of its entry, so that using one is a single load. The mutator
//! takes and gives back entries without locks; a collector reads them all while the world is stopped.
//!
//! # Invariants
//!
//! 1. The word of an entry in use is an object's address, with flags of the table's in its lowest bits; that of a free one
//!    is the address of the next free one, or 0, with `FREE` and flags.
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

/// Marks a free entry.
pub(crate) const FREE: usize = 1;

/// The bits that hold flags: addresses of objects and entries are multiples of eight.
pub(crate) const FLAGS: usize = 7;

type Entry = Plain<usize>;

/// The roots of one mutator.
pub struct RootTable<H> {
    entries: Entries,
    header: std::marker::PhantomData<fn() -> H>,
}

/// The name of a root: its entry in its mutator's table.
#[derive(Clone, Copy, Debug)]
pub struct RootEntry(NonNull<Entry>);

/// The entries of a table: what is in them is the table's.
pub(crate) struct Entries {
    /// The first free entry, or 0.
    first: Plain<usize>,
    pages: Mutex<Vec<Box<[Entry]>>>,
}

impl<H: Header> RootTable<H> {
    pub(crate) fn new() -> Self {
        Self { entries: Entries::new(), header: std::marker::PhantomData }
    }

    /// A new root for `object`. By the table's mutator.
    #[inline(always)]
    pub(crate) fn enter(&self, object: Object<H>) -> RootEntry {
        let (entry, _) = self.entries.take();
        // SAFETY: an entry of this table, just taken.
        unsafe { entry.set(object.address()) };
        entry
    }

    /// Gives back a root. By the table's mutator.
    ///
    /// # Safety
    ///
    /// `enter` gave it, and it has not been given back.
    #[inline(always)]
    pub(crate) unsafe fn remove(&self, root: RootEntry) {
        // SAFETY: by our caller.
        unsafe { self.entries.give_back(root, 0) };
    }

    /// The object that `root` refers to. By the table's mutator.
    ///
    /// # Safety
    ///
    /// `enter` gave it, and it has not been given back.
    #[inline(always)]
    pub(crate) unsafe fn object(&self, root: RootEntry) -> Object<H> {
        // SAFETY: an entry of this table, by our caller.
        let address = unsafe { root.word() };
        // SAFETY: an entry in use holds an object's address (invariant 1; there are no flags).
        unsafe { Object::at(address) }
    }

    /// Calls `visit` with the object of every root. With the world stopped.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Object<H>)) {
        self.entries.for_each(|address| {
            // SAFETY: an entry in use holds an object's address (invariant 1; there are no flags).
            visit(unsafe { Object::at(address) });
        });
    }

    /// Appends all entries to `image`, page by page: the address of a root's object, or 0 for a free entry. An entry has
    /// the same place in every image. By the table's mutator, or in its place.
    pub(crate) fn copy_to(&self, image: &mut Vec<usize>) {
        for page in self.entries.pages().iter() {
            let words = page.iter().map(Plain::get);
            image.extend(words.map(|word| if word & FREE == 0 { word } else { 0 }));
        }
    }
}

impl RootEntry {
    /// Its word. By the table's mutator.
    ///
    /// # Safety
    ///
    /// The entry's table exists.
    #[inline(always)]
    pub(crate) unsafe fn word(self) -> usize {
        // SAFETY: an entry of a page of a table, by our caller; pages stay (invariant 2).
        unsafe { self.0.as_ref() }.get()
    }

    /// Replaces its word. By the table's mutator.
    ///
    /// # Safety
    ///
    /// The entry's table exists.
    #[inline(always)]
    pub(crate) unsafe fn set(self, word: usize) {
        // SAFETY: an entry of a page of a table, by our caller; pages stay (invariant 2).
        unsafe { self.0.as_ref() }.set(word);
    }
}

impl Entries {
    pub(crate) fn new() -> Self {
        Self { first: Plain::new(0), pages: Mutex::new(Vec::new()) }
    }

    /// Takes a free entry, and gives the word that it has.
    #[inline(always)]
    pub(crate) fn take(&self) -> (RootEntry, usize) {
        let entry = match NonNull::new(self.first.get() as *mut Entry) {
            Some(first) => RootEntry(first),
            None => self.grow(),
        };
        // SAFETY: free entries are linked to entries of pages of this table, which stay (invariants 1 and 2).
        let word = unsafe { entry.word() };
        self.first.set(word & !FLAGS);
        (entry, word)
    }

    /// Gives back an entry, which keeps these `flags`.
    ///
    /// # Safety
    ///
    /// `take` gave it, and it has not been given back.
    #[inline(always)]
    pub(crate) unsafe fn give_back(&self, entry: RootEntry, flags: usize) {
        // SAFETY: an entry of this table, by our caller.
        unsafe { entry.set(self.first.get() | FREE | flags) };
        self.first.set(entry.0.as_ptr() as usize);
    }

    /// Adds a page of free entries and gives the first of them.
    #[cold]
    fn grow(&self) -> RootEntry {
        let page: Box<[Entry]> = (0..PAGE).map(|_| Plain::new(FREE)).collect();
        for (entry, next) in page.iter().zip(&page[1..]) {
            entry.set(std::ptr::from_ref(next) as usize | FREE);
        }
        let first = NonNull::from(&page[0]);
        self.pages().push(page);
        RootEntry(first)
    }

    /// Calls `visit` with the word of every entry in use. With the world stopped.
    pub(crate) fn for_each(&self, visit: impl FnMut(usize)) {
        let pages = self.pages();
        let words = pages.iter().flat_map(|page| page.iter().map(Plain::get));
        words.filter(|word| word & FREE == 0).for_each(visit);
    }

    fn pages(&self) -> MutexGuard<'_, Vec<Box<[Entry]>>> {
        self.pages.lock().expect("nothing panics while it holds this lock")
    }
}
