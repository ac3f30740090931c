//! Front: the collectors of a workload that no other beats in pause, garbage and CPU time together.
//!
//! Three quantities are minimised: the longest pause, what floats on average, and the CPU time of the run, collector's
//! threads included. Of each the median over invocations counts. One collector *dominates* another if it has the greater
//! median in none of the three, and in at least one of them its range over all invocations lies wholly below the other's:
//! a difference that these runs cannot tell removes nobody. Medians are ordered, so no circle of collectors can dominate
//! each other, and there is always a front. What leaks for good or did not always end well is on none.

use super::{Cell, Group, Range, Results, round};
use crate::units;

/// The collector that others are compared with over all workloads.
pub const REFERENCE: &str = "generational";

/// What a front is, for whoever reads one.
pub const MEANING: &str = "On the front: no other collector has the smaller or equal median in all of longest pause, mean floating bytes and CPU time and, in at least one of them, a range over all invocations wholly below. What leaks for good or did not always end well is not compared.";

/// A workload's collectors, by what they minimise.
#[derive(Debug, Clone, PartialEq)]
pub struct Front {
    /// One for each cell of the group, in its order.
    pub standings: Vec<Standing>,
}

/// Where a collector stands on one workload.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// No other dominates it.
    Front(Point),
    /// Those that dominate it, by their places in the group.
    Dominated(Point, Vec<usize>),
    /// It is not compared, and why.
    Out(Out),
}

/// Why a collector is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// So many bytes were never freed.
    Leaks(u64),
    /// Not every run ended well: in words.
    Failed(String),
    /// There is no audited run to say what floated.
    Unknown,
}

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The longest pause of each run, in nanoseconds; 0 if none was as long as the floor.
    pub pause_ns: Range,
    /// Dead and not yet freed, on average, in bytes.
    pub floating: Range,
    /// CPU time, in nanoseconds.
    pub cpu_ns: Range,
}

/// How a collector stands over all workloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The collector's label.
    pub label: String,
    /// Workloads on which it is compared.
    pub compared: usize,
    /// Workloads on which it is on the front.
    pub on_front: usize,
    /// Workloads on which it dominates [`REFERENCE`]; `None` for that one itself, or if it was not run.
    pub dominates: Option<usize>,
    /// Workloads on which [`REFERENCE`] dominates it; `None` likewise.
    pub is_dominated: Option<usize>,
}

impl Front {
    /// The front of a group; `None` if nothing can be compared.
    pub fn of(group: &Group<'_>) -> Option<Self> {
        let points: Vec<Result<Point, Out>> = group.cells.iter().map(Point::of).collect();
        if points.iter().all(Result::is_err) {
            return None;
        }
        let standings = points.iter().map(|own| match own {
            Err(out) => Standing::Out(out.clone()),
            Ok(own) => {
                let better = points
                    .iter()
                    .enumerate()
                    .filter(|(_, other)| other.as_ref().is_ok_and(|other| other.dominates(own)));
                let better: Vec<usize> = better.map(|(place, _)| place).collect();
                if better.is_empty() {
                    Standing::Front(*own)
                } else {
                    Standing::Dominated(*own, better)
                }
            }
        });
        Some(Self { standings: standings.collect() })
    }
}

impl Standing {
    /// What is compared, if it is.
    pub fn point(&self) -> Option<&Point> {
        match self {
            Self::Front(point) | Self::Dominated(point, _) => Some(point),
            Self::Out(_) => None,
        }
    }

    /// Whether no other dominates it.
    pub fn is_front(&self) -> bool {
        matches!(self, Self::Front(_))
    }

    /// In words, for a table.
    pub fn told(&self, group: &Group<'_>) -> String {
        match self {
            Self::Front(_) => "on the front".to_owned(),
            Self::Dominated(_, better) => {
                let better: Vec<&str> =
                    better.iter().map(|place| group.cells[*place].label.as_str()).collect();
                format!("dominated by {}", better.join(", "))
            }
            Self::Out(out) => out.told(),
        }
    }
}

impl Out {
    /// In words.
    pub fn told(&self) -> String {
        match self {
            Self::Leaks(bytes) => format!("leaks {}", units::bytes(*bytes)),
            Self::Failed(told) => told.clone(),
            Self::Unknown => "not audited".to_owned(),
        }
    }
}

impl Point {
    fn of(cell: &Cell<'_>) -> Result<Self, Out> {
        let failures = cell.failures();
        if !failures.is_empty() {
            return Err(Out::Failed(failures));
        }
        let leaked = cell.memory.as_ref().map_or(0, |memory| round(memory.leaked.median));
        if leaked > 0 {
            return Err(Out::Leaks(leaked));
        }
        let known = || {
            Some(Self {
                pause_ns: cell.pauses.as_ref()?.longest_ns,
                floating: cell.memory.as_ref()?.floating_mean?,
                cpu_ns: cell.cpu_ns?,
            })
        };
        known().ok_or(Out::Unknown)
    }

    /// Whether it is no worse in any quantity and certainly better in one.
    pub fn dominates(&self, other: &Self) -> bool {
        let pairs = [
            (&self.pause_ns, &other.pause_ns),
            (&self.floating, &other.floating),
            (&self.cpu_ns, &other.cpu_ns),
        ];
        pairs.iter().all(|(own, its)| own.median <= its.median)
            && pairs.iter().any(|(own, its)| own.high < its.low)
    }
}

/// How every collector stands over all workloads, in the order of their lists; none without a front.
pub fn tallies(results: &Results<'_>) -> Vec<Tally> {
    let fronts: Vec<(&Group<'_>, Front)> =
        results.groups.iter().filter_map(|group| Some((group, Front::of(group)?))).collect();
    let mut tallies: Vec<Tally> = Vec::new();
    for (group, _) in &fronts {
        for cell in &group.cells {
            if !tallies.iter().any(|tally| tally.label == cell.label) {
                tallies.push(tally(&fronts, cell));
            }
        }
    }
    tallies
}

fn tally(fronts: &[(&Group<'_>, Front)], cell: &Cell<'_>) -> Tally {
    let standing = |(group, front): &(&Group<'_>, Front), label: &str| {
        let place = group.cells.iter().position(|other| other.label == label)?;
        Some(front.standings[place].clone())
    };
    let points = |front| {
        let own = *standing(front, &cell.label)?.point()?;
        Some((own, *standing(front, REFERENCE)?.point()?))
    };
    let has_reference =
        fronts.iter().any(|(group, _)| group.cells.iter().any(|other| other.label == REFERENCE));
    let is_compared = has_reference && cell.label != REFERENCE;
    let count = |wins: fn(&Point, &Point) -> bool| {
        let pairs = fronts.iter().filter_map(points);
        is_compared.then(|| pairs.filter(|(own, its)| wins(own, its)).count())
    };
    let standings: Vec<Standing> =
        fronts.iter().filter_map(|front| standing(front, &cell.label)).collect();
    Tally {
        label: cell.label.clone(),
        compared: standings.iter().filter(|standing| standing.point().is_some()).count(),
        on_front: standings.iter().filter(|standing| standing.is_front()).count(),
        dominates: count(Point::dominates),
        is_dominated: count(|own, its| its.dominates(own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Record, Status},
        synthetic::{failed, record},
    };

    /// Runs of some collectors on one workload: the longest pauses, what floats and the CPU time of each invocation.
    fn runs(of: &[(&str, [[u64; 3]; 3])]) -> Vec<Record> {
        let mut all = Vec::new();
        for (collector, invocations) in of {
            for ([pause, floating, cpu], number) in invocations.iter().zip(1..) {
                let mut run = record("generational", "rings", number);
                run.collector = (*collector).to_owned();
                run.pauses.as_mut().unwrap().max_ns = *pause;
                run.bytes.as_mut().unwrap().floating_mean = Some(*floating);
                run.cpu_ns = *cpu;
                all.push(run);
            }
        }
        all
    }

    fn told(records: &[Record]) -> Vec<(String, String)> {
        let results = Results::of(records).unwrap();
        let group = &results.groups[0];
        let front = Front::of(group).unwrap();
        let cells = group.cells.iter().zip(&front.standings);
        cells.map(|(cell, standing)| (cell.label.clone(), standing.told(group))).collect()
    }

    #[test]
    fn who_is_worse_in_one_and_better_in_none_is_not_on_the_front() {
        let records = runs(&[
            ("generational", [[100, 50, 10]; 3]),
            ("tuned", [[100, 51, 10]; 3]),
            ("mark-sweep", [[200, 10, 10]; 3]),
        ]);
        let front = "on the front";
        let told = told(&records);
        let expected = [
            ("generational", front),
            ("tuned", "dominated by generational"),
            ("mark-sweep", front),
        ];
        assert_eq!(told, expected.map(|(label, told)| (label.to_owned(), told.to_owned())));
    }

    #[test]
    fn a_better_time_that_costs_cpu_does_not_dominate() {
        let records =
            runs(&[("generational", [[100, 50, 10]; 3]), ("snapshot", [[10, 50, 11]; 3])]);
        assert!(told(&records).iter().all(|(_, told)| told == "on the front"));
    }

    #[test]
    fn ranges_that_overlap_remove_nobody() {
        let records = runs(&[
            ("generational", [[100, 50, 10], [120, 50, 10], [140, 50, 10]]),
            ("tuned", [[90, 50, 10], [95, 50, 10], [101, 50, 10]]),
        ]);
        assert!(told(&records).iter().all(|(_, told)| told == "on the front"));
    }

    #[test]
    fn what_leaks_fails_or_was_not_audited_is_on_no_front() {
        let mut records = runs(&[("generational", [[100, 50, 10]; 3]), ("tuned", [[9, 5, 1]; 3])]);
        records.push(record("refcount", "rings", 1));
        records.push(failed("tuned", "rings", 4, Status::OutOfMemory));
        let mut unaudited = record("mark-sweep", "rings", 1);
        unaudited.bytes.as_mut().unwrap().floating_mean = None;
        records.push(unaudited);
        let told = told(&records);
        let of = |label: &str| told.iter().find(|(known, _)| known == label).unwrap().1.as_str();
        assert_eq!(of("refcount"), "leaks 1.00 MB");
        assert_eq!(of("generational"), "on the front");
        assert_eq!(of("tuned"), "1 of 4 out-of-memory");
        assert_eq!(of("mark-sweep"), "not audited");
    }

    #[test]
    fn collectors_are_counted_over_workloads_and_beside_the_reference() {
        let mut records =
            runs(&[("generational", [[100, 50, 10]; 3]), ("tuned", [[99, 50, 10]; 3])]);
        let mut others =
            runs(&[("generational", [[100, 50, 10]; 3]), ("tuned", [[99, 51, 10]; 3])]);
        others.iter_mut().for_each(|run| run.workload = "friends".to_owned());
        records.extend(others);
        let tallies = tallies(&Results::of(&records).unwrap());
        let tally = |label: &str, on_front, dominates, is_dominated| Tally {
            label: label.to_owned(),
            compared: 2,
            on_front,
            dominates,
            is_dominated,
        };
        assert_eq!(
            tallies,
            [tally("generational", 1, None, None), tally("tuned", 2, Some(1), Some(0))]
        );
    }
}
