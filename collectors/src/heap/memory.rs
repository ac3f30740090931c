//! Memory from the system: mappings aligned to their size, pages given back, and what a page costs.
//!
//! On Unix memory comes zeroed from `mmap` and goes back by `madvise` and `munmap`; under a model checker, Miri or
//! another system it comes from the global allocator, and pages cannot go back before their mapping does.

use std::ptr::NonNull;

use super::{layout::CHUNK_BYTES, seal};

/// Maps `bytes` of zeroed memory at a multiple of a chunk's size, or `None` if the system has none.
pub(crate) fn map(bytes: usize) -> Option<NonNull<u8>> {
    let start = system::map(bytes)?;
    // What lay there before may have been sealed.
    seal::open(start.as_ptr() as usize, bytes);
    Some(start)
}

/// Unmaps what `map` gave.
///
/// # Safety
///
/// `start` came from `map(bytes)` and is not used any more.
pub(crate) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
    // SAFETY: by our caller.
    unsafe { system::unmap(start, bytes) }
}

/// Gives the pages of a mapped range back to the system; they read as zero when they are touched again.
///
/// # Safety
///
/// The range lies in a mapping and holds nothing that is still needed. It is whole pages.
pub(crate) unsafe fn give_back(start: usize, bytes: usize) {
    // SAFETY: by our caller.
    unsafe { system::give_back(start, bytes) }
}

#[cfg(all(unix, not(loom), not(miri)))]
mod system {
    use super::{CHUNK_BYTES, NonNull};

    pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
        // The kernel aligns to pages only, so a chunk more is mapped and both ends are given back.
        let asked = bytes.checked_add(CHUNK_BYTES)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let mapped = unsafe { libc::mmap(std::ptr::null_mut(), asked, access, flags, -1, 0) };
        if mapped == libc::MAP_FAILED {
            return None;
        }
        let first = mapped as usize;
        let start = first.next_multiple_of(CHUNK_BYTES);
        let end = start + bytes.next_multiple_of(page());
        unmap_range(first, start - first);
        unmap_range(end, first + asked - end);
        NonNull::new(start as *mut u8)
    }

    /// Unmaps what `map` gave.
    ///
    /// # Safety
    ///
    /// As for the function of the same name above.
    pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        unmap_range(start.as_ptr() as usize, bytes.next_multiple_of(page()));
    }

    /// Gives pages back.
    ///
    /// # Safety
    ///
    /// As for the function of the same name above.
    pub(super) unsafe fn give_back(start: usize, bytes: usize) {
        // SAFETY: the range is mapped and not needed, by our caller's caller; private anonymous pages come back zero.
        let result =
            unsafe { libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_DONTNEED) };
        assert_eq!(result, 0, "the system refused to take back {bytes} bytes at {start:#x}");
    }

    fn unmap_range(start: usize, bytes: usize) {
        if bytes > 0 {
            // SAFETY: the range is part of a mapping made above, and nobody uses it any more.
            let result = unsafe { libc::munmap(start as *mut libc::c_void, bytes) };
            assert_eq!(result, 0, "the system refused to unmap {bytes} bytes at {start:#x}");
        }
    }

    fn page() -> usize {
        // SAFETY: asks for a constant of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(page).unwrap_or(4096)
    }
}

#[cfg(not(all(unix, not(loom), not(miri))))]
mod system {
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    use super::{CHUNK_BYTES, NonNull};

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes, CHUNK_BYTES).ok()
    }

    pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: the size is not 0: every caller asks for at least a chunk's tables.
        NonNull::new(unsafe { alloc_zeroed(layout(bytes)?) })
    }

    /// Unmaps what `map` gave.
    ///
    /// # Safety
    ///
    /// As for the function of the same name above.
    pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        let layout = layout(bytes).expect("this layout was valid when the memory was mapped");
        // SAFETY: it came from `map` with the same layout, by our caller.
        unsafe { dealloc(start.as_ptr(), layout) };
    }

    /// Gives pages back.
    ///
    /// # Safety
    ///
    /// As for the function of the same name above.
    pub(super) unsafe fn give_back(_start: usize, _bytes: usize) {}
}
