//! `devinit start`, `stop` and `restart`.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::show::BETWEEN_LOOKS;
use super::{complain, print, snapshot, unknown};
use crate::cli::Named;
use crate::engine::control::{self, Answer, Query};
use crate::engine::snapshot::{Phase, ServiceState, ServiceStatus, Snapshot};
use crate::engine::spec::Kind;
use crate::outlook::{self, word};
use crate::words::{clean, span};
use crate::{paths, status};

/// How long devinit may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// For how long a service has to be ready before that is believed, in milliseconds: one without anything that tells when it
/// is ready is so at once, and may fail the moment after.
const STEADY: u64 = 500;
/// How many last lines of a service that failed are shown.
const LINES: usize = 5;
/// The longest line that is shown, in characters.
const LINE: usize = 400;

/// What is wanted of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// That it runs.
    Start,
    /// That it does not.
    Stop,
    /// That it runs anew.
    Restart,
}

impl Verb {
    fn query(self, name: &str) -> Query {
        let name = name.to_owned();
        match self {
            Self::Start => Query::Start(name),
            Self::Stop => Query::Stop(name),
            Self::Restart => Query::Restart(name),
        }
    }

    /// What is done to a service that was like this.
    fn said(self, before: &ServiceStatus) -> &'static str {
        use ServiceState::{BackingOff, Ready, Starting, Stopping, Waiting};
        match (self, before.state) {
            (Self::Start, Ready | Starting) => "runs already",
            (Self::Start, Waiting) => "is waiting already, and is started once it can be",
            (Self::Stop, Stopping) => "is being stopped already",
            (Self::Stop, Waiting | BackingOff) => "did not run, and is not started any more",
            (Self::Stop, Ready | Starting) => "is being stopped",
            (Self::Stop, _) => "did not run",
            (Self::Restart, Ready | Starting | Stopping) => "is being restarted",
            (Self::Start | Self::Restart, _) => "is being started",
        }
    }
}

/// Does this to services, and waits for it if that is wanted. Returns the exit code: 0, 1 if it failed, 2 if no devinit
/// answers.
#[must_use]
pub fn control(verb: Verb, options: &Named) -> i32 {
    let runtime = paths::runtime();
    let before = match snapshot() {
        Ok(before) => before,
        Err(code) => return code,
    };
    if let Some(why) = unknown(&before, &options.services) {
        complain(&why);
        return 1;
    }
    let mut code = 0;
    let mut names: Vec<&str> = options.services.iter().map(String::as_str).collect();
    names.dedup();
    let mut asked = Vec::new();
    for name in names {
        match control::ask(&runtime, &verb.query(name), ANSWER_LIMIT) {
            Ok(Answer::Refused(why)) => {
                complain(&why);
                return 1;
            }
            Ok(_) => asked.push(name),
            Err(error) => {
                complain(&format!("devinit does not answer in {}: {error}", runtime.display()));
                return 2;
            }
        }
        let known = before.services.iter().find(|service| service.name == name);
        if let Some(known) = known.filter(|_| !options.wait) {
            code = code.max(print(&format!("{} {}\n", clean(name, LINE), verb.said(known))));
        }
    }
    if !options.wait {
        return code;
    }
    wait(verb, asked, options.timeout)
}

/// Waits until all of these came to an end of it, and says of each how.
fn wait(verb: Verb, mut names: Vec<&str>, limit: Duration) -> i32 {
    let begun = Instant::now();
    let mut code = 0;
    while !names.is_empty() {
        let engine = match snapshot() {
            Ok(engine) => engine,
            Err(code) => return code,
        };
        let late = begun.elapsed() >= limit;
        names.retain(|name| {
            let Some(end) = outcome(verb, name, &engine, late.then_some(limit)) else { return true };
            match end {
                Ok(how) => code = code.max(print(&format!("{} {how}\n", clean(name, LINE)))),
                Err(why) => {
                    complain(&failure(name, &why, &engine));
                    code = 1;
                }
            }
            false
        });
        if !names.is_empty() {
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
    code
}

/// What came of it; none, as long as that is not clear. If it is `late`, after this long, it has to be clear now.
fn outcome(verb: Verb, name: &str, engine: &Snapshot, late: Option<Duration>) -> Option<Result<&'static str, String>> {
    let Some(service) = engine.services.iter().find(|service| service.name == name) else {
        return Some(Err("is not there any more".to_owned()));
    };
    if engine.phase == Phase::Stopping {
        return Some(Err("is going down with the container".to_owned()));
    }
    let end = service.last_end.as_deref().unwrap_or("it never ran");
    let outcome = match (verb, service.state) {
        (Verb::Stop, ServiceState::Stopping) => None,
        (Verb::Stop, ServiceState::Stopped | ServiceState::Done | ServiceState::Failed | ServiceState::Scheduled) => {
            Some(Ok("is stopped"))
        }
        (Verb::Stop, _) => Some(Err("was started again by someone else".to_owned())),
        (_, ServiceState::Ready) => (service.since_ms >= STEADY || late.is_some()).then_some(Ok("is ready")),
        (_, ServiceState::Done) if service.kind == Kind::Oneshot => Some(Ok("is done")),
        (_, ServiceState::Scheduled) if end == "exit code 0" => Some(Ok("is done")),
        (_, ServiceState::Done | ServiceState::Scheduled) => Some(Err(format!("ended: {end}"))),
        (_, ServiceState::Failed) => Some(Err(format!("failed: {end}"))),
        (_, ServiceState::Stopped) => Some(Err("was stopped by someone else".to_owned())),
        (_, ServiceState::Waiting) => {
            let blocked = outlook::blocked(engine);
            blocked.get(name).map(|cause| Err(outlook::waits(service, Some(cause))))
        }
        (_, ServiceState::Starting | ServiceState::Stopping | ServiceState::BackingOff) => None,
    };
    let unclear = |limit: Duration| {
        let how = match (service.state, &service.last_end) {
            (ServiceState::Waiting, _) => outlook::waits(service, None),
            (ServiceState::BackingOff, Some(end)) => format!("is restarting ({end})"),
            (state, _) => format!("is {}", word(state)),
        };
        Err(format!("{how}, still after {}", span(limit)))
    };
    outcome.or_else(|| late.map(unclear))
}

/// Why a service is not as it should be, with the last lines that it printed.
fn failure(name: &str, why: &str, engine: &Snapshot) -> String {
    let mut text = clean(&format!("{name} {why}"), LINE);
    let service = engine.services.iter().find(|service| service.name == name);
    // Of one that only waits the last lines tell nothing.
    if let Some(service) = service.filter(|service| service.state != ServiceState::Waiting) {
        for line in status::last_lines(service, LINES) {
            let _ = write!(text, "\n    {}", status::bare(&line, LINE));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, state: ServiceState) -> ServiceStatus {
        ServiceStatus {
            since_ms: 1000,
            last_end: Some("exit code 3".to_owned()),
            ..ServiceStatus::new(name, Kind::Daemon, state)
        }
    }

    fn outcome_of(verb: Verb, service: ServiceStatus, late: bool) -> Option<Result<&'static str, String>> {
        let name = service.name.clone();
        outcome(verb, &name, &Snapshot::running(0, vec![service]), late.then_some(Duration::from_secs(90)))
    }

    #[test]
    fn a_start_has_succeeded_once_it_is_ready_and_failed_once_it_is_given_up() {
        let start = |state| outcome_of(Verb::Start, service("app", state), false);
        assert_eq!(start(ServiceState::Ready), Some(Ok("is ready")));
        assert_eq!(start(ServiceState::Failed), Some(Err("failed: exit code 3".to_owned())));
        assert_eq!(start(ServiceState::Done), Some(Err("ended: exit code 3".to_owned())));
        for state in [ServiceState::Starting, ServiceState::Stopping, ServiceState::BackingOff, ServiceState::Waiting] {
            assert_eq!(start(state), None, "{state:?}");
            assert!(matches!(outcome_of(Verb::Restart, service("app", state), true), Some(Err(_))), "{state:?}");
        }
    }

    #[test]
    fn who_has_just_become_ready_may_fail_the_moment_after() {
        let fresh = || ServiceStatus { since_ms: 20, ..service("app", ServiceState::Ready) };
        assert_eq!(outcome_of(Verb::Start, fresh(), false), None);
        assert_eq!(outcome_of(Verb::Start, fresh(), true), Some(Ok("is ready")));
        let slow = outcome_of(Verb::Start, service("app", ServiceState::Starting), true);
        assert_eq!(slow, Some(Err("is starting, still after 1m 30s".to_owned())));
    }

    #[test]
    fn a_oneshot_has_succeeded_once_it_is_done() {
        let oneshot = |state, end: &str| {
            let last_end = Some(end.to_owned());
            let service = ServiceStatus { kind: Kind::Oneshot, last_end, ..service("sync", state) };
            outcome_of(Verb::Start, service, false)
        };
        assert_eq!(oneshot(ServiceState::Done, "exit code 0"), Some(Ok("is done")));
        assert_eq!(oneshot(ServiceState::Scheduled, "exit code 0"), Some(Ok("is done")));
        assert_eq!(oneshot(ServiceState::Scheduled, "exit code 2"), Some(Err("ended: exit code 2".to_owned())));
    }

    #[test]
    fn a_stop_waits_for_the_end() {
        let stop = |state| outcome_of(Verb::Stop, service("app", state), false);
        assert_eq!(stop(ServiceState::Stopping), None);
        assert_eq!(stop(ServiceState::Stopped), Some(Ok("is stopped")));
        assert_eq!(
            outcome(Verb::Stop, "gone", &Snapshot::running(0, vec![]), None).map(|end| end.is_ok()),
            Some(false)
        );
    }

    #[test]
    fn nobody_waits_for_what_waits_in_vain() {
        let web = ServiceStatus { waits_for: vec!["db".to_owned()], ..service("web", ServiceState::Waiting) };
        let engine = Snapshot::running(0, vec![service("db", ServiceState::Failed), web]);
        assert_eq!(outcome(Verb::Start, "web", &engine, None), Some(Err("waits for db, which failed".to_owned())));
    }

    #[test]
    fn why_it_failed_is_told_with_its_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("app.log");
        std::fs::write(&log, "1\n2\n3\n4\n5\nNo module \u{1b}[2Jnamed\n").unwrap();
        let app = ServiceStatus { log: Some(log), ..service("app", ServiceState::Failed) };
        let text = failure("app", "failed: exit code 3", &Snapshot::running(0, vec![app]));
        assert_eq!(text, "app failed: exit code 3\n    2\n    3\n    4\n    5\n    No module ?[2Jnamed");
    }

    #[test]
    fn what_is_done_depends_on_how_it_was() {
        let said = |verb: Verb, state| verb.said(&service("app", state));
        assert_eq!(said(Verb::Start, ServiceState::Ready), "runs already");
        assert_eq!(said(Verb::Start, ServiceState::Failed), "is being started");
        assert_eq!(said(Verb::Stop, ServiceState::Done), "did not run");
        assert_eq!(said(Verb::Stop, ServiceState::Ready), "is being stopped");
        assert_eq!(said(Verb::Restart, ServiceState::Stopped), "is being started");
        assert_eq!(said(Verb::Restart, ServiceState::Ready), "is being restarted");
    }
}
