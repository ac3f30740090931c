//! Laws: tests that hold under every collector, and what they are made of.

use collectors::{
    Collector, Finalizers, Heap, Mutator, NAMES, Options, Reclaims, WithCollector, audit::Audited,
};

/// Functions generic over a collector, each made a test that runs it under every collector of the list.
macro_rules! laws {
    ($($(#[$attribute:meta])* fn $name:ident<$collector:ident>() $body:block)*) => {
        $(
            #[test]
            $(#[$attribute])*
            fn $name() {
                struct Law;

                impl collectors::WithCollector for Law {
                    type Output = ();

                    fn run<$collector: collectors::Collector>(self) {
                        $body
                    }
                }

                $crate::laws::under_every_collector(|name| {
                    collectors::with_collector(name, Law).expect("the list has every name in it");
                });
                $crate::laws::under_every_collector(|name| {
                    eprintln!("audited:");
                    collectors::with_collector(name, $crate::laws::UnderAudit(Law));
                });
            }
        )*
    };
}

/// Runs code with the chosen collector under audit.
pub(crate) struct UnderAudit<B>(pub(crate) B);

impl<B: WithCollector> WithCollector for UnderAudit<B> {
    type Output = B::Output;

    fn run<C: Collector>(self) -> B::Output {
        self.0.run::<Audited<C>>()
    }
}

/// Calls `law` with the name of every collector; the output of a test that fails ends with the one it failed under.
pub(crate) fn under_every_collector(law: impl Fn(&'static str)) {
    for &name in NAMES {
        eprintln!("under `{name}`:");
        law(name);
    }
}

/// A heap as users get it.
pub(crate) fn heap<C: Collector>() -> Heap<C> {
    heap_with(Options::default())
}

/// A heap that collects at every opportunity and yields at random.
pub(crate) fn stressed_heap<C: Collector>(seed: u64) -> Heap<C> {
    heap_with(Options { stress: Some(seed), ..Options::default() })
}

/// A heap of the default settings.
pub(crate) fn heap_with<C: Collector>(options: Options) -> Heap<C> {
    Heap::new(C::Settings::default(), options).expect("default settings are in their ranges")
}

/// Collects until a collection changes nothing any more.
pub(crate) fn settle<C: Collector>(mutator: &Mutator<C>) {
    mutator.safepoint();
    loop {
        let before = mutator.heap().statistics();
        mutator.collect();
        if mutator.heap().statistics() == before {
            return;
        }
    }
}

/// Tests that all is freed that `C` promises to free, and nothing else, where everything is unreachable: of `objects`
/// objects `cyclic` are in cycles or held by one.
pub(crate) fn expect_held_garbage<C: Collector>(heap: &Heap<C>, objects: u64, cyclic: u64) {
    let held = heap.statistics().held().objects;
    let expected = match C::CAPABILITIES.reclaims {
        Reclaims::Nothing => objects,
        Reclaims::Acyclic => cyclic,
        Reclaims::Everything => 0,
    };
    assert_eq!(held, expected, "garbage held, of {objects} objects, {cyclic} of them cyclic");
}

/// Whether `C` frees garbage that has no cycles.
pub(crate) fn reclaims_acyclic<C: Collector>() -> bool {
    C::CAPABILITIES.reclaims != Reclaims::Nothing
}

/// Whether `C` frees all garbage.
pub(crate) fn reclaims_everything<C: Collector>() -> bool {
    C::CAPABILITIES.reclaims == Reclaims::Everything
}

/// Whether `C` runs finalizers at all.
pub(crate) fn finalizes<C: Collector>() -> bool {
    C::CAPABILITIES.finalizers != Finalizers::Never
}

/// The message of the panic in `body`.
///
/// # Panics
///
/// If `body` does not panic.
pub(crate) fn panic_of<R>(body: impl FnOnce() -> R) -> String {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    message_of(result.err().expect("this should have panicked"))
}

/// The message of a panic.
pub(crate) fn message_of(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => {
            panic.downcast_ref::<&str>().copied().unwrap_or("a panic without a text").to_owned()
        }
    }
}

/// Runs `body` on a thread with a stack of one mebibyte, an eighth of what a program usually has.
pub(crate) fn on_a_small_stack(body: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn_scoped(scope, body);
        let thread = thread.expect("the system has a thread for us");
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Whether `C` lets memory be used again as soon as it has freed what lies there. An audit keeps it for a while.
pub(crate) fn gives_memory_back<C: Collector>() -> bool {
    reclaims_acyclic::<C>() && !C::IS_AUDITED
}
