//! Broken collectors, to show that the audit catches them and leads to the place.
//!
//! Each is pure reference counting with one mistake. The quarantine keeps the memory of whatever is freed too early, so
//! nothing undefined happens before the audit ends the run.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde::{Deserialize, Serialize};

use super::{Audited, Leaks};
use crate::{
    Amount, Capabilities, Class, Collected, Collector, Heap, Layout, Mutator, Options, OutOfMemory,
    Setting, SettingsError,
    collector::{Inspection, Local},
    counts::{Count, Dropped, atomic::AtomicCount},
    generational::Generational,
    heap::{Kind, Object, Seat},
    refcount::{RefCount, RefCountLocal},
    threads::sync::Arc,
    triggers::Fixed,
};

type Counted = Object<AtomicCount>;

/// What a collector does wrong, once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Mistake {
    #[default]
    None,
    /// When the first root of an object with two references is dropped, it is freed.
    FreesTooEarly,
    /// The first object that dies is not freed.
    ForgetsAnObject,
    /// The first reference that is stored counts as two.
    CountsAnEdgeTwice,
    /// The first store does not reach the slot.
    LosesAStore,
}

/// Reference counting with a mistake.
#[derive(Debug)]
struct Broken {
    sound: Arc<RefCount>,
    mistake: Mistake,
}

struct BrokenLocal {
    sound: RefCountLocal,
    mistake: Cell<Mistake>,
}

impl Collector for Broken {
    const NAME: &'static str = "broken";
    const SUMMARY: &'static str = "reference counting with a mistake";
    const PAPER: &'static str = RefCount::PAPER;
    const CAPABILITIES: Capabilities = RefCount::CAPABILITIES;
    const SETTINGS: &'static [Setting] = &[];

    type Settings = Mistake;
    type Header = AtomicCount;
    type Local = BrokenLocal;

    fn new(mistake: Mistake) -> Result<Self, SettingsError> {
        Ok(Self { sound: Arc::new(RefCount), mistake })
    }

    fn attach(self: &Arc<Self>, seat: Seat<AtomicCount>) -> BrokenLocal {
        BrokenLocal { sound: self.sound.attach(seat), mistake: Cell::new(self.mistake) }
    }

    fn check(&self, _: &Inspection<'_, AtomicCount>) {}
}

impl BrokenLocal {
    /// Whether the mistake is this one, and has not been made yet.
    fn makes(&self, mistake: Mistake) -> bool {
        let is_due = self.mistake.get() == mistake;
        if is_due {
            self.mistake.set(Mistake::None);
        }
        is_due
    }
}

// SAFETY: it does not keep the promise; what it frees too early stays in quarantine, so nothing is read that is not there.
unsafe impl Local<AtomicCount> for BrokenLocal {
    type Handle = Counted;

    fn seat(&self) -> &Seat<AtomicCount> {
        Local::seat(&self.sound)
    }

    fn poll(&self, kind: &Kind) -> bool {
        self.sound.poll(kind)
    }

    fn attend(&self) {
        self.sound.attend();
    }

    fn allocate(&self, kind: &Kind) -> Result<Counted, OutOfMemory> {
        self.sound.allocate(kind)
    }

    unsafe fn object(&self, root: Counted) -> Counted {
        root
    }

    unsafe fn retain(&self, root: Counted) -> Counted {
        // SAFETY: by our caller.
        unsafe { self.sound.retain(root) }
    }

    unsafe fn release(&self, root: Counted) {
        let count = root.header().references();
        if count == 2 && self.makes(Mistake::FreesTooEarly) {
            // SAFETY: there is none: this is the mistake.
            unsafe { Local::seat(self).free(root) };
        } else if count == 1 && self.makes(Mistake::ForgetsAnObject) {
            assert_eq!(root.header().decrement(), Dropped::Dead);
        } else {
            // SAFETY: by our caller.
            unsafe { Local::release(&self.sound, root) };
        }
    }

    unsafe fn load(&self, owner: Counted, slot: usize) -> Option<Counted> {
        // SAFETY: by our caller.
        unsafe { self.sound.load(owner, slot) }
    }

    unsafe fn store(&self, owner: Counted, slot: usize, value: Option<Counted>) {
        if let Some(value) = value
            && self.makes(Mistake::CountsAnEdgeTwice)
        {
            value.header().increment();
        }
        if !self.makes(Mistake::LosesAStore) {
            // SAFETY: by our caller.
            unsafe { self.sound.store(owner, slot, value) };
        }
    }

    unsafe fn swap(&self, owner: Counted, slot: usize, value: Option<Counted>) -> Option<Counted> {
        // SAFETY: by our caller.
        unsafe { self.sound.swap(owner, slot, value) }
    }

    unsafe fn compare_exchange(
        &self,
        owner: Counted,
        slot: usize,
        current: Option<Counted>,
        new: Option<Counted>,
    ) -> bool {
        // SAFETY: by our caller.
        unsafe { self.sound.compare_exchange(owner, slot, current, new) }
    }

    unsafe fn surrender(&self, root: Counted) -> Counted {
        root
    }

    unsafe fn reclaim(&self, object: Counted) -> Counted {
        object
    }

    fn collect(&self, generation: usize) -> Collected {
        self.sound.collect(generation)
    }

    fn next_finalizer(&self) -> Option<Counted> {
        self.sound.next_finalizer()
    }
}

fn heap<C: Collector>(settings: C::Settings) -> (Heap<Audited<C>>, Class<Audited<C>>) {
    let heap = Heap::new(settings, Options::default()).unwrap();
    let class = heap.class(Layout::new("Node").slots(2).words(1));
    (heap, class)
}

/// What the audit says of a program under the broken collector: when it notices, or else when it is asked.
fn caught(
    mistake: Mistake,
    program: impl Fn(&Mutator<Audited<Broken>>, &Class<Audited<Broken>>),
) -> String {
    let (heap, class) = heap::<Broken>(mistake);
    let noticed = catch_unwind(AssertUnwindSafe(|| program(&heap.attach(), &class)));
    match noticed {
        Err(panic) => *panic.downcast::<String>().expect("the audit's message"),
        Ok(()) => heap.findings().expect_err("nothing was found").to_string(),
    }
}

#[test]
fn what_is_freed_too_early_is_noticed_when_it_is_used() {
    let message = caught(Mistake::FreesTooEarly, |mutator, node| {
        let (parent, child) = (mutator.alloc(node).unwrap(), mutator.alloc(node).unwrap());
        parent.set(1, Some(&child));
        drop(child);
        parent.get(1);
    });
    for part in [
        "audit: mutator 0 uses an object after it was freed",
        "object 2, a `Node` of 32 bytes: made for a root of mutator 0, in operation 2 (64 bytes allocated)",
        "last gained slot 1 of object 1, in operation 3",
        "last lost a root of mutator 0, in operation 4",
        "freed in operation 4",
    ] {
        assert!(message.contains(part), "`{part}` is not in `{message}`");
    }
}

#[test]
fn what_is_freed_too_early_is_noticed_though_nobody_uses_it() {
    let message = caught(Mistake::FreesTooEarly, |mutator, node| {
        let (parent, child) = (mutator.alloc(node).unwrap(), mutator.alloc(node).unwrap());
        parent.set(1, Some(&child));
        drop(child);
        // The parent's root stays, and with it the reference.
        std::mem::forget(parent);
    });
    for part in [
        "audit: an object was freed that can still be reached: object 2",
        "freed in operation 4",
        "it is still referred to by object 1, a `Node`",
    ] {
        assert!(message.contains(part), "`{part}` is not in `{message}`");
    }
}

#[test]
fn what_was_freed_too_early_is_noticed_after_its_death() {
    let message = caught(Mistake::FreesTooEarly, |mutator, node| {
        let (parent, child) = (mutator.alloc(node).unwrap(), mutator.alloc(node).unwrap());
        parent.set(1, Some(&child));
        drop(child);
        parent.set(1, None);
    });
    for part in [
        "audit: an object was freed before it died: object 2",
        "died in operation 5",
        "freed in operation 4",
        "the reference was of object 1, a `Node`",
    ] {
        assert!(message.contains(part), "`{part}` is not in `{message}`");
    }
}

#[test]
fn a_forgotten_object_is_a_protocol_leak_and_is_named() {
    let (heap, node) = heap::<Broken>(Mistake::ForgetsAnObject);
    let mutator = heap.attach();
    let (parent, child) = (mutator.alloc(&node).unwrap(), mutator.alloc(&node).unwrap());
    parent.set(0, Some(&child));
    drop(child);
    drop(parent);
    mutator.collect();
    let findings = heap.findings().unwrap();
    assert_eq!(findings.live, Amount::default());
    assert_eq!(findings.floating, Amount { objects: 2, bytes: 64 });
    assert_eq!(Leaks::between(&findings, &findings).protocol, findings.floating);
    let forgotten = heap.forgotten(1);
    assert!(
        forgotten[0].starts_with("object 1, a `Node` of 32 bytes")
            && forgotten[0].contains("died in operation 5")
            && forgotten[0].contains("never freed; its count is 1; nothing dead refers to it"),
        "{forgotten:?}"
    );
}

#[test]
fn an_edge_that_counts_twice_is_a_protocol_leak_and_is_named() {
    let (heap, node) = heap::<Broken>(Mistake::CountsAnEdgeTwice);
    let mutator = heap.attach();
    let (parent, child) = (mutator.alloc(&node).unwrap(), mutator.alloc(&node).unwrap());
    parent.set(1, Some(&child));
    drop(child);
    drop(parent);
    let findings = heap.findings().unwrap();
    assert_eq!(findings.floating, Amount { objects: 1, bytes: 32 });
    assert_eq!(findings.structural, Amount::default());
    let forgotten = heap.forgotten(9);
    assert_eq!(forgotten.len(), 1);
    assert!(
        forgotten[0].contains("last gained slot 1 of object 1, in operation 3")
            && forgotten[0].ends_with("its count is 1; nothing dead refers to it"),
        "{forgotten:?}"
    );
}

#[test]
fn a_store_that_is_lost_is_noticed_when_the_slot_is_read() {
    let message = caught(Mistake::LosesAStore, |mutator, node| {
        let (parent, child) = (mutator.alloc(node).unwrap(), mutator.alloc(node).unwrap());
        parent.set(0, Some(&child));
        parent.get(0);
    });
    assert!(
        message.contains("slot 0 holds nothing in operation 4")
            && message.contains("expected object 2"),
        "{message}"
    );
}

#[test]
fn a_sound_collector_passes_with_the_same_program() {
    let (heap, node) = heap::<Broken>(Mistake::None);
    let mutator = heap.attach();
    let (parent, child) = (mutator.alloc(&node).unwrap(), mutator.alloc(&node).unwrap());
    parent.set(1, Some(&child));
    drop((child, parent));
    let findings = heap.findings().unwrap();
    assert_eq!((findings.freed.objects, findings.floating.objects), (2, 0));
}

/// Two friends and a book that only one of them has, all forgotten.
fn friends<C: Collector>() -> Heap<Audited<C>> {
    let (heap, node) = heap::<C>(C::Settings::default());
    let mutator = heap.attach();
    let new = || mutator.alloc(&node).unwrap();
    let (alice, bob, book) = (new(), new(), new());
    alice.set(0, Some(&bob));
    bob.set(0, Some(&alice));
    bob.set(1, Some(&book));
    drop((alice, bob, book));
    drop(mutator);
    heap
}

#[test]
fn a_cycle_and_what_it_holds_leak_structurally_under_counting() {
    let heap = friends::<RefCount>();
    let findings = heap.findings().unwrap();
    let all = Amount { objects: 3, bytes: 96 };
    assert_eq!((findings.floating, findings.structural), (all, all));
    assert!(heap.forgotten(9).is_empty());
}

#[test]
fn a_cycle_that_no_collection_has_looked_for_leaks_by_policy() {
    let heap = friends::<Generational<Fixed>>();
    let at_end = heap.findings().unwrap();
    heap.attach().collect();
    let leaks = Leaks::between(&at_end, &heap.findings().unwrap());
    let expected = Leaks { policy: Amount { objects: 3, bytes: 96 }, ..Leaks::default() };
    assert_eq!(leaks, expected);
}

#[test]
fn drag_is_what_was_allocated_between_death_and_end() {
    let heap = friends::<Generational<Fixed>>();
    let mutator = heap.attach();
    let filler = heap.class(Layout::new("Filler").words(10));
    // An object of 88 bytes that dies at once.
    drop(mutator.alloc(&filler).unwrap());
    mutator.collect();
    let findings = heap.findings().unwrap();
    let told: Vec<_> =
        findings.drag.iter().map(|drag| (drag.at_most, drag.amount.objects)).collect();
    assert_eq!(told, [(0, 1), (127, 3)]);
    // 96 bytes floated while 88 of all 184 were allocated.
    assert_eq!(findings.floating_mean, 96 * 88 / 184);
}

#[test]
fn what_a_finalizer_keeps_has_not_died() {
    let heap = Heap::<Audited<RefCount>>::new(
        Default::default(),
        Options { stress: Some(1), ..Options::default() },
    )
    .unwrap();
    let keeper = heap.class(Layout::new("Keeper").slots(1));
    let node = Layout::new("Node").slots(1);
    let node = heap.class(node.finalizer(|dying| {
        let keeper = dying.get(0).expect("every node knows the keeper");
        dying.set(0, None);
        keeper.set(0, Some(dying));
    }));
    let mutator = heap.attach();
    let root = mutator.alloc(&keeper).unwrap();
    let dying = mutator.alloc(&node).unwrap();
    dying.set(0, Some(&root));
    drop(dying);
    assert_eq!(heap.findings().unwrap().live.objects, 2);
    root.set(0, None);
    let findings = heap.findings().unwrap();
    assert_eq!((findings.live.objects, findings.freed.objects), (1, 1));
}
