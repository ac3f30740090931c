//! What one model did, as a line of JSON for `cyclotron check`.

use std::{env, fmt::Write as _, fs::OpenOptions, io::Write as _};

use super::sites::Site;

/// What one model did.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) protocol: &'static str,
    /// The name of the test, which is the law that the model proves.
    pub(super) model: String,
    /// The most threads that one permutation had, the one that spawns the others included.
    pub(super) threads: usize,
    /// How many preemptions a permutation may have, or `None` for any number.
    pub(super) bound: Option<usize>,
    pub(super) permutations: u64,
    pub(super) seconds: f64,
    pub(super) outcome: Outcome,
    /// How often the site was passed that this run weakens.
    pub(super) weakened: u64,
    pub(super) sites: Vec<Site>,
    /// The mutations that the model would notice if they were switched on, or should.
    pub(super) mutants: Vec<&'static str>,
}

/// How a model ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Every permutation was tried.
    Complete,
    /// Every permutation with so many preemptions was tried.
    Bounded,
    /// A limit was reached before all permutations were tried, which proves nothing.
    Truncated,
    /// A permutation broke the law.
    Failed { message: String },
}

impl Record {
    /// Appends the record to the file named by `CYCLOTRON_MODEL_REPORT`, if there is one.
    pub(super) fn write(&self) {
        let Some(path) = env::var_os("CYCLOTRON_MODEL_REPORT") else { return };
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .expect("the file named by `CYCLOTRON_MODEL_REPORT` should open for writing");
        let line = self.to_json() + "\n";
        file.write_all(line.as_bytes()).expect("the report of a model should be written");
    }

    fn to_json(&self) -> String {
        let (outcome, message) = match &self.outcome {
            Outcome::Complete => ("complete", "null".to_owned()),
            Outcome::Bounded => ("bounded", "null".to_owned()),
            Outcome::Truncated => ("truncated", "null".to_owned()),
            Outcome::Failed { message } => ("failed", quoted(message)),
        };
        let sites: Vec<String> = self
            .sites
            .iter()
            .map(|site| {
                format!(
                    r#"{{"place":{},"operation":"{}","role":"{}","ordering":"{}"}}"#,
                    quoted(&site.place),
                    site.operation,
                    site.role,
                    site.ordering
                )
            })
            .collect();
        let mutants: Vec<String> = self.mutants.iter().map(|name| quoted(name)).collect();
        format!(
            concat!(
                r#"{{"protocol":{},"model":{},"threads":{},"bound":{},"permutations":{},"#,
                r#""seconds":{:.6},"outcome":"{}","message":{},"weakened":{},"#,
                r#""sites":[{}],"mutants":[{}]}}"#,
            ),
            quoted(self.protocol),
            quoted(&self.model),
            self.threads,
            self.bound.map_or("null".to_owned(), |bound| bound.to_string()),
            self.permutations,
            self.seconds,
            outcome,
            message,
            self.weakened,
            sites.join(","),
            mutants.join(","),
        )
    }
}

/// `text` as a string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_stays_on_one_line() {
        assert_eq!(quoted("a \"b\"\n\\c"), r#""a \"b\"\u000a\\c""#);
    }
}
