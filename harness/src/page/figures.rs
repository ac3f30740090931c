//! Figures of the page: a table of every configuration, each figure with its exact value at hand.

use crate::{
    charts::{colour_code, escape},
    results::{BASELINE, Cell, Group, Range, Results, round},
    units,
};
use std::fmt::Write;

/// Adds every figure of every configuration.
pub(super) fn push(page: &mut String, results: &Results<'_>) {
    let floor = units::round_duration(results.floor_ns().unwrap_or(0));
    page.push_str(&format!(
        "<section><h2>Figures</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Collector</th>\
         <th title=\"of all runs, on the wall; in brackets the shortest among the longest of each run\">Longest pause</th>\
         <th title=\"CPU time of the pause that used most\">on the CPU</th>\
         <th title=\"of all pauses of {floor} or more; only where at least 1,000 carry it\">p99</th>\
         <th title=\"pauses of {floor} or more in the median run\">Pauses a run</th>\
         <th title=\"in all clocked pauses of the median run, shorter ones included, over all threads\">Paused a run</th>\
         <th>Leaked</th><th title=\"dead and not yet freed, on average over the run; known where a run was audited\">Floating</th>\
         <th title=\"dead and not yet freed, at most\">at most</th><th title=\"when the workload had ended, before the final collections\">Held at end</th>\
         <th>Peak held</th><th title=\"held from the system for blocks, at most\">Blocks</th>\
         <th title=\"throughput over that of {BASELINE}, as the ratio of mean times; in brackets what holds in 95 of 100 cases\">Speed / {BASELINE}</th>\
         <th title=\"of all threads, median run\">CPU time</th></tr></thead>\n"
    ));
    for group in &results.groups {
        push_group(page, group);
    }
    page.push_str("</table></div>\n<p class=\"note\">Exact figures are shown when the pointer rests on one; all are in <a href=\"runs.jsonl\">runs.jsonl</a>.</p></section>\n");
}

fn push_group(page: &mut String, group: &Group<'_>) {
    let threads = units::counted(group.threads as u64, "thread", "threads");
    let parameters = group
        .parameters
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name} = {}", value.to_string().trim_matches('"')));
    let parameters: Vec<String> = std::iter::once(threads).chain(parameters).collect();
    let _ = writeln!(
        page,
        "<tbody><tr class=\"group\"><th colspan=\"14\">{} <span>{}</span></th></tr>",
        escape(&group.label),
        escape(&parameters.join(", "))
    );
    for cell in &group.cells {
        push_cell(page, cell);
    }
    page.push_str("</tbody>\n");
}

fn push_cell(page: &mut String, cell: &Cell<'_>) {
    let failures = cell.failures();
    let failures = if failures.is_empty() {
        String::new()
    } else {
        format!(" <strong class=\"alarm\">{}</strong>", escape(&failures))
    };
    let _ = write!(
        page,
        "<tr><th><span><i style=\"background:{}\"></i>{}</span>{failures}</th>",
        colour_code(cell.collector),
        escape(&cell.label)
    );
    if let Some(pauses) = &cell.pauses {
        let longest = pauses.longest_ns;
        if pauses.histogram.count() > 0 {
            push_figure(page, &with_least(longest), &exact(longest, "ns"), "");
            push_figure(
                page,
                &units::duration(pauses.max_cpu_ns),
                &format!("{} ns", units::count(pauses.max_cpu_ns)),
                "",
            );
        } else {
            push_figure(
                page,
                "none",
                &format!("{} shorter pauses", units::count(pauses.shorter + pauses.unclocked)),
                "",
            );
            push_figure(page, "", "", "");
        }
        let p99 = pauses.percentile(0.99).map_or_else(|| "–".to_owned(), units::duration);
        push_figure(page, &p99, "", "");
        push_figure(
            page,
            &units::count(round(pauses.count.median)),
            &exact(pauses.count, "pauses"),
            "",
        );
        let share = cell
            .wall_ns
            .map(|wall| format!(" ({})", units::percent(pauses.all_ns.median / wall.median)))
            .unwrap_or_default();
        push_figure(
            page,
            &(units::duration(round(pauses.all_ns.median)) + &share),
            &exact(pauses.all_ns, "ns"),
            "",
        );
    } else {
        (0..5).for_each(|_| push_figure(page, "–", "", ""));
    }
    if let Some(memory) = &cell.memory {
        let class = match (memory.is_as_promised, memory.leaked.high > 0.0) {
            (false, _) => "alarm",
            (true, true) => "leaks",
            (true, false) => "",
        };
        let expected = format!(
            "{}; the collector's capabilities allow {} B",
            exact(memory.leaked, "B"),
            units::count(memory.expected)
        );
        push_figure(page, &units::bytes(round(memory.leaked.high)), &expected, class);
        let floating = [memory.floating_mean, memory.floating_peak];
        let held = [memory.held_at_end, memory.peak_held, memory.blocks].map(Some);
        for range in floating.into_iter().chain(held) {
            let told = range.map(|range| units::bytes(round(range.high)));
            let title = range.map(|range| exact(range, "B")).unwrap_or_default();
            push_figure(page, told.as_deref().unwrap_or("–"), &title, "");
        }
    } else {
        (0..6).for_each(|_| push_figure(page, "–", "", ""));
    }
    let speed = cell.speed.map_or_else(
        || "–".to_owned(),
        |speed| match speed.bounds {
            Some((low, high)) => units::ratio_range(low, speed.estimate, high),
            None => units::ratio(speed.estimate),
        },
    );
    push_figure(page, &speed, "", "");
    let cpu = cell.cpu_ns.map_or_else(|| "–".to_owned(), |cpu| units::duration(round(cpu.median)));
    push_figure(page, &cpu, &cell.cpu_ns.map(|cpu| exact(cpu, "ns")).unwrap_or_default(), "");
    page.push_str("</tr>\n");
}

fn push_figure(page: &mut String, text: &str, title: &str, class: &str) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let title =
        if title.is_empty() { String::new() } else { format!(" title=\"{}\"", escape(title)) };
    let _ = write!(page, "<td{class}{title}>{}</td>", escape(text));
}

/// The longest of all runs, and that of the run in which it was shortest.
fn with_least(range: Range) -> String {
    let (high, low) = (units::duration(round(range.high)), units::duration(round(range.low)));
    if high == low { high } else { format!("{high} ({low})") }
}

fn exact(range: Range, unit: &str) -> String {
    let [low, median, high] =
        [range.low, range.median, range.high].map(|value| units::count(round(value)));
    if low == high {
        format!("{low} {unit} in every run")
    } else {
        format!("{low} to {high} {unit}, median {median}")
    }
}
