//! What the capture script writes today can be read today, where there is a Python to run it.

use std::{fs, path::Path, process::Command};
use workloads::heap_graph::Graph;

#[test]
fn a_fresh_capture_of_a_small_program_is_read_back() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|python| python.status.success()) {
        println!("skipped: there is no `python3` here");
        return;
    }
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("families.graph");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture/capture.py");
    let captured = Command::new("python3")
        .arg(script)
        .args(["--own", "--program", "families", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert!(captured.status.success(), "{}", String::from_utf8_lossy(&captured.stderr));

    let graph = Graph::decode(&fs::read(out).unwrap()).unwrap();
    assert!(graph.origin().ends_with(", families.py"), "it comes from {}", graph.origin());
    // 20 families of 9 people, each with a list of children.
    assert!(graph.objects() > 360, "only {} objects", graph.objects());
    let told = String::from_utf8(captured.stdout).unwrap();
    assert!(told.contains(&format!("objects   {},", graph.objects())), "{told}");
    assert!(told.contains(&format!("edges     {}\n", graph.edges())), "{told}");
}
