//! Young: a mutator looks at what it has made, by itself, while all others run on.
//!
//! Only it can end an object that it owns, and it stands still: so whatever others do, its objects remain objects, and all
//! that others can do to the references to them is copy, move and drop them. The references from its own young objects to
//! its own young objects are counted. An object that has another count than this, or of which somebody has dropped a
//! reference meanwhile, is alive, and so is what it refers to; the rest is garbage (invariant 2 of the collector). A drop
//! takes the object's flag away. A mutator that is alone needs no flags, if it still is at the end.
//!
//! # Invariants
//!
//! 1. The owner's field of the count of an object that is looked at holds a mark and the object's place in the list instead,
//!    and at a safepoint no object is looked at. Only the owner reads that field, but for a guess, which may be wrong.
//! 2. What refers to garbage is garbage, and of what one attempt has let go, all that it refers to is let go as well.

use super::{Batch, ConcurrentCountingLocal, Counted, pace::Learned, suspects::each_child};
use crate::{
    Amount, Event,
    counts::{
        counting::Counting,
        release::{Release, must_be_finalized},
    },
    threads::sync::mutant,
};

/// How often the rest is counted again after some have turned out to be alive.
const ATTEMPTS: usize = 8;

/// What a mutator looks at.
struct Look<'l> {
    local: &'l ConcurrentCountingLocal,
    /// Its young objects that nobody else can end, those included that the attempt under way has let go.
    objects: Vec<Looked>,
    /// Who was there when this began, if the mutator was alone.
    alone: Option<u64>,
}

/// An object that is looked at.
#[derive(Clone, Copy)]
struct Looked {
    object: Counted,
    /// What its owner has counted.
    local: u32,
    /// References to it that others hold which are looked at.
    found: u32,
    /// Whether it has been let go.
    is_alive: bool,
}

/// Looks at what the mutator of `local` has made and frees what is garbage; the batches keep the rest. Garbage with finalizers
/// is kept as well, and its finalizers wait to be run.
pub(super) fn collect_young(local: &ConcurrentCountingLocal, batches: &mut [Batch; 2]) -> Learned {
    let mut look = Look::new(local, batches);
    let examined = look.objects.len() as u64;
    look.acquit();
    let freed = look.end();
    batches.iter_mut().for_each(|batch| batch.retain(|object| !object.descriptor().is_free()));
    local.place().emit(Event::Collection {
        generation: 0,
        examined,
        freed: freed.objects,
        survived: examined - freed.objects,
        freed_bytes: freed.bytes,
    });
    Learned { examined, freed: freed.objects }
}

impl<'l> Look<'l> {
    /// Looks at the objects of batches that this mutator owns.
    fn new(local: &'l ConcurrentCountingLocal, batches: &mut [Batch; 2]) -> Self {
        let alone = local.collector.is_alone();
        let most: u64 = batches.iter().map(Batch::objects).sum();
        // More than that are not looked at now.
        let most = local.collector.pace.most_looked_at().min(most as usize);
        let mut objects: Vec<Looked> = Vec::with_capacity(most);
        let mut look = |object: Counted| {
            let descriptor = object.descriptor();
            let is_object = !descriptor.is_free() && !descriptor.is_acyclic();
            if is_object
                && objects.len() < most
                && let Some(local) = object.header().look_at(&local.holder, objects.len())
            {
                if alone.is_none() {
                    object.header().flag();
                }
                objects.push(Looked { object, local, found: 0, is_alive: false });
            }
            is_object
        };
        batches.iter_mut().for_each(|batch| batch.retain(&mut look));
        Self { local, objects, alone }
    }

    /// Lets go all that is not garbage.
    fn acquit(&mut self) {
        for _ in 0..ATTEMPTS {
            self.count_references();
            let is_any_held = self.acquit_what_is_held();
            if let Some(before) = self.alone {
                let is_right = self.local.collector.is_alone() == Some(before)
                    || mutant("believe to be alone still");
                if !is_right {
                    break;
                }
                return;
            }
            // Whoever holds one that is alive may have taken another out of it since that was counted: the others must be
            // found without the references of those that are alive.
            if !is_any_held || mutant("count once") {
                return;
            }
            self.objects.retain(|looked| !looked.is_alive);
            for (place, looked) in self.objects.iter_mut().enumerate() {
                looked.found = 0;
                looked.object.header().look_on(place);
            }
        }
        (0..self.objects.len()).for_each(|place| self.let_go(place));
    }

    /// Counts, for each object, the references that others of them hold.
    fn count_references(&mut self) {
        for holder in 0..self.objects.len() {
            each_child(self.objects[holder].object, |child| {
                if let Some(place) = self.place_of(child) {
                    self.objects[place].found += 1;
                }
            });
        }
    }

    /// Lets go what is held from outside, and what that refers to. Says whether there was any.
    fn acquit_what_is_held(&mut self) -> bool {
        let has_flags = self.alone.is_none();
        let mut is_any_held = false;
        let mut held = Vec::new();
        for place in 0..self.objects.len() {
            let Looked { object, local, found, is_alive } = self.objects[place];
            if is_alive || object.header().counted(local, has_flags) == Some(found) {
                continue;
            }
            is_any_held = true;
            self.let_go(place);
            held.push(object);
            while let Some(object) = held.pop() {
                each_child(object, |child| {
                    if let Some(place) = self.place_of(child) {
                        self.let_go(place);
                        held.push(child);
                    }
                });
            }
        }
        is_any_held
    }

    /// The object at `place` is alive.
    fn let_go(&mut self, place: usize) {
        if !std::mem::replace(&mut self.objects[place].is_alive, true) {
            self.look_away(self.objects[place]);
        }
    }

    /// Stops looking at an object.
    fn look_away(&self, Looked { object, local, .. }: Looked) {
        object.header().look_away(local);
        if self.alone.is_none() {
            object.header().unflag();
        }
    }

    /// The place of an object that is looked at, and has not been let go.
    #[inline(always)]
    fn place_of(&self, object: Counted) -> Option<usize> {
        // A large object may be unmapped at any time; none is looked at here.
        if object.may_be_large() {
            return None;
        }
        // SAFETY: cells stay mapped, and what this one may have become is not of our making.
        unsafe { object.header_of_cell() }.place_in_look(&self.local.holder)
    }

    /// Frees what has not been let go, unless finalizers have to be run first; gives how much was freed.
    fn end(mut self) -> Amount {
        self.objects.retain(|looked| !looked.is_alive);
        let seat = self.local.place();
        if seat.core.has_finalizers() && self.finalize() {
            return Amount::default();
        }
        let mut outside = Vec::new();
        for looked in &self.objects {
            each_child(looked.object, |child| {
                if self.place_of(child).is_none() {
                    outside.push(child);
                }
            });
        }
        let mut freed = Amount::default();
        for &Looked { object, .. } in &self.objects {
            freed += Amount { objects: 1, bytes: object.bytes() as u64 };
            // SAFETY: only garbage referred to it, and what that refers to has been taken down.
            unsafe { seat.free(object) };
        }
        // What dies of it is destroyed now, or when its turn comes.
        self.local.release_all(outside);
        freed
    }

    /// If garbage has finalizers to be run, they wait from now on, and the garbage is left as it is; says whether.
    fn finalize(&self) -> bool {
        let objects = self.objects.iter().map(|looked| looked.object);
        let dying: Vec<Counted> = objects.filter(|&object| must_be_finalized(object)).collect();
        if dying.is_empty() {
            return false;
        }
        self.objects.iter().for_each(|&looked| self.look_away(looked));
        dying.iter().for_each(|object| object.header().summon());
        self.local.collector.waiting.extend(&self.local.place().core, &dying);
        true
    }
}

#[cfg(test)]
mod models;
