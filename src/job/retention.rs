//! What is removed after a start: logs that are too many or too old, jobs whose last log went that way, and what those who were
//! killed left behind.
//!
//! Only regular files (and claims) whose names are ours are removed, and no link is followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::unistd::geteuid;

use super::claim::{self, Claim};
use super::folder::{TEMPORARY, is_token};
use super::{Folder, Name, Seen, Time};
use crate::sorted;

/// What was being written, and claims, that are older than this were left by somebody who was killed.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// What there is in the folder.
#[derive(Default)]
struct Found {
    /// The ids of the runs whose logs are there, by job.
    logs: BTreeMap<Name, Vec<String>>,
    statuses: Vec<Name>,
    wishes: Vec<Name>,
    temporaries: Vec<String>,
    claims: Vec<String>,
}

/// Removes the oldest logs of this job beyond `keep`, those of any job that ended longer than `keep_for` ago, the statuses of jobs
/// that have no log any more and ended before that, and left-overs that are older than an hour. Returns what could not be removed.
#[must_use]
pub fn clean(folder: &Folder, name: &Name, keep: u32, keep_for: Option<Duration>) -> Vec<String> {
    let mut cleaner = Cleaner { folder, now: SystemTime::now(), warnings: Vec::new(), seen: BTreeMap::new() };
    match find(folder.path()) {
        Ok(found) => cleaner.clean(found, name, keep, keep_for),
        Err(error) => cleaner.warnings.push(format!("old logs in {} are kept: {error}", folder.path().display())),
    }
    cleaner.warnings
}

fn find(path: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    for entry in fs::read_dir(path)? {
        let Ok(file) = entry?.file_name().into_string() else { continue };
        if let Some((job, id)) = Name::of_log(&file) {
            found.logs.entry(job).or_default().push(id.to_owned());
        } else if let Some(job) = Name::of_status(&file) {
            found.statuses.push(job);
        } else if let Some(job) = file.strip_suffix(".stop").and_then(|job| Name::parse(job).ok()) {
            found.wishes.push(job);
        } else if is_temporary(&file) {
            found.temporaries.push(file);
        } else if claim::is_claim(&file) {
            found.claims.push(file);
        }
    }
    Ok(found)
}

/// `.NAME.status.TOKEN.tmp`, `.NAME.stop.TOKEN.tmp`
fn is_temporary(file: &str) -> bool {
    let of_job = |stem: &str| {
        let (file, _) = stem.rsplit_once('.').filter(|(_, token)| is_token(token))?;
        let job = file.strip_suffix(".status").or_else(|| file.strip_suffix(".stop"))?;
        Name::parse(job).ok()
    };
    file.strip_prefix('.').and_then(|file| file.strip_suffix(TEMPORARY)).and_then(of_job).is_some()
}

struct Cleaner<'a> {
    folder: &'a Folder,
    now: SystemTime,
    warnings: Vec<String>,
    seen: BTreeMap<Name, Option<Seen>>,
}

impl Cleaner<'_> {
    fn clean(&mut self, mut found: Found, name: &Name, keep: u32, keep_for: Option<Duration>) {
        if let Some(ids) = found.logs.get_mut(name) {
            // The latest first.
            sorted::sort_by(ids, |a, b| order(b).cmp(&order(a)));
            let surplus = ids.split_off(ids.len().min(usize::try_from(keep).unwrap_or(usize::MAX)));
            for id in surplus {
                self.remove_log(name, &id);
            }
        }
        if let Some(keep_for) = keep_for {
            self.expire(found.logs, &found.statuses, keep_for);
        }
        for file in &found.temporaries {
            if self.age(file, Metadata::is_file).is_some_and(|age| age >= LEFT_OVER) {
                self.remove(file);
            }
        }
        for job in &found.wishes {
            let file = job.stop_file();
            if self.age(&file, Metadata::is_file).is_some_and(|age| age >= LEFT_OVER) && !self.may_run(job) {
                self.remove(&file);
            }
        }
        for file in &found.claims {
            if self.age(file, Metadata::is_dir).is_some_and(|age| age >= LEFT_OVER) {
                let cleared = claim::clear(&self.folder.path().join(file));
                self.note(file, cleared);
            }
        }
    }

    /// Removes what is older than this.
    fn expire(&mut self, logs: BTreeMap<Name, Vec<String>>, statuses: &[Name], keep_for: Duration) {
        let mut logged = BTreeSet::new();
        for (job, ids) in logs {
            for id in ids {
                let old = self.age(&job.log_file(&id), Metadata::is_file).is_some_and(|age| age >= keep_for);
                if !(old && self.remove_log(&job, &id)) {
                    logged.insert(job.clone());
                }
            }
        }
        for job in statuses.iter().filter(|job| !logged.contains(*job)) {
            let expired = |seen: &Seen| {
                let end = seen.status.finished.unwrap_or(seen.last_seen).max(seen.last_seen);
                !seen.runs() && u128::from(end.until(Time::now())) >= keep_for.as_millis()
            };
            if !self.look(job).is_some_and(&expired) {
                continue;
            }
            // Somebody may start it at this moment.
            let Ok(claim) = Claim::take(self.folder, job, Duration::ZERO) else { continue };
            if self.folder.look(job).is_ok_and(|seen| seen.as_ref().is_some_and(expired)) {
                self.remove(&job.status_file());
            }
            drop(claim);
        }
    }

    /// Removes the log of a run, unless it may still be written. Whether it is gone.
    fn remove_log(&mut self, job: &Name, id: &str) -> bool {
        let file = job.log_file(id);
        let current = self.look(job).is_some_and(|seen| seen.status.id == id);
        if current && self.may_run(job) || self.age(&file, Metadata::is_file).is_none() {
            return false;
        }
        self.remove(&file)
    }

    /// Whether a job runs, or cannot be told not to.
    fn may_run(&mut self, job: &Name) -> bool {
        match self.look(job) {
            Some(seen) => seen.runs(),
            None => !matches!(self.folder.look(job), Ok(None)),
        }
    }

    fn look(&mut self, job: &Name) -> Option<&Seen> {
        let folder = self.folder;
        self.seen.entry(job.clone()).or_insert_with(|| folder.look(job).ok().flatten()).as_ref()
    }

    /// How long ago a file was modified; none if it is not one of this kind. A time in the future is now.
    fn age(&self, file: &str, kind: fn(&Metadata) -> bool) -> Option<Duration> {
        let metadata = fs::symlink_metadata(self.folder.path().join(file)).ok().filter(kind)?;
        Some(self.now.duration_since(metadata.modified().ok()?).unwrap_or_default())
    }

    fn is_own(&self, file: &str) -> bool {
        let own = geteuid().as_raw();
        fs::symlink_metadata(self.folder.path().join(file)).is_ok_and(|metadata| metadata.uid() == own)
    }

    fn remove(&mut self, file: &str) -> bool {
        let removed = fs::remove_file(self.folder.path().join(file));
        self.note(file, removed)
    }

    fn note(&mut self, file: &str, removed: io::Result<()>) -> bool {
        match removed {
            // Of others in a folder for everyone: they, or root, will do it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !self.is_own(file) => false,
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.warnings.push(format!("{} is kept: {error}", self.folder.path().join(file).display()));
                false
            }
            _ => true,
        }
    }
}

/// What ids are ordered by: the second of two runs within a second has `-2`, and the tenth `-10`.
fn order(id: &str) -> (&str, u64) {
    let (time, number) = id.split_at_checked("20260131-235959".len()).unwrap_or((id, ""));
    (time, number.strip_prefix('-').and_then(|number| number.parse().ok()).unwrap_or(1))
}

#[cfg(test)]
mod tests;
