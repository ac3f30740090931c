//! A finalizer that keeps its root, where it should keep a shared handle.

use std::sync::Mutex;

use collectors::{Collector, Layout, Root};

fn program<C: Collector>(layout: Layout<C>, kept: &'static Mutex<Option<Root<'static, C>>>) {
    layout.finalizer(move |root| *kept.lock().unwrap() = Some(root.clone()));
}

fn main() {}
