//! Whether the container is well: for Docker's HEALTHCHECK and Kubernetes' probes.

use std::path::Path;
use std::time::Duration;

use nix::unistd::geteuid;
use serde::Serialize;

use crate::engine::control::{self, Answer, Query};
use crate::engine::snapshot::{Phase, ServiceState, ServiceStatus, Snapshot};
use crate::engine::spec::Kind;
use crate::note::{LONGEST_NOTE, Level};
use crate::outlook::first_run::{self, FirstRun};
use crate::outlook::{self, blocked};
use crate::paths;
use crate::plan::{APP, FIRST_RUN, MAIN, SSHD};
use crate::probe::{Context, Probe};
use crate::status::{self, BootRecord};
use crate::words::clean;

/// How long devinit may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How long the app may take to answer a look.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// The longest reason, in characters: Docker keeps 4096 of them, and people read one line.
const LONGEST: usize = 300;
/// How many of a service's last lines are searched for one that says something.
const LINES: usize = 5;

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
        Self { healthy: Some(false), reason: clean(&reason.into(), LONGEST_NOTE) }
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
    let snapshot = match control::status(&runtime, ANSWER_LIMIT) {
        Ok(snapshot) => snapshot,
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
    // It may be why others fail, so it comes first.
    if snapshot.phase == Phase::Running
        && let Some(why) = record.as_ref().filter(|record| record.rescue.is_none()).and_then(gpu_gone)
    {
        return Verdict::no(why);
    }
    if let Some(verdict) = judge(question, &snapshot, record.as_ref(), &runs, &last_line) {
        return verdict;
    }
    // Ready once is not well for ever: look again at what can be looked at. Only root is told how.
    for service in snapshot.services.iter().filter(|service| service.state == ServiceState::Ready) {
        let (probe, context) = match control::ask(&runtime, &Query::Probe(service.name.clone()), ANSWER_LIMIT) {
            Ok(Answer::Probe(Some(probe))) => probe,
            Ok(Answer::Refused(_)) if !geteuid().is_root() => break,
            // Ready as soon as it runs; or it went while we looked; or what tells is too long for a packet.
            _ => continue,
        };
        if let Err(why) = look(&probe, &context) {
            return Verdict::no(format!("{} does not answer: {}", service.name, clean(&why, LONGEST)));
        }
    }
    Verdict::yes("all is well")
}

fn gpu_gone(record: &BootRecord) -> Option<String> {
    record.gpu.gone(Path::new("/"))
}

/// The last line of a service, if this process may read it.
fn last_line(service: &ServiceStatus) -> Option<String> {
    status::last_lines(service, LINES).into_iter().rev().find(|line| !status::bare(line, LONGEST).is_empty())
}

fn look(probe: &Probe, context: &Context) -> Result<(), String> {
    probe.look(context, LOOK_LIMIT)
}

/// What the snapshot says by itself; none: nothing is wrong so far. `last_line` knows what a service printed last.
fn judge(
    question: Question,
    snapshot: &Snapshot,
    record: Option<&BootRecord>,
    runs: &[FirstRun],
    last_line: &dyn Fn(&ServiceStatus) -> Option<String>,
) -> Option<Verdict> {
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
    let blocked = blocked(snapshot);
    let troubled = |service: &&ServiceStatus| {
        let matters = is_essential(service) || question == Question::Ready;
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
    let own = || snapshot.services.iter().filter(|service| !service.stand_in);
    // What failed comes first: it may be why others wait.
    let failed = own().find(|service| service.state == ServiceState::Failed && troubled(service));
    let service = failed.or_else(|| own().find(troubled))?;
    let (name, since) = (&service.name, service.since_ms / 1000);
    let end = || service.last_end.clone().unwrap_or_else(|| "never started".to_owned());
    let with_line = || match last_line(service) {
        Some(line) => format!("{}: {}", end(), status::bare(&line, LONGEST)),
        None => end(),
    };
    let reason = match service.state {
        ServiceState::Failed if *name == FIRST_RUN => first_run_failed(runs, &end()),
        ServiceState::Failed => {
            let degraded = if service.critical || is_essential(service) { "" } else { "degraded: " };
            let vain: Vec<&str> =
                blocked.iter().filter(|(_, cause)| cause.name == *name).map(|(name, _)| *name).collect();
            let vain = match vain.as_slice() {
                [] => String::new(),
                [one] => format!("; {one} waits for it"),
                [one, more @ ..] => format!("; {one} and {} more wait for it", more.len()),
            };
            // The cause is cut rather than what follows from it.
            let what = clean(
                &format!("{degraded}{name} failed and was given up: {}", with_line()),
                LONGEST - vain.len().min(100),
            );
            format!("{what}{vain}")
        }
        ServiceState::BackingOff => {
            format!(
                "{} and is about to be started again",
                clean(&format!("{name} ended ({})", with_line()), LONGEST - 40)
            )
        }
        ServiceState::Done => format!("{name} ended ({})", end()),
        ServiceState::Stopped => format!("{name} is stopped"),
        ServiceState::Stopping => format!("{name} is stopping"),
        ServiceState::Waiting => match blocked.get(name.as_str()) {
            Some(cause) => format!("{name} {}", outlook::waits(service, Some(cause))),
            None => format!("starting: {name} {}", outlook::waits(service, None)),
        },
        _ => match &service.text {
            Some(text) => format!("starting: {name} is not ready after {since} s: {text}"),
            None => format!("starting: {name} is not ready after {since} s"),
        },
    };
    Some(Verdict::no(clean(&reason, LONGEST)))
}

/// Whether a service is what the container is there for.
fn is_essential(service: &ServiceStatus) -> bool {
    [APP, MAIN, SSHD].contains(&service.name.as_str())
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
        assert_eq!(judge(Question::Ready, &running(vec![sshd, hook]), None, &[], &|_| None), None);
    }

    #[test]
    fn an_app_that_is_not_ready_yet_makes_the_container_unhealthy() {
        let app = service("app", Kind::Daemon, ServiceState::Starting);
        let verdict = judge(Question::Healthy, &running(vec![app]), None, &[], &|_| None).unwrap();
        assert_eq!((verdict.exit_code(), verdict.reason.as_str()), (1, "starting: app is not ready after 12 s"));
    }

    #[test]
    fn a_side_service_that_still_starts_matters_to_ready_only() {
        let side = || running(vec![service("xvfb", Kind::Daemon, ServiceState::Starting)]);
        assert_eq!(judge(Question::Healthy, &side(), None, &[], &|_| None), None);
        assert_eq!(judge(Question::Ready, &side(), None, &[], &|_| None).map(|verdict| verdict.exit_code()), Some(1));
    }

    #[test]
    fn what_was_given_up_is_named_with_its_last_end() {
        let side = service("xvfb", Kind::Daemon, ServiceState::Failed);
        let verdict = judge(Question::Healthy, &running(vec![side]), None, &[], &|_| None).unwrap();
        assert_eq!(verdict.reason, "degraded: xvfb failed and was given up: exit code 3");
    }

    #[test]
    fn rescue_is_never_healthy() {
        let record = BootRecord { rescue: Some("config.yaml:3:1: …".to_owned()), ..BootRecord::default() };
        let verdict = judge(Question::Healthy, &running(vec![]), Some(&record), &[], &|_| None).unwrap();
        assert_eq!(verdict.reason, "in rescue: config.yaml:3:1: …");
    }

    #[test]
    fn a_first_run_that_goes_on_is_no_trouble_and_one_that_failed_is_named_with_its_steps() {
        let first_run = |state| running(vec![service(FIRST_RUN, Kind::Oneshot, state)]);
        for question in [Question::Healthy, Question::Ready] {
            assert_eq!(judge(question, &first_run(ServiceState::Starting), None, &[], &|_| None), None);
            assert_eq!(judge(question, &first_run(ServiceState::Done), None, &[], &|_| None), None);
        }
        let failed = first_run(ServiceState::Failed);
        let reason =
            |runs: &[FirstRun]| judge(Question::Healthy, &failed, None, runs, &|_| None).map(|verdict| verdict.reason);
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
        let verdict = judge(Question::Healthy, &running(services), None, &[], &|_| None).unwrap();
        assert_eq!(verdict.reason, "starting: app waits for others");
    }

    fn reason(question: Question, services: Vec<ServiceStatus>) -> Option<String> {
        judge(question, &running(services), None, &[], &|_| None).map(|verdict| verdict.reason)
    }

    fn waiting(name: &str, waits_for: &str) -> ServiceStatus {
        ServiceStatus { waits_for: vec![waits_for.to_owned()], ..service(name, Kind::Daemon, ServiceState::Waiting) }
    }

    #[test]
    fn what_failed_is_named_with_the_last_line_that_it_printed_cleaned_and_cut() {
        let failed = |line: &str| {
            let app = service("app", Kind::Daemon, ServiceState::Failed);
            judge(Question::Healthy, &running(vec![app]), None, &[], &|_| Some(line.to_owned())).unwrap().reason
        };
        assert_eq!(
            failed("ModuleNotFoundError: No module named 'x'"),
            "app failed and was given up: exit code 3: ModuleNotFoundError: No module named 'x'"
        );
        assert_eq!(failed("\u{1b}[2Jgone"), "app failed and was given up: exit code 3: ?[2Jgone");
        assert_eq!(failed(&"x".repeat(5000)).chars().count(), LONGEST);
    }

    #[test]
    fn what_waits_for_a_failed_service_is_named_with_the_cause() {
        let db = || service("db", Kind::Daemon, ServiceState::Failed);
        assert_eq!(
            reason(Question::Healthy, vec![waiting("app", "db"), db()]).unwrap(),
            "degraded: db failed and was given up: exit code 3; app waits for it"
        );
        assert_eq!(
            reason(Question::Healthy, vec![db(), waiting("app", "db"), waiting("web", "app")]).unwrap(),
            "degraded: db failed and was given up: exit code 3; app and 1 more wait for it"
        );
        let stopped = service("db", Kind::Daemon, ServiceState::Stopped);
        assert_eq!(
            reason(Question::Healthy, vec![stopped, waiting("app", "db")]).unwrap(),
            "app waits for db, which is stopped"
        );
    }

    #[test]
    fn what_runs_at_times_makes_nothing_unhealthy_while_it_does_not() {
        for question in [Question::Healthy, Question::Ready] {
            let manual = ServiceStatus { manual: true, ..service("bench", Kind::Daemon, ServiceState::Stopped) };
            assert_eq!(reason(question, vec![manual]), None);
            assert_eq!(reason(question, vec![service("sync", Kind::Oneshot, ServiceState::Scheduled)]), None);
            let failed = service("sync", Kind::Oneshot, ServiceState::Failed);
            assert_eq!(reason(question, vec![ServiceStatus { next_ms: Some(60_000), ..failed }]), None);
        }
        let stopped = || vec![service("xvfb", Kind::Daemon, ServiceState::Stopped)];
        assert_eq!(reason(Question::Healthy, stopped()), None);
        assert_eq!(reason(Question::Ready, stopped()).unwrap(), "xvfb is stopped");
    }
}
