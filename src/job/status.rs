//! How a job stands: the schema of `NAME.status`.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::logger::clock::{Clock, now};

/// The version of the schema. Keys may be added to it; one that changes its meaning or goes makes a new version.
pub const VERSION: u32 = 1;

/// A moment: milliseconds since 1970 in UTC. Written as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// Now, by the wall clock.
    #[must_use]
    pub fn now() -> Self {
        Self(now())
    }

    /// The milliseconds from this moment to a later one; 0 if it is not later.
    #[must_use]
    pub fn until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(Clock::new().text(self.0)).unwrap_or_default())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(|_| serde::de::Error::custom("expected a time"))?;
        Ok(Self(u64::try_from(time.as_millisecond()).unwrap_or(0)))
    }
}

/// What a job does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It runs.
    #[default]
    Running,
    /// It was asked to end, and has not yet.
    Stopping,
    /// It ended with 0.
    Succeeded,
    /// It ended with another exit code or by a signal, or could not be executed.
    Failed,
    /// It ended because somebody wanted it to.
    Stopped,
    /// Its runner is gone, and nobody knows how it ended. Never written to the file: whoever reads it finds out.
    Lost,
}

impl State {
    /// Whether nothing more is to come.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Running | Self::Stopping)
    }
}

/// How far a job is, as its last line tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: Option<f64>,
    /// 3 in `[3/17]`.
    pub done: Option<u64>,
    /// 17 in `[3/17]`.
    pub total: Option<u64>,
}

/// `NAME.status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// [`VERSION`].
    pub version: u32,
    /// The job's name.
    pub job: String,
    /// Which run: the timestamp in the log's name.
    pub id: String,
    /// What it does.
    pub state: State,
    /// The exit code, if it ended by itself. 126: could not be executed, 127: not found.
    pub exit_code: Option<i32>,
    /// The name of the signal that ended it: `SIGKILL`.
    pub signal: Option<String>,
    /// Why it could not be run.
    pub error: Option<String>,
    /// When it was started.
    pub started: Time,
    /// When this file was written last.
    pub updated: Time,
    /// When it ended.
    pub finished: Option<Time>,
    /// How long it has run, in seconds, whatever the clock did meanwhile.
    pub duration: f64,
    /// How many lines it has printed; a line that is redrawn counts once.
    pub lines: u64,
    /// How many bytes it has printed.
    pub bytes: u64,
    /// The last line that is not blank, without escape sequences, at most 500 characters.
    pub last_line: Option<String>,
    /// When it printed last.
    pub last_output: Option<Time>,
    /// How far it is, if it says so.
    pub progress: Option<Progress>,
    /// The log.
    pub log: Option<PathBuf>,
    /// What is wrong with the files of this job, while the job runs on.
    pub warnings: Vec<String>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Its working folder.
    pub directory: PathBuf,
    /// As whom it runs.
    pub user: String,
    /// The name of the container.
    pub host: String,
    /// Which boot of which container, for [`super::instance`].
    pub instance: String,
    /// The process that writes this file, as seen in the job's container.
    pub runner: i32,
    /// When that was started, in the kernel's clock ticks: its number may be someone else's later.
    pub runner_started: u64,
    /// The command's process, as seen in the job's container.
    pub pid: Option<i32>,
    /// Which attempt it is: 1, and one more with each `job retry`.
    pub attempt: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_the_way_through_json() {
        let status = Status {
            version: VERSION,
            state: State::Failed,
            started: Time(1_769_900_399_123),
            progress: Some(Progress { percent: Some(17.5), done: Some(3), total: None }),
            command: vec!["true".to_owned()],
            ..Status::default()
        };
        let text = serde_json::to_string(&status).unwrap();
        assert!(text.contains("\"started\":\"2026-01-31T22:59:59.123Z\""), "{text}");
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    }

    #[test]
    fn a_status_of_a_later_version_can_still_be_read() {
        let status: Status =
            serde_json::from_str(r#"{"version": 2, "job": "a", "new": [1], "state": "running"}"#).unwrap();
        assert_eq!((status.version, status.job.as_str()), (2, "a"));
    }
}
