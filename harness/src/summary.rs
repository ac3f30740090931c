//! Summary: the results as a table for programs and as one for people.

use crate::{
    results::{
        BASELINE, Cell, Group, Range, Results,
        bootstrap::Interval,
        carried, cautions,
        front::{self, Front, REFERENCE},
        round, verdict,
    },
    table::Times,
    units,
};

/// The quantities of a table for programs, each with its unit.
const COLUMNS: [&str; 62] = [
    "workload",
    "parameters",
    "threads",
    "collector",
    "settings",
    "runs",
    "runs_ok",
    "failures",
    "pauses_count_all_runs",
    "pauses_per_run_median",
    "pause_p50_ns",
    "pause_p90_ns",
    "pause_p99_ns",
    "pause_p999_ns",
    "longest_pause_min_ns",
    "longest_pause_median_ns",
    "longest_pause_max_ns",
    "longest_pause_cpu_ns",
    "paused_per_run_median_ns",
    "paused_cpu_per_run_median_ns",
    "stops_per_run_median",
    "time_to_stop_per_run_median_ns",
    "time_to_stop_max_ns",
    "wall_min_ns",
    "wall_median_ns",
    "wall_max_ns",
    "cpu_min_ns",
    "cpu_median_ns",
    "cpu_max_ns",
    "collector_threads_cpu_median_ns",
    "collector_threads_cpu_share",
    "speed_ratio",
    "speed_ratio_ci95_low",
    "speed_ratio_ci95_high",
    "cpu_ratio",
    "cpu_ratio_ci95_low",
    "cpu_ratio_ci95_high",
    "allocated_bytes",
    "leaked_max_bytes",
    "leak_allowed_bytes",
    "held_at_end_max_bytes",
    "peak_held_max_bytes",
    "blocks_max_bytes",
    "side_tables_max_bytes",
    "live_mean_bytes",
    "floating_mean_bytes",
    "floating_mean_min_bytes",
    "floating_mean_max_bytes",
    "floating_peak_bytes",
    "leaked_structural_bytes",
    "leaked_policy_bytes",
    "leaked_protocol_bytes",
    "latency_intended_p50_ns",
    "latency_intended_p99_ns",
    "latency_intended_p999_ns",
    "latency_intended_max_ns",
    "latency_simple_p50_ns",
    "latency_simple_p99_ns",
    "latency_simple_p999_ns",
    "hiccup_max_ns",
    "rss_peak_max_bytes",
    "front",
];

/// A row for every configuration, those that failed included; what is not known is empty. The first row is the head.
pub fn csv(results: &Results<'_>) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for group in &results.groups {
        let front = Front::of(group);
        for (place, cell) in group.cells.iter().enumerate() {
            let standing = front.as_ref().map(|front| front.standings[place].told(group));
            let row = row(group, cell, standing.unwrap_or_default());
            let row: Vec<String> = row.iter().map(|field| quoted(field)).collect();
            text.push_str(&row.join(","));
            text.push('\n');
        }
    }
    text
}

fn row(group: &Group<'_>, cell: &Cell<'_>, standing: String) -> [String; COLUMNS.len()] {
    let settings = cell.runs.iter().chain(&cell.audited).next().map(|run| run.settings.to_string());
    let pauses = cell.pauses.as_ref();
    let percentile = |share| number(pauses.and_then(|pauses| pauses.percentile(share)));
    let longest = pauses.map(|pauses| pauses.longest_ns);
    let bounds = cell.speed.and_then(|speed| speed.bounds);
    let cpu_bounds = cell.cpu.and_then(|cpu| cpu.bounds);
    let stops = cell.stops.as_ref();
    let floating = cell.memory.as_ref().and_then(|memory| memory.floating_mean);
    let ratio = |value: Option<f64>| value.map(|value| format!("{value:.5}")).unwrap_or_default();
    let memory = cell.memory.as_ref();
    let leaks = memory.and_then(|memory| memory.leaks);
    let latency = cell.latency.as_ref();
    let waits = |which: fn(&crate::results::Latencies) -> &crate::histogram::Histogram, share| {
        let histogram = latency.map(which);
        number(histogram.and_then(|histogram| carried(histogram, share)))
    };
    let worst = |value: fn(&crate::record::Record) -> Option<u64>| {
        number(cell.runs.iter().filter_map(|run| value(run)).max())
    };
    [
        group.workload.to_owned(),
        group.parameters.to_string(),
        group.threads.to_string(),
        cell.collector.to_owned(),
        settings.unwrap_or_default(),
        cell.runs.len().to_string(),
        cell.ok().count().to_string(),
        cell.failures(),
        number(pauses.map(|pauses| pauses.histogram.count())),
        median(pauses.map(|pauses| pauses.count)),
        percentile(0.5),
        percentile(0.9),
        percentile(0.99),
        percentile(0.999),
        low(longest),
        median(longest),
        high(longest),
        number(pauses.map(|pauses| pauses.max_cpu_ns)),
        median(pauses.map(|pauses| pauses.all_ns)),
        median(pauses.and_then(|pauses| pauses.all_cpu_ns)),
        median(stops.map(|stops| stops.count)),
        median(stops.map(|stops| stops.total_ns)),
        high(stops.map(|stops| stops.longest_ns)),
        low(cell.wall_ns),
        median(cell.wall_ns),
        high(cell.wall_ns),
        low(cell.cpu_ns),
        median(cell.cpu_ns),
        high(cell.cpu_ns),
        median(cell.collector_cpu_ns),
        ratio(cell.collector_share.map(|share| share.median)),
        ratio(cell.speed.map(|speed| speed.estimate)),
        ratio(bounds.map(|bounds| bounds.0)),
        ratio(bounds.map(|bounds| bounds.1)),
        ratio(cell.cpu.map(|cpu| cpu.estimate)),
        ratio(cpu_bounds.map(|bounds| bounds.0)),
        ratio(cpu_bounds.map(|bounds| bounds.1)),
        median(memory.map(|memory| memory.allocated)),
        high(memory.map(|memory| memory.leaked)),
        number(memory.map(|memory| memory.expected)),
        high(memory.map(|memory| memory.held_at_end)),
        high(memory.map(|memory| memory.peak_held)),
        high(memory.map(|memory| memory.blocks)),
        high(memory.map(|memory| memory.side_tables)),
        median(memory.and_then(|memory| memory.live)),
        median(floating),
        low(floating),
        high(floating),
        high(memory.and_then(|memory| memory.floating_peak)),
        number(leaks.map(|leaks| leaks.structural.bytes)),
        number(leaks.map(|leaks| leaks.policy.bytes)),
        number(leaks.map(|leaks| leaks.protocol.bytes)),
        waits(|latency| &latency.intended, 0.5),
        waits(|latency| &latency.intended, 0.99),
        waits(|latency| &latency.intended, 0.999),
        number(latency.map(|latency| latency.max_ns)),
        waits(|latency| &latency.simple, 0.5),
        waits(|latency| &latency.simple, 0.99),
        waits(|latency| &latency.simple, 0.999),
        worst(|run| run.hiccup_max_ns),
        worst(|run| run.rss_peak),
        standing,
    ]
}

fn number(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn low(range: Option<Range>) -> String {
    number(range.map(|range| round(range.low)))
}

fn median(range: Option<Range>) -> String {
    number(range.map(|range| round(range.median)))
}

fn high(range: Option<Range>) -> String {
    number(range.map(|range| round(range.high)))
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Verdict, cautions and a table for each workload, as Markdown.
pub fn markdown(results: &Results<'_>) -> String {
    let first = &results.records[0];
    let mut text = format!(
        "# Experiment `{}`\n\n{}\n\n## Verdict\n\n",
        first.experiment.name,
        first.experiment.question.trim()
    );
    let verdict = verdict::of(results);
    verdict.findings.iter().for_each(|finding| text.push_str(&format!("- {finding}\n")));
    text.push_str(
        "\nLongest pause in the median run, among the collectors that left nothing behind, and the bytes held at most meanwhile:\n\n",
    );
    for (workload, told) in &verdict.shortest {
        text.push_str(&format!("- **{workload}**: {told}\n"));
    }
    let cautions = cautions::of(results);
    if !cautions.is_empty() {
        text.push_str("\n## Read with care\n\n");
        cautions.iter().for_each(|caution| text.push_str(&format!("- {caution}\n")));
    }
    push_fronts(&mut text, results);
    text.push_str(&format!(
        "\n## Figures\n\nSpeed is throughput over that of `{BASELINE}`, and CPU the CPU time over its, of all threads, each with the bounds of 95 in 100 cases in brackets; floating is what was dead and not yet freed, on average; a dash is what is not known.\n"
    ));
    for group in &results.groups {
        push_group(&mut text, group);
    }
    text.push_str(&format!("\nMade by `{}`.\n", first.experiment.command));
    text
}

/// Who is on the front, over all workloads and on each of them.
fn push_fronts(text: &mut String, results: &Results<'_>) {
    let tallies = front::tallies(results);
    if tallies.is_empty() {
        return;
    }
    text.push_str(&format!(
        "\n## Fronts\n\n{}\n\n| collector | on the front | dominates `{REFERENCE}` | dominated by it |\n|---|---:|---:|---:|\n",
        front::MEANING
    ));
    for tally in &tallies {
        let of = |number: Option<usize>| {
            let number = number.filter(|_| tally.compared > 0);
            number
                .map_or_else(|| "–".to_owned(), |number| format!("{number} of {}", tally.compared))
        };
        text.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            tally.label.replace('|', "\\|"),
            of(Some(tally.on_front)),
            of(tally.dominates),
            of(tally.is_dominated)
        ));
    }
    text.push('\n');
    for group in &results.groups {
        let Some(front) = Front::of(group) else { continue };
        let cells = group.cells.iter().zip(&front.standings);
        let on_front: Vec<&str> = cells
            .filter(|(_, standing)| standing.is_front())
            .map(|(cell, _)| cell.label.as_str())
            .collect();
        text.push_str(&format!("- **{}**: {}\n", group.label, on_front.join(", ")));
    }
}

fn push_group(text: &mut String, group: &Group<'_>) {
    text.push_str(&format!(
        "\n### {}\n\n| collector | longest pause | p99 | pauses a run | floating | leaked | peak held | front | runs |\n\
         |---|---:|---:|---:|---:|---:|---:|---|---|\n",
        group.label
    ));
    let front = Front::of(group);
    for (place, cell) in group.cells.iter().enumerate() {
        let standing = front.as_ref().map(|front| front.standings[place].told(group));
        push_row(text, &figures(cell, standing.unwrap_or_else(|| "–".to_owned())));
    }
    text.push_str(
        "\n| collector | speed | CPU | wall a run | CPU a run | on its own threads | paused a run | on the CPU | stops a run | to stop, a run | slowest stop |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for cell in &group.cells {
        let mut times = Times::of(cell, "–");
        times.speed = with_bounds(cell.speed).unwrap_or(times.speed);
        times.cpu_ratio = with_bounds(cell.cpu).unwrap_or(times.cpu_ratio);
        let row: Vec<String> = std::iter::once(cell.label.clone()).chain(times.columns()).collect();
        push_row(text, &row);
    }
}

fn push_row(text: &mut String, row: &[String]) {
    let row: Vec<String> = row.iter().map(|figure| figure.replace('|', "\\|")).collect();
    text.push_str(&format!("| {} |\n", row.join(" | ")));
}

fn with_bounds(interval: Option<Interval>) -> Option<String> {
    let Interval { estimate, bounds } = interval?;
    bounds.map(|(low, high)| units::ratio_range(low, estimate, high))
}

fn figures(cell: &Cell<'_>, standing: String) -> [String; 9] {
    let absent = || "–".to_owned();
    let pauses = cell.pauses.as_ref();
    let memory = cell.memory.as_ref();
    let bytes =
        |range: Option<Range>| range.map_or_else(absent, |range| units::bytes(round(range.high)));
    let longest = pauses.map(|pauses| match pauses.histogram.count() {
        0 => "none".to_owned(),
        _ => units::duration(round(pauses.longest_ns.high)),
    });
    let p99 = pauses.and_then(|pauses| pauses.percentile(0.99));
    let failures = cell.failures();
    let runs = if failures.is_empty() { format!("{} ok", cell.runs.len()) } else { failures };
    [
        cell.label.clone(),
        longest.unwrap_or_else(absent),
        p99.map_or_else(absent, units::duration),
        pauses.map_or_else(absent, |pauses| units::count(round(pauses.count.median))),
        bytes(memory.and_then(|memory| memory.floating_mean)),
        bytes(memory.map(|memory| memory.leaked)),
        bytes(memory.map(|memory| memory.peak_held)),
        standing,
        runs,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn every_configuration_has_a_row_with_as_many_fields_as_the_head() {
        let records = synthetic::rich();
        let results = Results::of(&records).unwrap();
        let csv = csv(&results);
        let mut lines = csv.lines().map(fields);
        let head = lines.next().unwrap();
        let rows: Vec<Vec<String>> = lines.collect();
        let cells: usize = results.groups.iter().map(|group| group.cells.len()).sum();
        assert_eq!(rows.len(), cells);
        assert!(rows.iter().all(|row| row.len() == head.len()), "{csv}");
        let place = |name: &str| head.iter().position(|column| column == name).unwrap();
        let failed = rows.iter().find(|row| row[place("failures")].contains("out-of-memory"));
        assert_eq!(failed.unwrap()[place("runs_ok")], "0");
        assert_eq!(failed.unwrap()[place("longest_pause_max_ns")], "");
        let counting = rows.iter().find(|row| row[place("collector")] == "refcount").unwrap();
        assert_eq!(counting[place("leaked_structural_bytes")], "200000");
        assert!(counting[place("speed_ratio_ci95_low")] < counting[place("speed_ratio_ci95_high")]);
        assert_eq!(counting[place("front")], "leaks 200 kB");
        let other = rows.iter().find(|row| row[place("collector")] == "tuned").unwrap();
        assert_eq!(other[place("collector_threads_cpu_share")], "0.00000");
        assert!(other[place("cpu_min_ns")] < other[place("cpu_max_ns")]);
        assert_eq!(counting[place("parameters")], r#"{"objects":10000,"words":2}"#);
    }

    /// The fields of a line, without their quotes.
    fn fields(line: &str) -> Vec<String> {
        let mut fields = vec![String::new()];
        let mut is_quoted = false;
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if is_quoted && letters.next_if_eq(&'"').is_some() => {
                    fields.last_mut().unwrap().push('"');
                }
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => fields.push(String::new()),
                other => fields.last_mut().unwrap().push(other),
            }
        }
        fields
    }

    #[test]
    fn the_text_has_verdict_figures_and_failures() {
        let records = synthetic::rich();
        let text = markdown(&Results::of(&records).unwrap());
        for told in [
            "# Experiment `synthetic`",
            "Not every run ended well",
            "5 of 5 out-of-memory",
            "1 of 5 crashed",
            "### requests",
            "## Fronts",
            "| refcount | – |",
            "| on its own threads |",
            "| generational (threshold = 700) |",
        ] {
            assert!(text.contains(told), "{told:?} is missing in {text}");
        }
        assert!(!text.contains("NaN"), "{text}");
    }
}
