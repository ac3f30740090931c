//! Coalescing: counts references once an epoch, by what the slots held at its beginning and hold at its end.
//!
//! After Y. Levanoni and E. Petrank, *An on-the-fly reference-counting garbage collector for Java*, OOPSLA 2001 (and TOPLAS
//! 2006); new objects, roots and late decrements as in W. Zhao, S. M. Blackburn and K. S. McKinley, *Low-latency,
//! high-throughput garbage collection*, PLDI 2022.
//!
//! # How it works
//!
//! Of all the values that a slot takes in an epoch, only the first and the last matter: one count goes down, one goes up.
//! So the barrier (`coalescing/local.rs`) logs a slot with its old value the first time that it is overwritten, and then
//! leaves it alone. A root is not counted when it is made or dropped. An epoch ends with the world stopped, shortly:
//!
//! 1. *Increment.* What each logged slot holds now gets one more reference, and so does what the roots refer to. A
//!    *young* object, made in the epoch, has logged nothing: its slots are counted when the first reference to it is.
//! 2. *Sweep.* Young objects without references are freed; most never had one counted.
//! 3. *Decrement.* What the logged slots held, and what was a root at the end of the epoch before, loses a reference. This
//!    is put off: mutators do it in slices, as they allocate. What loses its last reference is freed, with an explicit
//!    stack.
//! 4. *Trace* (`coalescing/trace.rs`), if the heap has grown by so much since the last one: what is not reachable in this
//!    snapshot although it has references is part of a cycle, or held by one, and is freed.
//!
//! An object whose finalizer is to be run waits for that as a root.
//!
//! # Invariants
//!
//! 1. The count of an object that is not young is the number of slots, of objects that are not young either, that held it
//!    when the last epoch ended, plus the number of times that it is in `roots` and in `drops`. No such slot holds a young
//!    object.
//! 2. A slot is *unlogged* if and only if its object is not young and it has not been overwritten since the last epoch ended.
//!    Any other slot of such an object is in a log, perhaps more than once, and every time with what it held then.
//! 3. An object on the stack of the `dying` has no references, and its slots still count.
//!
//! # Bounds
//!
//! An epoch ends when mutators have allocated `epoch-bytes` or logged `log-entries` slots, or a part of both that comes to
//! as much; one that reaches no safepoint goes on. Its end stops the world for the increments, for the roots, and for a
//! look at each object made in it. A slice of decrements is `slice` of them, and the slots of one object. One decrement is
//! done for every four bytes allocated, and an object brings one for each of its slots, of eight bytes, when it dies: so
//! what is put off gets less in each epoch in which there are not more roots than an eighth of its bytes. What dies in an
//! epoch is freed in the next one, then, but for cycles: those are held until the heap has grown by `growth` since it was
//! smallest. A trace does all decrements first, and stops the world until everything has been marked and swept.
//!
//! # Synchronization
//!
//! | variable           | written by                              | read by                     | protocol                         |
//! |--------------------|-----------------------------------------|-----------------------------|----------------------------------|
//! | slots              | mutators                                | mutators                    | stores release, loads acquire    |
//! | unlogged bits      | cleared by mutators, set by epochs      | the same                    | in the slot, as above            |
//! | logs, counters     | their mutator                           | epochs                      | safepoint handshake              |
//! | counts, `state`    | epochs, mutators that do decrements     | the same                    | the lock                         |
//! | slots of the dying | mutators, while they could reach them   | mutators that do decrements | safepoint handshake              |
//! | `is_behind`        | epochs, mutators that do decrements     | mutators                    | Relaxed: a hint                  |
//!
//! # Departures
//!
//! The log bit lies in the slot itself, whose address has bits to spare, and not in a table: one load gives both, so they
//! cannot disagree, and the barrier needs no order between the two, as the paper's does. In turn a load has to mask it.
//! The bit says *unlogged*, so that the null slots of a new object need not be touched. Levanoni and Petrank's threads end
//! an epoch one by one; here the world stops, as in the second paper. There, counts have two bits, threads of the
//! collector's own do decrements, objects are moved, and the trace runs beside the program; here counts have no such limit,
//! mutators do decrements, nothing is moved, and a trace stops the world.

mod count;
mod epoch;
mod local;
mod log;
#[cfg(test)]
mod models;
mod trace;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

pub use self::{count::EpochCount, local::CoalescingLocal};
use self::{
    epoch::State,
    log::{Log, Overwritten},
};
use crate::{
    Capabilities, Collector, Event, Finalizers, Reclaims, Setting, SettingsError, SideTables,
    collector::Inspection,
    finalization::Waiting,
    heap::{Object, Seat, object::SLOT_FLAG},
    roots::RootTable,
    threads::sync::{
        Arc, Mutex, MutexGuard, Plain,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    triggers::growth::Growth,
};

/// What lies in a heap managed by coalescing.
type Counted = Object<EpochCount>;

/// The bit of a slot that has not been logged in this epoch, and has to be when it is overwritten.
const UNLOGGED: usize = SLOT_FLAG;

/// Bytes that mutators allocate for each decrement that they do.
const BYTES_PER_DECREMENT: u64 = 4;

/// Counts references at the ends of epochs.
pub struct Coalescing {
    settings: CoalescingSettings,
    /// When an epoch is to end.
    epochs: Growth,
    /// Bytes allocated to which an entry of a log is equal.
    entry_bytes: usize,
    state: Mutex<State>,
    /// Whether decrements have been put off.
    is_behind: AtomicBool,
    /// Unreachable objects whose finalizers have to be run. They are roots.
    waiting: Waiting<EpochCount>,
}

/// The settings of coalescing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CoalescingSettings {
    /// Bytes allocated in an epoch.
    pub epoch_bytes: u64,
    /// Slots logged in an epoch in which nothing is allocated.
    pub log_entries: u64,
    /// Decrements that a mutator does at a time.
    pub slice: u64,
    /// Bytes by which the heap grows between two traces, as a multiple of the bytes that the last one left.
    pub growth: f64,
    /// Bytes by which the heap grows between two traces at least.
    pub minimum_bytes: u64,
}

impl Default for CoalescingSettings {
    fn default() -> Self {
        Self {
            epoch_bytes: 4 << 20,
            log_entries: 64 << 10,
            slice: 4096,
            growth: 1.0,
            minimum_bytes: 4 << 20,
        }
    }
}

/// How far an epoch's end goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Decrements are put off. There is a trace if one is due.
    Epoch,
    /// And all decrements are done.
    Decrements,
    /// And there is a trace.
    Trace,
}

/// A mutator, as an epoch's end sees it.
struct Part {
    roots: RootTable<EpochCount>,
    log: Log,
    /// Large objects that may be young.
    large: Mutex<Vec<Counted>>,
    /// Slots overwritten since the last epoch ended, and how many of them were logged.
    stores: Plain<u64>,
    logged: Plain<u64>,
}

impl Collector for Coalescing {
    const NAME: &'static str = "coalescing";
    const SUMMARY: &'static str = "logs a slot once an epoch, counts what it held and holds when the epoch ends, and \
         traces now and then for cycles";
    const PAPER: &'static str = "Y. Levanoni and E. Petrank, An on-the-fly reference-counting garbage collector for Java, \
         OOPSLA, 2001; W. Zhao, S. M. Blackburn and K. S. McKinley, Low-latency, high-throughput garbage collection, \
         PLDI, 2022";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Everything,
        moves: false,
        finalizers: Finalizers::Deferred,
        resurrects: true,
        generations: 2,
    };
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: "epoch-bytes",
            default: "4194304",
            unit: "bytes",
            range: "1..",
            meaning: "bytes allocated that end an epoch",
        },
        Setting {
            name: "log-entries",
            default: "65536",
            unit: "slots",
            range: "1..",
            meaning: "slots logged that end an epoch in which nothing is allocated; half of both do so together",
        },
        Setting {
            name: "slice",
            default: "4096",
            unit: "decrements",
            range: "1..",
            meaning: "decrements that a mutator does at a time, whenever it has allocated four bytes for each",
        },
        Setting {
            name: "growth",
            default: "1.0",
            unit: "ratio",
            range: "0.1..=16",
            meaning: "bytes by which the heap grows between two traces, as a multiple of the bytes that the last one left",
        },
        Setting {
            name: "minimum-bytes",
            default: "4194304",
            unit: "bytes",
            range: "1..",
            meaning: "bytes by which the heap grows between two traces at least",
        },
    ];
    const SIDE_TABLES: SideTables = SideTables::Scratch;

    type Settings = CoalescingSettings;
    type Header = EpochCount;
    type Local = CoalescingLocal;

    fn new(settings: CoalescingSettings) -> Result<Self, SettingsError> {
        let refuse = |setting, value: String, expected| {
            Err(SettingsError { collector: Self::NAME, setting, value, expected })
        };
        for (setting, value) in [
            ("epoch-bytes", settings.epoch_bytes),
            ("log-entries", settings.log_entries),
            ("slice", settings.slice),
            ("minimum-bytes", settings.minimum_bytes),
        ] {
            if value == 0 {
                return refuse(setting, value.to_string(), "at least 1");
            }
        }
        if !(0.1..=16.0).contains(&settings.growth) {
            return refuse("growth", settings.growth.to_string(), "a number from 0.1 to 16");
        }
        Ok(Self {
            settings,
            epochs: Growth::constant(settings.epoch_bytes),
            entry_bytes: settings.epoch_bytes.div_ceil(settings.log_entries) as usize,
            state: Mutex::new(State::default()),
            is_behind: AtomicBool::new(false),
            waiting: Waiting::new(),
        })
    }

    fn attach(self: &Arc<Self>, seat: Seat<EpochCount>) -> CoalescingLocal {
        CoalescingLocal::new(Arc::clone(self), seat)
    }

    fn check(&self, inspection: &Inspection<'_, EpochCount>) {
        let state = self.state();
        let mut held: Vec<_> = self
            .waiting
            .objects()
            .into_iter()
            .map(|object| ("a waiting finalizer", object))
            .collect();
        for part in &state.parts {
            part.roots.for_each(|object| held.push(("a root", object)));
        }
        held.extend(state.roots.iter().map(|&object| ("a counted root", object)));
        held.extend(state.drops.iter().map(|&object| ("a decrement", object)));
        inspection.check_references(held);
        check_counts(inspection, &state);
    }
}

/// Tests invariants 1 and 2 by counting anew.
fn check_counts(inspection: &Inspection<'_, EpochCount>, state: &State) {
    let mut logged = HashMap::new();
    let logs = state.parts.iter().flat_map(|part| part.log.entries());
    for entry in logs.chain(state.logs.iter().copied()) {
        let before = *logged.entry(entry.address()).or_insert(entry.before);
        assert_eq!(before, entry.before, "what two logs say of one slot");
    }
    let dying: HashSet<Counted> = state.dying.iter().copied().collect();
    let mut references: HashMap<Counted, u32> = HashMap::new();
    let mut refer = |object| *references.entry(object).or_default() += 1;
    for object in inspection.objects() {
        // SAFETY: the world is stopped, and the object in the heap.
        for slot in unsafe { object.slots() } {
            // Relaxed: ordered by the safepoint handshake.
            let value = slot.load(Relaxed);
            let before = logged.remove(&(std::ptr::from_ref(slot) as usize));
            match (value & UNLOGGED != 0, before) {
                (true, None) => {
                    crate::marking::object_at(value & !UNLOGGED).into_iter().for_each(&mut refer)
                }
                (false, Some(before)) => {
                    crate::marking::object_at(before).into_iter().for_each(&mut refer)
                }
                (false, None) => {
                    assert!(object.header().is_young(), "a slot of {object:?} is in no log")
                }
                (true, Some(_)) => {
                    panic!("a slot of {object:?} is in a log and says that it is not")
                }
            }
        }
    }
    assert!(logged.is_empty(), "logs name slots that are none: {logged:x?}");
    state.roots.iter().chain(&state.drops).copied().for_each(&mut refer);
    for object in inspection.objects() {
        let counted = references.remove(&object).unwrap_or(0);
        let header = object.header();
        assert_eq!(header.references(), counted, "the count of {object:?}, and what refers to it");
        let is_alive = header.is_young() || counted > 0;
        assert_ne!(
            is_alive,
            dying.contains(&object),
            "{object:?} is dying if it has no references"
        );
    }
}

impl Coalescing {
    /// Whether decrements have been put off.
    fn is_behind(&self) -> bool {
        // Relaxed: a hint.
        self.is_behind.load(Relaxed)
    }

    /// The most bytes that a mutator may allocate before it looks again.
    fn portion(&self) -> u64 {
        if self.is_behind() {
            self.settings.slice.saturating_mul(BYTES_PER_DECREMENT)
        } else {
            u64::MAX
        }
    }

    /// Takes over what a mutator leaves behind that detaches; gives how often its barrier was used.
    fn take_part(&self, part: &Arc<Part>) -> Event {
        let mut state = self.state();
        state.logs.extend(part.log.take());
        state.large.append(&mut part.large());
        state.parts.retain(|other| !Arc::ptr_eq(other, part));
        let (stores, logged) = part.take_counters();
        Event::Barrier { stores, logged }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl Part {
    fn new() -> Self {
        Self {
            roots: RootTable::new(),
            log: Log::new(),
            large: Mutex::new(Vec::new()),
            stores: Plain::new(0),
            logged: Plain::new(0),
        }
    }

    fn large(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.large.lock().expect("nothing panics while it holds this lock")
    }

    fn take_counters(&self) -> (u64, u64) {
        let counters = (self.stores.get(), self.logged.get());
        self.stores.set(0);
        self.logged.set(0);
        counters
    }
}
