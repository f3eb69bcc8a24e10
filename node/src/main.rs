//! Validators and banks.
fn main() {}
