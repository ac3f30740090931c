//! Speeds: throughput and CPU time relative to the baseline, for each workload and over all of them.
//!
//! A collector that works on a core which the program leaves idle is fast by the wall clock and not by the CPU's, so
//! neither of the two is worked out without the other.

use super::{
    BASELINE, Cell, Group,
    bootstrap::{self, FEWEST, Interval, RESAMPLES},
    to_f64,
};

/// Throughput and CPU time relative to the baseline over all workloads that every collector finished.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Overall {
    /// The geometric mean for each collector's label, in the order of the lists.
    pub speeds: Vec<(String, Interval)>,
    /// The same of CPU time.
    pub cpu: Vec<(String, Interval)>,
    /// Labels of the workloads that count.
    pub counted: Vec<String>,
    /// Labels of the others, each with who did not finish it.
    pub left_out: Vec<(String, String)>,
}

/// The baseline over itself: it is what everything else is measured by, so it has no error.
const ITSELF: Interval = Interval { estimate: 1.0, bounds: Some((1.0, 1.0)) };

/// What is compared of two collectors.
#[derive(Clone, Copy)]
enum Measure {
    /// Operations in a second of wall time: the baseline's time over its own.
    Speed,
    /// CPU time for each operation: its own over the baseline's.
    Cpu,
}

/// Gives every cell of a group its ratios of mean times.
pub(super) fn compare(group: &mut Group<'_>, seed: u64) {
    for measure in [Measure::Speed, Measure::Cpu] {
        let base = group.cells.iter().find(|cell| cell.collector == BASELINE);
        let Some(base) = base.map(|cell| measure.costs(cell)) else { return };
        for (cell, place) in group.cells.iter_mut().zip(1_u64..) {
            let ratio = if cell.collector == BASELINE {
                bootstrap::mean(&base).map(|_| ITSELF)
            } else {
                measure.ratio(&base, &measure.costs(cell), seeds(seed, place))
            };
            *measure.of(cell) = ratio;
        }
    }
}

/// The geometric mean of the ratios over those workloads that every collector finished without a failure.
pub(super) fn over_all(groups: &[Group<'_>], seed: u64) -> Overall {
    let mut labels: Vec<&str> = Vec::new();
    for cell in groups.iter().flat_map(|group| &group.cells) {
        if !labels.contains(&cell.label.as_str()) {
            labels.push(&cell.label);
        }
    }
    let mut overall = Overall::default();
    let mut counted = Vec::new();
    for (group, place) in groups.iter().zip(0_u64..) {
        let unfinished: Vec<&str> =
            labels.iter().copied().filter(|label| !is_finished(group, label)).collect();
        if unfinished.is_empty() {
            overall.counted.push(group.label.clone());
            counted.push((group, seed.wrapping_add(place)));
        } else {
            overall.left_out.push((group.label.clone(), unfinished.join(", ")));
        }
    }
    if counted.is_empty() {
        return overall;
    }
    for label in labels {
        for measure in [Measure::Speed, Measure::Cpu] {
            let Some(interval) = measure.geometric_mean(&counted, label) else { continue };
            let all = match measure {
                Measure::Speed => &mut overall.speeds,
                Measure::Cpu => &mut overall.cpu,
            };
            all.push((label.to_owned(), interval));
        }
    }
    overall
}

fn is_finished(group: &Group<'_>, label: &str) -> bool {
    let cell = group.cells.iter().find(|cell| cell.label == label);
    cell.is_some_and(|cell| cell.failures().is_empty() && cell.speed.is_some())
}

impl Measure {
    fn of<'c>(self, cell: &'c mut Cell<'_>) -> &'c mut Option<Interval> {
        match self {
            Self::Speed => &mut cell.speed,
            Self::Cpu => &mut cell.cpu,
        }
    }

    /// Nanoseconds an operation of every run that ended well.
    fn costs(self, cell: &Cell<'_>) -> Vec<f64> {
        let costs = cell.ok().filter_map(|run| {
            let operations = run.operations.filter(|operations| *operations > 0)?;
            let ns = match self {
                Self::Speed => run.wall_ns,
                Self::Cpu => run.cpu_ns,
            };
            (ns > 0).then(|| to_f64(ns) / to_f64(operations))
        });
        costs.collect()
    }

    /// The ratio of two costs, whichever way round it is shown.
    fn over(self, base: f64, own: f64) -> f64 {
        match self {
            Self::Speed => base / own,
            Self::Cpu => own / base,
        }
    }

    fn ratio(self, base: &[f64], own: &[f64], seeds: (u64, u64)) -> Option<Interval> {
        let estimate = self.over(bootstrap::mean(base)?, bootstrap::mean(own)?);
        let drawn = self.resampled(base, own, seeds);
        let bounds = drawn.and_then(|mut drawn| bootstrap::bounds(&mut drawn));
        Some(Interval { estimate, bounds })
    }

    fn resampled(self, base: &[f64], own: &[f64], (first, second): (u64, u64)) -> Option<Vec<f64>> {
        if base.len().min(own.len()) < FEWEST {
            return None;
        }
        let (base, own) = (bootstrap::means(base, first), bootstrap::means(own, second));
        Some(base.into_iter().zip(own).map(|(base, own)| self.over(base, own)).collect())
    }

    /// The mean and its resamples are taken of logarithms.
    fn geometric_mean(self, groups: &[(&Group<'_>, u64)], label: &str) -> Option<Interval> {
        let mut logarithm = 0.0;
        let mut drawn = vec![0.0; RESAMPLES];
        let mut has_bounds = true;
        for (group, seed) in groups {
            let (cell, place) =
                group.cells.iter().zip(1_u64..).find(|(cell, _)| cell.label == label)?;
            let base = group.cells.iter().find(|cell| cell.collector == BASELINE)?;
            let (base, own) = (self.costs(base), self.costs(cell));
            logarithm += self.over(bootstrap::mean(&base)?, bootstrap::mean(&own)?).ln();
            if cell.collector == BASELINE {
                continue;
            }
            match self.resampled(&base, &own, seeds(*seed, place)) {
                Some(ratios) => {
                    drawn.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += ratio.ln())
                }
                None => has_bounds = false,
            }
        }
        let number = groups.len() as f64;
        let mean = |sum: f64| (sum / number).exp();
        let bounds = if has_bounds { bootstrap::bounds(&mut drawn) } else { None };
        Some(Interval {
            estimate: mean(logarithm),
            bounds: bounds.map(|(low, high)| (mean(low), mean(high))),
        })
    }
}

/// The baseline's resamples are the same for every collector of a workload.
fn seeds(seed: u64, place: u64) -> (u64, u64) {
    let seed = seed.wrapping_mul(1_000);
    (seed, seed.wrapping_add(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Record, Status},
        results::Results,
        synthetic::{failed, records},
    };

    /// Times of the baseline and of `refcount` in three invocations on each of two workloads.
    fn of(times: [[u64; 3]; 4]) -> Vec<Record> {
        let mut records = records();
        records.retain(|run| run.collector != "generational");
        for run in &mut records {
            let row =
                2 * usize::from(run.workload == "rings") + usize::from(run.collector == "refcount");
            run.wall_ns = times[row][run.invocation as usize - 1];
        }
        records
    }

    #[test]
    fn the_ratio_is_that_of_the_means() {
        let records = of([[100, 200, 300], [400, 400, 400], [100; 3], [100; 3]]);
        let results = Results::of(&records).unwrap();
        let speed = results.groups[0].cells[1].speed.unwrap();
        let (low, high) = speed.bounds.unwrap();
        assert_eq!(speed.estimate, 0.5);
        // Only the baseline scatters: of its 27 samples 3.7 % are all 100 and as many all 300.
        assert_eq!((low, high), (0.25, 0.75));
    }

    #[test]
    fn what_a_collector_does_on_an_idle_core_is_not_free() {
        let mut records = of([[100; 3]; 4]);
        for run in records.iter_mut().filter(|run| run.collector == "refcount") {
            run.cpu_ns *= 3;
        }
        let base = records.iter().find(|run| run.collector == "leak").unwrap().cpu_ns;
        let own = records.iter().find(|run| run.collector == "refcount").unwrap().cpu_ns;
        let expected = to_f64(own) / to_f64(base);
        let results = Results::of(&records).unwrap();
        let cell = &results.groups[0].cells[1];
        assert_eq!(cell.speed.unwrap().estimate, 1.0);
        assert!((cell.cpu.unwrap().estimate - expected).abs() < 1e-12);
        assert!((results.overall.cpu[1].1.estimate - expected).abs() < 1e-12);
    }

    #[test]
    fn the_mean_over_workloads_is_geometric() {
        let records = of([[100; 3], [400; 3], [100; 3], [25; 3]]);
        let overall = Results::of(&records).unwrap().overall;
        assert_eq!(overall.counted, ["friends", "rings"]);
        let (label, speed) = &overall.speeds[1];
        assert_eq!(label, "refcount");
        assert!((speed.estimate - 1.0).abs() < 1e-12, "{speed:?}");
        let (low, high) = speed.bounds.unwrap();
        assert!((low - 1.0).abs() < 1e-12 && (high - 1.0).abs() < 1e-12, "{speed:?}");
    }

    #[test]
    fn a_workload_that_someone_did_not_finish_counts_for_nobody_and_is_named() {
        let mut records = of([[100; 3], [400; 3], [100; 3], [25; 3]]);
        records.push(failed("refcount", "rings", 4, Status::OutOfMemory));
        let overall = Results::of(&records).unwrap().overall;
        assert_eq!(overall.counted, ["friends"]);
        assert_eq!(overall.left_out, [("rings".to_owned(), "refcount".to_owned())]);
        assert!((overall.speeds[1].1.estimate - 0.25).abs() < 1e-12);
    }

    #[test]
    fn two_invocations_have_no_interval() {
        let mut records = of([[100; 3], [400; 3], [100; 3], [25; 3]]);
        records.retain(|run| run.invocation <= 2);
        let results = Results::of(&records).unwrap();
        let speed = results.groups[0].cells[1].speed.unwrap();
        assert_eq!(speed, Interval { estimate: 0.25, bounds: None });
        assert_eq!(results.overall.speeds[1].1.bounds, None);
    }
}
