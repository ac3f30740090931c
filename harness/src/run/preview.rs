//! Preview of the runs to be made: what they are, in which order, and how long they will take.

use super::estimate::{Estimate, History};
use crate::{experiment::Experiment, plan::Step, table::Table, units};

/// A plan of at most so many runs is shown run by run.
const SHORT_PLAN: usize = 40;

/// How much of a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// A summary of a long plan, every run of a short one.
    Brief,
    /// Every run.
    Full,
}

/// The plan as text. The steps are those that are missing, all of the experiment's unless some were made before.
pub(super) fn preview(
    experiment: &Experiment,
    steps: &[Step],
    detail: Detail,
    history: &History,
) -> String {
    let is_listed = detail == Detail::Full || steps.len() <= SHORT_PLAN;
    let plan = if is_listed { list(steps) } else { summary(experiment) };
    let audits = steps.iter().filter(|step| step.job.audited).count();
    let audited = match audits {
        0 => String::new(),
        number => format!("{} under the audit first, ", units::count(number as u64)),
    };
    format!(
        "{}\n\n{plan}\n{}, {audited}order shuffled from seed {}\n{}\n",
        experiment.question,
        units::counted(steps.len() as u64, "run", "runs"),
        experiment.seed,
        time(steps, history),
    )
}

/// Every run, in its order.
fn list(steps: &[Step]) -> String {
    let mut table = Table::new(&[">run", "collector", "workload", ">threads", ">invocation"]);
    for step in steps {
        let Step { job, invocation, order } = step;
        let invocation = if job.audited { "audit".to_owned() } else { invocation.to_string() };
        let (run, threads) = (order.position.to_string(), job.threads.to_string());
        table.row([run, job.collector.clone(), job.workload.clone(), threads, invocation]);
    }
    table.render()
}

/// What is combined with what.
fn summary(experiment: &Experiment) -> String {
    let collectors = experiment.collectors.iter().map(|choice| choice.name.as_str());
    let workloads = experiment.workloads.iter().map(|(choice, _)| choice.name.as_str());
    let mut table = Table::new(&["", ">variants"]);
    for (kind, names) in
        [("collector", collectors.collect::<Vec<_>>()), ("workload", workloads.collect::<Vec<_>>())]
    {
        let mut distinct: Vec<&str> = Vec::new();
        for name in &names {
            if !distinct.contains(name) {
                distinct.push(name);
            }
        }
        for name in distinct {
            let variants = names.iter().filter(|other| **other == name).count();
            table.row([format!("{kind} {name}"), variants.to_string()]);
        }
    }
    format!(
        "{}\n{} on {}, {}; `--verbose` shows every run\n",
        table.render(),
        units::counted(experiment.collectors.len() as u64, "collector", "collectors"),
        units::counted(experiment.workloads.len() as u64, "workload", "workloads"),
        units::counted(experiment.invocations.into(), "invocation", "invocations"),
    )
}

/// How long it will take, and how that is known.
fn time(steps: &[Step], history: &History) -> String {
    let most = told(steps.iter().map(|step| step.job.limits.seconds).sum());
    let at_most = format!("at most {most}, if every run reached its limit");
    match history.estimate(steps) {
        None => format!("{at_most}; no earlier run is known from `results`"),
        Some(Estimate { seconds, known, earlier, folders }) => {
            let basis = match steps.len() - known {
                0 => "all of them of configurations that were run before".to_owned(),
                _ => format!(
                    "{} of configurations that were run before, the others judged by their workloads",
                    units::count(known as u64)
                ),
            };
            let earlier = units::counted(earlier as u64, "earlier run", "earlier runs");
            let folders = match folders.as_slice() {
                [one] => format!("`{one}`"),
                [first, .., last] => {
                    format!("{} folders, `{first}` to `{last}`", folders.len())
                }
                [] => "nowhere".to_owned(),
            };
            format!("about {}, {basis}: from {earlier} in {folders}; {at_most}", told(seconds))
        }
    }
}

/// A time that somebody might wait.
fn told(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    fn shown(invocations: u32, detail: Detail) -> String {
        let text = format!(
            "question = \"Which?\"\nseed = 1\ninvocations = {invocations}\n[limits]\nseconds = 9\nheap-mib = 9\n\
             [[collectors]]\nname = \"generational\"\n\
             [collectors.sweep]\nthresholds = [[100, 10, 10], [700, 10, 10], [5000, 10, 10]]\n\
             [[collectors]]\nname = \"leak\"\n\
             [[workloads]]\nname = \"rings\"\n"
        );
        let experiment = Experiment::parse("x", "x", &text).unwrap();
        preview(&experiment, &plan::steps(&experiment), detail, &History::default())
    }

    #[test]
    fn a_short_plan_is_shown_run_by_run() {
        let shown = shown(2, Detail::Brief);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "Which?");
        assert_eq!(lines[2], "run  collector     workload  threads  invocation");
        assert_eq!(lines[3], "  1  generational  rings           1       audit");
        assert_eq!(lines[13], "9 runs, 1 under the audit first, order shuffled from seed 1");
        assert_eq!(
            lines[14],
            "at most 162 s, if every run reached its limit; no earlier run is known from `results`"
                .replace("162 s", "3 min")
        );
    }

    #[test]
    fn a_long_plan_is_a_summary_unless_all_of_it_is_asked_for() {
        let brief = shown(100, Detail::Brief);
        assert!(brief.lines().count() < 12, "{brief}");
        assert!(
            brief.contains(
                "4 collectors on 1 workload, 100 invocations; `--verbose` shows every run\n"
            ),
            "{brief}"
        );
        assert!(brief.contains("collector generational         3\n"), "{brief}");
        assert!(brief.contains("401 runs, 1 under the audit first"), "{brief}");
        assert!(shown(100, Detail::Full).lines().count() > 401);
    }

    #[test]
    fn times_are_told_as_one_waits_for_them() {
        assert_eq!([told(119), told(121), told(7_201)], ["119 s", "3 min", "3 h"]);
    }
}
