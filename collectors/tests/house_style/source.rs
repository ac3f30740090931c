//! Source files as the house rules read them: without tests, line by line, with their imports.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file.
pub(crate) struct Source {
    /// Its place in the workspace, with `/` between folders.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
    /// Where the tests at its end begin.
    tests: usize,
}

/// A line that is not a test's.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// The line without its indentation.
    pub(crate) text: &'a str,
    /// The same, or nothing if it is a comment.
    pub(crate) code: &'a str,
    /// How many spaces it began with.
    pub(crate) indent: usize,
    /// Whether it belongs to an import.
    pub(crate) is_import: bool,
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let is_test_file = path.ends_with("/tests.rs") || path.ends_with("/models.rs");
        let tests = if is_test_file { 0 } else { tests_at_the_end(&text) };
        Self { path, text, tests }
    }

    /// Its lines, without the tests at its end.
    pub(crate) fn lines(&self) -> Vec<Line<'_>> {
        let mut in_import = false;
        self.text[..self.tests]
            .lines()
            .map(|line| {
                let text = line.trim();
                let code = if text.starts_with("//") { "" } else { text };
                in_import |= code.starts_with("use ") || code.contains(") use ");
                let is_import = in_import;
                in_import &= !code.ends_with(';');
                Line { text, code, indent: line.len() - line.trim_start().len(), is_import }
            })
            .collect()
    }

    /// Where line `index` is, as an editor wants it.
    pub(crate) fn place(&self, index: usize) -> String {
        format!("{}:{}", self.path, index + 1)
    }

    /// The paths that it imports, one by one.
    pub(crate) fn imports(&self) -> Vec<String> {
        let code: Vec<&str> = self.lines().iter().map(|line| line.code).collect();
        let code = code.join(" ");
        let mut found = Vec::new();
        let mut rest = code.as_str();
        while let Some(start) = rest.find("use ") {
            let begins = rest[..start].chars().next_back().is_none_or(|c| " )".contains(c));
            rest = &rest[start + 4..];
            if let Some(end) = rest.find(';').filter(|_| begins) {
                expand(String::new(), &rest[..end], &mut found);
                rest = &rest[end..];
            }
        }
        found
    }

    /// The paths that it imports or writes out.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = self.imports();
        for line in self.lines() {
            let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let written = line.code.split(|c: char| !is_path(c)).filter(|word| word.contains("::"));
            paths.extend(written.map(|path| path.trim_matches(':').to_owned()));
        }
        paths
    }

    /// Whether it is the std-or-loom switch, or a part of it.
    pub(crate) fn is_switch(&self) -> bool {
        self.path.starts_with("collectors/src/threads/sync")
    }

    /// Whether it is `module` or a part of it.
    pub(crate) fn is_of_module(&self, module: &str) -> bool {
        self.top_module().is_some_and(|own| own == module)
    }

    /// The module of the crate's root that it is, or is a part of.
    pub(crate) fn top_module(&self) -> Option<String> {
        let inside = self.path.split_once("/src/")?.1;
        let first = inside.split('/').next()?.trim_end_matches(".rs");
        (!["lib", "main"].contains(&first)).then(|| first.to_owned())
    }
}

/// Where the tests at the end of a file begin.
fn tests_at_the_end(text: &str) -> usize {
    let inline = text.match_indices("#[cfg(").find(|(start, _)| {
        let mut lines = text[*start..].lines();
        let is_for_tests = lines.next().is_some_and(|cfg| cfg.contains("test"));
        let module = lines.find(|line| !line.starts_with("#["));
        is_for_tests && module.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    });
    inline.map_or(text.len(), |(start, _)| start)
}

/// Adds every path of the import `tree` under `prefix`.
fn expand(prefix: String, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((stem, branches)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim();
        if !name.is_empty() {
            let path = if name == "self" { prefix } else { prefix + "::" + name };
            found.push(path.trim_matches(':').to_owned());
        }
        return;
    };
    let prefix = prefix + "::" + stem.trim().trim_end_matches("::");
    let branches = branches.trim().strip_suffix('}').unwrap_or(branches);
    let mut depth = 0;
    let parts = branches.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for part in parts {
        expand(prefix.clone(), part, found);
    }
}

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in a workspace").into()
}

/// The manifest of a crate.
pub(crate) fn manifest(name: &str) -> String {
    fs::read_to_string(workspace().join(name).join("Cargo.toml")).unwrap()
}

/// Every source file of the crates called `names`.
pub(crate) fn sources(names: &[&str]) -> Vec<Source> {
    let root = workspace();
    let mut files = Vec::new();
    for name in names {
        collect(&root.join(name).join("src"), &mut files);
    }
    files.sort();
    assert!(!files.is_empty(), "there are no sources to read");
    files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&root).unwrap().components();
            let path: Vec<_> = path.map(|part| part.as_os_str().to_string_lossy()).collect();
            Source::new(path.join("/"), fs::read_to_string(&file).unwrap())
        })
        .collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Fails with a list if anything was found.
pub(crate) fn assert_none(found: impl IntoIterator<Item = String>, what: &str) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn an_import_is_read_path_by_path() {
    let source = Source::new(
        "collectors/src/leak.rs".to_owned(),
        "use std::{\n    fmt,\n    sync::{self, atomic::Ordering::{Acquire, Relaxed}},\n};\n"
            .to_owned(),
    );
    assert_eq!(
        source.imports(),
        [
            "std::fmt",
            "std::sync",
            "std::sync::atomic::Ordering::Acquire",
            "std::sync::atomic::Ordering::Relaxed"
        ]
    );
}
