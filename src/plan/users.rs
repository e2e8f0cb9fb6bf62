//! The users of the plan: the config's, the variables', and who may log in as whom.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::Facts;
use crate::config::Config;
use crate::config::model::{self, KeyPlace, KeySource};
use crate::note::Note;
use crate::prepare::accounts::{Account, Outcome, PasswordWanted, Wanted, lookup};
use crate::prepare::environment::users_from_environment;
use crate::prepare::keys::{self, Key};

/// A user and who may log in as it.
#[derive(Clone, Debug)]
pub struct User {
    /// The account.
    pub account: Account,
    /// The keys that open it.
    pub keys: Vec<Key>,
    /// Where more keys are fetched from once sshd is up.
    pub remote: Vec<String>,
    /// Whether it may use sudo.
    pub sudo: bool,
}

/// The users before their accounts are known.
pub struct Resolved {
    pub wanted: Vec<Wanted>,
    pub users: Vec<Pending>,
    /// Variables that held a password or a key and are passed on to nothing.
    pub secrets: Vec<String>,
    /// What PASSWORD_ACCESS says.
    pub password_authentication: Option<bool>,
}

/// A user whose account is not known yet.
pub struct Pending {
    name: String,
    keys: Vec<Key>,
    remote: Vec<String>,
    sudo: bool,
}

/// The longest password file, in bytes.
const LONGEST_PASSWORD: u64 = 4096;

/// Works out who is wanted.
pub fn resolve(config: &Config, facts: &Facts, rescue: bool, notes: &mut Vec<Note>) -> Resolved {
    let mut secrets = Vec::new();
    let mut users = config.users.clone();
    let names: Vec<String> = config.users.keys().cloned().collect();
    let from_environment = users_from_environment(&facts.environment, &names);
    notes.extend(from_environment.notes);
    for (name, variables) in from_environment.users {
        let user = users.entry(name).or_default();
        user.uid = variables.uid.or(user.uid);
        user.gid = variables.gid.or(user.gid);
        user.sudo = variables.sudo.unwrap_or(user.sudo);
        user.password = variables.password.or(user.password.take());
    }
    if users.is_empty() || rescue {
        users.entry(own_name(facts).unwrap_or_else(|| "root".to_owned())).or_default();
    }

    let conventional = keys::conventional(&facts.environment);
    let mut conventional_used = conventional.is_empty();
    let mut wanted = Vec::new();
    let mut pending = Vec::new();
    for (name, user) in &users {
        let sources = user.authorized_keys.as_ref().unwrap_or(&conventional);
        conventional_used |=
            user.authorized_keys.is_none() || sources.iter().any(|source| conventional.contains(source));
        secrets.extend(sources.iter().filter_map(|source| match source {
            KeySource::From(KeyPlace::Env(variable)) => Some(variable.clone()),
            _ => None,
        }));
        if let Some(model::Password::Env(variable)) = &user.password {
            secrets.push(variable.clone());
        }
        let mut collected = keys::collect(sources, &facts.environment);
        notes.append(&mut collected.notes);
        if rescue && let Some(folder) = facts.keys_folder() {
            // What the last good boot let in is let in again.
            let kept = fs::read_to_string(folder.join(name)).unwrap_or_default();
            keys::add(&mut collected.keys, keys::parse(&kept, "the keys of an earlier boot").keys);
        }
        let (uid, gid) = ids(name, user, notes);
        wanted.push(Wanted {
            name: name.clone(),
            uid,
            gid,
            shell: user.shell.clone(),
            home: user.home.clone(),
            groups: user.groups.clone(),
            password: user.password.as_ref().and_then(|source| password(name, source, facts, notes)),
            on_collision: user.on_collision,
        });
        if user.sudo && !facts.sudo {
            notes.push(Note::warning(format!("{name} may use sudo, but the image has none; install sudo")));
        }
        if user.sudo && facts.sudo && facts.no_new_privileges {
            notes.push(Note::warning(format!(
                "sudo will not work for {name}: the container runs with no-new-privileges, so nobody gains any"
            )));
        }
        pending.push(Pending { name: name.clone(), keys: collected.keys, remote: collected.remote, sudo: user.sudo });
    }
    if !conventional_used {
        notes.push(Note::warning(
            "PUBLIC_KEY (or one of its kin) is set, but no user of the config takes keys from it; \
             add {env: PUBLIC_KEY} to users.NAME.authorized_keys",
        ));
    }
    Resolved { wanted, users: pending, secrets, password_authentication: from_environment.password_authentication }
}

/// Puts users and accounts together. A user whose account could not be had is left out; a note says why.
pub fn with_accounts(pending: &[Pending], outcome: &Outcome, facts: &Facts) -> Vec<User> {
    pending
        .iter()
        .filter_map(|Pending { name, keys, remote, sudo }| {
            let account = outcome.accounts.iter().find(|account| account.name == *name)?.clone();
            Some(User { account, keys: keys.clone(), remote: remote.clone(), sudo: *sudo && facts.sudo })
        })
        .collect()
}

/// Who devinit runs as, where that is not root: nobody else could be logged in to.
fn own_name(facts: &Facts) -> Option<String> {
    let passwd = facts.database.passwd.as_deref().unwrap_or_default();
    if facts.root { None } else { lookup(passwd, &facts.uid.to_string()).map(|entry| entry.name) }
}

fn ids(name: &str, user: &model::User, notes: &mut Vec<Note>) -> (Option<u32>, Option<u32>) {
    let Some(folder) = &user.uid_from else { return (user.uid, user.gid) };
    match fs::metadata(folder) {
        Ok(found) if found.uid() != 0 => (Some(found.uid()), Some(found.gid())),
        Ok(_) => {
            let why = "it belongs to root";
            notes.push(Note::info(format!("{name} does not take its uid from {}: {why}", folder.display())));
            (user.uid, user.gid)
        }
        Err(error) => {
            notes.push(Note::warning(format!("{name} cannot take its uid from {}: {error}", folder.display())));
            (user.uid, user.gid)
        }
    }
}

fn password(name: &str, source: &model::Password, facts: &Facts, notes: &mut Vec<Note>) -> Option<PasswordWanted> {
    let (text, place) = match source {
        model::Password::Hash(hash) => return Some(PasswordWanted::Hash(hash.clone())),
        model::Password::Text(text) => (text.clone(), "the config".to_owned()),
        model::Password::Env(variable) => match facts.environment.get(variable) {
            Some(text) => (text.clone(), variable.clone()),
            None => {
                notes.push(Note::error(format!("{name} has no password: {variable} is not set")));
                return None;
            }
        },
        model::Password::File(path) => match read_password(path) {
            Ok(text) => (text, path.display().to_string()),
            Err(error) => {
                notes.push(Note::error(format!("{name} has no password: cannot read {}: {error}", path.display())));
                return None;
            }
        },
    };
    if text.is_empty() {
        notes.push(Note::error(format!("{name} has no password: {place} is empty")));
        return None;
    }
    Some(PasswordWanted::Text(text))
}

fn read_password(path: &Path) -> std::io::Result<String> {
    // A FIFO in place of the file must not make the boot wait.
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(LONGEST_PASSWORD).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
