//! An object of one collector's class in another collector's heap.

use collectors::{Class, Collector, Mutator};

fn program<C: Collector, D: Collector>(mutator: &Mutator<C>, class: &Class<D>) {
    drop(mutator.alloc(class));
}

fn main() {}
