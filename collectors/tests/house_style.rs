//! House rules that no compiler lint covers, over the sources of all three crates.

#[path = "house_style/source.rs"]
mod source;

use source::{Line, Source, assert_none, manifest, sources, workspace};

/// No file is longer; most are a third of it.
const LONGEST_FILE: usize = 600;
/// An index says where to look, and no more.
const LONGEST_INDEX: usize = 100;

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

/// The only reasons for an ordering that orders nothing by itself.
const REASONS_TO_RELAX: [&str; 8] = [
    "ordered by",
    "ours alone to write",
    "a statistic",
    "whoever holds a reference cannot lose it",
    // What is read is worth nothing until an operation with a reason of its own has confirmed it.
    "a hint",
    "a failure only tells us what to try next",
    "only the compare-and-exchange",
    "Pairs with ",
];

#[test]
fn every_file_opens_with_what_it_is() {
    let silent = sources(&["collectors", "workloads", "workloads/stress", "harness"])
        .into_iter()
        .filter(|source| {
            let first = source.text.lines().next().unwrap_or_default();
            let is_caption = first.strip_prefix("//! ").is_some_and(|caption| {
                caption.starts_with(|first: char| first.is_uppercase() || first == '`')
            });
            !is_caption
        });
    assert_none(silent.map(|source| source.path), "files that do not open with a `//! Caption`");
}

#[test]
fn no_file_is_too_long_to_read() {
    let long = sources(&["collectors", "workloads", "workloads/stress", "harness"])
        .into_iter()
        .filter(|source| {
            let is_index =
                ["src/lib.rs", "src/main.rs"].iter().any(|end| source.path.ends_with(end));
            source.text.lines().count() > if is_index { LONGEST_INDEX } else { LONGEST_FILE }
        });
    assert_none(long.map(|source| source.path), "files that are too long");
}

#[test]
fn every_memory_ordering_gives_its_reason_and_its_partner() {
    let mut silent = Vec::new();
    for source in sources(&["collectors", "workloads", "workloads/stress", "harness"]) {
        // The switch's model passes orderings on, as values.
        if source.path.contains("threads/sync/model") {
            continue;
        }
        let imports = source.imports();
        for (index, line) in source.lines().iter().enumerate() {
            for ordering in orderings_used(&imports, line) {
                let reason = reason_for(ordering, &source, index);
                let is_good = match ordering {
                    "Relaxed" => REASONS_TO_RELAX.iter().any(|good| reason.contains(good)),
                    _ => reason.contains("Pairs with "),
                };
                if !is_good {
                    silent.push(format!("{}: {ordering}: {reason:?}", source.place(index)));
                }
            }
        }
    }
    assert_none(silent, "orderings without a `// <Ordering>: <reason>. Pairs with <partner>.`");
}

#[test]
fn every_unsafe_block_is_proved() {
    let mut silent = Vec::new();
    for source in sources(&["collectors", "workloads", "workloads/stress", "harness"]) {
        for (index, line) in source.lines().iter().enumerate() {
            let is_block = line.code.contains("unsafe {") || line.code.contains("unsafe impl");
            if is_block && !proof_above(&source, index).is_some_and(is_proof) {
                silent.push(source.place(index));
            }
        }
    }
    assert_none(silent, "unsafe blocks without a `// SAFETY:` that says who guarantees what");
}

#[test]
fn every_unsafe_function_states_its_contract() {
    let mut silent = Vec::new();
    for source in sources(&["collectors", "workloads", "workloads/stress", "harness"]) {
        let lines = source.lines();
        for (index, line) in lines.iter().enumerate() {
            let declares = line.code.split("unsafe fn ").nth(1).is_some_and(|name| {
                name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            });
            // A method of a trait has the contract that the trait states.
            let is_inherited = lines[..index]
                .iter()
                .rev()
                .find(|above| {
                    above.code.starts_with("impl") || above.code.starts_with("unsafe impl")
                })
                .is_some_and(|block| line.indent > 0 && block.code.contains(" for "));
            let documented = lines[..index]
                .iter()
                .rev()
                .take_while(|above| above.code.starts_with("#[") || above.code.is_empty())
                .any(|above| above.text.contains("# Safety"));
            if declares && !is_inherited && !documented {
                silent.push(source.place(index));
            }
        }
    }
    assert_none(silent, "unsafe functions without a `# Safety` section");
}

#[test]
fn collectors_and_workloads_know_no_clock_file_or_terminal() {
    let foreign = [
        "std::time::Instant",
        "std::time::SystemTime",
        "std::fs",
        "std::env",
        "std::io",
        "std::process",
        "std::net",
    ];
    let prints = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
    let mut found = Vec::new();
    for source in sources(&["collectors", "workloads"]) {
        if source.is_switch() {
            continue;
        }
        for path in source.paths() {
            if foreign.iter().any(|foreign| is_within(&path, foreign)) {
                found.push(format!("{}: {path}", source.path));
            }
        }
        for (index, line) in source.lines().iter().enumerate() {
            // `eprintln!` contains `println!`, so a word has to begin there.
            if prints.iter().any(|print| line.code.split([' ', '{', '(', ';']).any(|w| w == *print))
            {
                found.push(source.place(index));
            }
        }
    }
    assert_none(found, "names that only `harness` may use");
}

#[test]
fn only_the_switch_names_the_standard_librarys_threads_or_loom() {
    let switched = [
        "std::sync",
        "std::thread",
        "core::sync",
        "loom",
        "crossbeam_deque",
        "crossbeam_epoch",
        "crossbeam_utils::sync",
        "crossbeam_utils::thread",
    ];
    let mut found = Vec::new();
    for source in sources(&["collectors"]) {
        if source.is_switch() {
            continue;
        }
        for path in source.paths() {
            if switched.iter().any(|switched| is_within(&path, switched)) {
                found.push(format!("{}: {path}", source.path));
            }
        }
    }
    assert_none(found, "names that only `threads/sync` may use");
}

#[test]
fn collectors_have_no_global_state() {
    let shared = ["Atomic", "Mutex", "RwLock", "Cell", "Once", "Lazy"];
    let mut found = Vec::new();
    for source in sources(&["collectors", "workloads"]) {
        if source.is_switch() {
            continue;
        }
        for (index, line) in source.lines().iter().enumerate() {
            let is_static = ["static ", "pub static ", "pub(crate) static "]
                .iter()
                .any(|start| line.code.starts_with(start));
            let is_shared = is_static && shared.iter().any(|kind| line.code.contains(kind));
            if is_shared || line.code.contains("thread_local!") || line.code.contains("static mut ")
            {
                found.push(source.place(index));
            }
        }
    }
    assert_none(found, "globals: a heap is a value, and two of them do not meet");
}

#[test]
fn no_collector_names_another() {
    let collectors = collectors();
    assert!(collectors.len() >= 2, "too few collectors were recognised: {collectors:?}");
    let mut found = Vec::new();
    for source in sources(&["collectors"]) {
        let Some(own) = collectors.iter().find(|(module, _)| source.is_of_module(module)) else {
            continue;
        };
        for (module, _) in collectors.iter().filter(|other| *other != own) {
            let other = format!("crate::{module}");
            let names_it = source.paths().iter().any(|path| is_within(path, &other));
            if names_it {
                found.push(format!("{} names {other}", source.path));
            }
        }
    }
    assert_none(found, "collectors that name another collector");
}

#[test]
fn workloads_name_no_collector_and_forbid_unsafe_code() {
    let collectors = collectors();
    let mut found = Vec::new();
    for source in sources(&["workloads"]) {
        if source.path.ends_with("src/lib.rs") && !source.text.contains("#![forbid(unsafe_code)]") {
            found.push(format!("{} does not forbid unsafe code", source.path));
        }
        for (index, line) in source.lines().iter().enumerate() {
            let is_word = |word: &str| {
                line.code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
            };
            for (module, name) in &collectors {
                if is_word(name) || line.code.contains(&format!("collectors::{module}")) {
                    found.push(format!("{} names {name}", source.place(index)));
                }
            }
        }
    }
    assert_none(found, "workloads that are not the same under every collector");
}

#[test]
fn the_harness_alone_has_toml_and_a_terminal() {
    let own = ["toml", "clap", "anyhow", "indicatif", "plotters", "serde_json"];
    let mut found = Vec::new();
    for name in ["collectors", "workloads"] {
        let text = manifest(name);
        let dependencies = text
            .split("\n[")
            .filter(|table| {
                table.split(']').next().is_some_and(|name| name.ends_with("ependencies"))
            })
            .filter(|table| !table.starts_with("dev-"));
        for line in dependencies.flat_map(str::lines) {
            let dependency = line.split([' ', '=', '.']).next().unwrap_or_default();
            if own.contains(&dependency) {
                found.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert_none(found, "dependencies that only `harness` may have");
    assert!(workspace().join("harness").is_dir());
}

/// The module and the type of each collector, read from where the trait is implemented.
fn collectors() -> Vec<(String, String)> {
    let mut collectors = Vec::new();
    for source in sources(&["collectors"]) {
        let Some(module) = source.top_module() else { continue };
        for line in source.lines() {
            let is_implementation = line.indent == 0 && line.code.contains("impl");
            let Some((_, of)) = line.code.split_once(" Collector for ") else { continue };
            let name: String = of.chars().take_while(|c| c.is_alphanumeric()).collect();
            if is_implementation && !name.is_empty() {
                collectors.push((module.clone(), name));
            }
        }
    }
    // The audit is a collector around another, and not on the list.
    let all = sources(&["collectors"]);
    let list =
        all.iter().find(|source| source.path.ends_with("src/list.rs")).expect("there is a list");
    collectors.retain(|(module, _)| list.text.contains(&format!("crate::{module}::")));
    collectors.sort();
    collectors.dedup_by(|one, other| one.0 == other.0);
    collectors
}

/// The orderings that are arguments on this line.
fn orderings_used(imports: &[String], line: &Line<'_>) -> Vec<&'static str> {
    let is_imported = |ordering: &str| {
        imports.iter().any(|path| path.ends_with(&format!("Ordering::{ordering}")))
    };
    let uses = |ordering: &&str| {
        let mut words = line.code.split(|c: char| !c.is_alphanumeric() && c != ':');
        let is_bare = words.any(|word| word == *ordering) && is_imported(ordering);
        is_bare || line.code.contains(&format!("Ordering::{ordering}"))
    };
    ORDERINGS.into_iter().filter(|ordering| !line.is_import && uses(ordering)).collect()
}

/// What the comment above line `index` says of `ordering`.
fn reason_for(ordering: &str, source: &Source, index: usize) -> String {
    let start = format!("// {ordering}: ");
    let lines = source.lines();
    let above = &lines[index.saturating_sub(14)..index];
    let Some(first) = above.iter().rposition(|line| line.text.starts_with(&start)) else {
        return String::new();
    };
    let is_other =
        |text: &str| ORDERINGS.iter().any(|ordering| text.starts_with(&format!("// {ordering}: ")));
    let mut reason = above[first].text.trim_start_matches(&start).to_owned();
    for line in above[first + 1..].iter().take_while(|line| line.text.starts_with("//")) {
        if is_other(line.text) {
            break;
        }
        reason.push_str(line.text.trim_start_matches("//"));
    }
    reason
}

/// The proof that stands above line `index`, or above the statement that the line is part of.
fn proof_above(source: &Source, index: usize) -> Option<String> {
    let lines = source.lines();
    let first = index.saturating_sub(8);
    let start = (first..=index).rev().find(|line| lines[*line].text.contains("// SAFETY:"))?;
    // Between the proof and the block there is nothing but the rest of both.
    let other_block = lines[start + 1..index].iter().any(|line| line.code.contains("unsafe {"));
    let proof = lines[start..=index].iter().take_while(|line| line.text.starts_with("//"));
    let proof: Vec<&str> = proof.map(|line| line.text.trim_start_matches("//").trim()).collect();
    (!other_block).then(|| proof.join(" "))
}

fn is_proof(text: String) -> bool {
    let reason = text.trim_start_matches("SAFETY:").trim();
    let is_empty_talk = ["this is safe", "safe because it is safe", "trust"].contains(&reason);
    reason.len() >= 8 && !is_empty_talk
}

/// Whether `path` is `prefix` or lies in it.
fn is_within(path: &str, prefix: &str) -> bool {
    path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("::"))
}
