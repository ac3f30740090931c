//! The program `cyclotron`: experiments, runs, records, charts and reports.
//!
//! Alone among the crates it touches files, clocks, TOML and the terminal. It names no collector and no workload but the
//! baseline of throughput and those of the tour: it takes them from the lists of their crates. One run is one process.

pub mod check;
pub mod cli;
pub mod list;
pub mod report;
pub mod run;
pub mod stress;
pub mod tour;

pub mod experiment;
pub mod input;
pub mod job;
pub mod plan;
pub mod process;

pub mod clock;
pub mod floating;
pub mod hiccup;
pub mod histogram;
pub mod measure;
pub mod pacer;
pub mod recorder;

pub mod environment;
pub mod folder;
pub mod record;

pub mod charts;
pub mod page;
pub mod results;
pub mod summary;
pub mod table;
pub mod units;

#[cfg(test)]
mod synthetic;
