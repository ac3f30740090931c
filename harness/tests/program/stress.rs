//! The verb `stress`, run as a user runs it.

use super::cyclotron;

fn stress(arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = cyclotron(folder.path()).arg("stress").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_collector_stands_a_few_operations_and_has_a_line() {
    let (status, stdout, stderr) =
        stress(&["all", "--operations", "600", "--threads", "3", "--seed", "2"]);
    assert_eq!(status, 0, "{stderr}");
    for line in collectors::NAMES {
        let line = stdout.lines().find(|it| it.split_whitespace().next() == Some(line));
        let cells: Vec<&str> = line.expect("a line").split_whitespace().collect();
        assert!(cells.len() == 11 && cells[1] == "2", "{stdout}");
        assert_eq!(cells[10], "0", "a leak that is a bug was told, but did not fail: {stdout}");
    }
    assert!(stdout.contains("operations: allocate ") && stdout.ends_with("seed 2\n"), "{stdout}");
}

#[test]
fn the_same_seed_does_the_same_operations() {
    let operations = |seed| {
        let (status, stdout, stderr) =
            stress(&["refcount", "--operations", "300", "--seed", seed, "--no-audit"]);
        assert_eq!(status, 0, "{stderr}");
        let line = stdout.lines().find(|line| line.starts_with("operations: ")).map(str::to_owned);
        line.expect("a line of operations")
    };
    assert_eq!(operations("5"), operations("5"));
    assert_ne!(operations("5"), operations("7"));
}

#[test]
fn a_collector_that_is_none_is_bad_usage() {
    let (status, _, stderr) = stress(&["refcuont"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("refcount") && stderr.contains("all"), "{stderr}");
}
