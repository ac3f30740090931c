//! The verb `list`: which collectors and workloads there are, and what can be set.

use crate::{cli::Exit, table::Table};
use clap::Args;
use collectors::{Collector, WithCollector, with_collector};
use serde_json::{Value, json};
use std::io::Write;
use workloads::{WithWorkload, Workload, with_workload};

/// Columns that a terminal may be taken to have when it is somewhat wider than the least.
const WIDEST_TABLE: usize = 140;

/// Show collectors with their capabilities, settings and papers, and workloads with their parameters
#[derive(Debug, Args)]
pub struct List {
    /// Write JSON for programs instead of tables for people
    #[arg(long)]
    json: bool,
}

impl List {
    /// Writes the list to standard output.
    ///
    /// # Errors
    ///
    /// If standard output refuses it.
    pub fn run(self) -> anyhow::Result<Exit> {
        let all = all();
        let text = if self.json { serde_json::to_string_pretty(&all)? + "\n" } else { text(&all) };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(Exit::Success)
    }
}

fn all() -> Value {
    let collectors: Vec<_> = collectors::NAMES
        .iter()
        .filter_map(|name| with_collector(name, DescribeCollector))
        .collect();
    let workloads: Vec<_> =
        workloads::NAMES.iter().filter_map(|name| with_workload(name, DescribeWorkload)).collect();
    json!({ "collectors": collectors, "workloads": workloads })
}

struct DescribeCollector;

impl WithCollector for DescribeCollector {
    type Output = Value;

    fn run<C: Collector>(self) -> Value {
        json!({
            "name": C::NAME,
            "summary": C::SUMMARY,
            "paper": C::PAPER,
            "capabilities": C::CAPABILITIES,
            "settings": C::SETTINGS,
            "defaults": C::Settings::default(),
        })
    }
}

struct DescribeWorkload;

impl WithWorkload for DescribeWorkload {
    type Output = Value;

    fn run<W: Workload>(self) -> Value {
        json!({
            "name": W::NAME,
            "summary": W::SUMMARY,
            "parameters": W::PARAMETERS,
            "defaults": W::Parameters::default(),
        })
    }
}

fn text(all: &Value) -> String {
    let mut text = String::from("COLLECTORS\n\n");
    for collector in array(&all["collectors"]) {
        heading(&mut text, collector);
        let capabilities = collector["capabilities"].as_object().into_iter().flatten();
        let capabilities: Vec<String> =
            capabilities.map(|(name, value)| format!("{name} = {}", plain(value))).collect();
        text.push_str(&format!(
            "  after         {}\n  capabilities  {}\n",
            plain(&collector["paper"]),
            capabilities.join(", ")
        ));
        values(&mut text, "setting", &collector["settings"]);
    }
    text.push_str("WORKLOADS\n\n");
    for workload in array(&all["workloads"]) {
        heading(&mut text, workload);
        values(&mut text, "parameter", &workload["parameters"]);
    }
    text
}

fn heading(text: &mut String, described: &Value) {
    text.push_str(&format!("{}\n  {}\n", plain(&described["name"]), plain(&described["summary"])));
}

/// A table where it fits, and a paragraph for each value where it does not.
fn values(text: &mut String, kind: &str, described: &Value) {
    let described = array(described);
    let mut table = Table::new(&[kind, "default", "unit", "range", "meaning"]);
    for value in described {
        table.row(["name", "default", "unit", "range", "meaning"].map(|key| plain(&value[key])));
    }
    let table = table.render();
    let is_wide = table.lines().any(|line| line.chars().count() > WIDEST_TABLE);
    if described.is_empty() {
        text.push('\n');
    } else if is_wide {
        for value in described {
            text.push_str(&format!("\n  {kind} {}\n", plain(&value["name"])));
            for key in ["meaning", "default", "range", "unit"] {
                text.push_str(&format!("    {key:<8} {}\n", plain(&value[key])));
            }
        }
        text.push('\n');
    } else {
        let lines: Vec<String> = table.lines().map(|line| format!("  {line}\n")).collect();
        text.push_str(&format!("\n{}\n", lines.concat()));
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_exists_is_listed_with_what_can_be_set() {
        let all = all();
        let text = text(&all);
        for (kind, names) in [("collectors", collectors::NAMES), ("workloads", workloads::NAMES)] {
            let listed: Vec<&str> =
                array(&all[kind]).iter().filter_map(|value| value["name"].as_str()).collect();
            assert_eq!(listed, names);
            assert!(names.iter().all(|name| text.contains(&format!("\n{name}\n  "))), "{text}");
        }
    }

    #[test]
    fn whatever_has_a_default_is_described() {
        let all = all();
        for (described, list) in [("collectors", "settings"), ("workloads", "parameters")] {
            for value in array(&all[described]) {
                let named: Vec<&str> =
                    array(&value[list]).iter().filter_map(|value| value["name"].as_str()).collect();
                for key in value["defaults"].as_object().unwrap().keys() {
                    assert!(
                        named.contains(&key.as_str()),
                        "`{key}` of {} is not described",
                        value["name"]
                    );
                }
            }
        }
    }
}
