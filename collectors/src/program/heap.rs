//! The handle on a heap: makes classes, attaches threads, counts bytes.

use std::fmt;

use crate::{
    Amount, Class, Collector, Layout, Mutator, Options, SettingsError, Statistics,
    collector::Inspection,
    heap::{
        Seat,
        class::{Finalizer, Identity, Kind},
        core::Core,
        object::{Descriptor, Shape},
    },
    threads::sync::{Arc, RwLock, scope},
};

/// A heap managed by collector `C`. Clones are the same heap; two heaps do not meet, and safe code that tries to mix
/// them panics. The heap's memory goes back to the system with the last handle, mutator and shared reference; no
/// finalizer runs then.
pub struct Heap<C: Collector> {
    pub(crate) inner: Arc<Inner<C>>,
}

/// What the handles on a heap share.
pub(crate) struct Inner<C: Collector> {
    pub(crate) core: Arc<Core<C::Header>>,
    pub(crate) collector: Arc<C>,
    pub(crate) identity: Identity,
    classes: RwLock<Vec<ClassEntry<C>>>,
}

struct ClassEntry<C: Collector> {
    name: String,
    finalizer: Option<Finalizer<C>>,
}

impl<C: Collector> Clone for Heap<C> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<C: Collector> fmt::Debug for Heap<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Heap<{}>", C::NAME)
    }
}

impl<C: Collector> Heap<C> {
    /// An empty heap.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range.
    pub fn new(settings: C::Settings, options: Options) -> Result<Self, SettingsError> {
        let collector = Arc::new(C::new(settings)?);
        let core = Arc::new(Core::new(options, C::SIDE_TABLES, C::IS_AUDITED));
        let classes = RwLock::new(Vec::new());
        let identity = Identity::new();
        Ok(Self { inner: Arc::new(Inner { core, collector, identity, classes }) })
    }

    /// A new class of objects.
    ///
    /// # Panics
    ///
    /// If the heap has 16,383 classes already.
    pub fn class(&self, layout: Layout<C>) -> Class<C> {
        let Layout { name, shape, acyclic, finalizer } = layout;
        let has_finalizer = finalizer.is_some();
        if has_finalizer {
            self.inner.core.expect_finalizers();
        }
        let mut classes =
            self.inner.classes.write().expect("nothing panics while it holds this lock");
        let number = classes.len() as u32 + 1;
        assert!(
            number <= Descriptor::MAX_CLASS,
            "a heap has at most {} classes",
            Descriptor::MAX_CLASS
        );
        self.inner.collector.name_class(number, &name);
        classes.push(ClassEntry { name, finalizer });
        drop(classes);
        let kind = Kind::new::<C::Header>(number, shape, acyclic, has_finalizer);
        Class { heap: self.inner.identity.clone(), kind, header: std::marker::PhantomData }
    }

    /// Makes this thread a mutator. While it is one, it must come to safepoints: allocations are, `safepoint` is, and
    /// `blocked` must surround whatever waits.
    pub fn attach(&self) -> Mutator<C> {
        let seat = Seat::new(Arc::clone(&self.inner.core));
        Mutator::new(self.clone(), self.inner.collector.attach(seat))
    }

    /// Runs `body` on `count` new threads, each with a mutator, and gives their results in order. A thread that is a
    /// mutator itself calls [`Mutator::threads`], which waits in `blocked`.
    ///
    /// # Panics
    ///
    /// If a thread panics.
    pub fn threads<T: Send>(
        &self,
        count: usize,
        body: impl Fn(&Mutator<C>, usize) -> T + Sync,
    ) -> Vec<T> {
        scope(|scope| {
            let body = &body;
            let spawn = |index| scope.spawn(move || body(&self.attach(), index));
            let threads: Vec<_> = (0..count).map(spawn).collect();
            let join = |thread: crate::threads::sync::ScopedJoinHandle<'_, T>| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        })
    }

    /// What has been allocated, freed and held.
    pub fn statistics(&self) -> Statistics {
        self.inner.core.statistics()
    }

    /// Stops the world and tests every invariant of the collector on every object. For tests; the calling thread must
    /// not be a mutator of this heap (those call [`Mutator::check`]).
    ///
    /// # Panics
    ///
    /// If an invariant is broken.
    pub fn check(&self) {
        self.attach().check();
    }
}

impl<C: Collector> Drop for Inner<C> {
    fn drop(&mut self) {
        self.collector.close();
    }
}

impl<C: Collector> Inner<C> {
    /// The name and the finalizer of class `number`.
    pub(crate) fn class(&self, number: u32) -> (String, Option<Finalizer<C>>) {
        let classes = self.classes.read().expect("nothing panics while it holds this lock");
        let entry = &classes[number as usize - 1];
        (entry.name.clone(), entry.finalizer.clone())
    }

    /// Tests the heap's invariants and the collector's, through `seat`.
    pub(crate) fn check(&self, seat: &Seat<C::Header>) {
        let stopped = loop {
            if let Some(stopped) = seat.stop() {
                break stopped;
            }
        };
        let inspection = Inspection { core: &self.core, _stopped: &stopped };
        let mut held = Amount::default();
        for object in inspection.objects() {
            held += Amount { objects: 1, bytes: object.bytes() as u64 };
        }
        assert_eq!(
            self.core.statistics().held(),
            held,
            "objects allocated and not freed, against objects found"
        );
        self.collector.check(&inspection);
    }
}

/// Bytes of an object with `slots` references and `words` data words under collector `C`: header, slots and data, as
/// [`Statistics`] counts them.
pub fn object_bytes<C: Collector>(slots: u64, words: u64) -> u64 {
    let count = |number: u64| {
        u32::try_from(number).expect("an object has at most 2^32 - 1 slots and words")
    };
    Shape { slots: count(slots), words: count(words) }.bytes::<C::Header>() as u64
}
