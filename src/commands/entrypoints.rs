//! `devinit entrypoints`.

use crate::cli;

/// Prints the entrypoints of the config. Returns the exit code.
#[must_use]
pub fn entrypoints(_options: &cli::Entrypoints) -> i32 {
    1
}
