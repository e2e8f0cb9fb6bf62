//! devinit as the first process of real containers, with a real ssh client at the other end.
//!
//! `tests/run` builds the images, starts a Docker daemon of its own and runs this. One module proves one thing;
//! what they share reads as prose and is in `support`:
//!
//! ```ignore
//! let container = Container::image(BASE).key(&key).config("users: {peid: {uid: 3100}}").run();
//! container.wait_for_ssh();
//! assert_eq!(container.ssh("peid").run("id -u").success(), "3100");
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what failed by panicking")]

mod support;

mod app;
mod degraded;
mod entrypoints;
mod exit_codes;
mod first_run;
mod gpu;
mod greeting;
mod health;
mod hostile;
mod images;
mod jobs;
mod keys;
mod page;
mod reaping;
mod rescue;
mod restart;
mod services;
mod spack;
mod ssh;
mod stop;
mod terminal;
mod users;
