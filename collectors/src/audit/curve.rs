//! Births, deaths and ends on the allocation clock, in a bounded number of intervals.

use super::findings::{Curve, CurvePoint};
use crate::Amount;

/// Intervals that are kept; when there are more, each two become one.
const INTERVALS: usize = 1024;

/// Bytes of the first intervals.
const FIRST_WIDTH: u64 = 4096;

/// What happened to how much, interval by interval.
#[derive(Debug)]
pub(super) struct Happenings {
    /// Bytes allocated in an interval.
    width: u64,
    intervals: Vec<Interval>,
}

/// What happened in one interval.
#[derive(Clone, Copy, Debug, Default)]
struct Interval {
    born: Balance,
    died: Balance,
    freed: Balance,
}

/// A number of objects and bytes; deaths are taken back when a finalizer keeps an object alive.
#[derive(Clone, Copy, Debug, Default)]
struct Balance {
    objects: i64,
    bytes: i64,
}

impl Happenings {
    pub(super) fn new() -> Self {
        Self { width: FIRST_WIDTH, intervals: Vec::new() }
    }

    /// An object of `bytes` was allocated when so much had been allocated before.
    pub(super) fn born(&mut self, at: u64, bytes: u64) {
        self.interval(at).born.add(1, bytes);
    }

    pub(super) fn died(&mut self, at: u64, bytes: u64) {
        self.interval(at).died.add(1, bytes);
    }

    /// An object that had died then is alive after all.
    pub(super) fn revived(&mut self, at: u64, bytes: u64) {
        self.interval(at).died.add(-1, bytes);
    }

    pub(super) fn freed(&mut self, at: u64, bytes: u64) {
        self.interval(at).freed.add(1, bytes);
    }

    fn interval(&mut self, at: u64) -> &mut Interval {
        while at / self.width >= INTERVALS as u64 {
            self.width *= 2;
            let halved = self.intervals.chunks(2).map(|pair| {
                let mut sum = pair[0];
                if let Some(second) = pair.get(1) {
                    sum.born.merge(second.born);
                    sum.died.merge(second.died);
                    sum.freed.merge(second.freed);
                }
                sum
            });
            self.intervals = halved.collect();
        }
        let index = (at / self.width) as usize;
        if index >= self.intervals.len() {
            self.intervals.resize(index + 1, Interval::default());
        }
        &mut self.intervals[index]
    }

    /// What was allocated, live and held at the end of each interval.
    pub(super) fn curve(&self) -> Curve {
        let (mut born, mut died, mut freed) =
            (Balance::default(), Balance::default(), Balance::default());
        let point = |interval: &Interval| {
            born.merge(interval.born);
            died.merge(interval.died);
            freed.merge(interval.freed);
            CurvePoint {
                allocated: born.less(Balance::default()),
                live: born.less(died),
                held: born.less(freed),
            }
        };
        Curve { points: self.intervals.iter().map(point).collect() }
    }
}

impl Balance {
    /// Adds an object, or takes one away.
    fn add(&mut self, objects: i64, bytes: u64) {
        self.objects += objects;
        self.bytes += objects * bytes as i64;
    }

    fn merge(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }

    fn less(self, other: Self) -> Amount {
        Amount {
            objects: (self.objects - other.objects).unsigned_abs(),
            bytes: (self.bytes - other.bytes).unsigned_abs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_the_same_however_far_the_clock_has_run() {
        let mut happenings = Happenings::new();
        let objects = 4 * INTERVALS as u64;
        for n in 0..objects {
            happenings.born(n * FIRST_WIDTH, FIRST_WIDTH);
            if n % 2 == 0 {
                happenings.died(n * FIRST_WIDTH, FIRST_WIDTH);
            }
            if n % 4 == 0 {
                happenings.freed(n * FIRST_WIDTH, FIRST_WIDTH);
            }
        }
        let points = happenings.curve().points;
        assert!((INTERVALS / 2..=INTERVALS).contains(&points.len()), "{} points", points.len());
        for point in points {
            assert_eq!(point.live.objects * 2, point.allocated.objects);
            assert_eq!(point.held.bytes * 4, point.allocated.bytes * 3);
        }
    }

    #[test]
    fn a_death_that_is_taken_back_leaves_no_trace() {
        let mut happenings = Happenings::new();
        happenings.born(0, 40);
        happenings.died(40, 40);
        happenings.revived(40, 40);
        let last = happenings.curve().points[0];
        assert_eq!(last.live, Amount { objects: 1, bytes: 40 });
    }
}
