//! A mutator that moves to another thread.

use collectors::{Collector, Heap};

fn program<C: Collector>(heap: &Heap<C>) {
    let mutator = heap.attach();
    std::thread::spawn(move || mutator.safepoint());
}

fn main() {}
