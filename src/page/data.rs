//! What the page shows, and nothing else.

use serde::Serialize;

use crate::engine::snapshot::{Phase, ServiceState, ServiceStatus, Snapshot};
use crate::first_run::progress::TaskProgress;
use crate::machine::Machine;
use crate::note::Level;
use crate::outlook::first_run::{self, FirstRun, RunState, StepState};
use crate::outlook::{self, App};
use crate::status::BootRecord;
use crate::words::clean;

/// More services than these are not shown.
const SERVICES: usize = 16;
/// More host keys than these are not shown; there are three kinds.
const HOST_KEYS: usize = 4;
/// More steps of first runs than these are not shown: those that are done make room.
const STEPS: usize = 20;
/// The longest name, in characters.
const NAME: usize = 40;
/// The longest fact, in characters.
const FACT: usize = 120;

/// What the page shows. Everything in it may be seen by anyone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PageData {
    /// Version of this structure: 1.
    pub schema: u32,
    /// The host name.
    pub hostname: String,
    /// How things stand, for programs.
    pub state: State,
    /// How things stand, in words.
    pub headline: String,
    /// Whether something is still going on, so that asking again is worth it.
    pub pending: bool,
    /// The services, without the page itself.
    pub services: Vec<ServiceLine>,
    /// The steps of the first runs.
    pub first_run: Vec<StepLine>,
    /// How to connect by SSH, if that is possible.
    pub ssh: Option<Ssh>,
    /// The machine: labels and values.
    pub facts: Vec<(&'static str, String)>,
    /// How many warnings and errors there are; their texts are for those who log in.
    pub warnings: usize,
}

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The engine does not answer.
    Unknown,
    /// The container is being prepared.
    Preparing,
    /// The config cannot be used; only SSH was started.
    Rescue,
    /// The app is not up yet.
    Starting,
    /// The app waits for a service that failed or is stopped.
    Blocked,
    /// The app ended and is started again.
    Restarting,
    /// The app failed and was given up.
    Failed,
    /// The app ended and stays so.
    Ended,
    /// The app is up.
    AppReady,
    /// There is no app, and services are not up yet.
    ServicesStarting,
    /// There is no app, and nothing is going on.
    SshOnly,
    /// The container is going down.
    Stopping,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceLine {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: ServiceState,
    /// For how long, in seconds.
    pub since_s: u64,
    /// How often it was started again.
    pub restarts: u32,
}

/// A step of a first run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepLine {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: StepState,
    /// How much of its download is there, if that is known.
    pub percent: Option<u8>,
}

/// How to connect by SSH.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ssh {
    /// The port inside the container.
    pub port: u16,
    /// The host keys' fingerprints, which sshd shows to anyone who asks.
    pub host_keys: Vec<String>,
}

impl PageData {
    /// Takes what anyone may see out of what is known.
    #[must_use]
    pub fn new(record: &BootRecord, snapshot: Option<&Snapshot>, machine: &Machine) -> Self {
        let app = outlook::app(record, snapshot);
        let state = State::of(record, snapshot, app);
        let services = snapshot.map_or(&[][..], |snapshot| &snapshot.services);
        let host_keys = |keys: &[String]| keys.iter().take(HOST_KEYS).map(|key| clean(key, FACT)).collect();
        Self {
            schema: 1,
            hostname: clean(&machine.hostname, NAME),
            state,
            headline: state.headline(app),
            pending: state.pending() || snapshot.is_some_and(|snapshot| outlook::pending(snapshot).next().is_some()),
            first_run: Vec::new(),
            services: services.iter().filter(|service| !service.stand_in).take(SERVICES).map(line).collect(),
            ssh: record.ssh.as_ref().map(|ssh| Ssh { port: ssh.port, host_keys: host_keys(&ssh.host_keys) }),
            facts: facts(machine),
            warnings: record.notes.iter().filter(|note| note.level > Level::Info).count(),
        }
    }

    /// Adds what anyone may see of the first runs. Their texts and users are for those who log in.
    #[must_use]
    pub fn with_first_runs(mut self, runs: &[FirstRun]) -> Self {
        let all = runs.iter().flat_map(|run| run.progress.tasks.iter().map(move |task| step(run, task)));
        self.first_run = all.collect();
        let mut too_many = self.first_run.len().saturating_sub(STEPS);
        self.first_run.retain(|step| {
            let makes_room = too_many > 0 && step.state == StepState::Done;
            too_many -= usize::from(makes_room);
            !makes_room
        });
        self.first_run.truncate(STEPS);
        self.pending |= runs.iter().any(|run| run.state == RunState::Running);
        self
    }

    /// The HTTP status: 200 if the image has no app and its services are up, else 503. A first run goes on beside them.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        if self.state == State::SshOnly { 200 } else { 503 }
    }
}

impl State {
    fn of(record: &BootRecord, snapshot: Option<&Snapshot>, app: App<'_>) -> Self {
        let phase = snapshot.map(|snapshot| snapshot.phase);
        let waiting = snapshot.is_some_and(|snapshot| outlook::starting(snapshot).next().is_some());
        match (phase, app) {
            (Some(Phase::Stopping), _) => Self::Stopping,
            _ if record.rescue.is_some() => Self::Rescue,
            (None, _) => Self::Unknown,
            (Some(Phase::Preparing), _) => Self::Preparing,
            (Some(Phase::Running), App::None) if waiting => Self::ServicesStarting,
            (Some(Phase::Running), App::None) => Self::SshOnly,
            (Some(Phase::Running), App::Unknown) => Self::Unknown,
            (Some(Phase::Running), App::Known(service)) => match service.state {
                ServiceState::Waiting if is_blocked(snapshot, service) => Self::Blocked,
                ServiceState::Waiting | ServiceState::Starting => Self::Starting,
                ServiceState::Ready => Self::AppReady,
                ServiceState::BackingOff => Self::Restarting,
                ServiceState::Stopping | ServiceState::Done | ServiceState::Stopped | ServiceState::Scheduled => {
                    Self::Ended
                }
                ServiceState::Failed => Self::Failed,
            },
        }
    }

    /// Whether this state ends by itself.
    fn pending(self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::Preparing
                | Self::Starting
                | Self::Restarting
                | Self::AppReady
                | Self::ServicesStarting
        )
    }

    fn headline(self, app: App<'_>) -> String {
        let end = match app {
            App::Known(service) => end(service),
            App::None | App::Unknown => None,
        };
        let ended = end.map_or_else(|| "The app ended".to_owned(), |end| format!("The app {end}"));
        match self {
            Self::Unknown => "The state of this container is not known".to_owned(),
            Self::Preparing => "The container is being prepared".to_owned(),
            Self::Rescue => "The configuration cannot be used".to_owned(),
            Self::Starting => "The app is starting".to_owned(),
            Self::Blocked => "The app waits for a service that is down".to_owned(),
            Self::Restarting => format!("{ended} and is started again"),
            Self::Failed => format!("{ended} and was given up"),
            Self::Ended => ended,
            Self::AppReady => "The app is ready".to_owned(),
            Self::ServicesStarting => "The services are starting".to_owned(),
            Self::SshOnly => "No app in this image: use SSH".to_owned(),
            Self::Stopping => "The container is shutting down".to_owned(),
        }
    }
}

fn is_blocked(snapshot: Option<&Snapshot>, service: &ServiceStatus) -> bool {
    snapshot.is_some_and(|snapshot| outlook::blocked(snapshot).contains_key(service.name.as_str()))
}

/// How a service ended, where it is of a form that says nothing but that: other texts may name paths.
fn end(service: &ServiceStatus) -> Option<String> {
    let end = service.last_end.as_deref()?;
    if let Some(code) = end.strip_prefix("exit code ") {
        let code: u8 = code.parse().ok()?;
        return Some(format!("ended with exit code {code}"));
    }
    if let Some(signal) = end.strip_prefix("killed by SIG") {
        let known = !signal.is_empty() && signal.len() <= 8 && signal.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return known.then(|| format!("was killed by SIG{signal}"));
    }
    end.starts_with("could not be started").then(|| "could not be started".to_owned())
}

fn line(service: &ServiceStatus) -> ServiceLine {
    ServiceLine {
        name: clean(&service.name, NAME),
        state: service.state,
        since_s: outlook::since(service).as_secs(),
        restarts: service.restarts,
    }
}

fn step(run: &FirstRun, task: &TaskProgress) -> StepLine {
    StepLine { name: first_run::plain(&task.name), state: run.step(task), percent: first_run::percent(task) }
}

/// The kernel's release is left out: it is of use to attackers only.
fn facts(machine: &Machine) -> Vec<(&'static str, String)> {
    let os = machine.os.name.clone().map(|name| ("System", name));
    let gpu = Some(("GPU", machine.gpu.to_string()));
    let python = machine.python.as_ref().map(|python| ("Python", python.to_string()));
    let memory = machine.resources.compute().map(|compute| ("Memory", compute));
    let disks = machine.resources.disks.iter().map(|disk| ("Disk", disk.to_string()));
    let facts = [os, gpu, python, memory].into_iter().flatten().chain(disks);
    facts.map(|(label, value)| (label, clean(&value, FACT))).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::spec::Kind;
    use crate::first_run::progress::State as TaskState;
    use crate::machine::gpu::{Cuda, Device, Driver};
    use crate::machine::resources::{Disk, Memory};
    use crate::machine::{Gpu, Os, Python, Resources};
    use crate::note::Note;
    use crate::outlook::first_run::tests::run;
    use crate::plan::FIRST_RUN;
    use crate::status::{SshRecord, UserRecord};

    pub(in crate::page) fn service(name: &str, state: ServiceState, end: Option<&str>) -> ServiceStatus {
        let last_end = end.map(str::to_owned);
        let service = ServiceStatus::new(name, Kind::Daemon, state);
        ServiceStatus { pid: Some(7), since_ms: 130_000, last_end, ..service }
    }

    pub(in crate::page) fn snapshot(services: Vec<ServiceStatus>) -> Snapshot {
        Snapshot::running(1, services)
    }

    pub(in crate::page) fn record(app: bool) -> BootRecord {
        let key = |kind| format!("SHA256:Zk3vQm0rJ8yX1sT5uWb9dFh2gLp7nCq4eRa6oKi3MxE ({kind})");
        BootRecord {
            app,
            app_port: 27015,
            users: vec![UserRecord { name: "peid".to_owned(), home: "/home/peid".into(), ..UserRecord::default() }],
            ssh: Some(SshRecord { port: 22, host_keys: vec![key("ED25519"), key("ECDSA")] }),
            notes: vec![Note::info("fine"), Note::warning("/root/secret-path looks odd")],
            ..BootRecord::default()
        }
    }

    pub(in crate::page) fn machine() -> Machine {
        let gib = 1024 * 1024 * 1024;
        Machine {
            hostname: "gpu-box-7".to_owned(),
            os: Os { name: Some("Ubuntu 24.04.1 LTS".to_owned()), kernel: Some("6.8.0-45-generic".to_owned()) },
            gpu: Gpu {
                driver: Some(Driver { version: "550.54.14".to_owned(), open: false }),
                devices: vec![Device { model: Some("NVIDIA H100 80GB HBM3".to_owned()), ..Device::default() }; 2],
                image_cuda: Cuda::parse("12.9"),
                ..Gpu::default()
            },
            python: Some(Python { version: "3.12".to_owned(), torch: Some("2.5.1+cu124".to_owned()) }),
            resources: Resources {
                memory: Some(Memory { total: 64 * gib, available: 58 * gib }),
                cpus: Some(16.0),
                disks: vec![Disk { path: "/".into(), total: 200 * gib, available: 181 * gib }],
            },
        }
    }

    fn page(record: &BootRecord, services: Vec<ServiceStatus>) -> PageData {
        PageData::new(record, Some(&snapshot(services)), &machine())
    }

    #[test]
    fn an_image_without_an_app_is_well_once_nothing_is_going_on() {
        let quiet = page(&record(false), vec![service("sshd", ServiceState::Ready, None)]);
        assert_eq!((quiet.state, quiet.pending, quiet.http_status()), (State::SshOnly, false, 200));
        let busy = page(&record(false), vec![service("xvfb", ServiceState::Starting, None)]);
        assert_eq!((busy.state, busy.pending, busy.http_status()), (State::ServicesStarting, true, 503));
    }

    #[test]
    fn a_first_run_keeps_no_image_without_an_app_from_being_well_but_has_the_page_refresh() {
        let service = service(FIRST_RUN, ServiceState::Starting, None);
        let run = run("peid", RunState::Running, &[("node", TaskState::Running)]);
        let busy = page(&record(false), vec![service.clone()]);
        assert_eq!((busy.state, busy.pending, busy.http_status()), (State::SshOnly, true, 200));
        let by_hand = page(&record(false), Vec::new()).with_first_runs(&[run]);
        assert_eq!((by_hand.pending, by_hand.http_status()), (true, 200));
        let app = self::service("app", ServiceState::Waiting, None);
        assert_eq!(page(&record(true), vec![service, app]).state, State::Starting);
    }

    #[test]
    fn of_many_steps_those_that_are_done_make_room() {
        let names: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
        let state = |number: usize| if number < 90 { TaskState::Done } else { TaskState::Waiting };
        let steps: Vec<_> = names.iter().enumerate().map(|(number, name)| (name.as_str(), state(number))).collect();
        let runs = [run("peid", RunState::Running, &steps)];
        let shown = page(&record(false), Vec::new()).with_first_runs(&runs).first_run;
        assert_eq!(shown.len(), STEPS);
        assert_eq!(shown.iter().filter(|step| step.state == StepState::Waiting).count(), 10);
    }

    #[test]
    fn of_a_first_run_nothing_but_names_states_and_percentages_is_there() {
        let mut run = run("peid", RunState::Failed, &[("codex", TaskState::Failed), ("/root/x y", TaskState::Done)]);
        for task in &mut run.progress.tasks {
            let secret = || "secret-path".to_owned();
            (task.summary, task.stage, task.error) = (secret(), secret(), Some(secret()));
            (task.hint, task.log, task.version) = (Some(secret()), Some(secret()), Some(secret()));
            (task.tail, task.warnings, task.needs) = (vec![secret()], vec![secret()], vec![secret()]);
        }
        run.progress.host = "secret-path".to_owned();
        let public = page(&record(false), Vec::new()).with_first_runs(&[run]);
        let json = crate::page::json(&public);
        assert_eq!(json["first_run"][0], serde_json::json!({"name": "codex", "state": "failed", "percent": null}));
        assert_eq!(json["first_run"][1]["name"], "?root?x?y");
        let text = format!("{json}{}", crate::page::html(&public));
        assert!(!text.contains("secret-path") && !text.contains("peid"), "{text}");
    }

    #[test]
    fn an_app_that_was_given_up_is_no_success_and_nothing_to_wait_for() {
        let failed = page(&record(true), vec![service("app", ServiceState::Failed, Some("exit code 1"))]);
        assert_eq!((failed.pending, failed.http_status()), (false, 503));
        assert_eq!(failed.headline, "The app ended with exit code 1 and was given up");
    }

    #[test]
    fn an_app_that_waits_in_vain_is_nothing_to_wait_for() {
        let db = service("db", ServiceState::Failed, Some("exit code 1"));
        let app = ServiceStatus { waits_for: vec!["db".to_owned()], ..service("app", ServiceState::Waiting, None) };
        let blocked = page(&record(true), vec![db, app]);
        assert_eq!((blocked.state, blocked.pending, blocked.http_status()), (State::Blocked, false, 503));
    }

    #[test]
    fn of_a_service_nothing_is_there_that_it_said_or_printed() {
        let secret = || "secret-path".to_owned();
        let app = ServiceStatus {
            text: Some(secret()),
            log: Some("/secret-path/app.log".into()),
            waits_for: vec![secret()],
            ..service("app", ServiceState::Waiting, Some("could not be started: secret-path"))
        };
        let public = page(&record(true), vec![app]);
        let text = format!("{}{}", crate::page::json(&public), crate::page::html(&public));
        assert!(!text.contains("secret-path"), "{text}");
    }

    #[test]
    fn a_silent_engine_is_not_taken_for_an_image_without_an_app() {
        let silent = PageData::new(&record(false), None, &machine());
        assert_eq!((silent.state, silent.pending, silent.http_status()), (State::Unknown, true, 503));
    }

    #[test]
    fn rescue_is_said_without_its_reason() {
        let mut record = record(false);
        record.rescue = Some("/etc/devinit/config.yaml: token hunter2".to_owned());
        let rescue = page(&record, vec![service("sshd", ServiceState::Ready, None)]);
        assert_eq!((rescue.state, rescue.http_status()), (State::Rescue, 503));
        assert!(!crate::page::json(&rescue).to_string().contains("config.yaml"));
    }

    #[test]
    fn an_end_is_told_only_in_forms_that_tell_nothing_else() {
        for (end, told) in [
            ("exit code 3", "The app ended with exit code 3 and was given up"),
            ("killed by SIGSEGV", "The app was killed by SIGSEGV and was given up"),
            ("could not be started: /srv/private/run: no such file", "The app could not be started and was given up"),
            ("exit code 1 in /srv/private", "The app ended and was given up"),
            ("killed by SIG/srv", "The app ended and was given up"),
        ] {
            assert_eq!(page(&record(true), vec![service("app", ServiceState::Failed, Some(end))]).headline, told);
        }
    }

    #[test]
    fn what_is_not_for_everyone_is_not_there() {
        let public = page(&record(true), vec![service("app", ServiceState::Waiting, None)]);
        let text = format!("{}{}", crate::page::json(&public), crate::page::html(&public));
        for private in ["peid", "secret-path", "6.8.0", "/home", "\"pid\""] {
            assert!(!text.contains(private), "{private}");
        }
        assert_eq!(public.warnings, 1);
    }
}
