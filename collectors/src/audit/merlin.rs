//! Death times by Merlin's method.
//!
//! After M. Hertz, S. M. Blackburn, J. E. B. Moss, K. S. McKinley, D. Stefanovic, *Generating object lifetime traces with
//! Merlin*, TOPLAS 2006. Every object is stamped with the time when it last lost a reference. An object dies when the
//! last path to it is cut, and the cut is a loss of some object on that path; nothing that is unreachable loses
//! references afterwards. So of all unreachable objects from which it can be reached (itself included), the latest stamp
//! is the time of its death. Latest stamps first, each object is reached once: the work is in proportion to the dead.

use crate::heap::quarantine::Moment;

/// An object that cannot be reached any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dead {
    /// The object's index.
    pub(super) index: u32,
    /// When it died.
    pub(super) died: Moment,
    /// The object that lost its last reference then.
    pub(super) cut: u32,
}

/// When each of `unreachable` (index and stamp) died. `children` gives the objects that one refers to; those that are
/// not among the unreachable are passed over.
pub(super) fn death_times<'b>(
    mut unreachable: Vec<(u32, Moment)>,
    indices: usize,
    children: impl Fn(u32) -> &'b [u32],
) -> Vec<Dead> {
    unreachable.sort_by_key(|&(index, stamp)| (std::cmp::Reverse(stamp), index));
    let mut waits = vec![false; indices];
    for &(index, _) in &unreachable {
        waits[index as usize] = true;
    }
    let mut dead = Vec::with_capacity(unreachable.len());
    let mut reached = Vec::new();
    for (cut, died) in unreachable {
        reached.push(cut);
        while let Some(index) = reached.pop() {
            if std::mem::take(&mut waits[index as usize]) {
                dead.push(Dead { index, died, cut });
                let known = |&child: &u32| waits.get(child as usize).copied().unwrap_or(false);
                reached.extend(children(index).iter().copied().filter(known));
            }
        }
    }
    dead
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(operation: u64) -> Moment {
        Moment { operation, bytes: operation * 10 }
    }

    /// The operation in which each object died, and the object that was cut off then.
    fn deaths(stamps: &[u64], edges: &[&[u32]]) -> Vec<(u64, u32)> {
        let unreachable = stamps.iter().zip(0..).map(|(&stamp, index)| (index, at(stamp)));
        let dead = death_times(unreachable.collect(), stamps.len(), |index| edges[index as usize]);
        let mut found = vec![(0, 0); stamps.len()];
        for Dead { index, died, cut } in dead {
            found[index as usize] = (died.operation, cut);
        }
        found
    }

    #[test]
    fn what_hangs_off_an_object_dies_with_it() {
        // 0 -> 1 -> 2, and only 0 was lost late.
        assert_eq!(deaths(&[9, 1, 2], &[&[1], &[2], &[]]), [(9, 0), (9, 0), (9, 0)]);
    }

    #[test]
    fn what_was_lost_earlier_died_earlier() {
        // 1 -> 0: the parent was lost first, the child lived on by a root of its own.
        assert_eq!(deaths(&[9, 4], &[&[], &[0]]), [(9, 0), (4, 1)]);
    }

    #[test]
    fn a_cycle_dies_at_the_last_of_its_losses() {
        assert_eq!(deaths(&[3, 8, 5], &[&[1], &[2], &[0]]), [(8, 1), (8, 1), (8, 1)]);
    }

    #[test]
    fn edges_to_what_is_alive_are_passed_over() {
        let dead = death_times(vec![(0, at(1))], 2, |_| &[1, u32::MAX]);
        assert_eq!(dead, [Dead { index: 0, died: at(1), cut: 0 }]);
    }
}
