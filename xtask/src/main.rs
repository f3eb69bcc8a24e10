//! Set-up, checks and packaging.
fn main() {}
