//! The traits that a collector implements: one for the heap, one for each mutator's side of it.
//!
//! A collector decides how roots are named and kept ([`Local::Handle`]), what loads and stores do (its barriers), when
//! memory is free, and when to collect. Everything else (objects, blocks, threads, finalizers, accounting) is the
//! heap's, so that a difference between two collectors is not a difference between two heaps.

use std::{collections::HashSet, fmt::Debug};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    heap::{Header, Kind, Object, OutOfMemory, Seat, SideTables, core::Core, object::SLOT_FLAG},
    marking::object_at,
    threads::{
        sync::{Arc, atomic::Ordering::Relaxed},
        world::Stopped,
    },
};

/// A way of managing memory.
///
/// What it can and cannot do is said by its constants, which tests, `cyclotron list` and charts read.
pub trait Collector: Send + Sync + Sized + 'static {
    /// The name used in experiment files, results and charts.
    const NAME: &'static str;
    /// What it does, in one sentence.
    const SUMMARY: &'static str;
    /// Where it was published: authors, title, venue, year.
    const PAPER: &'static str;
    /// What it can do.
    const CAPABILITIES: Capabilities;
    /// Its settings, as `Settings` reads them.
    const SETTINGS: &'static [Setting];
    /// The side tables that it uses. Default: none.
    const SIDE_TABLES: SideTables = SideTables::None;

    /// Whether what it frees waits in quarantine for an audit. Default: no.
    #[doc(hidden)]
    const IS_AUDITED: bool = false;

    /// Its settings.
    type Settings: Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync;
    /// What it keeps in every object.
    type Header: Header;
    /// Its side of a mutator.
    type Local: Local<Self::Header>;

    /// The collector of a new heap.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range.
    fn new(settings: Self::Settings) -> Result<Self, SettingsError>;

    /// Its side of a mutator that has just taken `seat`.
    fn attach(self: &Arc<Self>, seat: Seat<Self::Header>) -> Self::Local;

    /// Ends and joins its threads, if it has any. No mutator is left. Default: has none.
    #[doc(hidden)]
    fn close(&self) {}

    /// Learns the name of class `number`. Default: does not care.
    #[doc(hidden)]
    fn name_class(&self, number: u32, name: &str) {
        let _ = (number, name);
    }

    /// Tests every invariant on every object, with the world stopped.
    ///
    /// # Panics
    ///
    /// If one is broken.
    #[doc(hidden)]
    fn check(&self, inspection: &Inspection<'_, Self::Header>);
}

/// A stopped heap, to be inspected.
#[doc(hidden)]
pub struct Inspection<'i, H: Header> {
    pub(crate) core: &'i Core<H>,
    pub(crate) _stopped: &'i Stopped<'i>,
}

impl<H: Header> Inspection<'_, H> {
    /// Every object of the heap, block by block.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Object<H>> {
        self.core.space.blocks().into_iter().flat_map(crate::heap::block::Block::objects)
    }

    /// Tests that whatever slots, shared handles and `holders` refer to is an object of this heap.
    pub(crate) fn check_references(
        &self,
        holders: impl IntoIterator<Item = (&'static str, Object<H>)>,
    ) {
        self.check_references_of(|_| true, holders);
    }

    /// The same of the slots of `whole` objects: others are garbage that is being freed, part by part.
    pub(crate) fn check_references_of(
        &self,
        whole: impl Fn(Object<H>) -> bool,
        holders: impl IntoIterator<Item = (&'static str, Object<H>)>,
    ) {
        let objects: HashSet<Object<H>> = self.objects().collect();
        let require = |object: Object<H>, holder: &dyn Debug| {
            assert!(objects.contains(&object), "{holder:?} refers to {object:?}, which is none");
        };
        for &object in objects.iter().filter(|&&object| whole(object)) {
            // SAFETY: the world is stopped, and the object in the heap.
            for slot in unsafe { object.slots() } {
                // Relaxed: ordered by the safepoint handshake.
                if let Some(child) = object_at(slot.load(Relaxed) & !SLOT_FLAG) {
                    require(child, &object);
                }
            }
        }
        let shared = self.core.shared.objects();
        shared.into_iter().for_each(|object| require(object, &"a shared handle"));
        holders.into_iter().for_each(|(holder, object)| require(object, &holder));
    }
}

/// A collector's side of one mutator: its barriers.
///
/// # Safety
///
/// An object must stay in the heap for as long as a handle, a slot of an object in the heap or an entry of the shared
/// table names it. `load` must give a handle that a concurrent `store` to the same slot cannot pull from under it.
/// `store` publishes (Release) and `load` acquires what was written to the object before.
///
/// In every method with handles and owners, the caller promises that the handles are this mutator's and not yet
/// released, that an owner is named by such a handle, and that it has the slot.
pub unsafe trait Local<H: Header> {
    /// How this collector names a root: an address, an index in a root table.
    type Handle: Copy;

    /// This mutator's place in the heap.
    fn seat(&self) -> &Seat<H>;

    /// Whether the next safepoint has something to do. Default: if the heap says so.
    #[inline(always)]
    fn attention(&self) -> bool {
        self.seat().attention()
    }

    /// The poll before an allocation of `kind`: whether `attend` must be called first.
    fn poll(&self, kind: &Kind) -> bool;

    /// Does what a safepoint is for: answers a stop, collects if the trigger says so.
    fn attend(&self);

    /// A new object: null slots, zero words.
    ///
    /// # Errors
    ///
    /// If the heap has no memory left. The caller collects and tries once more.
    fn allocate(&self, kind: &Kind) -> Result<Self::Handle, OutOfMemory>;

    /// The object that `root` names; good until the next safepoint.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn object(&self, root: Self::Handle) -> Object<H>;

    /// A root is copied.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn retain(&self, root: Self::Handle) -> Self::Handle;

    /// A root is dropped.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn release(&self, root: Self::Handle);

    /// Reads a slot.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn load(&self, owner: Object<H>, slot: usize) -> Option<Self::Handle>;

    /// Writes a slot and releases what it held, in this order.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn store(&self, owner: Object<H>, slot: usize, value: Option<Self::Handle>);

    /// Writes a slot and gives what it held.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn swap(
        &self,
        owner: Object<H>,
        slot: usize,
        value: Option<Self::Handle>,
    ) -> Option<Self::Handle>;

    /// Writes a slot if it holds `current`; says whether it did.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn compare_exchange(
        &self,
        owner: Object<H>,
        slot: usize,
        current: Option<Self::Handle>,
        new: Option<Self::Handle>,
    ) -> bool;

    /// A root becomes a reference of the shared table.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn surrender(&self, root: Self::Handle) -> Object<H>;

    /// A reference of the shared table becomes a root.
    ///
    /// # Safety
    ///
    /// The table has this reference, and nobody else can copy or take it.
    unsafe fn reclaim(&self, object: Object<H>) -> Self::Handle;

    /// Collects generation `generation` and the younger ones, and frees what has been put off.
    fn collect(&self, generation: usize) -> Collected;

    /// Goes on with the release or collection under way until a finalizer must be run, and gives its object as a root;
    /// `None` if there is no more to do.
    fn next_finalizer(&self) -> Option<Self::Handle>;

    /// The mutator is about to wait for something else than this heap, and uses no root meanwhile. Default: whatever.
    fn before_blocked(&self) {}

    /// The mutator goes on. Default: as it was.
    fn after_blocked(&self) {}

    /// The mutator is about to detach; all of its roots are gone. Says whether it may: if not, something has come up
    /// whose finalizers have to be run first, and this is called again.
    fn leave(&self) -> bool {
        true
    }

    /// How near each generation is to its collection, youngest first. Default: there are no such counts.
    fn generations(&self) -> Vec<Progress> {
        Vec::new()
    }
}

/// How near a generation is to its collection: it is due when the count exceeds the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Of the youngest generation allocations less frees since its last collection; of another the collections of the
    /// next younger one.
    pub count: u64,
    /// What the count must exceed.
    pub threshold: u64,
}

/// What a collection found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Objects that the collector looked at.
    pub examined: u64,
    /// Objects that it freed.
    pub freed: u64,
}

impl std::ops::AddAssign for Collected {
    fn add_assign(&mut self, other: Self) {
        self.examined += other.examined;
        self.freed += other.freed;
    }
}

/// What a collector can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Capabilities {
    /// What it frees in the end.
    pub reclaims: Reclaims,
    /// Whether objects change their address.
    pub moves: bool,
    /// When finalizers run.
    pub finalizers: Finalizers,
    /// Whether a finalizer can keep its object alive.
    pub resurrects: bool,
    /// How many generations it has; 0 if `collect` finds no garbage, and at most frees what has been put off.
    pub generations: usize,
}

/// What a collector frees in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reclaims {
    /// Nothing.
    Nothing,
    /// What is unreachable and not part of a cycle, nor held by one.
    Acyclic,
    /// Everything that is unreachable.
    Everything,
}

/// When finalizers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finalizers {
    /// Never.
    Never,
    /// When the last reference goes; those of cycles, when the cycle is found.
    Immediate,
    /// At a safepoint after the collection that found the object unreachable.
    Deferred,
}

/// A setting of a collector, as users see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key in experiment files.
    pub name: &'static str,
    /// The default, as it would be written there.
    pub default: &'static str,
    /// What it counts.
    pub unit: &'static str,
    /// What is allowed.
    pub range: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// A setting has a value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting `{setting}` of `{collector}` is {value}, expected {expected}")]
pub struct SettingsError {
    /// The collector.
    pub collector: &'static str,
    /// The key.
    pub setting: &'static str,
    /// The value.
    pub value: String,
    /// What is allowed.
    pub expected: &'static str,
}

/// The settings of a collector that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}
