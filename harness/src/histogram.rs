//! Histogram of durations that can be written to a record, read back and merged without loss.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Digits that survive: a value is kept to within 0.1 %.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// An hour: longer than any run, and fixed so that counting never has to grow the buckets in the middle of one.
pub const LONGEST_NS: u64 = 3_600_000_000_000;

/// Counts of nanoseconds in buckets whose width grows with the value, so that any two can be merged.
///
/// In a record it is a list of `[value, count]`, where the value is the highest that its bucket stands for.
#[derive(Debug, Clone)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        let histogram = hdrhistogram::Histogram::new_with_max(LONGEST_NS, SIGNIFICANT_DIGITS);
        Self(histogram.expect("three digits and an hour are within what the format allows"))
    }

    /// Counts one duration; one beyond [`LONGEST_NS`] counts as that.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Adds all that another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (value, count) in other.buckets() {
            self.add(value, count);
        }
    }

    /// How many durations have been counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that a share of all does not exceed; `None` if nothing has been counted.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        (self.count() > 0).then(|| self.0.value_at_quantile(share))
    }

    /// The buckets that are not empty, shortest first: the highest value of each, and how many fell into it.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter_recorded().map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
    }

    fn add(&mut self, value: u64, count: u64) {
        self.0.saturating_record_n(value, count);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.buckets().eq(other.buckets())
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.buckets())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let buckets = Vec::<(u64, u64)>::deserialize(deserializer)?;
        if let Some(pair) = buckets.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(D::Error::custom(format!(
                "bucket {} does not come after bucket {}",
                pair[1].0, pair[0].0
            )));
        }
        let mut histogram = Self::new();
        for (value, count) in buckets {
            histogram.add(value, count);
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let histogram = of((0..10_000).map(|n| 10_000 + n * n * 37));
        let text = serde_json::to_string(&histogram).unwrap();
        let back: Histogram = serde_json::from_str(&text).unwrap();
        assert_eq!(histogram, back);
        assert_eq!(text, serde_json::to_string(&back).unwrap());
    }

    #[test]
    fn merging_is_the_same_as_counting_together() {
        let (mut left, right) = (of(10_000..20_000), of((0..500).map(|n| n * 1_000_003)));
        left.merge(&right);
        assert_eq!(left, of((10_000..20_000).chain((0..500).map(|n| n * 1_000_003))));
        assert_eq!(left.count(), 10_500);
    }

    #[test]
    fn quantiles_are_within_a_thousandth() {
        let median = of(1..=1_000_000).quantile(0.5).unwrap();
        assert!(median.abs_diff(500_000) <= 500, "{median}");
        assert_eq!(Histogram::new().quantile(0.5), None);
    }

    #[test]
    fn buckets_out_of_order_are_refused() {
        let error = serde_json::from_str::<Histogram>("[[20,1],[10,1]]").unwrap_err();
        assert!(
            error.to_string().starts_with("bucket 10 does not come after bucket 20"),
            "{error}"
        );
    }
}
