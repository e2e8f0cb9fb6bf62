//! Looks whether something is up: for readiness and for health. Runs in children, never in PID 1.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// An http URL: a status below 400, or 401 or 403, is up.
    Http(String),
    /// A port on 127.0.0.1 that accepts a connection.
    Tcp(u16),
    /// A port on 127.0.0.1 that greets as SSH servers do.
    SshBanner(u16),
    /// A path that exists.
    Path(PathBuf),
    /// A command that exits with 0.
    Command(Vec<String>),
}
