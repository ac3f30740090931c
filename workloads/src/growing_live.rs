//! A growing live heap: long-lived nodes pile up while short-lived pairs come and go.
//!
//! *Claim tested:* that pauses follow the garbage and not the heap. The live heap is a random graph of two edges a node
//! (the worst locality there is) that only grows, so each full collection has more to look at than the one before, and
//! all of it in vain: what dies are the pairs made between two live nodes, some of them cycles, some pointing into the
//! live graph, which makes a young collection meet old objects. This is where thresholds, the 25 % rule and its
//! alternatives differ, and where incremental collectors have been caught collecting too little.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, Program, Reference, Workload,
    parameter::within, program::sum_of_words,
};

/// The slots of a node: of a live one, two earlier live nodes; of one of a pair, the other one and a live node.
const FIRST: usize = 0;
const SECOND: usize = 1;

/// Nodes in a segment of the table of live nodes. Segments are filled one after the other, so that at any time one of
/// them, not the whole table, is an old object that is being written to.
const SEGMENT: usize = 1024;

/// The workload `growing-live`.
pub struct GrowingLive;

/// How large the heap grows, and what dies meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Live nodes of each thread at the end.
    pub live: u64,
    /// Pairs made and dropped for each live node.
    pub churn_pairs: u32,
    /// Of 100 pairs, how many are cycles.
    pub cyclic_percent: u32,
    /// Of 100 pairs, how many refer to a live node.
    pub into_live_percent: u32,
    /// Data words of a node.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { live: 300_000, churn_pairs: 4, cyclic_percent: 50, into_live_percent: 25, words: 2 }
    }
}

/// The classes of the workload.
pub struct Setup<C: Manager> {
    node: C::Class,
    table: C::Class,
    segment: C::Class,
}

impl Workload for GrowingLive {
    const NAME: &'static str = "growing-live";
    const SUMMARY: &'static str = "pairs that die young over a live graph that only grows: \
                                   do pauses follow the garbage or the heap?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "live",
            default: "300000",
            unit: "objects",
            range: "1 to 1000000000",
            meaning: "live nodes of each thread at the end",
        },
        Parameter {
            name: "churn-pairs",
            default: "4",
            unit: "pairs",
            range: "0 to 1000000",
            meaning: "pairs made and dropped for each live node",
        },
        Parameter {
            name: "cyclic-percent",
            default: "50",
            unit: "%",
            range: "0 to 100",
            meaning: "pairs that are cycles; the others are one-sided",
        },
        Parameter {
            name: "into-live-percent",
            default: "25",
            unit: "%",
            range: "0 to 100",
            meaning: "pairs that refer to a live node",
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
        within("live", parameters.live, 1..=1_000_000_000)?;
        within("churn-pairs", parameters.churn_pairs.into(), 0..=1_000_000)?;
        within("cyclic-percent", parameters.cyclic_percent.into(), 0..=100)?;
        within("into-live-percent", parameters.into_live_percent.into(), 0..=100)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Setup<C>, OutOfMemory> {
        Ok(Setup {
            node: program.class("Node", 2, parameters.words),
            table: program.class("Table", 0, 0),
            segment: program.class("Segment", 0, 0),
        })
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Setup<C>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        let live = parameters.live as usize;
        let segments = live.div_ceil(SEGMENT);
        let table = program.alloc_with(&setup.table, segments as u32)?;
        for index in 0..live {
            append(program, setup, &table, index)?;
            for _ in 0..parameters.churn_pairs {
                churn(program, setup, &table, index, parameters)?;
            }
        }

        for segment in 0..segments {
            let Some(segment) = table.get(segment) else { continue };
            for place in 0..SEGMENT {
                let Some(node) = segment.get(place) else { continue };
                program.read(&node);
                for slot in [FIRST, SECOND] {
                    if let Some(earlier) = node.get(slot) {
                        program.glance(&earlier);
                    }
                }
            }
            program.safepoint();
        }
        Ok(())
    }

    fn predict(parameters: &Parameters, mut choices: Choices) -> Expected {
        let words = u64::from(parameters.words);
        let mut expected = Expected::default();
        let mut add = |value: u64| expected.checksum = expected.checksum.wrapping_add(value);
        let mut live: Vec<LiveNode> = Vec::new();
        for index in 0..parameters.live as usize {
            let value = choices.word();
            add(sum_of_words(value, words));
            let earlier = (index > 0).then(|| {
                let earlier = [choices.below(index), choices.below(index)];
                earlier.iter().for_each(|&earlier| add(live[earlier].value));
                earlier
            });
            live.push(LiveNode { value, earlier, leaked: false });

            for _ in 0..parameters.churn_pairs {
                let cyclic = choices.percent(parameters.cyclic_percent);
                let (left, right) = (choices.word(), choices.word());
                add(sum_of_words(left, words));
                add(sum_of_words(right, words));
                if cyclic {
                    add(left);
                    expected.cyclic.add(2, words);
                    expected.cyclic.add(2, words);
                }
                if choices.percent(parameters.into_live_percent) {
                    let target = &mut live[choices.below(index + 1)];
                    target.leaked |= cyclic;
                    add(target.value);
                }
            }
        }
        // What a leaked pair refers to is leaked with it, and so are the earlier nodes that those refer to.
        for index in (0..live.len()).rev() {
            if live[index].leaked {
                expected.cyclic.add(2, words);
                for earlier in live[index].earlier.into_iter().flatten() {
                    live[earlier].leaked = true;
                }
            }
        }
        expected
    }
}

/// A live node, as [`Workload::predict`] sees it.
struct LiveNode {
    value: u64,
    earlier: Option<[usize; 2]>,
    leaked: bool,
}

/// Makes the live node with number `index`, which refers to two earlier ones.
fn append<'m, C: Manager>(
    program: &mut Program<'m, C>,
    setup: &Setup<C>,
    table: &C::Root<'m>,
    index: usize,
) -> Result<(), OutOfMemory> {
    if index.is_multiple_of(SEGMENT) {
        let segment = program.alloc_with(&setup.segment, SEGMENT as u32)?;
        program.set(table, index / SEGMENT, Some(&segment));
    }
    let node = program.alloc(&setup.node)?;
    if index > 0 {
        for slot in [FIRST, SECOND] {
            let earlier = program.choices.below(index);
            program.set(&node, slot, find::<C>(table, earlier).as_ref());
        }
    }
    if let Some(segment) = table.get(index / SEGMENT) {
        program.set(&segment, index % SEGMENT, Some(&node));
    }
    Ok(())
}

/// Makes a pair, reads it through its own edges, and drops it.
fn churn<'m, C: Manager>(
    program: &mut Program<'m, C>,
    setup: &Setup<C>,
    table: &C::Root<'m>,
    newest: usize,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    let cyclic = program.choices.percent(parameters.cyclic_percent);
    let left = program.alloc(&setup.node)?;
    let right = program.alloc(&setup.node)?;
    program.set(&left, FIRST, Some(&right));
    if cyclic {
        program.set(&right, FIRST, Some(&left));
    }
    if program.choices.percent(parameters.into_live_percent) {
        let target = program.choices.below(newest + 1);
        program.set(&left, SECOND, find::<C>(table, target).as_ref());
    }
    drop(right);

    program.read(&left);
    if let Some(right) = left.get(FIRST) {
        program.read(&right);
        if let Some(left) = right.get(FIRST) {
            program.glance(&left);
        }
    }
    if let Some(live) = left.get(SECOND) {
        program.glance(&live);
    }
    Ok(())
}

/// The live node with number `index`.
fn find<'m, C: Manager>(table: &C::Root<'m>, index: usize) -> Option<C::Root<'m>> {
    table.get(index / SEGMENT)?.get(index % SEGMENT)
}
