//! Recorded orderings: which call sites a model has passed, and the one to weaken.
//!
//! loom runs all threads of a model on the thread that explores it, so that thread's own table holds
//! the sites of that model and of no other, and needs no lock.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    env,
    hash::{BuildHasherDefault, Hasher},
    panic::Location,
    sync::{
        OnceLock,
        atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst},
    },
};

/// What a site does with its ordering.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Role {
    /// The ordering of an operation that has one.
    Only,
    /// The ordering of a compare-exchange that succeeds.
    Success,
    /// The ordering of a compare-exchange that fails.
    Failure,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// One ordering at one place of the source, as a model passed it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Site {
    /// The place, as `file:line:column`.
    pub(super) place: String,
    /// The operation, such as `fetch_sub` or `fence`.
    pub(super) operation: &'static str,
    /// Which of the operation's orderings, as [`Role::name`] spells it.
    pub(super) role: &'static str,
    /// The ordering in the source.
    pub(super) ordering: &'static str,
}

/// What a fence or an access does instead of what the source says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    /// It has this ordering.
    Order(Ordering),
    /// It is a fence, and it is gone.
    Removed,
}

thread_local! {
    static PASSED: RefCell<Passed> = RefCell::default();
    static WEAKENING: RefCell<Option<Weakening>> = RefCell::new(Weakening::from_environment());
}

#[derive(Default)]
struct Passed {
    sites: HashMap<Key, Entry, BuildHasherDefault<Mix>>,
    mutants: BTreeSet<&'static str>,
    weakened: u64,
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Key {
    /// The address of the place: the compiler makes one place a constant, or a few equal ones.
    place: usize,
    role: Role,
    ordering: Ordering,
}

struct Entry {
    place: &'static Location<'static>,
    operation: &'static str,
    effect: Effect,
}

/// Records that `operation` at `place` uses `ordering`, and says what it does in this run.
pub(super) fn pass(
    place: &'static Location<'static>,
    operation: &'static str,
    role: Role,
    ordering: Ordering,
) -> Effect {
    let key = Key { place: std::ptr::from_ref(place).addr(), role, ordering };
    let known = PASSED.with_borrow(|passed| passed.sites.get(&key).map(|entry| entry.effect));
    let effect = known.unwrap_or_else(|| {
        let effect = effect(place, operation, role, ordering);
        let entry = Entry { place, operation, effect };
        PASSED.with_borrow_mut(|passed| passed.sites.insert(key, entry));
        effect
    });
    if effect != Effect::Order(ordering) {
        PASSED.with_borrow_mut(|passed| passed.weakened += 1);
    }
    effect
}

/// What was passed since the last call: the sites, the mutants, and how often the weakened site.
pub(super) fn take() -> (Vec<Site>, Vec<&'static str>, u64) {
    let Passed { sites, mutants, weakened } = PASSED.take();
    let sites = sites.into_iter().map(|(key, entry)| Site {
        place: entry.place.to_string(),
        operation: entry.operation,
        role: key.role.name(),
        ordering: name(key.ordering),
    });
    // One place may have several addresses, but it is one site.
    let sites: BTreeSet<Site> = sites.collect();
    (sites.into_iter().collect(), mutants.into_iter().collect(), weakened)
}

/// Whether the mutation called `name` is switched on by `CYCLOTRON_MUTANT`.
///
/// A mutation is a known mistake, kept in the source behind this question, that a model must catch.
pub(crate) fn mutant(name: &'static str) -> bool {
    static SWITCHED_ON: OnceLock<Option<String>> = OnceLock::new();
    PASSED.with_borrow_mut(|passed| passed.mutants.insert(name));
    SWITCHED_ON.get_or_init(|| env::var("CYCLOTRON_MUTANT").ok()).as_deref() == Some(name)
}

/// The name of an ordering in reports and in `CYCLOTRON_WEAKEN`.
pub(super) fn name(ordering: Ordering) -> &'static str {
    match ordering {
        Relaxed => "relaxed",
        Acquire => "acquire",
        Release => "release",
        AcqRel => "acq-rel",
        SeqCst => "seq-cst",
        other => panic!("an ordering that no model knows: {other:?}"),
    }
}

fn effect(place: &Location<'_>, operation: &str, role: Role, ordering: Ordering) -> Effect {
    assert!(
        operation == "fence" || ordering != SeqCst,
        "`{operation}` at {place} is SeqCst, which a model treats as AcqRel: use a SeqCst fence"
    );
    let weaker = WEAKENING.with_borrow(|weakening| {
        weakening.as_ref().and_then(|weakening| weakening.of(&place.to_string(), role, ordering))
    });
    weaker.unwrap_or(Effect::Order(ordering))
}

/// The one site to weaken, and how: `file:line:column#role:ordering=weaker`.
#[derive(Debug)]
struct Weakening {
    site: String,
    effect: Effect,
}

impl Weakening {
    fn from_environment() -> Option<Self> {
        let text = env::var("CYCLOTRON_WEAKEN").ok()?;
        let weakening = Self::parse(&text);
        assert!(
            weakening.is_some(),
            "`CYCLOTRON_WEAKEN` is `{text}`, but should be like `file:1:2#only:release=relaxed`"
        );
        weakening
    }

    fn parse(text: &str) -> Option<Self> {
        let (site, weaker) = text.rsplit_once('=')?;
        let effect = match weaker {
            "relaxed" => Effect::Order(Relaxed),
            "acquire" => Effect::Order(Acquire),
            "release" => Effect::Order(Release),
            "acq-rel" => Effect::Order(AcqRel),
            "removed" => Effect::Removed,
            _ => return None,
        };
        Some(Self { site: site.to_owned(), effect })
    }

    fn of(&self, place: &str, role: Role, ordering: Ordering) -> Option<Effect> {
        let site = format!("{place}#{}:{}", role.name(), name(ordering));
        (site == self.site).then_some(self.effect)
    }
}

/// Weakens another site, or none, in what this thread explores from now on.
#[cfg(test)]
pub(super) fn weaken(text: Option<&str>) {
    WEAKENING.set(text.map(|text| Weakening::parse(text).expect("a test names a weakening")));
}

/// A hash of a few words, good enough for addresses and much quicker than the usual one.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, word: usize) {
        self.0 = (self.0.rotate_left(5) ^ word as u64).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_usize(word.cast_unsigned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weakening_names_one_role_of_one_place() {
        let weakening = Weakening::parse("src/a.rs:1:2#success:acq-rel=release").unwrap();
        let released = Some(Effect::Order(Release));
        assert_eq!(weakening.of("src/a.rs:1:2", Role::Success, AcqRel), released);
        assert_eq!(weakening.of("src/a.rs:1:2", Role::Failure, AcqRel), None);
        assert_eq!(weakening.of("src/a.rs:1:2", Role::Success, Acquire), None);
        assert_eq!(weakening.of("src/a.rs:1:20", Role::Success, AcqRel), None);
    }

    #[test]
    fn a_weakening_to_nothing_known_is_refused() {
        assert!(Weakening::parse("src/a.rs:1:2#only:release=nothing").is_none());
        assert!(Weakening::parse("src/a.rs:1:2#only:release").is_none());
    }
}
