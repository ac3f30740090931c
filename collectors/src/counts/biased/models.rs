//! Models of biased counts and their queues: whoever drops last, the object ends once, and not before.

use super::*;
use crate::threads::sync::{Lifetime, explore, scope};

const PROTOCOL: &str = "biased count";

/// An object as far as its count is concerned: whether it still is, and what its holders did to it.
struct Counted {
    count: BiasedCount,
    lifetime: Lifetime,
    marks: [Plain<u32>; 3],
}

impl Queued for &Counted {
    fn count(&self) -> &BiasedCount {
        self.lifetime.access();
        &self.count
    }
}

impl Counted {
    /// An object of seat 0, with one reference.
    fn new() -> Self {
        let object = Self {
            count: BiasedCount::new(),
            lifetime: Lifetime::new(),
            marks: [0; 3].map(Plain::new),
        };
        object.count.take(1);
        object
    }

    /// Whoever has dropped the last reference must see what each holder did.
    fn see(&self, expected: u32) {
        assert_eq!(self.marks.iter().map(Plain::get).sum::<u32>(), expected, "marks seen");
    }

    /// Whoever has dropped the last reference ends the object.
    fn end(&self, expected: u32) {
        self.see(expected);
        // The cell is used again: nobody may touch the owner's field from now on.
        self.count.local.set(0);
        self.lifetime.end();
    }
}

/// A mutator, and the object that it and others hold.
struct Mutator<'o> {
    object: &'o Counted,
    holder: Holder<&'o Counted>,
    /// How many marks the end has to see.
    marks: u32,
}

type Queues<'o> = Arc<Common<&'o Counted>>;

impl<'o> Mutator<'o> {
    fn sit(object: &'o Counted, queues: &Queues<'o>, seat: usize, marks: u32) -> Self {
        Self { object, holder: Holder::new(queues, seat, 0), marks }
    }

    fn number(&self) -> u32 {
        self.holder.number()
    }

    fn mark(&self) {
        self.object.lifetime.access();
        self.object.marks[self.number() as usize - 1].set(1);
    }

    fn copy(&self) {
        self.object.count().copy(self.number());
    }

    /// Drops a reference; says how often that has ended the object.
    fn drop(&self) -> u32 {
        let dropped = self.holder.drop_one(self.object);
        if dropped == Dropped::Dead {
            self.object.end(self.marks);
        }
        u32::from(dropped == Dropped::Dead)
    }

    /// A safepoint: drops what others have left to this one.
    fn poll(&self) -> u32 {
        self.holder.settle().iter().map(|_| self.drop()).sum()
    }

    /// Leaves the seat.
    fn leave(self) -> u32 {
        let mut ends = 0;
        while !self.holder.leave() {
            ends += self.poll();
        }
        ends
    }
}

type Deed = fn(&Mutator<'_>) -> u32;

/// Explores what the mutators of seat 0 and 1 do with an object of seat 0, before each of them leaves. The object must end
/// once, by somebody who sees `marks` marks.
fn explore_two(marks: u32, prepare: fn(&Mutator<'_>, &Mutator<'_>), owner: Deed, other: Deed) {
    explore(PROTOCOL, move || {
        let object = Counted::new();
        let queues = Queues::default();
        let [first, second] = [0, 1].map(|seat| Mutator::sit(&object, &queues, seat, marks));
        prepare(&first, &second);
        let ends = scope(|scope| {
            let other = scope.spawn(move || other(&second) + second.leave());
            let ends = owner(&first) + first.leave();
            ends + other.join().unwrap()
        });
        assert_eq!(ends, 1, "how often the object ended");
    });
}

const MARK_AND_DROP: Deed = |mutator| {
    mutator.mark();
    mutator.drop()
};

#[test]
fn the_last_of_two_drops_sees_what_both_holders_did() {
    explore_two(2, |_, second| second.copy(), MARK_AND_DROP, MARK_AND_DROP);
}

#[test]
fn a_reference_that_the_owner_has_counted_can_be_dropped_by_another() {
    explore_two(2, |first, _| first.copy(), MARK_AND_DROP, MARK_AND_DROP);
}

#[test]
fn a_whole_object_can_be_handed_over() {
    explore_two(1, |_, _| (), |mutator| mutator.poll(), MARK_AND_DROP);
}

#[test]
fn copies_of_a_handed_over_reference_count() {
    let copy_and_drop: Deed = |mutator| {
        mutator.mark();
        mutator.copy();
        mutator.drop() + mutator.drop()
    };
    explore_two(2, |first, _| first.copy(), MARK_AND_DROP, copy_and_drop);
}

#[test]
fn the_owner_polls_while_another_drops_more_than_it_has_counted() {
    let drop_twice: Deed = |mutator| {
        mutator.mark();
        mutator.drop() + mutator.drop()
    };
    let poll_and_drop: Deed = |mutator| {
        let ends = mutator.poll();
        mutator.mark();
        ends + mutator.drop()
    };
    let give_two = |first: &Mutator<'_>, _: &Mutator<'_>| {
        first.copy();
        first.copy();
    };
    explore_two(2, give_two, poll_and_drop, drop_twice);
}

#[test]
fn a_field_that_is_full_moves_to_the_other() {
    let fill = |first: &Mutator<'_>, _: &Mutator<'_>| {
        (0..LOCAL_LIMIT).for_each(|_| first.copy());
        assert_eq!(first.object.count.references(), LOCAL_LIMIT + 1);
        (0..LOCAL_LIMIT - 1).for_each(|_| assert_eq!(first.drop(), 0));
    };
    explore_two(2, fill, MARK_AND_DROP, MARK_AND_DROP);
}

#[test]
fn a_sole_holder_sees_what_the_others_did() {
    let end_if_sole: Deed = |mutator| {
        let count = &mutator.object.count;
        if count.is_sole_of(mutator.number()) {
            assert_eq!(mutator.object.marks[1].get(), 1, "marks seen");
        }
        mutator.drop()
    };
    explore_two(1, |_, second| second.copy(), end_if_sole, MARK_AND_DROP);
}

#[test]
fn a_reference_is_made_of_nothing_only_while_there_is_one() {
    let upgrade: Deed = |mutator| {
        if !mutator.object.count.copy_unless_zero(mutator.number()) {
            return 0;
        }
        mutator.object.lifetime.access();
        mutator.drop()
    };
    let refer = |first: &Mutator<'_>, _: &Mutator<'_>| first.object.count.mark_weakly_referenced();
    explore_two(1, refer, MARK_AND_DROP, upgrade);
}

#[test]
fn of_an_owner_and_two_others_one_drops_last() {
    explore(PROTOCOL, || {
        let object = Counted::new();
        let queues = Queues::default();
        let [first, second, third] = [0, 1, 2].map(|seat| Mutator::sit(&object, &queues, seat, 2));
        first.copy();
        third.copy();
        let ends = scope(|scope| {
            let others = [second, third]
                .map(|mutator| scope.spawn(move || MARK_AND_DROP(&mutator) + mutator.leave()));
            let ends = first.drop() + first.leave();
            ends + others.map(|other| other.join().unwrap()).iter().sum::<u32>()
        });
        assert_eq!(ends, 1, "how often the object ended");
    });
}

#[test]
fn who_takes_a_seat_owns_what_it_owns() {
    explore(PROTOCOL, || {
        let object = Counted::new();
        let queues = Queues::default();
        let first = Mutator::sit(&object, &queues, 0, 2);
        first.copy();
        let second = Mutator::sit(&object, &queues, 1, 2);
        let ends = scope(|scope| {
            assert_eq!(first.leave(), 0, "nobody has dropped a reference");
            let (object, queues) = (&object, &queues);
            let next = scope.spawn(move || {
                let next = Mutator::sit(object, queues, 0, 2);
                MARK_AND_DROP(&next) + next.leave()
            });
            let ends = MARK_AND_DROP(&second) + second.leave();
            ends + next.join().unwrap()
        });
        assert_eq!(ends, 1, "how often the object ended");
    });
}

#[test]
fn whoever_drops_a_suspect_last_sees_what_its_owner_did() {
    let give_one = |first: &Mutator<'_>, _: &Mutator<'_>| first.copy();
    let mark_and_suspect: Deed = |mutator| {
        mutator.mark();
        let ends = mutator.drop();
        mutator.object.count.suspect();
        ends
    };
    // The cell of a suspect is left to whoever suspects it, and so never used again here.
    let mark_and_leave: Deed = |mutator| {
        mutator.mark();
        let dropped = mutator.holder.drop_one(mutator.object);
        if dropped == Dropped::Dead {
            mutator.object.see(mutator.marks);
        }
        u32::from(dropped == Dropped::Dead)
    };
    explore_two(2, give_one, mark_and_suspect, mark_and_leave);
}
