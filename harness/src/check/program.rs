//! Program of the models: the tests of `collectors`, built for the model checker.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

/// Where builds for the model checker go: `--cfg loom` would rebuild everything in the usual folder.
const TARGET: &str = "target/loom";

/// The folder with the workspace's manifest and the crate of the collectors.
#[derive(Clone, Debug)]
pub struct Workspace(PathBuf);

/// The built tests.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    folder: PathBuf,
}

/// Why there is no program to run models with.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The sources are not where they were.
    #[error("`{}` holds no `collectors/Cargo.toml`, expected the sources of Cyclotron\nhelp: name their folder with `--workspace`", .0.display())]
    NoWorkspace(PathBuf),
    /// Another program could not be started.
    #[error("cannot start `{program}`")]
    NotStarted {
        /// The other program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The compiler refused.
    #[error("the models do not build, as the compiler says above")]
    NotBuilt,
    /// The compiler made something else.
    #[error("cargo built no tests of `collectors`")]
    NoTests,
    /// The tests cannot say which they are.
    #[error("the tests do not list their names: {0}")]
    NotListed(String),
}

impl Workspace {
    /// The workspace in `folder`, or else the one that this program was built from.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn find(folder: Option<&Path>) -> Result<Self, ProgramError> {
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = folder.map_or(built_from, Path::to_owned);
        match folder.canonicalize() {
            Ok(folder) if folder.join("collectors/Cargo.toml").is_file() => Ok(Self(folder)),
            _ => Err(ProgramError::NoWorkspace(folder)),
        }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Builds the tests of `collectors` for the model checker; the compiler's messages go to stderr.
    ///
    /// # Errors
    ///
    /// If cargo is missing or the tests do not build.
    pub fn build(&self) -> Result<Program, ProgramError> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut flags = env::var("RUSTFLAGS").unwrap_or_default();
        // crossbeam's epochs have a switch of their own.
        flags.push_str(" --cfg loom --cfg crossbeam_loom");
        let output = Command::new(&cargo)
            .current_dir(&self.0)
            .args(["test", "--package", "collectors", "--lib", "--no-run", "--profile", "model"])
            .args(["--target-dir", TARGET, "--message-format", "json-render-diagnostics"])
            .env("RUSTFLAGS", flags.trim())
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|source| not_started(Path::new(&cargo), source))?;
        if !output.status.success() {
            return Err(ProgramError::NotBuilt);
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let mut built = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
        let path = built.find_map(|message: Message| message.executable);
        let path = path.ok_or(ProgramError::NoTests)?;
        Ok(Program { path, folder: self.0.join("collectors") })
    }
}

/// The part of cargo's messages that names what was built.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

impl Program {
    /// The names of its tests.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn tests(&self) -> Result<Vec<String>, ProgramError> {
        let output = self
            .command()
            .args(["--list", "--format", "terse"])
            .output()
            .map_err(|source| not_started(&self.path, source))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(ProgramError::NotListed(words));
        }
        let listed = String::from_utf8_lossy(&output.stdout);
        Ok(listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect())
    }

    /// A process of the program, where cargo would start it, without a variable that changes what models do.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.folder).stdin(Stdio::null());
        for (variable, _) in env::vars_os() {
            let name = variable.to_string_lossy();
            if name.starts_with("LOOM_") || name.starts_with("CYCLOTRON_") {
                command.env_remove(&variable);
            }
        }
        command
    }
}

fn not_started(program: &Path, source: io::Error) -> ProgramError {
    ProgramError::NotStarted { program: program.display().to_string(), source }
}
