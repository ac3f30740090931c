//! Mutation buffers: what one mutator has done to references in an epoch, written down by it alone.
//!
//! A buffer is segments of entries; an entry is the address of an object, with a bit for a decrement. To append one is a
//! store and an addition. Nothing is copied when the buffer is handed over.
//!
//! # Invariants
//!
//! 1. `next` and `end` delimit the free entries of the last segment; both are 0 if there is none.
//! 2. The entries of a segment stay where they are for as long as it exists.
//!
//! # Synchronization
//!
//! | variable              | written by                        | read by              | protocol                         |
//! |-----------------------|-----------------------------------|----------------------|----------------------------------|
//! | entries, `next`, `end`| the mutator                       | the collector        | handed over by a handshake's act |
//! | `segments`            | the mutator, acts of handshakes   | the same             | the lock                         |
//! | `Pool`                | mutators and the collector        | the same             | the lock                         |

use super::Counted;
use crate::{
    heap::Object,
    threads::sync::{Mutex, Plain, capacity},
};

/// Entries of a segment: 32 KiB of them.
const SEGMENT: usize = capacity(4096, 2);

/// Bytes of a segment.
pub(super) const SEGMENT_BYTES: usize = SEGMENT * size_of::<usize>();

/// Segments kept for later: two mebibytes of them.
const POOLED: usize = capacity(64, 1);

/// Marks a decrement; objects' addresses are multiples of eight.
const DECREMENT: usize = 1;

/// How many entries ahead of the one being read are being fetched from memory.
const AHEAD: usize = 8;

type Entry = Plain<usize>;

/// What a mutator has done since its last epoch began.
#[derive(Debug)]
pub(super) struct MutationBuffer {
    /// The address of the next free entry.
    next: Plain<usize>,
    /// The address behind the last one of the segment.
    end: Plain<usize>,
    segments: Mutex<Vec<Segment>>,
}

/// A part of a buffer.
#[derive(Debug)]
pub(super) struct Segment {
    entries: Box<[Entry]>,
    filled: usize,
}

/// Empty segments, for whoever needs one.
#[derive(Debug)]
pub(super) struct Pool(Mutex<Vec<Box<[Entry]>>>);

/// Whether appending has taken memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "memory of buffers counts towards the next epoch"]
pub(super) enum Appended {
    /// There was room.
    InPlace,
    /// There was none, and there is a new segment.
    InNewSegment,
}

impl MutationBuffer {
    pub(super) fn new() -> Self {
        Self { next: Plain::new(0), end: Plain::new(0), segments: Mutex::new(Vec::new()) }
    }

    /// A reference to `object` has been made. By the buffer's mutator.
    #[inline(always)]
    pub(super) fn increment(&self, object: Counted, pool: &Pool) -> Appended {
        self.append(object.address(), pool)
    }

    /// A reference to `object` has been dropped. By the buffer's mutator.
    #[inline(always)]
    pub(super) fn decrement(&self, object: Counted, pool: &Pool) -> Appended {
        self.append(object.address() | DECREMENT, pool)
    }

    #[inline(always)]
    fn append(&self, entry: usize, pool: &Pool) -> Appended {
        let next = self.next.get();
        if next == self.end.get() {
            self.lengthen(entry, pool);
            return Appended::InNewSegment;
        }
        // SAFETY: a free entry of the last segment (invariants 1 and 2).
        let place = unsafe { &*(next as *const Entry) };
        place.set(entry);
        self.next.set(next + size_of::<Entry>());
        Appended::InPlace
    }

    /// Appends to a new segment.
    #[cold]
    #[inline(never)]
    fn lengthen(&self, entry: usize, pool: &Pool) {
        let entries = pool.take();
        entries[0].set(entry);
        let first = entries.as_ptr() as usize;
        self.next.set(first + size_of::<Entry>());
        self.end.set(first + SEGMENT * size_of::<Entry>());
        let mut segments = self.segments();
        segments.push(Segment { entries, filled: SEGMENT });
    }

    /// Hands over what has been appended, at the end of `to`. By the buffer's mutator, or in its place.
    pub(super) fn hand_over(&self, to: &mut Vec<Segment>) {
        let mut segments = self.segments();
        if let Some(last) = segments.last_mut() {
            let free = (self.end.get() - self.next.get()) / size_of::<Entry>();
            last.filled = SEGMENT - free;
        }
        to.append(&mut segments);
        self.next.set(0);
        self.end.set(0);
    }

    /// Calls `visit` with each object that a reference has been made to (1) or dropped (-1). With the world stopped.
    pub(super) fn for_each(&self, mut visit: impl FnMut(Counted, i64)) {
        let mut segments = Vec::new();
        let (next, end) = (self.next.get(), self.end.get());
        self.hand_over(&mut segments);
        for segment in &segments {
            segment.increments().for_each(|object| visit(object, 1));
            segment.decrements().for_each(|object| visit(object, -1));
        }
        *self.segments() = segments;
        self.next.set(next);
        self.end.set(end);
    }

    fn segments(&self) -> crate::threads::sync::MutexGuard<'_, Vec<Segment>> {
        self.segments.lock().expect("nothing panics while it holds this lock")
    }
}

impl Segment {
    /// The objects to which references have been made.
    pub(super) fn increments(&self) -> impl Iterator<Item = Counted> {
        self.objects(0)
    }

    /// The objects to which references have been dropped.
    pub(super) fn decrements(&self) -> impl Iterator<Item = Counted> {
        self.objects(DECREMENT)
    }

    fn objects(&self, kind: usize) -> impl Iterator<Item = Counted> {
        let entries = &self.entries[..self.filled];
        let of_kind = move |entry: &Entry| {
            let entry = entry.get();
            // SAFETY: an entry is the address of an object and a bit that no address has.
            (entry & DECREMENT == kind).then(|| unsafe { Object::at(entry & !DECREMENT) })
        };
        entries.iter().enumerate().filter_map(move |(index, entry)| {
            if let Some(coming) = entries.get(index + AHEAD).and_then(of_kind) {
                coming.prefetch();
            }
            of_kind(entry)
        })
    }
}

impl Pool {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn take(&self) -> Box<[Entry]> {
        let pooled = self.0.lock().expect("nothing panics while it holds this lock").pop();
        pooled.unwrap_or_else(|| (0..SEGMENT).map(|_| Plain::new(0)).collect())
    }

    /// Takes back segments that nobody needs any more.
    pub(super) fn give_back(&self, segments: Vec<Segment>) {
        let mut pooled = self.0.lock().expect("nothing panics while it holds this lock");
        let room = POOLED.saturating_sub(pooled.len());
        pooled.extend(segments.into_iter().take(room).map(|segment| segment.entries));
    }
}
