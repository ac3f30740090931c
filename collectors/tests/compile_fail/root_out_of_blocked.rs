//! A root that is made while the world may be stopped, by a mutator made there, and leaves `blocked`.

use collectors::{Class, Collector, Heap, Mutator, Root};

fn program<C: Collector>(mutator: &Mutator<C>, heap: &Heap<C>, class: &Class<C>) {
    mutator.blocked(|| -> Root<'static, C> {
        let mutator = Box::leak(Box::new(heap.attach()));
        mutator.alloc(class).unwrap()
    });
}

fn main() {}
