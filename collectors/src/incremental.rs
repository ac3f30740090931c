//! Incremental: reference counting, with a detection of cycles that looks at a part of the old objects at a time.
//!
//! After M. Shannon et al., *CPython's incremental cycle collector*, as in Python 3.14.0 to 3.14.4, and withdrawn in
//! 3.14.5. Which objects an increment looks at is CPython's, operation by operation; how garbage is told from the rest
//! is ours, shared with `generational`. The variant `bounded` is our repair.
//!
//! # How it works
//!
//! 1. *Count.* As `refcount`; what is not part of a cycle is freed at once.
//! 2. *Trigger.* When allocations less frees exceed the first threshold, the allocation that does so runs an increment.
//! 3. *Mark* (world stopped, `incremental/marking.rs`). A *scavenge* begins: what the roots reach is moved from the
//!    *pending* to the *visited* space. CPython's variants do it in one pause, in which they do nothing else; `bounded`
//!    does a part at a time.
//! 4. *Collect* (world stopped, `incremental/increment.rs`). All young objects, and pending ones until the work of this
//!    increment is done, each with all unvisited objects that it reaches, so that no cycle is split. References from
//!    inside the increment are subtracted from a copy of its objects' counts (`cycles/listed.rs`); what is left without
//!    any is garbage. The rest is visited, to be looked at in the next scavenge.
//! 5. *Flip.* When nothing is pending, the spaces change their names, and the next scavenge begins.
//!
//! Garbage is finalized and freed as under `generational` (`cycles/reclaim.rs`).
//!
//! # The work of an increment
//!
//! With `n` net allocations since the last one and `H` objects, an increment of `3.14.0` adds `n + min(H/100, 3n/2)` to
//! its work before and `H/100` after it, and subtracts what it has looked at; `3.14.2` adds `n + min(H/100, 2n)` once,
//! and does nothing at all while its work is negative. Both subtract what is marked twice (gh-141890). So under `3.14.2`
//! nothing is found for `2M / (n + H/100)` increments after `M` objects were marked. Where the heap is small nothing
//! old is ever found: work is forgiven at each flip, and starts anew with the marking's debit.
//!
//! # The bound
//!
//! `bounded` owes `work` objects for each net allocation, and pays all of it in the next increment: with marking, with
//! pending objects, with `BLOCK_WORK` for each block passed. Young objects come on top. Paying more than is owed earns
//! nothing, and the end of a scavenge forgives nothing, but that an increment may end when it has ended two: the second
//! has looked at everything. (An increment whose garbage has finalizers to be run ends early, once it has ended a
//! scavenge or paid; the next one pays the rest.)
//!
//! A scavenge costs at most `W = H + 16 B`, for `H` objects that can be part of a cycle and `B` blocks. What dies in a
//! cycle is found at the latest by the first scavenge that begins after its death, which costs two scavenges' work, or
//!
//! ```text
//! N = 2 (H + 16 B) / work + (threshold + 1) + 512 x mutators      net allocations
//! ```
//!
//! since an increment that pays all it owes does `work` for each. If no live object becomes garbage but what has been
//! allocated meanwhile (a drip), garbage is at most N. With H = live + garbage,
//!
//! ```text
//! garbage <= (2 (live + 16 B) + work (threshold + 1 + 512 x mutators)) / (work - 2)
//! ```
//!
//! which at the default `work` of 4 is the live objects, and a constant. If live objects die, add them.
//!
//! # Invariants
//!
//! 1. An object's count is the number of roots, slots and shared entries that refer to it.
//! 2. Between collections every scratch entry is 0, but for the objects that marking has left on its stack.
//! 3. An object that can be part of a cycle is young, pending or visited (`incremental/spaces.rs`).
//! 4. A doomed object is in its mutator's `Finishing`; if its last reference goes, its cell is freed at the end of that.
//! 5. Outside of *mark* the stack is empty. Under CPython's variants it always is.
//! 6. `debt <= work x unpaid`; and what a scavenge has done, with the debt, is at least `work` for each net allocation
//!    since it began.
//!
//! # Synchronization
//!
//! | variable         | written by                                | read by  | protocol                                 |
//! |------------------|-------------------------------------------|----------|------------------------------------------|
//! | `schedule`       | whoever collects or frees a parked object | the same | its lock                                 |
//! | `flushed`, `tracked` | all mutators                          | the same | Relaxed: a late look costs a late collection |
//! | root tables      | their mutators                            | the same, or a stopped world | safepoint handshake  |
//! | scratch, bitmaps | a mutator (young bit of its own block) or a stopped world | the same | safepoint handshake |
//!
//! # Departures
//!
//! CPython marks from the dictionaries of `sys`, the builtins and the interpreter, and from frames. A counting collector
//! has no such list, so here each mutator keeps its roots in a table beside counting them; that and the shared handles
//! is what *mark* starts from. Frames that CPython has seen before it does not look at again; roots form no stack, and
//! all are looked at in each increment (an object that has been visited costs a look at its bit). Marking and
//! examining a young object cost the same in CPython's account, so this changes no sum.
//!
//! CPython keeps lists, and takes the object that was visited longest ago; here spaces are bits, and objects are taken in
//! the order of their addresses. Either way each is taken once in a scavenge, which is all that decides when garbage is
//! found. An increment is a list of addresses for as long as it lasts. The heap's size is the number of objects that can
//! be part of a cycle. With several mutators each adds its net allocations to the common count every 512.

use serde::{Deserialize, Serialize};

use crate::{
    Capabilities, Collector, Finalizers, Reclaims, Setting, SettingsError, SideTables,
    collector::Inspection,
    counts::atomic::AtomicCount,
    cycles::detect::get,
    heap::Seat,
    roots::RootTable,
    threads::sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

mod increment;
mod local;
mod marking;
mod spaces;

pub use self::local::IncrementalLocal;
use self::{marking::Marking, spaces::Spaces};

/// Counting with incremental cycle detection.
pub struct Incremental {
    schedule: Mutex<Schedule>,
    /// The roots of each mutator.
    tables: Mutex<Vec<Arc<RootTable<AtomicCount>>>>,
    /// Net allocations since the last collection, but for those that mutators keep to themselves.
    flushed: AtomicI64,
    /// Objects that can be part of a cycle, but for those of which mutators have not told.
    tracked: AtomicI64,
}

/// Whose collector it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Variant {
    /// CPython 3.14.0's.
    #[serde(rename = "3.14.0")]
    V3_14_0,
    /// That of CPython 3.14.2 to 3.14.4.
    #[default]
    #[serde(rename = "3.14.2")]
    V3_14_2,
    /// With a bound for floating garbage.
    #[serde(rename = "bounded")]
    Bounded,
}

/// Settings of [`Incremental`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct IncrementalSettings {
    /// Whose collector it is.
    pub variant: Variant,
    /// Net allocations that must be exceeded for an increment, and the old rate of CPython's variants.
    pub thresholds: [u32; 2],
    /// Objects that `bounded` looks at for each net allocation.
    pub work: u32,
}

impl Default for IncrementalSettings {
    fn default() -> Self {
        Self { variant: Variant::default(), thresholds: [2000, 10], work: 4 }
    }
}

/// What is collected next.
#[derive(Debug)]
struct Schedule {
    variant: Variant,
    thresholds: [u32; 2],
    phase: Phase,
    spaces: Spaces,
    marking: Marking,
    /// Collections of the young objects alone since the last full one.
    young_collections: u64,
    /// Whether a collection waits for finalizers: then there is no other.
    finishing: bool,
    /// CPython's account of work.
    work_to_do: i64,
    /// Of `bounded`: objects to be looked at for each net allocation.
    work: u64,
    /// Objects that are still to be looked at.
    debt: u64,
    /// Net allocations since nothing was owed.
    unpaid: u64,
    scavenge: Scavenge,
}

/// How far a scavenge has come.
#[derive(Clone, Copy, Debug, Default)]
struct Scavenge {
    /// Work done in it.
    done: u64,
    /// Net allocations since it began.
    allocated: u64,
}

/// What an increment does with old objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It visits what the roots reach.
    Mark,
    /// It looks for garbage in what is pending.
    Collect,
}

impl Schedule {
    fn begin_scavenge(&mut self) {
        self.phase = Phase::Mark;
        self.scavenge = Scavenge::default();
    }
}

impl Collector for Incremental {
    const NAME: &'static str = "incremental";
    const SUMMARY: &'static str = "counts references, and finds cycles in increments, as CPython 3.14.0 or 3.14.2 did, or with a bound for \
                                   what floats";
    const PAPER: &'static str = "M. Shannon et al., CPython's incremental cycle collector (gh-108362, gh-116206), as in Python 3.14.0 to \
                                 3.14.4, 2024-2026";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Everything,
        moves: false,
        finalizers: Finalizers::Immediate,
        resurrects: true,
        generations: 3,
    };
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: "variant",
            default: "\"3.14.2\"",
            unit: "",
            range: "\"3.14.0\", \"3.14.2\" or \"bounded\"",
            meaning: "whose collector it is; `bounded` looks at a given number of objects for each allocation",
        },
        Setting {
            name: "thresholds",
            default: "[2000, 10]",
            unit: "net allocations, rate",
            range: "whole numbers; the first 0 turns automatic collection off",
            meaning: "what must be exceeded for an increment; CPython adds H/10 over the second to its work",
        },
        Setting {
            name: "work",
            default: "4",
            unit: "objects",
            range: "whole numbers from 3",
            meaning: "how many objects `bounded` looks at for each net allocation",
        },
    ];
    const SIDE_TABLES: SideTables = SideTables::Generations;

    type Settings = IncrementalSettings;
    type Header = AtomicCount;
    type Local = IncrementalLocal;

    fn new(settings: IncrementalSettings) -> Result<Self, SettingsError> {
        let IncrementalSettings { variant, thresholds, work } = settings;
        if work < 3 {
            return Err(SettingsError {
                collector: Self::NAME,
                setting: "work",
                value: work.to_string(),
                expected: "a whole number from 3, for at 2 garbage has no bound",
            });
        }
        let schedule = Schedule {
            variant,
            thresholds,
            phase: Phase::Mark,
            spaces: Spaces::new(),
            marking: Marking::default(),
            young_collections: 0,
            finishing: false,
            work_to_do: 0,
            work: work.into(),
            debt: 0,
            unpaid: 0,
            scavenge: Scavenge::default(),
        };
        Ok(Self {
            schedule: Mutex::new(schedule),
            tables: Mutex::new(Vec::new()),
            flushed: AtomicI64::new(0),
            tracked: AtomicI64::new(0),
        })
    }

    fn attach(self: &Arc<Self>, seat: Seat<AtomicCount>) -> IncrementalLocal {
        IncrementalLocal::new(Arc::clone(self), seat)
    }

    fn check(&self, inspection: &Inspection<'_, AtomicCount>) {
        inspection.check_counts();
        let schedule = self.schedule();
        let mut parked = 0;
        for object in inspection.objects() {
            schedule.marking.check(object);
            parked += usize::from(get(object) != 0);
        }
        assert_eq!(parked, schedule.marking.len(), "all that marking has left is in the heap");
        assert!(
            parked == 0 || schedule.phase == Phase::Mark && schedule.variant == Variant::Bounded,
            "{parked} objects are left to be marked, in {:?} of {:?}",
            schedule.phase,
            schedule.variant
        );
        schedule.spaces.check(inspection.core);
        let Schedule { debt, work, unpaid, scavenge, .. } = *schedule;
        assert!(debt <= work * unpaid, "{debt} is owed for {unpaid} net allocations");
        assert!(
            scavenge.done + debt >= work * scavenge.allocated,
            "{scavenge:?} is behind, with a debt of {debt}"
        );
        if schedule.variant != Variant::Bounded {
            assert_eq!((debt, scavenge.done), (0, 0), "CPython's account is another");
        }
    }
}

impl Incremental {
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().expect("nothing panics while it holds this lock")
    }

    fn tables(&self) -> MutexGuard<'_, Vec<Arc<RootTable<AtomicCount>>>> {
        self.tables.lock().expect("nothing panics while it holds this lock")
    }

    /// How many objects there are that can be part of a cycle, as far as mutators have told.
    fn heap_size(&self) -> i64 {
        // Relaxed: a statistic.
        self.tracked.load(Relaxed).max(0)
    }
}
