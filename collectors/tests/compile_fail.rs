//! Programs that must not compile: roots and mutators stay in their thread, out of `blocked`, and roots with their
//! mutator.
//!
//! They are generic over the collector, so that what they show holds whatever a collector is made of. When a compiler
//! words its errors differently, `TRYBUILD=overwrite` writes them down anew.

#[test]
fn roots_and_mutators_stay_where_they_belong() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
