//! The built program, run as a user runs it.

use assert_cmd::Command;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

#[path = "program/records.rs"]
mod records;
#[path = "program/resume.rs"]
mod resume;
#[path = "program/stress.rs"]
mod stress;

/// Two collectors on two workloads, twice, and each workload once under the audit.
const SMALL: &str = r#"
question = "Does it work?"
seed = 7
invocations = 2

[limits]
seconds = 20
heap-mib = 64

[[collectors]]
name = "leak"

[[collectors]]
name = "refcount"

[[workloads]]
name = "friends"
parameters = { pairs = 2000 }

[[workloads]]
name = "rings"
parameters = { rings = 50 }
threads = 2
"#;

fn cyclotron(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("cyclotron").unwrap();
    command.current_dir(folder);
    command
}

/// Runs an experiment in a folder; returns status, standard output and standard error.
fn run(folder: &Path, experiment: &str, arguments: &[&str]) -> (i32, String, String) {
    fs::write(folder.join("small.toml"), experiment).unwrap();
    let output = cyclotron(folder)
        .args(["run", "small.toml", "--out", "out"])
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The experiment without an audit.
fn unaudited() -> String {
    SMALL.replace("seed = 7", "seed = 7\naudit = \"none\"")
}

fn records(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("out/runs.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_experiment_ends_with_records_charts_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) = run(folder.path(), SMALL, &[]);
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.ends_with("report: out/report.html\n"), "{stdout}");
    assert!(stdout.contains("friends") && stdout.contains("2 ok"), "{stdout}");
    assert!(stderr.contains("10/10") && stderr.contains("ok, "), "progress was expected: {stderr}");
    for file in [
        "runs.jsonl",
        "experiment.toml",
        "selection.json",
        "report.html",
        "charts/pauses-and-leaks.svg",
        "charts/friends-percentiles.svg",
        "charts/rings-timeline.png",
        "summary.csv",
        "summary.md",
    ] {
        assert!(folder.path().join("out").join(file).is_file(), "{file} is missing");
    }
    assert_eq!(fs::read_to_string(folder.path().join("out/experiment.toml")).unwrap(), SMALL);
}

#[test]
fn a_timed_record_has_every_field_and_leaks_what_it_should() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), SMALL, &[]).0, 0);
    let mut records = records(folder.path());
    records.retain(|record| record["audited"] == false);
    assert_eq!(records.len(), 8);
    let paths = [
        "schema",
        "experiment/name",
        "experiment/question",
        "experiment/command",
        "order/seed",
        "order/position",
        "order/runs",
        "collector",
        "settings",
        "workload",
        "parameters",
        "threads",
        "seed",
        "invocation",
        "status",
        "checksum",
        "wall_ns",
        "cpu_ns",
        "collector_cpu_ns",
        "operations",
        "pauses/floor_ns",
        "pauses/count",
        "pauses/total_ns",
        "pauses/total_cpu_ns",
        "pauses/max_ns",
        "pauses/max_cpu_ns",
        "pauses/histogram",
        "pauses/below_floor",
        "pauses/unclocked",
        "time_to_stop/count",
        "hiccup_max_ns",
        "collections",
        "bytes/allocated",
        "bytes/freed",
        "bytes/peak_held",
        "bytes/held_at_end",
        "bytes/leaked",
        "bytes/leak_expected",
        "bytes/blocks",
        "bytes/side_tables",
        "bytes/final_collections",
        "bytes/live",
        "bytes/floating_mean",
        "memory/points/1",
        "environment/cpu",
        "environment/cores",
        "environment/kernel",
        "environment/compiler",
        "environment/commit",
        "environment/build",
        "environment/started",
    ];
    for record in &records {
        for path in paths {
            assert!(
                record.pointer(&format!("/{path}")).is_some_and(|value| !value.is_null()),
                "`{path}` is missing in {record}"
            );
        }
        for path in [
            "message",
            "pauses/p50_ns",
            "pauses/p90_ns",
            "pauses/p99_ns",
            "pauses/p999_ns",
            "rss_peak",
            "environment/load",
        ] {
            assert!(
                record.pointer(&format!("/{path}")).is_some(),
                "`{path}` is missing in {record}"
            );
        }
        let bytes = &record["bytes"];
        let number = |name: &str| bytes[name].as_u64().unwrap();
        assert_eq!(number("allocated") - number("freed"), number("leaked"));
        assert_eq!(number("leaked"), number("leak_expected"), "{record}");
        assert!(number("leaked") > 0 && number("peak_held") >= number("leaked"));
        if record["collector"] == "leak" {
            assert_eq!(number("leaked"), number("allocated"));
        }
    }
    let checksums: Vec<&Value> = records
        .iter()
        .filter(|record| record["workload"] == "rings")
        .map(|record| &record["checksum"])
        .collect();
    assert!(checksums.windows(2).all(|pair| pair[0] == pair[1]), "{checksums:?}");
    assert!(records.iter().all(|record| record["workload"] == "friends" || record["threads"] == 2));
}

#[test]
fn a_report_made_from_records_alone_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), SMALL, &[]).0, 0);
    fs::create_dir(folder.path().join("copy")).unwrap();
    fs::create_dir(folder.path().join("copy/pauses")).unwrap();
    let pauses = fs::read_dir(folder.path().join("out/pauses")).into_iter().flatten().flatten();
    let names = pauses.map(|entry| Path::new("pauses").join(entry.file_name()));
    for name in names.chain(["runs.jsonl".into()]) {
        fs::copy(folder.path().join("out").join(&name), folder.path().join("copy").join(&name))
            .unwrap();
    }
    cyclotron(folder.path())
        .args(["report", "copy"])
        .assert()
        .success()
        .stdout("report: copy/report.html\n");
    for file in ["report.html", "charts/pauses-and-leaks.svg", "charts/rings-percentiles.png"] {
        let [first, second] =
            ["out", "copy"].map(|from| fs::read(folder.path().join(from).join(file)).unwrap());
        assert!(first == second, "{file} differs");
    }
}

#[test]
fn exhausted_memory_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = unaudited()
        .replace("heap-mib = 64", "heap-mib = 1")
        .replace("pairs = 2000", "pairs = 2000000");
    let (status, stdout, _) = run(
        folder.path(),
        &experiment,
        &["--collectors", "leak", "--workloads", "friends", "--invocations", "1"],
    );
    assert_eq!(status, 1);
    assert!(
        stdout.contains("1 of 1 out-of-memory") && stdout.ends_with("report: out/report.html\n"),
        "{stdout}"
    );
    let record = &records(folder.path())[0];
    assert_eq!(record["status"], "out-of-memory");
    assert!(record["checksum"].is_null() && record["message"].is_string());
}

#[test]
fn a_run_that_takes_too_long_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = unaudited()
        .replace("seconds = 20", "seconds = 1")
        .replace("pairs = 2000", "pairs = 900000000, cyclic-percent = 0");
    let (status, stdout, _) = run(
        folder.path(),
        &experiment,
        &["--collectors", "refcount", "--workloads", "friends", "--invocations", "1"],
    );
    assert_eq!(status, 1);
    assert!(
        stdout.contains("timed-out: ended after 1 s, the limit of this experiment"),
        "{stdout}"
    );
    assert_eq!(records(folder.path())[0]["status"], "timed-out");
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_holds_too_much_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = unaudited()
        .replace("heap-mib = 64", "heap-mib = 8192\nprocess-mib = 64")
        .replace("pairs = 2000", "pairs = 900000000");
    let (status, stdout, _) = run(
        folder.path(),
        &experiment,
        &["--collectors", "leak", "--workloads", "friends", "--invocations", "1"],
    );
    assert_eq!(status, 1);
    assert!(
        stdout.contains("out-of-memory: ended when its process held ")
            && stdout.contains(", more than the 64 MiB of `process-mib`\n"),
        "{stdout}"
    );
    assert_eq!(records(folder.path())[0]["status"], "out-of-memory");
}

#[test]
fn a_mistake_is_shown_at_its_place_and_nothing_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) =
        run(folder.path(), &SMALL.replace("\"rings\"", "\"rigns\""), &[]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(
        stderr.starts_with(
            "error: cannot read experiment `small.toml`: mistake at line 21, column 8\n"
        ),
        "{stderr}"
    );
    assert!(stderr.contains("21 | name = \"rigns\"\n   |        ^^^^^^^\nunknown workload `rigns`, expected one of `friends`, `rings`,"), "{stderr}");
    assert!(stderr.ends_with("help: did you mean `rings`?\n"), "{stderr}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_wrong_key_and_an_impossible_value_are_shown_at_their_place() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to, told) in [
        (
            "rings = 50",
            "rigns = 50",
            "22 | parameters = { rigns = 50 }\n   |                ^^^^^\nunknown parameter of `rings` `rigns`",
        ),
        (
            "rings = 50",
            "rings = 0",
            "22 | parameters = { rings = 0 }\n   |                        ^\nparameter `rings` is `0`, expected 1 to 1000000000",
        ),
        (
            "threads = 2",
            "threads = 0",
            "23 | threads = 0\n   |           ^\n`threads` is out of range, expected 1 to 256",
        ),
        (
            "threads = 2",
            "sweep = { threads = [1, 300] }",
            "^^^\n`threads` is out of range, expected 1 to 256",
        ),
        (
            "invocations = 2",
            "invocations = -1",
            "4 | invocations = -1\n  |               ^^\ninvalid value",
        ),
        (
            "invocations = 2",
            "invocations = 2\naudit = true",
            "5 | audit = true\n  |         ^^^^\n",
        ),
    ] {
        let (status, stdout, stderr) = run(folder.path(), &SMALL.replace(from, to), &[]);
        assert_eq!((status, stdout.as_str()), (2, ""), "{to}");
        assert!(stderr.contains(told), "{to}: {stderr}");
        assert!(!folder.path().join("out").exists(), "{to}");
    }
    let (status, _, stderr) = run(folder.path(), SMALL, &["--invocations", "0"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("0 is not in 1..=1000"), "{stderr}");
}

#[test]
fn a_name_that_is_not_in_the_experiment_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (status, _, stderr) = run(folder.path(), SMALL, &["--collectors", "leek"]);
    assert_eq!(status, 2);
    assert_eq!(
        stderr,
        "error: experiment `small`: unknown collector `leek`, expected one of `leak`, `refcount`\nhelp: did you mean `leak`?\n"
    );
}

#[test]
fn results_are_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--collectors", "leak", "--workloads", "friends", "--invocations", "1"];
    assert_eq!(run(folder.path(), SMALL, &arguments).0, 0);
    let (status, _, stderr) = run(folder.path(), SMALL, &arguments);
    assert_eq!(status, 2);
    assert_eq!(
        stderr,
        "error: `out` holds runs already, expected a folder without\nhelp: choose another with `--out`, or continue it with `--resume`\n"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out"), "").unwrap();
    let (status, _, stderr) = run(folder.path(), SMALL, &[]);
    assert_eq!(status, 1);
    assert!(stderr.starts_with("error: cannot make folder `out`: "), "{stderr}");
}

#[test]
fn the_plan_can_be_seen_without_running_it() {
    let folder = tempfile::tempdir().unwrap();
    let (status, first, _) = run(folder.path(), SMALL, &["--dry-run"]);
    assert_eq!(status, 0);
    assert!(first.starts_with("Does it work?\n"), "{first}");
    assert!(
        first.contains("\n10 runs, 2 under the audit first, order shuffled from seed 7\n"),
        "{first}"
    );
    assert!(first.ends_with("at most 10 min, if every run reached its limit; no earlier run is known from `results`\n"), "{first}");
    assert!(!folder.path().join("out").exists());
    assert_eq!(run(folder.path(), SMALL, &["--dry-run"]).1, first);
    assert_ne!(run(folder.path(), &SMALL.replace("seed = 7", "seed = 8"), &["--dry-run"]).1, first);
}

#[test]
fn the_time_of_a_plan_is_judged_by_earlier_runs() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    cyclotron(folder.path()).args(["run", "small.toml"]).assert().success();
    let plan = run(folder.path(), SMALL, &["--dry-run"]).1;
    assert!(plan.contains("\nabout "), "{plan}");
    assert!(
        plan.contains(" s, all of them of configurations that were run before: from 10 earlier runs in `results/small-1`; at most 10 min"),
        "{plan}"
    );
    let plan = run(folder.path(), &SMALL.replace("pairs = 2000", "pairs = 3000"), &["--dry-run"]).1;
    assert!(
        plan.contains(" s, 5 of configurations that were run before, the others judged by their workloads: from 10 earlier runs"),
        "{plan}"
    );
}

#[test]
fn a_long_plan_is_a_summary_unless_all_of_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let brief = run(folder.path(), SMALL, &["--dry-run", "--invocations", "500"]).1;
    assert!(
        brief.lines().count() < 15 && brief.contains("2,002 runs, 2 under the audit"),
        "{brief}"
    );
    let full = run(folder.path(), SMALL, &["--dry-run", "--verbose", "--invocations", "500"]).1;
    assert!(full.lines().count() > 2_002);
    let (status, _, stderr) = run(folder.path(), SMALL, &["--verbose"]);
    assert_eq!(status, 2, "{stderr}");
}

#[test]
fn the_order_of_the_plan_is_the_order_of_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let plan = run(folder.path(), SMALL, &["--dry-run"]).1;
    assert_eq!(run(folder.path(), SMALL, &[]).0, 0);
    for record in records(folder.path()) {
        let position = record["order"]["position"].to_string();
        let line = plan
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|words| words.first() == Some(&position.as_str()));
        let line = line.unwrap();
        assert_eq!(
            [line[1], line[2]],
            [record["collector"].as_str().unwrap(), record["workload"].as_str().unwrap()]
        );
    }
}

#[test]
fn ctrl_c_keeps_the_runs_that_had_ended() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = unaudited().replace("pairs = 2000", "pairs = 400000");
    fs::write(folder.path().join("small.toml"), experiment).unwrap();
    let program = assert_cmd::cargo::cargo_bin("cyclotron");
    let mut command = std::process::Command::new(program);
    command
        .args(["run", "small.toml", "--out", "out", "--invocations", "500"])
        .current_dir(folder.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_a_record(&child, &folder.path().join("out/runs.jsonl"));
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("interrupted: ")
            && stderr.ends_with(
                "kept of 2,000 in `out`\nhelp: `cyclotron run --resume out` makes the others\n"
            ),
        "{stderr}"
    );
    let records = records(folder.path());
    assert!(!records.is_empty() && records.iter().all(|record| record["status"] == "ok"));
    assert!(folder.path().join("out/report.html").is_file());
}

fn wait_for_a_record(child: &Child, runs: &Path) {
    let begun = Instant::now();
    while fs::read_to_string(runs).is_ok_and(|text| text.is_empty()) || !runs.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "process {} was expected to end a run",
            child.id()
        );
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_list_is_for_people_and_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let text = cyclotron(folder.path()).arg("list").output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.starts_with("COLLECTORS\n\nleak\n") && text.contains("\nWORKLOADS\n\nfriends\n"),
        "{text}"
    );
    let json = cyclotron(folder.path()).args(["list", "--json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["collectors"][0]["name"], "leak");
    assert!(json["collectors"][0]["capabilities"]["reclaims"].is_string());
    assert!(json["workloads"][0]["parameters"][0]["meaning"].is_string());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("cyclotron"));
    let mut child =
        command.arg("list").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn bad_usage_is_told_apart_from_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    cyclotron(folder.path()).arg("rnu").assert().code(2);
    let output = cyclotron(folder.path()).args(["report", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr,
        "error: `nowhere` holds no `runs.jsonl`, expected the folder of an experiment\nhelp: `cyclotron run --out DIR` makes one\n"
    );
    let help = cyclotron(folder.path()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("130  interrupted") && !help.contains("run-one-job"), "{help}");
}
