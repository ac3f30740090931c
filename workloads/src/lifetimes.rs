//! Lifetimes: objects that die when a calendar says so, by the distributions that are measured in programs.
//!
//! *Claim tested:* the generational hypothesis itself, as far as one believes it. Most lifetimes are log-normal, with
//! median and spread as set; a share is of a Pareto distribution, whose tail is heavy: the older such an object is, the
//! longer it can be expected to live on. With a small spread and no tail everything dies at about one age, the worst
//! case of generations; with a large spread and a heavy tail the hypothesis holds. Everything else is fixed, so that
//! the same garbage is cyclic or not, small or large, as set.
//!
//! A lifetime is counted in allocations. What lives and dies is a small cluster, an object and its children, which are a
//! cycle if they know their parent. Nothing else refers to a cluster, so its time of death is exact.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Reference,
    Workload,
    distributions::{log_normal, pareto},
    parameter::within,
};

/// The slot of a child that holds its parent, if it knows it.
const PARENT: usize = 0;

/// Places of the first table: few, so that it grows in small runs too.
const SMALLEST_TABLE: u32 = 64;

/// The workload `lifetimes`.
pub struct Lifetimes;

/// How many objects, of which kind, and how long they live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Objects made by each thread.
    pub allocations: u64,
    /// Median of the log-normal lifetimes.
    pub median: u32,
    /// Standard deviation of the logarithm of the log-normal lifetimes, times 100.
    pub spread_percent: u32,
    /// Of 100 clusters, how many have a lifetime of the tail.
    pub tail_percent: u32,
    /// Smallest lifetime of the tail.
    pub tail_minimum: u32,
    /// Index of the tail, times 100.
    pub tail_index_percent: u32,
    /// Of 100 clusters, in how many the children know their parent.
    pub cyclic_percent: u32,
    /// Children of a cluster.
    pub fan_out: u32,
    /// Data words of the largest objects.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            allocations: 2_000_000,
            median: 1000,
            spread_percent: 150,
            tail_percent: 10,
            tail_minimum: 100_000,
            tail_index_percent: 110,
            cyclic_percent: 30,
            fan_out: 3,
            words: 8,
        }
    }
}

/// The classes of the workload.
pub struct Classes<K> {
    table: K,
    /// By size, the smallest first.
    objects: Vec<K>,
}

impl Workload for Lifetimes {
    const NAME: &'static str = "lifetimes";
    const SUMMARY: &'static str = "clusters that live as long as a calendar says: \
                                   does the generational hypothesis pay, and where does it fail?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "allocations",
            default: "2000000",
            unit: "objects",
            range: "1 to 1000000000",
            meaning: "objects made by each thread",
        },
        Parameter {
            name: "median",
            default: "1000",
            unit: "allocations",
            range: "1 to 1000000000",
            meaning: "median of the log-normal lifetimes",
        },
        Parameter {
            name: "spread-percent",
            default: "150",
            unit: "%",
            range: "0 to 1000",
            meaning: "standard deviation of their natural logarithm, times 100",
        },
        Parameter {
            name: "tail-percent",
            default: "10",
            unit: "%",
            range: "0 to 100",
            meaning: "clusters whose lifetime is of a Pareto distribution instead",
        },
        Parameter {
            name: "tail-minimum",
            default: "100000",
            unit: "allocations",
            range: "1 to 1000000000",
            meaning: "smallest lifetime of the Pareto distribution",
        },
        Parameter {
            name: "tail-index-percent",
            default: "110",
            unit: "%",
            range: "1 to 10000",
            meaning: "its index, times 100: the smaller, the heavier the tail",
        },
        Parameter {
            name: "cyclic-percent",
            default: "30",
            unit: "%",
            range: "0 to 100",
            meaning: "clusters whose children know their parent, and so cycles",
        },
        Parameter {
            name: "fan-out",
            default: "3",
            unit: "objects",
            range: "1 to 10000",
            meaning: "children in each cluster",
        },
        Parameter {
            name: "words",
            default: "8",
            unit: "words of 8 bytes",
            range: "1 to 1024",
            meaning: "data in the largest objects; others have half of that, a quarter, and so on",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = Classes<C::Class>;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("allocations", parameters.allocations, 1..=1_000_000_000)?;
        within("median", parameters.median.into(), 1..=1_000_000_000)?;
        within("spread-percent", parameters.spread_percent.into(), 0..=1000)?;
        within("tail-percent", parameters.tail_percent.into(), 0..=100)?;
        within("tail-minimum", parameters.tail_minimum.into(), 1..=1_000_000_000)?;
        within("tail-index-percent", parameters.tail_index_percent.into(), 1..=10_000)?;
        within("cyclic-percent", parameters.cyclic_percent.into(), 0..=100)?;
        within("fan-out", parameters.fan_out.into(), 1..=10_000)?;
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
        let halves = std::iter::successors(Some(parameters.words), |words| Some(words / 2));
        let mut sizes: Vec<u32> = halves.take_while(|&words| words > 0).collect();
        sizes.reverse();
        let objects = sizes
            .into_iter()
            .map(|words| memory.class(&format!("Object of {words} words"), 0, words));
        Self { objects: objects.collect(), table: memory.class("Table", 0, 0) }
    }
}

/// Makes all clusters, and lets each die at its time.
fn play<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    let mut calendar = Calendar::new(memory, classes)?;
    let mut clock = 0;
    while clock < parameters.allocations {
        calendar.advance(memory, clock);
        let born = cluster(memory, classes, parameters)?;
        clock += u64::from(parameters.fan_out) + 1;
        let death = clock.saturating_add(parameters.lifetime(memory.choices()));
        calendar.enter(memory, death, &born)?;
    }
    calendar.advance(memory, u64::MAX);
    Ok(())
}

impl Parameters {
    /// Draws how long a cluster lives, in allocations.
    fn lifetime(&self, choices: &mut Choices) -> u64 {
        let hundredth = |percent: u32| f64::from(percent) / 100.0;
        let lifetime = if choices.percent(self.tail_percent) {
            pareto(choices, self.tail_minimum.into(), hundredth(self.tail_index_percent))
        } else {
            log_normal(choices, self.median.into(), hundredth(self.spread_percent))
        };
        // The largest number at most: such a cluster lives to the end.
        lifetime as u64
    }
}

/// Makes a cluster and returns the parent in it.
fn cluster<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    parameters: &Parameters,
) -> Result<M::Root, OutOfMemory> {
    let knows_parent = memory.choices().percent(parameters.cyclic_percent);
    let parent = object(memory, classes, parameters.fan_out)?;
    for slot in 0..parent.slots() {
        let child = object(memory, classes, 1)?;
        memory.set(&parent, slot, Some(&child));
        if knows_parent {
            memory.set(&child, PARENT, Some(&parent));
        }
    }
    Ok(parent)
}

/// Makes an object of some size.
fn object<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    slots: u32,
) -> Result<M::Root, OutOfMemory> {
    let size = memory.choices().below(classes.objects.len());
    memory.alloc_with(&classes.objects[size], slots)
}

/// Reads a cluster.
fn read<M: Memory>(memory: &mut M, parent: &M::Root) {
    memory.read(parent);
    for slot in 0..parent.slots() {
        if let Some(child) = parent.get(slot) {
            memory.read(&child);
            memory.follow(&child, PARENT);
        }
    }
}

/// The clusters that live, and when each dies.
struct Calendar<'a, M: Memory> {
    classes: &'a Classes<M::Class>,
    /// What keeps the clusters: a table on the heap, which is replaced by a larger one when it is full.
    table: M::Root,
    /// Places in the table that are not taken.
    free: Vec<usize>,
    /// Times of death and places in the table; the next is at the top.
    deaths: BinaryHeap<Reverse<(u64, usize)>>,
}

impl<'a, M: Memory> Calendar<'a, M> {
    fn new(memory: &mut M, classes: &'a Classes<M::Class>) -> Result<Self, OutOfMemory> {
        let table = memory.alloc_with(&classes.table, SMALLEST_TABLE)?;
        let free = (0..table.slots()).rev().collect();
        Ok(Self { classes, table, free, deaths: BinaryHeap::new() })
    }

    /// Keeps a cluster until `death`.
    fn enter(&mut self, memory: &mut M, death: u64, born: &M::Root) -> Result<(), OutOfMemory> {
        if self.free.is_empty() {
            self.grow(memory)?;
        }
        let place = self.free.pop().expect("a table that has grown has free places");
        memory.set(&self.table, place, Some(born));
        self.deaths.push(Reverse((death, place)));
        Ok(())
    }

    /// Reads and drops every cluster whose time has come.
    fn advance(&mut self, memory: &mut M, now: u64) {
        while let Some(&Reverse((death, place))) = self.deaths.peek() {
            if death > now {
                return;
            }
            self.deaths.pop();
            self.free.push(place);
            if let Some(dead) = memory.swap(&self.table, place, None) {
                read(memory, &dead);
            }
            memory.safepoint();
        }
    }

    /// Moves all clusters to a table of twice the size.
    fn grow(&mut self, memory: &mut M) -> Result<(), OutOfMemory> {
        let places = self.table.slots();
        let larger = memory.alloc_with(&self.classes.table, 2 * places as u32)?;
        for place in 0..places {
            let kept = memory.swap(&self.table, place, None);
            memory.set(&larger, place, kept.as_ref());
        }
        self.free.extend((places..larger.slots()).rev());
        self.table = larger;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_live_as_long_as_their_calendar_says() {
        let parameters = Parameters::default();
        let expected = PlainMemory::play(Choices::new(1, 0), |memory| {
            let classes = Classes::new(memory, &parameters);
            let mut calendar = Calendar::new(memory, &classes)?;
            for death in (1..=1000).rev() {
                let born = cluster(memory, &classes, &parameters)?;
                calendar.enter(memory, death, &born)?;
            }
            for now in 0..=1000_u64 {
                calendar.advance(memory, now);
                let alive = (0..calendar.table.slots()).filter_map(|slot| calendar.table.get(slot));
                assert_eq!(alive.count() as u64, 1000 - now);
            }
            Ok(())
        });
        // 30 % of 1000 clusters of 4 objects.
        let cyclic = expected.cyclic.count();
        assert!((1000..1400).contains(&cyclic), "{cyclic} objects are left");
    }

    #[test]
    fn the_tail_is_as_heavy_as_it_is_set() {
        let parameters = Parameters { spread_percent: 0, ..Parameters::default() };
        let mut choices = Choices::new(3, 0);
        let lifetimes: Vec<u64> = (0..100_000).map(|_| parameters.lifetime(&mut choices)).collect();
        let above = |bound| lifetimes.iter().filter(|&&lifetime| lifetime > bound).count();
        // 10 % are of the tail, and of these 0.1^1.1 = 7.9 % are more than ten times the smallest.
        assert!((9600..10_400).contains(&above(99_999)), "{}", above(99_999));
        assert!((730..860).contains(&above(1_000_000)), "{}", above(1_000_000));
        assert!((999..=1000).contains(lifetimes.iter().min().unwrap()));
    }
}
