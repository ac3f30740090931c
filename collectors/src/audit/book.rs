//! The book: the program's graph as the program made it, whatever the collector believes.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use super::{
    Violation,
    curve::Happenings,
    findings::{Drag, Findings},
    history::{Change, History, Holder, Told},
    merlin::{Dead, death_times},
};
use crate::{
    Amount, Header, Reclaims,
    heap::{
        Object,
        quarantine::{Moment, Quarantine},
        share::Share,
        space::Space,
    },
};

/// A slot that refers to nothing.
const NOTHING: u32 = u32::MAX;

/// Operations between two steps, at least.
const OPERATIONS_A_STEP: u64 = 1 << 16;

/// The same for a heap that collects at every opportunity.
const OPERATIONS_A_STRESSED_STEP: u64 = 32;

/// Operations between two steps, for each object in the book: so that a step costs each operation next to nothing.
const OPERATIONS_PER_OBJECT: u64 = 4;

/// What is known of every object that has not both died and been freed.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) entries: Vec<Entry>,
    /// Entries that stand for nothing.
    vacant: Vec<u32>,
    by_address: HashMap<usize, u32, BuildHasherDefault<AddressHasher>>,
    /// The classes' names, by number.
    classes: Vec<String>,
    now: Moment,
    /// The operation at which the next step is due.
    next_step: u64,
    operations_a_step: u64,
    allocated: Amount,
    freed: Amount,
    happenings: Happenings,
    /// By the logarithm of the drag.
    drag: [Amount; 65],
    /// Bytes times bytes allocated in between: how long the freed floated, and how long the dead lived.
    floated: u128,
    lived: u128,
    violation: Option<Violation>,
}

/// What is known of one object.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its address; 0 if the entry is vacant.
    pub(super) address: usize,
    /// Its number: objects are numbered as they are made.
    pub(super) number: u64,
    pub(super) class: u32,
    /// Roots and shared handles that refer to it.
    pub(super) roots: u32,
    pub(super) bytes: u64,
    pub(super) slots: Box<[u32]>,
    born: Change,
    gained: Change,
    lost: Option<Change>,
    pub(super) died: Option<Moment>,
    pub(super) freed: Option<Moment>,
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            vacant: Vec::new(),
            by_address: HashMap::default(),
            classes: vec![String::new()],
            now: Moment::default(),
            next_step: 0,
            operations_a_step: OPERATIONS_A_STEP,
            allocated: Amount::default(),
            freed: Amount::default(),
            happenings: Happenings::new(),
            drag: [Amount::default(); 65],
            floated: 0,
            lived: 0,
            violation: None,
        }
    }

    /// The heap collects at every opportunity: so does the audit look.
    pub(super) fn stress(&mut self) {
        self.operations_a_step = OPERATIONS_A_STRESSED_STEP;
    }

    pub(super) fn name_class(&mut self, number: u32, name: &str) {
        let number = number as usize;
        if self.classes.len() <= number {
            self.classes.resize(number + 1, String::new());
        }
        name.clone_into(&mut self.classes[number]);
    }

    /// An operation begins.
    ///
    /// # Errors
    ///
    /// If the run has ended by a violation.
    pub(super) fn begin(&mut self, quarantine: &Quarantine) -> Result<(), Violation> {
        if let Some(violation) = &self.violation {
            return Err(violation.clone());
        }
        self.take_in(quarantine)?;
        self.now.operation += 1;
        quarantine.set_now(self.now);
        Ok(())
    }

    /// An operation ends; now and then with a step.
    pub(super) fn end<H: Header>(&mut self, space: &Space) -> Result<(), Violation> {
        if self.now.operation >= self.next_step { self.step::<H>(space) } else { Ok(()) }
    }

    /// Whatever has been freed and has died is known and given back.
    pub(super) fn settle<H: Header>(&mut self, space: &Space) -> Result<(), Violation> {
        match &self.violation {
            Some(violation) => Err(violation.clone()),
            None => self.step::<H>(space),
        }
    }

    /// Remembers what ends the run.
    pub(super) fn ended_by(&mut self, message: String) -> Violation {
        self.violation.get_or_insert(Violation(message)).clone()
    }

    /// An object was made for a root of `mutator`.
    pub(super) fn allocated(
        &mut self,
        address: usize,
        class: u32,
        (slots, bytes): (usize, u64),
        mutator: u32,
        quarantine: &Quarantine,
    ) {
        self.happenings.born(self.now.bytes, bytes);
        self.allocated += Amount { objects: 1, bytes };
        self.now.bytes = self.allocated.bytes;
        quarantine.set_now(self.now);
        let born = Change { at: self.now, holder: Holder::Root(mutator) };
        let entry = Entry {
            address,
            number: self.allocated.objects,
            class,
            roots: 1,
            bytes,
            slots: vec![NOTHING; slots].into_boxed_slice(),
            born,
            gained: born,
            lost: None,
            died: None,
            freed: None,
        };
        let index = self.vacant.pop().unwrap_or(self.entries.len() as u32);
        if index as usize == self.entries.len() {
            self.entries.push(entry);
        } else {
            self.entries[index as usize] = entry;
        }
        let before = self.by_address.insert(address, index);
        assert!(before.is_none(), "a cell in use or in quarantine was handed out at {address:#x}");
    }

    /// The entry of an object that `mutator` uses.
    ///
    /// # Errors
    ///
    /// If it has been freed.
    pub(super) fn used(&mut self, address: usize, mutator: u32) -> Result<u32, Violation> {
        let Some(&index) = self.by_address.get(&address) else {
            let message = format!(
                "mutator {mutator} uses {address:#x} in {}, where no object is",
                Told(self.now)
            );
            return Err(self.ended_by(message));
        };
        if self.entries[index as usize].freed.is_some() {
            let history = self.history(index);
            let message = format!(
                "mutator {mutator} uses an object after it was freed, in {}: {history}{}",
                Told(self.now),
                self.story_of_loss(index),
            );
            return Err(self.ended_by(message));
        }
        Ok(index)
    }

    /// A slot does not hold what it should.
    pub(super) fn wrong_slot(
        &mut self,
        owner: u32,
        slot: usize,
        found: Option<usize>,
    ) -> Violation {
        let expected = self.slot(owner, slot).map(|object| self.history(object).to_string());
        let message = format!(
            "slot {slot} holds {} in {}, expected {}; it is a slot of {}",
            found.map_or("nothing".to_owned(), |address| format!("{address:#x}")),
            Told(self.now),
            expected.unwrap_or("nothing".to_owned()),
            self.history(owner),
        );
        self.ended_by(message)
    }

    /// A compare-and-exchange was done and should not have been, or the other way round.
    pub(super) fn wrong_exchange(&mut self, owner: u32, slot: usize, should: bool) -> Violation {
        let message = format!(
            "slot {slot} was {} in {}; it is a slot of {}",
            if should {
                "not exchanged though it held what was asked for"
            } else {
                "exchanged though it held something else"
            },
            Told(self.now),
            self.history(owner),
        );
        self.ended_by(message)
    }

    /// A root or shared handle refers to `object` from now on.
    pub(super) fn root_gained(&mut self, object: u32, holder: Holder) {
        let at = self.now;
        let entry = &mut self.entries[object as usize];
        entry.roots += 1;
        entry.gained = Change { at, holder };
        if entry.died.is_some() {
            self.revive(object);
        }
    }

    /// A root refers to it no more.
    pub(super) fn root_lost(&mut self, object: u32, mutator: u32) {
        let at = self.now;
        let entry = &mut self.entries[object as usize];
        entry.roots -= 1;
        entry.lost = Some(Change { at, holder: Holder::Root(mutator) });
    }

    /// The object that a slot refers to.
    pub(super) fn slot(&self, owner: u32, slot: usize) -> Option<u32> {
        let object = self.entries[owner as usize].slots[slot];
        (object != NOTHING).then_some(object)
    }

    /// The address of an object.
    pub(super) fn address(&self, object: u32) -> usize {
        self.entries[object as usize].address
    }

    /// A slot refers to something else from now on.
    pub(super) fn slot_changed(&mut self, owner: u32, slot: usize, value: Option<u32>) {
        let at = self.now;
        let entry = &mut self.entries[owner as usize];
        let number = entry.number;
        let before = std::mem::replace(&mut entry.slots[slot], value.unwrap_or(NOTHING));
        let change = Change { at, holder: Holder::Slot { owner: number, slot: slot as u32 } };
        if before != NOTHING {
            self.entries[before as usize].lost = Some(change);
        }
        if let Some(value) = value {
            self.entries[value as usize].gained = change;
        }
    }

    /// Enters what has been freed since the last time.
    ///
    /// # Errors
    ///
    /// If an object was freed twice.
    pub(super) fn take_in(&mut self, quarantine: &Quarantine) -> Result<(), Violation> {
        for cell in quarantine.take() {
            let index = self.by_address[&cell.address];
            let entry = &mut self.entries[index as usize];
            if entry.freed.is_some() {
                let history = self.history(index);
                let message =
                    format!("an object was freed again in {}: {history}", Told(cell.freed));
                return Err(self.ended_by(message));
            }
            entry.freed = Some(cell.freed);
            self.freed += Amount { objects: 1, bytes: entry.bytes };
            self.happenings.freed(cell.freed.bytes, entry.bytes);
        }
        Ok(())
    }

    /// Tests that the heap has the objects that the book says it has.
    ///
    /// # Panics
    ///
    /// If it has others, or fewer.
    pub(super) fn check(&self, addresses: impl Iterator<Item = usize>) {
        let mut found = 0_u64;
        for address in addresses {
            let index = self.by_address.get(&address).copied();
            let is_held = index.is_some_and(|index| self.entries[index as usize].freed.is_none());
            assert!(is_held, "the heap has an object at {address:#x} that the book has not");
            found += 1;
        }
        assert_eq!(found, self.allocated.objects - self.freed.objects, "objects in heap and book");
    }

    /// Finds out what has died and when, tests that nothing was freed before, and gives back what was freed.
    fn step<H: Header>(&mut self, space: &Space) -> Result<(), Violation> {
        let quarantine = space.quarantine.as_ref().expect("an audited heap has a quarantine");
        self.take_in(quarantine)?;
        let is_reached = self.trace()?;
        let unreachable = self.entries.iter().zip(0_u32..).filter_map(|(entry, index)| {
            let is_candidate =
                entry.address != 0 && entry.died.is_none() && !is_reached[index as usize];
            is_candidate.then(|| (index, entry.lost.map_or(entry.born.at, |lost| lost.at)))
        });
        let dead = death_times(unreachable.collect(), self.entries.len(), |index| {
            &self.entries[index as usize].slots
        });
        for Dead { index, died, cut } in dead {
            let entry = &mut self.entries[index as usize];
            entry.died = Some(died);
            if entry.freed.is_some_and(|freed| freed < died) {
                let (history, story) = (self.history(index), self.story_of_loss(cut));
                let message = format!("an object was freed before it died: {history}{story}");
                return Err(self.ended_by(message));
            }
            self.lived += u128::from(entry.bytes) * u128::from(died.bytes - entry.born.at.bytes);
            self.happenings.died(died.bytes, entry.bytes);
        }
        for address in self.retire() {
            // SAFETY: the heap buried the cell and put it in quarantine, which has handed it over once.
            let cell = unsafe { Object::<H>::at(address) };
            // SAFETY: as above; the trace has shown that nothing refers to it.
            unsafe { Share::<H>::give_back(space, cell) };
        }
        let objects = self.by_address.len() as u64;
        let pause = self.operations_a_step.max(objects * OPERATIONS_PER_OBJECT);
        // A stressed heap is small, and is looked at as often as it can be.
        let is_stressed = self.operations_a_step == OPERATIONS_A_STRESSED_STEP;
        self.next_step =
            self.now.operation + if is_stressed { self.operations_a_step } else { pause };
        Ok(())
    }

    /// Which objects can be reached from roots.
    fn trace(&mut self) -> Result<Vec<bool>, Violation> {
        let mut is_reached = vec![false; self.entries.len()];
        let mut reached: Vec<u32> = Vec::new();
        let rooted = |(entry, index): (&Entry, u32)| (entry.roots > 0).then_some((NOTHING, index));
        let mut edges: Vec<(u32, u32)> =
            self.entries.iter().zip(0_u32..).filter_map(rooted).collect();
        loop {
            for (holder, object) in edges.drain(..) {
                if std::mem::replace(&mut is_reached[object as usize], true) {
                    continue;
                }
                let entry = &self.entries[object as usize];
                assert!(
                    entry.died.is_none() || entry.freed.is_some(),
                    "what has died is not reached"
                );
                if entry.freed.is_some() {
                    let history = self.history(object);
                    let by = match self.entries.get(holder as usize) {
                        Some(_) => format!("is still referred to by {}", self.history(holder)),
                        None => "is still a root's".to_owned(),
                    };
                    let message = format!(
                        "an object was freed that can still be reached: {history}; it {by}"
                    );
                    return Err(self.ended_by(message));
                }
                reached.push(object);
            }
            let Some(object) = reached.pop() else { return Ok(is_reached) };
            let slots = self.entries[object as usize].slots.iter();
            edges.extend(slots.filter(|&&child| child != NOTHING).map(|&child| (object, child)));
        }
    }

    /// Strikes the entries of objects that have died and been freed; gives their addresses.
    fn retire(&mut self) -> Vec<usize> {
        let is_gone = |entry: &Entry| entry.died.is_some() && entry.freed.is_some();
        let gone: Vec<bool> = self.entries.iter().map(is_gone).collect();
        // Their indices will be used again, so the dead that stay must forget them.
        for entry in self.entries.iter_mut().filter(|entry| entry.died.is_some()) {
            for slot in entry.slots.iter_mut().filter(|slot| **slot != NOTHING) {
                if gone[*slot as usize] {
                    *slot = NOTHING;
                }
            }
        }
        let mut addresses = Vec::new();
        for (index, _) in gone.iter().enumerate().filter(|(_, is_gone)| **is_gone) {
            let entry = &mut self.entries[index];
            let address = std::mem::take(&mut entry.address);
            entry.slots = Box::default();
            let (died, freed) = (entry.died.take(), entry.freed.take());
            let drag = freed.unwrap_or_default().bytes - died.unwrap_or_default().bytes;
            let bucket = drag.checked_ilog2().map_or(0, |logarithm| logarithm as usize + 1);
            self.drag[bucket] += Amount { objects: 1, bytes: entry.bytes };
            self.floated += u128::from(entry.bytes) * u128::from(drag);
            self.by_address.remove(&address);
            self.vacant.push(index as u32);
            addresses.push(address);
        }
        addresses
    }

    /// A finalizer has got hold of a dead object: it is alive again, and all that it refers to.
    fn revive(&mut self, object: u32) {
        let mut reached = vec![object];
        while let Some(object) = reached.pop() {
            let entry = &mut self.entries[object as usize];
            if let Some(died) = entry.died.take() {
                self.lived -=
                    u128::from(entry.bytes) * u128::from(died.bytes - entry.born.at.bytes);
                self.happenings.revived(died.bytes, entry.bytes);
                reached.extend(entry.slots.iter().copied().filter(|&child| child != NOTHING));
            }
        }
    }

    /// What is known now; a step has just been made.
    pub(super) fn findings(&self, reclaims: Reclaims) -> Findings {
        let (mut live, mut floating) = (Amount::default(), Amount::default());
        let (mut lived, mut floated) = (self.lived, self.floated);
        let now = self.now.bytes;
        for entry in self.entries.iter().filter(|entry| entry.address != 0) {
            let amount = Amount { objects: 1, bytes: entry.bytes };
            match entry.died {
                Some(died) => {
                    floating += amount;
                    floated += u128::from(entry.bytes) * u128::from(now - died.bytes);
                }
                None => {
                    live += amount;
                    lived += u128::from(entry.bytes) * u128::from(now - entry.born.at.bytes);
                }
            }
        }
        let mut structural = Amount::default();
        for index in self.unreclaimable(reclaims) {
            structural += Amount { objects: 1, bytes: self.entries[index as usize].bytes };
        }
        let mean = |integral: u128| (integral / u128::from(now.max(1))) as u64;
        let curve = self.happenings.curve();
        let most = |of: fn(&super::CurvePoint) -> u64| curve.points.iter().map(of).max();
        Findings {
            allocated: self.allocated,
            freed: self.freed,
            live,
            live_mean: mean(lived),
            live_peak: most(|point| point.live.bytes).unwrap_or_default(),
            floating,
            floating_mean: mean(floated),
            floating_peak: most(|point| point.held.bytes.saturating_sub(point.live.bytes))
                .unwrap_or_default(),
            structural,
            drag: drags(&self.drag),
            curve,
        }
    }

    pub(super) fn class_name(&self, number: u32) -> &str {
        &self.classes[number as usize]
    }

    pub(super) fn history(&self, index: u32) -> History<'_> {
        let entry = &self.entries[index as usize];
        History {
            number: entry.number,
            class: self.class_name(entry.class),
            bytes: entry.bytes,
            born: entry.born,
            gained: entry.gained,
            lost: entry.lost,
            died: entry.died,
            freed: entry.freed,
            count: None,
        }
    }

    /// The history of whoever gave up the last reference to an object, if that was an object.
    fn story_of_loss(&self, object: u32) -> String {
        let Some(Change { holder: Holder::Slot { owner, .. }, .. }) =
            self.entries[object as usize].lost
        else {
            return String::new();
        };
        let holder = self.entries.iter().position(|entry| entry.number == owner);
        let told =
            holder.map(|index| format!("\nthe reference was of {}", self.history(index as u32)));
        told.unwrap_or_default()
    }
}

fn drags(buckets: &[Amount; 65]) -> Vec<Drag> {
    let at_most = |bucket: u32| 1_u64.checked_shl(bucket).map_or(u64::MAX, |end| end - 1);
    let full = buckets.iter().zip(0_u32..).filter(|(amount, _)| amount.objects > 0);
    full.map(|(&amount, bucket)| Drag { at_most: at_most(bucket), amount }).collect()
}

/// Addresses are multiples of 8 and irregular above: a multiplication mixes them well enough.
#[derive(Debug, Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_usize(usize::from(byte) ^ self.0 as usize);
        }
    }

    fn write_usize(&mut self, address: usize) {
        let mixed = (address as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}
