//! Samples: the pauses of a run one by one, from the folder that its record lies in.

use crate::record::Record;
use collectors::Cause;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::Error},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where pauses can be looked up.
#[derive(Debug, Default)]
pub struct Samples {
    folder: Option<PathBuf>,
    names: Vec<String>,
}

/// One pause, as far as it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dot {
    /// When it began, in nanoseconds since the run began.
    pub start_ns: u64,
    /// How long it took.
    pub wall_ns: u64,
    /// What it was for.
    pub cause: Cause,
}

impl Samples {
    /// The pauses in a folder of results; none if it has none.
    pub fn of(folder: &Path) -> Self {
        let folder = folder.join("pauses");
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Self { folder: Some(folder), names }
    }

    /// The pauses of a run, in their order; none if it had none as long as the floor.
    ///
    /// # Errors
    ///
    /// If it had some and they are not in the folder or cannot be understood: what is missing, in words.
    pub fn pauses(&self, run: &Record) -> Result<Vec<Dot>, String> {
        if run.pauses.as_ref().is_none_or(|pauses| pauses.count == 0) {
            return Ok(Vec::new());
        }
        let name = format!(
            "{:04}-{}-{}-{}",
            run.order.position, run.workload, run.collector, run.invocation
        );
        let missing = || format!("pauses/{name}.csv is missing");
        let folder = self.folder.as_ref().ok_or_else(missing)?;
        let first = self.names.partition_point(|known| *known < name);
        let file = self.names.get(first).filter(|known| known.starts_with(&name));
        let file = file.ok_or_else(missing)?;
        let text = fs::read_to_string(folder.join(file)).map_err(|_| missing())?;
        dots(&text).ok_or_else(|| format!("pauses/{file} cannot be understood"))
    }
}

fn dots(text: &str) -> Option<Vec<Dot>> {
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next()?.split(',').collect();
    let place = |name: &str| head.iter().position(|column| *column == name);
    let (start, wall, cause) = (place("start_ns")?, place("wall_ns")?, place("cause")?);
    let dot = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let cause = IntoDeserializer::<Error>::into_deserializer(*fields.get(cause)?);
        Some(Dot {
            start_ns: fields.get(start)?.parse().ok()?,
            wall_ns: fields.get(wall)?.parse().ok()?,
            cause: Cause::deserialize(cause).ok()?,
        })
    };
    lines.map(dot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{folder::Folder, recorder::Sample, synthetic};

    #[test]
    fn what_a_run_wrote_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let record = synthetic::record("refcount", "friends", 2);
        let samples =
            [(Cause::Collection, 7), (Cause::SlowAllocation, 9)].map(|(cause, start_ns)| Sample {
                start_ns,
                wall_ns: 10 * start_ns,
                cpu_ns: 1,
                estimated_ns: 0,
                mutator: 0,
                cause,
                generation: None,
                objects: 3,
            });
        Folder::create(folder.path()).unwrap().add(&record, &samples).unwrap();
        let read = Samples::of(folder.path()).pauses(&record).unwrap();
        let expected =
            samples.map(|Sample { start_ns, wall_ns, cause, .. }| Dot { start_ns, wall_ns, cause });
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_missing_is_named_and_what_never_was_is_not_missed() {
        let run = synthetic::record("refcount", "friends", 2);
        let missing = Samples::default().pauses(&run).unwrap_err();
        assert_eq!(missing, "pauses/0001-friends-refcount-2.csv is missing");
        let calm = synthetic::record("leak", "friends", 2);
        assert_eq!(Samples::default().pauses(&calm), Ok(Vec::new()));
    }
}
