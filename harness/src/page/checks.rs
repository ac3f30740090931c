//! Model checks of the page: the kill matrix that was kept beside the records, or how to make one.

use crate::{
    charts::escape,
    check::matrix::{FILE, Kind, Matrix, Verdict, Verdicts},
    units,
};
use std::fmt::Write;

/// Adds what the model checker found, by collector, protocol and fault; only the collectors called `shown` have a line.
pub(super) fn push(page: &mut String, check: Option<&Matrix>, shown: &[&str]) {
    page.push_str("<section id=\"checks\"><h2>Model checks</h2>\n");
    match check {
        Some(check) => push_check(page, check, shown),
        None => {
            let _ = writeln!(
                page,
                "<p>No check is kept beside these records. <code>cyclotron check --json DIR/{FILE}</code> explores every protocol, \
                 weakens every memory ordering in turn, and keeps what came of it; <code>cyclotron report DIR</code> then shows it here.</p>"
            );
        }
    }
    page.push_str("</section>\n");
}

fn push_check(page: &mut String, check: &Matrix, shown: &[&str]) {
    let permutations = check.models.iter().map(|model| model.permutations).sum();
    let extent = if check.is_whole { "every model and fault" } else { "some of the models" };
    let outcome = if check.passed {
        "nothing failed".to_owned()
    } else {
        let count = units::counted(check.failures.len() as u64, "failure", "failures");
        format!("<strong class=\"alarm\">{count}</strong>")
    };
    let _ = writeln!(
        page,
        "<p>The sources that were measured are those that the model checker explores. Of {extent}: {} permutations of {}, \
         at most {} preemptions in each where they were bounded; {outcome}. Then every memory ordering was made weaker, and every \
         seeded mistake switched on, one at a time: a model must fail.</p>",
        units::count(permutations),
        units::counted(check.models.len() as u64, "model", "models"),
        check.bound,
    );
    push_failures(page, check);
    let mut rows = String::new();
    for line in check.collectors.iter().filter(|line| shown.contains(&line.collector.as_str())) {
        let cells = [line.models.to_string(), units::count(line.permutations)];
        let cells: Vec<String> = cells.into_iter().chain(numbers(&line.verdicts)).collect();
        push_row(&mut rows, &line.collector, &cells, &escape(&line.protocols.join(", ")));
    }
    if !rows.is_empty() {
        push_table(page, "Collector", &["Models", "Permutations"], "Stands on", &rows);
    }
    rows.clear();
    for line in &check.protocols {
        let cells =
            [line.models.to_string(), line.threads.to_string(), units::count(line.permutations)];
        let cells: Vec<String> = cells.into_iter().chain(numbers(&line.verdicts)).collect();
        push_row(&mut rows, &line.protocol, &cells, &escape(&line.explored));
    }
    push_table(page, "Protocol", &["Models", "Threads", "Permutations"], "Explored", &rows);
    push_faults(page, check);
    page.push_str("<p class=\"note\">Trusted, and not checked here: ");
    let trusted: Vec<String> = check.trusted.iter().map(|trusted| escape(trusted)).collect();
    page.push_str(&trusted.join("; "));
    page.push_str(".</p>\n");
}

fn push_failures(page: &mut String, check: &Matrix) {
    if check.failures.is_empty() {
        return;
    }
    page.push_str("<ul>\n");
    for failure in &check.failures {
        let _ = writeln!(page, "<li class=\"alarm\">{}</li>", escape(failure));
    }
    page.push_str("</ul>\n");
}

/// The four numbers of faults.
fn numbers(verdicts: &Verdicts) -> [String; 4] {
    let [caught, justified, survived, mistakes] = verdicts.cells();
    let survived = match verdicts.survived {
        0 => survived,
        _ => format!("<strong class=\"alarm\">{survived}</strong>"),
    };
    [caught, justified, survived, mistakes]
}

fn push_row(rows: &mut String, name: &str, cells: &[String], last: &str) {
    let _ = write!(rows, "<tr><th>{}</th>", escape(name));
    cells.iter().for_each(|cell| _ = write!(rows, "<td>{cell}</td>"));
    let _ = writeln!(rows, "<td class=\"words\">{last}</td></tr>");
}

fn push_table(page: &mut String, first: &str, columns: &[&str], last: &str, rows: &str) {
    let columns: String = columns.iter().map(|column| format!("<th>{column}</th>")).collect();
    let _ = writeln!(
        page,
        "<div class=\"scroll\"><table>\n<thead><tr><th>{first}</th>{columns}\
         <th title=\"weakened orderings that a model noticed\">Caught</th>\
         <th title=\"that none noticed, for a reason that is written down\">Justified</th>\
         <th title=\"that none noticed\">Survived</th>\
         <th title=\"seeded mistakes that a model noticed, of all\">Mistakes</th>\
         <th class=\"words\">{last}</th></tr></thead>\n<tbody>{rows}</tbody></table></div>"
    );
}

/// Every fault with the model that noticed it, to be unfolded.
fn push_faults(page: &mut String, check: &Matrix) {
    if check.faults.is_empty() {
        return;
    }
    page.push_str("<details><summary>What was wrong on purpose, and which model noticed</summary>\n<div class=\"scroll\"><table>\n");
    page.push_str("<thead><tr><th>Protocol</th><th class=\"words\">Wrong</th><th class=\"words\">What came of it</th></tr></thead>\n<tbody>");
    for fault in &check.faults {
        let is_good = matches!(fault.verdict, Verdict::Caught | Verdict::Justified);
        let class = if is_good { "words" } else { "words alarm" };
        let mistake = if fault.kind == Kind::Mistake { "<b>mistake</b> " } else { "" };
        let _ = writeln!(
            page,
            "<tr><th>{}</th><td class=\"words\">{mistake}{}</td><td class=\"{class}\">{}: {}</td></tr>",
            escape(&fault.protocol),
            escape(fault.fault.trim_start_matches("the mistake ")),
            fault.word(),
            escape(&fault.by())
        );
    }
    page.push_str("</tbody></table></div></details>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::matrix::tests::matrix;

    fn page(check: Option<&Matrix>) -> String {
        let mut page = String::new();
        push(&mut page, check, &["refcount"]);
        page
    }

    #[test]
    fn without_a_check_the_page_says_how_to_make_one() {
        assert!(page(None).contains("cyclotron check --json DIR/check.json"));
    }

    #[test]
    fn a_check_is_shown_by_collector_by_protocol_and_by_fault() {
        let page = page(Some(&matrix()));
        assert!(page.contains("<tr><th>refcount</th><td>1</td><td>1,234</td><td>1</td>"), "{page}");
        assert!(page.contains("<td class=\"words\">1 complete</td>"), "{page}");
        assert!(page.contains("caught: of two one drops last"), "{page}");
        assert!(!page.contains("alarm"), "{page}");
    }

    #[test]
    fn a_survivor_stands_out() {
        let mut check = matrix();
        check.faults[0].verdict = Verdict::Survived;
        (check.passed, check.failures) = (false, vec!["not caught: a < b".to_owned()]);
        let page = page(Some(&check));
        assert!(page.contains("<li class=\"alarm\">not caught: a &lt; b</li>"), "{page}");
        assert!(page.contains("SURVIVED"), "{page}");
    }
}
