//! Starting a job is exclusive for its name: of all who want to start it at the same moment, in several containers as well, one
//! does.
//!
//! A claim is a folder, `.NAME.claim`, with one file in it whose name is the holder's own. Nothing of it is a lock that is held,
//! so nothing can hang, and NFS needs no lock server:
//!
//! 1. The folder is made under another name with the file in it, and renamed. That fails if there is a claim with a file in it:
//!    a folder only replaces an empty one.
//! 2. While the file is there nobody else has the claim, so the status does not begin to say that the job runs.
//! 3. The holder writes the new status into that file and renames it to `NAME.status`: this is the start, and gives up the claim
//!    in the same step.
//!
//! Whoever finds that the holder is dead, or the claim unchanged for 5 s, removes that file. Its name is never used again,
//! so this cannot hit a later claim; and if the holder was only slow, its own rename fails, and it begins anew.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, openat};
use nix::libc;
use nix::sys::stat::Mode;

use super::folder::MODE;
use super::{Folder, Name, Seen, Status, Time, folder, instance};
use crate::words::{clean, span};

/// A claim that did not change for so long is broken, by the clock of whoever waits for it. To hold one takes milliseconds.
const STALE: Duration = Duration::from_secs(5);
/// For how long it is tried. Claims are given up or broken long before.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// What the name of a holder's file begins with.
const MARK: &str = "claim~";

/// Why a job was not started.
#[derive(Debug)]
pub enum Refused {
    /// One of this name runs.
    Runs(Box<Status>),
    /// The folder cannot be written to, or not be read.
    Unwritable(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs(status) => {
                let since = span(Duration::from_millis(status.started.until(Time::now())));
                let name = clean(&status.job, 100);
                write!(f, "`{name}` runs already, since {since}")?;
                if !instance::is_here(&status.instance) {
                    write!(f, " in {}", clean(&status.host, 100))?;
                }
                write!(f, "; `devinit job stop {name}` ends it, --queue waits for its end")
            }
            Self::Unwritable(error) => {
                write!(f, "the folder of jobs cannot be used: {error}; --directory or DEVINIT_JOBS names another one")
            }
        }
    }
}

/// Starts a job: writes the status that `make` makes of the last one, unless it runs. `make` may be called more than once; only
/// the last of its statuses was written, which is the one that is returned.
///
/// # Errors
/// The job runs, or the folder cannot be written to.
pub fn begin(folder: &Folder, name: &Name, make: &mut dyn FnMut(Option<&Status>) -> Status) -> Result<Status, Refused> {
    let begun = Instant::now();
    let fault = |error: io::Error| Refused::Unwritable(error);
    while begun.elapsed() < PATIENCE {
        // Most who are refused are so without having written anything.
        let before = not_running(name, folder.settled(name))?;
        folder.make().map_err(fault)?;
        let claim = Claim::take(folder, name, PATIENCE).map_err(fault)?;
        let now = not_running(name, folder.look(name))?;
        let is_new = |now: &Seen| before.as_ref().is_none_or(|before| !is_same(&before.status, &now.status));
        if now.as_ref().is_some_and(|now| now.is_in_doubt() && is_new(now)) {
            continue;
        }
        let status = make(now.as_ref().map(|seen| &seen.status));
        if claim.commit(&status).map_err(fault)? {
            return Ok(status);
        }
    }
    Err(Refused::Unwritable(io::Error::from_raw_os_error(libc::ETIMEDOUT)))
}

fn not_running(name: &Name, seen: io::Result<Option<Seen>>) -> Result<Option<Seen>, Refused> {
    match seen {
        // The file may say anything; its name is what the job is called by.
        Ok(Some(seen)) if seen.runs() => Err(Refused::Runs(Box::new(Status { job: name.to_string(), ..seen.status }))),
        Ok(seen) => Ok(seen),
        Err(error) => Err(Refused::Unwritable(error)),
    }
}

/// Whether two statuses are of the same run, written by the same process at the same time.
fn is_same(a: &Status, b: &Status) -> bool {
    (&a.id, a.updated, a.runner, a.runner_started, &a.instance)
        == (&b.id, b.updated, b.runner, b.runner_started, &b.instance)
}

/// The claim to start a job. Given up when it is dropped.
pub(super) struct Claim<'a> {
    folder: &'a Folder,
    name: &'a Name,
    place: PathBuf,
    /// In it.
    path: PathBuf,
    file: File,
}

impl<'a> Claim<'a> {
    /// Takes the claim, and waits for those who have it for at most this long.
    pub(super) fn take(folder: &'a Folder, name: &'a Name, patience: Duration) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let token = format!("{}-{}", folder::token(), COUNT.fetch_add(1, Ordering::Relaxed));
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let file_name =
            format!("{MARK}{}~{own}~{}~{token}", instance::here(), instance::started(own).unwrap_or_default());
        let place = place(folder, name);
        let private = place.with_file_name(format!(".{name}.claim.{token}"));
        let made = make(folder.path(), &private, &file_name).and_then(|file| {
            wait(&private, &place, &file_name, patience)?;
            Ok(file)
        });
        if made.is_err() {
            let _ = fs::remove_file(private.join(&file_name));
            let _ = fs::remove_dir(&private);
        }
        Ok(Self { folder, name, path: place.join(&file_name), place, file: made? })
    }

    /// Makes this the job's status. False if somebody took the claim away meanwhile, and nothing was done.
    pub(super) fn commit(mut self, status: &Status) -> io::Result<bool> {
        self.file.write_all(&folder::text(status)?)?;
        match fs::rename(&self.path, self.folder.path().join(self.name.status_file())) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // An NFS server that has lost its own answer does it a second time and says that there is nothing to rename.
                Ok(self.folder.status(self.name)?.is_some_and(|written| is_same(&written, status)))
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        // It is not empty if somebody else has it by now.
        let _ = fs::remove_dir(&self.place);
    }
}

fn place(folder: &Folder, name: &Name) -> PathBuf {
    folder.path().join(format!(".{name}.claim"))
}

/// Makes a claim that nobody looks at yet.
fn make(folder: &Path, private: &Path, file: &str) -> io::Result<File> {
    DirBuilder::new().mode(0o755).create(private)?;
    prepare(folder, private, file)
}

/// Gives a new claim its rights, and its file.
fn prepare(folder: &Path, private: &Path, file: &str) -> io::Result<File> {
    // Whoever may rename what is in the folder of jobs may have put a link in its place: nothing else than a folder in this very
    // place is given other rights, or gets a file.
    let own = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(private)?;
    // Whoever may remove files from the folder of jobs has to be able to break claims.
    if let Ok(metadata) = fs::metadata(folder) {
        let _ = own.set_permissions(Permissions::from_mode(metadata.permissions().mode() & 0o3777));
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(&own, file, flags, Mode::from_bits_truncate(MODE))?.into())
}

/// Puts the private claim into its place as soon as there is none.
fn wait(private: &Path, place: &Path, file: &str, patience: Duration) -> io::Result<()> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    let mut watched: Option<(String, Instant)> = None;
    let mut strange = 0;
    loop {
        let error = match fs::rename(private, place) {
            Ok(()) => return Ok(()),
            // See `commit`.
            Err(error) if error.kind() == io::ErrorKind::NotFound && place.join(file).exists() => return Ok(()),
            Err(error) => error,
        };
        if !matches!(error.raw_os_error(), Some(libc::ENOTEMPTY | libc::EEXIST)) {
            // Some file systems do not replace an empty folder, and each has its own word for it.
            strange += 1;
            if strange > 3 || fs::remove_dir(place).is_err_and(|error| error.kind() == io::ErrorKind::NotADirectory) {
                return Err(error);
            }
        }
        match holder(place) {
            None => watched = None,
            Some(holder) if is_dead(&holder) => remove(place, &holder)?,
            Some(holder) => match &watched {
                Some((known, since)) if *known == holder => {
                    if since.elapsed() >= STALE {
                        remove(place, &holder)?;
                    }
                }
                _ => watched = Some((holder, Instant::now())),
            },
        }
        if begun.elapsed() >= patience {
            return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
        }
        sleep(pause);
        pause = (pause * 2).min(PAUSE);
    }
}

/// The file of whoever has the claim; none if nobody has.
fn holder(place: &Path) -> Option<String> {
    let names = fs::read_dir(place).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut ours = names.filter(|name| is_ours(name));
    ours.next()
}

/// Nothing else is ever removed from a folder that is found in a claim's place.
fn is_ours(file: &str) -> bool {
    file.starts_with(MARK) && file.split('~').count() == 5
}

/// Whether whoever made this file was a process of this container, and is no more.
fn is_dead(file: &str) -> bool {
    let mut parts = file.split('~').skip(1);
    let (Some(instance), Some(pid), Some(started)) = (parts.next(), parts.next(), parts.next()) else { return false };
    instance::is_here(instance)
        && pid.parse().is_ok_and(|pid: i32| instance::started(pid).unwrap_or_default().to_string() != started)
}

fn remove(place: &Path, holder: &str) -> io::Result<()> {
    match fs::remove_file(place.join(holder)) {
        // It was given up at the same moment, or somebody else has broken it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether a file of this name is a claim, one that is taken or one that nobody looks at.
pub(super) fn is_claim(file: &str) -> bool {
    let name = file.strip_prefix('.').and_then(|rest| rest.rsplit_once(".claim"));
    name.is_some_and(|(name, token)| {
        Name::parse(name).is_ok() && (token.is_empty() || token.strip_prefix('.').is_some_and(folder::is_token))
    })
}

/// Removes a claim that somebody was killed over long ago.
pub(super) fn clear(place: &Path) -> io::Result<()> {
    while let Some(holder) = holder(place) {
        remove(place, &holder)?;
    }
    match fs::remove_dir(place) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTEMPTY | libc::EEXIST)) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
