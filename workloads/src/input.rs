//! Files that parameters name, read by whoever runs the workload.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A file named in an experiment: its path, and its contents once they have been supplied.
///
/// In experiment files and records it is the path alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct InputFile {
    path: String,
    contents: Option<Arc<[u8]>>,
}

impl InputFile {
    /// The path as it was given, relative to wherever the reader thinks right.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Hands over what was read from the path.
    pub fn supply(&mut self, contents: impl Into<Arc<[u8]>>) {
        self.contents = Some(contents.into());
    }

    /// What was supplied, or `None` if nothing has been.
    pub fn contents(&self) -> Option<&[u8]> {
        self.contents.as_deref()
    }
}

impl From<String> for InputFile {
    fn from(path: String) -> Self {
        Self { path, contents: None }
    }
}

impl From<InputFile> for String {
    fn from(file: InputFile) -> Self {
        file.path
    }
}
