//! A remark about the boot: what was left out, what is worth a warning.

use serde::{Deserialize, Serialize};

/// The longest text that is shown, in characters: a file's name in it may be anyone's.
pub const LONGEST_NOTE: usize = 1000;

/// How much a [`Note`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something was left out or looks wrong; the rest works.
    Warning,
    /// Something that was asked for does not work.
    Error,
}

/// One remark, on one line, without secrets: it goes to the log, the greeting and `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// What happened, where, and what to do.
    pub text: String,
}

impl Note {
    /// Worth knowing.
    pub fn info(text: impl Into<String>) -> Self {
        Self { level: Level::Info, text: text.into() }
    }

    /// Something was left out or looks wrong; the rest works.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    /// Something that was asked for does not work.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}
