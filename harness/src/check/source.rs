//! Sources of the models: where their tests begin, what their orderings and functions are called.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// How far above an ordering its operation may begin: a compare-exchange of six lines, and a comment.
const LONGEST_OPERATION: usize = 12;

/// The switch that the models run on, whose own orderings are those that it is told.
const SWITCH: &str = "collectors/src/threads/sync";

/// The sources of the collectors, by their place in the workspace.
#[derive(Debug)]
pub struct Sources(BTreeMap<String, File>);

#[derive(Debug)]
struct File {
    lines: Vec<String>,
    /// The index of the first line of the tests at the end.
    tests: usize,
}

/// An ordering other than `Relaxed`, as it stands in a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ordering {
    /// The file's place in the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The function that it is in.
    pub function: String,
    /// The operation, such as `fetch_sub`.
    pub operation: String,
    /// The ordering, such as `acq-rel`.
    pub ordering: &'static str,
}

impl Sources {
    /// Reads `collectors/src` in `workspace`.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn read(workspace: &Path) -> io::Result<Self> {
        let mut paths = Vec::new();
        collect(&workspace.join("collectors/src"), &mut paths)?;
        let mut files = BTreeMap::new();
        for path in paths {
            let parts = path.strip_prefix(workspace).unwrap_or(&path).components();
            let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
            let name = parts.join("/");
            let file = File::new(&name, &fs::read_to_string(&path)?);
            files.insert(name, file);
        }
        Ok(Self(files))
    }

    /// How many models the sources hold: tests in modules called `models`.
    pub fn models(&self) -> usize {
        self.0.iter().map(|(name, file)| file.models(name)).sum()
    }

    /// Whether `place`, as `file:line:column`, is in shipping code and not in a test.
    pub fn is_shipping(&self, place: &str) -> bool {
        split_place(place).is_some_and(|(name, line)| {
            !name.starts_with(SWITCH) && self.0.get(name).is_some_and(|file| line <= file.tests)
        })
    }

    /// The function that `place`, as `file:line:column`, is in.
    pub fn function(&self, place: &str) -> String {
        let found =
            split_place(place).and_then(|(name, line)| Some(self.0.get(name)?.function(line)));
        found.unwrap_or_default()
    }

    /// Every ordering in shipping code, except `Relaxed`.
    pub fn orderings(&self) -> Vec<Ordering> {
        let files = self.0.iter().filter(|(name, _)| !name.starts_with(SWITCH));
        files.flat_map(|(name, file)| file.orderings(name)).collect()
    }

    /// The module of every file, such as `counts::biased`, with its lines of shipping code.
    pub fn modules(&self) -> impl Iterator<Item = (String, &[String])> {
        self.0.iter().map(|(name, file)| (module_of(name), &file.lines[..file.tests]))
    }

    /// The modules that have models, such as `counts::biased`.
    pub fn modelled(&self) -> Vec<String> {
        let files = self.0.iter().filter(|(name, file)| file.models(name) > 0);
        let modules = files.map(|(name, _)| module_of(name));
        modules
            .map(|module| match module.split_once("::models") {
                Some((parent, _)) => parent.to_owned(),
                None => module,
            })
            .collect()
    }

    /// The module in whose shipping code `mutant("name")` stands.
    pub fn module_of_mutant(&self, name: &str) -> Option<String> {
        let asked = format!("mutant(\"{name}\")");
        let mut files = self.0.iter().filter(|(name, _)| !name.starts_with(SWITCH));
        let found = files
            .find(|(_, file)| file.lines[..file.tests].iter().any(|line| line.contains(&asked)));
        found.map(|(name, _)| module_of(name))
    }

    /// The names of the mistakes that the sources keep behind `mutant("name")`.
    pub fn mutants(&self) -> Vec<String> {
        let files = self.0.iter().filter(|(name, _)| !name.starts_with(SWITCH));
        let lines = files.flat_map(|(_, file)| &file.lines[..file.tests]);
        let asked = lines.filter_map(|line| line.split_once("mutant(\"")?.1.split_once('"'));
        let mut names: Vec<String> = asked.map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let is_test_file = ["/tests.rs", "/models.rs"].iter().any(|end| name.ends_with(end))
            || ["/tests/", "/models/"].iter().any(|folder| name.contains(folder));
        let begins_tests = |index: &usize| {
            let is_for_tests =
                lines[*index].starts_with("#[cfg(") && lines[*index].contains("test");
            let item = lines[index + 1..].iter().find(|line| !line.starts_with("#["));
            is_for_tests && item.is_some_and(|item| item.starts_with("mod ") && item.ends_with('{'))
        };
        let tests = if is_test_file {
            0
        } else {
            (0..lines.len()).find(begins_tests).unwrap_or(lines.len())
        };
        Self { lines, tests }
    }

    fn models(&self, name: &str) -> usize {
        let is_file_of_models = name.ends_with("/models.rs") || name.contains("/models/");
        let mut inside = is_file_of_models;
        let mut models = 0;
        let mut above = "";
        for line in &self.lines {
            if !is_file_of_models && line.starts_with("mod ") {
                inside = line.starts_with("mod models {");
            }
            // The model checker cannot run every test: not one that is about a panic.
            let is_for_it = above != "#[cfg(not(loom))]";
            models += usize::from(inside && line.trim() == "#[test]" && is_for_it);
            above = line.trim();
        }
        models
    }

    fn function(&self, line: usize) -> String {
        let indent = |text: &str| text.len() - text.trim_start().len();
        let own = self.lines.get(line - 1).map_or(0, |text| indent(text));
        let above = self.lines[..line.min(self.lines.len())].iter().rev();
        let mut named =
            above.filter(|text| indent(text) < own || indent(text) == 0).filter_map(|text| {
                let code = text.trim_start();
                let name = if code.starts_with("//") { None } else { code.split_once("fn ") }?.1;
                Some(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
            });
        named.next().unwrap_or_default()
    }

    fn orderings(&self, name: &str) -> Vec<Ordering> {
        let mut found = Vec::new();
        let mut in_import = false;
        for (index, line) in self.lines[..self.tests].iter().enumerate() {
            let code = line.trim();
            in_import |= code.starts_with("use ") || code.contains(") use ");
            let is_code = !in_import && !code.starts_with("//");
            in_import &= !code.ends_with(';');
            let words = code.split(|c: char| !c.is_alphanumeric());
            for ordering in words.filter_map(strong).filter(|_| is_code) {
                let Some(operation) = self.operation(index, code, ordering.0) else { continue };
                let (file, line) = (name.to_owned(), index + 1);
                let function = self.function(line);
                found.push(Ordering { file, line, function, operation, ordering: ordering.1 });
            }
        }
        found
    }

    /// The operation whose argument the word `ordering` on line `index` is.
    fn operation(&self, index: usize, code: &str, ordering: &str) -> Option<String> {
        let above = self.lines[index.saturating_sub(LONGEST_OPERATION)..index]
            .iter()
            .map(|line| line.trim());
        let above: Vec<&str> = above.filter(|line| !line.starts_with("//")).collect();
        let text = above.join(" ") + " " + code.split(ordering).next().unwrap_or_default();
        text.rmatch_indices('(').find_map(|(open, _)| {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let name = text[..open].rsplit(|c| !is_name(c)).next().unwrap_or_default();
            let is_known = ["load", "store", "swap", "fence"].contains(&name);
            let is_update = name.starts_with("fetch_") || name.starts_with("compare_exchange");
            (is_known || is_update).then(|| name.trim_end_matches("_weak").to_owned())
        })
    }
}

fn strong(word: &str) -> Option<(&'static str, &'static str)> {
    let orderings = [
        ("Acquire", "acquire"),
        ("Release", "release"),
        ("AcqRel", "acq-rel"),
        ("SeqCst", "seq-cst"),
    ];
    orderings.into_iter().find(|(name, _)| *name == word)
}

/// The file and the line of `file:line:column`.
pub fn split_place(place: &str) -> Option<(&str, usize)> {
    let (rest, _column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}

/// The module that `collectors/src/counts/biased.rs` is: `counts::biased`.
pub fn module_of(file: &str) -> String {
    let path = file.strip_prefix("collectors/src/").unwrap_or(file);
    path.strip_suffix(".rs").unwrap_or(path).replace('/', "::")
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "//! Count.
use atomic::Ordering::{Acquire, Relaxed, Release};

impl Count {
    pub(crate) fn drop_one(&self) {
        // Release: publishes. Pairs with `x`.
        if self.0.fetch_sub(1, Release) == 1 {
            // Acquire: sees. Pairs with `x`.
            fence(Acquire);
            mutant(\"late store\");
        }
        let _ = self.0.compare_exchange_weak(
            0,
            1,
            Relaxed,
            Acquire,
        );
    }
}

#[cfg(test)]
mod models {
    #[test]
    fn a_law() {
        COUNT.store(0, Release);
    }
}
";

    fn sources() -> Sources {
        let name = "collectors/src/count.rs";
        Sources([(name.to_owned(), File::new(name, TEXT))].into())
    }

    #[test]
    fn orderings_are_found_with_operation_and_function_but_not_in_tests() {
        let found: Vec<_> = sources()
            .orderings()
            .into_iter()
            .map(|found| (found.line, found.function, found.operation, found.ordering))
            .collect();
        let expected = [
            (7, "fetch_sub", "release"),
            (9, "fence", "acquire"),
            (16, "compare_exchange", "acquire"),
        ];
        let expected = expected.map(|(line, operation, ordering)| {
            (line, "drop_one".to_owned(), operation.to_owned(), ordering)
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn models_and_mutants_are_counted() {
        assert_eq!(sources().models(), 1);
        assert_eq!(sources().mutants(), ["late store"]);
    }

    #[test]
    fn a_place_in_a_test_is_not_shipping() {
        assert!(sources().is_shipping("collectors/src/count.rs:7:19"));
        assert!(!sources().is_shipping("collectors/src/count.rs:25:15"));
        assert!(!sources().is_shipping("elsewhere.rs:7:19"));
    }
}
