//! What people ask first of a boot: is the app up, and what is still going on? For the greeting and the page.

pub mod first_run;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::snapshot::{ServiceState, ServiceStatus, Snapshot};
use crate::engine::spec::Kind;
use crate::plan::FIRST_RUN;
use crate::sorted;
use crate::status::BootRecord;

/// More services than these that one waits for are only counted.
const NAMES: usize = 3;

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

/// What is not up yet and will be, or has not come to its end; stand-ins do not count, nor does what waits in vain.
pub fn pending(snapshot: &Snapshot) -> impl Iterator<Item = &ServiceStatus> {
    let blocked = blocked(snapshot);
    let pending = move |service: &&ServiceStatus| {
        use ServiceState::{BackingOff, Starting, Waiting};
        let state = matches!(service.state, Waiting | Starting | BackingOff);
        !service.stand_in && state && !blocked.contains_key(service.name.as_str())
    };
    snapshot.services.iter().filter(pending)
}

/// The services that wait in vain, each with the one that has to be mended or started first: the one at the end of the
/// chain, which failed, ended or is stopped.
#[must_use]
pub fn blocked(snapshot: &Snapshot) -> BTreeMap<&str, &ServiceStatus> {
    let waiting: Vec<&ServiceStatus> = snapshot
        .services
        .iter()
        .filter(|service| service.state == ServiceState::Waiting && !service.stand_in)
        .collect();
    let mut blocked = BTreeMap::new();
    if waiting.is_empty() {
        return blocked;
    }
    let known: BTreeMap<&str, &ServiceStatus> =
        sorted::map(snapshot.services.iter().map(|service| (service.name.as_str(), service)));
    loop {
        let before = blocked.len();
        for service in &waiting {
            let cause = service.waits_for.iter().find_map(|name| {
                let other = known.get(name.as_str()).copied()?;
                if is_down(other) { Some(other) } else { blocked.get(name.as_str()).copied() }
            });
            if let Some(cause) = cause.filter(|_| !blocked.contains_key(service.name.as_str())) {
                blocked.insert(service.name.as_str(), cause);
            }
        }
        if blocked.len() == before {
            return blocked;
        }
    }
}

/// Whether a service will not be ready by itself.
fn is_down(service: &ServiceStatus) -> bool {
    match service.state {
        ServiceState::Failed => !comes_again(service),
        ServiceState::Stopped => true,
        ServiceState::Done => service.kind != Kind::Oneshot,
        _ => false,
    }
}

/// Whether a service that is down now is started by the clock.
#[must_use]
pub fn comes_again(service: &ServiceStatus) -> bool {
    service.next_ms.is_some()
}

/// What keeps a service from starting: `waits for db, which failed`. `cause` is what [`blocked`] has for it, if anything.
#[must_use]
pub fn waits(service: &ServiceStatus, cause: Option<&ServiceStatus>) -> String {
    let Some(cause) = cause else {
        let names = service.waits_for.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
        return match service.waits_for.len() {
            0 => "waits for others".to_owned(),
            1..=NAMES => format!("waits for {names}"),
            all => format!("waits for {names} and {} more", all - NAMES),
        };
    };
    let end = match cause.state {
        ServiceState::Failed => "failed",
        ServiceState::Stopped => "is stopped",
        _ => "ended",
    };
    if service.waits_for.contains(&cause.name) {
        return format!("waits for {}, which {end}", cause.name);
    }
    let first = service.waits_for.first().map_or("others", String::as_str);
    format!("waits for {first}, and {} {end}", cause.name)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, state: ServiceState, waits_for: &[&str]) -> ServiceStatus {
        let waits_for = waits_for.iter().map(|name| (*name).to_owned()).collect();
        ServiceStatus { waits_for, ..ServiceStatus::new(name, Kind::Daemon, state) }
    }

    #[test]
    fn what_waits_for_something_that_failed_is_not_pending_and_the_cause_is_the_end_of_the_chain() {
        use ServiceState::{Failed, Starting, Stopped, Waiting};
        let snapshot = Snapshot::running(
            0,
            vec![
                service("ui", Waiting, &["web"]),
                service("web", Waiting, &["cache", "db"]),
                service("cache", Starting, &[]),
                service("db", Failed, &[]),
                service("tool", Stopped, &[]),
                service("bench", Waiting, &["tool"]),
                service("later", Waiting, &["cache"]),
            ],
        );
        let blocked = blocked(&snapshot);
        let said = |index: usize| {
            let service = &snapshot.services[index];
            waits(service, blocked.get(service.name.as_str()).copied())
        };
        assert_eq!(said(0), "waits for web, and db failed");
        assert_eq!(said(1), "waits for db, which failed");
        assert_eq!(said(5), "waits for tool, which is stopped");
        assert_eq!(said(6), "waits for cache");
        let pending: Vec<&str> = pending(&snapshot).map(|service| service.name.as_str()).collect();
        assert_eq!(pending, ["cache", "later"]);
    }

    #[test]
    fn those_who_wait_for_each_other_or_for_nobody_known_are_no_trouble_to_tell() {
        let waiting = |name, waits_for: &[&str]| service(name, ServiceState::Waiting, waits_for);
        let snapshot = Snapshot::running(0, vec![waiting("a", &["b"]), waiting("b", &["a", "gone"])]);
        assert!(blocked(&snapshot).is_empty());
    }

    #[test]
    fn of_many_that_one_waits_for_the_rest_is_counted() {
        assert_eq!(
            waits(&service("a", ServiceState::Waiting, &["b", "c", "d", "e"]), None),
            "waits for b, c, d and 1 more"
        );
    }
}
