//! Cautions: what makes these results less certain than they look.

use super::{Results, bootstrap::FEWEST, round, to_f64};
use crate::units;

/// Fewer collections in a run do not show how a trigger behaves once it has settled.
const COLLECTIONS: u64 = 30;

/// Sentences to be read before the figures; none if there is nothing to warn of.
pub fn of(results: &Results<'_>) -> Vec<String> {
    let first = &results.records[0];
    let environment = &first.environment;
    let mut cautions = Vec::new();
    if results.records.len() < first.order.runs {
        cautions.push(format!(
            "Only {} of {} runs are in the records: the experiment was not finished.",
            units::count(results.records.len() as u64),
            units::count(first.order.runs as u64)
        ));
    }
    if environment.build != "release" {
        cautions.push("The program was a debug build: its times say nothing.".to_owned());
    }
    if environment.commit.ends_with("and changes") {
        cautions.push("The sources differed from the commit that is named.".to_owned());
    }
    if results.records.iter().any(|run| run.environment.commit != environment.commit) {
        cautions.push("Not all runs are of the same commit.".to_owned());
    }
    if results.records.iter().any(|run| {
        (&run.environment.cpu, &run.environment.kernel) != (&environment.cpu, &environment.kernel)
    }) {
        cautions.push("Not all runs are of the same machine.".to_owned());
    }
    let invocations = results.invocations() as usize;
    if invocations < FEWEST {
        cautions.push(format!(
            "{} of each configuration: too few for an interval, so nothing is said of how sure these figures are.",
            units::counted(invocations as u64, "invocation", "invocations")
        ));
    } else if invocations < 10 {
        cautions.push(format!(
            "Intervals of {invocations} invocations are somewhat too narrow: ten or more would carry them."
        ));
    }
    let busy = environment.load.filter(|load| *load > 0.5 * environment.cores as f64);
    if let Some(load) = busy {
        cautions.push(format!(
            "The machine was busy before the first run: a load of {load:.2} on {}.",
            units::counted(environment.cores as u64, "core", "cores")
        ));
    }
    cautions.extend(hiccups(results));
    cautions.extend(few_collections(results));
    cautions
}

fn hiccups(results: &Results<'_>) -> Option<String> {
    let worst = results.hiccup_ns()?;
    let cells = results.groups.iter().flat_map(|group| &group.cells);
    let longest =
        cells.filter_map(|cell| cell.pauses.as_ref()).map(|merged| merged.longest_ns.high);
    let longest = longest.fold(0.0, f64::max);
    (longest > 0.0 && to_f64(worst) > longest / 2.0).then(|| {
        format!(
            "The machine itself stopped a thread for up to {}; the longest pause of all is {}. Pauses of that size may be the machine's.",
            units::duration(worst),
            units::duration(round(longest))
        )
    })
}

fn few_collections(results: &Results<'_>) -> Option<String> {
    let mut few = Vec::new();
    for group in &results.groups {
        for cell in &group.cells {
            let collections = cell.median_run().and_then(|run| run.collections.as_ref());
            let Some(collections) = collections.filter(|all| !all.is_empty()) else { continue };
            let number: u64 = collections.iter().map(|generation| generation.count).sum();
            if (1..COLLECTIONS).contains(&number) {
                few.push(format!("{} on {} ({number})", cell.label, group.label));
            }
        }
    }
    let shown = few.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
    let more = few.len().saturating_sub(6);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!few.is_empty()).then(|| {
        format!("Fewer than {COLLECTIONS} collections in a run, too few to show how a trigger settles: {shown}{more}.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::records;

    #[test]
    fn few_invocations_and_a_busy_machine_are_warned_of() {
        let mut records = records();
        records.retain(|run| run.invocation == 1);
        records[0].environment.load = Some(1.5);
        let told = of(&Results::of(&records).unwrap()).join(" ");
        assert!(told.contains("too few for an interval"), "{told}");
        assert!(told.contains("a load of 1.50 on 2 cores"), "{told}");
        assert!(told.contains("Only 6 of 18 runs"), "{told}");
    }

    #[test]
    fn a_machine_that_stops_threads_as_long_as_the_collectors_is_warned_of() {
        let mut records = records();
        assert!(!of(&Results::of(&records).unwrap()).join(" ").contains("machine itself"));
        records[0].hiccup_max_ns = Some(1_000_000_000);
        assert!(of(&Results::of(&records).unwrap()).join(" ").contains("machine itself"));
    }
}
