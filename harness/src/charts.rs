//! Charts: drawn from results alone, as SVG that can be read in light and dark.
//!
//! One colour a collector everywhere; each chart says what was measured, how often, in which units, and which direction
//! is better.

mod canvas;
mod front;
mod labels;
mod legend;
mod look;
mod memory;
mod overview;
mod palette;
mod panel;
mod pareto;
mod pauses_and_leaks;
mod percentiles;
mod picture;
mod portion;
mod scale;
mod scaling;
mod sweep;
mod throughput;
mod timeline;
mod words;

use crate::{
    results::{Range, Results, round, samples::Samples},
    units,
};
use look::Looks;

pub use palette::{THEME, colour_code};
pub use picture::png;

/// One drawn chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// The name of its file, without the ending.
    pub name: String,
    /// What it shows, in one line.
    pub title: String,
    /// The picture.
    pub svg: String,
    /// Where in a report it belongs.
    pub section: Section,
}

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Everything at a glance.
    Overview,
    /// Who beats whom in pause, garbage and CPU time together.
    Front,
    /// Pauses, and what was leaked and floated meanwhile.
    Garbage,
    /// What it costs in speed.
    Throughput,
    /// What settings trade for what.
    Sweep,
    /// What grows with what.
    Scaling,
    /// One workload, by its place among the results' groups.
    Workload(usize),
}

/// Why a chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw chart `{chart}`: {message}")]
pub struct ChartError {
    chart: String,
    message: String,
}

/// Draws all charts, section by section.
///
/// # Errors
///
/// If the drawing library refuses.
pub fn draw(results: &Results<'_>, samples: &Samples) -> Result<Vec<Chart>, ChartError> {
    let looks = Looks::of(results);
    let mut charts = vec![overview::draw(results, &looks)?];
    let pareto = pareto::draw(results, &looks).transpose()?;
    charts.extend(pareto.map(|chart| chart.of(Section::Front)));
    for (section, drawn) in [
        (Section::Garbage, pauses_and_leaks::draw(results)?),
        (Section::Throughput, throughput::draw(results, &looks)?),
        (Section::Sweep, sweep::draw(results, &looks)?),
        (Section::Scaling, scaling::draw(results, &looks)?),
    ] {
        charts.extend(drawn.into_iter().map(|chart| chart.of(section)));
    }
    for (group, place) in results.groups.iter().zip(0..) {
        let mut mine: Vec<Chart> =
            front::draw(results, group, &looks).transpose()?.into_iter().collect();
        mine.push(percentiles::pauses(results, group, &looks)?);
        mine.push(timeline::draw(results, group, &looks, samples)?);
        mine.extend(memory::draw(results, group, &looks).transpose()?);
        mine.extend(percentiles::latency(results, group, &looks).transpose()?);
        charts.extend(mine.into_iter().map(|chart| chart.of(Section::Workload(place))));
    }
    name_apart(&mut charts);
    Ok(charts)
}

impl Chart {
    fn of(self, section: Section) -> Self {
        Self { section, ..self }
    }
}

/// Two charts whose labels differ only in what a file's name cannot hold are numbered.
fn name_apart(charts: &mut [Chart]) {
    let mut taken: Vec<String> = Vec::new();
    for chart in charts {
        let mut name = chart.name.clone();
        let mut number = 2;
        while taken.contains(&name) {
            name = format!("{}-{number}", chart.name);
            number += 1;
        }
        taken.push(name.clone());
        chart.name = name;
    }
}

/// A label as the name of a file.
fn file_name(label: &str) -> String {
    let words = label.split(|letter: char| !letter.is_alphanumeric() && letter != '.');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Whether a picture is one of these charts, of this or an earlier version.
pub fn is_chart(svg: &str) -> bool {
    svg.contains("<style>svg text{font-family:")
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
