//! The choices of one thread: everything in a workload that looks like chance.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of choices, the same for the same seed and thread on every machine.
///
/// Each thread has a stream of its own, so what it does is independent of how threads are scheduled. Ranges are reduced
/// here rather than by the `rand` crate, because that may change from version to version.
#[derive(Clone, Debug)]
pub struct Choices(ChaCha8Rng);

impl Choices {
    /// The stream of the thread with index `thread`.
    pub fn new(seed: u64, thread: usize) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(thread as u64);
        Self(generator)
    }

    /// The stream that all threads of a run have in common, from its beginning.
    pub fn common(&self) -> Self {
        let mut generator = ChaCha8Rng::from_seed(self.0.get_seed());
        // No thread has this index.
        generator.set_stream(u64::MAX);
        Self(generator)
    }

    /// Any word: what an object is to hold.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which must not be 0. The bias is below `bound` in 2^64.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        debug_assert!(bound > 0, "a choice among nothing");
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }

    /// True in `percent` of 100 cases.
    #[inline]
    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent as usize
    }

    /// A number above 0 and at most 1, in steps of 2^-53.
    pub fn unit(&mut self) -> f64 {
        ((self.word() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Puts `items` in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_are_those_of_every_version() {
        let mut choices = Choices::new(1, 0);
        assert_eq!(
            [choices.word(), choices.word()],
            [7_424_550_030_962_593_201, 1_482_817_706_323_250_795]
        );
    }

    #[test]
    fn threads_have_streams_of_their_own() {
        assert_ne!(Choices::new(7, 0).word(), Choices::new(7, 1).word());
    }

    #[test]
    fn threads_have_one_stream_in_common() {
        let mut thread = Choices::new(7, 3);
        let own = thread.word();
        let [first, second] = [thread.common().word(), Choices::new(7, 0).common().word()];
        assert_eq!(first, second);
        assert_ne!(first, own);
    }

    #[test]
    fn a_percentage_is_met() {
        let mut choices = Choices::new(3, 0);
        let hits = (0..100_000).filter(|_| choices.percent(25)).count();
        assert!((24_000..26_000).contains(&hits), "25 % of 100000 came to {hits}");
        assert!(!(0..1000).any(|_| choices.percent(0)));
        assert!((0..1000).all(|_| choices.percent(100)));
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..1000).collect();
        Choices::new(5, 0).shuffle(&mut items);
        assert_ne!(items[..3], [0, 1, 2]);
        items.sort_unstable();
        assert!(items.into_iter().eq(0..1000));
    }
}
