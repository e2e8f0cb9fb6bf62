//! Locks the account files the way shadow-utils does, so that a useradd at the same time neither loses our lines nor
//! we its own: the lock of lckpwdf(3), then a `.lock` file with the holder's process id beside each file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::prepare::write::{is_alive, is_refusal, remove_leftovers, temporary_name};

/// How long lckpwdf(3) waits, too.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
const FILES: [&str; 4] = ["passwd", "shadow", "group", "gshadow"];
const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    /// Nothing can be written there at all.
    #[error("failed to write {}: {}", .0.display(), .1.desc())]
    Refused(PathBuf, Errno),
    /// Something went wrong.
    #[error("failed to lock {}: {}", .0.display(), .1.desc())]
    Failed(PathBuf, Errno),
    /// Someone else has it.
    #[error("failed to lock the account files: {holder} holds {} for more than {} s; try again when it is done, \
             or remove the file if nothing is running", .path.display(), .patience.as_secs())]
    Held {
        /// The lock.
        path: PathBuf,
        /// Who has it.
        holder: String,
        /// How long we have waited.
        patience: Duration,
    },
}

/// The lock on all account files, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    /// The `.lock` files that are ours.
    files: Vec<PathBuf>,
    /// Closing it releases the lock of lckpwdf(3): after the others, as it was taken before them.
    _all: File,
}

impl Lock {
    /// Takes the lock, waiting for at most `patience`.
    pub(super) fn take(etc: &Path, patience: Duration) -> Result<Self, LockError> {
        let started = Instant::now();
        let path = etc.join(".pwd.lock");
        let all = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(|error| failure(&path, &error))?;
        while !try_record_lock(&all).map_err(|errno| LockError::Failed(path.clone(), errno))? {
            if started.elapsed() >= patience {
                return Err(LockError::Held { path, holder: "another process".into(), patience });
            }
            sleep(PAUSE);
        }
        let mut lock = Self { files: Vec::new(), _all: all };
        for name in FILES {
            let name = format!("{name}.lock");
            remove_leftovers(etc, name.as_ref());
            let path = etc.join(name);
            while !try_lock_file(&path).map_err(|error| failure(&path, &error))? {
                let holder = holder(&path);
                if holder.is_none_or(|pid| pid != own_pid() && is_alive(pid)) {
                    if started.elapsed() < patience {
                        sleep(PAUSE);
                        continue;
                    }
                    // A lock file gets its content before its name: one without was cut short by a power failure.
                    if let Some(pid) = holder {
                        return Err(LockError::Held { path, holder: format!("process {pid}"), patience });
                    }
                }
                remove(&path).map_err(|error| failure(&path, &error))?;
            }
            lock.files.push(path);
        }
        Ok(lock)
    }
}

/// Removes the lock files of a killed run: once their process id is given to another process they would hold up
/// shadow-utils.
pub(super) fn remove_stale(etc: &Path) {
    if FILES.iter().any(|name| etc.join(format!("{name}.lock")).exists()) {
        // What cannot be had at once is somebody's.
        drop(Lock::take(etc, Duration::ZERO));
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        for path in self.files.iter().rev() {
            let _ = fs::remove_file(path);
        }
    }
}

/// The lock of lckpwdf(3). It ends with its process, so that there are no stale ones.
fn try_record_lock(file: &File) -> Result<bool, Errno> {
    let range = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_SETLK(&range)) {
        Ok(_) => Ok(true),
        Err(Errno::EACCES | Errno::EAGAIN | Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Makes the `.lock` file with our process id in it, in one step by link(2); false if there is one already.
fn try_lock_file(path: &Path) -> io::Result<bool> {
    let temporary = path.with_file_name(temporary_name(path.file_name().unwrap_or_default()));
    remove(&temporary)?;
    let linked = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        // shadow-utils writes the NUL as well.
        .and_then(|mut file| file.write_all(format!("{}\0", own_pid()).as_bytes()))
        .and_then(|()| fs::hard_link(&temporary, path));
    remove(&temporary)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// The process id in a `.lock` file.
fn holder(path: &Path) -> Option<i32> {
    let content = fs::read_to_string(path).ok()?;
    content.trim_matches(|c: char| c == '\0' || c.is_whitespace()).parse().ok()
}

fn own_pid() -> i32 {
    std::process::id().cast_signed()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failure(path: &Path, error: &io::Error) -> LockError {
    let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    if is_refusal(errno) {
        LockError::Refused(path.to_owned(), errno)
    } else {
        LockError::Failed(path.to_owned(), errno)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);

    fn names(etc: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(etc).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_lock_files_carry_our_pid_and_go_with_the_lock() {
        let etc = tempfile::tempdir().unwrap();
        let lock = Lock::take(etc.path(), SHORT).unwrap();
        assert_eq!(names(etc.path()), [".pwd.lock", "group.lock", "gshadow.lock", "passwd.lock", "shadow.lock"]);
        assert_eq!(fs::read_to_string(etc.path().join("passwd.lock")).unwrap(), format!("{}\0", std::process::id()));
        drop(lock);
        assert_eq!(names(etc.path()), [".pwd.lock"]);
    }

    #[test]
    fn the_lock_of_a_dead_process_is_taken_over() {
        let etc = tempfile::tempdir().unwrap();
        fs::write(etc.path().join("shadow.lock"), "2147483647\0").unwrap();
        // Left by an earlier life of this container, in which this id was ours.
        fs::write(etc.path().join("group.lock"), std::process::id().to_string()).unwrap();
        drop(Lock::take(etc.path(), SHORT).unwrap());
        assert_eq!(names(etc.path()), [".pwd.lock"]);
    }

    #[test]
    fn stale_locks_go_and_living_ones_stay() {
        let etc = tempfile::tempdir().unwrap();
        remove_stale(etc.path());
        assert_eq!(names(etc.path()), Vec::<String>::new());
        fs::write(etc.path().join("passwd.lock"), "2147483647\0").unwrap();
        fs::write(etc.path().join("shadow.lock"), "1\0").unwrap();
        remove_stale(etc.path());
        assert_eq!(names(etc.path()), [".pwd.lock", "shadow.lock"]);
    }

    #[test]
    fn a_lock_file_without_a_pid_is_taken_over_after_the_wait() {
        let etc = tempfile::tempdir().unwrap();
        fs::write(etc.path().join("passwd.lock"), "").unwrap();
        let started = Instant::now();
        drop(Lock::take(etc.path(), SHORT).unwrap());
        assert!(started.elapsed() >= SHORT);
    }

    #[test]
    fn the_lock_of_a_living_process_is_respected_and_what_was_taken_is_given_back() {
        let etc = tempfile::tempdir().unwrap();
        let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(etc.path().join("group.lock"), sleeper.id().to_string()).unwrap();
        let error = Lock::take(etc.path(), SHORT).unwrap_err().to_string();
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert!(error.contains(&format!("process {} holds", sleeper.id())), "{error}");
        assert_eq!(names(etc.path()), [".pwd.lock", "group.lock"]);
        drop(Lock::take(etc.path(), SHORT).unwrap());
    }

    #[test]
    fn the_lock_of_lckpwdf_is_respected() {
        let etc = tempfile::tempdir().unwrap();
        let path = etc.path().join(".pwd.lock");
        let script = "import fcntl,sys\nf=open(sys.argv[1],'w')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()";
        let Ok(mut holder) = Command::new("python3")
            .args(["-c", script])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        else {
            return;
        };
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(holder.stdout.take().unwrap()), &mut line).unwrap();
        assert_eq!(line, "held\n");
        assert!(matches!(Lock::take(etc.path(), SHORT), Err(LockError::Held { .. })));
        drop(holder.stdin.take());
        holder.wait().unwrap();
        drop(Lock::take(etc.path(), SHORT).unwrap());
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_failure_that_names_the_path() {
        let error = Lock::take(Path::new("/nonexistent"), SHORT).unwrap_err();
        assert_eq!(error.to_string(), "failed to lock /nonexistent/.pwd.lock: No such file or directory");
    }
}
