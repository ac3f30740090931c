//! The verb `report`: draws charts and page anew from the records of a folder, and from nothing else.

use crate::{charts, cli::Exit, folder, page, results::Results};
use anyhow::Context;
use clap::Args;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Draw the charts and the page of an experiment anew, from its records alone
#[derive(Debug, Args)]
pub struct Report {
    /// The folder that holds `runs.jsonl`
    dir: PathBuf,
}

impl Report {
    /// Writes charts and page, and the page's path to standard output.
    ///
    /// # Errors
    ///
    /// If the folder holds no record that can be read, or cannot be written to.
    pub fn run(self) -> anyhow::Result<Exit> {
        let folder::Read { records, skipped } = folder::read(&self.dir)?;
        for line in skipped {
            writeln!(std::io::stderr(), "warning: {line}")?;
        }
        let results = Results::of(&records).context("there are no records")?;
        let page = write(&results, &self.dir)?;
        writeln!(std::io::stdout(), "report: {}", page.display())?;
        Ok(Exit::Success)
    }
}

/// Writes charts and page into a folder; returns the page's path.
///
/// # Errors
///
/// If a chart cannot be drawn or a file not written.
pub fn write(results: &Results<'_>, folder: &Path) -> anyhow::Result<PathBuf> {
    let charts = charts::draw(results)?;
    for chart in &charts {
        folder::write_whole(
            &folder.join("charts").join(format!("{}.svg", chart.name)),
            &chart.svg,
        )?;
    }
    let path = folder.join("report.html");
    folder::write_whole(&path, &page::render(results, &charts))?;
    Ok(path)
}
