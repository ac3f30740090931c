//! Mistakes in experiment files, with the text of their messages.

use super::*;

const GOOD: &str = r#"question = "Which?"
seed = 1
invocations = 2

[limits]
seconds = 5
heap-mib = 64

[[collectors]]
name = "leak"

[[workloads]]
name = "friends"
"#;

fn mistake(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the good experiment was expected to have {from:?}");
    Experiment::parse("x", "x.toml", &GOOD.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn what_is_built_in_can_be_read() {
    for (name, _) in EMBEDDED {
        let experiment = Experiment::embedded(name).unwrap();
        assert_eq!(
            experiment.configurations().len(),
            experiment.collectors.len() * experiment.workloads.len()
        );
    }
    let quick = Experiment::embedded("quick").unwrap();
    assert_eq!(quick.collectors.len(), collectors::NAMES.len());
    assert_eq!(quick.workloads.len(), workloads::NAMES.len());
}

#[test]
fn defaults_are_written_out() {
    let experiment = Experiment::parse("x", "x.toml", GOOD).unwrap();
    assert_eq!(experiment.pause_floor_ns, 10_000);
    assert_eq!(experiment.limits.heap_bytes, 64 << 20);
    assert!(
        experiment.workloads[0]
            .0
            .values
            .as_object()
            .is_some_and(|parameters| !parameters.is_empty())
    );
    assert_eq!(experiment.configurations()[0].threads, 1);
}

#[test]
fn an_unknown_key_is_shown_at_its_place() {
    let expected = "cannot read experiment `x.toml`: mistake at line 3, column 1\n  |\n3 | invocation = 2\n  | ^^^^^^^^^^\n\
                    unknown field `invocation`, expected one of `question`, `seed`, `invocations`, `pause-floor-ns`, `limits`, `collectors`, `workloads`";
    assert_eq!(mistake("invocations", "invocation"), expected);
}

#[test]
fn an_unknown_collector_is_shown_with_those_that_exist() {
    let told = mistake("\"leak\"", "\"laek\"");
    assert!(told.starts_with("cannot read experiment `x.toml`: mistake at line 10, column 8\n   |\n10 | name = \"laek\"\n   |        ^^^^^^\n"), "{told}");
    assert!(told.contains("unknown collector `laek`, expected one of `leak`, `refcount`, `generational`, `tuned`, `mark-sweep`"), "{told}");
    assert!(told.ends_with("help: did you mean `leak`?"), "{told}");
}

#[test]
fn an_unknown_workload_is_shown_with_those_that_exist() {
    let told = mistake("\"friends\"", "\"ring\"");
    assert!(
        told.contains("unknown workload `ring`, expected one of `friends`, `rings`,")
            && told.ends_with("help: did you mean `rings`?"),
        "{told}"
    );
}

#[test]
fn a_setting_that_does_not_exist_is_shown_at_its_place() {
    let told = mistake("\"leak\"", "\"leak\"\nsettings = { speed = 9 }");
    assert!(told.contains("11 | settings = { speed = 9 }\n   |              ^^^^^\nunknown setting of `leak` `speed`"), "{told}");
}

#[test]
fn a_parameter_that_does_not_exist_is_shown_at_its_place() {
    let told = mistake("\"friends\"", "\"friends\"\n[workloads.parameters]\ncolour = 9");
    assert!(
        told.contains(
            "15 | colour = 9\n   | ^^^^^^\nunknown parameter of `friends` `colour`, expected "
        ),
        "{told}"
    );
}

#[test]
fn numbers_out_of_range_are_shown_at_their_place() {
    let told = mistake("invocations = 2", "invocations = 0");
    assert!(told.ends_with("3 | invocations = 0\n  |               ^\n`invocations` is out of range, expected 1 to 1000"), "{told}");
    assert!(
        mistake("heap-mib = 64", "heap-mib = 0")
            .ends_with("`heap-mib` is out of range, expected 1 to 1048576")
    );
    assert!(
        mistake("\"friends\"", "\"friends\"\nthreads = 999")
            .ends_with("`threads` is out of range, expected 1 to 256")
    );
    assert!(mistake("seed = 1", "seed = 9007199254740993").contains("`seed` is too large"));
    assert!(mistake("\"Which?\"", "\" \"").contains("`question` is empty"));
}

#[test]
fn a_configuration_is_listed_once() {
    let told = mistake("[[workloads]]", "[[collectors]]\nname = \"leak\"\n[[workloads]]");
    assert!(
        told.contains("`leak` is listed twice with the same values")
            && told.contains("help: raise `invocations`"),
        "{told}"
    );
}

#[test]
fn what_is_not_toml_is_shown_at_its_place() {
    let told = mistake("seed = 1", "seed 1");
    assert!(told.contains("mistake at line 2, column") && told.contains("2 | seed 1"), "{told}");
}

#[test]
fn an_experiment_that_does_not_exist_is_told_with_those_that_do() {
    let told = Experiment::find("quikc").unwrap_err().to_string();
    assert_eq!(
        told,
        "there is no experiment `quikc`: unknown name `quikc`, expected `quick`\nhelp: did you mean `quick`?"
    );
    let told = format!("{:#}", anyhow::Error::new(Experiment::find("no/such.toml").unwrap_err()));
    assert!(told.starts_with("cannot read experiment `no/such.toml`: No such file"), "{told}");
}
