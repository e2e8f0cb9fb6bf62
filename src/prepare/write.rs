//! Writes files as a whole or not at all: a temporary name in the same folder, synced, then renamed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::signal::kill;
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat};
use nix::unistd::{Gid, Pid, Uid, UnlinkatFlags, fchown, fsync, ftruncate, getegid, geteuid, unlinkat};

/// Mode and owner of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits, 0 to 0o7777.
    pub mode: u32,
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
}

impl Attributes {
    /// A file of root.
    #[must_use]
    pub const fn root(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0 }
    }

    /// A file of whoever runs this.
    #[must_use]
    pub fn own(mode: u32) -> Self {
        Self { mode, uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    fn of(stat: &FileStat) -> Self {
        Self { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid }
    }

    fn same_owner(self, other: Self) -> bool {
        (self.uid, self.gid) == (other.uid, other.gid)
    }
}

/// A file that could not be written: which one and why.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {}: {}", path.display(), errno.desc())]
pub struct WriteError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// Why it was not.
    pub errno: Errno,
}

impl WriteError {
    /// Whether the place cannot be written to at all (a read-only root, not root, no capability), as opposed to
    /// something that went wrong.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        is_refusal(self.errno)
    }
}

/// Whether an error says that a place cannot be written to at all.
#[must_use]
pub fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::EROFS | Errno::EACCES | Errno::EPERM)
}

/// Writes a file unless it has these bytes, mode and owner already; returns whether it was written.
///
/// # Errors
/// Those of [`write()`].
pub fn write_if_changed(path: &Path, bytes: &[u8], attributes: Attributes) -> Result<bool, WriteError> {
    if is_current(path, bytes, attributes) {
        return Ok(false);
    }
    write(path, bytes, attributes).map(|()| true)
}

/// Writes a file so that it is whole at any moment, also after a crash: it has the old content or the new one.
///
/// What stands at `path` is replaced, a symlink too, and nothing is written through it. Only where it cannot be
/// replaced (a file mounted from outside; an owner that may not be given to a new file) it is written in place.
///
/// # Errors
/// The folder is missing or not writable, no space is left, `path` is a folder.
pub fn write(path: &Path, bytes: &[u8], attributes: Attributes) -> Result<(), WriteError> {
    replace(path, bytes, attributes, sync).map_err(|errno| WriteError { path: path.to_owned(), errno })
}

/// As [`write()`], for a file that is written anew at each boot: whole at any moment, but nothing waits for the disk.
///
/// # Errors
/// Those of [`write()`].
pub fn write_for_this_boot(path: &Path, bytes: &[u8], attributes: Attributes) -> Result<(), WriteError> {
    replace(path, bytes, attributes, |_| Ok(())).map_err(|errno| WriteError { path: path.to_owned(), errno })
}

fn is_current(path: &Path, bytes: &[u8], attributes: Attributes) -> bool {
    // O_NONBLOCK: a FIFO in its place must not hold us up.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let Ok(file) = open(path, flags, Mode::empty()) else { return false };
    let Ok(stat) = fstat(&file) else { return false };
    if !is_regular(&stat)
        || Attributes::of(&stat) != attributes
        || u64::try_from(stat.st_size) != Ok(bytes.len() as u64)
    {
        return false;
    }
    let mut present = Vec::with_capacity(bytes.len());
    File::from(file).take(bytes.len() as u64 + 1).read_to_end(&mut present).is_ok() && present == bytes
}

/// As [`write_for_this_boot()`], in a folder that has many such files: what killed runs have left beside them is not
/// looked for each time, but by [`remove_all_leftovers`].
///
/// # Errors
/// Those of [`write()`].
pub fn write_among_many(path: &Path, bytes: &[u8], attributes: Attributes) -> Result<(), WriteError> {
    put(path, bytes, attributes, |_| Ok(())).map_err(|errno| WriteError { path: path.to_owned(), errno })
}

/// How a file or a folder gets to the disk.
type Sync = fn(BorrowedFd<'_>) -> nix::Result<()>;

fn replace(path: &Path, bytes: &[u8], attributes: Attributes, sync: Sync) -> nix::Result<()> {
    if let Some(name) = path.file_name() {
        remove_leftovers(parent(path), name);
    }
    put(path, bytes, attributes, sync)
}

/// The folder that a file is in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn put(path: &Path, bytes: &[u8], attributes: Attributes, sync: Sync) -> nix::Result<()> {
    let name = path.file_name().ok_or(Errno::EINVAL)?;
    let folder = open(parent(path), OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let temporary = temporary_name(name);
    // In a new container the same number may have been that of a process that was killed in the old one.
    let _ = unlinkat(&folder, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir);
    let done = fill(&folder, &temporary, bytes, attributes, sync)
        .and_then(|()| renameat(&folder, temporary.as_os_str(), &folder, name).map_err(Obstacle::from));
    if done.is_err() {
        let _ = unlinkat(&folder, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
    match done {
        Ok(()) => sync(folder.as_fd()),
        // A file that is mounted from outside cannot be replaced.
        Err(Obstacle { errno: Errno::EBUSY, .. }) => write_in_place(&folder, name, bytes, attributes),
        // Without CAP_CHOWN a file keeps its owner only if it stays.
        Err(Obstacle { errno: Errno::EPERM, owner: true }) if has_owner(&folder, name, attributes) => {
            write_in_place(&folder, name, bytes, attributes)
        }
        Err(obstacle) => Err(obstacle.errno),
    }
}

/// What kept a temporary file from being finished.
struct Obstacle {
    errno: Errno,
    /// It could not be given to its owner.
    owner: bool,
}

impl From<Errno> for Obstacle {
    fn from(errno: Errno) -> Self {
        Self { errno, owner: false }
    }
}

fn fill(folder: impl AsFd, name: &OsStr, bytes: &[u8], attributes: Attributes, sync: Sync) -> Result<(), Obstacle> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
    // Owner and mode before the content, so that nobody reads it who should not.
    set_attributes(&file, attributes)?;
    file.write_all(bytes).map_err(|error| errno(&error))?;
    sync(file.as_fd())?;
    Ok(())
}

fn write_in_place(folder: impl AsFd, name: &OsStr, bytes: &[u8], attributes: Attributes) -> nix::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, Mode::empty())?);
    if !is_regular(&fstat(&file)?) {
        return Err(Errno::EINVAL);
    }
    set_attributes(&file, attributes).map_err(|obstacle| obstacle.errno)?;
    // Cut off at the end and not at the start: the file is never empty.
    file.write_all(bytes).map_err(|error| errno(&error))?;
    ftruncate(&file, i64::try_from(bytes.len()).map_err(|_| Errno::EFBIG)?)?;
    sync(file.as_fd())
}

fn set_attributes(file: impl AsFd, attributes: Attributes) -> Result<(), Obstacle> {
    let present = Attributes::of(&fstat(&file)?);
    if !present.same_owner(attributes) {
        let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
        fchown(&file, Some(uid), Some(gid)).map_err(|errno| Obstacle { errno, owner: true })?;
    }
    // Also after a change of owner, which clears the set-id bits.
    if present != attributes {
        fchmod(&file, Mode::from_bits_truncate(attributes.mode))?;
    }
    Ok(())
}

fn has_owner(folder: impl AsFd, name: &OsStr, attributes: Attributes) -> bool {
    fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| is_regular(&stat) && Attributes::of(&stat).same_owner(attributes))
}

fn is_regular(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

/// Some file systems (FUSE, 9p) know no fsync: the data is as safe there as it can be.
fn sync(file: BorrowedFd<'_>) -> nix::Result<()> {
    match fsync(file) {
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => Ok(()),
        result => result,
    }
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// What stands between a name and a process id in a temporary name.
const MARK: &str = ".devinit.";

/// The name that a file has while it is written. The process id in it tells a leftover from a file in the making.
pub(super) fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = temporary_prefix(name);
    temporary.push(std::process::id().to_string());
    // Threads of one process do not meet.
    temporary.push(format!(".{:?}", std::thread::current().id()).replace(['(', ')'], ""));
    temporary
}

fn temporary_prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(MARK);
    prefix
}

/// Removes the temporary files that a killed run has left beside `name`.
pub(super) fn remove_leftovers(folder: &Path, name: &OsStr) {
    let (prefix, own) = (temporary_prefix(name), temporary_name(name));
    remove_temporary(folder, |entry| {
        entry == own || entry.as_bytes().strip_prefix(prefix.as_bytes()).is_some_and(is_of_the_dead)
    });
}

/// Removes the temporary files that killed runs have left in a folder in which nobody else writes now. Whether a process
/// has their number says nothing: the next container begins with the same numbers.
pub fn remove_all_leftovers(folder: &Path) {
    remove_temporary(folder, |entry| {
        let (hidden, mark) = (entry.as_bytes().starts_with(b"."), MARK.as_bytes());
        let at = entry.as_bytes().windows(mark.len()).rposition(|part| part == mark);
        let rest = at.and_then(|at| entry.as_bytes().get(at + mark.len()..));
        hidden && rest.and_then(pid_in).is_some()
    });
}

fn remove_temporary(folder: &Path, is_leftover: impl Fn(&OsStr) -> bool) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let entry = entry.file_name();
        if is_leftover(&entry) {
            let _ = std::fs::remove_file(folder.join(entry));
        }
    }
}

/// Whether what follows the mark in a temporary name is of a process that is no more.
fn is_of_the_dead(rest: &[u8]) -> bool {
    pid_in(rest).is_some_and(|pid| !is_alive(pid))
}

/// The process that a temporary name tells of, by what follows the mark in it.
fn pid_in(rest: &[u8]) -> Option<i32> {
    rest.split(|byte| *byte == b'.').next().and_then(|pid| std::str::from_utf8(pid).ok()?.parse().ok())
}

/// Whether there is a process with this id.
pub(super) fn is_alive(pid: i32) -> bool {
    pid > 0 && kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs `work` with mounts that only it sees; false where that is not allowed.
    fn with_own_mounts(work: impl FnOnce() + Send) -> bool {
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
                        return false;
                    }
                    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
                        .unwrap();
                    work();
                    true
                })
                .join()
                .unwrap()
        })
    }

    #[test]
    fn a_file_is_written_with_its_mode_whatever_the_umask_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shadow");
        write(&path, b"secret", Attributes::own(0o646)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o646);
        assert_eq!(names(folder.path()), ["shadow"]);
    }

    #[test]
    fn a_file_that_is_right_keeps_its_inode_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        assert!(write_if_changed(&path, b"one", Attributes::own(0o644)).unwrap());
        let before = fs::metadata(&path).unwrap();
        assert!(!write_if_changed(&path, b"one", Attributes::own(0o644)).unwrap());
        let after = fs::metadata(&path).unwrap();
        assert_eq!(
            (before.ino(), before.mtime_nsec(), before.ctime_nsec()),
            (after.ino(), after.mtime_nsec(), after.ctime_nsec())
        );
        assert!(write_if_changed(&path, b"two", Attributes::own(0o644)).unwrap());
    }

    #[test]
    fn a_wrong_mode_alone_is_reason_enough_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, b"one", Attributes::own(0o644)).unwrap();
        assert!(write_if_changed(&path, b"one", Attributes::own(0o600)).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_symlink_is_replaced_and_what_it_points_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("file"));
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, &path).unwrap();
        assert!(write_if_changed(&path, b"mine", Attributes::own(0o644)).unwrap());
        assert_eq!(fs::read(&victim).unwrap(), b"mine");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn a_fifo_in_its_place_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert!(write_if_changed(&path, b"", Attributes::own(0o644)).unwrap());
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn leftovers_of_a_dead_process_go_and_files_in_the_making_stay() {
        let folder = tempfile::tempdir().unwrap();
        let dead = ".passwd.devinit.2147483647.ThreadId1";
        let alive = format!(".passwd.devinit.{}.ThreadId999999", std::process::id());
        let other = ".shadow.devinit.2147483647.ThreadId1";
        for name in [dead, &alive, other] {
            fs::write(folder.path().join(name), "half").unwrap();
        }
        write(&folder.path().join("passwd"), b"whole", Attributes::own(0o644)).unwrap();
        assert_eq!(names(folder.path()), [&alive, other, "passwd"]);
    }

    #[test]
    fn among_many_files_leftovers_wait_until_all_of_them_are_cleared_and_are_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let own = temporary_name(OsStr::new("a.json")).into_string().unwrap();
        let dead = [".a.json.devinit.2147483647.ThreadId1", ".b.devinit.c.devinit.2147483647.ThreadId1"];
        // Of another container's process that had the number of one that runs here.
        let same = format!(".b.json.devinit.{}.ThreadId999999", std::process::id());
        let others = [".devinit.", ".hidden.devinit.x", "shown.devinit.2147483647.ThreadId1"];
        for name in [&own, &same].into_iter().map(String::as_str).chain(dead).chain(others) {
            fs::write(folder.path().join(name), "half").unwrap();
        }
        write_among_many(&path, b"whole", Attributes::own(0o600)).unwrap();
        assert!(dead.iter().all(|name| folder.path().join(name).exists()));
        remove_all_leftovers(folder.path());
        let mut kept = others.map(str::to_owned).to_vec();
        kept.push("a.json".to_owned());
        kept.sort();
        assert_eq!(names(folder.path()), kept);
        assert_eq!(fs::read(path).unwrap(), b"whole");
    }

    #[test]
    fn a_folder_in_its_place_is_an_error_that_names_the_path_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        fs::create_dir(&path).unwrap();
        let error = write(&path, b"x", Attributes::own(0o644)).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to write {}: Is a directory", path.display()));
        assert_eq!(names(folder.path()), ["passwd"]);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_says_so() {
        let error = write(Path::new("/nonexistent/folder/file"), b"x", Attributes::own(0o644)).unwrap_err();
        assert_eq!(error.to_string(), "failed to write /nonexistent/folder/file: No such file or directory");
    }

    #[test]
    fn a_file_mounted_from_outside_is_written_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let (outside, path) = (folder.path().join("outside"), folder.path().join("passwd"));
        fs::write(&outside, "a long line that was there before\n").unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, "").unwrap();
        with_own_mounts(|| {
            mount(Some(&outside), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
            assert!(write_if_changed(&path, b"short\n", Attributes::own(0o644)).unwrap());
            assert_eq!(fs::read(&path).unwrap(), b"short\n");
            assert_eq!(fs::read(&outside).unwrap(), b"short\n");
            assert_eq!(names(folder.path()), ["outside", "passwd"]);
        });
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_whole() {
        let folder = tempfile::tempdir().unwrap();
        with_own_mounts(|| {
            mount(Some("tmpfs"), folder.path(), Some("tmpfs"), MsFlags::empty(), Some("size=16k")).unwrap();
            let path = folder.path().join("passwd");
            write(&path, b"old", Attributes::own(0o644)).unwrap();
            let error = write(&path, &[b'x'; 65536], Attributes::own(0o644)).unwrap_err();
            assert_eq!(error.to_string(), format!("failed to write {}: No space left on device", path.display()));
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(names(folder.path()), ["passwd"]);
        });
    }

    #[test]
    fn a_read_only_file_system_is_a_refusal() {
        let folder = tempfile::tempdir().unwrap();
        with_own_mounts(|| {
            mount(Some("tmpfs"), folder.path(), Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>).unwrap();
            let error = write(&folder.path().join("passwd"), b"x", Attributes::own(0o644)).unwrap_err();
            assert!(error.is_refusal(), "{error}");
        });
    }
}
