//! Models of doomed objects: two mutators, one that runs the finalizers of its garbage and one that gets hold of some.

use crate::{
    Class, Collector, Heap, Layout, Mutator, Options, Root,
    collector::Local,
    counts::{Count, atomic::AtomicCount, biased::BiasedCount},
    generational::Generational,
    threads::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        explore, scope,
    },
    triggers::Fixed,
};

const PROTOCOL: &str = "doomed objects";

/// The slot by which two objects refer to each other.
const FRIEND: usize = 0;

/// The slot for something else.
const OTHER: usize = 1;

/// A collector that dooms garbage.
type Doomer<K> = Generational<Fixed, K>;

/// A heap, a class whose finalizer counts and comes to a safepoint, and a class without.
fn heap<C: Collector>() -> (Heap<C>, [Class<C>; 2], Arc<AtomicU32>) {
    let heap = Heap::new(C::Settings::default(), Options::default()).unwrap();
    let finalized = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&finalized);
    let counted = Layout::new("Counted").slots(2).finalizer(move |object: &Root<'_, C>| {
        // Relaxed: a statistic.
        count.fetch_add(1, Relaxed);
        object.mutator().safepoint();
    });
    let classes = [heap.class(counted), heap.class(Layout::new("Plain").slots(2))];
    (heap, classes, finalized)
}

/// Makes a cycle of two, the second of which holds one more, dooms them, and gives the first as it is given to its
/// finalizer.
fn doom<'m, C: Collector>(
    mutator: &'m Mutator<C>,
    [counted, plain]: &[Class<C>; 2],
) -> Root<'m, C> {
    {
        let (alice, bob) = (mutator.alloc(counted).unwrap(), mutator.alloc(counted).unwrap());
        alice.set(FRIEND, Some(&bob));
        bob.set(FRIEND, Some(&alice));
        bob.set(OTHER, Some(&mutator.alloc(plain).unwrap()));
    }
    mutator.local.collect(2);
    Root::new(mutator.local.next_finalizer().expect("two wait"), mutator)
}

/// A finalizer gives the second object to another mutator, which does something with it, while the turn of its finalizer
/// comes and then the end of the collection.
fn one_is_given_away<K: Count>(
    finalizers: u32,
    deed: impl Fn(Root<'_, Doomer<K>>, &[Class<Doomer<K>>; 2]) + Copy + Send + Sync + 'static,
) {
    explore(PROTOCOL, move || {
        let (heap, classes, finalized) = heap::<Doomer<K>>();
        scope(|scope| {
            let (heap, classes) = (&heap, &classes);
            let mutator = heap.attach();
            let alice = doom(&mutator, classes);
            let shared = alice.swap(FRIEND, None).expect("alice has a friend").share();
            scope.spawn(move || {
                let mutator = heap.attach();
                let bob = mutator.adopt(&shared);
                drop(shared);
                mutator.safepoint();
                deed(bob, classes);
            });
            drop(alice);
        });
        heap.attach().check();
        // Relaxed: a statistic, read after both have ended.
        assert_eq!(finalized.load(Relaxed), finalizers, "finalizers called, but for the first");
        assert_eq!(heap.statistics().held().objects, 0);
    });
}

/// The object loses its last reference.
fn is_let_go<K: Count>(bob: Root<'_, Doomer<K>>, _: &[Class<Doomer<K>>; 2]) {
    drop(bob);
}

/// The object loses its last reference, but another one has to be finalized before it is destroyed.
fn dies_below_another<K: Count>(
    bob: Root<'_, Doomer<K>>,
    [counted, plain]: &[Class<Doomer<K>>; 2],
) {
    let mutator = bob.mutator();
    let both = mutator.alloc(plain).unwrap();
    both.set(0, Some(&mutator.alloc(counted).unwrap()));
    both.set(1, Some(&bob));
    drop(bob);
    drop(both);
}

#[test]
fn a_doomed_object_that_another_lets_go_is_finalized_once() {
    one_is_given_away::<AtomicCount>(1, is_let_go);
}

#[test]
fn a_doomed_object_that_another_leaves_to_its_owner_is_finalized_once() {
    one_is_given_away::<BiasedCount>(1, is_let_go);
}

#[test]
fn a_doomed_object_that_another_is_about_to_destroy_is_left_to_it() {
    one_is_given_away::<AtomicCount>(2, dies_below_another);
}
