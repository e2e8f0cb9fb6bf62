//! The logger: one process that takes what services print and puts it where it belongs.
//!
//! PID 1 makes the pipes, once for each service, and keeps both ends of each: so no service ever loses its output or dies
//! of SIGPIPE because the logger was killed or is renewed, and what is in a pipe waits for the next one. A logger ends by
//! itself when every pipe is at its end, or, on [`MAKE_WAY`], as soon as what it has read is written: then another one takes over.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::engine::spec::Log;

/// The signal that asks a logger to end as soon as what it has read is written. Not SIGTERM, which every process of the
/// container gets at its end, when the logger has to hear the others out.
pub const MAKE_WAY: i32 = nix::libc::SIGUSR1;

/// A pipe that a service writes to.
pub struct Source {
    /// The service's name.
    pub service: String,
    /// The end to read from.
    pub pipe: OwnedFd,
    /// Whether it is the service's standard error alone, which is so with [`Form::Raw`](crate::engine::spec::Form::Raw):
    /// then there is another source for its standard output. Otherwise one pipe has both, in their order.
    pub error: bool,
    /// Where it goes.
    pub log: Log,
    /// The uid that its files belong to, besides root the only one that can read them.
    pub owner: Option<u32>,
}

/// Does a logger's work in this process, until every pipe is at its end or SIGTERM comes; returns the exit code. `runtime` is
/// the folder for the files of last lines.
#[must_use]
pub fn run(_sources: Vec<Source>, _runtime: Option<&Path>) -> i32 {
    0
}

/// Where the last lines of a service are that has no log file of its own.
#[must_use]
pub fn recent(runtime: &Path, service: &str) -> PathBuf {
    runtime.join("log").join(format!("{service}.log"))
}
