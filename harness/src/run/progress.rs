//! Progress while runs are made: a bar on a terminal, a line a run elsewhere.

use crate::{
    plan::Step,
    record::{Record, Status},
    units,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{io::IsTerminal, time::Duration};

/// How far an experiment has come.
pub(super) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
}

impl Progress {
    /// Of so many runs, of which so many have been made before.
    pub(super) fn new(runs: usize, made: usize) -> Self {
        let template = "{bar:30} {pos}/{len}  {elapsed} gone, {eta} to go  {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(runs as u64).with_style(style).with_position(made as u64);
        // The time to go is judged by the runs of this session alone.
        bar.reset_eta();
        // Twice a second is enough to show that time passes, and nothing that a run would feel.
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, is_terminal: std::io::stderr().is_terminal() }
    }

    pub(super) fn begin(&self, step: &Step) {
        let audited = if step.job.audited { " (audit)" } else { "" };
        let (collector, workload) = (&step.job.collector, &step.job.workload);
        self.bar.set_message(format!("{collector} on {workload}{audited}"));
    }

    pub(super) fn end(&self, step: &Step, record: &Record) {
        if record.status != Status::Ok || !self.is_terminal {
            let (run, runs) = (step.order.position, step.order.runs);
            let (status, wall) = (record.status.name(), units::duration(record.wall_ns));
            let number =
                if record.audited { "audit".to_owned() } else { record.invocation.to_string() };
            let line = format!(
                "{run:>4}/{runs}  {} on {} #{number}: {status}, {wall}",
                record.collector, record.workload
            );
            if self.is_terminal {
                self.bar.println(line);
            } else {
                eprintln!("{line}");
            }
        }
        self.bar.inc(1);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
