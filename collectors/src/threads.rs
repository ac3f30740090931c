//! Who manages memory: mutators, safepoints, and the switch between real threads and the model checker's.

pub(crate) mod collector_thread;
pub(crate) mod sync;
pub(crate) mod world;

/// The text of a panic.
pub(crate) fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
