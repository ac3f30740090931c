//! A mutator that is dropped while a root of it is in use.

use collectors::{Class, Collector, Heap};

fn program<C: Collector>(heap: &Heap<C>, class: &Class<C>) {
    let mutator = heap.attach();
    let root = mutator.alloc(class).unwrap();
    drop(mutator);
    root.set(0, None);
}

fn main() {}
