//! Figures of the page: a table of every configuration, each figure with its exact value at hand.

use crate::{
    charts::{colour_code, escape},
    results::{
        BASELINE, Cell, Group, Range, Results,
        bootstrap::Interval,
        front::{self, Front, Standing},
        round,
    },
    table::Times,
    units,
};
use std::fmt::Write;

/// Columns of pauses and memory, without the collector's.
const PAUSES: usize = 12;

/// Columns of times, likewise.
const TIMES: usize = 10;

/// Adds every figure of every configuration: pauses and memory first, then where the time went.
pub(super) fn push(page: &mut String, results: &Results<'_>) {
    let floor = units::round_duration(results.floor_ns().unwrap_or(0));
    page.push_str(&format!(
        "<section><h2>Figures</h2>\n<h3>Pauses and memory</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th>Collector</th>\
         <th title=\"of all runs, on the wall; in brackets the shortest among the longest of each run\">Longest pause</th>\
         <th title=\"CPU time of the pause that used most\">on the CPU</th>\
         <th title=\"of all pauses of {floor} or more; only where at least 1,000 carry it\">p99</th>\
         <th title=\"pauses of {floor} or more in the median run\">Pauses a run</th>\
         <th>Leaked</th><th title=\"dead and not yet freed, on average over the run; known where a run was audited\">Floating</th>\
         <th title=\"dead and not yet freed, at most\">at most</th><th title=\"when the workload had ended, before the final collections\">Held at end</th>\
         <th>Peak held</th><th title=\"held from the system for blocks, at most\">Blocks</th>\
         <th title=\"as side tables, when the workload had ended\">Tables</th>\
         <th title=\"{}\">Front</th></tr></thead>\n",
        escape(front::MEANING)
    ));
    for group in &results.groups {
        let front = Front::of(group);
        push_head(page, group, PAUSES);
        for (place, cell) in group.cells.iter().enumerate() {
            push_name(page, cell);
            push_pauses(page, cell);
            push_memory(page, cell);
            let standing = front.as_ref().map(|front| &front.standings[place]);
            push_standing(page, group, standing);
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody>\n");
    }
    page.push_str(&format!(
        "</table></div>\n<h3>Where the time went</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th>Collector</th>\
         <th title=\"throughput by the wall clock over that of {BASELINE}, as the ratio of mean times; in brackets what holds in 95 of 100 cases\">Speed / {BASELINE}</th>\
         <th title=\"CPU time of all threads for each operation over that of {BASELINE}, likewise: what is done on a core that is otherwise idle is in it\">CPU / {BASELINE}</th>\
         <th title=\"of the median run\">Time on the wall</th>\
         <th title=\"of all threads, in the program and in the system, in the median run\">CPU time</th>\
         <th title=\"the share of the CPU time that threads of the collector's own used\">on its threads</th>\
         <th title=\"in all clocked pauses of the median run, shorter ones included, over all threads\">Paused a run</th>\
         <th title=\"CPU time in the same\">on the CPU</th>\
         <th title=\"how often all mutators were stopped, in the median run\">Stops a run</th>\
         <th title=\"from the requests to stop until the last mutator had stopped, together\">to stop, a run</th>\
         <th title=\"the same of the slowest stop of all runs; in brackets the fastest of the slowest\">slowest stop</th></tr></thead>\n"
    ));
    for group in &results.groups {
        push_head(page, group, TIMES);
        for cell in &group.cells {
            push_name(page, cell);
            push_times(page, cell);
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody>\n");
    }
    page.push_str("</table></div>\n<p class=\"note\">Exact figures are shown when the pointer rests on one; all are in <a href=\"runs.jsonl\">runs.jsonl</a>.</p></section>\n");
}

fn push_head(page: &mut String, group: &Group<'_>, columns: usize) {
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
        "<tbody><tr class=\"group\"><th colspan=\"{}\">{} <span>{}</span></th></tr>",
        columns + 1,
        escape(&group.label),
        escape(&parameters.join(", "))
    );
}

fn push_name(page: &mut String, cell: &Cell<'_>) {
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
}

fn push_pauses(page: &mut String, cell: &Cell<'_>) {
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
    } else {
        (0..4).for_each(|_| push_figure(page, "–", "", ""));
    }
}

fn push_memory(page: &mut String, cell: &Cell<'_>) {
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
        let held = [memory.held_at_end, memory.peak_held, memory.blocks, memory.side_tables];
        for range in floating.into_iter().chain(held.map(Some)) {
            let told = range.map(|range| units::bytes(round(range.high)));
            let title = range.map(|range| exact(range, "B")).unwrap_or_default();
            push_figure(page, told.as_deref().unwrap_or("–"), &title, "");
        }
    } else {
        (0..7).for_each(|_| push_figure(page, "–", "", ""));
    }
}

fn push_standing(page: &mut String, group: &Group<'_>, standing: Option<&Standing>) {
    let told = standing.map(|standing| standing.told(group)).unwrap_or_default();
    match standing {
        Some(Standing::Front(_)) => push_figure(page, "front", &told, "leaks"),
        Some(Standing::Dominated(..)) => push_figure(page, "behind", &told, ""),
        _ => push_figure(page, "–", &told, ""),
    }
}

fn push_times(page: &mut String, cell: &Cell<'_>) {
    let times = Times::of(cell, "–");
    for (interval, told) in [(cell.speed, &times.speed), (cell.cpu, &times.cpu_ratio)] {
        let bounds = interval.and_then(|Interval { estimate, bounds }| {
            bounds.map(|(low, high)| units::ratio_range(low, estimate, high))
        });
        push_figure(page, bounds.as_ref().unwrap_or(told), "", "");
    }
    let (pauses, stops) = (cell.pauses.as_ref(), cell.stops.as_ref());
    let share = pauses
        .zip(cell.wall_ns)
        .map(|(pauses, wall)| format!(" ({})", units::percent(pauses.all_ns.median / wall.median)));
    let paused = times.paused.clone() + &share.unwrap_or_default();
    let slowest = stops.map(|stops| with_least(stops.longest_ns)).unwrap_or(times.slowest);
    let ns = |range: Option<Range>| range.map(|range| exact(range, "ns")).unwrap_or_default();
    let count = stops.map(|stops| exact(stops.count, "stops")).unwrap_or_default();
    for (told, title) in [
        (&times.wall, ns(cell.wall_ns)),
        (&times.cpu, ns(cell.cpu_ns)),
        (&times.on_threads, ns(cell.collector_cpu_ns)),
        (&paused, ns(pauses.map(|pauses| pauses.all_ns))),
        (&times.paused_cpu, ns(pauses.and_then(|pauses| pauses.all_cpu_ns))),
        (&times.stops, count),
        (&times.to_stop, ns(stops.map(|stops| stops.total_ns))),
        (&slowest, ns(stops.map(|stops| stops.longest_ns))),
    ] {
        push_figure(page, told, &title, "");
    }
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
