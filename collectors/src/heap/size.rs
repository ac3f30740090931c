//! Size classes: which cells a block is cut into, and which class an object of a given size goes to.
//!
//! Cells grow by one word up to 128 bytes (an exact fit), then by an eighth of a power of two (at most 12.5 % is
//! rounding), up to half a block. Anything larger is a large object with a mapping of its own.

use super::layout::{BLOCK_BYTES, GRANULE, WORD};
use crate::threads::sync::capacity;

/// The smallest cell. At least a granule, so that two cells never share an entry of a side table.
pub(crate) const MIN_CELL: usize = GRANULE;

/// The largest cell: two to a block.
pub(crate) const MAX_CELL: usize = BLOCK_BYTES / 2;

/// What cells grow by while they are small. In a model there are few classes, because each has cells and atomics.
const STEP: usize = capacity(WORD, 256);

/// Up to here every multiple of a step is a size class.
const EXACT: usize = if 4 * MIN_CELL < MAX_CELL { 4 * MIN_CELL } else { MAX_CELL };

/// Steps from one power of two to the next above `EXACT`.
const STEPS: usize = 8;

const EXACT_CLASSES: usize = (EXACT - MIN_CELL) / STEP + 1;

/// The number of size classes.
pub(crate) const SIZE_CLASSES: usize =
    EXACT_CLASSES + STEPS * (MAX_CELL.ilog2() - EXACT.ilog2()) as usize;

/// The size class whose cells hold `bytes`, or `None` if only a large object can.
pub(crate) const fn size_class(bytes: usize) -> Option<usize> {
    if bytes <= MIN_CELL {
        return Some(0);
    }
    if bytes <= EXACT {
        return Some((bytes - MIN_CELL).div_ceil(STEP));
    }
    if bytes > MAX_CELL {
        return None;
    }
    // `below` is the power of two that the cell lies above, so its step is an eighth of it.
    let below = (bytes - 1).ilog2();
    let step = (1usize << below) / STEPS;
    let steps = (bytes - (1 << below)).div_ceil(step);
    Some(EXACT_CLASSES - 1 + STEPS * (below - EXACT.ilog2()) as usize + steps)
}

/// Whether every object in a cell of `class` fills it.
#[inline(always)]
pub(crate) const fn is_exact(class: usize) -> bool {
    STEP == WORD && 0 < class && class < EXACT_CLASSES
}

/// The bytes of a cell of size class `class`.
pub(crate) const fn cell_bytes(class: usize) -> usize {
    if class < EXACT_CLASSES {
        return MIN_CELL + class * STEP;
    }
    let above = class - EXACT_CLASSES;
    let power = EXACT << (above / STEPS);
    power + (above % STEPS + 1) * (power / STEPS)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_size_fits_its_class_and_no_smaller_one() {
        for bytes in 1..=MAX_CELL {
            let class = size_class(bytes).unwrap();
            assert!(class < SIZE_CLASSES, "{bytes} bytes: class {class}");
            assert!(cell_bytes(class) >= bytes, "{bytes} bytes in cells of {}", cell_bytes(class));
            assert!(
                class == 0 || cell_bytes(class - 1) < bytes,
                "{bytes} bytes fit a smaller cell"
            );
        }
        assert_eq!(size_class(MAX_CELL + 1), None);
        assert_eq!(cell_bytes(SIZE_CLASSES - 1), MAX_CELL);
    }

    #[test]
    fn objects_fill_the_cells_of_exact_classes() {
        for bytes in (WORD..=MAX_CELL).step_by(WORD) {
            let class = size_class(bytes).unwrap();
            assert!(!is_exact(class) || cell_bytes(class) == bytes, "{bytes} bytes");
        }
        assert!(is_exact(size_class(5 * WORD).unwrap()), "most objects are small");
    }

    #[test]
    fn rounding_wastes_at_most_an_eighth() {
        for bytes in MIN_CELL..=MAX_CELL {
            let cell = cell_bytes(size_class(bytes).unwrap());
            assert!(cell - bytes <= (bytes / 8).max(WORD - 1), "{bytes} bytes in cells of {cell}");
        }
    }
}
