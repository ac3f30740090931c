//! Player: does what a lesson says, on a real heap under audit, and notes what is printed and what the heap holds.

use super::lessons::{Lesson, Step};
use collectors::{
    Class, Collector, Event, Heap, Layout, Mutator, Observer, Options, OutOfMemory, Progress, Root,
    audit::{Audited, Pictured, Violation},
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a line of Python does to a heap. Objects but lists have one attribute.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// `label = Class("name")`.
    New(&'static str, &'static str, &'static str),
    /// `label = [values]`.
    List(&'static str, &'static [u64]),
    /// `label = other`.
    Bind(&'static str, &'static str),
    /// `del label`.
    Del(&'static str),
    /// `owner.attribute = value`.
    Set(&'static str, &'static str),
    /// `label.append(value)`.
    Append(&'static str, u64),
    /// A list with so many new objects in it.
    Keep(&'static str, usize),
    /// One more of them, at this place.
    KeepMore(&'static str, usize),
    /// Prints a text.
    Print(&'static str),
    /// Prints `one is other`.
    PrintIs(&'static str, &'static str),
    /// Prints `id(one) == id(other)`.
    PrintSameIdentity(&'static str, &'static str),
    /// Prints whether the object is reached again from itself in so many steps.
    PrintIsAround(&'static str, usize),
    /// Prints a list.
    PrintList(&'static str),
    /// Prints a text and a count, and so many more.
    PrintCount(&'static str, &'static str, u64),
    /// Collects everything; prints a text and how many objects were freed, if there is a text.
    Collect(Option<&'static str>),
    /// Collects everything and prints how many objects were freed, in words.
    CollectObjects,
    /// Prints what asking for a label that is not there gives.
    PrintNameError(&'static str),
    /// Prints the thresholds, in words.
    PrintThresholds,
    /// Prints the counts, in words.
    PrintCounts,
    /// Prints the counts.
    PrintCountsOnly,
    /// Prints how many objects there are.
    PrintTotal,
    /// The program ends.
    Exit,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// What was printed, line by line.
    pub printed: Vec<String>,
    /// Collections.
    pub events: Vec<String>,
    /// The objects that the heap holds, oldest first.
    pub objects: Vec<Shown>,
}

/// An object of a scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The labels that refer to it.
    pub labels: Vec<&'static str>,
    /// Its name.
    pub name: String,
    /// What the audit says of it.
    pub object: Pictured,
}

/// Why a lesson cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum TourError {
    /// The heap is exhausted.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The audit has found a mistake.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// A lesson asks for a label that is not there.
    #[error("the lesson uses `{0}`, which is no label then")]
    NoLabel(&'static str),
}

/// Words of a list: its length, and as many values.
const LIST_WORDS: u32 = 8;

/// Plays a lesson; a scene for each of its steps.
///
/// # Errors
///
/// If memory is exhausted, the collector is wrong, or the lesson is.
pub fn play<C: Collector>(lesson: &Lesson) -> Result<Vec<Scene>, TourError> {
    let noted = Arc::new(Noted::default());
    let options = Options { observer: Some(Arc::clone(&noted) as _), ..Options::default() };
    let Ok(heap) = Heap::<Audited<C>>::new(C::Settings::default(), options) else {
        unreachable!("default settings are in their ranges")
    };
    let mutator = heap.attach();
    let mut player = Player::new(&mutator, noted);
    lesson.steps.iter().map(|step| player.step(step)).collect()
}

/// What finalizers print and collections report, while a step is played.
#[derive(Debug, Default)]
struct Noted {
    printed: Mutex<Vec<String>>,
    events: Mutex<Vec<String>>,
    /// The names of all objects, by their number.
    names: Mutex<BTreeMap<u64, String>>,
}

impl Observer for Noted {
    fn event(&self, _: usize, event: Event) {
        if let Event::Collection { generation, examined, freed, .. } = event {
            lock(&self.events).push(format!(
                "collection of generation {generation}: {examined} examined, {freed} freed"
            ));
        }
    }
}

impl Noted {
    fn print(&self, text: &str) {
        lock(&self.printed).extend(text.split('\n').map(str::to_owned));
    }
}

struct Player<'m, C: Collector> {
    mutator: &'m Mutator<Audited<C>>,
    noted: Arc<Noted>,
    classes: BTreeMap<&'static str, Class<Audited<C>>>,
    /// The labels, in the order in which they were first used.
    labels: Vec<(&'static str, Made<'m, C>)>,
    made: u64,
}

/// An object, and its number: objects are numbered as they are made, by the audit too.
struct Made<'m, C: Collector> {
    root: Root<'m, Audited<C>>,
    number: u64,
}

impl<C: Collector> Clone for Made<'_, C> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), number: self.number }
    }
}

impl<'m, C: Collector> Player<'m, C> {
    fn new(mutator: &'m Mutator<Audited<C>>, noted: Arc<Noted>) -> Self {
        let mut classes = BTreeMap::new();
        for name in ["Person", "Link", "Node", "DataObject"] {
            let mut layout = Layout::new(name).slots(1).words(1);
            if matches!(name, "Node" | "DataObject") {
                let noted = Arc::clone(&noted);
                layout = layout.finalizer(move |dying| {
                    let name = lock(&noted.names).get(&dying.word(0)).cloned();
                    noted.print(&format!("Deleting {}", name.unwrap_or_default()));
                });
            }
            classes.insert(name, mutator.heap().class(layout));
        }
        classes.insert("list", mutator.heap().class(Layout::new("list").words(LIST_WORDS)));
        Self { mutator, noted, classes, labels: Vec::new(), made: 0 }
    }

    fn step(&mut self, step: &Step) -> Result<Scene, TourError> {
        for &act in step.acts {
            self.act(act)?;
        }
        let printed = std::mem::take(&mut *lock(&self.noted.printed));
        let events = std::mem::take(&mut *lock(&self.noted.events));
        Ok(Scene { printed, events, objects: self.objects()? })
    }

    fn act(&mut self, act: Act) -> Result<(), TourError> {
        match act {
            Act::New(label, class, name) => {
                let object = self.make(class, name, 0)?;
                if class == "DataObject" {
                    self.print(&format!("Created {name}"));
                }
                self.bind(label, object);
            }
            Act::List(label, values) => {
                let list = self.make("list", "a list", 0)?;
                list.root.set_word(0, values.len() as u64);
                values.iter().zip(1..).for_each(|(&value, index)| list.root.set_word(index, value));
                self.bind(label, list);
            }
            Act::Bind(label, other) => self.bind(label, self.made(other)?.clone()),
            Act::Del(label) => {
                let index = self.labels.iter().position(|(name, _)| *name == label);
                drop(self.labels.remove(index.ok_or(TourError::NoLabel(label))?));
            }
            Act::Set(owner, value) => self.get(owner)?.set(0, Some(self.get(value)?)),
            Act::Append(label, value) => {
                let list = self.get(label)?;
                let length = list.word(0) + 1;
                list.set_word(0, length);
                list.set_word(length as usize, value);
            }
            Act::Keep(label, count) => {
                let list = self.make("list", "keep", count as u32 + 1)?;
                self.bind(label, list);
                (0..count).try_for_each(|index| self.keep(label, index))?;
            }
            Act::KeepMore(label, index) => self.keep(label, index)?,
            Act::Print(text) => self.print(text),
            Act::PrintIs(one, other) => {
                self.print(python_bool(self.get(one)?.same(self.get(other)?)));
            }
            Act::PrintSameIdentity(one, other) => {
                let is_same = self.get(one)?.identity() == self.get(other)?.identity();
                self.print(python_bool(is_same));
            }
            Act::PrintIsAround(label, steps) => {
                let start = self.get(label)?;
                let end = (0..steps).try_fold(start.clone(), |object, _| object.get(0));
                self.print(python_bool(end.is_some_and(|end| end.same(start))));
            }
            Act::PrintList(label) => {
                let list = self.get(label)?;
                let values: Vec<u64> =
                    (1..=list.word(0) as usize).map(|index| list.word(index)).collect();
                self.print(&format!("{values:?}"));
            }
            Act::PrintCount(text, label, more) => {
                let count = self.get(label)?.count().unwrap_or_default() + more;
                self.print(&format!("{text}{count}"));
            }
            Act::Collect(text) => {
                let freed = self.mutator.collect().freed;
                if let Some(text) = text {
                    self.print(&format!("{text}{freed}"));
                }
            }
            Act::CollectObjects => {
                let freed = self.mutator.collect().freed;
                self.print(&format!("Collected {freed} objects"));
            }
            Act::PrintNameError(label) => match self.get(label) {
                Ok(_) => self.print("no error"),
                Err(_) => self.print(&format!("NameError: name '{label}' is not defined")),
            },
            Act::PrintThresholds => self.print_thresholds(),
            Act::PrintCounts => self.print_counts(),
            Act::PrintCountsOnly => {
                self.print(&tuple(&self.mutator.generations(), |generation| generation.count));
            }
            Act::PrintTotal => {
                let objects = self.mutator.heap().statistics().held().objects;
                self.print(&format!("\nTotal tracked objects: {objects}"));
            }
            Act::Exit => {
                // Module globals go in the order in which they were made.
                while !self.labels.is_empty() {
                    drop(self.labels.remove(0));
                }
                self.mutator.collect();
            }
        }
        Ok(())
    }

    fn print(&self, text: &str) {
        self.noted.print(text);
    }

    fn made(&self, label: &'static str) -> Result<&Made<'m, C>, TourError> {
        let found = self.labels.iter().find(|(name, _)| *name == label);
        found.map(|(_, made)| made).ok_or(TourError::NoLabel(label))
    }

    fn get(&self, label: &'static str) -> Result<&Root<'m, Audited<C>>, TourError> {
        self.made(label).map(|made| &made.root)
    }

    /// The label refers to `object` from now on; what it referred to before loses a reference.
    fn bind(&mut self, label: &'static str, object: Made<'m, C>) {
        match self.labels.iter_mut().find(|(name, _)| *name == label) {
            Some((_, before)) => *before = object,
            None => self.labels.push((label, object)),
        }
    }

    fn make(
        &mut self,
        class: &'static str,
        name: &str,
        slots: u32,
    ) -> Result<Made<'m, C>, TourError> {
        let root = self.mutator.alloc_with(&self.classes[class], slots)?;
        self.made += 1;
        let number = self.made;
        // By this word a finalizer knows the name.
        root.set_word(0, number);
        lock(&self.noted.names).insert(number, name.to_owned());
        Ok(Made { root, number })
    }

    fn keep(&mut self, label: &'static str, index: usize) -> Result<(), TourError> {
        let item = self.make("list", "an item", 0)?;
        self.get(label)?.set(index, Some(&item.root));
        Ok(())
    }

    fn print_thresholds(&self) {
        let generations = self.mutator.generations();
        let is_enabled = generations.first().is_some_and(|young| young.threshold > 0);
        let mut text = format!("GC enabled: {}\n\n", python_bool(is_enabled));
        let thresholds = tuple(&generations, |generation| generation.threshold);
        let _ = write!(text, "Collection thresholds: {thresholds}");
        for (number, generation) in generations.iter().enumerate() {
            let unit = if number == 0 { "objects" } else { "collections" };
            let threshold = generation.threshold;
            let _ = write!(text, "\n  Generation {number} threshold: {threshold} {unit}");
        }
        self.print(&text);
    }

    fn print_counts(&self) {
        let generations = self.mutator.generations();
        let mut text =
            format!("\nCurrent counts: {}", tuple(&generations, |generation| generation.count));
        for (number, Progress { count, .. }) in generations.iter().enumerate() {
            let _ = match number {
                0 => write!(text, "\n  Gen 0: {count} objects"),
                _ => write!(text, "\n  Gen {number}: {count} collections since last Gen {number}"),
            };
        }
        self.print(&text);
    }

    fn objects(&self) -> Result<Vec<Shown>, TourError> {
        let names = lock(&self.noted.names);
        let picture = self.mutator.heap().picture()?;
        let name = |object: &Pictured| names.get(&object.number).cloned().unwrap_or_default();
        let labels = |object: &Pictured| {
            let labels = self.labels.iter().filter(|(_, made)| made.number == object.number);
            labels.map(|(label, _)| *label).collect()
        };
        Ok(picture
            .into_iter()
            .map(|object| Shown { labels: labels(&object), name: name(&object), object })
            .collect())
    }
}

fn tuple(generations: &[Progress], number: fn(&Progress) -> u64) -> String {
    let numbers: Vec<String> =
        generations.iter().map(|generation| number(generation).to_string()).collect();
    format!("({})", numbers.join(", "))
}

fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
