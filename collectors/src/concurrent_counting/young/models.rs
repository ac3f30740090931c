//! Models of a look at young objects while another mutator comes, and moves and drops references to them.

use crate::{
    collector::Local,
    concurrent_counting::{
        Counted,
        batch::Batch,
        models::{Mutator, Place},
        young::collect_young,
    },
    threads::sync::{explore, scope, thread},
};

const PROTOCOL: &str = "looks at young objects";

/// When the other mutator comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    /// Before the look, so that this is at flagged objects.
    IsThere,
    /// While it goes on, or before or after.
    Comes,
}

/// Explores a look at `holder`, which a root refers to, and at what is behind it, beside what another mutator does with it.
fn explore_look(
    other: Other,
    prepare: fn(&Mutator, Counted),
    script: impl Fn(&Mutator, Counted) + Copy + Send + Sync + 'static,
) {
    explore(PROTOCOL, move || {
        let place = Place::new();
        let maker = place.attach();
        let holder = maker.alloc();
        prepare(&maker, holder);
        let there = (other == Other::IsThere).then(|| place.attach());
        scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                let other = there.unwrap_or_else(|| place.attach());
                let root = other.adopt(holder);
                script(&other, root);
                other.release(root);
                other.leave();
            });
            look(&maker);
        });
        // What the other one has left to be counted off.
        maker.settle();
        if let Some(found) = maker.load(holder) {
            found.access();
            maker.store(found, None);
            maker.release(found);
        }
        maker.release(holder);
        maker.leave();
        assert_eq!(place.held(), 0, "everything has been freed once");
    });
}

/// The maker looks at all that it has made.
fn look(maker: &Mutator) {
    let mut batches = [Batch::take(&maker.local.seat().share), Batch::default()];
    collect_young(&maker.local, &mut batches);
}

/// Gives the holder an object.
fn one_object(maker: &Mutator, holder: Counted) {
    let object = maker.alloc();
    maker.store(holder, Some(object));
    maker.release(object);
}

/// Moves the object into itself and takes it out again.
fn loop_and_back(other: &Mutator, holder: Counted) {
    let object = other.swap(holder, None).expect("it is held");
    other.store(object, Some(object));
    // So that the maker goes on here without the other one being preempted.
    thread::yield_now();
    let again = other.swap(object, None).expect("it is held");
    other.release(object);
    other.store(holder, Some(again));
    other.release(again);
}

#[test]
fn an_object_that_is_moved_into_itself_and_taken_out_again_is_kept() {
    explore_look(Other::IsThere, one_object, loop_and_back);
}

#[test]
fn an_object_that_somebody_comes_for_and_makes_a_loop_for_a_while_is_kept() {
    explore_look(Other::Comes, one_object, loop_and_back);
}

/// Gives the holder an object that refers to itself.
fn one_loop(maker: &Mutator, holder: Counted) {
    one_object(maker, holder);
    let object = maker.load(holder).expect("it is held");
    maker.store(object, Some(object));
    maker.release(object);
}

#[test]
fn an_object_that_loses_its_loop_and_is_held_elsewhere_is_kept() {
    explore_look(Other::Comes, one_loop, |other, holder| {
        let object = other.load(holder).expect("it is held");
        other.store(object, None);
        other.release(object);
    });
}

#[test]
fn an_object_that_is_taken_out_and_loses_its_loop_before_the_look_is_kept() {
    explore_look(Other::IsThere, one_loop, |other, holder| {
        let object = other.swap(holder, None).expect("it is held");
        other.store(object, None);
        thread::yield_now();
        object.access();
        other.store(holder, Some(object));
        other.release(object);
    });
}

#[test]
fn what_is_moved_from_one_that_is_alive_to_a_root_is_kept() {
    let prepare = |maker: &Mutator, holder: Counted| {
        let (first, second) = (maker.alloc(), maker.alloc());
        maker.store(holder, Some(first));
        maker.store(first, Some(second));
        [first, second].into_iter().for_each(|object| maker.release(object));
    };
    explore_look(Other::IsThere, prepare, |other, holder| {
        let first = other.load(holder).expect("it is held");
        let second = other.swap(first, None).expect("it is held");
        second.access();
        other.release(first);
        other.release(second);
    });
}

/// Makes garbage of the object.
fn take_out_and_drop(other: &Mutator, holder: Counted) {
    let object = other.swap(holder, None).expect("it is held");
    other.release(object);
}

#[test]
fn garbage_that_another_makes_is_freed_once() {
    explore_look(Other::IsThere, one_object, take_out_and_drop);
}

#[test]
fn garbage_that_one_who_comes_makes_is_freed_once() {
    explore_look(Other::Comes, one_object, take_out_and_drop);
}
