//! Folder of results: the runs, their pauses one by one, the experiment as it was run, the charts and the report.
//!
//! ```text
//! runs.jsonl       one record a line, in the order in which they were made
//! experiment.toml  the experiment as it was run
//! pauses/*.csv     every pause of a run that was at least as long as the floor
//! charts/*.svg     drawn from runs.jsonl and pauses/ alone; *.png are the same pictures
//! summary.csv      every figure of every configuration, likewise
//! summary.md       verdict and figures to be read, likewise
//! report.html      all of it on a page, likewise
//! ```
//!
//! Each file is written beside its place and then moved there, so that at any moment it is either the old one or the new
//! one, whole.

use crate::{
    record::{Record, SCHEMA},
    recorder::Sample,
};
use serde::Deserialize;
use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// The name of the file of records.
pub const RUNS: &str = "runs.jsonl";

/// A folder of results.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The file of records as it stands.
    lines: String,
}

/// Why something cannot be written to or read from a folder of results.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds runs already.
    #[error("`{}` holds runs already, expected a folder without\nhelp: choose another with `--out`", .0.display())]
    Taken(PathBuf),
    /// It holds no runs.
    #[error("`{}` holds no `runs.jsonl`, expected the folder of an experiment\nhelp: `cyclotron run --out DIR` makes one", .0.display())]
    Empty(PathBuf),
    /// It holds no run that can be read.
    #[error("`{}` holds no record that can be read", .0.display())]
    Nothing(PathBuf),
    /// The system refuses.
    #[error("cannot {action} `{}`", path.display())]
    Refused {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The records of a folder, and what could not be read.
#[derive(Debug)]
pub struct Read {
    /// Those that could, in their order.
    pub records: Vec<Record>,
    /// A sentence for each line that could not.
    pub skipped: Vec<String>,
}

impl Folder {
    /// Makes a folder for results, or takes one that holds no runs yet.
    ///
    /// # Errors
    ///
    /// If it holds runs, or cannot be made or written to.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        if path.join(RUNS).exists() {
            return Err(FolderError::Taken(path.to_owned()));
        }
        fs::create_dir_all(path).map_err(refused("make folder", path))?;
        let folder = Self { path: path.to_owned(), lines: String::new() };
        folder.write(RUNS, "")?;
        Ok(folder)
    }

    /// The first folder `NAME-1`, `NAME-2`, ... in `parent` that does not exist.
    pub fn unused(parent: &Path, name: &str) -> PathBuf {
        let numbered = (1_u32..).map(|number| parent.join(format!("{name}-{number}")));
        numbered.into_iter().find(|path| !path.exists()).unwrap_or_else(|| parent.join(name))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a run; afterwards the file of records is complete and valid.
    ///
    /// # Errors
    ///
    /// If it cannot be written; then the file is as it was before.
    pub fn add(&mut self, record: &Record, samples: &[Sample]) -> Result<(), FolderError> {
        if !samples.is_empty() {
            let name = format!(
                "pauses/{:04}-{}-{}-{}.csv",
                record.order.position, record.workload, record.collector, record.invocation
            );
            self.write(&name, &table(samples))?;
        }
        let before = self.lines.len();
        let line = serde_json::to_string(record)
            .map_err(|error| refused("write", &self.path.join(RUNS))(error.into()))?;
        self.lines.push_str(&line);
        self.lines.push('\n');
        let written = self.write(RUNS, &self.lines);
        if written.is_err() {
            self.lines.truncate(before);
        }
        written
    }

    /// Writes a file of the folder, whole or not at all.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        write_whole(&self.path.join(name), text)
    }
}

/// Reads the records of a folder. A line that is corrupt, cut short or of a newer schema is named and left out.
///
/// # Errors
///
/// If there are none, or the file cannot be read.
pub fn read(path: &Path) -> Result<Read, FolderError> {
    let file = path.join(RUNS);
    if !file.exists() {
        return Err(FolderError::Empty(path.to_owned()));
    }
    let bytes = fs::read(&file).map_err(refused("read", &file))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut read = Read { records: Vec::new(), skipped: Vec::new() };
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        match record(line) {
            Ok(record) => read.records.push(record),
            Err(why) => read
                .skipped
                .push(format!("line {number} of `{}` is left out: {why}", file.display())),
        }
    }
    if read.records.is_empty() {
        return Err(FolderError::Nothing(path.to_owned()));
    }
    Ok(read)
}

fn record(line: &str) -> Result<Record, String> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let version: Version =
        serde_json::from_str(line).map_err(|error| format!("it is not a record ({error})"))?;
    if version.schema != SCHEMA {
        return Err(format!("its schema is {}, expected {SCHEMA}", version.schema));
    }
    serde_json::from_str(line).map_err(|error| format!("it is not a record ({error})"))
}

/// Writes a file beside its place, makes sure that it is on the disk, and moves it there.
///
/// # Errors
///
/// If the system refuses; then the place is as it was before.
pub fn write_whole(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), FolderError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(refused("make folder", parent))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = (|| {
        let mut file = fs::File::create(&beside)?;
        io::Write::write_all(&mut file, contents.as_ref())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    written.map_err(|source| {
        // The half of a file helps nobody; that it cannot be removed would only hide why it could not be written.
        let _ = fs::remove_file(&beside);
        refused("write", path)(source)
    })
}

fn refused(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Refused { action, path, source }
}

fn table(samples: &[Sample]) -> String {
    let mut text =
        "start_ns,wall_ns,cpu_ns,estimated_ns,mutator,cause,generation,objects\n".to_owned();
    for sample in samples {
        let Sample { start_ns, wall_ns, cpu_ns, estimated_ns, mutator, cause, generation, objects } =
            sample;
        let cause = crate::table::cause(*cause);
        let generation = generation.map(|generation| generation.to_string()).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{start_ns},{wall_ns},{cpu_ns},{estimated_ns},{mutator},{cause},{generation},{objects}"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn what_is_added_is_read_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let records = synthetic::records();
        let mut results = Folder::create(&folder.path().join("new/results")).unwrap();
        for record in &records {
            results.add(record, &[]).unwrap();
        }
        assert_eq!(read(results.path()).unwrap().records, records);
        let left: Vec<_> =
            fs::read_dir(results.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [RUNS]);
    }

    #[test]
    fn runs_are_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        Folder::create(folder.path()).unwrap();
        let error = Folder::create(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("holds runs already")
                && error.contains("help: choose another with `--out`"),
            "{error}"
        );
        fs::create_dir(folder.path().join("quick-1")).unwrap();
        assert!(Folder::unused(folder.path(), "quick").ends_with("quick-2"));
    }

    #[test]
    fn corrupt_cut_and_newer_records_are_named_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = Folder::create(folder.path()).unwrap();
        results.add(&synthetic::records()[0], &[]).unwrap();
        let whole = fs::read_to_string(folder.path().join(RUNS)).unwrap();
        let newer = whole.replace("\"schema\":2", "\"schema\":3");
        fs::write(
            folder.path().join(RUNS),
            format!("{whole}{newer}not JSON\n{}", &whole[..whole.len() / 2]),
        )
        .unwrap();
        let read = read(folder.path()).unwrap();
        assert_eq!(read.records.len(), 1);
        assert_eq!(read.skipped.len(), 3);
        assert!(
            read.skipped[0].contains("line 2")
                && read.skipped[0].ends_with("its schema is 3, expected 2"),
            "{:?}",
            read.skipped
        );
        assert!(read.skipped[1].contains("line 3") && read.skipped[2].contains("line 4"));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = anyhow::Error::new(Folder::create(&file.join("results")).unwrap_err());
        let told = format!("{error:#}");
        assert!(
            told.starts_with("cannot make folder `") && told.contains("file/results`: "),
            "{told}"
        );
    }
}
