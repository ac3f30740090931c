//! Input of workloads: the files that their parameters name.

use std::{fs, io};
use workloads::Workload;

/// Why a file that a parameter names cannot be given to its workload.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`: {why}")]
pub struct InputError {
    path: String,
    why: io::Error,
}

/// Reads the files that the parameters name, from paths relative to the current folder, and hands them over.
///
/// # Errors
///
/// If one of them cannot be read.
pub fn supply<W: Workload>(parameters: &mut W::Parameters) -> Result<(), InputError> {
    for file in W::files(parameters) {
        let path = file.path().to_owned();
        match fs::read(&path) {
            Ok(contents) => file.supply(contents),
            Err(why) => return Err(InputError { path, why }),
        }
    }
    Ok(())
}
