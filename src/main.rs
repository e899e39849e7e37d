//! The `virt` command.
fn main() {}
