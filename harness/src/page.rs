//! Page: the report, one HTML file that needs nothing else, not even a script.
//!
//! The verdict comes first, then everything at a glance, then the charts, the figures, and how it was measured.

mod checks;
mod figures;
mod method;
mod style;

use crate::{
    charts::{Chart, Section, escape},
    check::matrix::Matrix,
    results::{
        Results, cautions,
        verdict::{self, Verdict},
    },
};

/// With more workloads than this only the first one's charts are unfolded.
const UNFOLDED: usize = 6;

/// The page as HTML, with what the model checker found if that is at hand.
pub fn render(results: &Results<'_>, charts: &[Chart], check: Option<&Matrix>) -> String {
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
        "<p class=\"question\">{}</p>\n{}</header>\n",
        escape(&first.experiment.question),
        style::FILES
    ));
    push_verdict(&mut page, &verdict::of(results));
    push_cautions(&mut page, &cautions::of(results));
    push_section(&mut page, charts, Section::Overview, "glance", "At a glance");
    push_section(
        &mut page,
        charts,
        Section::Front,
        "front",
        "Pause, garbage and CPU time together",
    );
    push_section(
        &mut page,
        charts,
        Section::Garbage,
        "left-behind",
        "Pauses and what was left behind",
    );
    push_section(&mut page, charts, Section::Throughput, "speed", "What it costs in speed");
    push_section(&mut page, charts, Section::Sweep, "settings", "What settings trade");
    push_section(&mut page, charts, Section::Scaling, "growth", "What grows with what");
    push_workloads(&mut page, results, charts);
    figures::push(&mut page, results);
    let mut collectors: Vec<&str> =
        results.records.iter().map(|record| record.collector.as_str()).collect();
    collectors.sort_unstable();
    collectors.dedup();
    checks::push(&mut page, check, &collectors);
    method::push(&mut page, results);
    method::push_failures(&mut page, results);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn push_verdict(page: &mut String, verdict: &Verdict) {
    let class = if verdict.is_sound { "sound" } else { "unsound" };
    page.push_str(&format!("<section id=\"verdict\" class=\"verdict {class}\"><h2>Verdict</h2>\n"));
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

fn push_cautions(page: &mut String, cautions: &[String]) {
    if cautions.is_empty() {
        return;
    }
    page.push_str("<section id=\"cautions\" class=\"cautions\"><h2>Read with care</h2>\n<ul>\n");
    for caution in cautions {
        page.push_str(&format!("<li>{}</li>\n", escape(caution)));
    }
    page.push_str("</ul></section>\n");
}

/// The charts of a section; a single one as it is, several side by side or, if they are wide, folded up.
fn push_section(page: &mut String, charts: &[Chart], section: Section, id: &str, title: &str) {
    let mine: Vec<&Chart> = charts.iter().filter(|chart| chart.section == section).collect();
    if mine.is_empty() {
        return;
    }
    let is_wide = matches!(
        section,
        Section::Overview | Section::Front | Section::Garbage | Section::Throughput
    );
    page.push_str(&format!("<section id=\"{id}\"><h2>{title}</h2>\n"));
    match mine.as_slice() {
        [only] if is_wide => push_chart(page, only, "wide"),
        _ if is_wide => {
            for (chart, place) in mine.iter().zip(0..) {
                push_folded(page, &chart.title, place == 0, |page| push_chart(page, chart, "wide"));
            }
        }
        _ => push_grid(page, &mine),
    }
    page.push_str("</section>\n");
}

/// Small charts of each workload, to be unfolded.
fn push_workloads(page: &mut String, results: &Results<'_>, charts: &[Chart]) {
    page.push_str("<section id=\"workloads\"><h2>Each workload</h2>\n");
    let is_few = results.groups.len() <= UNFOLDED;
    for (group, place) in results.groups.iter().zip(0..) {
        let section = Section::Workload(place);
        let mine: Vec<&Chart> = charts.iter().filter(|chart| chart.section == section).collect();
        push_folded(page, &group.label, is_few || place == 0, |page| push_grid(page, &mine));
    }
    page.push_str("</section>\n");
}

fn push_folded(page: &mut String, title: &str, is_open: bool, push: impl FnOnce(&mut String)) {
    let open = if is_open { " open" } else { "" };
    page.push_str(&format!("<details{open}><summary>{}</summary>\n", escape(title)));
    push(page);
    page.push_str("</details>\n");
}

fn push_grid(page: &mut String, charts: &[&Chart]) {
    page.push_str("<div class=\"grid\">\n");
    charts.iter().for_each(|chart| push_chart(page, chart, "narrow"));
    page.push_str("</div>\n");
}

fn push_chart(page: &mut String, chart: &Chart, class: &str) {
    let name = escape(&chart.name);
    // The drawing library's markup holds nothing of the user's but text, which it escapes.
    page.push_str(&format!(
        "<figure id=\"{name}\" class=\"{class}\">\n<div class=\"scroll\">{}</div>\n\
         <figcaption><a href=\"charts/{name}.svg\">SVG</a> <a href=\"charts/{name}.png\">PNG</a></figcaption>\n</figure>\n",
        chart.svg
    ));
}

#[cfg(test)]
mod browser;
#[cfg(test)]
mod tests;
