//! Why something could not be fetched or installed, and whether it is worth another try.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why something failed. The text names what and where, without credentials; it is shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened, on one line, without a final period.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether another try may help.
    pub retry: Retry,
}

/// Whether another try may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// No: it would fail in the same way.
    Never,
    /// It may pass by itself.
    Soon,
    /// Whoever refused said when to come back (`Retry-After`).
    After(Duration),
}

impl Failure {
    /// It would fail in the same way again.
    pub fn permanent(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None, retry: Retry::Never }
    }

    /// It may pass by itself: the network, a server that is busy.
    pub fn passing(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None, retry: Retry::Soon }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what was being done in front.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.text = format!("{what}: {}", self.text);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// Turns an error of the machine (a full disk, a folder without permission) into a [`Failure`].
pub fn io(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| {
        let failure = Failure::permanent(format!("{what}: {error}"));
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                failure.hint("make room and run it again; `df -h` and `df -i` tell what is short")
            }
            std::io::ErrorKind::ReadOnlyFilesystem => {
                failure.hint("mount a volume there, or start the container without --read-only")
            }
            std::io::ErrorKind::PermissionDenied => {
                failure.hint("give the folder to the user of the step, or let root do it (as: root)")
            }
            _ => failure,
        }
    }
}
