//! A mutator that allocates while the world may be stopped.

use collectors::{Class, Collector, Mutator};

fn program<C: Collector>(mutator: &Mutator<C>, class: &Class<C>) {
    mutator.blocked(|| drop(mutator.alloc(class)));
}

fn main() {}
