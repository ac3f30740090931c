//! Trace of memory: samples of a heap, thinned out as they come, so that a run of any length leaves a bounded number.
//!
//! The allocation clock is cut into intervals of equal length. Of each, the sample with the most bytes held is kept and the
//! one with the least, so that neither a peak nor the foot of a saw's tooth is lost and the mean between them is about that
//! of the whole. When there are too many intervals, their length doubles and neighbours become one.

use crate::record::{Moment, TIMELINE_POINTS, Timeline};

/// Two moments of each interval, and one each for the beginning and the end, are at most [`TIMELINE_POINTS`].
const MOST_INTERVALS: usize = TIMELINE_POINTS / 2 - 1;

/// The first length of an interval, in bytes allocated: less than lies between two samples of all but the smallest heaps.
const FIRST_STEP: u64 = 1 << 10;

/// What has been sampled of a heap.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trace {
    /// How long an interval is, in bytes allocated.
    step: u64,
    /// The intervals that have samples, in their order.
    intervals: Vec<Interval>,
}

/// Samples between two multiples of the step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Interval {
    number: u64,
    /// The first one with the least held.
    lowest: Moment,
    /// The first one with the most held.
    highest: Moment,
}

impl Trace {
    /// Adds a sample. Those of one mutator come in the order of the allocation clock.
    pub(super) fn add(&mut self, moment: Moment) {
        let number = moment.allocated.bytes / self.step;
        let new = Interval { number, lowest: moment, highest: moment };
        match self.intervals.last_mut() {
            // Threads read the clock without waiting for each other, so that it may seem to go back a little.
            Some(last) if number <= last.number => last.merge(new),
            _ => self.intervals.push(new),
        }
        while self.intervals.len() > MOST_INTERVALS {
            self.thin();
        }
    }

    /// What all traces have kept, as one.
    pub(super) fn join(traces: impl Iterator<Item = Self>) -> Timeline {
        let mut moments: Vec<Moment> = traces.flat_map(Self::moments).collect();
        moments.sort_by_key(|moment| (moment.allocated.bytes, moment.at_ns));
        let mut all = Self::default();
        moments.into_iter().for_each(|moment| all.add(moment));
        Timeline { points: all.moments().collect() }
    }

    fn moments(self) -> impl Iterator<Item = Moment> {
        self.intervals.into_iter().flat_map(|Interval { lowest, highest, .. }| {
            let (first, second) =
                if is_before(&lowest, &highest) { (lowest, highest) } else { (highest, lowest) };
            std::iter::once(first).chain((first != second).then_some(second))
        })
    }

    /// Doubles the length of the intervals.
    fn thin(&mut self) {
        self.step *= 2;
        let mut kept: Vec<Interval> = Vec::with_capacity(MOST_INTERVALS + 1);
        for mut interval in self.intervals.drain(..) {
            interval.number /= 2;
            match kept.last_mut() {
                Some(last) if last.number == interval.number => last.merge(interval),
                _ => kept.push(interval),
            }
        }
        self.intervals = kept;
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self { step: FIRST_STEP, intervals: Vec::new() }
    }
}

impl Interval {
    fn merge(&mut self, later: Self) {
        if later.lowest.held < self.lowest.held {
            self.lowest = later.lowest;
        }
        if later.highest.held > self.highest.held {
            self.highest = later.highest;
        }
    }
}

fn is_before(one: &Moment, other: &Moment) -> bool {
    (one.allocated.bytes, one.at_ns) < (other.allocated.bytes, other.at_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use collectors::Amount;

    /// The `n`th sample of a heap of which every object has 100 bytes.
    fn sample(n: u64, held: u64) -> Moment {
        let allocated = Amount { objects: n * 300, bytes: n * 30_000 };
        Moment { at_ns: n * 1_000, allocated, held, blocks: held, live: None }
    }

    /// A saw: every tenth sample a collection halves what is held.
    fn saw(n: u64) -> Moment {
        sample(n, 1_000_000 + n % 10 * 100_000)
    }

    #[test]
    fn a_short_run_keeps_peaks_and_feet_at_their_moments() {
        let mut trace = Trace::default();
        (0..100).for_each(|n| trace.add(saw(n)));
        let points = Trace::join(std::iter::once(trace)).points;
        assert!(points.is_sorted_by_key(|point| point.allocated.bytes));
        for n in 0..10 {
            assert!(points.contains(&saw(n * 10)) && points.contains(&saw(n * 10 + 9)), "{n}");
        }
    }

    #[test]
    fn a_long_run_is_thinned_and_keeps_its_highest_and_its_mean() {
        let mut trace = Trace::default();
        for n in 0..200_000 {
            trace.add(if n == 123_457 { sample(n, 9_000_000) } else { saw(n) });
        }
        let points = Trace::join(std::iter::once(trace)).points;
        assert!((MOST_INTERVALS / 2..=TIMELINE_POINTS - 2).contains(&points.len()));
        assert!(points.contains(&sample(123_457, 9_000_000)));
        let mean = points.iter().map(|point| point.held).sum::<u64>() / points.len() as u64;
        assert!(mean.abs_diff(1_450_000) < 50_000, "{mean}");
    }

    #[test]
    fn traces_of_several_threads_become_one_in_the_order_of_the_clock() {
        let mut traces = [Trace::default(), Trace::default()];
        (0..5_000).for_each(|n| traces[n as usize % 2].add(saw(n)));
        let points = Trace::join(traces.into_iter()).points;
        assert!(points.len() <= TIMELINE_POINTS - 2);
        assert!(points.is_sorted_by_key(|point| point.allocated.bytes));
        assert!(points[0].at_ns < 20_000 && points[points.len() - 1].at_ns > 4_980_000);
    }

    #[test]
    fn a_clock_that_seems_to_go_back_loses_no_peak() {
        let mut trace = Trace::default();
        for moment in [sample(50, 10), sample(40, 90), sample(60, 20)] {
            trace.add(moment);
        }
        let points = Trace::join(std::iter::once(trace)).points;
        assert!(points.iter().any(|point| point.held == 90), "{points:?}");
    }
}
