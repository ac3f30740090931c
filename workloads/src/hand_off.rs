//! Hand-off: what one thread allocates another one drops.
//!
//! *Claim tested:* that an object dies where it was born. Counts that are biased towards the thread that allocated an
//! object, free lists that belong to a thread, and buffers of decrements are all cheapest then; here it never is so. In
//! each round every thread hands a batch to its neighbour and takes one from its other neighbour, reads it and drops it.
//! A share of what crosses is cyclic. All threads wait for one another, so each stop of one is felt by all.
//!
//! A thread owns its ends of the channels. When it ends early, because the heap is exhausted, they disconnect, and its
//! neighbours end instead of waiting for ever. One thread alone hands to itself.

use collectors::OutOfMemory;
use crossbeam::channel::{Receiver, Sender, bounded};
use serde::{Deserialize, Serialize};
use std::sync::Mutex;

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Workload,
    chains::{self, Shape},
    parameter::within,
};

/// Batches on their way from one thread to the next: one, so that a thread is at most a round ahead of its neighbour.
const ON_THE_WAY: usize = 1;

/// The workload `hand-off`.
pub struct HandOff;

/// How much is handed over, and of which kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Batches handed over by each thread.
    pub rounds: u64,
    /// Chains in a batch.
    pub batch: u32,
    /// Nodes of a chain.
    pub chain_size: u32,
    /// Of 100 chains, how many are rings; the others are lists.
    pub cyclic_percent: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { rounds: 8000, batch: 32, chain_size: 8, cyclic_percent: 25, words: 2 }
    }
}

/// The class of the nodes, and the channels from each thread to the next.
pub struct Setup<C: Manager> {
    node: C::Class,
    /// By thread, each of which takes its own.
    ends: Vec<Mutex<Option<Ends<C>>>>,
}

/// A thread's ends of its channels.
struct Ends<C: Manager> {
    to_next: Sender<Batch<C>>,
    from_previous: Receiver<Batch<C>>,
}

type Batch<C> = Vec<<C as Manager>::Shared>;

impl Workload for HandOff {
    const NAME: &'static str = "hand-off";
    const SUMMARY: &'static str = "batches allocated by one thread and dropped by the next: \
                                   what if objects do not die where they were born?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "rounds",
            default: "8000",
            unit: "batches",
            range: "1 to 1000000000",
            meaning: "batches handed over by each thread",
        },
        Parameter {
            name: "batch",
            default: "32",
            unit: "chains",
            range: "1 to 1000000",
            meaning: "rings and lists in each batch",
        },
        Parameter {
            name: "chain-size",
            default: "8",
            unit: "objects",
            range: "1 to 1000000",
            meaning: "nodes of each ring and of each list",
        },
        Parameter {
            name: "cyclic-percent",
            default: "25",
            unit: "%",
            range: "0 to 100",
            meaning: "how many are rings; the others are lists",
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
    type Setup<C: Manager> = Setup<C>;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("rounds", parameters.rounds, 1..=1_000_000_000)?;
        within("batch", parameters.batch.into(), 1..=1_000_000)?;
        within("chain-size", parameters.chain_size.into(), 1..=1_000_000)?;
        within("cyclic-percent", parameters.cyclic_percent.into(), 0..=100)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Setup<C>, OutOfMemory> {
        let (to_next, mut from_previous): (Vec<_>, Vec<_>) =
            (0..program.threads()).map(|_| bounded(ON_THE_WAY)).unzip();
        // The channel of the last thread leads to the first.
        from_previous.rotate_right(1);
        let ends = to_next.into_iter().zip(from_previous);
        let ends = ends.map(|(to_next, from_previous)| Some(Ends { to_next, from_previous }));
        Ok(Setup { node: node(program, parameters), ends: ends.map(Mutex::new).collect() })
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Setup<C>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        let mut ends = setup.ends[program.thread()].lock().expect("nothing panics with this lock");
        let Ends { to_next, from_previous } = ends.take().expect("a thread plays once");
        drop(ends);
        for _ in 0..parameters.rounds {
            let mut batch = Vec::with_capacity(parameters.batch as usize);
            for _ in 0..parameters.batch {
                batch.push({
                    let head = chain(program, &setup.node, parameters)?;
                    program.share(&head)
                });
            }
            // A neighbour that has ended early says itself that the heap was exhausted.
            let Ok(()) = program.blocked(|| to_next.send(batch)) else { return Ok(()) };
            let Ok(batch) = program.blocked(|| from_previous.recv()) else { return Ok(()) };
            for shared in batch {
                let head = program.adopt(&shared);
                drop(shared);
                chains::read(program, &head, parameters.chain_size);
            }
        }
        Ok(())
    }

    /// What a thread has made is read by another, but it is read.
    fn predict(parameters: &Parameters, choices: Choices) -> Expected {
        PlainMemory::play(choices, |memory| {
            let node = node(memory, parameters);
            for _ in 0..parameters.rounds * u64::from(parameters.batch) {
                let head = chain(memory, &node, parameters)?;
                chains::read(memory, &head, parameters.chain_size);
            }
            Ok(())
        })
    }
}

/// The class of the nodes.
fn node<M: Memory>(memory: &mut M, parameters: &Parameters) -> M::Class {
    memory.class("Node", 1, parameters.words)
}

/// Makes a ring or a list.
fn chain<M: Memory>(
    memory: &mut M,
    node: &M::Class,
    parameters: &Parameters,
) -> Result<M::Root, OutOfMemory> {
    let shape = Shape::choose(memory.choices(), parameters.cyclic_percent);
    chains::make(memory, node, shape, parameters.chain_size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{VirtualTime, erased::Erased, faults::Faults, program::Run, workload::run_with};
    use collectors::{Collector, Heap, Options, Reclaims, WithCollector, with_collector};

    /// Runs three threads in a heap that is too small for what some collectors leave.
    struct InLittleMemory;

    impl WithCollector for InLittleMemory {
        type Output = ();

        fn run<C: Collector>(self) {
            let options = Options { limit: 4 << 20, ..Options::default() };
            let heap = Heap::<C>::new(C::Settings::default(), options).unwrap();
            let parameters = Parameters { rounds: 2000, ..Parameters::default() };
            let (stage, faults) = (&VirtualTime::default(), &Faults::default());
            let run = Run { threads: 3, seed: 1, stage, faults };
            let played = run_with::<HandOff, Erased>(&heap, &parameters, run);
            let leaks = C::CAPABILITIES.reclaims != Reclaims::Everything;
            assert_eq!(played.is_err(), leaks, "{}", C::NAME);
        }
    }

    #[test]
    fn threads_that_run_out_of_memory_do_not_leave_the_others_waiting() {
        for name in collectors::NAMES {
            with_collector(name, InLittleMemory);
        }
    }
}
