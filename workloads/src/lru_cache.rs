//! A cache: a directory, a list in order of use, and keys of which few are asked for often.
//!
//! *Claim tested:* that objects die young or never. What a cache evicts is what has not been used for the longest time:
//! by then it is old, has survived every young collection, and only a full one finds it if it is cyclic. Every hit moves
//! an entry to the front of the list, so that old objects are written to all the time: six stores into objects of any
//! age, which is the work of a write barrier and, for counting, a dozen changes of counts that find nothing.
//!
//! Keys are asked for as Zipf says. A share of the values know their entry; evicted, they are cyclic garbage with it. The
//! cache as a whole is one large cycle, as every doubly linked list is.

use collectors::OutOfMemory;
use serde::{Deserialize, Serialize};

use crate::{
    Choices, Expected, Manager, Memory, Parameter, ParameterError, PlainMemory, Program, Reference,
    Workload, distributions::Zipf, memory::STRETCH, parameter::within,
};

/// The slots of an entry; the object at the ends of the list has the first two.
const NEWER: usize = 0;
const OLDER: usize = 1;
const VALUE: usize = 2;

/// The slot of a value that holds its entry, if it knows it.
const ENTRY: usize = 0;

/// The workload `lru-cache`.
pub struct LruCache;

/// How large the cache is and what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// Keys that can be asked for.
    pub keys: u32,
    /// Entries that the cache holds at most.
    pub capacity: u32,
    /// Requests made by each thread.
    pub requests: u64,
    /// Zipf's exponent, times 100.
    pub skew_percent: u32,
    /// Of 100 values, how many know their entry.
    pub cyclic_percent: u32,
    /// Data words of a value.
    pub words: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            keys: 50_000,
            capacity: 10_000,
            requests: 500_000,
            skew_percent: 80,
            cyclic_percent: 50,
            words: 8,
        }
    }
}

/// The classes of the workload, and how likely each key is.
pub struct Setup<C: Manager> {
    classes: Classes<C::Class>,
    keys: Zipf,
}

struct Classes<K> {
    directory: K,
    ends: K,
    entry: K,
    value: K,
}

impl Workload for LruCache {
    const NAME: &'static str = "lru-cache";
    const SUMMARY: &'static str = "a cache that evicts what was not used for the longest time: \
                                   what if objects die old?";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "keys",
            default: "50000",
            unit: "keys",
            range: "1 to 100000000",
            meaning: "keys that can be asked for, and slots of the directory",
        },
        Parameter {
            name: "capacity",
            default: "10000",
            unit: "entries",
            range: "1 to 100000000",
            meaning: "entries that the cache holds at most",
        },
        Parameter {
            name: "requests",
            default: "500000",
            unit: "requests",
            range: "1 to 1000000000",
            meaning: "requests made by each thread",
        },
        Parameter {
            name: "skew-percent",
            default: "80",
            unit: "%",
            range: "0 to 300",
            meaning: "the exponent of Zipf's law, times 100: 0 asks for all keys alike",
        },
        Parameter {
            name: "cyclic-percent",
            default: "50",
            unit: "%",
            range: "0 to 100",
            meaning: "values that know their entry, and so are a cycle with it",
        },
        Parameter {
            name: "words",
            default: "8",
            unit: "words of 8 bytes",
            range: "1 to 1024",
            meaning: "data in each value",
        },
    ];

    type Parameters = Parameters;
    type Setup<C: Manager> = Setup<C>;

    fn validate(parameters: &Parameters) -> Result<(), ParameterError> {
        within("keys", parameters.keys.into(), 1..=100_000_000)?;
        within("capacity", parameters.capacity.into(), 1..=100_000_000)?;
        within("requests", parameters.requests, 1..=1_000_000_000)?;
        within("skew-percent", parameters.skew_percent.into(), 0..=300)?;
        within("cyclic-percent", parameters.cyclic_percent.into(), 0..=100)?;
        within("words", parameters.words.into(), 1..=1024)
    }

    fn prepare<C: Manager>(
        program: &mut Program<'_, C>,
        parameters: &Parameters,
    ) -> Result<Setup<C>, OutOfMemory> {
        Ok(Setup { classes: Classes::new(program, parameters), keys: keys(parameters) })
    }

    fn play<C: Manager>(
        program: &mut Program<'_, C>,
        setup: &Setup<C>,
        parameters: &Parameters,
    ) -> Result<(), OutOfMemory> {
        play(program, &setup.classes, &setup.keys, parameters)
    }

    fn predict(parameters: &Parameters, choices: Choices) -> Expected {
        PlainMemory::play(choices, |memory| {
            let classes = Classes::new(memory, parameters);
            play(memory, &classes, &keys(parameters), parameters)
        })
    }
}

impl<K> Classes<K> {
    fn new<M: Memory<Class = K>>(memory: &mut M, parameters: &Parameters) -> Self {
        Self {
            directory: memory.class("Directory", 0, 0),
            ends: memory.class("Ends", 2, 0),
            // A word and the key.
            entry: memory.class("Entry", 3, 2),
            value: memory.class("Value", 1, parameters.words),
        }
    }
}

/// How likely each key is.
fn keys(parameters: &Parameters) -> Zipf {
    Zipf::new(parameters.keys as usize, f64::from(parameters.skew_percent) / 100.0)
}

/// Asks a cache for all that it is to be asked for, and reads what is left in it.
fn play<M: Memory>(
    memory: &mut M,
    classes: &Classes<M::Class>,
    keys: &Zipf,
    parameters: &Parameters,
) -> Result<(), OutOfMemory> {
    let mut cache = Cache::new(memory, classes, parameters)?;
    for _ in 0..parameters.requests {
        let key = keys.draw(memory.choices());
        cache.request(memory, key)?;
    }
    cache.read(memory);
    Ok(())
}

/// A cache on the heap.
struct Cache<'a, M: Memory> {
    classes: &'a Classes<M::Class>,
    parameters: &'a Parameters,
    /// By key the entry, if there is one.
    directory: M::Root,
    /// What closes the list to a circle: older than it is the newest entry, newer than it the oldest.
    ends: M::Root,
    size: u32,
}

impl<'a, M: Memory> Cache<'a, M> {
    fn new(
        memory: &mut M,
        classes: &'a Classes<M::Class>,
        parameters: &'a Parameters,
    ) -> Result<Self, OutOfMemory> {
        let directory = memory.alloc_with(&classes.directory, parameters.keys)?;
        let ends = memory.alloc(&classes.ends)?;
        Ok(Self { classes, parameters, directory, ends, size: 0 })
    }

    /// Finds the entry of `key`, or makes it in place of the one that was not used for the longest time.
    fn request(&mut self, memory: &mut M, key: usize) -> Result<(), OutOfMemory> {
        if let Some(entry) = memory.follow(&self.directory, key) {
            examine(memory, &entry);
            self.unlink(memory, &entry);
            self.put_first(memory, &entry);
            return Ok(());
        }
        if self.size == self.parameters.capacity {
            self.evict(memory);
        }
        let is_known = memory.choices().percent(self.parameters.cyclic_percent);
        let entry = memory.alloc_keyed(&self.classes.entry, key as u64)?;
        let value = memory.alloc(&self.classes.value)?;
        memory.set(&entry, VALUE, Some(&value));
        if is_known {
            memory.set(&value, ENTRY, Some(&entry));
        }
        memory.set(&self.directory, key, Some(&entry));
        self.put_first(memory, &entry);
        self.size += 1;
        Ok(())
    }

    /// Forgets the entry that was not used for the longest time.
    fn evict(&mut self, memory: &mut M) {
        let Some(oldest) = self.ends.get(NEWER) else { return };
        examine(memory, &oldest);
        self.unlink(memory, &oldest);
        let key = oldest.key() as usize;
        // A key that is none is seen in the checksum.
        if key < self.directory.slots() {
            memory.replace(&self.directory, key, None);
        }
        self.size -= 1;
    }

    /// Takes an entry out of the list.
    fn unlink(&self, memory: &mut M, entry: &M::Root) {
        let [newer, older] = [NEWER, OLDER].map(|side| {
            let neighbour = memory.swap(entry, side, None);
            if let Some(neighbour) = &neighbour {
                memory.glance(neighbour);
            }
            neighbour
        });
        // The ends are to the list what neighbours are to an entry.
        memory.replace(newer.as_ref().unwrap_or(&self.ends), OLDER, older.as_ref());
        memory.replace(older.as_ref().unwrap_or(&self.ends), NEWER, newer.as_ref());
    }

    /// Puts an entry that is not in the list at its front.
    fn put_first(&self, memory: &mut M, entry: &M::Root) {
        let newest = memory.swap(&self.ends, OLDER, Some(entry));
        if let Some(newest) = &newest {
            memory.glance(newest);
        }
        memory.set(entry, OLDER, newest.as_ref());
        memory.replace(newest.as_ref().unwrap_or(&self.ends), NEWER, Some(entry));
    }

    /// Reads all entries in their order, and the directory.
    fn read(&self, memory: &mut M) {
        let mut next = memory.follow(&self.ends, OLDER);
        memory.follow(&self.ends, NEWER);
        while let Some(entry) = next {
            examine(memory, &entry);
            memory.follow(&entry, NEWER);
            next = memory.follow(&entry, OLDER);
        }
        for key in 0..self.directory.slots() {
            memory.follow(&self.directory, key);
            if key.is_multiple_of(STRETCH) {
                memory.safepoint();
            }
        }
    }
}

/// Reads an entry and its value.
fn examine<M: Memory>(memory: &mut M, entry: &M::Root) {
    memory.read(entry);
    if let Some(value) = entry.get(VALUE) {
        memory.read(&value);
        memory.follow(&value, ENTRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_the_longest_time_is_evicted() {
        let parameters = Parameters { keys: 5, capacity: 3, ..Parameters::default() };
        PlainMemory::play(Choices::new(1, 0), |memory| {
            let classes = Classes::new(memory, &parameters);
            let mut cache = Cache::new(memory, &classes, &parameters)?;
            let asked = [0, 1, 2, 0, 3, 0, 4, 4];
            let held = asked.map(|key| {
                cache.request(memory, key).unwrap();
                let is_held = |key: &usize| cache.directory.get(*key).is_some();
                (0..5).filter(is_held).collect::<Vec<_>>()
            });
            let expected: [&[usize]; 8] = [
                &[0],
                &[0, 1],
                &[0, 1, 2],
                &[0, 1, 2],
                &[0, 2, 3],
                &[0, 2, 3],
                &[0, 3, 4],
                &[0, 3, 4],
            ];
            assert_eq!(held.each_ref().map(Vec::as_slice), expected);
            Ok(())
        });
    }
}
