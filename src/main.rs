//! rekeyd.
fn main() {}
