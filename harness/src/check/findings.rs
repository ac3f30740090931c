//! Findings of a check: a table a protocol a line, every failure in words, and all of it as JSON.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use super::{
    TRUSTED,
    model::{Outcome, Record},
    source::split_place,
    survey::{Fault, Model, Mutant, Verdict},
};
use crate::{table::Table, units};

/// Everything that a check found.
#[derive(Debug)]
pub struct Findings {
    /// Preemptions in one permutation.
    pub bound: usize,
    /// The models.
    pub models: Vec<Model>,
    /// What was wrong on purpose.
    pub faults: Vec<Mutant>,
    /// Entries of the list of justified orderings that are about nothing.
    pub idle: Vec<String>,
    /// How long it all took.
    pub seconds: f64,
}

/// One line of the table.
#[derive(Default)]
struct Line<'a> {
    models: usize,
    threads: usize,
    permutations: u64,
    /// How many models ended how.
    outcomes: BTreeMap<String, usize>,
    seconds: f64,
    faults: Vec<&'a Mutant>,
}

impl Findings {
    /// What keeps the check from passing, a line each.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for model in &self.models {
            if let Err(message) = model.best() {
                failures.push(format!("model `{}` failed: {message}", model.name));
            }
        }
        for Mutant { fault, verdict } in &self.faults {
            let what = fault.describe();
            match verdict {
                Verdict::Caught(_) | Verdict::Justified(_) => {}
                Verdict::Survived => failures.push(format!("not caught: {what}")),
                Verdict::Stale(by) => {
                    failures.push(format!("listed as justified, but caught by `{by}`: {what}"))
                }
                Verdict::Undecided(doubt) => {
                    failures.push(format!("not decided, because {doubt}: {what}"))
                }
            }
        }
        failures.extend(
            self.idle
                .iter()
                .map(|entry| format!("listed as justified, but not in the source: {entry}")),
        );
        failures
    }

    /// The table, what is trusted, and every failure.
    pub fn text(&self) -> String {
        let columns = [
            "protocol",
            ">models",
            ">threads",
            ">permutations",
            "explored",
            ">caught",
            ">justified",
            ">survived",
            ">mistakes",
            ">time",
        ];
        let mut table = Table::new(&columns);
        for (protocol, line) in self.lines() {
            table.row([protocol].into_iter().chain(line.cells()));
        }
        let mut text = table.render();
        let faults =
            |is: fn(&Fault) -> bool| self.faults.iter().filter(move |mutant| is(&mutant.fault));
        let orderings = faults(|fault| !matches!(fault, Fault::Mutated(_))).count();
        let mistakes = faults(|fault| matches!(fault, Fault::Mutated(_))).count();
        let permutations: u64 =
            self.models.iter().filter_map(|model| Some(model.best().ok()?.permutations)).sum();
        // A failing formatter does not exist for strings.
        let _ = writeln!(
            text,
            "\n{} permutations of {} models; {orderings} weakened orderings and {mistakes} seeded mistakes; {:.0} s",
            units::count(permutations),
            self.models.len(),
            self.seconds
        );
        text.push_str("\ntrusted, not checked here:\n");
        for trusted in TRUSTED {
            let _ = writeln!(text, "  {trusted}");
        }
        let failures = self.failures();
        for failure in &failures {
            let _ = writeln!(text, "\nfailed: {failure}");
        }
        if !failures.is_empty() {
            let count = units::counted(failures.len() as u64, "failure", "failures");
            let _ = writeln!(
                text,
                "\n{count}\nhelp: an ordering that is not caught needs a model, a weaker ordering, or a reason in \
                 `collectors/orderings.toml`"
            );
        }
        text
    }

    /// Everything, for programs.
    pub fn json(&self) -> Value {
        json!({
            "schema": 1,
            "passed": self.failures().is_empty(),
            "bound": self.bound,
            "seconds": self.seconds,
            "protocols": self.lines().into_iter().map(|(name, line)| line.json(&name)).collect::<Vec<_>>(),
            "models": self.models.iter().map(|it| self.model(it)).collect::<Vec<_>>(),
            "faults": self.faults.iter().map(fault).collect::<Vec<_>>(),
            "relaxed": self.relaxed(),
            "trusted": TRUSTED,
            "failures": self.failures(),
        })
    }

    /// A model, with the faults that it was the first to catch.
    fn model(&self, model: &Model) -> Value {
        let is_by_it =
            |mutant: &&Mutant| matches!(&mutant.verdict, Verdict::Caught(by) if *by == model.name);
        let caught: Vec<String> =
            self.faults.iter().filter(is_by_it).map(|it| it.fault.describe()).collect();
        match model.best() {
            Ok(record) => json!({
                "model": model.name,
                "protocol": record.protocol,
                "threads": record.threads,
                "bound": record.bound,
                "permutations": record.permutations,
                "explored": explored(record),
                "seconds": record.seconds,
                "caught": caught,
            }),
            Err(message) => {
                json!({ "model": model.name, "explored": "failed", "message": message })
            }
        }
    }

    /// The table's lines, by protocol.
    fn lines(&self) -> BTreeMap<String, Line<'_>> {
        let mut lines: BTreeMap<String, Line<'_>> = BTreeMap::new();
        for model in &self.models {
            let line = lines.entry(self.protocol(model)).or_default();
            line.models += 1;
            line.seconds += model.seconds;
            let outcome = match model.best() {
                Ok(record) => {
                    line.threads = line.threads.max(record.threads);
                    line.permutations += record.permutations;
                    explored(record)
                }
                Err(message) if message.starts_with("TRUNCATED") => "TRUNCATED".to_owned(),
                Err(_) => "FAILED".to_owned(),
            };
            *line.outcomes.entry(outcome).or_default() += 1;
        }
        for mutant in &self.faults {
            lines.entry(self.protocol_of_fault(mutant)).or_default().faults.push(mutant);
        }
        lines
    }

    fn protocol(&self, model: &Model) -> String {
        // A model that failed has no record; its module says what it is about.
        let module = || model.name.split("::models").next().unwrap_or(&model.name).to_owned();
        model.best().map_or_else(|_| module(), |record| record.protocol.clone())
    }

    /// The protocol that a fault belongs to: that of the models beside it, or else that of the model that caught it.
    fn protocol_of_fault(&self, mutant: &Mutant) -> String {
        let file = match &mutant.fault {
            Fault::Weakened(weakening) => split_place(&weakening.site.place).map(|(file, _)| file),
            Fault::Unreached(ordering) => Some(ordering.file.as_str()),
            Fault::Mutated(_) => None,
        };
        let module = file
            .and_then(|file| file.strip_prefix("collectors/src/")?.strip_suffix(".rs"))
            .map(|path| path.replace('/', "::") + "::models::");
        let beside = self
            .models
            .iter()
            .find(|model| module.as_ref().is_some_and(|it| model.name.starts_with(it)));
        let catcher = self.models.iter().find(|model| match &mutant.verdict {
            Verdict::Caught(by) | Verdict::Stale(by) => model.name == *by,
            _ => false,
        });
        beside.or(catcher).map_or_else(|| "elsewhere".to_owned(), |model| self.protocol(model))
    }

    /// Where `Relaxed` is used, which nothing can weaken.
    fn relaxed(&self) -> Vec<String> {
        let records = self.models.iter().filter_map(|model| model.bounded.as_ref().ok());
        let sites =
            records.flat_map(|record| &record.sites).filter(|site| site.ordering == "relaxed");
        let mut places: Vec<String> =
            sites.map(|site| format!("{} {}", site.place, site.operation)).collect();
        places.sort();
        places.dedup();
        places
    }
}

impl Line<'_> {
    /// How many orderings came to such a verdict.
    fn count(&self, is: fn(&Verdict) -> bool) -> usize {
        let orderings = self.faults.iter().filter(|mutant| !is_mistake(mutant));
        orderings.filter(|mutant| is(&mutant.verdict)).count()
    }

    /// How many seeded mistakes were caught, and how many there are.
    fn mistakes(&self) -> (usize, usize) {
        let mistakes = self.faults.iter().filter(|mutant| is_mistake(mutant));
        (mistakes.clone().filter(|mutant| mutant.verdict.is_good()).count(), mistakes.count())
    }

    fn caught(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Caught(_)))
    }

    fn justified(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Justified(_)))
    }

    fn survived(&self) -> usize {
        self.count(|verdict| !verdict.is_good())
    }

    fn explored(&self) -> String {
        let outcomes: Vec<String> =
            self.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        outcomes.join(", ")
    }

    fn cells(&self) -> [String; 9] {
        let (caught, mistakes) = self.mistakes();
        [
            self.models.to_string(),
            self.threads.to_string(),
            units::count(self.permutations),
            self.explored(),
            self.caught().to_string(),
            self.justified().to_string(),
            self.survived().to_string(),
            format!("{caught}/{mistakes}"),
            format!("{:.1} s", self.seconds),
        ]
    }

    fn json(&self, protocol: &str) -> Value {
        let (caught, mistakes) = self.mistakes();
        json!({
            "protocol": protocol,
            "models": self.models,
            "threads": self.threads,
            "permutations": self.permutations,
            "explored": self.explored(),
            "orderings": { "caught": self.caught(), "justified": self.justified(), "survived": self.survived() },
            "mistakes": { "caught": caught, "seeded": mistakes },
            "seconds": self.seconds,
        })
    }
}

fn is_mistake(mutant: &Mutant) -> bool {
    matches!(mutant.fault, Fault::Mutated(_))
}

/// How far a model was explored, in a word.
fn explored(record: &Record) -> String {
    match (record.outcome, record.bound) {
        (Outcome::Bounded, Some(bound)) => format!("bounded({bound})"),
        (outcome, _) => format!("{outcome:?}").to_lowercase(),
    }
}

fn fault(mutant: &Mutant) -> Value {
    let (verdict, detail) = match &mutant.verdict {
        Verdict::Caught(by) => ("caught", Some(by)),
        Verdict::Justified(reason) => ("justified", Some(reason)),
        Verdict::Survived => ("survived", None),
        Verdict::Stale(by) => ("stale", Some(by)),
        Verdict::Undecided(doubt) => ("undecided", Some(doubt)),
    };
    json!({ "fault": mutant.fault.describe(), "verdict": verdict, "detail": detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{model::Site, orderings::Weakening};

    fn findings(verdict: Verdict) -> Findings {
        let site = Site {
            place: "collectors/src/count.rs:7:19".to_owned(),
            operation: "fetch_sub".to_owned(),
            role: "only".to_owned(),
            ordering: "release".to_owned(),
        };
        let record = Record {
            protocol: "count".to_owned(),
            model: "count::models::a_law".to_owned(),
            threads: 3,
            bound: None,
            permutations: 1_234,
            seconds: 0.1,
            outcome: Outcome::Complete,
            message: None,
            weakened: 0,
            sites: vec![site.clone()],
            mutants: Vec::new(),
        };
        let name = "count::models::a_law".to_owned();
        let model = Model { name, bounded: Ok(record), thorough: None, seconds: 0.2 };
        let weakening =
            Weakening { site, function: "drop".to_owned(), occurrence: 1, weaker: "relaxed" };
        let mutant = Mutant { fault: Fault::Weakened(weakening), verdict };
        Findings {
            bound: 2,
            models: vec![model],
            faults: vec![mutant],
            idle: Vec::new(),
            seconds: 0.2,
        }
    }

    #[test]
    fn a_weakening_that_is_caught_is_counted_for_the_protocol_beside_it() {
        let findings = findings(Verdict::Caught("elsewhere::models::another".to_owned()));
        assert!(findings.failures().is_empty());
        let text = findings.text();
        let line = text.lines().find(|line| line.starts_with("count")).unwrap();
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            cells,
            ["count", "1", "3", "1,234", "1", "complete", "1", "0", "0", "0/0", "0.2", "s"]
        );
    }

    #[test]
    fn a_weakening_that_is_not_caught_fails_and_says_where_it_is() {
        let failures = findings(Verdict::Survived).failures();
        let expected =
            "not caught: collectors/src/count.rs:7:19: `fetch_sub` release made relaxed in `drop`";
        assert_eq!(failures, [expected]);
    }

    #[test]
    fn a_justification_of_what_is_caught_is_stale() {
        let findings = findings(Verdict::Stale("count::models::a_law".to_owned()));
        assert!(
            findings.failures()[0]
                .starts_with("listed as justified, but caught by `count::models::a_law`")
        );
        assert_eq!(findings.json()["passed"], false);
    }
}
