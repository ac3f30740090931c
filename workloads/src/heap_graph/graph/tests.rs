//! What the decoder makes of good bytes and of bad ones.

use flate2::{Compress, Compression, FlushCompress};

use super::*;
use crate::heap_graph::Captured;

#[test]
fn a_graph_is_what_was_written() {
    // Object 0 is a leaf of 40 bytes; 1 and 2 are containers that refer to each other, 2 twice to the leaf as well.
    let graph = decode(&[80, 49, 161, 1], &[0, 1, 3], &[3, 2, 4, 4], &[2]).unwrap();
    assert_eq!(graph.origin(), "test");
    assert_eq!((graph.objects(), graph.edges()), (3, 4));
    assert_eq!(
        [0, 1, 2].map(|object| graph.slots(object).to_vec()),
        [vec![], vec![2], vec![1, 0, 0]]
    );
    assert_eq!([0, 1, 2].map(|object| graph.is_tracked(object)), [false, true, true]);
    assert_eq!([0, 1, 2].map(|object| graph.words(object)), [3, 1, 5]);
    assert_eq!(graph.entries(), [2]);
}

#[test]
fn the_shipped_graphs_are_real_and_large() {
    for (captured, program) in [
        (Captured::SyntaxTrees, "syntax_trees.py"),
        (Captured::Service, "service.py"),
        (Captured::Documents, "documents.py"),
        (Captured::Plugins, "plugins.py"),
    ] {
        let graph = Graph::decode(captured.bytes()).unwrap();
        assert_eq!(graph.origin(), format!("CPython 3.11.7, {program}"));
        assert!(graph.objects() > 50_000, "{program} has only {} objects", graph.objects());
        assert!(captured.bytes().len() < 1_000_000, "{program} is too large to ship");
        let kinds =
            (0..graph.objects()).map(|object| (graph.words(object), graph.is_tracked(object)));
        let kinds: std::collections::BTreeSet<_> = kinds.collect();
        assert!(kinds.len() < 300, "{program} takes {} classes", kinds.len());
    }
}

#[test]
fn words_are_what_is_left_beside_slots_and_header() {
    assert_eq!(data_words(16, 0), 1);
    assert_eq!(data_words(40, 0), 3);
    assert_eq!(data_words(64, 4), 2);
    assert_eq!(data_words(64, 40), 1);
    assert_eq!(data_words(16 + 8 * 17, 0), 20);
    assert_eq!(data_words(16 + 8 * 1000, 0), 1024);
    assert_eq!(data_words(16 + 8 * 1025, 0), 1280);
}

#[test]
fn a_graph_that_breaks_its_own_rules_is_refused() {
    let problem = |sizes: &[u8], degrees: &[u8], edges: &[u8], entries: &[u8]| {
        decode(sizes, degrees, edges, entries).unwrap_err().to_string()
    };
    let tracked = 33;
    let leaf = 32;
    assert_eq!(
        problem(&[tracked], &[1], &[3], &[0]),
        "it is corrupt: object 0 refers beyond the 1 objects"
    );
    assert_eq!(
        problem(&[tracked], &[2], &[0], &[0]),
        "it is corrupt: its objects have more than 1 edges"
    );
    assert_eq!(
        problem(&[tracked], &[0], &[0], &[0]),
        "it is corrupt: its objects have 0 edges, expected 1"
    );
    assert_eq!(problem(&[tracked], &[0], &[], &[1]), "it is corrupt: entry 0 is object 1 of 1");
    assert_eq!(
        problem(&[tracked; 2], &[0; 2], &[], &[0]),
        "it is corrupt: no entry leads to object 1"
    );
    assert_eq!(
        problem(&[leaf, tracked], &[1, 0], &[3], &[0, 1]),
        "it is corrupt: object 0 is untracked and refers to 1"
    );
    assert_eq!(
        problem(&[leaf], &[1], &[0], &[0]),
        "it is corrupt: object 0 is untracked and refers to 0"
    );
}

/// Decodes a graph made of these columns, each number below 128 except where spelled out.
fn decode(sizes: &[u8], degrees: &[u8], edges: &[u8], entries: &[u8]) -> Result<Graph, GraphError> {
    let mut payload = vec![4];
    payload.extend(b"test");
    payload.extend([degrees.len(), edges.len(), entries.len()].map(|count| count as u8));
    for column in [sizes, degrees, edges, entries] {
        payload.extend(column);
    }
    let mut crc = Crc::new();
    crc.update(&payload);
    let mut compressed = Vec::with_capacity(1000);
    let mut encoder = Compress::new(Compression::best(), true);
    encoder.compress_vec(&payload, &mut compressed, FlushCompress::Finish).unwrap();
    let mut bytes = MAGIC.to_vec();
    for field in [VERSION, payload.len() as u32, crc.sum()] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(compressed);
    Graph::decode(&bytes)
}
