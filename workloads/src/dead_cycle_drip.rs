//! A drip of dead cycles beside a large heap that lives: the case that Tim Peters asks of every new collector.
//!
//! *Claim tested:* that short pauses cost nothing but throughput. Cyclic garbage comes slowly here and has become old
//! when it dies, among hundreds of thousands of objects that live on. To find it takes a look at the whole heap, and an
//! incremental collector takes that look in small steps; if its steps are too small for the drip, or begin again too
//! often, memory grows without end while every pause looks fine. (CPython 3.14's incremental collector was withdrawn
//! for such growth.) A collector that looks at everything each time pays for the live heap over and over.
//!
//! Most of what is allocated dies at once and is not cyclic; it refers to a live object for as long as it lives.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Reference,
    Workload,
    chains::{self, Shape},
    memory::STRETCH,
    parameter::within,
};

/// The slot of a node that holds a live one.
const LIVE: usize = 1;

/// The workload `dead-cycle-drip`.
pub struct DeadCycleDrip;

/// How large the heap is, and how fast it drips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Live nodes of each thread.
    pub live: u32,
    /// Short-lived nodes made by each thread.
    pub steps: u64,
    /// Short-lived nodes made for each cycle that is made and each that dies.
    pub drip: u32,
    /// Nodes of each cycle.
    pub cycle_size: u32,
    /// Cycles alive at a time.
    pub kept: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { live: 200_000, steps: 1_000_000, drip: 20, cycle_size: 4, kept: 1000, words: 2 }
    }
}

/// The classes of the workload.
pub struct Classes<K> {
    table: K,
    node: K,
}

impl Workload for DeadCycleDrip {
    const NAME: &'static str = "dead-cycle-drip";
    const SUMMARY: &'static str = "slow cyclic garbage, dead of old age, beside a large live heap: \
                                   who keeps up with it, and at what price?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "live",
            default: "200000",
            unit: "objects",
            range: "1 to 1000000000",
            meaning: "live nodes of each thread",
        },
        Parameter {
            name: "steps",
            default: "1000000",
            unit: "objects",
            range: "1 to 1000000000",
            meaning: "short-lived nodes made by each thread",
        },
        Parameter {
            name: "drip",
            default: "20",
            unit: "objects",
            range: "1 to 1000000000",
            meaning: "short-lived nodes made for each cycle that is made and each that dies",
        },
        Parameter {
            name: "cycle-size",
            default: "4",
            unit: "objects",
            range: "1 to 1000000",
            meaning: "nodes of each cycle",
        },
        Parameter {
            name: "kept",
            default: "1000",
            unit: "cycles",
            range: "1 to 1000000",
            meaning: "cycles alive at a time: the oldest dies for each new one",
        },
        Parameter {
            name: "words",
            default: "2",
            unit: "words of 8 bytes",
            range: "1 to 1024",
            meaning: "data in each node",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = Classes<C::Class>;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("live", parameters.live.into(), 1..=1_000_000_000)?;
        within("steps", parameters.steps, 1..=1_000_000_000)?;
        within("drip", parameters.drip.into(), 1..=1_000_000_000)?;
        within("cycle-size", parameters.cycle_size.into(), 1..=1_000_000)?;
        within("kept", parameters.kept.into(), 1..=1_000_000)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Classes<C::Class>, OutOfMemory> {
        Ok(Classes::new(program, parameters))
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Classes<C::Class>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        play(program, setup, parameters)
    }

    fn predict(parameters: &Parameters, choices: Choices) -> Expected {
        PlainMemory::play(choices, |memory| {
            let classes = Classes::new(memory, parameters);
            play(memory, &classes, parameters)
        })
    }
}

impl<K> Classes<K> {
    fn new<M: Memory<Class = K>>(memory: &mut M, parameters: &Parameters) -> Self {
        let node = memory.class("Node", 2, parameters.words);
        Self { table: memory.class("Table", 0, 0), node }
    }
}

/// Makes the live heap, lets cycles drip beside it, and reads what is left.
fn play<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    let live = settle(memory, classes, parameters)?;
    let kept = memory.alloc_with(&classes.table, parameters.kept)?;
    let mut dripped = 0;
    for step in 0..parameters.steps {
        if step % u64::from(parameters.drip) == 0 {
            let cycle = chains::make(memory, &classes.node, Shape::Ring, parameters.cycle_size)?;
            if let Some(oldest) = memory.swap(&kept, dripped % kept.slots(), Some(&cycle)) {
                chains::read(memory, &oldest, parameters.cycle_size);
            }
            dripped += 1;
        }
        let short_lived = memory.alloc(&classes.node)?;
        let target = memory.choices().below(live.slots());
        memory.set(&short_lived, LIVE, live.get(target).as_ref());
        memory.read(&short_lived);
        memory.follow(&short_lived, LIVE);
    }

    for place in 0..kept.slots() {
        if let Some(cycle) = kept.get(place) {
            chains::read(memory, &cycle, parameters.cycle_size);
        }
    }
    for place in 0..live.slots() {
        if let Some(node) = live.get(place) {
            memory.read(&node);
            memory.follow(&node, LIVE);
        }
        if place.is_multiple_of(STRETCH) {
            memory.safepoint();
        }
    }
    Ok(())
}

/// Makes the live nodes, each of which refers to one made before it, and returns the table of them.
fn settle<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    parameters: &Parameters,
) -> Result<M::Root, OutOfMemory> {
    let live = memory.alloc_with(&classes.table, parameters.live)?;
    for place in 0..live.slots() {
        let node = memory.alloc(&classes.node)?;
        if place > 0 {
            let earlier = memory.choices().below(place);
            memory.set(&node, LIVE, live.get(earlier).as_ref());
        }
        memory.set(&live, place, Some(&node));
    }
    Ok(live)
}
