//! Distributions: numbers that are not all equally likely, drawn the same on every machine.
//!
//! They are made of [`Choices::unit`], of what IEEE 754 defines to the last bit (sums, products, quotients, square
//! roots), and of logarithms and powers from `libm`, which is compiled from the same source everywhere; those of the
//! standard library are the system's.

use crate::Choices;

/// Times between events that happen independently of one another, `mean` apart on average.
pub(crate) fn exponential(choices: &mut Choices, mean: f64) -> f64 {
    -mean * libm::log(choices.unit())
}

/// Half of all values are below `median`, and logarithms deviate from its own by `spread` (natural logarithms).
pub(crate) fn log_normal(choices: &mut Choices, median: f64, spread: f64) -> f64 {
    median * libm::exp(spread * normal(choices))
}

/// Values above `minimum` of which the share that is larger than `x` is `(minimum / x)^index`: the smaller the index, the
/// heavier the tail.
pub(crate) fn pareto(choices: &mut Choices, minimum: f64, index: f64) -> f64 {
    minimum * libm::exp(-libm::log(choices.unit()) / index)
}

/// A deviation of mean 0 and variance 1 (Marsaglia's polar method; its second value is not used, so that every call
/// draws for itself).
fn normal(choices: &mut Choices) -> f64 {
    loop {
        let [x, y] = [2.0 * choices.unit() - 1.0, 2.0 * choices.unit() - 1.0];
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * libm::log(square) / square).sqrt();
        }
    }
}

/// Numbers from 0 on, the one at `k` with a likelihood in proportion to `(k + 1)^-skew`.
pub(crate) struct Zipf {
    /// For each number the sum of its weight and of those before it.
    sums: Vec<f64>,
}

impl Zipf {
    /// The distribution of numbers below `count`, which must not be 0.
    pub(crate) fn new(count: usize, skew: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count).map(|rank| {
            sum += libm::exp(-skew * libm::log(rank as f64));
            sum
        });
        Self { sums: sums.collect() }
    }

    pub(crate) fn draw(&self, choices: &mut Choices) -> usize {
        let total = self.sums[self.sums.len() - 1];
        let drawn = choices.unit() * total;
        self.sums.partition_point(|&sum| sum < drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 200_000;

    fn draws(mut draw: impl FnMut(&mut Choices) -> f64) -> Vec<f64> {
        let mut choices = Choices::new(11, 0);
        let mut drawn: Vec<f64> = (0..DRAWS).map(|_| draw(&mut choices)).collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    /// The share of the draws that is larger than `bound`.
    fn share_above(drawn: &[f64], bound: f64) -> f64 {
        drawn.iter().filter(|&&value| value > bound).count() as f64 / drawn.len() as f64
    }

    fn assert_near(value: f64, expected: f64, what: &str) {
        assert!((value / expected - 1.0).abs() < 0.05, "{what}: {value}, expected {expected}");
    }

    #[test]
    fn the_draws_are_those_of_every_machine() {
        let mut choices = Choices::new(1, 0);
        let drawn = [
            exponential(&mut choices, 1000.0),
            log_normal(&mut choices, 1000.0, 1.5),
            pareto(&mut choices, 1000.0, 1.2),
        ];
        let bits = [4651216503143538564, 4644388814260650145, 4660004582404051706];
        assert_eq!(drawn.map(f64::to_bits), bits);
        let zipf = Zipf::new(1000, 0.99);
        assert_eq!([0; 6].map(|_| zipf.draw(&mut choices)), [4, 120, 18, 1, 403, 117]);
    }

    #[test]
    fn exponential_times_have_their_mean_and_its_tail() {
        let drawn = draws(|choices| exponential(choices, 50.0));
        assert_near(drawn.iter().sum::<f64>() / DRAWS as f64, 50.0, "mean");
        assert_near(share_above(&drawn, 150.0), (-3.0_f64).exp(), "share above three means");
    }

    #[test]
    fn log_normal_lifetimes_have_their_median_and_spread() {
        let drawn = draws(|choices| log_normal(choices, 1000.0, 1.5));
        assert_near(drawn[DRAWS / 2], 1000.0, "median");
        assert_near(share_above(&drawn, 1000.0 * 1.5_f64.exp()), 0.1587, "share above one spread");
    }

    #[test]
    fn pareto_lifetimes_have_their_tail() {
        let drawn = draws(|choices| pareto(choices, 100.0, 1.2));
        assert!(drawn[0] >= 100.0);
        for bound in [200.0, 1000.0, 10_000.0_f64] {
            assert_near(
                share_above(&drawn, bound),
                (100.0 / bound).powf(1.2),
                "share above a bound",
            );
        }
    }

    #[test]
    fn keys_are_as_likely_as_zipf_says() {
        let zipf = Zipf::new(1000, 0.99);
        let drawn = draws(|choices| zipf.draw(choices) as f64);
        let total: f64 = (1..=1000).map(|rank| f64::from(rank).powf(-0.99)).sum();
        for key in [0, 1, 9, 99] {
            let hits = drawn.iter().filter(|&&drawn| drawn == f64::from(key)).count();
            let expected = f64::from(key + 1).powf(-0.99) / total;
            let share = hits as f64 / DRAWS as f64;
            assert!((share / expected - 1.0).abs() < 0.1, "key {key}: {share}, not {expected}");
        }
        assert!(drawn[DRAWS - 1] < 1000.0);
    }

    #[test]
    fn without_skew_all_keys_are_alike() {
        let zipf = Zipf::new(4, 0.0);
        let drawn = draws(|choices| zipf.draw(choices) as f64);
        for key in 0..4 {
            assert_near(
                share_above(&drawn, f64::from(key) - 0.5),
                1.0 - f64::from(key) / 4.0,
                "keys",
            );
        }
    }
}
