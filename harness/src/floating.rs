//! Floating garbage: what is held and no longer live, averaged over the allocation clock.
//!
//! What is live at a moment of the allocation clock belongs to the workload and is known exactly from an audited run; what
//! is held then belongs to the collector and is known from a timed run. Under the audit a collector is slower, and one that
//! works beside the program keeps up better, so the two are joined here rather than taken from the same run.
//!
//! The clock that both runs share is the number of objects allocated: bytes differ by the collectors' headers. Threads
//! interleave in another way in every run, so with more than one of them what was live in the one run is an estimate of
//! what was live in the other; where it exceeds what was held, nothing floats.

use crate::record::{Moment, Timeline};

/// Live and floating bytes of a timed run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Floating {
    /// Reachable, on average.
    pub live_mean: u64,
    /// Reachable, at most.
    pub live_peak: u64,
    /// Dead and not yet freed, on average.
    pub mean: u64,
    /// Dead and not yet freed, at most.
    pub peak: u64,
}

/// One moment at which both are known.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Bytes allocated until then.
    clock: u64,
    live: u64,
    held: u64,
}

impl Floating {
    /// What was held in a timed run, joined with what was live in an audited run of the same workload. An object of the
    /// timed run is `header_difference` bytes larger than it was in the audited one. `None` if either timeline has no moment, or the
    /// other run was not audited.
    pub fn between(timed: &Timeline, audited: &Timeline, header_difference: i64) -> Option<Self> {
        let live: Vec<Live> = audited
            .points
            .iter()
            .map(|moment| Live::of(moment, header_difference))
            .collect::<Option<_>>()?;
        live.first()?;
        let mut points = Vec::with_capacity(timed.points.len() + live.len());
        for pair in timed.points.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            points.push(point(&from, &live));
            let inside = live.iter().map(|live| live.objects).filter(|objects| {
                (from.allocated.objects + 1..to.allocated.objects).contains(objects)
            });
            points.extend(inside.map(|objects| point(&halfway(&from, &to, objects), &live)));
        }
        points.extend(timed.points.last().map(|last| point(last, &live)));
        Self::over(&points)
    }

    /// Averages by trapezoids: between two points everything is taken to change evenly.
    fn over(points: &[Point]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let mean = |value: fn(&Point) -> u64| {
            let twice: u128 = points
                .windows(2)
                .map(|pair| {
                    let width = pair[1].clock.saturating_sub(pair[0].clock);
                    u128::from(width) * (u128::from(value(&pair[0])) + u128::from(value(&pair[1])))
                })
                .sum();
            let width = u128::from(last.clock.saturating_sub(first.clock));
            let mean = if width == 0 { u128::from(value(last)) } else { twice / (2 * width) };
            u64::try_from(mean).unwrap_or(u64::MAX)
        };
        let peak = |value: fn(&Point) -> u64| points.iter().map(value).max().unwrap_or_default();
        Some(Self {
            live_mean: mean(|point| point.live),
            live_peak: peak(|point| point.live),
            mean: mean(Point::floating),
            peak: peak(Point::floating),
        })
    }
}

impl Point {
    fn floating(&self) -> u64 {
        self.held.saturating_sub(self.live)
    }
}

/// What was live when so many objects had been allocated, in bytes of the timed run.
#[derive(Debug, Clone, Copy)]
struct Live {
    objects: u64,
    bytes: u64,
}

impl Live {
    fn of(moment: &Moment, header_difference: i64) -> Option<Self> {
        let live = moment.live?;
        let headers = i128::from(live.objects) * i128::from(header_difference);
        let bytes = u64::try_from(i128::from(live.bytes) + headers).unwrap_or_default();
        Some(Self { objects: moment.allocated.objects, bytes })
    }
}

/// A moment of the timed run, with what was live in the audited one at the same moment.
fn point(moment: &Moment, live: &[Live]) -> Point {
    let objects = moment.allocated.objects;
    let after = live.partition_point(|live| live.objects < objects);
    // Before anything was allocated nothing was live.
    let before = after.checked_sub(1).map_or(Live { objects: 0, bytes: 0 }, |index| live[index]);
    let bytes = live.get(after).map_or(before.bytes, |after| {
        interpolate([before.objects, after.objects], [before.bytes, after.bytes], objects)
    });
    Point { clock: moment.allocated.bytes, live: bytes, held: moment.held }
}

/// The moment between two others at which so many objects had been allocated.
fn halfway(from: &Moment, to: &Moment, objects: u64) -> Moment {
    let clock = [from.allocated.objects, to.allocated.objects];
    let mut moment = *from;
    moment.allocated.objects = objects;
    moment.allocated.bytes =
        interpolate(clock, [from.allocated.bytes, to.allocated.bytes], objects);
    moment.held = interpolate(clock, [from.held, to.held], objects);
    moment
}

/// The value at `place`, of a quantity that changes evenly between two places.
pub fn interpolate(places: [u64; 2], values: [u64; 2], place: u64) -> u64 {
    let [start, end] = places;
    if end <= start {
        return values[1];
    }
    let [first, last] = values.map(i128::from);
    let gone = i128::from(place.clamp(start, end) - start);
    u64::try_from(first + (last - first) * gone / i128::from(end - start)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use collectors::Amount;

    /// Objects of 10 bytes.
    fn amount(objects: u64) -> Amount {
        Amount { objects, bytes: objects * 10 }
    }

    fn audited(points: &[(u64, u64)]) -> Timeline {
        let moment = |&(allocated, live): &(u64, u64)| Moment {
            allocated: amount(allocated),
            live: Some(amount(live)),
            ..Moment::default()
        };
        Timeline { points: points.iter().map(moment).collect() }
    }

    fn timed(points: &[(u64, u64)], object: u64) -> Timeline {
        let moment = |&(objects, held): &(u64, u64)| Moment {
            allocated: Amount { objects, bytes: objects * object },
            held,
            ..Moment::default()
        };
        Timeline { points: points.iter().map(moment).collect() }
    }

    #[test]
    fn the_teeth_of_a_saw_are_averaged_and_not_their_tips() {
        let saw = timed(&[(0, 500), (100, 1_500), (100, 500), (200, 1_500), (200, 500)], 10);
        let flat = audited(&[(0, 50), (200, 50)]);
        let expected = Floating { live_mean: 500, live_peak: 500, mean: 500, peak: 1_000 };
        assert_eq!(Floating::between(&saw, &flat, 0), Some(expected));
    }

    #[test]
    fn what_is_live_between_two_samples_of_the_timed_run_counts() {
        let constant = timed(&[(0, 1_000), (100, 1_000)], 10);
        let hill = audited(&[(0, 0), (50, 100), (100, 0)]);
        let expected = Floating { live_mean: 500, live_peak: 1_000, mean: 500, peak: 1_000 };
        assert_eq!(Floating::between(&constant, &hill, 0), Some(expected));
    }

    #[test]
    fn a_larger_header_is_added_to_what_is_live() {
        // The same run of a collector whose objects have 18 bytes: all that is held is live.
        let larger = timed(&[(0, 0), (100, 1_800)], 18);
        let growing = audited(&[(0, 0), (100, 100)]);
        let expected = Floating { live_mean: 900, live_peak: 1_800, mean: 0, peak: 0 };
        assert_eq!(Floating::between(&larger, &growing, 8), Some(expected));
        let smaller = timed(&[(0, 0), (100, 200)], 2);
        let expected = Floating { live_mean: 100, live_peak: 200, mean: 0, peak: 0 };
        assert_eq!(Floating::between(&smaller, &growing, -8), Some(expected));
    }

    #[test]
    fn where_more_is_live_than_held_nothing_floats() {
        let held = timed(&[(0, 100), (100, 100)], 10);
        let floating = Floating::between(&held, &audited(&[(0, 50), (100, 50)]), 0).unwrap();
        assert_eq!((floating.mean, floating.peak), (0, 0));
    }

    #[test]
    fn a_run_that_ended_early_is_compared_with_the_part_that_it_reached() {
        let early = timed(&[(0, 0), (50, 500)], 10);
        let whole = audited(&[(0, 0), (50, 50), (100, 100)]);
        let expected = Floating { live_mean: 250, live_peak: 500, mean: 0, peak: 0 };
        assert_eq!(Floating::between(&early, &whole, 0), Some(expected));
    }

    #[test]
    fn without_an_audit_nothing_is_claimed() {
        let run = timed(&[(0, 0), (100, 1_000)], 10);
        assert_eq!(Floating::between(&run, &run, 0), None);
        assert_eq!(Floating::between(&run, &Timeline::default(), 0), None);
        assert_eq!(Floating::between(&Timeline::default(), &audited(&[(0, 0)]), 0), None);
    }
}
