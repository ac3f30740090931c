//! A root that is written through while the world may be stopped.

use collectors::{Collector, Mutator, Root};

fn program<C: Collector>(mutator: &Mutator<C>, root: &Root<'_, C>) {
    mutator.blocked(|| root.set(0, None));
}

fn main() {}
