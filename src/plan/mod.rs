//! What a boot will do, fully resolved: which accounts and files, which processes in which order with which probe.
//!
//! `devinit plan` prints a [`Plan`], the boot carries it out ([`crate::prepare::carry_out`]): one path, so that the dry
//! run cannot differ from the boot.

mod facts;
mod first_run;
mod gpu;
mod print;
mod revision;
mod services;
mod users;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use facts::Facts;
pub use first_run::{FirstRun, Tools};
pub use gpu::{fault as gpu_fault, with_gpu_off};
pub use print::{json, text};
pub use revision::revision;
pub use services::{APP, DEFAULT, FIRST_RUN, MAIN, Obstacle, SSHD, VARIABLES, asked_for, has_app, main_command};
pub use users::User;

use crate::config::Loaded;
use crate::engine::spec::Spec;
use crate::note::{Level, Note};
use crate::prepare::accounts::{self, Defaults, Outcome, Wanted};
use crate::prepare::sshd::{self, SshdWanted};
use crate::prepare::{environment, keys};
use crate::status::{BootRecord, SshRecord, UserRecord};
use crate::{config, job, paths};

/// What a boot will do.
pub struct Plan {
    /// Where this boot's state goes, if there is such a place.
    pub runtime: Option<PathBuf>,
    /// Accounts as they are wanted; empty where they cannot be written.
    pub wanted: Vec<Wanted>,
    /// For accounts that say nothing of these.
    pub defaults: Defaults,
    /// /etc/passwd as it will be.
    pub passwd: Vec<u8>,
    /// A line for each change of an account.
    pub changes: Vec<String>,
    /// The users and their keys.
    pub users: Vec<User>,
    /// The folder that the authorized keys go to.
    pub keys_folder: Option<PathBuf>,
    /// Whether key files of users that the config no longer has are removed.
    pub remove_stale_keys: bool,
    /// sshd, if it runs.
    pub ssh: Option<Ssh>,
    /// What login shells read; none where it cannot be written.
    pub profile: Option<Profile>,
    /// The first run, if there is anything for it to do.
    pub first_run: Option<FirstRun>,
    /// PATH in the sessions of users that have tools of their own.
    pub paths: BTreeMap<String, String>,
    /// The processes.
    pub spec: Spec,
    /// What `status`, `health` and the greeting tell.
    pub record: BootRecord,
    /// Why the entrypoint that was asked for is not among the processes.
    pub obstacle: Option<Obstacle>,
}

impl Plan {
    /// Whether there is a main command.
    #[must_use]
    pub fn has_main(&self) -> bool {
        self.spec.services.iter().any(|service| service.foreground)
    }
}

/// sshd.
pub struct Ssh {
    /// The program, by its absolute path.
    pub program: PathBuf,
    /// Where its config goes.
    pub config: PathBuf,
    /// What stands in its config; the host keys are known when they are made.
    pub wanted: SshdWanted,
    /// The folder of the host keys.
    pub host_keys: PathBuf,
    /// The file that it logs to, if not to the container's output.
    pub log: Option<PathBuf>,
}

/// What SSH sessions get.
struct Sessions {
    /// Variables for everyone.
    environment: BTreeMap<String, String>,
    /// PATH by user, for those that have tools of their own.
    paths: BTreeMap<String, String>,
}

/// What login shells read.
pub struct Profile {
    /// For everyone: [`paths::PROFILE`].
    pub snippet: String,
    /// For root, with the environment: `environment.sh` in the runtime folder.
    pub environment: String,
}

/// Makes the plan. Pure but for reading what the config points at: key files, password files, the account database.
#[must_use]
pub fn resolve(loaded: &Loaded, facts: &Facts, rescue: Option<String>) -> Plan {
    let config = &loaded.config;
    let mut notes: Vec<Note> = loaded.warnings.iter().map(|problem| Note::warning(problem.one_line())).collect();
    if let Some(why) = &rescue {
        notes.push(Note::error(format!("the container is in rescue: {why}")));
    }

    let resolved = users::resolve(config, facts, rescue.is_some(), &mut notes);
    let defaults = Defaults::new(default_shell());
    let outcome = predict(&resolved.wanted, &defaults, facts, &mut notes);
    let users = users::with_accounts(&resolved.users, &outcome, facts);

    let gpu = gpu::resolve(config, &facts.gpu, &facts.environment, &mut notes);
    let mut merged = environment::merge(&facts.environment, &config.environment, &config.path);
    gpu.set(&mut merged);
    let for_services = environment::for_services(&merged, &resolved.secrets);
    let to_install = first_run::resolve(config, facts, &for_services, &outcome.database, &mut notes);
    let shared = to_install.as_ref().map(|resolved| first_run::shared(resolved, &for_services)).unwrap_or_default();
    let merged = environment::merge(&merged, &BTreeMap::new(), &[config.path.as_slice(), &shared].concat());
    let for_services = environment::for_services(&merged, &resolved.secrets);
    let denied = [config.ssh.environment.deny.as_slice(), &resolved.secrets].concat();
    let for_sessions = environment::for_sessions(&merged, &denied);

    let tools = to_install.as_ref().map(first_run::tools).unwrap_or_default();
    let sessions = Sessions { paths: first_run::paths(&tools, &for_sessions), environment: for_sessions };
    let first_run = to_install.filter(|_| rescue.is_none());
    let first_run = first_run.map(|resolved| FirstRun::new(&resolved, facts, &outcome.database, &users));

    let (main, mut obstacle) = match services::choose(config, facts) {
        Ok(main) => (main, None),
        // What keeps it from running is told already, and only SSH is started.
        Err(_) if rescue.is_some() => (services::Main::None, None),
        Err(obstacle) => (services::Main::Nothing, Some(obstacle)),
    };
    let mut ssh = plan_ssh(config, facts, &resolved, &sessions, &users, &mut notes);
    if main.is_some() {
        // Beside a main command it would write into the output of that.
        let log = PathBuf::from(paths::LOGS).join("sshd.log");
        ssh = ssh.map(|ssh| Ssh { log: Some(log), ..ssh });
    }
    if rescue.is_some() {
        // Nothing that the image sets, such as AllowUsers, may keep out who comes to mend it.
        ssh = ssh.map(|ssh| Ssh { wanted: SshdWanted { image: sshd::ImageConfig::default(), ..ssh.wanted }, ..ssh });
    }
    let home_tools = first_run::home_tools(&tools, &outcome.database);
    let profile = plan_profile(config, facts, &sessions.environment, home_tools, gpu, &mut notes);
    let ground = services::Ground {
        config,
        facts,
        database: &outcome.database,
        environment: &for_services,
        tools: &tools,
        rescue: rescue.is_some(),
        main,
    };
    let local_keys = || users.iter().flat_map(|user| &user.keys).map(keys::Key::summary).collect::<String>();
    let fetch_keys = (ssh.is_some() && users.iter().any(|user| !user.remote.is_empty())).then(local_keys);
    let (mut services, failed) = ground.services(ssh.as_ref(), fetch_keys, &mut notes);
    obstacle = obstacle.or(failed);
    gpu.set_for(&mut services);

    let record = BootRecord {
        rescue,
        config: loaded.files.clone(),
        users: users.iter().map(User::record).collect(),
        ssh: ssh.as_ref().map(|ssh| SshRecord { port: ssh.wanted.port, host_keys: Vec::new() }),
        app_port: config.app.as_ref().map_or_else(|| config::model::AppPort::default().0, |app| app.port.0),
        app: services.iter().any(|service| [APP, MAIN].contains(&service.name.as_str())),
        greeting: config.greeting.text.clone(),
        greeting_enabled: config.greeting.enabled,
        jobs: job::place::at_boot(&config.jobs, &facts.environment),
        entrypoint: main.name().filter(|_| obstacle.is_none()),
        gpu: facts.known_gpus.clone(),
        notes,
    };
    Plan {
        runtime: facts.runtime.clone(),
        wanted: if facts.accounts_writable() { resolved.wanted } else { Vec::new() },
        defaults,
        changes: outcome.changes,
        users,
        keys_folder: facts.keys_folder().filter(|_| ssh.is_some()),
        remove_stale_keys: record.rescue.is_none(),
        passwd: outcome.database.passwd.unwrap_or_default(),
        ssh,
        profile,
        first_run,
        paths: sessions.paths,
        spec: Spec { services, shutdown: config.shutdown.timeout },
        record,
        obstacle,
    }
}

/// What the accounts will be, as far as they can be written.
fn predict(wanted: &[Wanted], defaults: &Defaults, facts: &Facts, notes: &mut Vec<Note>) -> Outcome {
    let mut outcome = accounts::reconcile(&facts.database, wanted, defaults);
    if facts.accounts_writable() {
        notes.append(&mut outcome.notes);
        return outcome;
    }
    if !outcome.changes.is_empty() {
        let why = if facts.root { "/etc cannot be written to" } else { "devinit does not run as root" };
        notes.push(Note::warning(format!("users are left as the image has them: {why}")));
    }
    let passwd = facts.database.passwd.as_deref().unwrap_or_default();
    let group = facts.database.group.as_deref().unwrap_or_default();
    let existing = wanted.iter().filter_map(|wanted| accounts::lookup(passwd, &wanted.name)).map(|entry| {
        let groups = accounts::groups_of(group, &entry.name, entry.gid);
        let accounts::Entry { name, uid, gid, home, shell } = entry;
        accounts::Account { name, uid, gid, home, shell, groups, created: false }
    });
    Outcome { database: facts.database.clone(), accounts: existing.collect(), ..Outcome::default() }
}

fn plan_ssh(
    config: &config::Config,
    facts: &Facts,
    resolved: &users::Resolved,
    sessions: &Sessions,
    users: &[User],
    notes: &mut Vec<Note>,
) -> Option<Ssh> {
    if !config.ssh.enabled {
        return None;
    }
    let leave_out = |why: String| Note::warning(format!("no SSH: {why}"));
    let Some(program) = facts.sshd.clone() else {
        notes.push(leave_out("there is no sshd in this image; install openssh-server".to_owned()));
        return None;
    };
    let (Some(runtime), Some(keys_folder)) = (facts.runtime.clone(), facts.keys_folder()) else {
        notes.push(leave_out(format!("neither {} nor /tmp can be written to; add --tmpfs /run", paths::RUNTIME)));
        return None;
    };
    if facts.root
        && let Some(note) = sshd::capabilities_note(facts.capabilities)
    {
        let usable = note.level < Level::Error;
        notes.push(note);
        if !usable {
            return None;
        }
    }
    if !facts.root {
        if !users.iter().any(|user| user.account.uid == facts.uid) {
            notes.push(leave_out(format!("uid {} has no entry in /etc/passwd, so nobody could log in", facts.uid)));
            return None;
        }
        notes.push(Note::warning(format!("SSH as uid {} only: devinit does not run as root", facts.uid)));
    }
    if users.iter().all(|user| user.keys.is_empty() && user.remote.is_empty()) && !config.ssh.password_authentication {
        notes.push(Note::warning(
            "nobody can log in over SSH yet: there is no key; set PUBLIC_KEY or users.NAME.authorized_keys",
        ));
    }
    // Starting sshd for its version costs milliseconds, so only where something depends on it.
    let Sessions { environment, paths } = sessions;
    let plain = ![environment, paths].into_iter().any(sshd::needs_escapes);
    let escapes = plain || sshd::understands_escapes(&program);
    notes.extend(sshd::left_out(environment, escapes));
    for user in paths.keys().filter(|user| !sshd::is_matchable(user)) {
        let text = format!("the tools of {user:?} are not on PATH over SSH: sshd's config cannot hold such a name");
        notes.push(Note::warning(text));
    }
    let mut image = sshd::read_image_config(Path::new("/etc/ssh/sshd_config"));
    notes.append(&mut image.notes);
    Some(Ssh {
        program,
        config: runtime.join("sshd_config"),
        wanted: SshdWanted {
            port: config.ssh.port,
            listen: config.ssh.listen.clone(),
            ipv6: facts.ipv6,
            strict_modes: !keys_folder.starts_with("/tmp"),
            // Where sshd does not look at modes, one user may have written another one's.
            home_keys: !facts.root || !keys_folder.starts_with("/tmp"),
            pid_file: runtime.join("sshd.pid"),
            host_keys: Vec::new(),
            keys_folder,
            permit_root_login: config.ssh.permit_root_login,
            password_authentication: resolved.password_authentication.unwrap_or(config.ssh.password_authentication),
            use_pam: config.ssh.use_pam,
            x11_forwarding: config.ssh.x11_forwarding,
            environment: environment.clone(),
            paths: paths.clone(),
            escapes,
            image,
        },
        host_keys: config.ssh.host_keys.clone(),
        log: None,
    })
}

fn plan_profile(
    config: &config::Config,
    facts: &Facts,
    environment: &BTreeMap<String, String>,
    tools: Vec<environment::HomeTools>,
    gpu: gpu::Switch,
    notes: &mut Vec<Note>,
) -> Option<Profile> {
    let runtime = facts.runtime.as_ref()?;
    if !facts.root || !facts.etc_writable {
        notes.push(Note::warning(format!("login shells may lack PATH: {} cannot be written", paths::PROFILE)));
        return None;
    }
    let snippet = environment::profile_snippet(&environment::Profile {
        path: environment.get("PATH").cloned().unwrap_or_default(),
        tools,
        devinit: facts.program.clone(),
        root_snippet: runtime.join(paths::ENVIRONMENT),
        greeting: config.greeting.enabled,
        on_login: config.hooks.on_login.clone(),
    });
    let snippet = format!("{}{snippet}", gpu.in_shells());
    Some(Profile { snippet, environment: environment::root_snippet(environment) })
}

fn default_shell() -> PathBuf {
    let bash = PathBuf::from("/bin/bash");
    if bash.exists() { bash } else { PathBuf::from("/bin/sh") }
}

#[cfg(test)]
pub(crate) mod tests;

impl User {
    /// What `status` tells of it.
    #[must_use]
    pub fn record(&self) -> UserRecord {
        UserRecord {
            name: self.account.name.clone(),
            uid: self.account.uid,
            gid: self.account.gid,
            home: self.account.home.clone(),
            keys: self.keys.iter().map(keys::Key::summary).collect(),
        }
    }
}
