//! Snapshot: marks and sweeps beside the running program, what was reachable when it began.
//!
//! After T. Yuasa, *Real-time garbage collection on general-purpose machines*, Journal of Systems and Software 1990 (what is
//! marked is what could be reached in a snapshot); D. Doligez and G. Gonthier, *Portable, unobtrusive garbage collection for
//! multiprocessor systems*, POPL 1994 (threads join the snapshot one by one, at handshakes, and never stop together).
//!
//! # How it works
//!
//! Every object has the colour of the cycle in which it was allocated or last marked. A cycle runs on a thread of the
//! collector's own:
//!
//! 1. *Begin.* A handshake tells each mutator that its stores go through the barrier (`snapshot/local.rs`), which shades
//!    what a slot held. Until its roots have been taken a mutator also shades what it stores: it may hold the only
//!    reference.
//! 2. *Roots.* What shared handles and waiting finalizers refer to is taken; then, by a second handshake, each mutator's
//!    roots. What it allocates from then on has the new colour: not before, since such an object is not scanned, and a
//!    mutator that does not shade yet could store the only reference to something in it.
//! 3. *Mark* (`marking.rs`). Whatever these reach gets the new colour. A handshake asks for what has been shaded
//!    meanwhile, until nobody has shaded anything: then whatever the snapshot reaches is marked.
//! 4. *Finalize.* Unreachable objects with finalizers are marked, with all they reach, and then wait to be finalized by a
//!    mutator; the next cycle finds them again.
//! 5. *Sweep* (`snapshot/sweep.rs`). What has the old colour is freed.
//!
//! # Invariants
//!
//! 1. The scratch entry of an object is its colour, that of anything else 0. Between cycles all objects have the same one.
//! 2. While a cycle is marking: an object of the old colour that a mutator can reach is reachable from one that is still
//!    to be scanned, through slots whose overwriting a barrier would shade.
//! 3. An object whose class has a finalizer is on one list of `finalizable` objects until its finalizer waits or runs.
//!
//! # Bounds
//!
//! A pause is a handshake: it takes as long as copying the mutator's roots, or what it has shaded. What dies while a cycle
//! runs is freed by the next at the latest. A mutator that uses up the bytes until the next cycle while one is still
//! running waits for its end: so no more than twice the trigger's limit is allocated between two snapshots, and garbage
//! never exceeds that by more than the portions that mutators have taken.
//!
//! # Synchronization
//!
//! | variable          | written by                      | read by             | protocol                               |
//! |-------------------|---------------------------------|---------------------|----------------------------------------|
//! | slots             | mutators                        | mutators, markers   | stores release, loads acquire          |
//! | colour of a new object | its mutator                | the sweep           | handshake: what has the old colour is older |
//! | colours           | markers                         | barriers            | Relaxed: a late look shades once more  |
//! | `barrier`, `colour` of a part | acts of handshakes  | its mutator         | handshake                              |
//! | roots of a part   | its mutator                     | acts of handshakes  | handshake                              |
//! | `shaded`          | its mutator                     | acts of handshakes  | the lock                               |
//! | `phase`           | the collector                   | mutators that attach | the lock                              |
//!
//! # Departures
//!
//! Doligez and Gonthier have three handshakes before marking and mutators that mark their own roots; here the second one
//! takes the roots. Freed cells go to their owners' remote lists, one by one.

mod local;
#[cfg(test)]
mod models;
mod sweep;

use serde::{Deserialize, Serialize};

pub use self::local::SnapshotLocal;
use self::sweep::sweep;
use crate::{
    Capabilities, Collected, Collector, Event, Finalizers, Reclaims, Setting, SettingsError,
    SideTables,
    collector::Inspection,
    finalization::{Finalizable, Waiting},
    heap::{Object, Seat},
    marking::{Marking, is_marked},
    roots::RootTable,
    threads::{
        collector_thread::CollectorThread,
        sync::{Arc, Mutex, MutexGuard, Plain, mutant, scope},
    },
    triggers::growth::Growth,
};

/// What lies in a heap managed by snapshot: objects without a header of the collector's.
type Traced = Object<()>;

/// The two colours; 0 is that of what is no object.
const COLOURS: [u32; 2] = [1, 2];

/// Marks and sweeps on threads of its own.
pub struct Snapshot {
    growth: Growth,
    markers: usize,
    thread: Arc<CollectorThread>,
    state: Mutex<State>,
    /// Unreachable objects whose finalizers have to be run. They are roots.
    waiting: Waiting<()>,
}

/// What mutators and collector have in common.
struct State {
    /// The parts of all mutators, those whose finalizable objects outlived them included, with the number of the
    /// mutator's seat.
    parts: Vec<(usize, Arc<Part>)>,
    /// In what a mutator that attaches begins.
    phase: Phase,
    /// What the last cycle found.
    last: Found,
}

/// What a mutator has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Phase {
    barrier: Barrier,
    /// The colour of new objects.
    colour: u32,
}

/// What a mutator's stores shade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Barrier {
    /// Nothing: no cycle is marking.
    Off = 0,
    /// What a slot held.
    Old = 1,
    /// That, and what it is made to hold: the mutator's roots have not been taken.
    Both = 2,
}

/// What a cycle has found.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    collected: Collected,
    finalizers: bool,
}

/// The settings of snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SnapshotSettings {
    /// Bytes allocated that make a cycle due, as a multiple of the bytes that the last one left.
    pub growth: f64,
    /// Bytes allocated that make a cycle due at least.
    pub minimum_bytes: u64,
    /// Threads that mark.
    pub markers: u32,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self { growth: 1.0, minimum_bytes: 4 << 20, markers: 1 }
    }
}

/// A mutator, as a cycle sees it.
struct Part {
    roots: RootTable<()>,
    finalizable: Finalizable<()>,
    /// What the barrier has shaded since it was last asked.
    shaded: Mutex<Vec<Traced>>,
    barrier: Plain<u32>,
    colour: Plain<u32>,
}

impl Collector for Snapshot {
    const NAME: &'static str = "snapshot";
    const SUMMARY: &'static str =
        "marks and sweeps beside the running program, which stops for handshakes only";
    const PAPER: &'static str = "T. Yuasa, Real-time garbage collection on general-purpose machines, Journal of Systems \
         and Software, 1990; D. Doligez and G. Gonthier, Portable, unobtrusive garbage collection for multiprocessor \
         systems, POPL, 1994";
    const CAPABILITIES: Capabilities = Capabilities {
        reclaims: Reclaims::Everything,
        moves: false,
        finalizers: Finalizers::Deferred,
        resurrects: true,
        generations: 1,
    };
    const SETTINGS: &'static [Setting] = &{
        let [growth, minimum] = Growth::SETTINGS;
        [
            growth,
            minimum,
            Setting {
                name: "markers",
                default: "1",
                unit: "threads",
                range: "1..=64",
                meaning: "threads that mark",
            },
        ]
    };
    const SIDE_TABLES: SideTables = SideTables::Scratch;

    type Settings = SnapshotSettings;
    type Header = ();
    type Local = SnapshotLocal;

    fn new(settings: SnapshotSettings) -> Result<Self, SettingsError> {
        if !(1..=64).contains(&settings.markers) {
            return Err(SettingsError {
                collector: Self::NAME,
                setting: "markers",
                value: settings.markers.to_string(),
                expected: "a number from 1 to 64",
            });
        }
        let phase = Phase { barrier: Barrier::Off, colour: COLOURS[0] };
        Ok(Self {
            growth: Growth::new(Self::NAME, settings.growth, settings.minimum_bytes)?,
            markers: settings.markers as usize,
            thread: Arc::new(CollectorThread::new()),
            state: Mutex::new(State { parts: Vec::new(), phase, last: Found::default() }),
            waiting: Waiting::new(),
        })
    }

    fn attach(self: &Arc<Self>, seat: Seat<()>) -> SnapshotLocal {
        let this = Arc::downgrade(self);
        self.thread.start(&seat.core, move |seat| {
            if let Some(this) = this.upgrade() {
                this.cycle(seat);
            }
        });
        SnapshotLocal::new(Arc::clone(self), seat)
    }

    fn close(&self) {
        self.thread.close();
    }

    fn check(&self, inspection: &Inspection<'_, ()>) {
        let state = self.state();
        let phase = state.phase;
        let is_idle = phase.barrier == Barrier::Off && self.thread.is_idle();
        for object in inspection.objects() {
            let colour = COLOURS.into_iter().find(|&colour| is_marked(object, colour));
            assert!(colour.is_some(), "{object:?} has no colour");
            assert!(
                !is_idle || colour == Some(phase.colour),
                "{object:?} was not marked by the last cycle, and is in the heap"
            );
        }
        let mut held = Vec::new();
        for (_, part) in &state.parts {
            part.roots.for_each(|object| held.push(("a root", object)));
            let finalizable = part.finalizable.objects();
            held.extend(finalizable.into_iter().map(|object| ("a finalizer's list", object)));
            held.extend(part.shaded().iter().map(|&object| ("a barrier", object)));
        }
        held.extend(
            self.waiting.objects().into_iter().map(|object| ("a waiting finalizer", object)),
        );
        drop(state);
        let is_swept =
            |object| phase.barrier == Barrier::Off && !is_marked(object, phase.colour) && !is_idle;
        inspection.check_references_of(|object| !is_swept(object), held);
    }
}

impl Snapshot {
    /// One cycle, on the collector's thread. Ends early if the heap is poisoned; its mutators find out themselves.
    fn cycle(&self, seat: &Seat<()>) {
        seat.answer();
        let core = &*seat.core;
        core.sample(seat.index);
        self.growth.begin();
        let found = self.collect(seat);
        core.drain_vacant();
        self.growth.end(core.statistics().held().bytes);
        self.state().last = found;
    }

    fn collect(&self, seat: &Seat<()>) -> Found {
        let core = &*seat.core;
        let colour = self.begin(seat);
        let mut roots = core.shared.objects();
        roots.extend(self.waiting.objects());
        let mut marked = 0;
        self.ask(seat, |part| {
            part.barrier.set(Barrier::Old as u32);
            part.colour.set(colour);
            let mut taken = part.shaded();
            part.roots.for_each(|object| taken.push(object));
        });
        while !roots.is_empty() || self.take_shaded(seat, &mut roots) {
            marked += self.mark(seat, std::mem::take(&mut roots), colour);
        }
        let dying = self.take_dying(colour);
        // Their finalizers may take apart what they reach, so that is marked before any of them can be run.
        marked += self.mark(seat, dying.clone(), colour);
        self.waiting.extend(core, &dying);
        let finalizers = !dying.is_empty();
        self.end(seat, colour);
        let freed = sweep(seat, colour);
        let examined = marked + freed.objects;
        seat.emit(Event::Collection {
            generation: 0,
            examined,
            freed: freed.objects,
            survived: marked,
            freed_bytes: freed.bytes,
        });
        Found { collected: Collected { examined, freed: freed.objects }, finalizers }
    }

    /// Begins a cycle: from here on every mutator shades. Gives the colour of what is reached or allocated after that.
    fn begin(&self, seat: &Seat<()>) -> u32 {
        let mut state = self.state();
        let colour = COLOURS[usize::from(state.phase.colour == COLOURS[0])];
        state.phase.barrier = Barrier::Both;
        drop(state);
        if !mutant("take roots without telling mutators first") {
            self.ask(seat, |part| {
                part.barrier.set(Barrier::Both as u32);
                if mutant("allocate in the new colour before all shade") {
                    part.colour.set(colour);
                }
            });
        }
        // Whoever attaches from now on has no roots to be taken.
        self.state().phase = Phase { barrier: Barrier::Old, colour };
        colour
    }

    /// Ends marking: nobody shades any more.
    fn end(&self, seat: &Seat<()>, colour: u32) {
        self.state().phase = Phase { barrier: Barrier::Off, colour };
        self.ask(seat, |part| part.barrier.set(Barrier::Off as u32));
    }

    /// Takes what mutators have shaded; says whether there was anything. If not, marking is complete: what had not been
    /// scanned when this began would have been in somebody's list.
    fn take_shaded(&self, seat: &Seat<()>, roots: &mut Vec<Traced>) -> bool {
        let taken = Mutex::new(Vec::new());
        self.ask(seat, |part| {
            let mut shaded = part.shaded();
            taken.lock().expect("nothing panics while it holds this lock").append(&mut shaded);
        });
        let mut taken = taken.into_inner().expect("nothing panics while it holds this lock");
        // What a mutator has shaded that has left since.
        for (_, part) in &self.state().parts {
            taken.append(&mut part.shaded());
        }
        roots.append(&mut taken);
        !roots.is_empty()
    }

    /// A handshake: each mutator does `act` with its part.
    fn ask(&self, seat: &Seat<()>, act: impl Fn(&Part) + Sync) {
        let parts = self.state().parts.clone();
        let world = &seat.core.world;
        let asked = world.handshake(seat.index, &|index| {
            for (_, part) in parts.iter().filter(|&&(of, _)| of == index) {
                act(part);
            }
        });
        seat.survive(asked);
    }

    /// Marks what `roots` reach; gives how many objects that were.
    fn mark(&self, seat: &Seat<()>, roots: Vec<Traced>, colour: u32) -> u64 {
        let marking = Marking::new(self.markers, colour, roots);
        if self.markers == 1 {
            return marking.work(0, || seat.answer());
        }
        let marked = scope(|scope| {
            let marking = &marking;
            let spawn = |worker| {
                let core = Arc::clone(&seat.core);
                scope.spawn(move || {
                    let seat = Seat::new(core).of_collector();
                    let marked = marking.work(worker, || seat.answer());
                    seat.leave();
                    marked
                })
            };
            let others: Vec<_> = (1..self.markers).map(spawn).collect();
            let marked = marking.work(0, || seat.answer());
            let join =
                || others.into_iter().map(|other| other.join().expect("markers do not panic"));
            seat.core.world.blocked(seat.index, || marked + join().sum::<u64>())
        });
        seat.survive(marked)
    }

    /// Takes the objects that have to be finalized: those that are not marked.
    fn take_dying(&self, colour: u32) -> Vec<Traced> {
        let mut dying = Vec::new();
        let mut state = self.state();
        for (_, part) in &state.parts {
            dying.extend(part.finalizable.take(|object| !is_marked(object, colour)));
        }
        // A mutator that has left is remembered for its finalizable objects only.
        state.parts.retain(|(_, part)| Arc::strong_count(part) > 1 || !part.finalizable.is_empty());
        dying
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl Part {
    fn new(phase: Phase) -> Self {
        Self {
            roots: RootTable::new(),
            finalizable: Finalizable::new(),
            shaded: Mutex::new(Vec::new()),
            barrier: Plain::new(phase.barrier as u32),
            colour: Plain::new(phase.colour),
        }
    }

    fn shaded(&self) -> MutexGuard<'_, Vec<Traced>> {
        self.shaded.lock().expect("nothing panics while it holds this lock")
    }
}
