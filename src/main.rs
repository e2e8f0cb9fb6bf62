//! The devinit binary.

fn main() {}
