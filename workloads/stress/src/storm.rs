//! Storm: does the operations of each thread on one heap, on which the threads exchange objects.
//!
//! Every object with words knows its number twice over and a checksum of it, so that one freed too early is noticed by
//! whoever meets it, in the program or in a finalizer.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use collectors::{Class, Collector, Heap, Layout, Mutator, Root, Shared};

use crate::operation::{CLASSES, Operation, PLACES, VARIABLES};

/// The words that say which object this is: its number, the number inverted, a checksum.
const IDENTITY: usize = 3;

/// The word in which the finalizer leaves that it has run.
const FINALIZED: usize = 3;

/// Of so many objects with a finalizer one makes another object when it dies, and one comes back to life.
const FINALIZER_DEEDS: u64 = 8;

/// Numbers of objects that finalizers make.
const MADE_BY_FINALIZER: u64 = 1 << 63;

/// What the threads of a storm share.
pub(crate) struct Storm<C: Collector> {
    classes: [Class<C>; CLASSES],
    pool: Arc<Pool<C>>,
    /// Whether some thread has failed, so that the others had better end.
    has_failed: AtomicBool,
}

/// Objects that threads offer each other.
struct Pool<C: Collector>(Vec<Mutex<Option<Shared<C>>>>);

/// The roots of one mutator.
pub(crate) struct Variables<'m, C: Collector>([Option<Root<'m, C>>; VARIABLES]);

impl<C: Collector> Storm<C> {
    pub(crate) fn new(heap: &Heap<C>) -> Self {
        let pool = Arc::new(Pool((0..PLACES).map(|_| Mutex::new(None)).collect()));
        let plain = heap.class(Layout::new("Plain").slots(3).words(4));
        let (offered, born) = (Arc::clone(&pool), plain.clone());
        let finalized = Layout::new("Finalized").slots(2).words(5).finalizer(move |object| {
            finalize(object, &born, &offered);
        });
        let finalized = heap.class(finalized);
        let leaf = heap.class(Layout::new("Leaf").words(3).acyclic());
        let bare = heap.class(Layout::new("Bare").slots(2));
        let wide = heap.class(Layout::new("Wide").slots(1).words(40));
        let classes = [plain, finalized, leaf, bare, wide];
        Self { classes, pool, has_failed: AtomicBool::new(false) }
    }

    pub(crate) fn has_failed(&self) -> bool {
        // Relaxed: a hint.
        self.has_failed.load(Relaxed)
    }

    pub(crate) fn fail(&self) {
        // Relaxed: a hint.
        self.has_failed.store(true, Relaxed);
    }

    /// Offers `object` in every place of the pool.
    #[cfg(test)]
    pub(crate) fn offer(&self, object: &Root<'_, C>) {
        (0..PLACES).for_each(|place| drop(self.pool.put(place, Some(object.share()))));
    }

    /// An object that knows that its number is 1, but not the checksum of it.
    #[cfg(test)]
    pub(crate) fn unsound<'m>(&self, mutator: &'m Mutator<C>) -> Root<'m, C> {
        let object = mutator.alloc(&self.classes[0]).expect("there is no limit");
        name(&object, 1);
        object.set_word(2, 0);
        object
    }

    /// Takes back all offers.
    pub(crate) fn clear(&self) {
        for place in 0..PLACES {
            drop(self.pool.put(place, None));
        }
    }

    /// Does one operation, which is not [`Operation::Leave`]. An object that it makes gets the number `number`.
    pub(crate) fn step<'m>(
        &self,
        mutator: &'m Mutator<C>,
        variables: &mut Variables<'m, C>,
        operation: Operation,
        number: u64,
    ) {
        let variables = &mut variables.0;
        match operation {
            Operation::Allocate { to, class, extra } => {
                // A leaf has no slots: that it is acyclic is a promise.
                let has_slots = class != 2;
                let class = &self.classes[class];
                let object = if extra > 0 && has_slots {
                    mutator.alloc_with(class, extra)
                } else {
                    mutator.alloc(class)
                };
                let object =
                    object.unwrap_or_else(|error| panic!("{error}, but there is no limit"));
                name(&object, number);
                variables[to] = Some(object);
            }
            Operation::Copy { from, to } => variables[to] = variables[from].clone(),
            Operation::Drop { variable } => variables[variable] = None,
            Operation::Load { owner, slot, to } => {
                let Some(owner) = with_slot(&variables[owner], slot) else { return };
                let found = owner.get(slot);
                found.iter().for_each(require_sound);
                variables[to] = found;
            }
            Operation::Set { owner, slot, value } => {
                let Some(owner) = with_slot(&variables[owner], slot) else { return };
                let value = value.and_then(|value| variables[value].as_ref());
                owner.set(slot, value);
            }
            Operation::Swap { owner, slot, value, to } => {
                let Some(owner) = with_slot(&variables[owner], slot) else { return };
                let found = owner.swap(slot, variables[value].as_ref());
                found.iter().for_each(require_sound);
                variables[to] = found;
            }
            Operation::Exchange { owner, slot, value } => {
                let Some(owner) = with_slot(&variables[owner], slot) else { return };
                let found = owner.get(slot);
                owner.compare_exchange(slot, found.as_ref(), variables[value].as_ref());
            }
            Operation::Share { from, place } => {
                let Some(object) = &variables[from] else { return };
                drop(self.pool.put(place, Some(object.share())));
            }
            Operation::Adopt { place, to } => {
                let Some(shared) = self.pool.get(place) else { return };
                let object = mutator.adopt(&shared);
                require_sound(&object);
                variables[to] = Some(object);
            }
            Operation::Withdraw { place } => drop(self.pool.put(place, None)),
            Operation::Block => mutator.blocked(std::thread::yield_now),
            Operation::Safepoint => mutator.safepoint(),
            Operation::Yield => std::thread::yield_now(),
            Operation::Collect { generation } => _ = mutator.collect_generation(generation),
            Operation::Leave => unreachable!("who does this has no mutator to do it on"),
        }
    }
}

impl<C: Collector> Variables<'_, C> {
    /// None.
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| None))
    }
}

impl<C: Collector> Pool<C> {
    /// Offers an object, and gives what was offered before: to be dropped outside of the lock, which is held across no
    /// safepoint.
    #[must_use]
    fn put(&self, place: usize, offer: Option<Shared<C>>) -> Option<Shared<C>> {
        std::mem::replace(&mut *lock(&self.0[place]), offer)
    }

    fn get(&self, place: usize) -> Option<Shared<C>> {
        lock(&self.0[place]).clone()
    }
}

/// A thread that fails while it holds the lock leaves an offer that is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The object in a variable, if it has slot `slot`.
fn with_slot<'a, 'm, C: Collector>(
    variable: &'a Option<Root<'m, C>>,
    slot: usize,
) -> Option<&'a Root<'m, C>> {
    variable.as_ref().filter(|object| slot < object.slots())
}

/// Writes into a new object which it is.
fn name<C: Collector>(object: &Root<'_, C>, number: u64) {
    if object.words() >= IDENTITY {
        object.set_word(0, number);
        object.set_word(1, !number);
        object.set_word(2, checksum(number));
    }
}

/// An object whose words do not agree is none, or another than it was.
fn require_sound<C: Collector>(object: &Root<'_, C>) {
    if object.words() < IDENTITY {
        return;
    }
    let [number, inverse, sum] = [0, 1, 2].map(|index| object.word(index));
    assert!(
        number != 0 && inverse == !number && sum == checksum(number),
        "wrong checksum: an object has the words {number:#x}, {inverse:#x} and {sum:#x}"
    );
}

/// Spreads a number over a word (the finalizer of `splitmix64`).
fn checksum(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// What dying objects with a finalizer do: look around, and now and then make an object or come back.
fn finalize<C: Collector>(object: &Root<'_, C>, born: &Class<C>, pool: &Pool<C>) {
    require_sound(object);
    let number = object.word(0);
    assert_eq!(object.word(FINALIZED), 0, "object {number:#x} was finalized twice");
    object.set_word(FINALIZED, 1);
    (0..2).filter_map(|slot| object.get(slot)).for_each(|child| require_sound(&child));
    match number % FINALIZER_DEEDS {
        0 => {
            let child = object.mutator().alloc(born);
            let child = child.unwrap_or_else(|error| panic!("{error}, but there is no limit"));
            name(&child, MADE_BY_FINALIZER | number);
            child.set(0, Some(object));
            object.set(0, Some(&child));
        }
        1 if C::CAPABILITIES.resurrects => {
            let place = (number / FINALIZER_DEEDS) as usize % PLACES;
            drop(pool.put(place, Some(object.share())));
        }
        _ => {}
    }
}
