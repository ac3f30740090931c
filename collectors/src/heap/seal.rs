//! Seal: keeps the sanitizer's eye on cells that are free.
//!
//! AddressSanitizer knows what the system's allocator has freed, and our cells are not that allocator's. Under `--cfg asan`
//! (`.ci/asan`) the payload of a free cell is sealed: whoever reads or writes it ends the program, with the place. The head
//! stays open, because the heap's walks ask every cell whether it is an object: a count that is changed too late is not
//! seen. Nor are cells sealed that a collector beside the program may read before it knows what they are
//! (`Header::MAY_BE_GUESSED`). Without the flag there is nothing of all this.

#[cfg(asan)]
use std::ffi::c_void;

#[cfg(asan)]
unsafe extern "C" {
    fn __asan_poison_memory_region(start: *const c_void, bytes: usize);
    fn __asan_unpoison_memory_region(start: *const c_void, bytes: usize);
    fn __asan_address_is_poisoned(address: *const c_void) -> std::ffi::c_int;
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

/// Tests that `address` is sealed: so every run under the sanitizer shows that the seals hold.
#[cfg(asan)]
pub(crate) fn require_sealed(address: usize) {
    // SAFETY: this looks the address up in the sanitizer's own memory.
    let sealed = unsafe { __asan_address_is_poisoned(address as *const c_void) };
    assert_ne!(sealed, 0, "the free cell at {address:#x} was not sealed");
}

/// Tests nothing without the sanitizer.
#[cfg(not(asan))]
#[inline(always)]
pub(crate) fn require_sealed(_address: usize) {}

/// From now on nobody may touch the bytes: nobody sees to it without the sanitizer.
#[cfg(not(asan))]
#[inline(always)]
pub(crate) fn seal(_start: usize, _bytes: usize) {}

/// The bytes may be touched again: they always could without the sanitizer.
#[cfg(not(asan))]
#[inline(always)]
pub(crate) fn open(_start: usize, _bytes: usize) {}
