//! Orderings: how each can be weakened, and which may be weakened unnoticed, for a reason.
//!
//! `collectors/orderings.toml` lists those. An entry is found again by the function that it is in and not by its line,
//! so that it survives edits elsewhere; it goes stale, which fails the check, as soon as a model does notice.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    model::Site,
    source::{Sources, split_place},
};

/// The list's place in the workspace.
const LIST: &str = "collectors/orderings.toml";

/// What `weaker` says of an ordering that no model reaches.
const UNREACHED: &str = "unreached";

/// One ordering, made weaker by one step.
#[derive(Clone, Debug)]
pub struct Weakening {
    /// Where.
    pub site: Site,
    /// The function that it is in.
    pub function: String,
    /// Which of the function's sites with this operation, role and ordering it is, from 1.
    pub occurrence: usize,
    /// The weaker ordering, or `removed`.
    pub weaker: &'static str,
}

impl Weakening {
    /// How the program of the models is told.
    pub fn order(&self) -> String {
        let Site { place, role, ordering, .. } = &self.site;
        format!("{place}#{role}:{ordering}={}", self.weaker)
    }

    /// How people are told.
    pub fn describe(&self) -> String {
        let Site { place, operation, role, ordering } = &self.site;
        let role = if role == "only" { String::new() } else { format!(" on {role}") };
        format!(
            "{place}: `{operation}` {ordering}{role} made {} in `{}`",
            self.weaker, self.function
        )
    }

    fn file(&self) -> &str {
        split_place(&self.site.place).map_or("", |(file, _)| file)
    }
}

/// Every weakening of every site in shipping code.
pub fn weakenings(sites: &[Site], sources: &Sources) -> Vec<Weakening> {
    let mut found: Vec<Weakening> = Vec::new();
    for site in sites.iter().filter(|site| sources.is_shipping(&site.place)) {
        let function = sources.function(&site.place);
        let is_alike = |other: &Weakening, weaker| {
            let (one, two) = (&other.site, site);
            other.weaker == weaker
                && other.function == function
                && (&one.operation, &one.role, &one.ordering)
                    == (&two.operation, &two.role, &two.ordering)
                && split_place(&one.place).map(|place| place.0)
                    == split_place(&two.place).map(|place| place.0)
        };
        for &weaker in steps(&site.operation, &site.ordering) {
            let occurrence = 1 + found.iter().filter(|other| is_alike(other, weaker)).count();
            found.push(Weakening {
                site: site.clone(),
                function: function.clone(),
                occurrence,
                weaker,
            });
        }
    }
    found
}

/// What is one step weaker.
fn steps(operation: &str, ordering: &str) -> &'static [&'static str] {
    match (operation, ordering) {
        ("fence", "seq-cst") => &["acq-rel", "removed"],
        ("fence", "acquire" | "release") => &["removed"],
        (_, "acq-rel") => &["acquire", "release"],
        (_, "acquire" | "release") => &["relaxed"],
        _ => &[],
    }
}

/// The list of weakenings that no model notices, with the reason why that is right.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Justifications {
    #[serde(default)]
    ordering: Vec<Justification>,
}

/// Why one weakening may pass unnoticed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Justification {
    file: String,
    function: String,
    operation: String,
    #[serde(default = "only")]
    role: String,
    ordering: String,
    weaker: String,
    #[serde(default = "first")]
    occurrence: usize,
    /// The reason, in prose.
    pub reason: String,
}

fn only() -> String {
    "only".to_owned()
}

fn first() -> usize {
    1
}

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JustificationError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The list.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is no list.
    #[error("cannot read `{}`: {source}", path.display())]
    Malformed {
        /// The list.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// A reason is missing.
    #[error("`{}`: the reason for `{operation}` in `{function}` says nothing, expected a sentence or two", path.display())]
    Unreasoned {
        /// The list.
        path: PathBuf,
        /// The function.
        function: String,
        /// The operation.
        operation: String,
    },
}

impl Justifications {
    /// Reads the list of `workspace`; where there is none, nothing is justified.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or an entry gives no reason.
    pub fn read(workspace: &Path) -> Result<Self, JustificationError> {
        let path = workspace.join(LIST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(JustificationError::Unreadable { path, source }),
        };
        let list: Self = match toml::from_str(&text) {
            Ok(list) => list,
            Err(source) => {
                return Err(JustificationError::Malformed { path, source: Box::new(source) });
            }
        };
        if let Some(entry) =
            list.ordering.iter().find(|entry| entry.reason.split_whitespace().count() < 5)
        {
            let (function, operation) = (entry.function.clone(), entry.operation.clone());
            return Err(JustificationError::Unreasoned { path, function, operation });
        }
        Ok(list)
    }

    /// All entries.
    pub fn entries(&self) -> &[Justification] {
        &self.ordering
    }

    /// The entry for `weakening`, by its index.
    pub fn of(&self, weakening: &Weakening) -> Option<usize> {
        let Site { operation, role, ordering, .. } = &weakening.site;
        self.ordering.iter().position(|entry| {
            entry.file == weakening.file()
                && entry.function == weakening.function
                && (&entry.operation, &entry.role, &entry.ordering) == (operation, role, ordering)
                && entry.weaker == weakening.weaker
                && entry.occurrence == weakening.occurrence
        })
    }

    /// The entry for an ordering that no model reaches, by its index.
    pub fn of_unreached(&self, found: &super::source::Ordering) -> Option<usize> {
        self.ordering.iter().position(|entry| {
            (&entry.file, &entry.function, &entry.operation)
                == (&found.file, &found.function, &found.operation)
                && entry.ordering == found.ordering
                && entry.weaker == UNREACHED
        })
    }
}

impl Justification {
    /// How people are told.
    pub fn describe(&self) -> String {
        let Self { file, function, operation, ordering, weaker, .. } = self;
        format!("{file}: `{operation}` {ordering} made {weaker} in `{function}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakening(weaker: &'static str, occurrence: usize) -> Weakening {
        let site = Site {
            place: "collectors/src/count.rs:7:19".to_owned(),
            operation: "fetch_sub".to_owned(),
            role: "only".to_owned(),
            ordering: "acq-rel".to_owned(),
        };
        Weakening { site, function: "drop".to_owned(), occurrence, weaker }
    }

    #[test]
    fn an_entry_is_found_by_its_function_and_not_by_its_line() {
        let list = r#"
            [[ordering]]
            file = "collectors/src/count.rs"
            function = "drop"
            operation = "fetch_sub"
            ordering = "acq-rel"
            weaker = "release"
            reason = "the fence behind it acquires as well"
        "#;
        let list: Justifications = toml::from_str(list).unwrap();
        assert_eq!(list.of(&weakening("release", 1)), Some(0));
        assert_eq!(list.of(&weakening("acquire", 1)), None);
        assert_eq!(list.of(&weakening("release", 2)), None);
    }

    #[test]
    fn every_ordering_but_relaxed_has_a_weaker_one() {
        assert_eq!(steps("fence", "seq-cst"), ["acq-rel", "removed"]);
        assert_eq!(steps("fence", "acq-rel"), ["acquire", "release"]);
        assert_eq!(steps("fence", "release"), ["removed"]);
        assert_eq!(steps("swap", "acq-rel"), ["acquire", "release"]);
        assert_eq!(steps("load", "acquire"), ["relaxed"]);
        assert!(steps("load", "relaxed").is_empty());
    }
}
