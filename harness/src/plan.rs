//! Plan: every run of an experiment, invocations outside, configurations inside, in an order shuffled from a seed.
//!
//! What is audited comes first, in the order in which it is listed: it is not timed, and the timed runs are told by it what
//! was live.
//!
//! Interleaving spreads whatever drifts on the machine (heat, neighbours) over all configurations alike; shuffling keeps
//! one from always running after the same other; the seed makes the order something that can be had again.

use crate::{experiment::Experiment, job::Job, record::Order};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// One run to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What to run.
    pub job: Job,
    /// Which repetition of it, from 1.
    pub invocation: u32,
    /// Where in the order it stands.
    pub order: Order,
}

/// All runs of the experiment, in the order in which they are to be made.
pub fn steps(experiment: &Experiment) -> Vec<Step> {
    let configurations = experiment.configurations();
    let audits = experiment.audits();
    let runs = audits.len() + experiment.invocations as usize * configurations.len();
    let order = |position| Order { seed: experiment.seed, position, runs };
    let mut random = ChaCha8Rng::seed_from_u64(experiment.seed);
    let audit = |(job, position)| Step { job, invocation: 1, order: order(position) };
    let mut steps: Vec<Step> = audits.into_iter().zip(1..).map(audit).collect();
    for invocation in 1..=experiment.invocations {
        let mut round = configurations.clone();
        shuffle(&mut round, &mut random);
        for job in round {
            let order = order(steps.len() + 1);
            steps.push(Step { job, invocation, order });
        }
    }
    steps
}

/// Fisher and Yates, written out: the order behind a seed must not change with a library's version.
fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        let bound = last as u128 + 1;
        // The high half of the product is uniform below `bound` to within 2^-58 for any list that fits in memory.
        let chosen = (u128::from(random.next_u64()) * bound) >> 64;
        items.swap(last, usize::try_from(chosen).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Audit;

    fn shuffled(seed: u64) -> Vec<usize> {
        let mut items: Vec<usize> = (0..10).collect();
        shuffle(&mut items, &mut ChaCha8Rng::seed_from_u64(seed));
        items
    }

    #[test]
    fn the_same_seed_gives_the_same_order_in_every_version() {
        assert_eq!(shuffled(7), [4, 6, 2, 0, 8, 3, 7, 5, 9, 1]);
        assert_ne!(shuffled(7), shuffled(8));
    }

    #[test]
    fn every_round_holds_every_configuration_once() {
        let experiment = Experiment::embedded("quick").unwrap();
        let steps = steps(&experiment);
        let size = experiment.configurations().len();
        let timed = &steps[experiment.audits().len()..];
        assert_eq!(timed.len(), size * experiment.invocations as usize);
        for (round, number) in timed.chunks(size).zip(1..) {
            assert!(round.iter().all(|step| step.invocation == number));
            for job in experiment.configurations() {
                assert_eq!(round.iter().filter(|step| step.job == job).count(), 1);
            }
        }
        assert!(steps.iter().map(|step| step.order.position).eq(1..=steps.len()));
        assert!(steps.iter().all(|step| step.order.runs == steps.len()));
    }

    #[test]
    fn what_is_audited_comes_first_and_leaves_the_order_of_the_others_as_it_is() {
        let mut experiment = Experiment::embedded("quick").unwrap();
        let [without, with] = [Audit::None, Audit::Every].map(|audit| {
            experiment.audit = audit;
            steps(&experiment)
        });
        let audits = experiment.audits();
        assert!(with[..audits.len()].iter().map(|step| &step.job).eq(&audits));
        let timed = with[audits.len()..].iter().map(|step| (&step.job, step.invocation));
        assert!(timed.eq(without.iter().map(|step| (&step.job, step.invocation))));
    }

    #[test]
    fn rounds_differ_in_their_order() {
        let experiment = Experiment::embedded("quick").unwrap();
        let steps = steps(&experiment);
        let timed = &steps[experiment.audits().len()..];
        let rounds: Vec<_> = timed.chunks(experiment.configurations().len()).collect();
        assert!(rounds[0].iter().zip(rounds[1]).any(|(first, second)| first.job != second.job));
    }
}
