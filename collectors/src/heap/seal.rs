//! Seal: keeps the sanitizer's eye on cells that are free.
//!
//! AddressSanitizer knows what the system's allocator has freed, and our cells are not that allocator's. Under `--cfg asan`
//! (`.ci/asan`) the payload of a free cell is sealed: whoever reads or writes it ends the program, with the place. The head
//! stays open, because the heap's walks ask every cell whether it is an object; so does what has been freed but is counted
//! by a header only. Without the flag there is nothing of all this.

#[cfg(asan)]
use std::ffi::c_void;

#[cfg(asan)]
unsafe extern "C" {
    fn __asan_poison_memory_region(start: *const c_void, bytes: usize);
    fn __asan_unpoison_memory_region(start: *const c_void, bytes: usize);
}

/// From now on nobody may touch the `bytes` at `start`.
#[cfg(asan)]
pub(crate) fn seal(start: usize, bytes: usize) {
    // SAFETY: this marks the bytes in the sanitizer's own memory and touches none of them.
    unsafe { __asan_poison_memory_region(start as *const c_void, bytes) };
}

/// The `bytes` at `start` may be touched again.
#[cfg(asan)]
pub(crate) fn open(start: usize, bytes: usize) {
    // SAFETY: as above.
    unsafe { __asan_unpoison_memory_region(start as *const c_void, bytes) };
}

/// From now on nobody may touch the bytes: nobody sees to it without the sanitizer.
#[cfg(not(asan))]
#[inline(always)]
pub(crate) fn seal(_start: usize, _bytes: usize) {}

/// The bytes may be touched again: they always could without the sanitizer.
#[cfg(not(asan))]
#[inline(always)]
pub(crate) fn open(_start: usize, _bytes: usize) {}
