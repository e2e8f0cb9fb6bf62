//! Records of what is done: one file for each task, beside what it installed.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Installed, Place, Task};
use crate::digest::sha256;
use crate::fetch::Failure;
use crate::fetch::failure;
use crate::prepare::write::{self, Attributes};
use crate::{secret, sorted};

/// The version of [`Record`] that is written, and the only one that is read.
const SCHEMA: u32 = 1;
/// The longest record, in bytes.
const LONGEST: usize = 64 * 1024;

/// What is kept about a task that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this structure: 1.
    pub schema: u32,
    /// The task's name.
    pub task: String,
    /// [`Task::key`] at that time.
    pub key: String,
    /// When it was done: seconds since 1970.
    pub finished: i64,
    /// How long the attempt that succeeded took, in milliseconds.
    pub took_ms: u64,
    /// What it made.
    pub installed: Installed,
    /// The boot of the machine (not of the container) that it was written in.
    pub boot: String,
    /// Whether all that it tells of is on the disk.
    pub settled: bool,
}

impl Record {
    /// A record of what was done just now, and is not known to be on the disk.
    #[must_use]
    pub fn new(task: &Task, took: Duration, installed: Installed) -> Self {
        Self {
            schema: SCHEMA,
            task: task.name.clone(),
            key: task.key(),
            finished: jiff::Timestamp::now().as_second(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            installed,
            boot: boot(),
            settled: false,
        }
    }

    /// Whether what it tells of cannot have been lost: the machine still runs that wrote it, or all is on the disk.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.settled || (!self.boot.is_empty() && self.boot == boot())
    }
}

/// Tells one boot of the machine from another. All containers of a machine see the same (proc(5)).
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// See [`Task::key`].
///
/// A task is done again when the installer would do something else, when the step's own variables change, and when it
/// is for another user or another home: programs remember where they were put. It is not done again when the uid
/// changes (a volume that is taken along to another machine), nor for another `creates`, which [`Task::is_done`] looks
/// at itself.
pub(super) fn key(task: &Task) -> String {
    let place = &task.owner.place;
    let user = (!place.system).then_some(&task.owner.account.name);
    let identity = json!({
        "schema": SCHEMA,
        "installer": task.installer.key(),
        "base": place.base.to_string_lossy(),
        "user": user,
        "environment": environment(task),
    });
    sha256(in_order(identity).to_string().as_bytes())
}

/// The step's own variables. A record may be read by everyone, and a short password could be guessed from a hash: what
/// is a secret counts by its name alone.
fn environment(task: &Task) -> BTreeMap<&str, &str> {
    let variables = task.own_environment.iter();
    sorted::map(variables.map(|(name, value)| (name.as_str(), if secret::is_by_name(name) { "" } else { value })))
}

/// With the members of each object in the order of their names, whatever order they were put in; URLs without their
/// credentials.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = sorted::map(members.into_iter().map(|(name, value)| (name, in_order(value))));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(in_order).collect()),
        Value::String(text) => Value::String(secret::without_credentials(&text)),
        value => value,
    }
}

/// Reads the record of a task from the folder of records, if there is one that can be read: a regular file of at most
/// 64 KiB, whole, of this version, about this task. Nothing else is an error; the task is done again.
#[must_use]
pub fn read(folder: &Path, task: &str) -> Option<Record> {
    let bytes = bounded(&path(folder, task)?, LONGEST)?;
    let record: Record = serde_json::from_slice(&bytes).ok()?;
    (record.schema == SCHEMA && record.task == task).then_some(record)
}

/// Writes a record so that it is whole at any moment. The folder is made if it is missing: for its user alone in a home,
/// for everyone to read below /var/lib.
///
/// Nothing waits for the disk, which on a busy machine may take seconds for each step: until [`settle`] has, the record
/// is believed for as long as the machine runs that wrote it.
///
/// A list of installed files that is too long for a record is cut: those that are left out are not looked after.
///
/// # Errors
/// Those of the disk; a task whose name cannot be a file's.
pub fn write(folder: &Path, record: &Record) -> Result<(), Failure> {
    let path = path(folder, &record.task)
        .ok_or_else(|| Failure::permanent(format!("{:?} cannot be the name of a record", record.task)))?;
    let system = folder.starts_with(Place::system().state());
    let (folder_mode, file_mode) = if system { (0o755, 0o644) } else { (0o700, 0o600) };
    DirBuilder::new()
        .recursive(true)
        .mode(folder_mode)
        .create(folder)
        .map_err(failure::io(format_args!("failed to create {}", folder.display())))?;
    write::write_among_many(&path, &bytes(record)?, Attributes::own(file_mode)).map_err(|error| {
        failure::io(format_args!("failed to write {}", error.path.display()))(io::Error::from(error.errno))
    })
}

/// Brings to the disk what records tell of, once for all of them, and says so in each. What killed runs left beside
/// them goes.
///
/// # Errors
/// Those of the disk.
pub fn settle(folder: &Path) -> Result<(), Failure> {
    write::remove_all_leftovers(folder);
    let what = || format!("failed to bring {} to the disk", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failure::io(what()))?,
    };
    let tasks =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json").map(str::to_owned));
    let fresh: Vec<Record> =
        tasks.filter_map(|task| read(folder, &task)).filter(|record| !record.settled && record.holds()).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    // What is for everyone is not below the folder of its records, which may be a volume of its own.
    let root = folder.starts_with(Place::system().state()).then(|| Path::new("/"));
    for place in [Some(folder), root].into_iter().flatten() {
        let place = fs::File::open(place).map_err(failure::io(what()))?;
        nix::unistd::syncfs(place).map_err(|errno| failure::io(what())(errno.into()))?;
    }
    fresh.into_iter().try_for_each(|record| write(folder, &Record { settled: true, ..record }))
}

/// Removes the record of a task: it is done again. That there is none is fine.
///
/// # Errors
/// Those of the disk.
pub fn remove(folder: &Path, task: &str) -> Result<(), Failure> {
    let Some(path) = path(folder, task) else { return Ok(()) };
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failure::io(format_args!("failed to remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

fn bytes(record: &Record) -> Result<Vec<u8>, Failure> {
    let mut record = record.clone();
    loop {
        let bytes = serde_json::to_vec(&record)
            .map_err(|error| Failure::permanent(format!("failed to put the record into words: {error}")))?;
        if bytes.len() <= LONGEST || record.installed.files.is_empty() {
            return Ok(bytes);
        }
        record.installed.files.truncate(record.installed.files.len() / 2);
    }
}

/// The config allows no other names, but this is the place where one could do harm.
fn path(folder: &Path, task: &str) -> Option<PathBuf> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=200).contains(&task.len()) && !task.starts_with('.') && task.bytes().all(plain);
    fits.then(|| folder.join(format!("{task}.json")))
}

/// What is in a regular file of at most `limit` bytes. No link is followed and no FIFO waited for.
pub(super) fn bounded(path: &Path, limit: usize) -> Option<Vec<u8>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    let length = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
    if length > limit as u64 {
        return None;
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(limit as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= limit).then_some(bytes)
}

#[cfg(test)]
mod tests;
