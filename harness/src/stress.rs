//! The verb `stress`: random programs that try to break a collector, round after round, until the time is up.
//!
//! Every round has a heap of its own. Under every other seed the heap collects at every opportunity and yields at
//! random, which makes rounds slow and interleavings rare ones frequent.

use crate::{cli::Exit, table::Table, units};
use anyhow::Context;
use clap::{Args, builder::PossibleValuesParser};
use collectors::{Amount, Collector, WithCollector, with_collector};
use std::{
    io::Write,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};
use stress::{Broken, Found, Limit, Operations, Outcome, Place, Progress, Round, Tally};

/// The word for every collector, one after the other.
const ALL: &str = "all";

/// How often the watchdog looks.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Try to break a collector with random programs on more threads than there are cores
///
/// Each thread allocates, copies, drops, loads, stores, swaps, exchanges objects with the others, waits, collects and
/// leaves, as a stream of its own says that is determined by the seed and the thread's number. The audit keeps a graph of
/// its own beside the heap: an object that is freed while it can be reached, or never freed though it should be, ends the
/// program. So do a panic, a word that is not what was written, and threads that hang; what failed is told with the seed
/// and the command that repeats it.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Stress {
    /// Which collector, or `all`, one after the other
    #[arg(value_parser = PossibleValuesParser::new(collectors::NAMES.iter().copied().chain([ALL])))]
    collector: String,
    /// How many threads
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// How long each collector is tried
    #[arg(long, value_name = "SECONDS", default_value_t = 30, conflicts_with = "operations")]
    seconds: u64,
    /// How many operations each thread does, instead of a time
    #[arg(long, value_name = "COUNT")]
    operations: Option<u64>,
    /// Whence all operations come; each round takes the next seed
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Run the collector alone: faster, and with what it frees used again at once
    #[arg(long)]
    no_audit: bool,
    /// How long nothing may happen before the threads are said to hang
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    patience: u64,
}

const AFTER_HELP: &str = "\
Examples:
  cyclotron stress biased                          half a minute, under the audit
  cyclotron stress all --seconds 5 --no-audit      each collector alone
  cyclotron stress biased --seed 7 --operations 9  nine operations of each thread

The seed repeats what each thread does, not when: run a failure again a few times.";

/// What the rounds of one collector came to.
#[derive(Default)]
struct Sum {
    rounds: u64,
    operations: Tally,
    collections: u64,
    allocated: Amount,
    freed: Amount,
    found: Option<Found>,
}

impl Stress {
    /// Runs the rounds and writes a summary to standard output.
    ///
    /// # Errors
    ///
    /// If standard output refuses it.
    pub fn run(self) -> anyhow::Result<Exit> {
        let names: Vec<&str> = if self.collector == ALL {
            collectors::NAMES.to_vec()
        } else {
            vec![self.collector.as_str()]
        };
        let mut sums = Vec::new();
        let mut is_broken = false;
        for name in names {
            let (sum, broken) = with_collector(name, OnCollector { stress: &self })
                .context("the command line took a collector that is not in the list")?;
            sums.push((name, sum));
            if let Some((round, broken)) = broken {
                is_broken = true;
                self.tell(name, &round, &broken);
            }
        }
        std::io::stdout().write_all(self.summary(&sums).as_bytes())?;
        Ok(if is_broken { Exit::Failed } else { Exit::Success })
    }

    /// The rounds that the command line asks for, one after the other.
    fn rounds(&self) -> impl Iterator<Item = Round> {
        let threads = usize::from(self.threads);
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let mut left = self.operations;
        let mut seed = self.seed;
        std::iter::from_fn(move || {
            let limit = match left {
                Some(0) => return None,
                Some(left) => Limit::Operations(left),
                None if Instant::now() >= end => return None,
                None => Limit::Time(end),
            };
            let round = Round { seed, threads, limit };
            left = left.map(|left| left - round.longest());
            seed = seed.wrapping_add(1);
            Some(round)
        })
    }

    /// Tells the user what broke, and how to see it again.
    fn tell(&self, name: &str, round: &Round, broken: &Broken) {
        let place = match broken.place {
            Some(place) => describe(place),
            None => "after the threads had ended".to_owned(),
        };
        let seed = round.seed;
        let message = &broken.message;
        let again = self.again(name, round);
        // If nobody reads it, the exit status still says that something broke.
        let _ = writeln!(
            std::io::stderr(),
            "failed: {name}, seed {seed}, {place}: {message}\nhelp: repeat it with `{again}`"
        );
    }

    /// The command that does `round` again.
    fn again(&self, name: &str, round: &Round) -> String {
        let (threads, seed) = (self.threads, round.seed);
        let whole =
            Round { limit: Limit::Operations(self.operations.unwrap_or(u64::MAX)), ..*round };
        let audit = if self.no_audit { " --no-audit" } else { "" };
        let operations = whole.longest();
        format!(
            "cyclotron stress {name} --threads {threads} --seed {seed} --operations {operations}{audit}"
        )
    }

    fn summary(&self, sums: &[(&str, Sum)]) -> String {
        let mut columns =
            vec!["collector", ">rounds", ">operations", ">collections", ">allocated", ">freed"];
        if !self.no_audit {
            columns.extend([">live", ">floating", ">structural", ">policy", ">protocol"]);
        }
        let mut table = Table::new(&columns);
        for (name, sum) in sums {
            let numbers = [sum.rounds, sum.operations.total(), sum.collections];
            let objects = [sum.allocated.objects, sum.freed.objects];
            let found = sum.found.filter(|_| !self.no_audit).map(|found| {
                let Found { live, floating, leaks } = found;
                [live, floating, leaks.structural, leaks.policy, leaks.protocol]
            });
            let found = found.into_iter().flatten().map(|amount| amount.objects);
            let numbers = numbers.into_iter().chain(objects).chain(found).map(units::count);
            table.row(std::iter::once((*name).to_owned()).chain(numbers));
        }
        let mut text = table.render();
        if !self.no_audit {
            text.push_str(
                "\nobjects; live and floating when the threads of a round had ended, summed over the rounds; \
                 of what floated, structural can never be freed by this collector, policy was freed later, protocol is a bug\n",
            );
        }
        let mut operations = Tally::default();
        sums.iter().for_each(|(_, sum)| operations += sum.operations);
        let kinds: Vec<String> = operations
            .iter()
            .map(|(kind, count)| format!("{kind} {}", units::count(count)))
            .collect();
        text.push_str(&format!("\noperations: {}\nseed {}\n", kinds.join(", "), self.seed));
        text
    }
}

struct OnCollector<'a> {
    stress: &'a Stress,
}

impl WithCollector for OnCollector<'_> {
    type Output = (Sum, Option<(Round, Broken)>);

    fn run<C: Collector>(self) -> Self::Output {
        let mut sum = Sum::default();
        for round in self.stress.rounds() {
            let progress = Arc::new(Progress::new());
            self.stress.watch(C::NAME, round, Arc::downgrade(&progress));
            let settings = C::Settings::default();
            let outcome = if self.stress.no_audit {
                round.run::<C>(settings, &progress)
            } else {
                round.run_audited::<C>(settings, &progress)
            };
            match outcome {
                Ok(outcome) => sum.add(&outcome),
                Err(broken) => return (sum, Some((round, broken))),
            }
        }
        (sum, None)
    }
}

impl Stress {
    /// Ends the program if nothing happens for too long, until the round's progress is dropped.
    fn watch(&self, name: &'static str, round: Round, progress: Weak<Progress>) {
        let patience = Duration::from_secs(self.patience);
        let again = self.again(name, &round);
        thread::spawn(move || {
            let (mut sum, mut since) = (0, Instant::now());
            while let Some(progress) = progress.upgrade() {
                if progress.sum() != sum {
                    (sum, since) = (progress.sum(), Instant::now());
                } else if since.elapsed() > patience {
                    let places: Vec<String> =
                        (0..round.threads).map(|thread| describe(progress.place(thread))).collect();
                    // The threads cannot be ended otherwise, and the exit status says that something broke.
                    let _ = writeln!(
                        std::io::stderr(),
                        "failed: {name}, seed {}: nothing has happened for {} s\n  {}\nhelp: repeat it with `{again}`",
                        round.seed,
                        patience.as_secs(),
                        places.join("\n  ")
                    );
                    std::process::exit(Exit::Failed as i32);
                }
                drop(progress);
                thread::sleep(WATCH_EVERY);
            }
        });
    }
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.rounds += 1;
        self.operations += outcome.operations;
        self.collections += outcome.collections;
        self.allocated += outcome.statistics.allocated;
        self.freed += outcome.statistics.freed;
        if let Some(found) = outcome.findings {
            let sum = self.found.get_or_insert_default();
            sum.live += found.live;
            sum.floating += found.floating;
            sum.leaks.structural += found.leaks.structural;
            sum.leaks.policy += found.leaks.policy;
            sum.leaks.protocol += found.leaks.protocol;
        }
    }
}

/// Which thread is at which operation.
fn describe(place: Place) -> String {
    let Place { seed, thread, operation } = place;
    // The operations of a thread are known without running it.
    let drawn = (operation as usize)
        .checked_sub(1)
        .and_then(|index| Operations::new(seed, thread).nth(index));
    match drawn {
        Some(drawn) => format!("thread {thread} at operation {operation}, {drawn:?}"),
        None => format!("thread {thread} before its first operation"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        stress: Stress,
    }

    fn stress(words: &[&str]) -> Stress {
        Line::parse_from(["stress"].iter().chain(words)).stress
    }

    #[test]
    fn operations_are_shared_out_among_rounds() {
        let stress = stress(&["leak", "--operations", "11000", "--seed", "3", "--threads", "1"]);
        let rounds: Vec<(u64, u64)> =
            stress.rounds().map(|round| (round.seed, round.longest())).collect();
        assert_eq!(rounds, [(3, 10_000), (4, 400), (5, 600)]);
    }

    #[test]
    fn a_failure_is_told_with_the_operation_and_repeated_by_a_command_of_this_program() {
        let stress = stress(&["biased", "--seconds", "3", "--no-audit"]);
        let round = Round { seed: 12, threads: 8, limit: Limit::Time(Instant::now()) };
        let again = stress.again("biased", &round);
        assert_eq!(
            again,
            "cyclotron stress biased --threads 8 --seed 12 --operations 400 --no-audit"
        );
        let words: Vec<&str> = again.split(' ').skip(2).collect();
        assert_eq!(self::stress(&words).seed, 12);
        let told = describe(Place { seed: 12, thread: 1, operation: 1 });
        assert!(told.starts_with("thread 1 at operation 1, "), "{told}");
    }
}
