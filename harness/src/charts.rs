//! Charts: drawn from results alone, as SVG that can be read in light and dark.
//!
//! One colour a collector everywhere; each chart says what was measured, how often, in which units, and which direction
//! is better.

mod canvas;
mod cost;
mod palette;
mod pauses_and_leaks;
mod scale;

use crate::{
    results::{Range, Results, round},
    units,
};

pub use palette::{THEME, colour_code};

/// One drawn chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// The name of its file, without the ending.
    pub name: String,
    /// What it shows, in one line.
    pub title: String,
    /// The picture.
    pub svg: String,
}

/// Why a chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw chart `{chart}`: {message}")]
pub struct ChartError {
    chart: String,
    message: String,
}

/// Draws all charts: pauses beside leaks for everything first, then one a workload.
///
/// # Errors
///
/// If the drawing library refuses.
pub fn draw(results: &Results<'_>) -> Result<Vec<Chart>, ChartError> {
    let mut charts = vec![pauses_and_leaks::draw(results)?];
    for group in &results.groups {
        charts.push(cost::draw(results, group)?);
    }
    Ok(charts)
}

/// Text as HTML and SVG can hold it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// How often and with which certainty was measured, for the foot of a chart.
fn how_often(results: &Results<'_>) -> String {
    let runs = units::counted(u64::from(results.invocations()), "run", "runs");
    let seed = results.records[0].order.seed;
    format!(
        "{runs} of each configuration, each in a process of its own, interleaved in an order shuffled from seed {seed}."
    )
}

/// What the machine did by itself, for the foot of a chart.
fn how_noisy(results: &Results<'_>) -> Option<(u64, String)> {
    #[expect(clippy::cast_precision_loss, reason = "a hiccup is far below 2^53 ns")]
    let hiccups = results.records.iter().filter_map(|run| run.hiccup_max_ns).map(|ns| ns as f64);
    let hiccups = Range::of(hiccups)?;
    let median = round(hiccups.median);
    let told = format!(
        "The machine's own hiccup, by how much a thread sleeping 1 ms at a time overslept at worst: {} in the median run, {} in the worst.",
        units::duration(median),
        units::duration(round(hiccups.high)),
    );
    Some((median, told))
}

#[cfg(test)]
mod tests;
