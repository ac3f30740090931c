//! Standing: which sources stand under each collector, found by what they import.
//!
//! Nobody keeps a list that could go stale: from the type in the list of collectors on, every `use` and every path is
//! followed to the file that defines the item, through the modules that only pass it on. This finds a little too much at
//! worst (a file is taken as a whole), and a test sees that no protocol is left without a collector.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Sources;

/// The list of collectors.
const LIST: &str = "list";

/// What every collector is used through.
const PROGRAM: [&str; 3] = ["program::heap", "program::mutator", "program::root"];

/// The files under each collector, in the order of the list.
#[derive(Clone, Debug, Default)]
pub struct Standing(Vec<(String, BTreeSet<String>)>);

/// What one file imports and names.
#[derive(Debug, Default)]
struct Module {
    /// Paths in `use` declarations, from the crate's root on.
    imports: Vec<Vec<String>>,
    /// Those of them that are passed on.
    exports: Vec<Vec<String>>,
    /// Other paths.
    paths: Vec<Vec<String>>,
    /// Words that stand as the default of a type parameter, and nowhere else.
    defaults: BTreeSet<String>,
}

impl Standing {
    /// Follows the imports of every collector in `sources`; `names` are the collectors' names, in the list's order.
    pub fn of(sources: &Sources, names: &[&str]) -> Self {
        let modules: BTreeMap<String, Module> = sources
            .modules()
            .map(|(path, lines)| (path.clone(), Module::of(&path, lines)))
            .collect();
        let entries = entries(sources);
        let under = |entry: &String| {
            let mut found = BTreeSet::new();
            let mut waiting: Vec<Vec<String>> = paths_in(entry);
            let given: Vec<String> = waiting.iter().filter_map(|path| folder_of(path)).collect();
            waiting.extend(PROGRAM.iter().map(|path| split(&format!("crate::{path}"))));
            while let Some(path) = waiting.pop() {
                let Some(module) = resolve(&modules, &path, 0) else { continue };
                if found.insert(module.clone()) {
                    let module = &modules[&module];
                    // A default is not used by a type that names another of its kind.
                    let is_used = |path: &&Vec<String>| {
                        let is_default =
                            path.last().is_some_and(|last| module.defaults.contains(last));
                        !is_default || folder_of(path).is_none_or(|folder| !given.contains(&folder))
                    };
                    waiting.extend(module.imports.iter().filter(is_used).cloned());
                    waiting.extend(module.paths.iter().cloned());
                }
            }
            found
        };
        Self(names.iter().map(|name| (*name).to_owned()).zip(entries.iter().map(under)).collect())
    }

    /// The collectors' names.
    pub fn collectors(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether module `module` (as `counts::biased`) stands under `collector`.
    pub fn includes(&self, collector: &str, module: &str) -> bool {
        let mut found = self.0.iter().filter(|(name, _)| name == collector);
        found.any(|(_, modules)| {
            // What is modelled with a module that only gathers its parts stands where any of them stands.
            modules.iter().any(|it| {
                it == module || it.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"))
            })
        })
    }

    /// Whether `model` (as `counts::biased::models::a_law`) says something of `collector`: a model of a whole collector
    /// bears its name.
    pub fn concerns(&self, collector: &str, model: &str) -> bool {
        let Some((module, law)) = model.split_once("::models::") else { return false };
        let bears = |name: &str| {
            let words = format!("_{law}_");
            words.contains(&format!("_{}_", name.replace('-', "_")))
        };
        let is_of_one = module == "program" && self.collectors().any(bears);
        self.includes(collector, module) && (!is_of_one || bears(collector))
    }
}

impl Module {
    fn of(path: &str, lines: &[String]) -> Self {
        let mut module = Self::default();
        let mut code = String::new();
        let mut declaration: Option<String> = None;
        let mut children = Vec::new();
        for line in lines.iter().map(|line| line.trim()).filter(|line| !line.starts_with("//")) {
            if let Some(child) =
                line.split_once("mod ").and_then(|(_, child)| child.strip_suffix(';'))
            {
                children.push(child.to_owned());
                continue;
            }
            let begins = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
            if declaration.is_none() && begins.iter().any(|begin| line.starts_with(begin)) {
                declaration = Some(String::new());
            }
            match &mut declaration {
                Some(text) => {
                    text.push_str(line);
                    if line.ends_with(';') {
                        module.declare(path, text);
                        declaration = None;
                    }
                }
                None => {
                    code.push_str(line);
                    code.push('\n');
                }
            }
        }
        let paths = paths_in(&code).into_iter();
        module.paths = paths.filter_map(|found| absolute(path, found, &children)).collect();
        module.defaults = module
            .imports
            .iter()
            .filter_map(|import| import.last())
            .filter(|name| is_default_only(&code, name))
            .cloned()
            .collect();
        module
    }

    fn declare(&mut self, path: &str, text: &str) {
        let (begin, tree) = text.split_once("use ").unwrap_or_default();
        let mut flat = Vec::new();
        flatten(&[], tree.trim_end_matches(';'), &mut flat);
        let paths = flat.into_iter().filter_map(|found| absolute(path, found, &[]));
        for path in paths {
            if begin.starts_with("pub") {
                self.exports.push(path.clone());
            }
            self.imports.push(path);
        }
    }
}

/// The types in the list of collectors.
fn entries(sources: &Sources) -> Vec<String> {
    let list = sources.modules().find(|(path, _)| path == LIST);
    let lines = list.into_iter().flat_map(|(_, lines)| lines);
    let inside = lines.skip_while(|line| !line.starts_with("collectors![")).skip(1);
    let text: String =
        inside.take_while(|line| !line.starts_with(']')).map(|line| line.trim()).collect();
    let mut entries = vec![String::new()];
    let mut depth = 0_i32;
    for letter in text.chars() {
        depth += i32::from(letter == '<') - i32::from(letter == '>');
        match letter {
            ',' if depth == 0 => entries.push(String::new()),
            _ => entries.last_mut().expect("there is one").push(letter),
        }
    }
    entries.retain(|entry| !entry.is_empty());
    entries
}

/// The module that defines what `path` names, if it is one of this crate.
fn resolve(modules: &BTreeMap<String, Module>, path: &[String], depth: usize) -> Option<String> {
    let inner = path.strip_prefix(&["crate".to_owned()])?;
    let known =
        (1..=inner.len()).rev().find(|&length| modules.contains_key(&inner[..length].join("::")));
    let length = known.unwrap_or(0);
    let name = if length == 0 { "lib".to_owned() } else { inner[..length].join("::") };
    let passed_on = inner.get(length).and_then(|item| {
        modules.get(&name)?.exports.iter().find(|export| export.last() == Some(item))
    });
    match passed_on {
        // What passes itself on would never end.
        Some(export) if depth < 8 => resolve(modules, export, depth + 1),
        _ if length == 0 => None,
        _ => Some(name),
    }
}

/// `path` from the crate's root on, or `None` if it leads elsewhere.
fn absolute(module: &str, path: Vec<String>, children: &[String]) -> Option<Vec<String>> {
    let first = path.first()?.as_str();
    let mut base = split(&format!("crate::{module}"));
    match first {
        "crate" => Some(path),
        "self" => Some(base.into_iter().chain(path.into_iter().skip(1)).collect()),
        "super" => {
            let levels = path.iter().take_while(|part| *part == "super").count();
            base.truncate(base.len().saturating_sub(levels).max(1));
            Some(base.into_iter().chain(path.into_iter().skip(levels)).collect())
        }
        _ if children.iter().any(|child| child == first) => {
            Some(base.into_iter().chain(path).collect())
        }
        _ => None,
    }
}

/// Every path in a tree of a `use` declaration.
fn flatten(prefix: &[String], tree: &str, found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or(tree);
        let parts = split(name).into_iter().filter(|part| !part.is_empty() && part != "*");
        let whole: Vec<String> = prefix.iter().cloned().chain(parts).collect();
        let is_itself = whole.len() > 1 && whole.last().is_some_and(|last| last == "self");
        found.push(if is_itself { whole[..whole.len() - 1].to_vec() } else { whole });
        return;
    };
    let parts = split(head).into_iter().filter(|part| !part.is_empty());
    let prefix: Vec<String> = prefix.iter().cloned().chain(parts).collect();
    let inside = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut from) = (0_i32, 0);
    for (index, letter) in inside.char_indices().chain([(inside.len(), ',')]) {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if letter == ',' && depth == 0 {
            let part = &inside[from..index];
            if !part.trim().is_empty() {
                flatten(&prefix, part, found);
            }
            from = index + 1;
        }
    }
}

/// Every path of two parts or more in `code`.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = code.split(|letter| !is_part(letter));
    words.filter(|word| word.contains("::")).map(|word| split(word.trim_matches(':'))).collect()
}

fn split(path: &str) -> Vec<String> {
    path.split("::").map(|part| part.trim().to_owned()).collect()
}

/// The folder of the module that defines an item, as `counts` of `crate::counts::atomic::AtomicCount`.
fn folder_of(path: &[String]) -> Option<String> {
    let [_, folders @ .., _, _] = path else { return None };
    (!folders.is_empty()).then(|| folders.join("::"))
}

/// Whether `name` stands in `code` as the default of a type parameter, and nowhere else.
fn is_default_only(code: &str, name: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut places = code.match_indices(name).filter(|(index, _)| {
        !code[..*index].ends_with(is_word) && !code[index + name.len()..].starts_with(is_word)
    });
    let mut is_default = places.clone().peekable();
    is_default.peek().is_some()
        && places.all(|(index, _)| {
            code[..index].ends_with("= ") && code[index + name.len()..].starts_with(['>', ','])
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::program::Workspace;

    fn sources() -> Sources {
        Sources::read(Workspace::find(None).unwrap().path()).unwrap()
    }

    #[test]
    fn trees_of_imports_are_flattened() {
        let mut found = Vec::new();
        flatten(&[], "crate::{a::{self, B}, c::D as E, F}", &mut found);
        let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
        assert_eq!(found, ["crate::a", "crate::a::B", "crate::c::D", "crate::F"]);
    }

    #[test]
    fn every_collector_stands_on_what_it_imports_and_on_nothing_else() {
        let standing = Standing::of(&sources(), collectors::NAMES);
        assert_eq!(standing.collectors().collect::<Vec<_>>(), collectors::NAMES);
        for name in collectors::NAMES {
            for module in ["threads::world", "heap::share", "program"] {
                assert!(standing.includes(name, module), "{name} stands on {module}");
            }
        }
        let stands = |name, module| standing.includes(name, module);
        assert!(stands("refcount", "counts::atomic") && !stands("refcount", "counts::biased"));
        assert!(stands("biased", "counts::biased") && !stands("biased", "counts::atomic"));
        assert!(stands("generational", "counts::atomic") && stands("biased", "cycles"));
        assert!(stands("snapshot", "marking") && !stands("mark-sweep", "snapshot"));
        assert!(!stands("leak", "counts::atomic") && !stands("mark-sweep", "counts::slot"));
        assert!(!stands("mark-sweep", "threads::collector_thread"));
    }

    #[test]
    fn every_protocol_stands_under_some_collector() {
        let sources = sources();
        let standing = Standing::of(&sources, collectors::NAMES);
        let modelled = sources.modelled();
        assert!(modelled.len() > 5, "{modelled:?}");
        for module in modelled {
            let mut names = standing.collectors();
            assert!(
                names.any(|name| standing.includes(name, &module)),
                "no collector uses {module}"
            );
        }
    }

    #[test]
    fn a_model_of_a_whole_collector_is_its_own_alone() {
        let standing = Standing::of(&sources(), collectors::NAMES);
        let model = "program::models::under_mark_sweep_a_load_sees_what_is_stored";
        assert!(standing.concerns("mark-sweep", model) && !standing.concerns("leak", model));
        let model = "program::models::what_the_last_of_two_clones_refers_to_is_freed_once";
        assert!(standing.concerns("mark-sweep", model) && standing.concerns("leak", model));
    }
}
