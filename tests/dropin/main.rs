//! devinit called as tini and as dumb-init, as their users know them.
//!
//! What is asked of the two is also asked of the originals, where they are installed (`original.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dumb_init;
mod original;
mod support;
mod terminal;
mod tini;
