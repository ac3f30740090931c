//! The core: what every heap has, whatever collector manages it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    object::Header,
    quarantine::Quarantine,
    share::Share,
    shared::SharedTable,
    space::{SideTables, Space},
    tally::Amount,
};
use crate::{
    Event, Observer,
    threads::{
        sync::{
            Arc, Mutex,
            atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        },
        world::World,
    },
};

/// Cells of a share without a mutator that are put back at a time.
const DRAINED_AT_ONCE: usize = 4096;

/// What a heap may use, and who watches it.
#[derive(Clone)]
pub struct Options {
    /// The most bytes of blocks and large objects in use; beyond them an allocation gives `OutOfMemory`. Default: no
    /// limit but the system's.
    pub limit: u64,
    /// Bytes of empty blocks that are kept for later; what is more goes back to the system. Default: 32 MiB.
    pub reserve: u64,
    /// How long a stop of the world may remain unanswered. Default: 10 s.
    pub stop_timeout: Duration,
    /// Who is told of events. Default: nobody.
    pub observer: Option<Arc<dyn Observer>>,
    /// Collects at every opportunity and yields at random, from this seed: for tests. Default: no.
    pub stress: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limit: u64::MAX,
            reserve: 32 << 20,
            stop_timeout: Duration::from_secs(10),
            observer: None,
            stress: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("limit", &self.limit)
            .field("reserve", &self.reserve)
            .field("stop_timeout", &self.stop_timeout)
            .field("observer", &self.observer.is_some())
            .field("stress", &self.stress)
            .finish()
    }
}

/// What has been allocated, freed and held, summed over all mutators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Objects ever allocated.
    pub allocated: Amount,
    /// Objects freed.
    pub freed: Amount,
    /// The most bytes of objects held, as sampled whenever a mutator takes memory and whenever a collection begins.
    pub peak_held: u64,
    /// Bytes of blocks and large objects in use: objects, rounding, and cells that are free.
    pub blocks: u64,
    /// The most that `blocks` has been.
    pub peak_blocks: u64,
    /// Bytes of the side tables of the blocks in use.
    pub side_tables: u64,
    /// Finalizers that have been called.
    pub finalizers_run: u64,
    /// Finalizers that panicked.
    pub finalizers_panicked: u64,
}

impl Statistics {
    /// What is allocated and not freed.
    pub fn held(&self) -> Amount {
        Amount {
            objects: self.allocated.objects.saturating_sub(self.freed.objects),
            bytes: self.allocated.bytes.saturating_sub(self.freed.bytes),
        }
    }
}

/// What every heap has: memory, mutators, shared handles, an observer.
pub(crate) struct Core<H> {
    pub(crate) space: Space,
    pub(crate) world: World,
    pub(crate) shared: SharedTable<H>,
    /// The share of each mutator that is attached or was, by its number.
    shares: Mutex<Vec<Arc<Share<H>>>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) stress: Option<u64>,
    peak_held: AtomicU64,
    /// Whether any class has a finalizer.
    has_finalizers: AtomicBool,
    finalizers_run: AtomicU64,
    finalizers_panicked: AtomicU64,
}

impl<H: Header> Core<H> {
    pub(crate) fn new(options: Options, tables: SideTables, is_audited: bool) -> Self {
        let quarantine = is_audited.then(Quarantine::new);
        Self {
            space: Space::new(options.limit, options.reserve, tables, quarantine),
            world: World::new(options.stop_timeout, options.stress.is_some()),
            shared: SharedTable::new(),
            shares: Mutex::new(Vec::new()),
            observer: options.observer,
            stress: options.stress,
            peak_held: AtomicU64::new(0),
            has_finalizers: AtomicBool::new(false),
            finalizers_run: AtomicU64::new(0),
            finalizers_panicked: AtomicU64::new(0),
        }
    }

    /// The share of mutator `index`: a new one, or that of the mutator that had the number before.
    pub(crate) fn share(&self, index: usize) -> Arc<Share<H>> {
        let mut shares = self.shares.lock().expect("nothing panics while it holds this lock");
        while shares.len() <= index {
            shares.push(Arc::new(Share::new()));
        }
        Arc::clone(&shares[index])
    }

    /// All shares, those of mutators that have left included.
    pub(crate) fn shares(&self) -> Vec<Arc<Share<H>>> {
        self.shares.lock().expect("nothing panics while it holds this lock").clone()
    }

    /// Puts what has been freed of the shares that have no mutator back on their blocks' lists. A portion at a time, since
    /// nobody can come or go meanwhile.
    pub(crate) fn drain_vacant(&self) {
        for (index, share) in self.shares().iter().enumerate() {
            while self.world.if_absent(index, || share.drain_remote(&self.space, DRAINED_AT_ONCE)) {
            }
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let (allocated, freed) = self.allocated_and_freed();
        let held = allocated.bytes.saturating_sub(freed.bytes);
        Statistics {
            allocated,
            freed,
            // Relaxed: a statistic.
            peak_held: self.peak_held.load(Relaxed).max(held),
            blocks: self.space.in_use(),
            peak_blocks: self.space.peak(),
            side_tables: self.space.table_bytes(),
            // Relaxed: a statistic.
            finalizers_run: self.finalizers_run.load(Relaxed),
            // Relaxed: a statistic.
            finalizers_panicked: self.finalizers_panicked.load(Relaxed),
        }
    }

    fn allocated_and_freed(&self) -> (Amount, Amount) {
        let (mut allocated, mut freed) = (Amount::default(), Amount::default());
        for share in self.shares() {
            freed += share.tally.sum_freed();
            allocated += share.tally.sum_allocated();
        }
        (allocated, freed)
    }

    /// Samples the bytes held, for the peak and for the observer.
    pub(crate) fn sample(&self, mutator: usize) {
        let (allocated, freed) = self.allocated_and_freed();
        let held_bytes = allocated.bytes.saturating_sub(freed.bytes);
        // Relaxed: a statistic.
        self.peak_held.fetch_max(held_bytes, Relaxed);
        if let Some(observer) = &self.observer {
            let Amount { objects: allocated_objects, bytes: allocated_bytes } = allocated;
            let blocks_bytes = self.space.in_use();
            observer.event(
                mutator,
                Event::Heap { held_bytes, allocated_objects, allocated_bytes, blocks_bytes },
            );
        }
    }

    /// A class with a finalizer has been made.
    pub(crate) fn expect_finalizers(&self) {
        // Relaxed: whoever gets to see an object of the class is shown this too: ordered by the class's own lock.
        self.has_finalizers.store(true, Relaxed);
    }

    /// Whether any class has a finalizer.
    pub(crate) fn has_finalizers(&self) -> bool {
        // Relaxed: ordered by the safepoint handshake, behind the allocation of every object.
        self.has_finalizers.load(Relaxed)
    }

    pub(crate) fn count_finalizer(&self, panicked: bool) {
        // Relaxed: a statistic.
        self.finalizers_run.fetch_add(1, Relaxed);
        if panicked {
            // Relaxed: a statistic.
            self.finalizers_panicked.fetch_add(1, Relaxed);
        }
    }
}
