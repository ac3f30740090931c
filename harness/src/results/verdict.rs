//! Verdict: what the results say, in sentences that they can carry.

use super::{Cell, Group, Merged, Results};
use crate::units;

/// More collectors than this are not named in one sentence.
const SHOWN: usize = 5;

/// What can be said of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether every run ended well and leaked what its collector promises, to the byte.
    pub is_sound: bool,
    /// Of runs that failed and of what was left behind.
    pub findings: Vec<String>,
    /// For each workload: its label, and who of those that leave nothing behind stops it for the shortest time.
    pub shortest: Vec<(String, String)>,
}

/// Says what the results say.
pub fn of(results: &Results<'_>) -> Verdict {
    let failed = failures(results);
    let broken = broken_promises(results);
    let is_sound = failed.is_empty() && broken.is_empty();
    let mut findings = vec![match failed.len() {
        0 => format!(
            "All {} ended well and read back the expected checksum.",
            units::counted(results.records.len() as u64, "run", "runs")
        ),
        _ => format!("Not every run ended well: {}.", failed.join("; ")),
    }];
    findings.push(if broken.is_empty() {
        "Every run left behind exactly what its collector's capabilities allow, to the byte: everything where nothing is ever freed, \
         what counting alone cannot free where only counts are kept, and nothing elsewhere."
            .to_owned()
    } else {
        format!("Some left behind other than what their capabilities allow: {}.", broken.join("; "))
    });
    Verdict { is_sound, findings, shortest: results.groups.iter().map(shortest).collect() }
}

fn failures(results: &Results<'_>) -> Vec<String> {
    let cells =
        results.groups.iter().flat_map(|group| group.cells.iter().map(move |cell| (group, cell)));
    let failed = cells.filter(|(_, cell)| !cell.failures().is_empty());
    failed
        .map(|(group, cell)| format!("{} on {}: {}", cell.label, group.label, cell.failures()))
        .collect()
}

fn broken_promises(results: &Results<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for group in &results.groups {
        for cell in &group.cells {
            let Some(memory) = cell.memory.as_ref().filter(|memory| !memory.is_as_promised) else {
                continue;
            };
            let leaked = units::bytes(super::round(memory.leaked.high));
            broken.push(format!(
                "{} on {} leaked {leaked}, expected {}",
                cell.label,
                group.label,
                units::bytes(memory.expected)
            ));
        }
    }
    broken
}

/// The workload, and who of those that leave nothing behind has the shortest longest pause, if the runs can tell.
fn shortest(group: &Group<'_>) -> (String, String) {
    let leaks_nothing = |cell: &&Cell<'_>| {
        cell.failures().is_empty()
            && cell.memory.as_ref().is_some_and(|memory| memory.leaked.high == 0.0)
    };
    let mut fit: Vec<_> = group
        .cells
        .iter()
        .filter(leaks_nothing)
        .filter_map(|cell| Some((cell, cell.pauses.as_ref()?)))
        .collect();
    fit.sort_by(|(_, left), (_, right)| left.longest_ns.median.total_cmp(&right.longest_ns.median));
    let Some(((best, pauses), others)) = fit.split_first() else {
        return (group.label.clone(), "no collector left nothing behind".to_owned());
    };
    let tied = others.iter().filter(|(_, other)| other.longest_ns.overlaps(&pauses.longest_ns));
    let tied: Vec<&str> = tied.map(|(cell, _)| cell.label.as_str()).collect();
    let what = if others.is_empty() {
        "only one left nothing behind".to_owned()
    } else if tied.is_empty() {
        format!("shortest under {}", best.label)
    } else if tied.len() >= SHOWN {
        let others = tied.len();
        format!("{} and {others} others cannot be told apart by these runs", best.label)
    } else {
        let (last, others) =
            tied.split_last().map_or(("", tied.as_slice()), |(last, others)| (*last, others));
        let first: Vec<&str> =
            std::iter::once(best.label.as_str()).chain(others.iter().copied()).collect();
        format!("{} and {last} cannot be told apart by these runs", first.join(", "))
    };
    let each: Vec<String> =
        fit.iter().take(SHOWN).map(|(cell, pauses)| costs(cell, pauses)).collect();
    let more = fit.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    (group.label.clone(), format!("{what}: {}{more}", each.join(", ")))
}

/// The longest pause of a collector, never without what it held meanwhile.
fn costs(cell: &Cell<'_>, pauses: &Merged) -> String {
    let longest = if pauses.longest_ns.high == 0.0 {
        format!("none of {}", units::round_duration(pauses.floor_ns))
    } else {
        units::duration(super::round(pauses.longest_ns.median))
    };
    let held =
        cell.memory.as_ref().map(|memory| units::bytes(super::round(memory.peak_held.median)));
    format!("{} {longest} (held {})", cell.label, held.unwrap_or_default())
}
