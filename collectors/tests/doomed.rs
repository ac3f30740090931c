//! Garbage that waits for its finalizers, and that other mutators get hold of meanwhile.

use std::sync::{
    Arc, Barrier,
    mpsc::{self, Sender},
};

use collectors::{
    Class, Collector, Heap, Layout, Options, Root, Shared, WithCollector, audit::Audited,
    with_collector,
};

/// The collectors that doom garbage: those that stop the world to find cycles among counted references.
const DOOMING: [&str; 5] = ["generational", "tuned", "biased", "incremental", "trial-deletion"];

/// A mutator gets hold of a doomed object, and waits, in a finalizer of its own, with that object dead and its turn to be
/// destroyed not come, while the collection ends that has doomed it.
struct DiesElsewhere;

/// What both threads tell each other.
struct Meeting<C: Collector> {
    offer: Sender<Shared<C>>,
    /// The other mutator is in its finalizer.
    has_died: Barrier,
    /// The collection has ended.
    has_ended: Barrier,
}

impl WithCollector for DiesElsewhere {
    type Output = ();

    fn run<C: Collector>(self) {
        let (offer, offered) = mpsc::channel();
        let meeting = Arc::new(Meeting::<Audited<C>> {
            offer,
            has_died: Barrier::new(2),
            has_ended: Barrier::new(2),
        });
        let heap: Heap<Audited<C>> = Heap::new(C::Settings::default(), Options::default()).unwrap();
        let node = heap.class(Layout::new("Node").slots(2));
        let offering = class(&heap, "Offering", &meeting, |object, meeting| {
            let doomed = object.swap(1, None).unwrap();
            meeting.offer.send(doomed.share()).unwrap();
            drop(doomed);
            object.mutator().blocked(|| meeting.has_died.wait());
        });
        let waiting = class(&heap, "Waiting", &meeting, |object, meeting| {
            object.mutator().blocked(|| {
                meeting.has_died.wait();
                meeting.has_ended.wait();
            });
        });
        let collecting = heap.attach();
        // A cycle with a finalizer, and next to it what the finalizer gives away, with something that only it holds.
        let garbage = collecting.alloc(&offering).unwrap();
        let doomed = collecting.alloc(&node).unwrap();
        doomed.set(0, Some(&collecting.alloc(&node).unwrap()));
        garbage.set(0, Some(&garbage));
        garbage.set(1, Some(&doomed));
        drop((garbage, doomed));
        std::thread::scope(|scope| {
            let heap = &heap;
            let node = &node;
            let waiting = &waiting;
            scope.spawn(move || {
                let other = heap.attach();
                let shared = offered.recv().unwrap();
                // What the first slot holds is destroyed first, so the doomed object waits for the end of a finalizer.
                let holder = other.alloc(node).unwrap();
                holder.set(0, Some(&other.alloc(waiting).unwrap()));
                holder.set(1, Some(&other.adopt(&shared)));
                drop(shared);
                other.safepoint();
                drop(holder);
            });
            collecting.collect();
            collecting.blocked(|| meeting.has_ended.wait());
        });
        collecting.safepoint();
        collecting.collect();
        collecting.check();
        let findings = heap.findings().unwrap();
        assert_eq!(findings.live.objects + findings.floating.objects, 0, "{:?}", heap.forgotten(9));
    }
}

/// A class with two slots and a finalizer that is told of the meeting.
fn class<C: Collector>(
    heap: &Heap<C>,
    name: &str,
    meeting: &Arc<Meeting<C>>,
    finalizer: impl Fn(&Root<'_, C>, &Meeting<C>) + Send + Sync + 'static,
) -> Class<C> {
    let meeting = Arc::clone(meeting);
    heap.class(Layout::new(name).slots(2).finalizer(move |object| finalizer(object, &meeting)))
}

#[test]
fn a_doomed_object_that_dies_elsewhere_is_destroyed_by_whoever_let_it_go() {
    for name in DOOMING {
        eprintln!("{name}");
        with_collector(name, DiesElsewhere).expect("it is listed");
    }
}
