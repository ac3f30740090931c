//! A root that another thread reads through.

use collectors::{Collector, Root};

fn program<C: Collector>(root: &Root<'_, C>) {
    std::thread::scope(|scope| {
        scope.spawn(|| root.get(0).is_some());
    });
}

fn main() {}
