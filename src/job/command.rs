//! `devinit job`: from the command line to what it does.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Name;
use crate::cli;

/// A job to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its name.
    pub name: Name,
    /// Program and arguments; at least the program.
    pub command: Vec<OsString>,
    /// The command's working folder, by its absolute path. It need not be there.
    pub directory: PathBuf,
    /// How it is run.
    pub how: cli::How,
    /// Which attempt it is: 1, and one more with each `job retry`.
    pub attempt: u32,
}

/// Does it. Returns the exit code.
#[must_use]
pub fn job(options: &cli::Job) -> i32 {
    let _ = options;
    125
}
