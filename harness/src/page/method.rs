//! Method of the page: how it was measured, and what did not work.

use super::style;
use crate::{
    charts::escape,
    record::{Record, Status},
    results::Results,
    units,
};
use std::fmt::Write;

/// Adds how it was measured, and what is meant by the words.
pub(super) fn push(page: &mut String, results: &Results<'_>) {
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
    page.push_str("<section id=\"method\"><h2>How it was measured</h2>\n<dl>\n");
    for (term, text) in rows {
        let _ = writeln!(page, "<dt>{term}</dt><dd>{text}</dd>");
    }
    page.push_str("</dl>\n");
    page.push_str(style::DEFINITIONS);
    page.push_str("<p><code>cyclotron report DIR</code> makes this page, the charts and the summaries anew from the records alone.</p>\n</section>\n");
}

/// Adds the runs that did not end well, with what they said.
pub(super) fn push_failures(page: &mut String, results: &Results<'_>) {
    let failed: Vec<&Record> =
        results.records.iter().filter(|run| run.status != Status::Ok).collect();
    if failed.is_empty() {
        return;
    }
    page.push_str("<section id=\"failures\"><h2>Runs that did not end well</h2>\n<ul>\n");
    for run in failed {
        let message = escape(run.message.as_deref().unwrap_or_default());
        let _ = writeln!(
            page,
            "<li>Run {}, {} on {}, invocation {}{}: <strong class=\"alarm\">{}</strong>: {message}</li>",
            run.order.position,
            escape(&run.collector),
            escape(&run.workload),
            run.invocation,
            if run.audited { ", under the audit" } else { "" },
            run.status.name()
        );
    }
    page.push_str("</ul></section>\n");
}
