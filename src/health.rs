//! Whether the container is well: for Docker's HEALTHCHECK and Kubernetes' probes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::engine::control::{self, Answer, Query};
use crate::engine::snapshot::{Phase, ServiceState, ServiceStatus, Snapshot};
use crate::engine::spec::Kind;
use crate::note::Level;
use crate::outlook::first_run::{self, FirstRun};
use crate::paths;
use crate::plan::{APP, FIRST_RUN, MAIN, SSHD};
use crate::probe::{Context, Probe};
use crate::status::{self, BootRecord};

/// How long devinit may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How long the app may take to answer a look.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Does devinit answer at all?
    Live,
    /// Is what the container is there for up: sshd and the app, and did nothing fail?
    Healthy,
    /// Is everything that was to start ready? A first run goes on beside it, and only what waits for it is not ready.
    Ready,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Yes, no, or cannot tell.
    pub healthy: Option<bool>,
    /// Why, on one line.
    pub reason: String,
}

impl Verdict {
    fn yes(reason: &str) -> Self {
        Self { healthy: Some(true), reason: reason.to_owned() }
    }

    fn no(reason: impl Into<String>) -> Self {
        Self { healthy: Some(false), reason: reason.into() }
    }

    /// 0 healthy, 1 not, 2 cannot tell.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self.healthy {
            Some(true) => 0,
            Some(false) => 1,
            None => 2,
        }
    }
}

/// Asks the devinit of this container.
#[must_use]
pub fn check(question: Question) -> Verdict {
    let runtime = paths::runtime();
    let snapshot = match control::ask(&runtime, &Query::Status, ANSWER_LIMIT) {
        Ok(Answer::Status(snapshot)) => snapshot,
        Ok(_) => return Verdict { healthy: None, reason: "devinit's answer is not understood".to_owned() },
        Err(error) => {
            let reason = format!("cannot tell: devinit does not answer in {}: {error}", runtime.display());
            return Verdict { healthy: None, reason };
        }
    };
    if question == Question::Live {
        return Verdict::yes("devinit answers");
    }
    let record = status::record(&runtime);
    let runs = first_run::look(&runtime, Some(&snapshot));
    if let Some(verdict) = judge(question, &snapshot, record.as_ref(), &runs) {
        return verdict;
    }
    // Ready once is not well for ever: look again at what can be looked at. Only root is told how.
    let probes = match control::ask(&runtime, &Query::Probes, ANSWER_LIMIT) {
        Ok(Answer::Probes(probes)) => probes,
        _ => BTreeMap::new(),
    };
    let ready = snapshot.services.iter().filter(|service| service.state == ServiceState::Ready);
    for (name, (probe, context)) in ready.filter_map(|service| probes.get_key_value(&service.name)) {
        if let Err(why) = look(probe, context) {
            return Verdict::no(format!("{name} does not answer: {why}"));
        }
    }
    Verdict::yes("all is well")
}

fn look(probe: &Probe, context: &Context) -> Result<(), String> {
    probe.look(context, LOOK_LIMIT)
}

/// What the snapshot says by itself; none: nothing is wrong so far.
fn judge(question: Question, snapshot: &Snapshot, record: Option<&BootRecord>, runs: &[FirstRun]) -> Option<Verdict> {
    match snapshot.phase {
        Phase::Preparing => return Some(Verdict::no("starting: the container is being prepared")),
        Phase::Stopping => return Some(Verdict::no("the container is going down")),
        Phase::Running => {}
    }
    if let Some(why) = record.and_then(|record| record.rescue.as_ref()) {
        return Some(Verdict::no(format!("in rescue: {why}")));
    }
    let fault = |record: &&BootRecord| record.notes.iter().any(|note| note.level == Level::Error);
    if let Some(record) = record.filter(fault) {
        let first = record.notes.iter().find(|note| note.level == Level::Error);
        return first.map(|note| Verdict::no(note.text.clone()));
    }
    let troubled = |service: &&ServiceStatus| {
        let matters = [APP, MAIN, SSHD].contains(&service.name.as_str()) || question == Question::Ready;
        match service.state {
            ServiceState::Failed => first_run::has_failed(service, runs),
            ServiceState::Ready => false,
            // It goes on beside everything else; what waits for it is not ready itself.
            _ if service.name == FIRST_RUN => false,
            ServiceState::Scheduled => false,
            ServiceState::Stopped => matters && !service.manual,
            ServiceState::Done => matters && service.kind != Kind::Oneshot,
            _ => matters && service.kind != Kind::Oneshot || question == Question::Ready,
        }
    };
    let service = snapshot.services.iter().filter(|service| !service.stand_in).find(troubled)?;
    let name = &service.name;
    let last = service.last_end.as_deref().unwrap_or("never started");
    let since = service.since_ms / 1000;
    Some(Verdict::no(match service.state {
        ServiceState::Failed if *name == FIRST_RUN => first_run_failed(runs, last),
        ServiceState::Failed => format!("{name} failed and was given up: {last}"),
        ServiceState::BackingOff => format!("{name} ended ({last}) and is about to be started again"),
        ServiceState::Done => format!("{name} ended ({last})"),
        ServiceState::Stopped => format!("{name} is stopped"),
        ServiceState::Stopping => format!("{name} is stopping"),
        ServiceState::Waiting => format!("starting: {name} waits for others"),
        _ => format!("starting: {name} is not ready after {since} s"),
    }))
}

fn first_run_failed(runs: &[FirstRun], last_end: &str) -> String {
    let failed: Vec<String> = runs.iter().filter_map(|run| first_run::failed_steps(&run.progress)).collect();
    let what = if failed.is_empty() { last_end.to_owned() } else { failed.join("; ") };
    format!("the first run failed: {what}; devinit status says why")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_run::progress::State;
    use crate::outlook::first_run::RunState;
    use crate::outlook::first_run::tests::run;

    fn service(name: &str, kind: Kind, state: ServiceState) -> ServiceStatus {
        let last_end = Some("exit code 3".to_owned());
        ServiceStatus { since_ms: 12_000, last_end, ..ServiceStatus::new(name, kind, state) }
    }

    fn running(services: Vec<ServiceStatus>) -> Snapshot {
        Snapshot::running(0, services)
    }

    #[test]
    fn a_container_with_everything_ready_is_not_found_fault_with() {
        let sshd = service("sshd", Kind::Daemon, ServiceState::Ready);
        let hook = service("on-boot-1", Kind::Oneshot, ServiceState::Done);
        assert_eq!(judge(Question::Ready, &running(vec![sshd, hook]), None, &[]), None);
    }

    #[test]
    fn an_app_that_is_not_ready_yet_makes_the_container_unhealthy() {
        let app = service("app", Kind::Daemon, ServiceState::Starting);
        let verdict = judge(Question::Healthy, &running(vec![app]), None, &[]).unwrap();
        assert_eq!((verdict.exit_code(), verdict.reason.as_str()), (1, "starting: app is not ready after 12 s"));
    }

    #[test]
    fn a_side_service_that_still_starts_matters_to_ready_only() {
        let side = || running(vec![service("xvfb", Kind::Daemon, ServiceState::Starting)]);
        assert_eq!(judge(Question::Healthy, &side(), None, &[]), None);
        assert_eq!(judge(Question::Ready, &side(), None, &[]).map(|verdict| verdict.exit_code()), Some(1));
    }

    #[test]
    fn what_was_given_up_is_named_with_its_last_end() {
        let side = service("xvfb", Kind::Daemon, ServiceState::Failed);
        let verdict = judge(Question::Healthy, &running(vec![side]), None, &[]).unwrap();
        assert_eq!(verdict.reason, "xvfb failed and was given up: exit code 3");
    }

    #[test]
    fn rescue_is_never_healthy() {
        let record = BootRecord { rescue: Some("config.yaml:3:1: …".to_owned()), ..BootRecord::default() };
        let verdict = judge(Question::Healthy, &running(vec![]), Some(&record), &[]).unwrap();
        assert_eq!(verdict.reason, "in rescue: config.yaml:3:1: …");
    }

    #[test]
    fn a_first_run_that_goes_on_is_no_trouble_and_one_that_failed_is_named_with_its_steps() {
        let first_run = |state| running(vec![service(FIRST_RUN, Kind::Oneshot, state)]);
        for question in [Question::Healthy, Question::Ready] {
            assert_eq!(judge(question, &first_run(ServiceState::Starting), None, &[]), None);
            assert_eq!(judge(question, &first_run(ServiceState::Done), None, &[]), None);
        }
        let failed = first_run(ServiceState::Failed);
        let reason = |runs: &[FirstRun]| judge(Question::Healthy, &failed, None, runs).map(|verdict| verdict.reason);
        let broken = run("peid", RunState::Failed, &[("uv", State::Done), ("codex", State::Failed)]);
        assert_eq!(reason(&[broken]).unwrap(), "the first run failed: codex; devinit status says why");
        assert_eq!(reason(&[]).unwrap(), "the first run failed: exit code 3; devinit status says why");
        assert_eq!(reason(&[run("peid", RunState::Done, &[("codex", State::Done)])]), None, "mended by hand");
    }

    #[test]
    fn an_app_that_waits_for_the_first_run_is_not_ready() {
        let services = vec![
            service(FIRST_RUN, Kind::Oneshot, ServiceState::Starting),
            service("app", Kind::Daemon, ServiceState::Waiting),
        ];
        let verdict = judge(Question::Healthy, &running(services), None, &[]).unwrap();
        assert_eq!(verdict.reason, "starting: app waits for others");
    }
}
