//! Build script: writes into the program what it was built from and with, so that every record can say so.

use std::process::Command;

fn main() {
    for watched in
        ["src", "../collectors/src", "../workloads/src", "../.git/HEAD", "../.git/logs/HEAD"]
    {
        if std::path::Path::new(watched).exists() {
            println!("cargo::rerun-if-changed={watched}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = std::env::var("RUSTC").ok().and_then(|rustc| output(&rustc, &["--version"]));
    println!("cargo::rustc-env=CYCLOTRON_COMPILER={}", compiler.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=CYCLOTRON_COMMIT={}", commit().as_deref().unwrap_or("unknown"));
}

/// The commit of the sources, marked if they have been changed since.
fn commit() -> Option<String> {
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"])?;
    let sources = [
        "status",
        "--porcelain",
        "--",
        "../collectors",
        "../workloads",
        "../harness",
        "../Cargo.toml",
    ];
    let is_clean = output("git", &sources).is_some_and(|changes| changes.is_empty());
    Some(if is_clean { commit } else { format!("{commit} and changes") })
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
