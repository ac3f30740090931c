//! The program's side: heaps, mutators, roots. What is here is safe whatever a program does with it.

mod heap;
mod mutator;
mod root;

pub use self::{
    heap::{Heap, object_bytes},
    mutator::Mutator,
    root::{Root, Shared},
};

#[cfg(test)]
mod models;
