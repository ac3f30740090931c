//! Units: durations, sizes and counts as people read them.

/// A duration in nanoseconds, with three digits: `9.87 µs`, `123 ms`.
pub fn duration(ns: u64) -> String {
    scaled(ns, &["ns", "µs", "ms", "s"])
}

/// A duration without digits that say nothing, for ticks and limits: `10 µs`, `2.5 ms`.
pub fn round_duration(ns: u64) -> String {
    without_zeros(duration(ns))
}

/// The same without digits that say nothing, for ticks: `40 MB`.
pub fn round_bytes(number: u64) -> String {
    without_zeros(bytes(number))
}

fn without_zeros(told: String) -> String {
    let Some((number, unit)) = told.split_once(' ').filter(|(number, _)| number.contains('.'))
    else {
        return told;
    };
    format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
}

/// A number of bytes, with three digits and powers of ten: `40.0 MB`.
pub fn bytes(bytes: u64) -> String {
    scaled(bytes, &["B", "kB", "MB", "GB", "TB"])
}

/// A count with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number and what it counts: `1 pause`, `2 pauses`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A ratio with two digits or three: `0.87×`, `0.051×`.
pub fn ratio(ratio: f64) -> String {
    format!("{}×", plain_ratio(ratio))
}

fn plain_ratio(ratio: f64) -> String {
    if ratio < 0.0995 { format!("{ratio:.3}") } else { three_digits(ratio) }
}

/// A ratio with the least and the most beside it: `0.87× (0.81 to 0.92)`.
pub fn ratio_range(low: f64, median: f64, high: f64) -> String {
    format!("{} ({} to {})", ratio(median), plain_ratio(low), plain_ratio(high))
}

/// A share as a percentage with as many digits as mean something: `12 %`, `0.03 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent == 0.0 => "0 %".to_owned(),
        _ if percent < 0.01 => "< 0.01 %".to_owned(),
        _ if percent < 1.0 => format!("{percent:.2} %"),
        _ if percent < 10.0 => format!("{percent:.1} %"),
        _ => format!("{percent:.0} %"),
    }
}

/// Exact below a thousand of the first unit, three digits above.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn scaled(number: u64, units: &[&str]) -> String {
    if number < 1_000 {
        return format!("{number} {}", units[0]);
    }
    let mut value = number as f64;
    let mut unit = 0;
    // What would be rounded up to a thousand belongs to the next unit.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), units[unit])
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value >= 99.95 => format!("{value:.0}"),
        _ if value >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_the_right_unit() {
        assert_eq!(duration(999), "999 ns");
        assert_eq!(duration(9_871), "9.87 µs");
        assert_eq!(duration(999_600), "1.00 ms");
        assert_eq!(duration(123_456_789), "123 ms");
        assert_eq!(duration(90_000_000_000), "90.0 s");
        assert_eq!(
            (round_duration(10_000), round_duration(2_500_000)),
            ("10 µs".to_owned(), "2.5 ms".to_owned())
        );
        assert_eq!(
            (round_duration(100_000), round_duration(500)),
            ("100 µs".to_owned(), "500 ns".to_owned())
        );
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(40_000_000), "40.0 MB");
        assert_eq!(ratio(0.8731), "0.87×");
        assert_eq!(ratio(12.34), "12.3×");
        assert_eq!(ratio_range(0.0512, 0.0994, 0.1), "0.099× (0.051 to 0.10)");
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!(count(12), "12");
        assert_eq!(count(123_456), "123,456");
        assert_eq!(counted(1, "pause", "pauses"), "1 pause");
        assert_eq!(counted(1_234, "pause", "pauses"), "1,234 pauses");
    }

    #[test]
    fn a_small_share_is_not_shown_as_none() {
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.000_01), "< 0.01 %");
        assert_eq!(percent(0.0042), "0.42 %");
        assert_eq!(percent(0.994), "99 %");
    }
}
