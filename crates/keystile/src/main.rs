//! The Keystile binary.
fn main() {}
