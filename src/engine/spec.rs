//! What the engine is told to run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::probe::{Context, Probe};

/// Everything that the engine runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The processes; those that wait for others name them in `after`.
    pub services: Vec<Service>,
    /// The ceiling of a shutdown, from the first signal to the last SIGKILL.
    pub shutdown: Duration,
}

/// One process that the engine starts and watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name in messages, in `status` and in other services' `after`.
    pub name: String,
    /// What its end means.
    pub kind: Kind,
    /// The program and its arguments; a program without a slash is looked up in the PATH of `environment`.
    pub command: Vec<String>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Working folder; the engine's own if there is none.
    pub directory: Option<PathBuf>,
    /// As whom it runs; as the engine itself if there is none.
    pub identity: Option<Identity>,
    /// File mode creation mask; the engine's own if there is none.
    pub umask: Option<u32>,
    /// Whether signals that devinit gets and does not act on itself are passed on to it.
    pub gets_signals: bool,
    /// Whether it gets the terminal (and stays in the engine's session) rather than a session of its own.
    pub foreground: bool,
    /// What has to be ready (for a oneshot: to have succeeded) before it starts.
    pub after: Vec<String>,
    /// What has to have ended or to be ready, well or not, before it starts.
    pub settled: Vec<String>,
    /// It fills in for this other service, and runs only while that one does not.
    pub stands_in_for: Option<String>,
    /// How to tell that it is ready; ready at once if there is none.
    pub ready: Option<Readiness>,
    /// When it is started again.
    pub restart: Restart,
    /// After how many failures in a row it is given up; never if there is none.
    pub give_up_after: Option<u32>,
    /// At a shutdown it is asked to end once every service of a lower number has.
    pub stop_order: u8,
    /// The signal number that asks it to end.
    pub stop_signal: i32,
    /// How long it may take to end before SIGKILL.
    pub stop_timeout: Duration,
}

impl Service {
    /// What tells whether it is ready, and with what a command that does is run.
    #[must_use]
    pub fn probe(&self) -> Option<(Probe, Context)> {
        let probe = self.ready.as_ref()?.probe.clone();
        let context = match probe {
            Probe::Command(_) => Context {
                identity: self.identity.clone(),
                directory: self.directory.clone(),
                environment: self.environment.clone(),
            },
            Probe::Http(_) | Probe::Tcp(_) | Probe::Path(_) => Context::default(),
        };
        Some((probe, context))
    }
}

/// What the end of a service means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Runs all the time. Given up after too many failures, it is lost, and the others go on.
    Daemon,
    /// Runs all the time. Given up (or ended, where it is not restarted), the container ends with its exit code.
    Critical,
    /// Runs once and ends.
    Oneshot,
}

/// As whom a process runs: numbers only, nothing is looked up when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
}

/// How to tell that a service is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readiness {
    /// What is looked at.
    pub probe: Probe,
    /// After how long it counts as failed, and is stopped; if there is none it may take forever.
    pub timeout: Option<Duration>,
}

/// When a service that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Not at all.
    Never,
    /// After a non-zero exit code or a signal.
    OnFailure,
    /// Whenever it ends.
    Always,
}
