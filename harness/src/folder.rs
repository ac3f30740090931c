//! Folder of results: the runs, their pauses one by one, the experiment as it was run, the charts and the report.
//!
//! ```text
//! runs.jsonl       one record a line, in the order in which they were made; RECORDS.md says what each field means
//! runs-2.jsonl     and so on: the next ones, so that no file is written anew that has grown large
//! experiment.toml  the experiment as it was run
//! selection.json   what the command cut it down to
//! pauses/*.csv     every pause of a run that was at least as long as the floor
//! charts/*.svg     drawn from runs.jsonl and pauses/ alone; *.png are the same pictures
//! summary.csv      every figure of every configuration, likewise
//! summary.md       verdict and figures to be read, likewise
//! report.html      all of it on a page, likewise
//! ```
//!
//! Each file is written beside its place and then moved there, so that at any moment it is either the old one or the new
//! one, whole.

mod read;

pub use read::{Read, read, read_any};

use crate::{record::Record, recorder::Sample};
use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// The name of the first file of records.
pub const RUNS: &str = "runs.jsonl";

/// A file of records takes no more once it has so many bytes. Each record writes the last file anew, whole, so that the
/// cost of a record does not grow with the number of them.
const FULL_BYTES: usize = 1 << 20;

/// A folder of results.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The number of the last file of records, from 1.
    number: u32,
    /// That file as it stands. What cannot be read in it is not ours to change, so these are bytes.
    lines: Vec<u8>,
}

/// Why something cannot be written to or read from a folder of results.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds runs already.
    #[error("`{}` holds runs already, expected a folder without\nhelp: choose another with `--out`, or continue it with `--resume`", .0.display())]
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
        let folder = Self { path: path.to_owned(), number: 1, lines: Vec::new() };
        folder.write(RUNS, "")?;
        Ok(folder)
    }

    /// Takes a folder that holds runs, to add others.
    ///
    /// # Errors
    ///
    /// If it holds no file of records, or that cannot be read.
    pub fn reopen(path: &Path) -> Result<Self, FolderError> {
        let files = read::files(path)?;
        let (number, file) = files.last().ok_or_else(|| FolderError::Empty(path.to_owned()))?;
        let mut lines = fs::read(file).map_err(refused("read", file))?;
        // A line that was cut short stays as it is, and the next record is not to be taken for its rest.
        if lines.last().is_some_and(|last| *last != b'\n') {
            lines.push(b'\n');
        }
        Ok(Self { path: path.to_owned(), number: *number, lines })
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
        let mut line = serde_json::to_vec(record)
            .map_err(|error| refused("write", &self.path.join(RUNS))(error.into()))?;
        line.push(b'\n');
        let mut number = self.number;
        if !self.lines.is_empty() && self.lines.len() + line.len() > FULL_BYTES {
            number += 1;
        } else {
            line.splice(..0, self.lines.iter().copied());
        }
        write_whole(&self.path.join(name_of(number)), &line)?;
        (self.number, self.lines) = (number, line);
        Ok(())
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

/// The name of a file of records, by its number.
fn name_of(number: u32) -> String {
    if number == 1 { RUNS.to_owned() } else { format!("runs-{number}.jsonl") }
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
        assert_eq!(left, [RUNS], "nothing else was expected to be left");
    }

    #[test]
    fn runs_are_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        Folder::create(folder.path()).unwrap();
        let error = Folder::create(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("holds runs already")
                && error
                    .contains("help: choose another with `--out`, or continue it with `--resume`"),
            "{error}"
        );
        fs::create_dir(folder.path().join("quick-1")).unwrap();
        assert!(Folder::unused(folder.path(), "quick").ends_with("quick-2"));
    }

    #[test]
    fn files_of_records_are_read_in_their_order_and_none_grows_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = Folder::create(folder.path()).unwrap();
        let mut records = Vec::new();
        for position in 1..=200 {
            let mut record = synthetic::record("refcount", "rings", 1);
            record.order.position = position;
            record.message = Some("a long message ".repeat(1_500));
            results.add(&record, &[]).unwrap();
            records.push(record);
            if position == 110 {
                results = Folder::reopen(folder.path()).unwrap();
            }
        }
        let sizes: Vec<u64> = (1..=results.number)
            .map(|number| fs::metadata(folder.path().join(name_of(number))).unwrap().len())
            .collect();
        assert!(sizes.len() > 3 && sizes.iter().all(|size| *size <= 1 << 20), "{sizes:?}");
        assert_eq!(read(folder.path()).unwrap().records, records);
    }

    #[test]
    fn a_record_too_large_for_a_file_has_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = Folder::create(folder.path()).unwrap();
        let mut record = synthetic::record("refcount", "rings", 1);
        record.message = Some("x".repeat(FULL_BYTES));
        for _ in 0..2 {
            results.add(&record, &[]).unwrap();
        }
        assert_eq!((results.number, read(folder.path()).unwrap().records.len()), (2, 2));
    }

    #[test]
    fn what_was_cut_short_is_kept_and_what_is_added_stands_on_its_own() {
        let folder = tempfile::tempdir().unwrap();
        Folder::create(folder.path()).unwrap();
        let cut = b"{\"schema\":3,\xff";
        fs::write(folder.path().join(RUNS), cut).unwrap();
        let record = synthetic::record("refcount", "rings", 1);
        Folder::reopen(folder.path()).unwrap().add(&record, &[]).unwrap();
        let after = fs::read(folder.path().join(RUNS)).unwrap();
        assert!(after.starts_with(cut) && after[cut.len()] == b'\n');
        assert_eq!(read(folder.path()).unwrap().records, [record]);
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
