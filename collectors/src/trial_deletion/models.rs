//! Models of candidates: an object that loses references is buffered once, and in no buffer when it is freed.

use super::{Buffer, CandidateCount, Policy, candidates::Candidates};
use crate::{
    counts::{Count, Dropped},
    heap::{Kind, Object, SideTables, object::Shape, share::Share, space::Space},
    threads::sync::{Arc, atomic::Ordering::Relaxed, explore, scope},
};

type Counted = Object<CandidateCount>;

const PROTOCOL: &str = "candidate";

/// A mutator: its share of the heap, and its buffer.
struct Mutator {
    space: Arc<Space>,
    share: Arc<Share<CandidateCount>>,
    kind: Kind,
    buffer: Buffer,
}

impl Mutator {
    fn new(space: &Arc<Space>, candidates: &Arc<Candidates>) -> Self {
        let kind = Kind::new::<CandidateCount>(1, Shape { slots: 1, words: 1 }, false, false);
        let buffer = Buffer::new(Arc::clone(candidates));
        Self { space: Arc::clone(space), share: Arc::new(Share::new()), kind, buffer }
    }

    /// A new object with so many references.
    fn make(&self, references: u32) -> Counted {
        let object = self.share.allocate(&self.space, &self.kind, || ()).unwrap();
        (1..references).for_each(|_| object.header().increment(&self.buffer));
        object
    }

    /// Drops a reference, and frees the object if it was the last. Touches the object before.
    fn drop(&self, object: Counted) {
        // SAFETY: the object has a word, and we a reference to it.
        unsafe { object.word(0) }.store(1, Relaxed);
        if CandidateCount::decrement(object, &self.buffer) == Dropped::Dead {
            self.buffer.forget(object);
            // SAFETY: the object was ours last.
            unsafe { self.share.free(&self.space, object) };
        }
    }
}

/// Explores what two mutators do, the second of which gets the object that `prepare` makes, as the first does. Afterwards
/// the candidates must be the objects that the first one gives.
fn explore_two(
    prepare: fn(&Mutator, &Mutator) -> Counted,
    first: fn(&Mutator, Counted) -> Vec<Counted>,
    second: fn(&Mutator, Counted),
) {
    explore(PROTOCOL, move || {
        let space = Arc::new(Space::new(u64::MAX, 0, SideTables::Scratch, None));
        let candidates = Arc::new(Candidates::new(16, Policy::Fixed));
        let mutators = [0; 2].map(|_| Mutator::new(&space, &candidates));
        let object = prepare(&mutators[0], &mutators[1]);
        let address = object.address();
        let shares = mutators.each_ref().map(|mutator| Arc::clone(&mutator.share));
        let [one, other] = mutators;
        let (one, expected) = scope(|scope| {
            // SAFETY: the address of the object, to which the other mutator has a reference.
            scope.spawn(move || second(&other, unsafe { Object::at(address) }));
            let expected = first(&one, object);
            (one, expected)
        });
        candidates.check(expected.iter().copied());
        let told = usize::try_from(candidates.progress().0).expect("few");
        assert_eq!(told, expected.len(), "how many mutators have told of");
        assert_eq!(one.buffer.take_all(), expected, "candidates");
        // What the shares have allocated must stay until they are done.
        drop(shares);
    });
}

#[test]
fn of_two_mutators_that_drop_a_reference_one_buffers_the_object() {
    let drop_one = |mutator: &Mutator, object| {
        mutator.drop(object);
        vec![object]
    };
    explore_two(|one, _| one.make(3), drop_one, |mutator, object| mutator.drop(object));
}

#[test]
fn whoever_drops_the_last_reference_finds_where_the_object_is_buffered() {
    let drop_one = |mutator: &Mutator, object| {
        mutator.drop(object);
        vec![]
    };
    explore_two(|one, _| one.make(2), drop_one, |mutator, object| mutator.drop(object));
}

#[test]
fn a_place_that_another_mutator_empties_is_used_again() {
    let prepare = |one: &Mutator, _: &Mutator| {
        let object = one.make(2);
        one.drop(object);
        object
    };
    let buffer_others = |mutator: &Mutator, _| {
        let others = [mutator.make(2), mutator.make(2)];
        others.iter().for_each(|&other| mutator.drop(other));
        let mut others = others.to_vec();
        others.sort_by_key(|&other| crate::cycles::detect::get(other));
        others
    };
    explore_two(prepare, buffer_others, |mutator, object| mutator.drop(object));
}

#[test]
fn a_cell_that_comes_back_from_another_mutator_is_no_candidate() {
    let prepare = |one: &Mutator, _: &Mutator| {
        let object = one.make(2);
        one.drop(object);
        object
    };
    let reuse = |mutator: &Mutator, _| {
        while mutator.share.drain_remote(&mutator.space, usize::MAX) {}
        let object = mutator.make(2);
        mutator.drop(object);
        vec![object]
    };
    explore_two(prepare, reuse, |mutator, object| mutator.drop(object));
}
