//! Objects: a collector's header, a descriptor, reference slots, data words.
//!
//! ```text
//!            | descriptor | header | slot 0 | slot 1 | ... | word 0 | word 1 | ...
//!  [extent]  ^ Object<H> points here
//! ```
//!
//! The descriptor says how many slots and words there are, the class, and the two things a collector asks of a class
//! on every release: whether it has a finalizer, and whether it is acyclic. Objects of more than 254 slots and words
//! together keep both numbers in an *extent*, one word before the header.
//!
//! # Invariants
//!
//! 1. The descriptor of a free cell is 0; that of an object never is, and never changes.
//! 2. A slot holds 0 or the address of an object whose lowest bits are free for a protocol's flags.

mod cell;

use std::{fmt, hash, marker::PhantomData, ptr::NonNull};

#[cfg(not(loom))]
use super::size::MIN_CELL;
use super::{
    block::Block,
    layout::{BITMAP_WORD, BLOCK_BYTES, CHUNK_BYTES, FIRST_BLOCK, GRANULE, SCRATCH, WORD},
};
#[cfg(not(loom))]
use crate::threads::sync::atomic::Ordering::Relaxed;
use crate::threads::sync::{
    Lifetime, Plain,
    atomic::{AtomicU32, AtomicU64, AtomicUsize},
};

/// What a collector keeps in every object: a count, mark bits, nothing.
pub trait Header: Send + Sync + 'static {
    /// The header of a new object.
    fn newborn() -> Self;

    /// Whether a collector beside the program reads cells before it knows that they are objects. Then they are made by
    /// atomic stores alone, and [`Header::renew`] must be there. Default: no.
    const MAY_BE_GUESSED: bool = false;

    /// Makes a header of a cell, whatever it holds, that of a new object, by atomic stores. Default: is not needed.
    fn renew(&self) {
        unreachable!("only headers that may be guessed are made in place");
    }

    /// How many references the object has, if that is counted.
    fn count(&self) -> Option<u64> {
        None
    }
}

impl Header for () {
    fn newborn() -> Self {}
}

/// The fixed part of an object.
#[repr(C, align(8))]
struct Head<H> {
    descriptor: Plain<u32>,
    header: H,
    lifetime: Lifetime,
}

/// A reference slot: the address of an object, or 0, with low bits left to the collector's protocol.
pub(crate) type Slot = AtomicUsize;

/// The lowest bit of a slot, which is no part of the address: a collector's own.
pub(crate) const SLOT_FLAG: usize = 1;

/// Bytes of header and descriptor under header `H`.
pub(crate) const fn head_bytes<H>() -> usize {
    size_of::<Head<H>>()
}

/// The number of slots and of data words of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) slots: u32,
    pub(crate) words: u32,
}

impl Shape {
    /// Whether slots and words fit the descriptor; if not, the object has an extent.
    pub(crate) const fn is_small(self) -> bool {
        self.slots as u64 + self.words as u64 <= SMALL_PAYLOAD
    }

    /// How many slots and words there are together.
    #[cfg(not(loom))]
    pub(crate) const fn payload(self) -> usize {
        self.slots as usize + self.words as usize
    }

    /// Bytes of an object of this shape: header, slots and data, as the statistics count them.
    pub(crate) const fn bytes<H>(self) -> usize {
        let extent = if self.is_small() { 0 } else { EXTENT };
        extent
            + head_bytes::<H>()
            + self.slots as usize * size_of::<Slot>()
            + self.words as usize * size_of::<AtomicU64>()
    }
}

/// The most slots and words together that a descriptor can say.
const SMALL_PAYLOAD: u64 = 254;

/// Bytes of the extent that lies before the header of an object that is not small.
pub(crate) const EXTENT: usize = WORD;

/// Where in its mapping a large object lies.
const LARGE_OBJECT: usize = FIRST_BLOCK * BLOCK_BYTES + EXTENT;

/// A descriptor: 8 bits of slots, 8 bits of words, 14 bits of class, and two flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor(u32);

impl Descriptor {
    /// What the slot count of an object with an extent says.
    const HAS_EXTENT: u32 = 255;
    const FINALIZER: u32 = 1 << 30;
    const ACYCLIC: u32 = 1 << 31;

    /// The most classes that a heap can have.
    pub(crate) const MAX_CLASS: u32 = (1 << 14) - 1;

    /// The descriptor of an object of class `class`, which is not 0 (invariant 1).
    pub(crate) fn new(class: u32, shape: Shape, acyclic: bool, finalizer: bool) -> Self {
        debug_assert!((1..=Self::MAX_CLASS).contains(&class), "class {class} is out of range");
        let payload =
            if shape.is_small() { shape.slots | shape.words << 8 } else { Self::HAS_EXTENT };
        let flags =
            if acyclic { Self::ACYCLIC } else { 0 } | if finalizer { Self::FINALIZER } else { 0 };
        Self(payload | class << 16 | flags)
    }

    /// The descriptor of an object of the same class with another shape.
    pub(crate) fn reshaped(self, shape: Shape) -> Self {
        Self::new(self.class(), shape, self.is_acyclic(), self.has_finalizer())
    }

    /// Whether this is a free cell's.
    pub(crate) fn is_free(self) -> bool {
        self.0 == 0
    }

    /// Whether shape and descriptor say too little, so that there is an extent.
    #[inline(always)]
    pub(crate) fn has_extent(self) -> bool {
        self.0 & 0xff == Self::HAS_EXTENT
    }

    /// Whether objects of the class can never be part of a cycle.
    pub(crate) fn is_acyclic(self) -> bool {
        self.0 & Self::ACYCLIC != 0
    }

    /// Whether the class has a finalizer.
    pub(crate) fn has_finalizer(self) -> bool {
        self.0 & Self::FINALIZER != 0
    }

    /// The number of the class.
    pub(crate) fn class(self) -> u32 {
        self.0 >> 16 & Self::MAX_CLASS
    }
}

/// The address of an object, or of a free cell that can become one.
///
/// Reading through it is sound for as long as the object is in the heap; that is what every `unsafe` here asks of its
/// caller, and what a collector guarantees to the program by its counts, roots or marks.
#[repr(transparent)]
pub struct Object<H>(NonNull<Head<H>>, PhantomData<H>);

impl<H> Clone for Object<H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for Object<H> {}

impl<H> PartialEq for Object<H> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<H> Eq for Object<H> {}

impl<H> hash::Hash for Object<H> {
    fn hash<S: hash::Hasher>(&self, state: &mut S) {
        self.0.hash(state);
    }
}

impl<H> fmt::Debug for Object<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "object {:#x}", self.0.as_ptr() as usize)
    }
}

// SAFETY: an address; what is done through it is proved where it is done.
unsafe impl<H: Header> Send for Object<H> {}

impl<H: Header> Object<H> {
    /// Slots and words that even the smallest cell has room for.
    #[cfg(not(loom))]
    const SMALLEST_PAYLOAD: usize = (MIN_CELL - head_bytes::<H>()) / WORD;

    /// The object at `address`, which a slot or a free list holds.
    ///
    /// # Safety
    ///
    /// `address` is that of a cell of this heap.
    pub(crate) unsafe fn at(address: usize) -> Self {
        // SAFETY: no cell lies at address 0, by our caller.
        Self(unsafe { NonNull::new_unchecked(address as *mut Head<H>) }, PhantomData)
    }

    /// Its address.
    pub fn address(self) -> usize {
        self.0.as_ptr() as usize
    }

    fn head(&self) -> &Head<H> {
        // SAFETY: heads are made when a block is cut into cells and stay valid until the block goes back to the
        // system, which it does only when no cell of it is an object; callers hold an object or the free list.
        unsafe { self.0.as_ref() }
    }

    /// The collector's header.
    pub(crate) fn header(&self) -> &H {
        let head = self.head();
        head.lifetime.access();
        &head.header
    }

    /// The header of a cell that may be no object any more.
    ///
    /// # Safety
    ///
    /// The cell lies in a block of the caller's (`is_cell_of`), and it has been an object there.
    #[inline(always)]
    pub(crate) unsafe fn header_of_cell(&self) -> &H {
        &self.head().header
    }

    /// The descriptor; `is_free` if this cell is no object.
    pub(crate) fn descriptor(self) -> Descriptor {
        Descriptor(self.head().descriptor.get())
    }

    /// Makes an object of this free cell: header, descriptor, null slots, zero words.
    ///
    /// # Safety
    ///
    /// The cell is free, ours alone, and large enough for `shape` (with its extent before it, if it has one).
    pub(crate) unsafe fn initialise(self, descriptor: Descriptor, shape: Shape) {
        if !H::MAY_BE_GUESSED {
            super::seal::require_sealed(self.payload() as usize);
        }
        self.open();
        if descriptor.has_extent() {
            let extent = u64::from(shape.slots) | u64::from(shape.words) << 32;
            // SAFETY: the extent lies in this cell, by our caller.
            unsafe { self.write_extent(extent) };
        }
        // SAFETY: by our caller.
        unsafe { self.make_head(descriptor) };
        // SAFETY: by our caller.
        unsafe { self.clear_payload(shape) };
    }

    /// Makes descriptor and header, by stores of their own: a processor does not forward half of a store to the load that
    /// soon follows, and waiting for the memory costs more than the rest of an allocation.
    ///
    /// # Safety
    ///
    /// As `initialise`.
    #[cfg(not(loom))]
    #[inline(always)]
    unsafe fn make_head(self, descriptor: Descriptor) {
        self.head().descriptor.set(descriptor.0);
        if H::MAY_BE_GUESSED {
            self.head().header.renew();
            return;
        }
        // SAFETY: the header lies in this cell.
        let header = unsafe { &raw mut (*self.0.as_ptr()).header };
        // SAFETY: the cell is ours alone, by our caller.
        unsafe { header.write(H::newborn()) };
    }

    /// Makes descriptor and header.
    ///
    /// # Safety
    ///
    /// As `initialise`.
    #[cfg(loom)]
    unsafe fn make_head(self, descriptor: Descriptor) {
        let head = Head {
            descriptor: Plain::new(descriptor.0),
            header: H::newborn(),
            lifetime: Lifetime::new(),
        };
        // SAFETY: the cell is ours alone and large enough, by our caller.
        unsafe { self.0.write(head) };
    }

    /// Makes null slots and zero words.
    ///
    /// # Safety
    ///
    /// As `initialise`.
    #[cfg(not(loom))]
    #[inline(always)]
    unsafe fn clear_payload(self, shape: Shape) {
        // A null slot and a zero word are the same in memory. Every cell has room for the first few, and one more is the
        // most common: with known lengths there is no loop and no call.
        for index in 0..Self::SMALLEST_PAYLOAD {
            // SAFETY: the place lies in this cell, which is no smaller than the smallest.
            let slot = unsafe { &*self.payload().wrapping_add(index) };
            // Relaxed: ours alone to write. (As in `make_head`, one store each; the compiler would pair plain ones.)
            slot.store(0, Relaxed);
        }
        let payload = shape.payload();
        if payload > Self::SMALLEST_PAYLOAD {
            // SAFETY: the last place lies in this cell, by our caller.
            let last = unsafe { &*self.payload().wrapping_add(payload - 1) };
            // Relaxed: ours alone to write.
            last.store(0, Relaxed);
            if payload > Self::SMALLEST_PAYLOAD + 1 {
                // SAFETY: by our caller.
                unsafe { self.clear_rest(payload) };
            }
        }
    }

    /// Makes the null slots and zero words that not every cell has room for.
    ///
    /// # Safety
    ///
    /// As `initialise`.
    #[cfg(not(loom))]
    #[inline(never)]
    unsafe fn clear_rest(self, payload: usize) {
        // SAFETY: the places lie in this cell, by our caller.
        let rest = unsafe { self.payload().add(Self::SMALLEST_PAYLOAD) };
        let count = payload - Self::SMALLEST_PAYLOAD;
        if !H::MAY_BE_GUESSED {
            // SAFETY: as above.
            unsafe { rest.write_bytes(0, count) };
            return;
        }
        // SAFETY: as above; any bits are a word.
        for word in unsafe { std::slice::from_raw_parts(rest, count) } {
            // Relaxed: ours alone to write.
            word.store(0, Relaxed);
        }
    }

    /// Makes null slots and zero words: a model's are not alike in memory, and have to be made.
    ///
    /// # Safety
    ///
    /// As `initialise`.
    #[cfg(loom)]
    unsafe fn clear_payload(self, shape: Shape) {
        for index in 0..shape.slots as usize {
            // SAFETY: the slot lies in this cell, by our caller.
            let slot = unsafe { self.payload().add(index) };
            // SAFETY: as above, and nobody else can reach it yet.
            unsafe { slot.write(Slot::new(0)) };
        }
        for index in 0..shape.words as usize {
            let word = self.word_address(shape.slots as usize, index);
            // SAFETY: the word lies in this cell, by our caller, and nobody else can reach it yet.
            unsafe { word.write(AtomicU64::new(0)) };
        }
    }

    /// Tells the model that this object is being used; in a real run, nothing.
    #[inline(always)]
    pub(crate) fn access(&self) {
        self.head().lifetime.access();
    }

    fn payload(self) -> *mut Slot {
        // SAFETY: the payload follows the head in the same cell.
        unsafe { self.0.as_ptr().add(1) }.cast()
    }

    /// The extent, as a word that is read and written whole.
    ///
    /// # Safety
    ///
    /// The cell has one.
    #[cfg(not(loom))]
    unsafe fn extent<'a>(self) -> &'a Plain<u64> {
        // SAFETY: it lies before the head in the same cell, by our caller; any bits are a word.
        unsafe { &*((self.address() - EXTENT) as *const Plain<u64>) }
    }

    /// Reads the extent.
    ///
    /// # Safety
    ///
    /// The cell has one, which has been written.
    unsafe fn read_extent(self) -> u64 {
        #[cfg(not(loom))]
        // SAFETY: by our caller.
        return unsafe { self.extent() }.get();
        #[cfg(loom)]
        // SAFETY: by our caller. In a model nothing else is ever read as an extent.
        return unsafe { ((self.address() - EXTENT) as *const u64).read() };
    }

    /// Writes the extent.
    ///
    /// # Safety
    ///
    /// The cell has one, and is ours alone to write.
    unsafe fn write_extent(self, extent: u64) {
        #[cfg(not(loom))]
        // SAFETY: by our caller.
        unsafe { self.extent() }.set(extent);
        #[cfg(loom)]
        // SAFETY: by our caller.
        unsafe {
            ((self.address() - EXTENT) as *mut u64).write(extent)
        };
    }

    fn word_address(self, slots: usize, index: usize) -> *mut AtomicU64 {
        let words = self.payload().wrapping_add(slots).cast::<AtomicU64>();
        words.wrapping_add(index)
    }

    /// How many slots and words it has.
    #[inline]
    pub(crate) fn shape(self) -> Shape {
        let payload = self.descriptor().0 & 0xffff;
        if payload & 0xff != Descriptor::HAS_EXTENT {
            return Shape { slots: payload & 0xff, words: payload >> 8 };
        }
        // SAFETY: the descriptor says that there is an extent, written when the object was made.
        let extent = unsafe { self.read_extent() };
        Shape { slots: extent as u32, words: (extent >> 32) as u32 }
    }

    /// Bytes of this object: header, slots and data.
    #[inline]
    pub(crate) fn bytes(self) -> usize {
        self.shape().bytes::<H>()
    }

    /// Its slots.
    ///
    /// # Safety
    ///
    /// The object stays in the heap while the slice is used.
    #[inline]
    pub(crate) unsafe fn slots<'a>(self) -> &'a [Slot] {
        self.access();
        // SAFETY: as many slots as the shape says follow the head; the object stays, by our caller.
        unsafe { std::slice::from_raw_parts(self.payload(), self.shape().slots as usize) }
    }

    /// Its slot `index`.
    ///
    /// # Safety
    ///
    /// The object stays in the heap while the slot is used, and has more than `index` slots.
    #[inline(always)]
    pub(crate) unsafe fn slot<'a>(self, index: usize) -> &'a Slot {
        self.access();
        debug_assert!(
            index < self.shape().slots as usize,
            "slot {index} of {self:?}, {:?}",
            self.shape()
        );
        // SAFETY: the object has this slot and stays, by our caller.
        unsafe { &*self.payload().wrapping_add(index) }
    }

    /// Its data word `index`.
    ///
    /// # Safety
    ///
    /// The object stays in the heap while the word is used.
    ///
    /// # Panics
    ///
    /// If it has no such word.
    #[inline]
    pub(crate) unsafe fn word<'a>(self, index: usize) -> &'a AtomicU64 {
        self.access();
        let shape = self.shape();
        assert!(
            index < shape.words as usize,
            "word {index} of an object with {} words",
            shape.words
        );
        // SAFETY: the object has this word and stays, by our caller.
        unsafe { &*self.word_address(shape.slots as usize, index) }
    }

    /// The block that this cell lies in.
    #[inline]
    pub(crate) fn block(self) -> Block {
        Block::of(self.address())
    }

    /// Whether this address, which may be no object's any more, is that of a cell of a block that the share at `share` may
    /// use without telling anybody.
    #[inline(always)]
    pub(crate) fn is_cell_of(self, share: usize) -> bool {
        // A large object takes its tables with it when it goes; others leave theirs as long as there is the heap.
        !self.may_be_large() && self.block().is_freely_owned_by(share)
    }

    /// Whether this may be the address of a large object; it is not that of any other, but for some with an extent.
    #[inline(always)]
    pub(crate) fn may_be_large(self) -> bool {
        self.address() % CHUNK_BYTES == LARGE_OBJECT
    }

    /// The slots that the descriptor of a cell says it has, as far as they lie in its block; whoever owns the block may be
    /// making another object of the cell meanwhile, so that they are words of any kind.
    ///
    /// # Safety
    ///
    /// The block is not unmapped while the slice is used, and the cell lies in it.
    #[inline]
    pub(crate) unsafe fn alleged_slots<'a>(self) -> &'a [Slot] {
        let block = self.block();
        let end = block.start() + block.bytes();
        let room = end.saturating_sub(self.payload() as usize) / size_of::<Slot>();
        let slots = (self.shape().slots as usize).min(room);
        // SAFETY: so many words of the block follow the head, by our caller.
        unsafe { std::slice::from_raw_parts(self.payload(), slots) }
    }

    /// Its entry in its chunk's scratch table.
    #[inline(always)]
    pub(crate) fn scratch<'a>(self) -> &'a AtomicU32 {
        let address = self.address();
        let chunk = address & !(CHUNK_BYTES - 1);
        let entry =
            chunk + SCRATCH + (address & (CHUNK_BYTES - 1)) / GRANULE * size_of::<AtomicU32>();
        // SAFETY: the table is made with the chunk, has an entry for each granule, and stays while the chunk does.
        unsafe { &*(entry as *const AtomicU32) }
    }

    /// Its granule, counted from the start of its block.
    #[inline(always)]
    pub(crate) fn granule(self) -> usize {
        self.address() % BLOCK_BYTES / GRANULE
    }

    /// Sets its bit in its block's young bitmap. Its block is the mutator's own.
    #[inline(always)]
    pub(crate) fn set_young(self) {
        let granule = self.granule();
        let word = &self.block().young()[granule / BITMAP_WORD];
        word.set(word.get() | 1 << (granule % BITMAP_WORD));
    }

    /// Asks the processor to fetch the head and the first slots.
    #[inline(always)]
    pub(crate) fn prefetch(self) {
        prefetch(self.address());
    }

    /// Asks the processor to fetch the scratch entry.
    #[inline(always)]
    pub(crate) fn prefetch_scratch(self) {
        prefetch(std::ptr::from_ref(self.scratch()) as usize);
    }
}

/// Asks the processor to fetch what lies at `address`.
#[inline(always)]
pub(crate) fn prefetch(address: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch has no effect but on time, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address as *const i8);
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}
