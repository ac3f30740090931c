//! The tour against recordings of CPython 3.11, and as a user runs it.
//!
//! `python/*.out` is what CPython 3.11.7 printed for the listings that the first nine lessons play.

use assert_cmd::Command;
use harness::tour::{lessons::LESSONS, scenes};

const RECORDED: [(&str, &str); 9] = [
    ("01", include_str!("python/01.out")),
    ("02", include_str!("python/02.out")),
    ("03", include_str!("python/03.out")),
    ("04", include_str!("python/04.out")),
    ("05", include_str!("python/05.out")),
    ("06", include_str!("python/06.out")),
    ("119", include_str!("python/119.out")),
    ("120", include_str!("python/120.out")),
    ("121", include_str!("python/121.out")),
];

/// Everything that a lesson prints on a collector.
fn printed(lesson: usize, collector: &str) -> Vec<String> {
    let scenes = scenes(collector, &LESSONS[lesson]).unwrap();
    scenes.into_iter().flat_map(|scene| scene.printed).collect()
}

/// A line without the numbers that depend on what else an interpreter has allocated.
fn without_its_own(line: &str) -> String {
    let starts = ["Current counts", "  Gen ", "Total tracked objects"];
    if starts.iter().any(|start| line.starts_with(start)) {
        let words = line.split(|c: char| c.is_ascii_digit()).filter(|word| !word.is_empty());
        return words.collect::<Vec<_>>().join("#");
    }
    line.to_owned()
}

#[test]
fn generational_prints_what_cpython_prints() {
    for (lesson, (script, recorded)) in RECORDED.iter().enumerate() {
        let recorded: Vec<String> = recorded.lines().map(without_its_own).collect();
        let played: Vec<String> =
            printed(lesson, "generational").iter().map(|line| without_its_own(line)).collect();
        assert_eq!(played, recorded, "script {script}, `{}`", LESSONS[lesson].title);
    }
}

#[test]
fn counting_alone_leaves_the_two_nodes_and_never_finalizes_them() {
    let lesson = LESSONS.iter().position(|lesson| lesson.title == "What counting leaks").unwrap();
    let left = |collector| {
        let scenes = scenes(collector, &LESSONS[lesson]).unwrap();
        scenes.last().unwrap().objects.len()
    };
    assert_eq!((left("refcount"), left("generational"), left("tuned")), (2, 0, 0));
    let deleted = |collector: &str| {
        printed(lesson, collector).iter().filter(|line| line.starts_with("Deleting Node")).count()
    };
    assert_eq!((deleted("refcount"), deleted("generational"), deleted("tuned")), (0, 2, 2));
}

#[test]
fn the_701st_allocation_collects() {
    let scenes = scenes("generational", LESSONS.last().unwrap()).unwrap();
    assert_eq!(scenes[1].printed, ["(700, 0, 0)"]);
    assert_eq!(scenes[2].printed, ["(0, 1, 0)"]);
    assert_eq!(scenes[2].events, ["collection of generation 0: 700 examined, 0 freed"]);
}

#[test]
fn the_program_plays_one_lesson_and_says_where_collectors_differ() {
    let output = Command::cargo_bin("cyclotron").unwrap().args(["tour", "--lesson", "5"]).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(text.starts_with("5. What counting leaks\n"), "{text}");
    let parts = ["  on refcount:", "(out of reach, not freed)", "  on generational and tuned:"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(text.matches("(the program ends)").count(), 1);
}

#[test]
fn an_unknown_collector_is_a_mistake_in_the_command() {
    let mut command = Command::cargo_bin("cyclotron").unwrap();
    let output = command.args(["tour", "--collectors", "generatoinal"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("generatoinal") && told.contains("generational"), "{told}");
}
