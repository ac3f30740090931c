//! Page: the report, one HTML file that needs nothing else.
//!
//! Verdict and table come first, then the charts, then how it was measured.

mod style;

use crate::{
    charts::{Chart, colour_code, escape},
    record::{Record, Status},
    results::{
        BASELINE, Cell, Group, Range, Results, round,
        verdict::{self, Verdict},
    },
    units,
};
use std::fmt::Write;

/// The page as HTML.
pub fn render(results: &Results<'_>, charts: &[Chart]) -> String {
    let first = &results.records[0];
    let name = escape(&first.experiment.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Cyclotron: {name}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
        style::SHEET
    );
    page.push_str(&format!("<header><p class=\"eyebrow\">Cyclotron, experiment {name}</p>\n<h1>Pauses beside leaked bytes</h1>\n"));
    page.push_str(&format!(
        "<p class=\"question\">{}</p></header>\n",
        escape(&first.experiment.question)
    ));
    push_verdict(&mut page, &verdict::of(results));
    push_table(&mut page, results);
    page.push_str("<section><h2>Charts</h2>\n");
    for chart in charts {
        // The drawing library's markup holds nothing of the user's but text, which it escapes.
        page.push_str(&format!(
            "<figure id=\"{}\">\n{}\n</figure>\n",
            escape(&chart.name),
            chart.svg
        ));
    }
    page.push_str("</section>\n");
    push_method(&mut page, results);
    push_failures(&mut page, results);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn push_verdict(page: &mut String, verdict: &Verdict) {
    let class = if verdict.is_sound { "sound" } else { "unsound" };
    page.push_str(&format!("<section class=\"verdict {class}\"><h2>Verdict</h2>\n"));
    for finding in &verdict.findings {
        page.push_str(&format!("<p>{}</p>\n", escape(finding)));
    }
    page.push_str(
        "<p>Longest pause in the median run, among the collectors that left nothing behind, \
         and the bytes of objects held at most meanwhile:</p>\n<ul>\n",
    );
    for (workload, told) in &verdict.shortest {
        page.push_str(&format!("<li><b>{}</b>: {}</li>\n", escape(workload), escape(told)));
    }
    page.push_str("</ul></section>\n");
}

fn push_table(page: &mut String, results: &Results<'_>) {
    let floor = units::round_duration(results.floor_ns().unwrap_or(0));
    page.push_str(&format!(
        "<section><h2>Figures</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Collector</th>\
         <th title=\"of all runs, on the wall; in brackets the shortest among the longest of each run\">Longest pause</th>\
         <th title=\"CPU time of the pause that used most\">on the CPU</th>\
         <th title=\"of all pauses of {floor} or more; only where at least 1,000 carry it\">p99</th>\
         <th title=\"pauses of {floor} or more in the median run\">Pauses a run</th>\
         <th title=\"in all clocked pauses of the median run, shorter ones included, over all threads\">Paused a run</th>\
         <th>Leaked</th><th title=\"when the workload had ended, before the final collections\">Held at end</th>\
         <th>Peak held</th><th title=\"held from the system for blocks, at most\">Blocks</th>\
         <th title=\"operations a second over those of {BASELINE} in the same invocation: median, least and most\">Speed / {BASELINE}</th>\
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
        "<tbody><tr class=\"group\"><th colspan=\"12\">{} <span>{}</span></th></tr>",
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
        for range in [memory.held_at_end, memory.peak_held, memory.blocks] {
            push_figure(page, &units::bytes(round(range.high)), &exact(range, "B"), "");
        }
    } else {
        (0..4).for_each(|_| push_figure(page, "–", "", ""));
    }
    let speed = cell.relative.map_or_else(
        || "–".to_owned(),
        |range| units::ratio_range(range.low, range.median, range.high),
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

fn push_method(page: &mut String, results: &Results<'_>) {
    let first = &results.records[0];
    let environment = &first.environment;
    let hiccup = results.hiccup_ns().map_or_else(|| "not measured".to_owned(), units::duration);
    let load = environment.load.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}"));
    let rows = [
        ("Command", format!("<code>{}</code>", escape(&first.experiment.command))),
        (
            "Runs",
            format!(
                "{} of {}; {} of each configuration, each in a process of its own",
                units::count(results.records.len() as u64),
                units::count(first.order.runs as u64),
                units::counted(u64::from(results.invocations()), "invocation", "invocations")
            ),
        ),
        (
            "Order",
            format!(
                "invocations outside, configurations inside, each round shuffled from seed {}",
                first.order.seed
            ),
        ),
        (
            "Seed of the workloads",
            format!(
                "{}, the same in every invocation: what differs between invocations is the machine",
                first.seed
            ),
        ),
        (
            "Machine",
            escape(&format!(
                "{}, {}, {}",
                environment.cpu,
                units::counted(environment.cores as u64, "core", "cores"),
                environment.kernel
            )),
        ),
        ("Load before the first run", load),
        (
            "The machine's own hiccup",
            format!(
                "at worst {hiccup}: by how much a thread that sleeps 1 ms at a time overslept. It does not spin, because that would take a core from the program under test; pauses that are not longer may be the machine's"
            ),
        ),
        (
            "Built from",
            escape(&format!(
                "commit {} with {} ({} build)",
                environment.commit, environment.compiler, environment.build
            )),
        ),
        ("Begun", escape(&environment.started)),
    ];
    page.push_str("<section><h2>How it was measured</h2>\n<dl>\n");
    for (term, text) in rows {
        let _ = writeln!(page, "<dt>{term}</dt><dd>{text}</dd>");
    }
    page.push_str("</dl>\n");
    page.push_str(style::DEFINITIONS);
    page.push_str("<p>Records: <a href=\"runs.jsonl\">runs.jsonl</a>. The experiment as it was run: <a href=\"experiment.toml\">experiment.toml</a>. Pauses one by one: <a href=\"pauses/\">pauses/</a>. <code>cyclotron report DIR</code> makes this page anew from the records alone.</p>\n</section>\n");
}

fn push_failures(page: &mut String, results: &Results<'_>) {
    let failed: Vec<&Record> =
        results.records.iter().filter(|run| run.status != Status::Ok).collect();
    if failed.is_empty() {
        return;
    }
    page.push_str("<section><h2>Runs that did not end well</h2>\n<ul>\n");
    for run in failed {
        let message = escape(run.message.as_deref().unwrap_or_default());
        let _ = writeln!(
            page,
            "<li>Run {}, {} on {}, invocation {}: <strong class=\"alarm\">{}</strong>: {message}</li>",
            run.order.position,
            escape(&run.collector),
            escape(&run.workload),
            run.invocation,
            run.status.name()
        );
    }
    page.push_str("</ul></section>\n");
}

#[cfg(test)]
mod tests;
