//! A hot object: one object that all threads copy, load, store and drop references to.
//!
//! *Claim tested:* that an uncontended reference count says what counting costs. Programs have objects that every thread
//! uses all the time: `None`, a module, a configuration, a class. Where each use counts atomically, their one cache line
//! travels from core to core, and more threads get less done. Counts that are biased, deferred or immortal, and
//! collectors that do not count, are made for this case. Nothing here is cyclic, and nothing else is shared.
//!
//! In each round a thread copies its own root of the hot object, loads the reference from a shared slot, keeps all of
//! these for a moment, and stores one in an object of its own.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, Program, Workload,
    parameter::within, program::sum_of_words,
};

/// The slot of the holder, and of a thread's own objects, that holds the hot object.
const HOT: usize = 0;

/// The workload `hot-object`.
pub struct HotObject;

/// How often the object is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Rounds of each thread, in each of which it makes an object of its own.
    pub rounds: u64,
    /// Copies of a root made in each round.
    pub copies: u32,
    /// Loads from the shared slot in each round.
    pub loads: u32,
    /// Data words of each object.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { rounds: 1_000_000, copies: 8, loads: 8, words: 2 }
    }
}

/// What the threads share.
pub struct Setup<C: Manager> {
    own: C::Class,
    /// The hot object.
    hot: C::Shared,
    /// An object that refers to it.
    holder: C::Shared,
}

impl Workload for HotObject {
    const NAME: &'static str = "hot-object";
    const SUMMARY: &'static str = "all threads copy, load and drop references to one object: \
                                   does counting scale?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "rounds",
            default: "1000000",
            unit: "rounds",
            range: "1 to 1000000000",
            meaning: "rounds of each thread, in each of which it makes an object of its own",
        },
        Parameter {
            name: "copies",
            default: "8",
            unit: "references",
            range: "0 to 1000",
            meaning: "copies of a root made and dropped in each round",
        },
        Parameter {
            name: "loads",
            default: "8",
            unit: "references",
            range: "0 to 1000",
            meaning: "references loaded from the shared slot and dropped in each round",
        },
        Parameter {
            name: "words",
            default: "2",
            unit: "words of 8 bytes",
            range: "1 to 1024",
            meaning: "data in each object",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = Setup<C>;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("rounds", parameters.rounds, 1..=1_000_000_000)?;
        within("copies", parameters.copies.into(), 0..=1000)?;
        within("loads", parameters.loads.into(), 0..=1000)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Setup<C>, OutOfMemory> {
        let hot = program.class("Hot", 0, parameters.words);
        let holder = program.class("Holder", 1, 0);
        let (hot, holder) = (program.alloc(&hot)?, program.alloc(&holder)?);
        program.set(&holder, HOT, Some(&hot));
        let own = program.class("Own", 1, parameters.words);
        Ok(Setup { own, hot: program.share(&hot), holder: program.share(&holder) })
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Setup<C>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        let (hot, holder) = (program.adopt(&setup.hot), program.adopt(&setup.holder));
        program.read(&hot);
        let mut held = Vec::with_capacity((parameters.copies + parameters.loads) as usize);
        for _ in 0..parameters.rounds {
            held.extend((0..parameters.copies).map(|_| hot.clone()));
            for _ in 0..parameters.loads {
                held.extend(program.follow(&holder, HOT));
            }
            let own = program.alloc(&setup.own)?;
            program.set(&own, HOT, Some(held.last().unwrap_or(&hot)));
            held.clear();
            program.read(&own);
            program.follow(&own, HOT);
        }
        Ok(())
    }

    fn predict(parameters: &Parameters, mut choices: Choices) -> Expected {
        let words = u64::from(parameters.words);
        let hot = choices.common().word();
        let times = parameters.rounds * (u64::from(parameters.loads) + 1);
        let seen = sum_of_words(hot, words).wrapping_add(hot.wrapping_mul(times));
        let checksum = (0..parameters.rounds)
            .fold(seen, |sum, _| sum.wrapping_add(sum_of_words(choices.word(), words)));
        Expected { checksum, ..Expected::default() }
    }
}
