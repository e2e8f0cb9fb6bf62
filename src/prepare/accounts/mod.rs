//! User accounts: what the config asks for, worked into passwd, shadow, group and gshadow.
//!
//! [`reconcile()`] decides over the bytes of the files and touches nothing; [`apply`] locks, reads, and writes what
//! changed. Neither needs useradd, NSS or a shadow file in the image, and a second boot changes no byte.

mod files;
mod lock;
mod reconcile;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

pub use files::{Database, Entry, gid_of, groups_of, lookup};
pub use reconcile::reconcile;

use crate::config::model::OnCollision;
use crate::note::Note;
use lock::{Lock, LockError, PATIENCE};

use super::write::{Attributes, WriteError, write_if_changed};

/// A user that should exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Login name.
    pub name: String,
    /// User id. None: as it is, or the first free one from 1000.
    pub uid: Option<u32>,
    /// Primary group id. None: as it is, or the number of the uid if that is free.
    pub gid: Option<u32>,
    /// Login shell. None: as it is, or [`Defaults::shell`].
    pub shell: Option<PathBuf>,
    /// Home folder. None: as it is, or `/home/NAME`.
    pub home: Option<PathBuf>,
    /// Further groups, made where they are missing.
    pub groups: Vec<String>,
    /// Password. None: as it is, or none.
    pub password: Option<PasswordWanted>,
    /// What to do if the uid is another account's.
    pub on_collision: OnCollision,
}

/// A password that should open an account.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordWanted {
    /// A crypt(5) hash.
    Hash(String),
    /// The password itself.
    Text(String),
}

impl std::fmt::Debug for PasswordWanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hash(_) => "Hash(…)",
            Self::Text(_) => "Text(…)",
        })
    }
}

/// What a new account gets if nothing else is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Login shell.
    pub shell: PathBuf,
    /// Days since 1970-01-01, for "last change of the password".
    pub today: u64,
}

impl Defaults {
    /// With this shell, and today's date by the system clock.
    #[must_use]
    pub fn new(shell: impl Into<PathBuf>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { shell: shell.into(), today: now.as_secs() / 86_400 }
    }
}

/// A wanted user as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home folder.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
    /// All groups, the primary one first: what setgroups(2) is given.
    pub groups: Vec<u32>,
    /// Whether it was not there before.
    pub created: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The files as they are to be.
    pub database: Database,
    /// The wanted users that exist, in the order in which they were asked for.
    pub accounts: Vec<Account>,
    /// Decisions, warnings, and users that could not be had.
    pub notes: Vec<Note>,
    /// What changes, a line for each, without hashes.
    pub changes: Vec<String>,
}

/// Reads the account files of a folder (`/etc`).
///
/// # Errors
/// A file that is there and cannot be read.
pub fn read(etc: &Path) -> Result<Database> {
    let file = |name| {
        let path = etc.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
        }
    };
    Ok(Database { passwd: file("passwd")?, shadow: file("shadow")?, group: file("group")?, gshadow: file("gshadow")? })
}

/// Reads of the account files what everyone may read: enough to find accounts, where they cannot be changed anyway.
#[must_use]
pub fn read_public(etc: &Path) -> Database {
    Database {
        passwd: fs::read(etc.join("passwd")).ok(),
        group: fs::read(etc.join("group")).ok(),
        ..Database::default()
    }
}

/// Makes the wanted users be in the account files of a folder (`/etc`), under shadow-utils' locks.
///
/// If nothing is to change, nothing is locked or written. Where the files cannot be written at all (a read-only root,
/// not root) that is a note, and the accounts are those that exist.
///
/// # Errors
/// A file that cannot be read, no space, a lock that someone else holds for more than 15 s. Each file is whole then,
/// and the next run does the rest.
pub fn apply(etc: &Path, wanted: &[Wanted], defaults: &Defaults) -> Result<Outcome> {
    let seen = read_as_allowed(etc)?;
    let outcome = reconcile(&seen, wanted, defaults);
    if outcome.database == seen {
        lock::remove_stale(etc);
        return Ok(outcome);
    }
    let _lock = match Lock::take(etc, PATIENCE) {
        Ok(lock) => lock,
        Err(error @ LockError::Refused(..)) => return left_alone(etc, wanted, &error),
        Err(error) => return Err(error.into()),
    };
    // Someone may have come between: decide again over what is there now.
    let present = read(etc)?;
    let outcome = if present == seen { outcome } else { reconcile(&present, wanted, defaults) };
    match store(etc, &outcome.database, &present) {
        Ok(()) => Ok(outcome),
        Err(error) if error.is_refusal() => left_alone(etc, wanted, &error),
        Err(error) => Err(error.into()),
    }
}

/// Who may not read shadow may not write it either: the other files are enough to see who exists.
fn read_as_allowed(etc: &Path) -> Result<Database> {
    read(etc).or_else(|error| {
        let denied = error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::PermissionDenied);
        let public = read_public(etc);
        if denied && public.passwd.is_some() { Ok(public) } else { Err(error) }
    })
}

/// Writes what changed, in such an order that a killed run is simply done again: a group or an account is there only
/// when its shadow is.
fn store(etc: &Path, database: &Database, present: &Database) -> Result<(), WriteError> {
    let files = [
        ("gshadow", &database.gshadow, &present.gshadow),
        ("group", &database.group, &present.group),
        ("shadow", &database.shadow, &present.shadow),
        ("passwd", &database.passwd, &present.passwd),
    ];
    for (name, bytes, before) in files {
        if let (Some(bytes), true) = (bytes, bytes != before) {
            // A symlink stays one: it is what it points to that is replaced.
            let path = etc.join(name);
            let path = fs::canonicalize(&path).unwrap_or(path);
            write_if_changed(&path, bytes, attributes(&path))?;
        }
    }
    Ok(())
}

/// Mode and owner as they are (shadow belongs to a group of its own in Debian, to root in others).
fn attributes(path: &Path) -> Attributes {
    fs::metadata(path).map_or(Attributes::own(0o644), |file| Attributes {
        mode: file.mode() & 0o7777,
        uid: file.uid(),
        gid: file.gid(),
    })
}

/// Nothing can be written: who exists is told all the same.
fn left_alone(etc: &Path, wanted: &[Wanted], reason: &dyn std::error::Error) -> Result<Outcome> {
    let database = read_as_allowed(etc)?;
    let accounts = reconcile::accounts(&database, wanted, &[]);
    let missing: Vec<&str> =
        wanted.iter().map(|w| w.name.as_str()).filter(|name| !accounts.iter().any(|a| a.name == *name)).collect();
    let missing = if missing.is_empty() { String::new() } else { format!("; missing: {}", missing.join(", ")) };
    let note = Note::warning(format!("the accounts stay as they are: {reason}{missing}"));
    Ok(Outcome { database, accounts, notes: vec![note], changes: Vec::new() })
}

#[cfg(test)]
mod tests;
