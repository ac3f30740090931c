//! Experiments that end before their time, and how the rest of their runs is made.

use super::{SMALL, cyclotron, records, run, wait_for_a_record};
use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Goes on with the experiment in `out`; returns status, standard output and standard error.
fn resume(folder: &Path) -> (i32, String, String) {
    let output = cyclotron(folder).args(["run", "--resume", "out"]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// What tells a run from others, without what differs from time to time.
fn identity(record: &Value) -> String {
    let parts =
        ["order", "collector", "settings", "workload", "parameters", "invocation", "audited"];
    parts.map(|part| record[part].to_string()).join(" ")
}

fn identities(folder: &Path) -> Vec<String> {
    let mut all: Vec<_> = records(folder).iter().map(identity).collect();
    all.sort();
    all
}

/// The runs of the experiment when nothing interrupts it.
fn undisturbed() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), SMALL, &[]).0, 0);
    identities(folder.path())
}

/// Keeps the lines of the records that are wanted, by their place in the file.
fn keep_lines(folder: &Path, is_wanted: impl Fn(usize) -> bool) {
    let runs = folder.join("out/runs.jsonl");
    let text = fs::read_to_string(&runs).unwrap();
    let kept = text.lines().enumerate().filter(|(index, _)| is_wanted(*index));
    let kept: Vec<_> = kept.map(|(_, line)| format!("{line}\n")).collect();
    fs::write(&runs, kept.concat()).unwrap();
}

/// Starts an experiment whose runs take a while.
fn start(folder: &Path, experiment: &str) -> Child {
    fs::write(folder.join("small.toml"), experiment).unwrap();
    let mut command = Command::new(cargo_bin("cyclotron"));
    command.args(["run", "small.toml", "--out", "out"]).current_dir(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn kill(process: u32) {
    let killed = Command::new("kill").args(["-KILL", &process.to_string()]).status().unwrap();
    assert!(killed.success());
}

/// The process of the run that is being made.
fn child_of(process: u32) -> u32 {
    let begun = Instant::now();
    loop {
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        if let Some(child) = children.unwrap().split_whitespace().next() {
            return child.parse().unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "a run was expected to begin");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_is_missing_is_made_in_its_place_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), SMALL, &[]).0, 0);
    let all = identities(folder.path());
    keep_lines(folder.path(), |line| line % 3 == 1);
    let before = records(folder.path());
    let (status, stdout, stderr) = resume(folder.path());
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.ends_with("report: out/report.html\n"), "{stdout}");
    let after = records(folder.path());
    assert_eq!(after[..before.len()], before, "what was there was expected to stay");
    assert_eq!(identities(folder.path()), all);
    assert_eq!(all, undisturbed());
    let (status, _, stderr) = resume(folder.path());
    assert_eq!(status, 0);
    assert!(stderr.contains("nothing is missing: all 10 runs were made before\n"), "{stderr}");
    assert_eq!(records(folder.path()), after);
}

#[test]
fn a_selection_is_resumed_as_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let selection = ["--collectors", "refcount", "--workloads", "rings", "--invocations", "3"];
    assert_eq!(run(folder.path(), SMALL, &selection).0, 0);
    let all = identities(folder.path());
    assert_eq!(all.len(), 4);
    keep_lines(folder.path(), |line| line == 0);
    assert_eq!(resume(folder.path()).0, 0);
    assert_eq!(identities(folder.path()), all);
    let record = &records(folder.path())[3];
    assert_eq!(
        record["experiment"]["command"],
        "cyclotron run small.toml --collectors refcount --workloads rings --invocations 3"
    );
}

#[test]
fn lines_that_cannot_be_read_are_named_kept_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), SMALL, &[]).0, 0);
    let all = identities(folder.path());
    let runs = folder.path().join("out/runs.jsonl");
    let text = fs::read_to_string(&runs).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let newer = lines[4].replacen("\"schema\":3", "\"schema\":9", 1);
    lines[2] = "not a record";
    lines[4] = &newer;
    let last = lines.len() - 1;
    lines[last] = &lines[last][..100];
    let damaged = lines.join("\n");
    fs::write(&runs, &damaged).unwrap();
    let (status, _, stderr) = resume(folder.path());
    assert_eq!(status, 0, "{stderr}");
    for told in [
        "warning: line 3 of `out/runs.jsonl` is left out: it is not a record (",
        "warning: line 5 of `out/runs.jsonl` is left out: its schema is 9, expected 2 to 3; ",
        "warning: line 10 of `out/runs.jsonl` is left out: it is cut short (",
    ] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }
    let after = fs::read_to_string(&runs).unwrap();
    assert!(after.starts_with(&format!("{damaged}\n")), "damaged lines were expected to stay");
    let records = after.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut readable: Vec<_> =
        records.filter(|record| record["schema"] == 3).map(|record| identity(&record)).collect();
    readable.sort();
    assert_eq!(readable, all);
    assert_eq!(after.lines().count(), all.len() + 3);
}

#[test]
fn a_folder_of_another_experiment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    assert_eq!(run(folder.path(), SMALL, &[]).0, 0);
    let refused = |told: &str| {
        let before = fs::read(out.join("runs.jsonl")).unwrap();
        let (status, stdout, stderr) = resume(folder.path());
        assert_eq!((status, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains(told) && stderr.contains("help: "), "{told}: {stderr}");
        assert_eq!(fs::read(out.join("runs.jsonl")).unwrap(), before);
    };
    fs::write(out.join("experiment.toml"), SMALL.replace("pairs = 2000", "pairs = 2001")).unwrap();
    refused("on `friends`, is not one of the experiment that its `experiment.toml` describes\n");
    fs::write(out.join("experiment.toml"), SMALL.replace("seed = 7", "sede = 7")).unwrap();
    let (status, _, stderr) = resume(folder.path());
    assert_eq!(status, 2);
    assert!(stderr.contains("experiment `out/experiment.toml`: mistake at line 3"), "{stderr}");
    fs::remove_file(out.join("experiment.toml")).unwrap();
    refused("cannot read `out/experiment.toml`, which says what the runs of this folder are\n");
    fs::write(out.join("experiment.toml"), SMALL).unwrap();
    fs::write(out.join("selection.json"), "{}").unwrap();
    refused("`out/selection.json` does not say which runs were selected (missing field");
    fs::remove_file(out.join("selection.json")).unwrap();
    refused("cannot read `out/selection.json`, ");
    fs::remove_file(out.join("runs.jsonl")).unwrap();
    let (status, _, stderr) = resume(folder.path());
    assert_eq!(status, 2);
    assert!(stderr.starts_with("error: `out` holds no `runs.jsonl`"), "{stderr}");
}

#[test]
fn to_resume_takes_no_other_experiment() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        ["run", "small.toml", "--resume", "out"].as_slice(),
        &["run", "--resume", "out", "--collectors", "leak"],
        &["run", "--resume", "out", "--out", "other"],
    ] {
        let output = cyclotron(folder.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("cannot be used with"), "{stderr}");
    }
}

#[test]
fn an_experiment_whose_program_is_killed_loses_no_run_that_had_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = start(folder.path(), SMALL);
    wait_for_a_record(&program, &folder.path().join("out/runs.jsonl"));
    let run_of_it = child_of(program.id());
    kill(program.id());
    assert!(!program.wait().unwrap().success());
    let before = records(folder.path());
    assert!(!before.is_empty() && before.len() < 10, "{}", before.len());
    let begun = Instant::now();
    while Path::new(&format!("/proc/{run_of_it}")).exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "a run was expected to end with its program"
        );
        thread::sleep(Duration::from_millis(10));
    }
    let (status, _, stderr) = resume(folder.path());
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(records(folder.path())[..before.len()], before);
    assert_eq!(identities(folder.path()), undisturbed());
}

#[test]
fn a_run_that_is_killed_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let slow = SMALL
        .replace("invocations = 2", "invocations = 1\naudit = \"none\"")
        .replace("pairs = 2000", "pairs = 900000000, cyclic-percent = 0")
        .replace("name = \"leak\"", "name = \"generational\"");
    let program = start(folder.path(), &slow);
    // Only the runs of `friends` take so long that they are met; the others end by themselves.
    let begun = Instant::now();
    let long = loop {
        let child = child_of(program.id());
        thread::sleep(Duration::from_millis(1_500));
        if Path::new(&format!("/proc/{child}")).exists() {
            break child;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
    };
    kill(long);
    let begun = Instant::now();
    let killed = loop {
        let found = records(folder.path()).into_iter().find(|record| record["status"] == "crashed");
        if let Some(record) = found {
            break record;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "a record was expected");
        thread::sleep(Duration::from_millis(20));
    };
    let interrupted =
        Command::new("kill").args(["-INT", &program.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(program.wait_with_output().unwrap().status.code(), Some(130));
    assert_eq!(
        killed["message"],
        "ended by signal 9 (SIGKILL: by the system, perhaps for want of memory)"
    );
    assert!(killed["pauses"].is_null() && killed["bytes"].is_null());
}

#[test]
fn a_full_disk_ends_the_experiment_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    // Files of at most 16 blocks of 512 bytes: some records fit, all do not. Without the trap the system would end us.
    let script = format!(
        "trap '' XFSZ; ulimit -f 16; exec '{}' run small.toml --out out",
        cargo_bin("cyclotron").display()
    );
    let output =
        Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: cannot write `out/") && stderr.contains("File too large"),
        "{stderr}"
    );
    assert!(
        stderr.contains("help: the runs that had ended are kept; once that is put right, `cyclotron run --resume out` makes the others\n"),
        "{stderr}"
    );
    let before = records(folder.path());
    assert!(!before.is_empty() && before.len() < 10, "{}", before.len());
    let left = fs::read_dir(folder.path().join("out")).unwrap();
    assert!(left.flatten().all(|entry| !entry.path().ends_with(".part")));
    let (status, _, stderr) = resume(folder.path());
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(records(folder.path())[..before.len()], before);
    assert_eq!(identities(folder.path()), undisturbed());
}

#[test]
fn what_remains_can_be_seen_without_making_it() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), SMALL, &[]).0, 0);
    keep_lines(folder.path(), |line| line < 7);
    let output =
        cyclotron(folder.path()).args(["run", "--resume", "out", "--dry-run"]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("\n3 runs, order shuffled from seed 7\n"), "{stdout}");
    assert_eq!(records(folder.path()).len(), 7);
}
