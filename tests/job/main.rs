//! Jobs by the real program: what they leave behind, whatever happens to them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod endings;
mod killed;
mod output;
mod place;
mod steering;
mod world;
