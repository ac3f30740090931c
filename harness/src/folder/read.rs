//! Records read from a folder, and what is said of those that cannot be.

use super::{FolderError, RUNS, name_of, refused};
use crate::record::{OLDEST_SCHEMA, Record, SCHEMA};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The records of a folder, and what could not be read.
#[derive(Debug)]
pub struct Read {
    /// Those that could, in their order.
    pub records: Vec<Record>,
    /// A sentence for each line that could not.
    pub skipped: Vec<String>,
}

/// Reads the records of a folder. A line that is corrupt, cut short or of another schema is named and left out.
///
/// # Errors
///
/// If there are none, or a file cannot be read.
pub fn read(path: &Path) -> Result<Read, FolderError> {
    let read = read_any(path)?;
    if read.records.is_empty() {
        return Err(FolderError::Nothing(path.to_owned()));
    }
    Ok(read)
}

/// The same, where a folder without a record is no mistake.
///
/// # Errors
///
/// If there is no file of records, or one cannot be read.
pub fn read_any(path: &Path) -> Result<Read, FolderError> {
    let mut read = Read { records: Vec::new(), skipped: Vec::new() };
    let mut expected = 1;
    for (number, file) in files(path)? {
        while expected < number {
            let gone = path.join(name_of(expected));
            read.skipped.push(format!(
                "`{}` is gone, though there is a later file of records: {AGAIN}",
                gone.display()
            ));
            expected += 1;
        }
        expected = number + 1;
        let bytes = fs::read(&file).map_err(refused("read", &file))?;
        let text = String::from_utf8_lossy(&bytes);
        for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
            match record(line) {
                Ok(record) => read.records.push(record),
                Err(why) => read
                    .skipped
                    .push(format!("line {number} of `{}` is left out: {why}", file.display())),
            }
        }
    }
    Ok(read)
}

/// The files of records with their numbers, in their order; the first is among them.
pub(super) fn files(path: &Path) -> Result<Vec<(u32, PathBuf)>, FolderError> {
    if !path.join(RUNS).exists() {
        return Err(FolderError::Empty(path.to_owned()));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(refused("read", path))? {
        let entry = entry.map_err(refused("read", path))?;
        if let Some(number) = entry.file_name().to_str().and_then(number_of) {
            files.push((number, entry.path()));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn number_of(name: &str) -> Option<u32> {
    if name == RUNS {
        return Some(1);
    }
    let number = name.strip_prefix("runs-")?.strip_suffix(".jsonl")?.parse().ok()?;
    (number > 1 && name_of(number) == name).then_some(number)
}

/// What to do about a run whose record is lost.
const AGAIN: &str = "`cyclotron run --resume` makes its runs again";

fn record(line: &str) -> Result<Record, String> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let corrupt = |error: serde_json::Error| {
        let what = if error.is_eof() { "it is cut short" } else { "it is not a record" };
        format!("{what} ({error}); {AGAIN}")
    };
    let version: Version = serde_json::from_str(line).map_err(corrupt)?;
    match version.schema {
        OLDEST_SCHEMA..=SCHEMA => serde_json::from_str(line).map_err(corrupt),
        newer if newer > SCHEMA => Err(format!(
            "its schema is {newer}, expected {OLDEST_SCHEMA} to {SCHEMA}; read it with the program that wrote it, or a newer one"
        )),
        older => Err(format!(
            "its schema is {older}, expected {OLDEST_SCHEMA} to {SCHEMA}; read it with the program that wrote it, \
             whose commit is in the line, or make the runs again with this one"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{folder::Folder, synthetic};

    #[test]
    fn corrupt_cut_newer_and_older_records_are_named_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = Folder::create(folder.path()).unwrap();
        results.add(&synthetic::records()[0], &[]).unwrap();
        let file = folder.path().join(RUNS);
        let whole = fs::read_to_string(&file).unwrap();
        let newer = whole.replace("\"schema\":3", "\"schema\":4");
        let older = whole.replace("\"schema\":3", "\"schema\":1");
        let cut = &whole[..whole.len() / 2];
        fs::write(&file, format!("{whole}{newer}not JSON\n{older}{whole}{cut}")).unwrap();
        let read = read(folder.path()).unwrap();
        assert_eq!(read.records.len(), 2);
        let expected = [
            (
                "line 2 of `",
                "its schema is 4, expected 2 to 3; read it with the program that wrote it",
            ),
            ("line 3 of `", "it is not a record (expected ident at line 1 column 2); `cyclotron"),
            (
                "line 4 of `",
                "its schema is 1, expected 2 to 3; read it with the program that wrote it",
            ),
            ("line 6 of `", "it is cut short (EOF while parsing"),
        ];
        assert_eq!(read.skipped.len(), expected.len());
        for (told, (place, why)) in read.skipped.iter().zip(expected) {
            assert!(
                told.starts_with(place) && told.contains(&format!(".jsonl` is left out: {why}")),
                "{told}"
            );
        }
    }

    #[test]
    fn what_an_older_record_does_not_say_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = Folder::create(folder.path()).unwrap();
        let new = &synthetic::records()[1];
        results.add(new, &[]).unwrap();
        let file = folder.path().join(RUNS);
        let whole = fs::read_to_string(&file).unwrap();
        let cpu = new.pauses.as_ref().unwrap().total_cpu_ns.unwrap();
        let mut older = whole.replace("\"schema\":3", "\"schema\":2");
        for added in ["\"collector_cpu_ns\":0,".to_owned(), format!("\"total_cpu_ns\":{cpu},")] {
            assert!(older.contains(&added), "{added} in {older}");
            older = older.replace(&added, "");
        }
        fs::write(&file, older).unwrap();
        let read = read(folder.path()).unwrap();
        assert!(read.skipped.is_empty(), "{:?}", read.skipped);
        let mut expected = Record { schema: 2, collector_cpu_ns: None, ..new.clone() };
        expected.pauses.as_mut().unwrap().total_cpu_ns = None;
        assert_eq!(read.records, [expected]);
    }

    #[test]
    fn a_file_of_records_that_is_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        Folder::create(folder.path()).unwrap();
        fs::write(folder.path().join("runs-3.jsonl"), "").unwrap();
        for other in ["runs-03.jsonl", "runs-1.jsonl", "runs-x.jsonl", "runs-4.jsonl.part"] {
            fs::write(folder.path().join(other), "not ours").unwrap();
        }
        let read = read_any(folder.path()).unwrap();
        assert_eq!(read.skipped.len(), 1, "{:?}", read.skipped);
        assert!(read.skipped[0].contains("runs-2.jsonl` is gone"), "{:?}", read.skipped);
    }
}
