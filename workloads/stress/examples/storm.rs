//! Storm: the smallest program that tries to break every collector, for sanitizers to build and watch.
//!
//! `storm SEED THREADS OPERATIONS [COLLECTOR]...` runs two rounds under each collector, without the audit, whose quarantine
//! would hide from a sanitizer what is used after it was freed. `cyclotron stress` does the same and more.

use std::{env, process::ExitCode};

use collectors::{Collector, WithCollector, with_collector};
use stress::{Broken, Limit, Outcome, Progress, Round};

struct OnCollector(Round);

impl WithCollector for OnCollector {
    type Output = Result<Outcome, Broken>;

    fn run<C: Collector>(self) -> Self::Output {
        self.0.run::<C>(C::Settings::default(), &Progress::new())
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let numbers: Vec<u64> = words.iter().map_while(|word| word.parse().ok()).collect();
    let [seed, threads, operations] = numbers[..] else {
        eprintln!("usage: storm SEED THREADS OPERATIONS [COLLECTOR]...");
        return ExitCode::from(2);
    };
    let asked: Vec<&str> = words[numbers.len()..].iter().map(String::as_str).collect();
    let names = if asked.is_empty() { collectors::NAMES } else { &asked };
    for name in names {
        for seed in [seed, seed + 1] {
            let limit = Limit::Operations(operations);
            let round = Round { seed, threads: threads as usize, limit };
            match with_collector(name, OnCollector(round)) {
                Some(Ok(outcome)) => {
                    let (done, freed) =
                        (outcome.operations.total(), outcome.statistics.freed.objects);
                    println!("{name}, seed {seed}: {done} operations, {freed} objects freed");
                }
                Some(Err(Broken { place, message })) => {
                    eprintln!("failed: {name}, seed {seed}, {place:?}: {message}");
                    return ExitCode::FAILURE;
                }
                None => {
                    eprintln!("there is no collector `{name}`");
                    return ExitCode::from(2);
                }
            }
        }
    }
    ExitCode::SUCCESS
}
