//! The folder of jobs.
//!
//! It may be anyone's: what is read there is a regular file or nothing, and opening it follows no link and waits for nobody.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::libc;
use nix::unistd::geteuid;

use super::instance::{self, Standing};
use super::{HEARTBEAT, Name, State, Status, Time};
use crate::sorted;

/// A file that is longer, in bytes, is not one of ours.
const LONGEST: u64 = 1 << 20;
/// How long a guard may need to take over for its worker.
const TAKEOVER: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// The rights of files, less what the umask takes: nobody else is to write a command that a retry runs, whatever the umask.
pub(super) const MODE: u32 = 0o644;
/// What the names of files that are being written end with.
pub(super) const TEMPORARY: &str = ".tmp";

/// The folder that jobs have their files in.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// A job, as seen from here and now.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its status; the state is [`State::Lost`] if it is.
    pub status: Status,
    /// Whether it runs.
    pub standing: Standing,
    /// When its status was renewed last.
    pub last_seen: Time,
    /// Whom the status file belongs to.
    pub owner: u32,
    /// Whether others than its owner can write to the status file.
    pub is_open: bool,
}

/// What somebody wants of a job in another container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// That it ends: SIGTERM, then SIGKILL.
    Stop,
    /// That it is killed at once.
    Kill,
}

impl Seen {
    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.standing == Standing::Running
    }

    /// Whether its numbers are those of this container.
    #[must_use]
    pub fn is_here(&self) -> bool {
        instance::is_here(&self.status.instance)
    }

    /// Whether it is lost, and so lately that its guard may still be about to say otherwise.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        let renewed = HEARTBEAT + HEARTBEAT / 2;
        matches!(self.standing, Standing::Lost { .. })
            && self.is_here()
            && u128::from(self.last_seen.until(Time::now())) < renewed.as_millis()
    }
}

impl Folder {
    /// This folder. It need not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder and those above it, if it is not there.
    ///
    /// # Errors
    /// What keeps it from being made, or that it is no folder.
    pub fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o755).create(&self.path)
    }

    /// The names of all jobs, in order. None if there is no folder.
    ///
    /// # Errors
    /// What keeps the folder from being read.
    pub fn jobs(&self) -> io::Result<Vec<Name>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Some(name) = entry?.file_name().to_str().and_then(Name::of_status) {
                names.push(name);
            }
        }
        sorted::sort(&mut names);
        Ok(names)
    }

    /// The status of a job as it is written; none if there is no such job, or if its file is damaged.
    ///
    /// # Errors
    /// What keeps the file from being read.
    pub fn status(&self, name: &Name) -> io::Result<Option<Status>> {
        Ok(self.read(name)?.map(|(status, _)| status))
    }

    /// A job, as it stands; none if there is no such job, or if its file is damaged.
    ///
    /// # Errors
    /// What keeps the file from being read.
    pub fn look(&self, name: &Name) -> io::Result<Option<Seen>> {
        Ok(self.read(name)?.map(|(mut status, file)| {
            let now = Time::now();
            let modified = u64::try_from(file.mtime()).unwrap_or(0).saturating_mul(1000);
            let modified = Time(modified.saturating_add(u64::try_from(file.mtime_nsec()).unwrap_or(0) / 1_000_000));
            let standing = instance::standing(&status, modified, now);
            if matches!(standing, Standing::Lost { .. }) {
                status.state = State::Lost;
            }
            let last_seen = instance::last_seen(&status, modified, now);
            Seen { status, standing, last_seen, owner: file.uid(), is_open: file.mode() & 0o022 != 0 }
        }))
    }

    /// A job, as it stands once it is clear whether its guard takes over for a worker that was killed just now: after at most
    /// two seconds.
    ///
    /// # Errors
    /// What keeps the file from being read.
    pub fn settled(&self, name: &Name) -> io::Result<Option<Seen>> {
        let begun = Instant::now();
        loop {
            let seen = self.look(name)?;
            if begun.elapsed() >= TAKEOVER || !seen.as_ref().is_some_and(Seen::is_in_doubt) {
                return Ok(seen);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Replaces the status of a job: whoever reads it sees the old or the new one, whole.
    ///
    /// # Errors
    /// What keeps the file from being written: a full or read-only storage.
    pub fn write_status(&self, name: &Name, status: &Status) -> io::Result<()> {
        self.replace(&name.status_file(), &text(status)?)
    }

    /// Asks the run of a job with this id, in whatever container it is, to end.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn write_wish(&self, name: &Name, id: &str, wish: Wish) -> io::Result<()> {
        let word = match wish {
            Wish::Stop => "stop",
            Wish::Kill => "kill",
        };
        self.replace(&name.stop_file(), format!("{word} {id}\n").as_bytes())
    }

    /// What somebody wants of the run of a job with this id, if anything. What was wanted of an earlier run does not count.
    #[must_use]
    pub fn wish(&self, name: &Name, id: &str) -> Option<Wish> {
        let (bytes, file) = self.content(&name.stop_file()).ok()?;
        let own = geteuid().as_raw();
        // A server may make someone else of root, and does so with a root of another container, too.
        let squashed =
            || own == 0 && self.read(name).is_ok_and(|read| read.is_some_and(|(_, of)| of.uid() == file.uid()));
        if !self.heeds(file.uid(), own) && !squashed() {
            return None;
        }
        let text = String::from_utf8(bytes).ok()?;
        let (word, wanted) = text.trim_end().split_once(' ')?;
        match word {
            _ if wanted != id => None,
            "stop" => Some(Wish::Stop),
            "kill" => Some(Wish::Kill),
            _ => None,
        }
    }

    /// Whether this user has a say in what becomes of a job of that one. In a folder with the sticky bit everyone may make files,
    /// and nobody may touch those of others; where it is not set, whoever may write could write anything anyway.
    #[must_use]
    pub fn heeds(&self, user: u32, owner: u32) -> bool {
        fs::metadata(&self.path).is_ok_and(|folder| {
            folder.mode() & u32::from(libc::S_ISVTX) == 0 || [0, owner, folder.uid()].contains(&user)
        })
    }

    /// Takes back what was wanted of a job: it has ended.
    pub fn remove_wish(&self, name: &Name) {
        let _ = fs::remove_file(self.path.join(name.stop_file()));
    }

    fn read(&self, name: &Name) -> io::Result<Option<(Status, fs::Metadata)>> {
        let file = name.status_file();
        // Over NFS a file that was replaced while it was read is stale: the new one is there.
        let stale = |error: &io::Error| error.raw_os_error() == Some(libc::ESTALE);
        let content = match self.content(&file) {
            Err(error) if stale(&error) => self.content(&file),
            other => other,
        };
        match content {
            Ok((bytes, metadata)) => Ok(serde_json::from_slice(&bytes).ok().map(|status| (status, metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What stands in a file, if it is one.
    fn content(&self, file: &str) -> io::Result<(Vec<u8>, fs::Metadata)> {
        let mut file = open(&self.path.join(file))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // Whoever replaces a file leaves this one as it is, so its size is what there is to read: that is one call and not two.
        let mut bytes = vec![0; usize::try_from(metadata.len().min(LONGEST)).unwrap_or(0)];
        file.read_exact(&mut bytes)?;
        Ok((bytes, metadata))
    }

    fn replace(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.path.join(format!(".{file}.{}{TEMPORARY}", token()));
        let written = create(&temporary)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&temporary, self.path.join(file)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// A status, as it is written.
pub(super) fn text(status: &Status) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(status)?;
    text.push(b'\n');
    Ok(text)
}

/// What no other process uses in names of files, not even one of another container that has the same number.
pub(super) fn token() -> String {
    static TOKEN: OnceLock<u64> = OnceLock::new();
    // A hasher's keys are the standard library's random numbers.
    let random = TOKEN.get_or_init(|| RandomState::new().hash_one(std::process::id()));
    // A fork has the same number.
    format!("{}-{random:016x}", std::process::id())
}

/// Whether this may be a [`token`], with or without a number behind it.
pub(super) fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Opens a file for reading. Where a named pipe stands in its place this does not wait for someone who writes to it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Creates a file that is not there.
fn create(path: &Path) -> io::Result<File> {
    let create = || OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    match create() {
        // Its name is ours: what is left of it when it could not be removed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(path).and_then(|()| create()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::sys::stat::Mode;

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().join("jobs"));
        folder.make().unwrap();
        (place, folder)
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn jobs_are_those_with_a_status_and_nothing_else() {
        let (_place, folder) = folder();
        for job in ["b", "a"] {
            folder.write_status(&name(job), &Status { job: job.to_owned(), ..Status::default() }).unwrap();
        }
        for other in ["a-20260131-235959.jsonl", ".c.status.1.tmp", "d.stop", "e.txt", " .status"] {
            fs::write(folder.path().join(other), "{}").unwrap();
        }
        assert_eq!(folder.jobs().unwrap(), [name("a"), name("b")]);
        assert_eq!(folder.look(&name("a")).unwrap().unwrap().status.job, "a");
        assert_eq!(folder.look(&name("c")).unwrap(), None);
    }

    #[test]
    fn where_no_folder_is_there_are_no_jobs() {
        let (_place, folder) = folder();
        fs::remove_dir(folder.path()).unwrap();
        assert_eq!(folder.jobs().unwrap(), []);
        assert_eq!(folder.look(&name("a")).unwrap(), None);
        assert!(folder.write_status(&name("a"), &Status::default()).is_err());
    }

    #[test]
    fn what_is_no_file_is_not_waited_for_and_not_followed() {
        let (place, folder) = folder();
        nix::unistd::mkfifo(&folder.path().join("pipe.status"), Mode::from_bits_truncate(0o644)).unwrap();
        fs::write(place.path().join("secret"), "{}").unwrap();
        symlink(place.path().join("secret"), folder.path().join("link.status")).unwrap();
        fs::create_dir(folder.path().join("folder.status")).unwrap();
        for strange in ["pipe", "link", "folder"] {
            assert!(folder.look(&name(strange)).is_err(), "{strange}");
        }
        fs::write(folder.path().join("damaged.status"), "{\"version\": 1, ").unwrap();
        fs::write(folder.path().join("empty.status"), "").unwrap();
        assert_eq!(folder.look(&name("damaged")).unwrap(), None);
        assert_eq!(folder.look(&name("empty")).unwrap(), None);
    }

    #[test]
    fn a_status_is_whole_whenever_it_is_read_and_nothing_is_left_beside_it() {
        let (_place, folder) = folder();
        let job = name("a");
        let status = |lines| Status { lines, last_line: Some("x".repeat(400)), ..Status::default() };
        folder.write_status(&job, &status(0)).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for lines in 1..=2_000 {
                    folder.write_status(&job, &status(lines)).unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let lines = folder.look(&job).unwrap().expect("it is whole").status.lines;
                assert!(lines >= last);
                last = lines;
            }
        });
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["a.status"]);
    }

    #[test]
    fn a_job_whose_runner_is_gone_is_told_as_lost() {
        let (_place, folder) = folder();
        let job = name("a");
        let own = i32::try_from(std::process::id()).unwrap();
        let running = Status {
            instance: instance::here(),
            runner: own,
            runner_started: instance::started(own).unwrap(),
            updated: Time::now(),
            ..Status::default()
        };
        folder.write_status(&job, &running).unwrap();
        let seen = folder.look(&job).unwrap().unwrap();
        assert_eq!((seen.standing, seen.status.state), (Standing::Running, State::Running));
        assert_eq!((seen.owner, seen.is_open), (nix::unistd::geteuid().as_raw(), false));
        folder.write_status(&job, &Status { runner_started: 1, ..running }).unwrap();
        let seen = folder.look(&job).unwrap().unwrap();
        assert_eq!((seen.standing, seen.status.state), (Standing::Lost { last_seen: seen.last_seen }, State::Lost));
        assert!(seen.last_seen.until(Time::now()) < 60_000);
    }

    #[test]
    fn a_status_is_written_by_its_owner_only_whatever_the_umask() {
        let (_place, folder) = folder();
        let job = name("a");
        folder.write_status(&job, &Status::default()).unwrap();
        let path = folder.path().join("a.status");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o133, 0);
        for mode in [0o666, 0o664, 0o646] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(folder.look(&job).unwrap().unwrap().is_open, "{mode:o}");
        }
    }

    #[test]
    fn in_a_folder_for_everyone_only_who_may_touch_a_job_has_a_say() {
        let (_place, folder) = folder();
        let owner = fs::metadata(folder.path()).unwrap().uid();
        let (one, other) = (owner + 1, owner + 2);
        for mode in [0o755, 0o777, 0o2775] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert!(folder.heeds(other, one), "{mode:o}: who can write could write anything");
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        for who in [0, owner, one] {
            assert!(folder.heeds(who, one), "{who}");
        }
        assert!(!folder.heeds(other, one));
    }

    #[test]
    fn a_wish_of_someone_else_is_none_in_a_folder_for_everyone() {
        if !geteuid().is_root() {
            return;
        }
        let (_place, folder) = folder();
        let job = name("a");
        folder.write_status(&job, &Status::default()).unwrap();
        folder.write_wish(&job, "1", Wish::Stop).unwrap();
        std::os::unix::fs::chown(folder.path().join("a.stop"), Some(65_534), None).unwrap();
        assert_eq!(folder.wish(&job, "1"), Some(Wish::Stop));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(folder.wish(&job, "1"), None);
        std::os::unix::fs::chown(folder.path().join("a.status"), Some(65_534), None).unwrap();
        assert_eq!(folder.wish(&job, "1"), Some(Wish::Stop), "a server that knows no root");
    }

    #[test]
    fn a_wish_is_for_one_run_only() {
        let (_place, folder) = folder();
        let job = name("a");
        assert_eq!(folder.wish(&job, "20260131-235959"), None);
        folder.write_wish(&job, "20260131-235959", Wish::Stop).unwrap();
        assert_eq!(folder.wish(&job, "20260131-235959"), Some(Wish::Stop));
        assert_eq!(folder.wish(&job, "20260131-235959-2"), None);
        folder.write_wish(&job, "20260131-235959", Wish::Kill).unwrap();
        assert_eq!(folder.wish(&job, "20260131-235959"), Some(Wish::Kill));
        folder.remove_wish(&job);
        assert_eq!(folder.wish(&job, "20260131-235959"), None);
        fs::write(folder.path().join("a.stop"), "\u{1b}").unwrap();
        assert_eq!(folder.wish(&job, "20260131-235959"), None);
    }
}
