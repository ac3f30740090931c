//! Friends: pairs of people who know each other, made and forgotten at once.
//!
//! *Claim tested:* that counting references is enough, because cycles are rare, small and somebody else's problem. Here
//! is the smallest one there is: Alice's friend is Bob, Bob's friend is Alice, and the program forgets both. A share of
//! the pairs is one-sided, so that a collector has to tell the two kinds apart. Everything dies as young as it can: this
//! is the best case of a generational collector and the plainest case of what counting leaks.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, Program, Reference, Workload,
    parameter::within, program::sum_of_words,
};

/// The slot of a person that holds their friend.
const FRIEND: usize = 0;

/// The workload `friends`.
pub struct Friends;

/// How many friends, and of which kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Pairs made by each thread.
    pub pairs: u64,
    /// Of 100 pairs, how many are mutual, and so cycles.
    pub cyclic_percent: u32,
    /// Data words of a person.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { pairs: 2_000_000, cyclic_percent: 50, words: 2 }
    }
}

impl Workload for Friends {
    const NAME: &'static str = "friends";
    const SUMMARY: &'static str = "pairs of people who know each other, made and forgotten at once: \
                                   are small cycles really no problem?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "pairs",
            default: "2000000",
            unit: "pairs",
            range: "1 to 1000000000",
            meaning: "pairs made by each thread",
        },
        Parameter {
            name: "cyclic-percent",
            default: "50",
            unit: "%",
            range: "0 to 100",
            meaning: "pairs that are mutual, and so cycles; the others are one-sided",
        },
        Parameter {
            name: "words",
            default: "2",
            unit: "words of 8 bytes",
            range: "1 to 1024",
            meaning: "data in each person",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = C::Class;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("pairs", parameters.pairs, 1..=1_000_000_000)?;
        within("cyclic-percent", parameters.cyclic_percent.into(), 0..=100)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<C::Class, OutOfMemory> {
        Ok(program.class("Person", 1, parameters.words))
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        person: &C::Class,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        for _ in 0..parameters.pairs {
            let mutual = program.choices.percent(parameters.cyclic_percent);
            let alice = program.alloc(person)?;
            let bob = program.alloc(person)?;
            program.set(&alice, FRIEND, Some(&bob));
            if mutual {
                program.set(&bob, FRIEND, Some(&alice));
            }
            drop(bob);

            // Bob is met through Alice, and a mutual friend again through Bob.
            program.read(&alice);
            if let Some(bob) = alice.get(FRIEND) {
                program.read(&bob);
                if let Some(friend) = bob.get(FRIEND) {
                    program.glance(&friend);
                }
            }
        }
        Ok(())
    }

    fn predict(parameters: &Parameters, mut choices: Choices) -> Expected {
        let words = u64::from(parameters.words);
        let mut expected = Expected::default();
        for _ in 0..parameters.pairs {
            let mutual = choices.percent(parameters.cyclic_percent);
            let (alice, bob) = (choices.word(), choices.word());
            for person in [alice, bob] {
                expected.checksum = expected.checksum.wrapping_add(sum_of_words(person, words));
                if mutual {
                    expected.cyclic.add(1, words);
                }
            }
            if mutual {
                expected.checksum = expected.checksum.wrapping_add(alice);
            }
        }
        expected
    }
}
