//! Random programs, and the model that says what a heap must hold after each of their steps.
//!
//! The model is a plain graph. It knows what is reachable, and what counting alone would still hold; between the two
//! lies what a collector may choose.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use collectors::{
    Amount, Class, Collector, Finalizers, Heap, Layout, Mutator, Reclaims, Root, Shared,
    object_bytes,
};
use proptest::prelude::*;

use crate::laws::settle;

/// How many roots a program has names for.
const VARIABLES: usize = 6;

/// Slots of each class: with a finalizer, plain, acyclic.
const SLOTS: [u32; 3] = [3, 2, 0];
const WITH_FINALIZER: usize = 0;

/// A step of a program. Variables and slots that do not exist make it do nothing.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Alloc { to: usize, class: usize, extra: u32 },
    Clear { variable: usize },
    Copy { from: usize, to: usize },
    Set { owner: usize, slot: usize, value: usize },
    SetNull { owner: usize, slot: usize },
    Get { owner: usize, slot: usize, to: usize },
    Swap { owner: usize, slot: usize, value: usize },
    Exchange { owner: usize, slot: usize, current: usize, new: usize },
    Share { from: usize },
    Adopt { which: usize, to: usize },
    Unshare { which: usize },
    Collect { generation: usize },
}

/// Any step; those that build are more frequent than those that tear down.
pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    let variable = || 0..VARIABLES;
    let slot = || 0..4_usize;
    // Now and then an object is too wide for its header, or for a block.
    let extra = prop_oneof![20 => Just(0_u32), 5 => 1..4_u32, 1 => Just(300), 1 => Just(5_000)];
    prop_oneof![
        8 => (variable(), 0..3_usize, extra).prop_map(|(to, class, extra)| Step::Alloc { to, class, extra }),
        3 => variable().prop_map(|variable| Step::Clear { variable }),
        2 => (variable(), variable()).prop_map(|(from, to)| Step::Copy { from, to }),
        10 => (variable(), slot(), variable()).prop_map(|(owner, slot, value)| Step::Set { owner, slot, value }),
        1 => (variable(), slot()).prop_map(|(owner, slot)| Step::SetNull { owner, slot }),
        4 => (variable(), slot(), variable()).prop_map(|(owner, slot, to)| Step::Get { owner, slot, to }),
        2 => (variable(), slot(), variable()).prop_map(|(owner, slot, value)| Step::Swap { owner, slot, value }),
        2 => (variable(), slot(), variable(), variable())
            .prop_map(|(owner, slot, current, new)| Step::Exchange { owner, slot, current, new }),
        1 => variable().prop_map(|from| Step::Share { from }),
        1 => (0..4_usize, variable()).prop_map(|(which, to)| Step::Adopt { which, to }),
        1 => (0..4_usize).prop_map(|which| Step::Unshare { which }),
        1 => (0..4_usize).prop_map(|generation| Step::Collect { generation }),
    ]
}

/// Runs `steps` on `heap` and on the model side by side.
///
/// # Panics
///
/// If they differ.
pub(crate) fn run<C: Collector>(heap: &Heap<C>, steps: &[Step]) {
    let mutator = heap.attach();
    let mut machine = Machine::new(heap, &mutator);
    for step in steps {
        machine.step(step);
        machine.compare();
    }
    machine.compare_graphs();
    mutator.check();
    machine.clear();
    settle(&mutator);
    mutator.check();
    machine.compare_end();
}

/// The program's state, in the heap and in the model.
struct Machine<'m, C: Collector> {
    mutator: &'m Mutator<C>,
    classes: [Class<C>; 3],
    variables: Vec<Option<(Root<'m, C>, usize)>>,
    shared: Vec<(Shared<C>, usize)>,
    model: Model,
    /// The numbers of objects that have been finalized since the last comparison.
    log: Arc<Mutex<Vec<u64>>>,
    finalized: HashSet<usize>,
}

/// What the heap should look like.
#[derive(Default)]
struct Model {
    objects: Vec<Node>,
    allocated: Amount,
    /// What counting alone would still hold.
    counted: Amount,
}

struct Node {
    slots: Vec<Option<usize>>,
    bytes: u64,
    count: u32,
    has_finalizer: bool,
}

impl<'m, C: Collector> Machine<'m, C> {
    fn new(heap: &Heap<C>, mutator: &'m Mutator<C>) -> Self {
        let log: Arc<Mutex<Vec<u64>>> = Arc::default();
        let entries = Arc::clone(&log);
        let layout = |name, slots| Layout::new(name).slots(slots).words(2);
        let logged = layout("Logged", SLOTS[0]).finalizer(move |object| {
            assert_eq!(object.word(1), !object.word(0), "a finalizer sees the object's words");
            for child in (0..object.slots()).filter_map(|slot| object.get(slot)) {
                assert_eq!(child.word(1), !child.word(0), "a finalizer sees its neighbours' words");
            }
            entries.lock().unwrap().push(object.word(0));
        });
        Self {
            mutator,
            classes: [
                heap.class(logged),
                heap.class(layout("Plain", SLOTS[1])),
                heap.class(layout("Leaf", SLOTS[2]).acyclic()),
            ],
            variables: (0..VARIABLES).map(|_| None).collect(),
            shared: Vec::new(),
            model: Model::default(),
            log,
            finalized: HashSet::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Alloc { to, class, extra } => self.alloc(to, class, extra),
            Step::Clear { variable } => self.assign(variable, None),
            Step::Copy { from, to } => {
                let copy = self.variables[from].clone();
                self.assign(to, copy);
            }
            Step::Set { owner, slot, value } => self.set(owner, slot, Some(value)),
            Step::SetNull { owner, slot } => self.set(owner, slot, None),
            Step::Get { owner, slot, to } => {
                let Some((root, owner)) = self.owner(owner, slot) else { return };
                let found = root.get(slot);
                let expected = self.model.objects[owner].slots[slot];
                self.assign(to, same_object(found, expected));
            }
            Step::Swap { owner, slot, value } => {
                let Some((root, owner)) = self.owner(owner, slot) else { return };
                let value = self.variables[value].clone();
                let before = root.swap(slot, value.as_ref().map(|(root, _)| root));
                let expected = self.model.objects[owner].slots[slot];
                same_object(before, expected);
                self.model.store(owner, slot, value.map(|(_, number)| number));
            }
            Step::Exchange { owner, slot, current, new } => {
                self.exchange(owner, slot, current, new)
            }
            Step::Share { from } => {
                if let Some((root, number)) = &self.variables[from] {
                    self.model.retain(*number);
                    self.shared.push((root.share(), *number));
                }
            }
            Step::Adopt { which, to } => {
                if let Some((shared, number)) = self.shared.get(which) {
                    let root = self.mutator.adopt(shared);
                    let adopted = same_object(Some(root), Some(*number));
                    self.assign(to, adopted);
                }
            }
            Step::Unshare { which } => {
                if which < self.shared.len() {
                    let (shared, number) = self.shared.swap_remove(which);
                    drop(shared);
                    self.model.release(number);
                    self.mutator.safepoint();
                }
            }
            Step::Collect { generation } => {
                self.mutator.collect_generation(generation);
            }
        }
    }

    fn alloc(&mut self, to: usize, class: usize, extra: u32) {
        // A leaf has no slots: that it is acyclic is a promise.
        let extra = if SLOTS[class] == 0 { 0 } else { extra };
        let root = self.mutator.alloc_with(&self.classes[class], extra).expect("there is no limit");
        let slots = SLOTS[class] + extra;
        assert_eq!(root.slots(), slots as usize);
        let bytes = object_bytes::<C>(slots.into(), 2);
        let number = self.model.add(slots as usize, bytes, class == WITH_FINALIZER);
        root.set_word(0, number as u64);
        root.set_word(1, !(number as u64));
        // The model's variable has counted the object already.
        self.model.objects[number].count = 0;
        self.assign(to, Some((root, number)));
    }

    /// Replaces variable `to`, whose model counts one more reference.
    fn assign(&mut self, to: usize, value: Option<(Root<'m, C>, usize)>) {
        if let Some((_, number)) = value {
            self.model.retain(number);
        }
        let before = std::mem::replace(&mut self.variables[to], value);
        if let Some((_, number)) = before {
            self.model.release(number);
        }
    }

    /// The object in variable `owner`, if it has slot `slot`.
    fn owner(&self, owner: usize, slot: usize) -> Option<(Root<'m, C>, usize)> {
        self.variables[owner].clone().filter(|(root, _)| slot < root.slots())
    }

    fn set(&mut self, owner: usize, slot: usize, value: Option<usize>) {
        let Some((root, owner)) = self.owner(owner, slot) else { return };
        let value = value.and_then(|value| self.variables[value].clone());
        root.set(slot, value.as_ref().map(|(root, _)| root));
        self.model.store(owner, slot, value.map(|(_, number)| number));
    }

    fn exchange(&mut self, owner: usize, slot: usize, current: usize, new: usize) {
        let Some((root, owner)) = self.owner(owner, slot) else { return };
        let [current, new] = [current, new].map(|variable| self.variables[variable].clone());
        let [current_root, new_root] =
            [&current, &new].map(|value| value.as_ref().map(|(root, _)| root));
        let done = root.compare_exchange(slot, current_root, new_root);
        let [current, new] = [current, new].map(|value| value.map(|(_, number)| number));
        assert_eq!(done, self.model.objects[owner].slots[slot] == current, "an exchange's answer");
        if done {
            self.model.store(owner, slot, new);
        }
    }

    /// Compares what is held, and what has been finalized.
    fn compare(&mut self) {
        let reachable = self.reachable();
        let held = self.mutator.heap().statistics().held();
        let alive = reachable.iter().fold(Amount::default(), |mut sum, &number| {
            sum += Amount { objects: 1, bytes: self.model.objects[number].bytes };
            sum
        });
        let counts = C::CAPABILITIES.finalizers == Finalizers::Immediate;
        let most = if counts { self.model.counted } else { self.model.allocated };
        match C::CAPABILITIES.reclaims {
            Reclaims::Nothing => assert_eq!(held, self.model.allocated),
            Reclaims::Acyclic if counts => assert_eq!(held, self.model.counted),
            Reclaims::Acyclic | Reclaims::Everything => {
                assert!(
                    alive.objects <= held.objects && alive.bytes <= held.bytes,
                    "{held:?}, {alive:?}"
                );
                assert!(
                    held.objects <= most.objects && held.bytes <= most.bytes,
                    "{held:?}, {most:?}"
                );
            }
        }
        for number in std::mem::take(&mut *self.log.lock().unwrap()) {
            let number = number as usize;
            assert!(self.finalized.insert(number), "object {number} was finalized twice");
            assert!(!reachable.contains(&number), "object {number} was finalized and is reachable");
        }
    }

    /// Compares all that the program can reach.
    fn compare_graphs(&self) {
        let variables = self.variables.iter().flatten().cloned();
        let shared =
            self.shared.iter().map(|(shared, number)| (self.mutator.adopt(shared), *number));
        let mut waiting: Vec<_> = variables.chain(shared).collect();
        let mut seen = HashSet::new();
        while let Some((root, number)) = waiting.pop() {
            assert_eq!((root.word(0), root.word(1)), (number as u64, !(number as u64)));
            if seen.insert(number) {
                for (slot, &child) in self.model.objects[number].slots.iter().enumerate() {
                    waiting.extend(same_object(root.get(slot), child));
                }
            }
        }
        assert_eq!(seen, self.reachable());
    }

    /// Drops everything.
    fn clear(&mut self) {
        for variable in 0..VARIABLES {
            self.assign(variable, None);
        }
        for (shared, number) in std::mem::take(&mut self.shared) {
            drop(shared);
            self.model.release(number);
        }
        self.mutator.safepoint();
    }

    /// Compares what is left when nothing is reachable, and who has been finalized.
    fn compare_end(&mut self) {
        self.compare();
        let held = self.mutator.heap().statistics().held();
        let must_be_finalized: HashSet<usize> = match C::CAPABILITIES.reclaims {
            Reclaims::Nothing => HashSet::new(),
            Reclaims::Acyclic => {
                assert_eq!(held, self.model.counted, "held but by cycles");
                self.model.with_finalizers(|node| node.count == 0)
            }
            Reclaims::Everything => {
                assert_eq!(held, Amount::default(), "held when nothing is reachable");
                self.model.with_finalizers(|_| true)
            }
        };
        assert_eq!(self.finalized, must_be_finalized);
    }

    fn reachable(&self) -> HashSet<usize> {
        let variables = self.variables.iter().flatten().map(|(_, number)| *number);
        let mut waiting: Vec<usize> =
            variables.chain(self.shared.iter().map(|(_, number)| *number)).collect();
        let mut seen = HashSet::new();
        while let Some(number) = waiting.pop() {
            if seen.insert(number) {
                waiting.extend(self.model.objects[number].slots.iter().flatten());
            }
        }
        seen
    }
}

/// What was found, if it is the object that was expected.
fn same_object<C: Collector>(
    found: Option<Root<'_, C>>,
    expected: Option<usize>,
) -> Option<(Root<'_, C>, usize)> {
    let number = found.as_ref().map(|root| root.word(0) as usize);
    assert_eq!(number, expected, "the number of the object found");
    found.zip(expected)
}

impl Model {
    fn add(&mut self, slots: usize, bytes: u64, has_finalizer: bool) -> usize {
        self.objects.push(Node { slots: vec![None; slots], bytes, count: 1, has_finalizer });
        self.allocated += Amount { objects: 1, bytes };
        self.counted += Amount { objects: 1, bytes };
        self.objects.len() - 1
    }

    fn retain(&mut self, number: usize) {
        self.objects[number].count += 1;
    }

    fn release(&mut self, number: usize) {
        let mut dropped = vec![number];
        while let Some(number) = dropped.pop() {
            let node = &mut self.objects[number];
            node.count -= 1;
            if node.count == 0 {
                self.counted.objects -= 1;
                self.counted.bytes -= node.bytes;
                dropped.extend(node.slots.iter().flatten());
            }
        }
    }

    fn store(&mut self, owner: usize, slot: usize, value: Option<usize>) {
        if let Some(value) = value {
            self.retain(value);
        }
        let before = std::mem::replace(&mut self.objects[owner].slots[slot], value);
        if let Some(before) = before {
            self.release(before);
        }
    }

    fn with_finalizers(&self, is_meant: impl Fn(&Node) -> bool) -> HashSet<usize> {
        let numbered = self.objects.iter().enumerate();
        let meant = numbered.filter(|(_, node)| node.has_finalizer && is_meant(node));
        meant.map(|(number, _)| number).collect()
    }
}
