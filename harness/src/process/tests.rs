//! How runs end, shown with small programs that end as they do.

use super::*;
use std::{fs, os::unix::fs::PermissionsExt};

/// More than any script here needs, on a machine that has other things to do.
const AMPLE_SECONDS: u64 = 60;

/// Runs a shell script in place of the program, with a limit of so many seconds.
fn ending_of(script: &str, seconds: u64, is_interrupted: impl Fn() -> bool) -> Ending {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let job = Job {
        collector: "leak".to_owned(),
        settings: serde_json::json!({}),
        workload: "friends".to_owned(),
        parameters: serde_json::json!({}),
        threads: 1,
        seed: 1,
        pause_floor_ns: 10_000,
        audited: false,
        limits: crate::job::Limits { seconds, heap_bytes: 1 << 20, process_bytes: 64 << 20 },
    };
    run(&program, &job, is_interrupted).unwrap()
}

fn failure_of(script: &str) -> (Status, String) {
    failure_within(AMPLE_SECONDS, script)
}

fn failure_within(seconds: u64, script: &str) -> (Status, String) {
    match ending_of(script, seconds, || false) {
        Ending::Failed { status, message, .. } => (status, message),
        ending => panic!("a failure was expected, not {ending:?}"),
    }
}

#[test]
fn a_signal_is_a_recorded_crash() {
    assert_eq!(
        failure_of("kill -SEGV $$"),
        (Status::Crashed, "ended by signal 11 (SIGSEGV)".to_owned())
    );
}

#[test]
fn the_last_words_of_a_crash_are_kept() {
    let (status, message) = failure_of("echo 'the heap is broken' >&2; exit 101");
    assert_eq!(
        (status, message.as_str()),
        (Status::Crashed, "ended with status 101: the heap is broken")
    );
}

#[test]
fn half_an_answer_is_a_crash() {
    assert_eq!(failure_of("printf '{\"status\":\"ok\"'").1, "ended without an answer");
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_recorded() {
    let begun = Instant::now();
    let (status, message) = failure_within(1, "exec sleep 60");
    assert_eq!(
        (status, message.as_str()),
        (Status::TimedOut, "ended after 1 s, the limit of this experiment")
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_holds_too_much_is_ended_and_recorded() {
    let (status, message) =
        failure_of("held=$(head -c 100000000 /dev/zero | tr '\\0' x); sleep 60");
    assert_eq!(status, Status::OutOfMemory);
    assert!(
        message.starts_with("ended when its process held ")
            && message.ends_with(", more than the 64 MiB of `process-mib`"),
        "{message}"
    );
}

#[test]
fn an_interrupted_run_is_ended_and_not_recorded() {
    assert!(matches!(ending_of("exec sleep 60", AMPLE_SECONDS, || true), Ending::Interrupted));
}

#[test]
fn a_failed_run_says_how_long_it_lived_and_worked() {
    match ending_of(
        "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3",
        AMPLE_SECONDS,
        || false,
    ) {
        Ending::Failed { wall_ns, cpu_ns, .. } => assert!(cpu_ns > 0 && wall_ns > 0),
        ending => panic!("a failure was expected, not {ending:?}"),
    }
}

#[test]
fn a_crash_is_told_in_one_line() {
    let words =
        "\nthread 'main' panicked at src/x.rs:1:1:\nbroken\nnote: run with `RUST_BACKTRACE=1`\n";
    let told = describe(ExitStatus::from_raw(101 << 8), words);
    let expected = "ended with status 101: thread 'main' panicked at src/x.rs:1:1:; broken";
    assert_eq!(told, (Status::Crashed, expected.to_owned()));
}

#[test]
fn a_verdict_of_the_audit_is_told_apart_from_a_crash() {
    let script = "echo 'thread panicked at src/x.rs:1:1:' >&2; echo 'audit: `Node` 7 was freed too early' >&2; exit 101";
    let expected = "audit: `Node` 7 was freed too early";
    assert_eq!(failure_of(script), (Status::Unsound, expected.to_owned()));
}
