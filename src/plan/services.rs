//! The processes of the plan: what runs, as whom, in which order, with which probe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::first_run::{self, Tools};
use super::{Facts, Ssh};
use crate::config::model::{self, BaseEntrypoint, Config};
use crate::config::signal::signal_number;
use crate::engine::spec::{Backoff, By, Identity, Kind, Readiness, Restart, STOP_TIMEOUT, Service, Settings};
use crate::note::Note;
use crate::paths;
use crate::prepare::accounts::{Database, groups_of, lookup};
use crate::probe::{Http, Probe};

/// The name of the service that the app, or the main command, is.
pub const APP: &str = "app";
/// The name of the service that a main command is.
pub const MAIN: &str = "main";
/// The name of sshd's service.
pub const SSHD: &str = "sshd";
/// The name of the first run's service.
pub const FIRST_RUN: &str = "first-run";

/// How long the first run may take to end: it can be ended at any instant, and goes on the next time.
const STOP_FIRST_RUN: Duration = Duration::from_secs(3);
/// Where these are in the order of stopping: the app first, sshd last.
const STOP_APP: u8 = 0;
const STOP_SERVICES: u8 = 1;
const STOP_SSHD: u8 = 2;
const SIGTERM: i32 = 15;
/// For what has to come again whatever happens.
const NEVER_GIVEN_UP: Backoff = Backoff {
    first: Duration::from_millis(250),
    longest: Duration::from_secs(30),
    stable: Duration::from_secs(30),
    give_up_after: None,
};
/// The user that the status page is served as: nobody, as every distribution has it.
const NOBODY: Identity = Identity { uid: 65534, gid: 65534, groups: Vec::new() };

fn service(name: &str, kind: Kind, command: Vec<String>, environment: &BTreeMap<String, String>) -> Service {
    Service { environment: environment.clone(), stop_order: STOP_SERVICES, ..Service::new(name, kind, command) }
}

/// The main command of the command line, if there is one: in the foreground, and the container ends with it.
#[must_use]
pub fn main_command(
    command: &[String],
    environment: &BTreeMap<String, String>,
    entrypoint: BaseEntrypoint,
) -> Option<Service> {
    (!command.is_empty()).then(|| Service {
        foreground: true,
        gets_signals: true,
        stop_order: STOP_APP,
        // It may take what the shutdown allows; there is no config that says less.
        stop_timeout: Duration::from_secs(3600),
        critical: true,
        ..service(MAIN, Kind::Daemon, chained(command.to_vec(), entrypoint), environment)
    })
}

/// The command as the base image would start it.
fn chained(command: Vec<String>, entrypoint: BaseEntrypoint) -> Vec<String> {
    let nvidia = Path::new(paths::NVIDIA_ENTRYPOINT);
    if entrypoint == BaseEntrypoint::Auto && nvidia.is_file() {
        std::iter::once(paths::NVIDIA_ENTRYPOINT.to_owned()).chain(command).collect()
    } else {
        command
    }
}

/// What the processes are made from.
pub struct Ground<'a> {
    /// What the user wrote.
    pub config: &'a Config,
    /// What the machine is.
    pub facts: &'a Facts,
    /// The accounts as they will be.
    pub database: &'a Database,
    /// The environment of the app and the services.
    pub environment: &'a BTreeMap<String, String>,
    /// Tools of users, for what runs as one of them.
    pub tools: &'a Tools,
    /// Whether only what lets someone in is started.
    pub rescue: bool,
}

impl Ground<'_> {
    /// All processes, in the order of the plan.
    pub fn services(&self, ssh: Option<&Ssh>, fetch_keys: bool, notes: &mut Vec<Note>) -> Vec<Service> {
        let mut all = Vec::new();
        all.extend(ssh.map(|ssh| self.sshd(ssh)));
        if fetch_keys {
            all.push(self.fetch_keys());
        }
        let hooks = if self.rescue { Vec::new() } else { self.hooks() };
        let settled: Vec<String> = hooks.last().map(|hook| hook.name.clone()).into_iter().collect();
        all.extend(hooks);
        let first_run = self.first_run(notes).map(|first_run| Service { settled: settled.clone(), ..first_run });
        if !self.rescue {
            for (name, wanted) in &self.config.services {
                let service = self.service(name, wanted, notes);
                all.extend(service.map(|service| Service { settled: settled.clone(), ..service }));
            }
        }
        let settled = match &first_run {
            Some(first_run) if self.config.first_run.blocks_app => vec![first_run.name.clone()],
            _ => settled,
        };
        all.extend(first_run);
        match main_command(&self.facts.main, &self.own_environment(), self.config.base_entrypoint) {
            Some(main) => all.push(Service { settled, settings: self.settings(), ..main }),
            None if !self.rescue => {
                all.extend(self.app(notes).map(|app| Service { settled, ..app }));
                all.extend(self.page());
            }
            None => {}
        }
        if self.config.greeting.enabled && self.facts.main.is_empty() {
            let settled = ssh.map(|_| SSHD.to_owned()).into_iter().collect();
            all.push(Service { settled, ..self.own("greeting", &["greet", "--boot"]) });
        }
        all
    }

    /// A run of this very program.
    fn own(&self, name: &str, arguments: &[&str]) -> Service {
        let program = self.facts.program.to_string_lossy().into_owned();
        let command = std::iter::once(program).chain(arguments.iter().map(ToString::to_string)).collect();
        service(name, Kind::Oneshot, command, self.environment)
    }

    /// It makes the plan again, so it sees what the boot saw: the variables that hold keys, and the same config.
    fn fetch_keys(&self) -> Service {
        self.like_the_boot(self.own("fetch-keys", &["internal", "fetch-keys"]))
    }

    /// It makes the plan again as well.
    fn first_run(&self, notes: &mut Vec<Note>) -> Option<Service> {
        let wanted = &self.config.first_run;
        if self.rescue || wanted.steps.is_empty() {
            return None;
        }
        if !self.facts.main.is_empty() && !wanted.blocks_app {
            // A container for one command should not begin to download.
            notes.push(Note::info(
                "the first run is left out beside a main command: begin it with `devinit first-run`, or set \
                 first_run.blocks_app",
            ));
            return None;
        }
        let first_run = self.like_the_boot(self.own(FIRST_RUN, &["first-run", "--boot"]));
        Some(Service { stop_timeout: STOP_FIRST_RUN, ..first_run })
    }

    /// With the config and the whole environment that the boot has.
    fn like_the_boot(&self, mut service: Service) -> Service {
        if let Some(config) = &self.facts.config {
            service.command.extend(["--config".to_owned(), config.to_string_lossy().into_owned()]);
        }
        service.environment.clone_from(&self.facts.environment);
        service
    }

    fn sshd(&self, ssh: &Ssh) -> Service {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut command = vec![text(&ssh.program), "-D".to_owned(), "-f".to_owned(), text(&ssh.config)];
        match &ssh.log {
            Some(log) => command.extend(["-E".to_owned(), text(log)]),
            None => command.push("-e".to_owned()),
        }
        let path = self.environment.get("PATH").map(|path| ("PATH".to_owned(), path.clone()));
        Service {
            environment: path.into_iter().collect(),
            restart: Restart::Always,
            // Whoever pays for the box must be able to get in: never given up.
            backoff: NEVER_GIVEN_UP,
            stop_order: STOP_SSHD,
            ready: Some(Readiness { by: By::Probe(Probe::Path(ssh.wanted.pid_file.clone())), timeout: None }),
            ..service(SSHD, Kind::Daemon, command, &BTreeMap::new())
        }
    }

    /// The hooks, each after the one before has ended, well or not.
    fn hooks(&self) -> Vec<Service> {
        let mut hooks: Vec<Service> = Vec::new();
        for (number, command) in (1..).zip(&self.config.hooks.on_boot) {
            let settled = hooks.last().map(|hook| hook.name.clone()).into_iter().collect();
            let name = format!("on-boot-{number}");
            hooks.push(Service { settled, ..service(&name, Kind::Oneshot, argv(command), self.environment) });
        }
        hooks
    }

    fn service(&self, name: &str, wanted: &model::Service, notes: &mut Vec<Note>) -> Option<Service> {
        let base = service(name, Kind::Daemon, argv(wanted.command.as_ref()?), self.environment);
        self.as_user(
            Service {
                directory: wanted.directory.clone(),
                after: wanted.after.clone(),
                restart: restart(wanted.restart),
                ready: wanted.ready.as_ref().and_then(readiness),
                stop_signal: stop_signal(&wanted.stop),
                stop_timeout: wanted.stop.timeout.unwrap_or(STOP_TIMEOUT),
                ..base
            },
            wanted.user.as_deref(),
            &wanted.environment,
            notes,
        )
    }

    fn app(&self, notes: &mut Vec<Note>) -> Option<Service> {
        let app = self.config.app.as_ref()?;
        let command = chained(argv(app.command.as_ref()?), self.config.base_entrypoint);
        let policy = app.policy.unwrap_or(if app.page { model::Policy::Degraded } else { model::Policy::Critical });
        let usual = Readiness { by: By::Probe(Probe::Tcp(app.port.0)), timeout: None };
        self.as_user(
            Service {
                directory: app.directory.clone(),
                after: app.after.clone(),
                restart: restart(app.restart),
                ready: Some(app.ready.as_ref().and_then(readiness).unwrap_or(usual)),
                gets_signals: true,
                stop_order: STOP_APP,
                stop_signal: stop_signal(&app.stop),
                stop_timeout: app.stop.timeout.unwrap_or(STOP_TIMEOUT),
                critical: policy == model::Policy::Critical,
                ..service(APP, Kind::Daemon, command, self.environment)
            },
            app.user.as_deref(),
            &app.environment,
            notes,
        )
    }

    /// The status page, which fills in for the app.
    fn page(&self) -> Option<Service> {
        let app = self.config.app.as_ref().filter(|app| app.page)?;
        let mut page = self.own("page", &["internal", "page", "--port", &app.port.0.to_string()]);
        if let Some(address) = app.page_address {
            page.command.extend(["--address".to_owned(), address.to_string()]);
        }
        // It is open to the world, so it knows nothing that it could give away.
        page.environment = BTreeMap::new();
        page.directory = Some(PathBuf::from("/"));
        page.identity = self.facts.root.then_some(NOBODY);
        page.kind = Kind::Daemon;
        page.restart = Restart::Always;
        page.backoff = NEVER_GIVEN_UP;
        page.stop_order = STOP_APP;
        page.stands_in_for = Some(APP.to_owned());
        Some(page)
    }

    /// Makes a service run as a user, with that user's HOME, and with its own variables over all others. Nothing is
    /// started as the wrong user: where the right one cannot be had, there is a note and no service.
    fn as_user(
        &self,
        mut service: Service,
        user: Option<&str>,
        variables: &BTreeMap<String, String>,
        notes: &mut Vec<Note>,
    ) -> Option<Service> {
        service.settings = self.settings();
        match user.map(|user| self.identify(user)) {
            None => service.environment = self.own_environment(),
            Some(Ok((identity, of_user))) => {
                service.environment = self.with_tools(identity.uid);
                service.identity = self.facts.root.then_some(identity);
                service.environment.extend(of_user);
            }
            Some(Err(why)) => {
                notes.push(Note::error(format!("{} is not started: {why}", service.name)));
                return None;
            }
        }
        service.environment.extend(variables.clone());
        Some(service)
    }

    /// What every process of the user's begins with.
    fn settings(&self) -> Settings {
        Settings { umask: self.facts.umask, ..Settings::default() }
    }

    /// The environment of what runs as devinit itself does.
    fn own_environment(&self) -> BTreeMap<String, String> {
        self.with_tools(self.facts.uid)
    }

    /// The environment, with the tools of the user of this id, if any, in front of PATH.
    fn with_tools(&self, uid: u32) -> BTreeMap<String, String> {
        let mut environment = self.environment.clone();
        let passwd = self.database.passwd.as_deref().unwrap_or_default();
        let own = |name: &str| lookup(passwd, name).is_some_and(|entry| entry.uid == uid);
        if let Some((_, folders)) = self.tools.iter().find(|(name, _)| own(name)) {
            environment.insert("PATH".to_owned(), first_run::path(folders, self.environment));
        }
        environment
    }

    fn identify(&self, user: &str) -> Result<(Identity, [(String, String); 4]), String> {
        let passwd = self.database.passwd.as_deref().unwrap_or_default();
        let Some(entry) = lookup(passwd, user) else {
            let uid: u32 = user.parse().map_err(|_| format!("there is no user {user}; add it to users"))?;
            // A number without an account is fine: as in `docker run --user`.
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let variables = [pair("HOME", "/"), pair("USER", user), pair("LOGNAME", user), pair("SHELL", "/bin/sh")];
            return Ok((Identity { uid, gid: uid, groups: vec![uid] }, variables));
        };
        if !self.facts.root && entry.uid != self.facts.uid {
            return Err(format!("devinit runs as uid {} and cannot become {user}", self.facts.uid));
        }
        let groups = groups_of(self.database.group.as_deref().unwrap_or_default(), &entry.name, entry.gid);
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let variables = [
            pair("HOME", entry.home.to_string_lossy().into_owned()),
            pair("USER", entry.name.clone()),
            pair("LOGNAME", entry.name.clone()),
            pair("SHELL", entry.shell.to_string_lossy().into_owned()),
        ];
        Ok((Identity { uid: entry.uid, gid: entry.gid, groups }, variables))
    }
}

fn argv(command: &model::Command) -> Vec<String> {
    match command {
        model::Command::Argv(words) => words.clone(),
        model::Command::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
    }
}

fn restart(wanted: model::Restart) -> Restart {
    match wanted {
        model::Restart::Never => Restart::Never,
        model::Restart::OnFailure => Restart::OnFailure,
        model::Restart::Always => Restart::Always,
    }
}

/// The check has seen to it that the name is known.
fn stop_signal(stop: &model::Stop) -> i32 {
    stop.signal.as_deref().and_then(signal_number).unwrap_or(SIGTERM)
}

/// The check has seen to it that there is exactly one.
fn readiness(ready: &model::Ready) -> Option<Readiness> {
    let probe = match ready {
        model::Ready { http: Some(url), .. } => Probe::Http(Http { url: url.clone(), ..Http::default() }),
        model::Ready { tcp: Some(port), .. } => Probe::Tcp(*port),
        model::Ready { path: Some(path), .. } => Probe::Path(path.clone()),
        model::Ready { command: Some(command), .. } => Probe::Command(argv(command)),
        _ => return None,
    };
    Some(Readiness { by: By::Probe(probe), timeout: ready.timeout })
}
