//! What the engine tells about itself over the control socket: no environment, no secret, no log line.

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
    /// How it ended last: "exit code 1", "killed by SIGSEGV", "could not be started: …".
    pub last_end: Option<String>,
    /// Whether it fills in for another one.
    pub stand_in: bool,
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
    /// It ended and stays so, as it should (a oneshot that succeeded, a service stopped on request).
    Done,
    /// It failed and was given up.
    Failed,
}
