//! The logger: one process that takes what services print and puts it where it belongs.
//!
//! PID 1 makes the pipes, once for each service, and keeps both ends of each: so no service ever loses its output or dies
//! of SIGPIPE because the logger was killed or is renewed, and what is in a pipe waits for the next one. A logger ends by
//! itself when every pipe is at its end, or, on [`MAKE_WAY`], as soon as what it has read is written: then another one takes over.
//! A logger that is killed loses what it has read and not written: for each service at most one read (64 KiB), and the
//! beginning of a line whose end has not come.

pub mod clock;
mod file;
mod folder;
mod form;
pub mod output;
mod recent;
mod splitter;
#[cfg(test)]
mod tests;
mod work;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};

use crate::engine::spec::Log;
use crate::sys;

pub use clock::TIME;
pub use file::older;
pub use form::{JSON_BEGIN, special};

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

/// Does a logger's work in this process, until every pipe is at its end or [`MAKE_WAY`] comes; returns the exit code. `runtime` is
/// the folder for the files of last lines.
///
/// Every signal has to be blocked, and the writing ends of the pipes be closed in this process: they would never be at their
/// end otherwise.
#[must_use]
pub fn run(sources: Vec<Source>, runtime: Option<&Path>) -> i32 {
    // Folders that are made on the way to a log may be passed through, whatever devinit was started with.
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    let Ok(signals) = sys::signal_descriptor() else { return 1 };
    let Ok(logger) = work::Logger::new(sources, runtime) else { return 1 };
    logger.work(&signals);
    0
}

/// Where the last lines of a service are that has no log file of its own.
#[must_use]
pub fn recent(runtime: &Path, service: &str) -> PathBuf {
    runtime.join("log").join(format!("{service}.log"))
}
