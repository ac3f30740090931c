//! Lessons: the listings of an article on how Python manages memory, step by step.

use super::player::Act::{self, *};

/// One listing.
#[derive(Debug)]
pub struct Lesson {
    /// What it shows.
    pub title: &'static str,
    /// The steps, in their order.
    pub steps: &'static [Step],
    /// What to take away.
    pub moral: &'static str,
}

/// One or more lines of the listing, and what happens then.
#[derive(Debug)]
pub struct Step {
    /// The lines of Python; empty for the end of the program.
    pub python: &'static str,
    /// What they do to a heap.
    pub acts: &'static [Act],
    /// Why.
    pub why: &'static str,
}

const fn step(python: &'static str, acts: &'static [Act], why: &'static str) -> Step {
    Step { python, acts, why }
}

const CREATE_NODES: Step = step(
    "node1 = Node(\"Node 1\")\nnode2 = Node(\"Node 2\")",
    &[New("node1", "Node", "Node 1"), New("node2", "Node", "Node 2")],
    "Two objects with one reference each: the two labels.",
);

const LINK_NODES: Step = step(
    "node1.reference = node2\nnode2.reference = node1",
    &[Set("node1", "node2"), Set("node2", "node1")],
    "Each attribute is a reference like any other, so each count is 2 now.",
);

const LOSE_NODES: Step = step(
    "del node1\ndel node2",
    &[Del("node1"), Del("node2")],
    "`del` takes a label away, not an object. Each node still has the reference of the other, so no count reaches zero: \
     nobody can get at the two, and counting alone will never know.",
);

const EXIT: Step = step(
    "",
    &[Exit],
    "The program ends: its labels go, and the interpreter collects once more. A collector that only counts finds nothing \
     then, and what it holds still is what it leaked.",
);

/// The listings, in the order of the article.
pub const LESSONS: &[Lesson] = &[
    Lesson {
        title: "Names are labels",
        steps: &[
            step(
                "my_list = [1, 2, 3]\nanother_name = my_list",
                &[List("my_list", &[1, 2, 3]), Bind("another_name", "my_list")],
                "Assignment copies a reference, not the object: there is one list with two labels.",
            ),
            step(
                "print(my_list is another_name)\nprint(id(my_list) == id(another_name))",
                &[PrintIs("my_list", "another_name"), PrintSameIdentity("my_list", "another_name")],
                "`is` compares references, and `id()` is the same number for the same object.",
            ),
            step(
                "my_list.append(4)\nprint(another_name)",
                &[Append("my_list", 4), PrintList("another_name")],
                "What is changed through one label is seen through the other.",
            ),
            step(
                "my_list = [5, 6, 7]\nprint(another_name)",
                &[List("my_list", &[5, 6, 7]), PrintList("another_name")],
                "The label `my_list` moves to a new object. The old one keeps its other label, and lives on.",
            ),
            EXIT,
        ],
        moral: "A name is not a box that holds an object, it is a label stuck to one.",
    },
    Lesson {
        title: "Two people who know each other",
        steps: &[
            step(
                "alice = Person(\"Alice\")\nbob = Person(\"Bob\")\nalice.friend = bob\nbob.friend = alice",
                &[
                    New("alice", "Person", "Alice"),
                    New("bob", "Person", "Bob"),
                    Set("alice", "bob"),
                    Set("bob", "alice"),
                ],
                "Two objects, each with two references: a label, and the other's attribute.",
            ),
            step(
                "print(alice.friend.friend is alice)\ngc.collect()",
                &[PrintIsAround("alice", 2), Collect(None)],
                "Going round the cycle ends where it began. The collection finds nothing: both are in use.",
            ),
            step(
                "del alice, bob\nprint(gc.collect())",
                &[Del("alice"), Del("bob"), Collect(Some(""))],
                "Without labels the two still hold each other. The cycle detector subtracts the references from inside, \
                 finds that none come from outside, frees both and says so: 2.",
            ),
            EXIT,
        ],
        moral: "The smallest cycle of two is enough to defeat counting; finding it takes a look at the whole.",
    },
    Lesson {
        title: "Counts",
        steps: &[
            step(
                "my_list = [1, 2, 3]\nprint(f\"Reference count: {sys.getrefcount(my_list)}\")",
                &[List("my_list", &[1, 2, 3]), PrintCount("Reference count: ", "my_list", 1)],
                "One label, and one more reference while `getrefcount` looks: its own argument.",
            ),
            step(
                "another_ref = my_list\nprint(f\"Reference count: {sys.getrefcount(my_list)}\")",
                &[Bind("another_ref", "my_list"), PrintCount("Reference count: ", "my_list", 1)],
                "Another label is another reference.",
            ),
            step(
                "del another_ref\nprint(f\"Reference count: {sys.getrefcount(my_list)}\")",
                &[Del("another_ref"), PrintCount("Reference count: ", "my_list", 1)],
                "And one less.",
            ),
            step(
                "del my_list",
                &[Del("my_list")],
                "The last label goes, the count reaches zero, and the list is freed at once.",
            ),
            EXIT,
        ],
        moral: "Every copy of a reference adds one, every end of one takes one away, and zero means free.",
    },
    Lesson {
        title: "Destruction at zero, and in which order",
        steps: &[
            step(
                "print(\"Creating object 1:\")\nobj1 = DataObject(\"Object 1\")",
                &[Print("Creating object 1:"), New("obj1", "DataObject", "Object 1")],
                "`DataObject` says when it is made and, in `__del__`, when it is about to be destroyed.",
            ),
            step(
                "print(\"\\nCreating object 2 and deleting it:\")\nobj2 = DataObject(\"Object 2\")\ndel obj2",
                &[
                    Print("\nCreating object 2 and deleting it:"),
                    New("obj2", "DataObject", "Object 2"),
                    Del("obj2"),
                ],
                "`__del__` runs within `del`, before the next line: counting is prompt.",
            ),
            step(
                "print(\"\\nReassigning obj1:\")\nobj1 = DataObject(\"Object 3\")",
                &[Print("\nReassigning obj1:"), New("obj1", "DataObject", "Object 3")],
                "The new object is made first; then the label moves, and the old object has none left.",
            ),
            step(
                "print(\"\\nFunction scope test:\")\ndef create_temporary():\n    temp = DataObject(\"Temporary\")\n    \
                 print(\"Inside function\")\ncreate_temporary()\nprint(\"After function\")",
                &[
                    Print("\nFunction scope test:"),
                    New("temp", "DataObject", "Temporary"),
                    Print("Inside function"),
                    Del("temp"),
                    Print("After function"),
                ],
                "A local name is a label too; it goes when the function returns.",
            ),
            step(
                "print(\"\\nScript ending...\")",
                &[Print("\nScript ending...")],
                "`obj1` is still there.",
            ),
            EXIT,
        ],
        moral: "With counting, destruction has a place in the program that one can point at.",
    },
    Lesson {
        title: "What counting leaks",
        steps: &[
            step(
                "print(\"Creating two nodes:\")",
                &[Print("Creating two nodes:")],
                "`Node` announces its end in `__del__`.",
            ),
            CREATE_NODES,
            step(
                "print(\"\\nCreating circular reference:\")",
                &[Print("\nCreating circular reference:")],
                "",
            ),
            LINK_NODES,
            step(
                "print(f\"Node 1 refcount: {sys.getrefcount(node1) - 1}\")\n\
                 print(f\"Node 2 refcount: {sys.getrefcount(node2) - 1}\")",
                &[
                    PrintCount("Node 1 refcount: ", "node1", 0),
                    PrintCount("Node 2 refcount: ", "node2", 0),
                ],
                "A label and an attribute each.",
            ),
            step(
                "print(\"\\nDeleting our variables:\")",
                &[Print("\nDeleting our variables:")],
                "",
            ),
            LOSE_NODES,
            step(
                "print(\"Objects still alive! (reference counts aren't zero)\")\n\
                 print(\"They only reference each other, but counts are still 1 each\")",
                &[
                    Print("Objects still alive! (reference counts aren't zero)"),
                    Print("They only reference each other, but counts are still 1 each"),
                ],
                "No `__del__` has run.",
            ),
            EXIT,
        ],
        moral: "Pure counting leaks every cycle, and all that hangs off it, for ever.",
    },
    Lesson {
        title: "Collecting by hand",
        steps: &[
            CREATE_NODES,
            LINK_NODES,
            LOSE_NODES,
            step(
                "print(\"collect() returned\", gc.collect())",
                &[Collect(Some("collect() returned "))],
                "The detector finds the two, calls both finalizers with the cycle still whole, frees both, and returns how \
                 many they were.",
            ),
            step(
                "print(\"\\nAfter manual collection:\")\ntry:\n    print(sys.getrefcount(node1) - 1)\nexcept NameError as e:\n    \
                 print(\"NameError:\", e)",
                &[Print("\nAfter manual collection:"), PrintNameError("node1")],
                "There is nothing to ask any more: the label was deleted before.",
            ),
            EXIT,
        ],
        moral: "`gc.collect()` returns the number of unreachable objects that it found.",
    },
    Lesson {
        title: "The smallest cycle",
        steps: &[
            step(
                "node = Node(1)\nnode.next = node",
                &[New("node", "Link", "Node 1"), Set("node", "node")],
                "An object that refers to itself keeps itself alive.",
            ),
            step(
                "print(node.next.next.next is node)\ngc.collect()",
                &[PrintIsAround("node", 3), Collect(None)],
                "However often one follows `next`.",
            ),
            step(
                "del node\nprint(gc.collect())",
                &[Del("node"), Collect(Some(""))],
                "Its one reference is its own: garbage, of one object.",
            ),
            EXIT,
        ],
        moral: "A cycle needs no second object.",
    },
    Lesson {
        title: "Triggering a collection",
        steps: &[
            step(
                "print(\"Creating two nodes:\")",
                &[Print("Creating two nodes:")],
                "The nodes of before.",
            ),
            CREATE_NODES,
            step(
                "print(\"\\nCreating circular reference:\")",
                &[Print("\nCreating circular reference:")],
                "",
            ),
            LINK_NODES,
            step(
                "print(f\"Node 1 refcount: {sys.getrefcount(node1) - 1}\")\n\
                 print(f\"Node 2 refcount: {sys.getrefcount(node2) - 1}\")\nprint(\"\\nDeleting our variables:\")",
                &[
                    PrintCount("Node 1 refcount: ", "node1", 0),
                    PrintCount("Node 2 refcount: ", "node2", 0),
                    Print("\nDeleting our variables:"),
                ],
                "",
            ),
            LOSE_NODES,
            step(
                "print(\"Objects still alive! (reference counts aren't zero)\")\n\
                 print(\"They only reference each other, but counts are still 1 each\")\n\
                 print(\"\\nTriggering cyclic garbage collection:\")\ncollected = gc.collect()\n\
                 print(f\"Collected {collected} objects\")",
                &[
                    Print("Objects still alive! (reference counts aren't zero)"),
                    Print("They only reference each other, but counts are still 1 each"),
                    Print("\nTriggering cyclic garbage collection:"),
                    CollectObjects,
                ],
                "The finalizers run first, then both are freed.",
            ),
            EXIT,
        ],
        moral: "What counting cannot free, a collection can; the question is when.",
    },
    Lesson {
        title: "Thresholds and counts",
        steps: &[
            step(
                "print(f\"GC enabled: {gc.isenabled()}\")\nthresholds = gc.get_threshold()\n...",
                &[PrintThresholds],
                "The youngest generation is collected when allocations less frees since its last collection exceed the \
                 first threshold; an older one, when collections of the next younger one exceed its own.",
            ),
            step(
                "counts = gc.get_count()\n...",
                &[PrintCounts],
                "How far the three counts have come.",
            ),
            step(
                "print(f\"\\nCollecting garbage...\")\ncollected = gc.collect()\nprint(f\"Collected {collected} objects\")\n\
                 print(f\"\\nTotal tracked objects: {len(gc.get_objects())}\")",
                &[Print("\nCollecting garbage..."), CollectObjects, PrintTotal],
                "A full collection sets all counts to zero.",
            ),
            EXIT,
        ],
        moral: "Collections are paid for by allocations that were not freed: garbage that counting handles costs none.",
    },
    Lesson {
        title: "The allocation that is one too many",
        steps: &[
            step(
                "gc.collect()\nkeep = [[] for _ in range(699)]",
                &[Collect(None), Keep("keep", 699)],
                "699 objects and the list that holds them: 700 that were allocated and not freed.",
            ),
            step(
                "print(gc.get_count())",
                &[PrintCountsOnly],
                "At CPython's threshold of 700, and not above it.",
            ),
            step(
                "keep.append([])\nprint(gc.get_count())",
                &[KeepMore("keep", 699), PrintCountsOnly],
                "The 701st allocation exceeds the threshold: it collects before it allocates. The count begins at nothing \
                 again, and the next generation has seen one collection of the younger one.",
            ),
            EXIT,
        ],
        moral: "A collection happens inside of an allocation, and its price is paid by whoever makes that one.",
    },
];
