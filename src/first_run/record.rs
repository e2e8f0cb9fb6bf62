//! Records of what is done: one file for each task, beside what it installed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Installed, Task};
use crate::fetch::Failure;

/// What is kept about a task that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this structure: 1.
    pub schema: u32,
    /// The task's name.
    pub task: String,
    /// [`Task::key`] at that time.
    pub key: String,
    /// When it was done: seconds since 1970.
    pub finished: i64,
    /// How long the attempt that succeeded took, in milliseconds.
    pub took_ms: u64,
    /// What it made.
    pub installed: Installed,
}

/// See [`Task::key`].
pub(super) fn key(task: &Task) -> String {
    let _ = task;
    String::new()
}

/// Reads the record of a task from the folder of records, if there is one that can be read.
#[must_use]
pub fn read(folder: &Path, task: &str) -> Option<Record> {
    let _ = (folder, task);
    None
}

/// Writes a record so that it is whole at any moment and on the disk when this returns.
///
/// # Errors
/// Those of the disk.
pub fn write(folder: &Path, record: &Record) -> Result<(), Failure> {
    let _ = (folder, record);
    Err(Failure::permanent("not yet"))
}
