//! The verb `report`: makes charts, page and summaries anew from the records of a folder, and from nothing else.

use crate::{
    charts::{self, Chart, ChartError},
    check::matrix::{self, Matrix, MatrixError},
    cli::Exit,
    folder, page,
    results::{Results, samples::Samples},
    summary,
};
use anyhow::Context;
use clap::Args;
use std::{
    fs,
    io::Write,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

/// Draw the charts and the page of an experiment anew, from its records alone
#[derive(Debug, Args)]
pub struct Report {
    /// The folder that holds `runs.jsonl`
    dir: PathBuf,
    /// What `cyclotron check --json` has written, to be shown on the page; `DIR/check.json` if there is one
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

impl Report {
    /// Writes charts, page and summaries, and the page's path to standard output.
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
        let check = match &self.check {
            Some(path) => Some(Matrix::read(path)?),
            None => kept_check(&self.dir)?,
        };
        let page = write(&results, &self.dir, check.as_ref())?;
        writeln!(std::io::stdout(), "report: {}", page.display())?;
        Ok(Exit::Success)
    }
}

/// The check that is kept in a folder of results, if one is.
///
/// # Errors
///
/// If there is one that cannot be read.
pub fn kept_check(folder: &Path) -> Result<Option<Matrix>, MatrixError> {
    let path = folder.join(matrix::FILE);
    path.is_file().then(|| Matrix::read(&path)).transpose()
}

/// Writes charts, page and summaries into a folder; returns the page's path.
///
/// # Errors
///
/// If a chart cannot be drawn or a file not written.
pub fn write(
    results: &Results<'_>,
    folder: &Path,
    check: Option<&Matrix>,
) -> anyhow::Result<PathBuf> {
    let drawn = charts::draw(results, &Samples::of(folder))?;
    let pictures = pictures(&drawn)?;
    let charts = folder.join("charts");
    remove_stale(&charts, &drawn);
    for (chart, picture) in drawn.iter().zip(&pictures) {
        folder::write_whole(&charts.join(format!("{}.svg", chart.name)), &chart.svg)?;
        folder::write_whole(&charts.join(format!("{}.png", chart.name)), picture)?;
    }
    folder::write_whole(&folder.join("summary.csv"), summary::csv(results))?;
    folder::write_whole(&folder.join("summary.md"), summary::markdown(results))?;
    let path = folder.join("report.html");
    folder::write_whole(&path, page::render(results, &drawn, check))?;
    Ok(path)
}

/// The charts as PNG, drawn on all cores.
fn pictures(charts: &[Chart]) -> Result<Vec<Vec<u8>>, ChartError> {
    let rest = Mutex::new(charts.iter().enumerate());
    let next = || rest.lock().unwrap_or_else(|poison| poison.into_inner()).next();
    let draw = || {
        let mut mine = Vec::new();
        while let Some((place, chart)) = next() {
            mine.push((place, charts::png(chart)));
        }
        mine
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(draw)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, picture)| picture).collect()
}

/// Removes charts of an earlier report that this one does not have. What did not come from here is left alone.
fn remove_stale(folder: &Path, drawn: &[Chart]) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_stale = path.extension().is_some_and(|ending| ending == "svg")
            && !drawn.iter().any(|chart| path.file_stem().is_some_and(|stem| *stem == *chart.name))
            && fs::read_to_string(&path).is_ok_and(|svg| charts::is_chart(&svg));
        if is_stale {
            // What cannot be removed cannot be drawn over either, and the report says so then.
            let _ = fs::remove_file(path.with_extension("png"));
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn a_report_leaves_no_chart_of_an_earlier_one_and_touches_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let records = synthetic::records();
        write(&Results::of(&records).unwrap(), folder.path(), None).unwrap();
        let charts = folder.path().join("charts");
        assert!(charts.join("rings-percentiles.png").exists());
        fs::write(charts.join("mine.svg"), "<svg></svg>").unwrap();
        fs::write(charts.join("mine.png"), "a picture").unwrap();
        let fewer: Vec<_> =
            records.iter().filter(|run| run.workload == "friends").cloned().collect();
        write(&Results::of(&fewer).unwrap(), folder.path(), None).unwrap();
        let mut left: Vec<String> = fs::read_dir(&charts)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort_unstable();
        assert!(left.iter().all(|name| !name.starts_with("rings")), "{left:?}");
        assert!(left.contains(&"mine.svg".to_owned()) && left.contains(&"mine.png".to_owned()));
        assert!(left.contains(&"friends-percentiles.png".to_owned()), "{left:?}");
        for name in ["report.html", "summary.csv", "summary.md"] {
            assert!(folder.path().join(name).exists(), "{name} is missing");
        }
    }
}
