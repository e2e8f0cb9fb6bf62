//! The processes of the plan: what runs, as whom, in which order, with which probe.

mod arguments;
mod configured;
mod entrypoint;
mod identity;
mod log;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::first_run::Tools;
use super::revision::{revision, section};
use super::{Facts, Ssh};
use crate::config::capabilities;
use crate::config::model::{self, BaseEntrypoint, Config};
use crate::engine::spec::{Backoff, By, Identity, Kind, Log, LogFile, Readiness, Restart, Service, Settings};
use crate::note::Note;
use crate::paths;
use crate::prepare::accounts::Database;
use crate::probe::Probe;

pub use entrypoint::{DEFAULT, Main, Obstacle, VARIABLES, asked_for, choose, has_app};

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
/// How long a hook may run: one that hangs does not hold up the app for ever.
const HOOK_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Where these are in the order of stopping: the app first, sshd last.
const STOP_APP: u8 = 0;
const STOP_SERVICES: u8 = 1;
const STOP_SSHD: u8 = 2;
const SIGHUP: i32 = 1;
/// The capability without which no other can be dropped for good.
const CAP_SETPCAP: u64 = 1 << 8;
/// For what has to come again whatever happens.
const NEVER_GIVEN_UP: Backoff = Backoff { give_up_after: None, ..Backoff::USUAL };
/// The user that the status page is served as: nobody, as every distribution has it.
const NOBODY: Identity = Identity { uid: 65534, gid: 65534, groups: Vec::new() };

fn service(name: &str, kind: Kind, command: Vec<String>, environment: &BTreeMap<String, String>) -> Service {
    Service {
        environment: environment.clone(),
        stop_order: STOP_SERVICES,
        log: Some(log::RAW),
        ..Service::new(name, kind, command)
    }
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
        // Its output is the terminal, or a pipe of whoever started the container: nothing stands between.
        log: None,
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
    /// What the main command is.
    pub main: Main<'a>,
}

impl Ground<'_> {
    /// All processes, in the order of the plan; and what keeps the main command from being one of them.
    pub fn services(
        &self,
        ssh: Option<&Ssh>,
        fetch_keys: Option<String>,
        notes: &mut Vec<Note>,
    ) -> (Vec<Service>, Option<Obstacle>) {
        let mut all = Vec::new();
        all.extend(ssh.map(|ssh| self.sshd(ssh)));
        if let Some(local_keys) = fetch_keys {
            all.push(self.fetch_keys(&local_keys));
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
        let (main, obstacle) = self.main().map_or_else(|obstacle| (None, Some(obstacle)), |main| (main, None));
        if let Some(main) = main {
            all.push(Service { settled, ..main });
        } else if !self.main.is_some() && !self.rescue {
            all.extend(self.app(notes).map(|app| Service { settled, ..app }));
            all.extend(self.page());
        }
        if self.config.greeting.enabled && !self.main.is_some() {
            let settled = ssh.map(|_| SSHD.to_owned()).into_iter().collect();
            all.push(Service { settled, boot_only: true, ..self.own("greeting", &["greet", "--boot"]) });
        }
        (all, obstacle)
    }

    /// A run of this very program.
    fn own(&self, name: &str, arguments: &[&str]) -> Service {
        service(name, Kind::Oneshot, self.program(arguments), self.environment)
    }

    /// This very program with these arguments.
    fn program(&self, arguments: &[&str]) -> Vec<String> {
        let program = self.facts.program.to_string_lossy().into_owned();
        std::iter::once(program).chain(arguments.iter().map(ToString::to_string)).collect()
    }

    /// It makes the plan again, so it sees what the boot saw: the variables that hold keys, and the same config.
    /// It writes the keys that are known already along with those that it fetches.
    fn fetch_keys(&self, local_keys: &str) -> Service {
        let users = self.config.users.iter().map(|(name, user)| (name, &user.authorized_keys)).collect::<Vec<_>>();
        let fetch_keys = self.like_the_boot(self.own("fetch-keys", &["internal", "fetch-keys"]));
        Service { revision: revision(&[&section(&users), local_keys.as_bytes()]), ..fetch_keys }
    }

    /// It makes the plan again as well.
    fn first_run(&self, notes: &mut Vec<Note>) -> Option<Service> {
        let wanted = &self.config.first_run;
        if self.rescue || wanted.steps.is_empty() {
            return None;
        }
        if self.main.is_some() && !wanted.blocks_app {
            // A container for one command should not begin to download.
            notes.push(Note::info(
                "the first run is left out beside a main command: begin it with `devinit first-run`, or set \
                 first_run.blocks_app",
            ));
            return None;
        }
        let first_run = self.like_the_boot(self.own(FIRST_RUN, &["first-run", "--boot"]));
        // A new password or key is no reason to look through the steps again.
        let who =
            |(name, user): (_, &model::User)| (name, user.uid, user.gid, user.home.clone(), user.uid_from.clone());
        let users: Vec<_> = self.config.users.iter().map(who).collect();
        let Config { proxy, environment, path, .. } = self.config;
        let sections = [section(wanted), section(proxy), section(environment), section(path), section(&users)];
        let revision = revision(&sections.each_ref().map(Vec::as_slice));
        Some(Service { stop_timeout: STOP_FIRST_RUN, revision, ..first_run })
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
        let command = ["-D", "-e", "-f"].map(str::to_owned);
        let command = std::iter::once(text(&ssh.program)).chain(command).chain([text(&ssh.config)]).collect();
        let file = ssh.log.as_ref().map(|path| LogFile { path: path.clone(), ..log::usual_file(SSHD) });
        let log = file.map_or(log::RAW, |file| Log { output: None, file: Some(file) });
        let path = self.environment.get("PATH").map(|path| ("PATH".to_owned(), path.clone()));
        Service {
            environment: path.into_iter().collect(),
            restart: Restart::Always,
            // Whoever pays for the box must be able to get in: never given up.
            backoff: NEVER_GIVEN_UP,
            stop_order: STOP_SSHD,
            ready: Some(Readiness { by: By::Probe(Probe::Path(ssh.wanted.pid_file.clone())), timeout: None }),
            log: Some(log),
            // Sessions live on: sshd reads its config again. What changes is known when that is written.
            reload_signal: Some(SIGHUP),
            ..service(SSHD, Kind::Daemon, command, &BTreeMap::new())
        }
    }

    /// The hooks, each after the one before has ended, well or not, or has taken too long.
    fn hooks(&self) -> Vec<Service> {
        let mut hooks: Vec<Service> = Vec::new();
        for (number, command) in (1..).zip(&self.config.hooks.on_boot) {
            let settled = hooks.last().map(|hook| hook.name.clone()).into_iter().collect();
            let name = format!("on-boot-{number}");
            let hook = service(&name, Kind::Oneshot, argv(command), self.environment);
            hooks.push(Service { settled, run_limit: Some(HOOK_LIMIT), boot_only: true, ..hook });
        }
        hooks
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
        page.settings.no_new_privileges = true;
        if self.facts.root && self.facts.capabilities & CAP_SETPCAP != 0 {
            page.settings.dropped_capabilities = capabilities::ALL.collect();
        }
        page.kind = Kind::Daemon;
        page.restart = Restart::Always;
        page.backoff = NEVER_GIVEN_UP;
        page.stop_order = STOP_APP;
        page.stands_in_for = Some(APP.to_owned());
        Some(page)
    }

    /// What every process of the user's begins with.
    fn settings(&self) -> Settings {
        Settings { umask: self.facts.umask, ..Settings::default() }
    }
}

fn argv(command: &model::Command) -> Vec<String> {
    match command {
        model::Command::Argv(words) => words.clone(),
        model::Command::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
    }
}
