//! A thin public relay.
fn main() {}
