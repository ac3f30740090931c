//! Graphs: what is built on a heap to be counted, collected or kept.

use collectors::{
    Class, Collector, Heap, Layout, Mutator, Options, Root,
    generational::Generational,
    triggers::{Fixed, FixedSettings},
};

/// The collector with CPython's trigger.
pub(crate) type Cycles = Generational<Fixed>;

/// A heap that keeps the memory it has touched, and the class of all nodes: two slots, two words.
pub(crate) fn heap<C: Collector>(settings: C::Settings, options: Options) -> (Heap<C>, Class<C>) {
    let options = Options { reserve: u64::MAX, ..options };
    let heap = Heap::new(settings, options).expect("the settings are in their ranges");
    let class = heap.class(Layout::new("Node").slots(2).words(2));
    (heap, class)
}

/// Settings under which nothing is collected unless the program asks.
pub(crate) fn off() -> FixedSettings {
    FixedSettings { thresholds: [0, 10, 10] }
}

/// A new node.
pub(crate) fn node<'m, C: Collector>(mutator: &'m Mutator<C>, class: &Class<C>) -> Root<'m, C> {
    mutator.alloc(class).expect("a heap without a limit has memory")
}

/// Makes and drops `count` nodes, one after the other.
pub(crate) fn allocate_and_drop<C: Collector>(
    mutator: &Mutator<C>,
    class: &Class<C>,
    count: usize,
) {
    for _ in 0..count {
        let node = node(mutator, class);
        // The address only: a root forced through memory would be measured as well.
        std::hint::black_box(node.identity());
        drop(node);
    }
}

/// A full binary tree of `depth` levels below its root.
pub(crate) fn tree<'m, C: Collector>(
    mutator: &'m Mutator<C>,
    class: &Class<C>,
    depth: u32,
) -> Root<'m, C> {
    let root = node(mutator, class);
    if depth > 0 {
        root.set(0, Some(&tree(mutator, class, depth - 1)));
        root.set(1, Some(&tree(mutator, class, depth - 1)));
    }
    root
}

/// Makes and drops rings of `size` nodes, `count` nodes in all.
pub(crate) fn rings<C: Collector>(
    mutator: &Mutator<C>,
    class: &Class<C>,
    count: usize,
    size: usize,
) {
    for _ in 0..count / size {
        let first = node(mutator, class);
        let mut last = first.clone();
        for _ in 1..size {
            let next = node(mutator, class);
            last.set(0, Some(&next));
            last = next;
        }
        last.set(0, Some(&first));
    }
}

/// Makes and drops pairs of nodes that refer to each other, `count` nodes in all. If there are `targets`, each pair also
/// refers to one of them.
pub(crate) fn pairs<C: Collector>(
    mutator: &Mutator<C>,
    class: &Class<C>,
    count: usize,
    targets: &[Root<'_, C>],
) {
    for pair in 0..count / 2 {
        let (left, right) = (node(mutator, class), node(mutator, class));
        left.set(0, Some(&right));
        right.set(0, Some(&left));
        if !targets.is_empty() {
            right.set(1, Some(&targets[pair % targets.len()]));
        }
    }
}

/// Graphs that stay alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each node refers to the one made after it.
    Chain,
    /// Each node refers to the ones made before and after it.
    DoublyLinked,
    /// Each node refers to two others, and a list to all.
    Random,
}

impl Shape {
    pub(crate) const ALL: [Self; 3] = [Self::Chain, Self::DoublyLinked, Self::Random];

    /// Its name in the table and in the Python script.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::DoublyLinked => "doubly-linked",
            Self::Random => "random",
        }
    }

    /// Builds it with `count` nodes and gives what holds it.
    pub(crate) fn build<'m, C: Collector>(
        self,
        mutator: &'m Mutator<C>,
        class: &Class<C>,
        count: usize,
    ) -> Root<'m, C> {
        if self == Self::Random {
            return random(mutator, class, count);
        }
        let first = node(mutator, class);
        let mut last = first.clone();
        for _ in 1..count {
            let next = node(mutator, class);
            last.set(0, Some(&next));
            if self == Self::DoublyLinked {
                next.set(1, Some(&last));
            }
            last = next;
        }
        first
    }
}

fn random<'m, C: Collector>(
    mutator: &'m Mutator<C>,
    class: &Class<C>,
    count: usize,
) -> Root<'m, C> {
    let list = mutator.heap().class(Layout::new("List"));
    let list = mutator.alloc_with(&list, count as u32).expect("a heap without a limit has memory");
    for index in 0..count {
        list.set(index, Some(&node(mutator, class)));
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for index in 0..count {
        let node = list.get(index).expect("the list is full");
        for slot in 0..2 {
            node.set(slot, list.get(random.below(count)).as_ref());
        }
    }
    list
}

/// Marsaglia's xorshift: the same graph in every run.
pub(crate) struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
