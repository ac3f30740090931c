//! Findings of a check: what the models and the faults came to, put together as a kill matrix.

use std::collections::BTreeMap;

use super::{
    TRUSTED,
    matrix::{self, Explored, Kind, Matrix, Protocol, Verdicts},
    model::{Outcome, Record},
    source::{Sources, module_of, split_place},
    standing::Standing,
    survey::{Fault, Model, Mutant, Verdict},
};

/// Everything that a check found.
#[derive(Debug)]
pub struct Findings {
    /// Preemptions in one permutation.
    pub bound: usize,
    /// Whether these are all models and all faults.
    pub is_whole: bool,
    /// The models.
    pub models: Vec<Model>,
    /// What was wrong on purpose.
    pub faults: Vec<Mutant>,
    /// Entries of the list of justified orderings that are about nothing.
    pub idle: Vec<String>,
    /// Which sources stand under each collector.
    pub standing: Standing,
    /// How long it all took.
    pub seconds: f64,
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

    /// All of it, to be printed, kept and shown.
    pub fn matrix(&self, sources: &Sources) -> Matrix {
        let mut faults: Vec<(Option<String>, matrix::Fault)> =
            self.faults.iter().map(|mutant| self.fault(mutant, sources)).collect();
        faults.sort_by(|(_, one), (_, two)| {
            (&one.protocol, one.kind as u8, &one.fault).cmp(&(
                &two.protocol,
                two.kind as u8,
                &two.fault,
            ))
        });
        let models: Vec<Explored> = self.models.iter().map(|model| self.model(model)).collect();
        let failures = self.failures();
        Matrix {
            schema: matrix::SCHEMA,
            passed: failures.is_empty(),
            is_whole: self.is_whole,
            bound: self.bound,
            seconds: self.seconds,
            protocols: protocols(&models, &faults),
            collectors: self.collectors(&models, &faults),
            models,
            faults: faults.into_iter().map(|(_, fault)| fault).collect(),
            relaxed: self.relaxed(),
            trusted: TRUSTED.iter().map(ToString::to_string).collect(),
            failures,
        }
    }

    /// A model, with the faults that it was the first to catch.
    fn model(&self, model: &Model) -> Explored {
        let is_by_it =
            |mutant: &&Mutant| matches!(&mutant.verdict, Verdict::Caught(by) if *by == model.name);
        let caught = self.faults.iter().filter(is_by_it).map(|it| it.fault.describe()).collect();
        let record = model.best();
        Explored {
            model: model.name.clone(),
            protocol: self.protocol(model),
            threads: record.map_or(0, |record| record.threads),
            permutations: record.map_or(0, |record| record.permutations),
            explored: match record {
                Ok(record) => explored(record),
                Err(message) if message.starts_with("TRUNCATED") => "TRUNCATED".to_owned(),
                Err(_) => "FAILED".to_owned(),
            },
            seconds: model.seconds,
            message: record.err().cloned(),
            caught,
        }
    }

    /// A fault, with the module that it is in.
    fn fault(&self, mutant: &Mutant, sources: &Sources) -> (Option<String>, matrix::Fault) {
        let (kind, module) = match &mutant.fault {
            Fault::Weakened(weakening) => (
                Kind::Ordering,
                split_place(&weakening.site.place).map(|(file, _)| module_of(file)),
            ),
            Fault::Unreached(ordering) => (Kind::Unreached, Some(module_of(&ordering.file))),
            Fault::Mutated(name) => (Kind::Mistake, sources.module_of_mutant(name)),
        };
        let (verdict, detail) = match &mutant.verdict {
            Verdict::Caught(by) => (matrix::Verdict::Caught, Some(by)),
            Verdict::Justified(reason) => (matrix::Verdict::Justified, Some(reason)),
            Verdict::Survived => (matrix::Verdict::Survived, None),
            Verdict::Stale(by) => (matrix::Verdict::Stale, Some(by)),
            Verdict::Undecided(doubt) => (matrix::Verdict::Undecided, Some(doubt)),
        };
        let fault = matrix::Fault {
            protocol: self.protocol_of_fault(mutant, module.as_deref()),
            kind,
            fault: mutant.fault.describe(),
            verdict,
            detail: detail.cloned(),
        };
        (module, fault)
    }

    fn protocol(&self, model: &Model) -> String {
        // A model that failed has no record; its module says what it is about.
        let module = || model.name.split("::models").next().unwrap_or(&model.name).to_owned();
        model.best().map_or_else(|_| module(), |record| record.protocol.clone())
    }

    /// The protocol that a fault belongs to: that of the model that caught it, or else of one beside it.
    fn protocol_of_fault(&self, mutant: &Mutant, module: Option<&str>) -> String {
        let is_beside = |model: &&Model| {
            module.is_some_and(|module| model.name.starts_with(&format!("{module}::models::")))
        };
        let catcher = self.models.iter().find(|model| match &mutant.verdict {
            Verdict::Caught(by) | Verdict::Stale(by) => model.name == *by,
            _ => false,
        });
        let found = catcher.or_else(|| self.models.iter().find(is_beside));
        found.map_or_else(|| "elsewhere".to_owned(), |model| self.protocol(model))
    }

    /// What stands under each collector.
    fn collectors(
        &self,
        models: &[Explored],
        faults: &[(Option<String>, matrix::Fault)],
    ) -> Vec<matrix::Standing> {
        let standing = |collector: &str| {
            let mine: Vec<&Explored> = models
                .iter()
                .filter(|model| self.standing.concerns(collector, &model.model))
                .collect();
            let mut protocols: Vec<String> =
                mine.iter().map(|model| model.protocol.clone()).collect();
            protocols.sort();
            protocols.dedup();
            let mut verdicts = Verdicts::default();
            let stands = |module: &String| self.standing.includes(collector, module);
            let under = faults.iter().filter(|(module, _)| module.as_ref().is_some_and(stands));
            under.for_each(|(_, fault)| verdicts.count(fault));
            matrix::Standing {
                collector: collector.to_owned(),
                protocols,
                models: mine.len(),
                permutations: mine.iter().map(|model| model.permutations).sum(),
                verdicts,
            }
        };
        self.standing.collectors().map(standing).collect()
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

/// The table's lines, by protocol.
fn protocols(models: &[Explored], faults: &[(Option<String>, matrix::Fault)]) -> Vec<Protocol> {
    let mut lines: BTreeMap<&str, (Vec<&Explored>, Verdicts)> = BTreeMap::new();
    for model in models {
        lines.entry(&model.protocol).or_default().0.push(model);
    }
    for (_, fault) in faults {
        lines.entry(&fault.protocol).or_default().1.count(fault);
    }
    let line = |(protocol, (models, verdicts)): (&str, (Vec<&Explored>, Verdicts))| {
        let mut ways: BTreeMap<&str, usize> = BTreeMap::new();
        for model in &models {
            *ways.entry(&model.explored).or_default() += 1;
        }
        let ways: Vec<String> = ways.iter().map(|(way, count)| format!("{count} {way}")).collect();
        Protocol {
            protocol: protocol.to_owned(),
            models: models.len(),
            threads: models.iter().map(|model| model.threads).max().unwrap_or(0),
            permutations: models.iter().map(|model| model.permutations).sum(),
            explored: ways.join(", "),
            verdicts,
            seconds: models.iter().map(|model| model.seconds).sum(),
        }
    };
    lines.into_iter().map(line).collect()
}

/// How far a model was explored, in a word.
fn explored(record: &Record) -> String {
    match (record.outcome, record.bound) {
        (Outcome::Bounded, Some(bound)) => format!("bounded({bound})"),
        (outcome, _) => format!("{outcome:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{model::Site, orderings::Weakening};

    fn sources() -> Sources {
        let workspace = crate::check::program::Workspace::find(None).unwrap();
        Sources::read(workspace.path()).unwrap()
    }

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
            is_whole: true,
            models: vec![model],
            faults: vec![mutant],
            idle: Vec::new(),
            standing: Standing::default(),
            seconds: 0.2,
        }
    }

    #[test]
    fn a_weakening_that_is_caught_is_counted_for_the_protocol_beside_it() {
        let findings = findings(Verdict::Caught("elsewhere::models::another".to_owned()));
        assert!(findings.failures().is_empty());
        let text = findings.matrix(&sources()).text();
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
        assert!(!findings.matrix(&sources()).passed);
    }
}
