//! A mutator that other threads use.

use collectors::{Collector, Mutator};

fn program<C: Collector>(mutator: &Mutator<C>) {
    mutator.heap().threads(2, |_, _| mutator.safepoint());
}

fn main() {}
