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
    let every = Experiment::embedded("concurrent").unwrap().collectors.into_iter();
    let names: Vec<String> = every.map(|choice| choice.name).collect();
    assert_eq!(names, collectors::NAMES, "`concurrent` was expected to have every collector");
    let everything = Experiment::embedded("pauses-and-leaks").unwrap();
    let names: Vec<&str> =
        everything.workloads.iter().map(|(choice, _)| choice.name.as_str()).collect();
    assert_eq!(names, workloads::NAMES);
    assert_eq!(everything.audits().len(), everything.configurations().len());
}

#[test]
fn defaults_are_written_out() {
    let experiment = Experiment::parse("x", "x.toml", GOOD).unwrap();
    assert_eq!(experiment.pause_floor_ns, 10_000);
    assert_eq!(experiment.limits.heap_bytes, 64 << 20);
    assert_eq!(experiment.limits.process_bytes, (2 * 64 + 1_024) << 20);
    assert_eq!((experiment.audit, experiment.audit_seconds), (Audit::Workload, 50));
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
                    unknown field `invocation`, expected one of `question`, `seed`, `invocations`, `pause-floor-ns`, `audit`, `limits`, `collectors`, `workloads`";
    assert_eq!(mistake("invocations", "invocation"), expected);
}

#[test]
fn an_unknown_collector_is_shown_with_those_that_exist() {
    let told = mistake("\"leak\"", "\"laek\"");
    assert!(told.starts_with("cannot read experiment `x.toml`: mistake at line 10, column 8\n   |\n10 | name = \"laek\"\n   |        ^^^^^^\n"), "{told}");
    let names = collectors::NAMES.join("`, `");
    assert!(
        told.contains(&format!("unknown collector `laek`, expected one of `{names}`")),
        "{told}"
    );
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
    for (key, range) in [("audit-seconds", "1 to 3600"), ("process-mib", "1 to 1048576")] {
        assert!(
            mistake("seconds = 5", &format!("seconds = 5\n{key} = 0"))
                .ends_with(&format!("`{key}` is out of range, expected {range}"))
        );
    }
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
        "there is no experiment `quikc`: unknown name `quikc`, expected one of `quick`, `pauses-and-leaks`, `thresholds`, `scaling`, `concurrent`, `under-collection`, `beside-a-million`\nhelp: did you mean `quick`?"
    );
    let told = format!("{:#}", anyhow::Error::new(Experiment::find("no/such.toml").unwrap_err()));
    assert!(told.starts_with("cannot read experiment `no/such.toml`: No such file"), "{told}");
}

/// The experiment with lists of values in place of one collector and one workload.
fn swept(collectors: &str, workloads: &str) -> Result<Experiment, String> {
    let text = GOOD
        .replace("\"leak\"", &format!("\"generational\"\n{collectors}"))
        .replace("\"friends\"", &format!("\"friends\"\n{workloads}"));
    Experiment::parse("x", "x.toml", &text).map_err(|mistake| mistake.to_string())
}

#[test]
fn a_sweep_is_every_combination_beside_the_values_that_are_given() {
    let experiment = swept(
        "sweep = { thresholds = [[100, 10, 10], [200, 10, 10], [500, 10, 10]] }",
        "parameters = { words = 3 }\nsweep = { pairs = [10, 20], threads = [1, 2], cyclic-percent = [0] }",
    )
    .unwrap();
    let thresholds: Vec<_> = experiment
        .collectors
        .iter()
        .map(|choice| choice.values["thresholds"][0].as_u64().unwrap())
        .collect();
    assert_eq!(thresholds, [100, 200, 500]);
    let workloads: Vec<_> = experiment
        .workloads
        .iter()
        .map(|(choice, threads)| (choice.values["pairs"].as_u64().unwrap(), *threads))
        .collect();
    assert_eq!(workloads, [(10, 1), (10, 2), (20, 1), (20, 2)]);
    for (choice, _) in &experiment.workloads {
        assert_eq!(
            (&choice.values["words"], &choice.values["cyclic-percent"]),
            (&3.into(), &0.into())
        );
    }
    assert_eq!(experiment.configurations().len(), 12);
}

#[test]
fn mistakes_in_a_sweep_are_shown_at_their_place() {
    let collector = |sweep: &str| swept(sweep, "").unwrap_err();
    let workload = |sweep: &str| swept("", sweep).unwrap_err();
    let told = collector("sweep = { treshold = [1] }");
    assert!(told.contains("11 | sweep = { treshold = [1] }\n   |           ^^^^^^^^\nunknown setting of `generational` `treshold`, expected `thresholds`\nhelp: did you mean `thresholds`?"), "{told}");
    let told = collector("[collectors.sweep]\nthresholds = [[700, 10, 10], [700, 10]]");
    assert!(told.contains("12 | thresholds = [[700, 10, 10], [700, 10]]\n   |                              ^^^^^^^^^\ninvalid length 2"), "{told}");
    let told = workload("sweep = { pairs = [] }");
    assert!(told.ends_with("sweep = { pairs = [] }\n   |                   ^^\n`pairs` is empty, expected at least one value"), "{told}");
    let told = workload("sweep = { pairs = 7 }");
    assert!(
        told.ends_with("^\n`pairs` is one value, expected a list of values to sweep"),
        "{told}"
    );
    let told = workload("sweep = 7");
    assert!(told.contains("| sweep = 7\n") && told.contains("         ^\ninvalid type"), "{told}");
    let told = workload("sweep = { pairs = [5, \"six\"] }");
    assert!(told.contains("                       ^^^^^\ninvalid type: string \"six\""), "{told}");
    let told = workload("sweep = { pairs = [5, 0, 7] }");
    assert!(
        told.ends_with(
            "                       ^\nparameter `pairs` is `0`, expected 1 to 1000000000"
        ),
        "{told}"
    );
    let told = workload("sweep = { threads = [1, 2, 0] }");
    assert!(
        told.ends_with(
            "                            ^\n`threads` is out of range, expected 1 to 256"
        ),
        "{told}"
    );
    let told = workload("sweep = { threads = [1, \"two\"] }");
    assert!(
        told.contains("                         ^^^^^\ninvalid type: string \"two\""),
        "{told}"
    );
}

#[test]
fn what_is_swept_is_given_nowhere_else_and_no_value_twice() {
    let told = swept("", "parameters = { pairs = 5 }\nsweep = { pairs = [6] }").unwrap_err();
    assert!(
        told.ends_with(
            "          ^^^^^\n`pairs` is in `parameters` too, expected it in one of the two"
        ),
        "{told}"
    );
    let told = swept("", "threads = 2\nsweep = { threads = [1] }").unwrap_err();
    assert!(
        told.ends_with("| threads = 2\n   |           ^\n`threads` is in `sweep` too, expected it in one of the two"),
        "{told}"
    );
    let told = swept("", "sweep = { pairs = [5, 6, 5] }").unwrap_err();
    assert!(
        told.contains(
            "                          ^\n`friends` is listed twice with the same values"
        ),
        "{told}"
    );
}

#[test]
fn more_configurations_than_anybody_would_wait_for_are_a_mistake() {
    let list = (1..=101).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let told = swept("", &format!("sweep = {{ pairs = [{list}], words = [{list}] }}")).unwrap_err();
    assert!(told.ends_with("10201 configurations, expected at most 10000"), "{told}");
}

#[test]
fn the_audit_is_of_each_workload_or_of_each_configuration() {
    let audits = |audit: &str, collectors: &str| {
        let text = GOOD
            .replace("invocations", &format!("audit = \"{audit}\"\ninvocations"))
            .replace("[[collectors]]\nname = \"leak\"", collectors)
            .replace("\"friends\"", "\"friends\"\nsweep = { threads = [1, 2] }");
        let audits = Experiment::parse("x", "x.toml", &text).map(|experiment| experiment.audits());
        audits.map_err(|mistake| mistake.to_string())
    };
    let all = "[[collectors]]\nname = \"leak\"\n[[collectors]]\nname = \"mark-sweep\"\n[[collectors]]\nname = \"tuned\"";
    let told = |audits: &[Job]| {
        audits.iter().map(|job| (job.collector.clone(), job.threads)).collect::<Vec<_>>()
    };
    let of_workloads = audits("workload", all).unwrap();
    assert_eq!(told(&of_workloads), [("mark-sweep".to_owned(), 1), ("mark-sweep".to_owned(), 2)]);
    assert!(of_workloads.iter().all(|job| job.audited && job.limits.seconds == 50));
    let leaky = "[[collectors]]\nname = \"refcount\"\n[[collectors]]\nname = \"leak\"";
    assert_eq!(told(&audits("workload", leaky).unwrap())[0].0, "refcount");
    assert_eq!(audits("every", all).unwrap().len(), 6);
    assert_eq!(audits("none", all).unwrap(), []);
    let told = audits("all", all).unwrap_err();
    assert!(
        told.contains("unknown variant `all`, expected one of `none`, `workload`, `every`"),
        "{told}"
    );
}
