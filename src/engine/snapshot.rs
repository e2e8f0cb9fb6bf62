//! What the engine tells about itself over the control socket: no environment, no secret, no log line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::spec::Kind;

/// The engine at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of this structure: 1.
    pub schema: u32,
    /// How far the boot is.
    pub phase: Phase,
    /// devinit's own process id, as it sees it.
    pub pid: i32,
    /// Milliseconds since devinit started.
    pub uptime_ms: u64,
    /// The services, in the order of the plan.
    pub services: Vec<ServiceStatus>,
    /// How many further services there are that did not fit into this answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
    /// The last reload, if there was one.
    pub reload: Option<Reload>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A reload of the config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// Which one it is, counted from 1.
    pub number: u32,
    /// Whether it only tells what would change.
    pub dry_run: bool,
    /// How far it is.
    pub state: ReloadState,
    /// What changed, or would.
    pub changes: Vec<Change>,
}

/// How far a reload is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadState {
    /// The config is read and files are written.
    Running,
    /// What has to be done about services is begun.
    Done,
    /// Nothing was done to any service, and why.
    Failed(String),
}

/// What a reload does about a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The service.
    pub service: String,
    /// What is done about it.
    pub what: ChangeKind,
    /// What of it changed, by the names of the config's keys as far as they have some: `command`, `environment`.
    pub keys: Vec<String>,
}

/// What a reload does about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is stopped, and gone.
    Removed,
    /// It is stopped and started anew, if it runs or failed.
    Changed,
    /// It is sent a signal.
    Signalled,
}

/// How far the boot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The container is being prepared; nothing runs yet.
    Preparing,
    /// Services are started and watched.
    Running,
    /// The container is going down.
    Stopping,
}

/// One service at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// What its end means.
    pub kind: Kind,
    /// Whether the container ends with it.
    pub critical: bool,
    /// Where it stands.
    pub state: ServiceState,
    /// Its process, while there is one.
    pub pid: Option<i32>,
    /// Milliseconds since it is in this state.
    pub since_ms: u64,
    /// Milliseconds from devinit's start to the moment it was ready first.
    pub ready_after_ms: Option<u64>,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended last: "exit code 1", "killed by SIGSEGV", "could not be started: …"; where devinit had a reason to end
    /// it, that comes first: "not ready in time, killed by SIGTERM".
    pub last_end: Option<String>,
    /// Whether it fills in for another one.
    pub stand_in: bool,
    /// Whether it is started only when someone asks for it.
    pub manual: bool,
    /// What it waits for, by name, while it is waiting.
    pub waits_for: Vec<String>,
    /// Milliseconds until it is started next, where that is known: backing off, or scheduled.
    pub next_ms: Option<u64>,
    /// What it said of itself last over its notification socket (`STATUS=…`): at most 200 characters, as it came.
    /// Everyone in the container can see it, as sd_notify(3) means it to be.
    pub text: Option<String>,
    /// The file with its lines; it can be read by root and the service's user.
    pub log: Option<PathBuf>,
}

/// Where a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It waits for others.
    Waiting,
    /// It runs and is not ready yet.
    Starting,
    /// It runs and is ready.
    Ready,
    /// It was asked to end and has not yet.
    Stopping,
    /// It ended and will be started again after a pause.
    BackingOff,
    /// It ended by itself and stays so, as it should.
    Done,
    /// It is down because someone wanted it to be, or nobody has asked for it yet.
    Stopped,
    /// It is started at set times, and this is none of them.
    Scheduled,
    /// It failed and was given up.
    Failed,
}

#[cfg(test)]
impl Snapshot {
    /// A container that has been up for this long, with these services.
    pub fn running(uptime_ms: u64, services: Vec<ServiceStatus>) -> Self {
        Self { schema: 1, phase: Phase::Running, pid: 1, uptime_ms, services, more: 0, reload: None }
    }
}

#[cfg(test)]
impl ServiceStatus {
    /// A service with nothing to tell but its state.
    pub fn new(name: &str, kind: Kind, state: ServiceState) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            critical: false,
            state,
            pid: None,
            since_ms: 0,
            ready_after_ms: None,
            restarts: 0,
            last_end: None,
            stand_in: false,
            manual: false,
            waits_for: Vec::new(),
            next_ms: None,
            text: None,
            log: None,
        }
    }
}
