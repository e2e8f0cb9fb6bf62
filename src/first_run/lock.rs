//! One run at a time for each home, and for what is for everyone; and how the one that runs stands: a file that is locked
//! while it runs, and that holds its [`Progress`] for those who wait.
//!
//! It lies beside the records, so two containers that share a home meet there. The file is opened as its user, in a child that
//! hands the descriptor over: root never walks through a folder that the user controls.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::geteuid;

use super::{Owner, Progress};
use crate::fetch::{Failure, failure};
use crate::sys;

/// The longest progress that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// Its name in the state folder.
const FILE: &str = "lock";

/// The file of a run.
pub struct Lock {
    file: File,
}

impl Lock {
    /// Opens the file, and makes it where it is missing. It is not locked yet.
    ///
    /// # Errors
    /// The state folder cannot be made or written to by its user.
    pub fn open(owner: &Owner) -> Result<Self, Failure> {
        let state = owner.place.state();
        let account = &owner.account;
        let opened = if geteuid().as_raw() == account.uid {
            open(&state)
        } else {
            open_as(account.uid, account.gid, &account.groups, &state)
        };
        let what = format!("{} cannot write to {}", account.name, state.display());
        let errno = opened.as_ref().err().and_then(io::Error::raw_os_error);
        let file = opened.map_err(failure::io(what)).map_err(|failure| {
            let hint = if is_no_file(errno) {
                format!("{} is no file: remove it", state.join(FILE).display())
            } else {
                format!("is {} there, and does it belong to {}?", owner.place.base.display(), account.name)
            };
            if failure.hint.is_none() { failure.hint(hint) } else { failure }
        })?;
        Ok(Self { file })
    }

    /// Takes the lock unless someone else has it. It is held as long as this, or a fork of this process, lives.
    ///
    /// # Errors
    /// Those of flock(2): a file system without locks.
    pub fn take(&self) -> Result<bool, Failure> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            // There is nobody to exclude where nobody can be: better than never to install anything.
            Err(TryLockError::Error(error)) if is_without_locks(&error) => Ok(true),
            Err(TryLockError::Error(error)) => Err(failure::io("failed to lock the first run")(error)),
        }
    }

    /// Tells those who wait how it stands. What cannot be told is left out.
    pub fn tell(&self, progress: &[u8]) {
        let _ = self.file.write_all_at(progress, 0);
        let _ = self.file.set_len(progress.len() as u64);
    }

    /// What the one who has the lock last told. While it is being written there may be nothing that can be read.
    #[must_use]
    pub fn hear(&self) -> Option<Progress> {
        let length = self.file.metadata().ok()?.len().min(LONGEST);
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        self.file.read_exact_at(&mut bytes, 0).ok()?;
        super::progress::parse(&bytes)
    }
}

/// Whether something else has the name of the file.
fn is_no_file(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::EISDIR | libc::EINVAL | libc::ELOOP | libc::ENXIO))
}

/// Whether it is a file system without locks, or one whose server keeps none (NFS).
fn is_without_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(libc::ENOLCK)
}

fn open(state: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o755).create(state)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(state.join(FILE))?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::from_raw_os_error(libc::EINVAL)) }
}

/// Opens it in a child that has become the user.
fn open_as(uid: u32, gid: u32, groups: &[u32], state: &Path) -> io::Result<File> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Datagram, None, SockFlag::SOCK_CLOEXEC)?;
    let code = sys::as_user(uid, gid, groups, &mut || {
        let sent = match open(state) {
            Ok(file) => sys::send_file(&theirs, 0, Some(&file)),
            Err(error) => sys::send_file(&theirs, error.raw_os_error().unwrap_or(libc::EIO), None),
        };
        i32::from(sent.is_err())
    })?;
    if code != 0 {
        return Err(io::Error::other(format!("the child ended with {code}")));
    }
    let (errno, file) = sys::receive_file(&ours)?;
    file.ok_or_else(|| io::Error::from_raw_os_error(errno))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::super::Place;
    use super::*;
    use crate::prepare::accounts::Account;

    fn owner(home: &Path, uid: u32) -> Owner {
        let account = Account {
            name: "peid".to_owned(),
            uid,
            gid: uid,
            home: home.to_owned(),
            shell: "/bin/sh".into(),
            groups: vec![uid],
            created: false,
        };
        Owner { account, place: Place::home(home) }
    }

    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        home
    }

    #[test]
    fn only_one_has_the_lock_and_the_other_hears_how_it_stands() {
        let home = home();
        let owner = owner(home.path(), geteuid().as_raw());
        let (first, second) = (Lock::open(&owner).unwrap(), Lock::open(&owner).unwrap());
        assert!(first.take().unwrap());
        assert!(!second.take().unwrap());
        for pid in [123_456, 7] {
            let progress = Progress { schema: 1, pid, ..Progress::default() };
            first.tell(&serde_json::to_vec(&progress).unwrap());
            assert_eq!(second.hear().unwrap().pid, pid);
        }
        drop(first);
        assert!(second.take().unwrap());
    }

    #[test]
    fn what_has_its_name_and_is_no_file_is_told() {
        let home = home();
        let owner = owner(home.path(), geteuid().as_raw());
        let path = owner.place.state().join(FILE);
        std::fs::create_dir_all(&path).unwrap();
        let hint = Lock::open(&owner).err().unwrap().hint.unwrap();
        assert_eq!(hint, format!("{} is no file: remove it", path.display()));
    }

    #[test]
    fn a_server_that_keeps_no_locks_keeps_nobody_from_installing() {
        assert!(is_without_locks(&io::Error::from_raw_os_error(libc::ENOLCK)));
        assert!(is_without_locks(&io::Error::from_raw_os_error(libc::EOPNOTSUPP)));
        assert!(!is_without_locks(&io::Error::from_raw_os_error(libc::EIO)));
    }

    #[test]
    fn root_opens_it_as_the_user() {
        if !geteuid().is_root() {
            return;
        }
        let home = home();
        std::os::unix::fs::chown(home.path(), Some(3100), Some(3100)).unwrap();
        let lock = Lock::open(&owner(home.path(), 3100)).unwrap();
        assert_eq!(lock.file.metadata().unwrap().uid(), 3100);
        assert!(lock.take().unwrap());
    }

    #[test]
    fn where_the_user_may_not_write_root_does_not_either() {
        if !geteuid().is_root() {
            return;
        }
        let (home, elsewhere) = (home(), tempfile::tempdir().unwrap());
        let failure = Lock::open(&owner(home.path(), 3100)).err().unwrap();
        assert!(failure.text.starts_with("peid cannot write to ") && failure.hint.is_some(), "{failure:?}");
        let state = owner(home.path(), 3100).place.state();
        std::fs::create_dir_all(state.parent().unwrap()).unwrap();
        symlink(elsewhere.path(), &state).unwrap();
        assert!(Lock::open(&owner(home.path(), 3100)).is_err());
        assert!(elsewhere.path().read_dir().unwrap().next().is_none());
    }
}
