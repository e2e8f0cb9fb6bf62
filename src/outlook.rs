//! What people ask first of a boot: is the app up, and what is still going on? For the greeting and the page.

pub mod first_run;

use std::time::Duration;

use crate::engine::snapshot::{ServiceState, ServiceStatus, Snapshot};
use crate::plan::FIRST_RUN;
use crate::status::BootRecord;

/// The app, or the main command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum App<'a> {
    /// There is none.
    None,
    /// There is one, and the engine has not said how it is.
    Unknown,
    /// There is one.
    Known(&'a ServiceStatus),
}

/// How the app is.
#[must_use]
pub fn app<'a>(record: &BootRecord, snapshot: Option<&'a Snapshot>) -> App<'a> {
    if !record.app {
        return App::None;
    }
    let services = snapshot.map_or(&[][..], |snapshot| &snapshot.services);
    let own = services.iter().filter(|service| !service.stand_in);
    let named = own.clone().find(|service| service.name == "app");
    // The main command has another name; what it has in common with the app is that its end is the container's.
    let main = || own.clone().find(|service| service.critical && service.name != "sshd");
    named.or_else(main).map_or(App::Unknown, App::Known)
}

/// What is not up yet and people wait for: all that is pending but the first run, which goes on beside it. What does
/// wait for the first run is pending itself.
pub fn starting(snapshot: &Snapshot) -> impl Iterator<Item = &ServiceStatus> {
    pending(snapshot).filter(|service| service.name != FIRST_RUN)
}

/// What is not up yet and will be, or has not come to its end; stand-ins do not count.
pub fn pending(snapshot: &Snapshot) -> impl Iterator<Item = &ServiceStatus> {
    let pending = |service: &&ServiceStatus| {
        use ServiceState::{BackingOff, Starting, Waiting};
        !service.stand_in && matches!(service.state, Waiting | Starting | BackingOff)
    };
    snapshot.services.iter().filter(pending)
}

/// For how long a service is in its state.
#[must_use]
pub fn since(service: &ServiceStatus) -> Duration {
    Duration::from_millis(service.since_ms)
}

/// A state in one or two words.
#[must_use]
pub fn word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Waiting => "waiting",
        ServiceState::Starting => "starting",
        ServiceState::Ready => "ready",
        ServiceState::Stopping => "stopping",
        ServiceState::BackingOff => "restarting",
        ServiceState::Done => "done",
        ServiceState::Failed => "failed",
        ServiceState::Stopped => "stopped",
        ServiceState::Scheduled => "scheduled",
    }
}
