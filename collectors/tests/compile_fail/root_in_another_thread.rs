//! A root that another thread drops.

use collectors::{Collector, Root};

fn program<C: Collector>(root: Root<'_, C>) {
    std::thread::scope(|scope| {
        scope.spawn(move || drop(root));
    });
}

fn main() {}
