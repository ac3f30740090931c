//! Cycles: finds candidates beside running mutators, and in the next epoch frees those that were garbage.
//!
//! The procedures have the names that the paper gives them. Counts are never touched while a candidate is looked for: what
//! is subtracted is subtracted from a copy. Slots change under the traversals, so a candidate may be alive, or may lack a
//! member; the two tests see to that.

use super::{
    Counted,
    header::{Colour, Place, RecyclerHeader},
    ledger::{Ledger, children, take},
};
use crate::{heap::Seat, threads::sync::mutant};

/// How many objects ahead of the one whose references are followed are being fetched from memory.
const AHEAD: usize = 8;

impl Ledger {
    /// Whether candidates wait for the next epoch.
    pub(super) fn has_candidates(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Frees the candidates of the last epoch that pass both tests. The last one first: what it refers to was found before
    /// it, and may have been waiting for nothing else.
    pub(super) fn free_cycles(&mut self, seat: &Seat<RecyclerHeader>) {
        let members = std::mem::take(&mut self.members);
        let mut ends = std::mem::take(&mut self.ends);
        if mutant("test dependent cycles in the order in which they were found") {
            self.free_in_order(&members, &ends, seat);
            return;
        }
        while let Some(end) = ends.pop() {
            let first = ends.last().copied().unwrap_or(0);
            self.settle(&members[first..end], seat);
        }
        self.release(seat);
    }

    fn free_in_order(&mut self, members: &[Counted], ends: &[usize], seat: &Seat<RecyclerHeader>) {
        let mut first = 0;
        for &end in ends {
            self.settle(&members[first..end], seat);
            first = end;
        }
        self.release(seat);
    }

    /// Frees a candidate, or lets it go.
    fn settle(&mut self, candidate: &[Counted], seat: &Seat<RecyclerHeader>) {
        let is_garbage = delta_test(candidate) && sigma_test(candidate);
        if !is_garbage {
            self.refurbish(candidate);
            return;
        }
        let mut has_finalizers = false;
        for &member in candidate {
            if self.is_to_be_finalized(member) {
                self.revive(member);
                has_finalizers = true;
            }
        }
        if has_finalizers {
            self.refurbish(candidate);
        } else {
            self.free_cycle(candidate, seat);
        }
    }

    /// Frees a garbage cycle, and drops its references to what is outside of it.
    fn free_cycle(&mut self, candidate: &[Counted], seat: &Seat<RecyclerHeader>) {
        for member in candidate {
            member.header().set_colour(Colour::Red);
        }
        for member in candidate {
            self.rest(seat);
            // SAFETY: nobody but we can reach it, and we free it below.
            for slot in unsafe { member.slots() } {
                if let Some(child) = take(slot) {
                    self.cyclic_decrement(child);
                }
            }
        }
        for &member in candidate {
            self.rest(seat);
            self.free(member, seat);
        }
        self.done.freed_in_cycles += candidate.len() as u64;
    }

    /// A garbage cycle no longer refers to `object`. If that waits in another candidate, the test of that one knows.
    fn cyclic_decrement(&mut self, object: Counted) {
        let header = object.header();
        match header.colour() {
            Colour::Red => {}
            Colour::Orange => {
                header.subtract();
                header.subtract_cyclic();
            }
            _ => self.decrement(object),
        }
    }

    /// Lets a candidate go. Its first member, from which all were found, remains a possible root, and so does whatever has
    /// lost a reference since.
    fn refurbish(&mut self, candidate: &[Counted]) {
        for (index, &member) in candidate.iter().enumerate() {
            let header = member.header();
            header.set_place(Place::Nowhere);
            let colour = header.colour();
            if header.count() == 0 {
                self.bury_later(member);
            } else if colour == Colour::Purple || index == 0 {
                header.set_colour(Colour::Purple);
                self.enter_root(member);
            } else {
                header.set_colour(Colour::Black);
            }
        }
    }

    /// Looks for cycles from the possible roots, and prepares candidates for their tests.
    pub(super) fn collect_cycles(&mut self, seat: &Seat<RecyclerHeader>) {
        let mut roots = std::mem::take(&mut self.roots);
        // Mark_roots. One that another one reaches is found from there.
        roots.retain(|root| {
            let header = root.header();
            header.set_place(Place::Nowhere);
            let is_possible = header.colour() == Colour::Purple;
            if is_possible {
                self.mark_gray(*root, seat);
            }
            is_possible
        });
        for &root in &roots {
            self.scan(root, seat);
        }
        // Collect_roots.
        for &root in &roots {
            if root.header().colour() == Colour::White {
                self.collect_white(root, seat);
                self.ends.push(self.members.len());
            }
        }
        self.forget_gray(seat);
        self.sigma_preparation(seat);
    }

    /// Colours gray what `root` reaches, and subtracts the references on the way from the copies of counts.
    fn mark_gray(&mut self, root: Counted, seat: &Seat<RecyclerHeader>) {
        // What has been reached is the queue of what is to be scanned.
        let mut next = self.reached.len();
        self.gray(root);
        while let Some(&object) = self.reached.get(next) {
            self.rest(seat);
            if let Some(coming) = self.reached.get(next + AHEAD) {
                coming.prefetch();
            }
            for child in children(&object).filter(may_be_cyclic) {
                if child.header().colour() != Colour::Gray {
                    self.gray(child);
                }
                child.header().subtract_cyclic();
            }
            next += 1;
        }
    }

    fn gray(&mut self, object: Counted) {
        let header = object.header();
        header.set_colour(Colour::Gray);
        header.begin_cyclic_count();
        self.still_gray += 1;
        self.reached.push(object);
    }

    /// Colours white what is referred to from within only, and black what is not.
    fn scan(&mut self, root: Counted, seat: &Seat<RecyclerHeader>) {
        let mut stack = std::mem::take(&mut self.stack);
        stack.push(root);
        while let Some(object) = stack.pop() {
            self.rest(seat);
            let header = object.header();
            if header.colour() != Colour::Gray {
                continue;
            }
            if header.cyclic_count() > 0 {
                self.scan_black(object, seat);
                continue;
            }
            header.set_colour(Colour::White);
            self.still_gray -= 1;
            let is_gray = |child: &Counted| child.header().colour() == Colour::Gray;
            stack.extend(children(&object).filter(may_be_cyclic).filter(is_gray));
        }
        self.stack = stack;
    }

    /// Colours black what an object that is in use reaches.
    fn scan_black(&mut self, object: Counted, seat: &Seat<RecyclerHeader>) {
        let mut stack = std::mem::take(&mut self.inner_stack);
        self.blacken(object, &mut stack);
        while let Some(object) = stack.pop() {
            self.rest(seat);
            for child in children(&object).filter(may_be_cyclic) {
                self.blacken(child, &mut stack);
            }
        }
        self.inner_stack = stack;
    }

    #[inline(always)]
    fn blacken(&mut self, object: Counted, stack: &mut Vec<Counted>) {
        let header = object.header();
        let colour = header.colour();
        if colour != Colour::Black {
            self.still_gray -= u64::from(colour == Colour::Gray);
            header.set_colour(Colour::Black);
            stack.push(object);
        }
    }

    /// Blackens what was reached and not scanned, because a mutator has cut it off in between. If it stayed gray, the next
    /// search would take it for visited, and miss the references that it holds.
    fn forget_gray(&mut self, seat: &Seat<RecyclerHeader>) {
        let reached = std::mem::take(&mut self.reached);
        self.done.traced += reached.len() as u64;
        if std::mem::take(&mut self.still_gray) == 0 || mutant("leave gray what was cut off") {
            return;
        }
        for object in reached {
            self.rest(seat);
            if object.header().colour() == Colour::Gray {
                object.header().set_colour(Colour::Black);
            }
        }
    }

    /// Makes what is white and reached from `root` members of a candidate.
    fn collect_white(&mut self, root: Counted, seat: &Seat<RecyclerHeader>) {
        let mut next = self.members.len();
        self.gather(root);
        // The members that have been gathered are the queue of those whose references are to be followed.
        while let Some(&member) = self.members.get(next) {
            self.rest(seat);
            for child in children(&member).filter(may_be_cyclic) {
                if child.header().colour() == Colour::White {
                    self.gather(child);
                }
            }
            next += 1;
        }
    }

    fn gather(&mut self, object: Counted) {
        let header = object.header();
        header.set_colour(Colour::Orange);
        header.set_place(Place::Candidates);
        self.members.push(object);
    }

    /// Counts, for each candidate, the references from outside to each of its members.
    fn sigma_preparation(&mut self, seat: &Seat<RecyclerHeader>) {
        let mut first = 0;
        for candidate in 0..self.ends.len() {
            let members = first..self.ends[candidate];
            first = members.end;
            for member in &self.members[members.clone()] {
                member.header().set_colour(Colour::Red);
                member.header().begin_cyclic_count();
            }
            for index in members.clone() {
                self.rest(seat);
                let member = self.members[index];
                for child in children(&member) {
                    if child.header().colour() == Colour::Red {
                        child.header().subtract_cyclic();
                    }
                }
            }
            for member in &self.members[members] {
                member.header().set_colour(Colour::Orange);
            }
        }
    }
}

/// Whether the class of an object lets it be part of a cycle: whether it is not green.
#[inline(always)]
fn may_be_cyclic(object: &Counted) -> bool {
    !object.descriptor().is_acyclic()
}

/// Whether no reference to a member has been made or dropped since the candidate was found.
fn delta_test(candidate: &[Counted]) -> bool {
    candidate.iter().all(|member| member.header().colour() == Colour::Orange)
        || mutant("skip the delta test")
}

/// Whether nothing outside of the candidate referred to a member.
fn sigma_test(candidate: &[Counted]) -> bool {
    candidate.iter().all(|member| member.header().cyclic_count() == 0)
        || mutant("skip the sigma test")
}
