//! Peers: the same node behind the standard library's counted pointers.

use std::{cell::Cell, rc::Rc, sync::Arc};

macro_rules! peer {
    ($module:ident, $pointer:ident) => {
        pub(crate) mod $module {
            use super::*;

            /// Two references and two data words, as the node of our heaps.
            #[derive(Default)]
            pub(crate) struct Node {
                slots: [Cell<Option<$pointer<Node>>>; 2],
                _words: [Cell<u64>; 2],
            }

            /// Makes and drops `count` nodes, one after the other.
            #[allow(clippy::arc_with_non_send_sync, reason = "counting is measured, and these nodes stay on one thread; the same macro makes `Rc`s, which do not warn")]
            pub(crate) fn allocate_and_drop(count: usize) {
                for _ in 0..count {
                    let node = $pointer::new(Node::default());
                    // The address only: a pointer forced through memory would be measured as well.
                    std::hint::black_box($pointer::as_ptr(&node));
                    drop(node);
                }
            }

            /// A full binary tree of `depth` levels below its root.
            #[allow(clippy::arc_with_non_send_sync, reason = "as above")]
            pub(crate) fn tree(depth: u32) -> $pointer<Node> {
                let node = $pointer::new(Node::default());
                if depth > 0 {
                    node.slots[0].set(Some(tree(depth - 1)));
                    node.slots[1].set(Some(tree(depth - 1)));
                }
                node
            }
        }
    };
}

peer!(arc, Arc);
peer!(rc, Rc);
