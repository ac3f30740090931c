//! Python: the same graphs in CPython, by a script that the bench carries.

use std::process::Command;

const SCRIPT: &str = include_str!("../python/peer.py");

/// What the script measures with these arguments, in nanoseconds; `None` if there is no `python3` that can.
pub(crate) fn measure(arguments: &[&str]) -> Option<f64> {
    let output = Command::new("python3").arg("-c").arg(SCRIPT).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().parse().ok()
}

/// The version of `python3`, if there is one that can.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("python3").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
