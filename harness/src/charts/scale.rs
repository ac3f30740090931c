//! Scales: from a value to a place on the canvas, with the ticks between.

/// How values are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    Linear,
    Logarithmic,
}

/// A scale from values to canvas coordinates; the latter may run either way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    spread: Spread,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Equal steps for equal differences.
    pub(super) fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self {
            spread: Spread::Linear,
            low,
            high: if high > low { high } else { low + 1.0 },
            from,
            to,
        }
    }

    /// Equal steps for equal ratios; both values must be above 0.
    pub(super) fn logarithmic(low: f64, high: f64, from: f64, to: f64) -> Self {
        debug_assert!(low > 0.0, "a logarithmic scale was expected to begin above 0, not at {low}");
        Self { spread: Spread::Logarithmic, low, high: high.max(low * 10.0), from, to }
    }

    /// The least value.
    pub(super) fn low(&self) -> f64 {
        self.low
    }

    /// The same values at other places.
    pub(super) fn onto(&self, from: f64, to: f64) -> Self {
        Self { from, to, ..*self }
    }

    /// The places of the least and the greatest value.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// Where a value lies; what is beyond an end lies on it.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = match self.spread {
            Spread::Linear => (value - self.low) / (self.high - self.low),
            Spread::Logarithmic => {
                (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
            }
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values on the scale: powers of ten, or some five steps of 1, 2 or 5.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.spread {
            Spread::Logarithmic => {
                let (first, last) =
                    (self.low.log10().ceil() as i32, (self.high.log10() + 1e-9).floor() as i32);
                (first..=last).map(|power| 10.0_f64.powi(power)).collect()
            }
            Spread::Linear => {
                let rough = (self.high - self.low) / 5.0;
                let magnitude = 10.0_f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0]
                    .into_iter()
                    .map(|step| step * magnitude)
                    .find(|step| *step >= rough * 0.999);
                let step = step.unwrap_or(rough);
                let (first, last) =
                    ((self.low / step).ceil() as i64, (self.high / step + 1e-9).floor() as i64);
                (first..=last).map(|number| number as f64 * step).collect()
            }
        }
    }
}

/// The power of ten at or above a value.
pub(super) fn decade_above(value: f64) -> f64 {
    10.0_f64.powf((value.log10() - 1e-9).ceil())
}

/// The power of ten at or below a value.
pub(super) fn decade_below(value: f64) -> f64 {
    10.0_f64.powf((value.log10() + 1e-9).floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ratios_are_equal_steps() {
        let scale = Scale::logarithmic(10.0, 100_000.0, 0.0, 400.0);
        assert_eq!(scale.ticks(), [10.0, 100.0, 1_000.0, 10_000.0, 100_000.0]);
        assert!((scale.place(1_000.0) - 200.0).abs() < 1e-9);
        assert!((scale.place(1.0) - 0.0).abs() < 1e-9 && (scale.place(1e9) - 400.0).abs() < 1e-9);
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(Scale::linear(0.0, 1.1, 0.0, 1.0).ticks().len(), 3);
        assert_eq!(Scale::linear(0.0, 10.0, 0.0, 1.0).ticks(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert!((Scale::linear(0.0, 10.0, 100.0, 0.0).place(2.5) - 75.0).abs() < 1e-9);
    }

    #[test]
    fn decades_enclose_a_value() {
        assert!(
            (decade_above(1_000.0) - 1_000.0).abs() < 1e-6
                && (decade_above(1_001.0) - 10_000.0).abs() < 1e-6
        );
        assert!(
            (decade_below(999.0) - 100.0).abs() < 1e-6 && (decade_below(0.2) - 0.1).abs() < 1e-6
        );
    }
}
