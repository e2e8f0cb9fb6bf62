//! How a first run stands: what bars, lines, `--json`, `status`, the greeting, the page and `analyze` show.
//!
//! The coordinator writes it to a file now and then. Readers take it as something that anyone may have written: bounded,
//! and cleaned before it is printed.

use serde::{Deserialize, Serialize};

/// How a first run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Version of this structure: 1.
    pub schema: u32,
    /// For whom it runs.
    pub user: String,
    /// The coordinator's process id, in its container.
    pub pid: i32,
    /// The host name of its container.
    pub host: String,
    /// When it began: seconds since 1970.
    pub started: i64,
    /// For how long it runs, or ran, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether it has ended.
    pub ended: bool,
    /// The tasks, in the order of the config.
    pub tasks: Vec<TaskProgress>,
}

/// How one task stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProgress {
    /// Its name.
    pub name: String,
    /// What it does: `uv latest`.
    pub summary: String,
    /// Where it stands.
    pub state: State,
    /// The names of the tasks that it needs.
    pub needs: Vec<String>,
    /// Whether the run counts as done without it.
    pub optional: bool,
    /// How often it was begun in this run.
    pub attempts: u32,
    /// What it is doing now.
    pub stage: String,
    /// Bytes of the download that are there.
    pub bytes: u64,
    /// Bytes that there will be, if that is known.
    pub total: Option<u64>,
    /// When it was first begun, in milliseconds since the run began.
    pub begun_ms: Option<u64>,
    /// When it came to an end (for this run), in milliseconds since the run began.
    pub ended_ms: Option<u64>,
    /// When it is tried again, in milliseconds since the run began.
    pub again_ms: Option<u64>,
    /// The version that is installed.
    pub version: Option<String>,
    /// Why it failed, last.
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The last lines of its log, if it failed.
    pub tail: Vec<String>,
    /// Its log file.
    pub log: Option<String>,
    /// What people should see, though it went on.
    pub warnings: Vec<String>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for what it needs, or for its turn.
    #[default]
    Waiting,
    /// Runs.
    Running,
    /// Failed, and is tried again.
    BackingOff,
    /// Was done in this run.
    Done,
    /// Had been done before.
    Unchanged,
    /// Failed for good.
    Failed,
    /// Not begun: something that it needs failed, or the run was told to stop.
    Skipped,
}

impl Progress {
    /// How many tasks are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.tasks.iter().filter(|task| matches!(task.state, State::Done | State::Unchanged)).count()
    }

    /// Tasks that failed, or could not be begun, and that the run does not count as done without.
    pub fn missing(&self) -> impl Iterator<Item = &TaskProgress> {
        self.tasks.iter().filter(|task| !task.optional && matches!(task.state, State::Failed | State::Skipped))
    }
}
