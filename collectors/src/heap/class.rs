//! Classes: what objects look like, and what is done when one dies.

use std::fmt;

use super::{
    object::{Descriptor, Header, Shape},
    size::{SIZE_CLASSES, cell_bytes, size_class},
};
use crate::{Collector, Root, threads::sync::Arc};

/// What is called with a dying object, once.
pub(crate) type Finalizer<C> = Arc<dyn for<'m> Fn(&Root<'m, C>) + Send + Sync>;

/// What a class looks like; [`Heap::class`](crate::Heap::class) makes a class of it.
///
/// ```
/// # use collectors::{Heap, Layout, Options, refcount::RefCount};
/// # let heap = Heap::<RefCount>::new(Default::default(), Options::default()).unwrap();
/// let person = heap.class(Layout::new("Person").slots(1).words(2));
/// # let _ = person;
/// ```
pub struct Layout<C: Collector> {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) acyclic: bool,
    pub(crate) finalizer: Option<Finalizer<C>>,
}

impl<C: Collector> Layout<C> {
    /// A class called `name`, without slots and data words.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            shape: Shape { slots: 0, words: 0 },
            acyclic: false,
            finalizer: None,
        }
    }

    /// Its objects have `slots` references to other objects.
    pub fn slots(mut self, slots: u32) -> Self {
        self.shape.slots = slots;
        self
    }

    /// Its objects have `words` data words of eight bytes.
    pub fn words(mut self, words: u32) -> Self {
        self.shape.words = words;
        self
    }

    /// Promises that its objects are never part of a cycle, so that a cycle collector need not look at them. A cycle
    /// that breaks the promise is never freed by counting collectors.
    pub fn acyclic(mut self) -> Self {
        self.acyclic = true;
        self
    }

    /// Calls `finalizer` with each object when it is about to die, once: Python's `__del__`. It sees the object's
    /// neighbours intact and may read, write, allocate, and keep the object alive by storing it somewhere.
    pub fn finalizer(
        mut self,
        finalizer: impl for<'m> Fn(&Root<'m, C>) + Send + Sync + 'static,
    ) -> Self {
        self.finalizer = Some(Arc::new(finalizer));
        self
    }
}

/// A class of one heap.
pub struct Class<C: Collector> {
    pub(crate) heap: Identity,
    pub(crate) kind: Kind,
    pub(crate) header: std::marker::PhantomData<fn() -> C>,
}

impl<C: Collector> Clone for Class<C> {
    fn clone(&self) -> Self {
        Self { heap: self.heap.clone(), kind: self.kind, header: std::marker::PhantomData }
    }
}

impl<C: Collector> fmt::Debug for Class<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Class").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Which heap something belongs to: an address that no other heap has while anybody remembers it.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Arc<u8>);

impl Identity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(0))
    }

    /// Whether both belong to one heap.
    #[inline(always)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        std::ptr::eq(&raw const *self.0, &raw const *other.0)
    }
}

/// All that an allocation needs to know: descriptor, shape, where it fits.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    descriptor: Descriptor,
    shape: Shape,
    bytes: usize,
    bin: u32,
    rounding: u32,
}

impl Kind {
    /// What stands in place of a size class for a mapping of its own.
    const LARGE: usize = SIZE_CLASSES;

    pub(crate) fn new<H: Header>(class: u32, shape: Shape, acyclic: bool, finalizer: bool) -> Self {
        let descriptor = Descriptor::new(class, shape, acyclic, finalizer);
        Self { descriptor, shape, bytes: 0, bin: 0, rounding: 0 }.sized::<H>()
    }

    /// The same kind with `extra` more slots.
    ///
    /// # Panics
    ///
    /// If an object cannot have so many slots.
    pub(crate) fn lengthened<H: Header>(self, extra: u32) -> Self {
        let slots =
            self.shape.slots.checked_add(extra).expect("an object has at most 2^32 - 1 slots");
        let shape = Shape { slots, ..self.shape };
        let descriptor = self.descriptor.reshaped(shape);
        Self { descriptor, shape, ..self }.sized::<H>()
    }

    fn sized<H: Header>(self) -> Self {
        let bytes = self.shape.bytes::<H>();
        let class = size_class(bytes);
        let bin = class.unwrap_or(Self::LARGE) as u32;
        let rounding = class.map_or(0, |class| cell_bytes(class) - bytes) as u32;
        Self { bytes, bin, rounding, ..self }
    }

    #[inline(always)]
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.descriptor
    }

    #[inline(always)]
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Bytes of an object: header, slots and data.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bin that its cells come from: the size class, or the one after the last for large objects.
    #[inline(always)]
    pub(crate) fn bin(&self) -> usize {
        self.bin as usize
    }

    /// The size class of its cells, or `None` for a large object.
    pub(crate) fn size_class(&self) -> Option<usize> {
        (self.bin() != Self::LARGE).then_some(self.bin())
    }

    /// How many bytes its cells are larger.
    #[inline(always)]
    pub(crate) fn rounding(&self) -> u32 {
        self.rounding
    }
}
