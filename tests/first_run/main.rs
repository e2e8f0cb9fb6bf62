//! The first run as it is used: the real program, in a mount namespace over a throw-away copy of this machine's files,
//! against a server that has stand-ins for the tools in the layouts of their publishers.
//!
//! Most need root, and are left out unless `--include-ignored` is given, as tests/run does. `DEVINIT_TEST_KILLS=200`
//! kills as many runs as it says, in place of 20; `DEVINIT_TEST_SEED=N` kills them at the instants that a failed test has
//! named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod container;
mod killed;
mod lacking;
mod published;
mod redone;
mod said;
mod server;
mod stopped;
mod together;
mod traces;
mod tree;
mod world;

use std::time::{Duration, Instant};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Tries until it is so.
#[track_caller]
fn eventually<T>(what: &str, limit: Duration, mut so: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = so() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
