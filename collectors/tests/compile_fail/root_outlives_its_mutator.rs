//! A root that is there when its mutator has gone.

use collectors::{Class, Collector, Heap, Root};

fn program<C: Collector>(heap: &Heap<C>, class: &Class<C>) {
    let kept: Root<'_, C>;
    {
        let mutator = heap.attach();
        kept = mutator.alloc(class).unwrap();
    }
    drop(kept);
}

fn main() {}
