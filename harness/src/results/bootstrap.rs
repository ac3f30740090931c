//! Bootstrap: how far a ratio of means can be trusted, from the invocations alone.
//!
//! After B. Efron, *Bootstrap methods: another look at the jackknife*, Annals of Statistics 1979, with the effect size
//! that T. Kalibera and R. Jones ask for in *Rigorous benchmarking in reasonable time*, ISMM 2013: the ratio of two means.
//! Invocations are drawn again with replacement, on both sides independently, since each is a process of its own. The
//! interval holds what lies between the percentiles 2.5 and 97.5. Of few invocations such intervals are somewhat too
//! narrow.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// How often invocations are drawn again.
pub const RESAMPLES: usize = 10_000;

/// No interval of fewer invocations: two say next to nothing of how far the third would be off.
pub const FEWEST: usize = 3;

/// An estimate, and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The best guess.
    pub estimate: f64,
    /// Where the value lies in 95 of 100 cases; `None` of too few invocations.
    pub bounds: Option<(f64, f64)>,
}

impl Interval {
    /// Whether two quantities differ for certain: both have bounds, which do not overlap.
    pub fn differs_from(&self, other: &Self) -> bool {
        let (Some((low, high)), Some((other_low, other_high))) = (self.bounds, other.bounds) else {
            return false;
        };
        high < other_low || other_high < low
    }
}

/// The mean of each of many samples drawn with replacement; the same seed draws the same.
pub fn means(values: &[f64], seed: u64) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let number = values.len() as u64;
    let mut draw = || {
        // The high half of the product is uniform below `number` to within 2^-30 for any number of invocations.
        let chosen = (u64::from(random.next_u32()) * number) >> 32;
        values[usize::try_from(chosen).unwrap_or(0)]
    };
    (0..RESAMPLES).map(|_| values.iter().map(|_| draw()).sum::<f64>() / number as f64).collect()
}

/// What lies between the percentiles 2.5 and 97.5 of some values; their order is lost.
pub fn bounds(values: &mut [f64]) -> Option<(f64, f64)> {
    let last = values.len().checked_sub(1)?;
    let beyond = last / 40;
    let low = *values.select_nth_unstable_by(beyond, f64::total_cmp).1;
    let high = *values.select_nth_unstable_by(last - beyond, f64::total_cmp).1;
    Some((low, high))
}

/// The mean of some values; `None` of none.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampled_means_scatter_by_the_standard_error() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let mut drawn = means(&values, 7);
        let (low, high) = bounds(&mut drawn).unwrap();
        // The standard error is sqrt((100^2 - 1) / 12 / 100) = 2.887, and 1.96 of them lie on either side of 49.5.
        assert!((low - 43.84).abs() < 0.25 && (high - 55.16).abs() < 0.25, "{low} to {high}");
    }

    #[test]
    fn all_samples_of_two_values_are_drawn_as_often_as_they_should() {
        let drawn = means(&[0.0, 1.0], 1);
        let both = drawn.iter().filter(|mean| **mean == 0.5).count();
        // Half of them, with a standard deviation of 50.
        assert!(both.abs_diff(RESAMPLES / 2) < 250, "{both}");
    }

    #[test]
    fn values_without_scatter_have_no_width() {
        assert_eq!(bounds(&mut means(&[3.0; 5], 1)), Some((3.0, 3.0)));
        assert_eq!(bounds(&mut []), None);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        assert_eq!(means(&[1.0, 2.0, 4.0], 7), means(&[1.0, 2.0, 4.0], 7));
        assert_ne!(means(&[1.0, 2.0, 4.0], 7), means(&[1.0, 2.0, 4.0], 8));
    }

    #[test]
    fn the_bounds_leave_a_fortieth_on_either_side() {
        let mut values: Vec<f64> = (0..=4_000).rev().map(f64::from).collect();
        assert_eq!(bounds(&mut values), Some((100.0, 3_900.0)));
    }

    #[test]
    fn without_bounds_nothing_differs_for_certain() {
        let of = |bounds| Interval { estimate: 1.0, bounds };
        assert!(of(Some((1.0, 2.0))).differs_from(&of(Some((2.5, 3.0)))));
        assert!(!of(Some((1.0, 2.0))).differs_from(&of(Some((2.0, 3.0)))));
        assert!(!of(None).differs_from(&of(Some((2.0, 3.0)))));
    }
}
