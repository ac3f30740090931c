//! Reference counts: the protocols by which references to objects are counted, each checked by models of its own.

pub mod atomic;
pub(crate) mod release;
pub(crate) mod slot;

use std::collections::HashMap;

use crate::{
    collector::Inspection, counts::atomic::AtomicCount, threads::sync::atomic::Ordering::Relaxed,
};

impl Inspection<'_, AtomicCount> {
    /// Tests that no object has fewer references counted than slots and shared entries refer to it. (Roots are the
    /// program's, and not written down anywhere.)
    pub(crate) fn check_counts(&self) {
        let mut references: HashMap<usize, u32> = HashMap::new();
        for object in self.objects() {
            // SAFETY: the world is stopped, and the object in the heap.
            for slot in unsafe { object.slots() } {
                // Relaxed: ordered by the safepoint handshake.
                let address = slot.load(Relaxed);
                if address != 0 {
                    *references.entry(address).or_default() += 1;
                }
            }
        }
        for object in self.core.shared.objects() {
            *references.entry(object.address()).or_default() += 1;
        }
        for object in self.objects() {
            let known = references.remove(&object.address()).unwrap_or(0);
            let count = object.header().count();
            assert!(count > 0, "{object:?} has no references and is in the heap");
            assert!(
                count >= known,
                "{object:?} has a count of {count}, and {known} references to it are known"
            );
        }
        assert!(references.is_empty(), "slots refer to what is no object: {references:x?}");
    }
}
