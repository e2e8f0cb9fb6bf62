//! `devinit job`: from the command line to what it does.

use crate::cli;

/// Does it. Returns the exit code.
#[must_use]
pub fn job(options: &cli::Job) -> i32 {
    let _ = options;
    125
}
