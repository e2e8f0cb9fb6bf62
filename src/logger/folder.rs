//! The folder that a log file is in.
//!
//! The logger is root, and a log may be in a folder of the service's user, who can put a link in its place at any time. So
//! a folder is gone into step by step, and from where on someone else can rename things no link is followed: root
//! creates, renames and removes nothing but where the config says.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat, renameat};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

/// As many links are followed as Linux does.
const MOST_LINKS: u32 = 40;
/// To pass through a folder needs no right to read it.
const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// A folder that stays the same whatever becomes of the path to it.
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens the folder of a file; the folders that are missing are made (mode 0755, less the umask) if `make` says so.
    ///
    /// # Errors
    /// Those of openat(2) and mkdirat(2); ELOOP for a link that someone else may have put there.
    pub fn of(file: &Path, make: bool) -> io::Result<Self> {
        let mut left: VecDeque<OsString> = parts(file.parent().unwrap_or(Path::new("/")));
        let root = || open("/", FOLDER, Mode::empty());
        let (mut at, mut links) = (root()?, 0);
        let mut others = false;
        while let Some(part) = left.pop_front() {
            let here = fstat(&at)?;
            others |= !is_ours(&here) || is_writable_by_others(&here) && !is_sticky(&here);
            match openat(&at, part.as_os_str(), FOLDER, Mode::empty()) {
                Ok(next) => at = next,
                Err(Errno::ENOENT) if make => {
                    match mkdirat(&at, part.as_os_str(), Mode::from_bits_truncate(0o755)) {
                        Ok(()) | Err(Errno::EEXIST) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                    at = openat(&at, part.as_os_str(), FOLDER, Mode::empty())?;
                }
                Err(errno @ (Errno::ENOTDIR | Errno::ELOOP)) => {
                    let found = fstatat(&at, part.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
                    if !is(&found, SFlag::S_IFLNK) {
                        return Err(errno.into());
                    }
                    links += 1;
                    if others || !is_ours(&found) || links > MOST_LINKS {
                        return Err(Errno::ELOOP.into());
                    }
                    let target = readlinkat(&at, part.as_os_str())?;
                    if Path::new(&target).is_absolute() {
                        at = root()?;
                    }
                    left = parts(Path::new(&target)).into_iter().chain(left).collect();
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(Self(at))
    }

    /// Opens the file of this name, or makes it, where nothing may be then. O_NONBLOCK: a FIFO does not hold us up.
    ///
    /// # Errors
    /// Those of openat(2): ELOOP for a link.
    pub fn open(&self, name: &OsStr, new: bool) -> io::Result<File> {
        let new = if new { OFlag::O_CREAT | OFlag::O_EXCL } else { OFlag::empty() };
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        Ok(openat(&self.0, name, flags | new | OFlag::O_CLOEXEC, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }

    /// Whether there is nothing of this name.
    pub fn lacks(&self, name: &OsStr) -> bool {
        fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_err()
    }

    /// Gives what has this name another one.
    ///
    /// # Errors
    /// Those of renameat(2).
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, self.0.as_fd(), to)?)
    }

    /// Removes the file of this name.
    ///
    /// # Errors
    /// Those of unlinkat(2).
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(named).map(|part| part.as_os_str().to_owned()).collect()
}

fn is(found: &FileStat, kind: SFlag) -> bool {
    found.st_mode & libc::S_IFMT == kind.bits()
}

/// Whether it belongs to root or to who devinit runs as.
fn is_ours(found: &FileStat) -> bool {
    found.st_uid == 0 || found.st_uid == geteuid().as_raw()
}

/// The group of root is no one else's.
fn is_writable_by_others(found: &FileStat) -> bool {
    found.st_mode & 0o002 != 0 || found.st_mode & 0o020 != 0 && found.st_gid != 0
}

/// Whether only its owner can rename what is in this folder.
fn is_sticky(found: &FileStat) -> bool {
    found.st_mode & libc::S_ISVTX != 0
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::path::PathBuf;

    use super::*;

    const USER: u32 = 3100;

    /// A victim's folder beside one that a user has.
    struct World {
        place: tempfile::TempDir,
        /// Whose folder it is can be set by root only.
        root: bool,
    }

    impl World {
        fn new() -> Self {
            let world = Self { place: tempfile::tempdir().unwrap(), root: geteuid().is_root() };
            fs::create_dir(world.path("victim")).unwrap();
            fs::create_dir(world.path("home")).unwrap();
            if world.root {
                chown(world.path("home"), Some(USER), Some(USER)).unwrap();
            } else {
                fs::set_permissions(world.path("home"), Permissions::from_mode(0o777)).unwrap();
            }
            world
        }

        fn path(&self, name: &str) -> PathBuf {
            self.place.path().join(name)
        }

        fn error(&self, file: &str) -> Option<i32> {
            Folder::of(&self.path(file), true).err().and_then(|error| error.raw_os_error())
        }

        fn untouched(&self) -> bool {
            self.path("victim").read_dir().unwrap().next().is_none()
        }
    }

    #[test]
    fn no_link_in_a_users_folder_leads_root_elsewhere() {
        let world = World::new();
        symlink(world.path("victim"), world.path("home/logs")).unwrap();
        symlink("../victim", world.path("home/near")).unwrap();
        symlink(world.path("nowhere"), world.path("home/dangling")).unwrap();
        for file in ["home/logs/a.log", "home/logs/b/c/a.log", "home/near/a.log", "home/dangling/a.log"] {
            assert_eq!(world.error(file), Some(libc::ELOOP), "{file}");
        }
        assert!(world.untouched() && !world.path("nowhere").exists());
        // Nor one behind a folder in it that is root's.
        fs::create_dir(world.path("home/roots")).unwrap();
        symlink(world.path("victim"), world.path("home/roots/link")).unwrap();
        assert_eq!(world.error("home/roots/link/a.log"), Some(libc::ELOOP));
    }

    #[test]
    fn links_of_roots_are_followed_where_nobody_else_can_put_any() {
        let world = World::new();
        symlink("victim", world.path("one")).unwrap();
        symlink(world.path("one"), world.path("two")).unwrap();
        Folder::of(&world.path("two/deep/er/a.log"), true).unwrap().open("a.log".as_ref(), true).unwrap();
        let folder = world.path("victim/deep/er");
        assert!(folder.join("a.log").is_file());
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o755);
        symlink("round", world.path("round")).unwrap();
        assert_eq!(world.error("round/a.log"), Some(libc::ELOOP));
    }

    #[test]
    fn in_a_folder_like_tmp_only_a_link_of_ours_is_followed() {
        let world = World::new();
        if !world.root {
            return;
        }
        let tmp = world.path("victim");
        fs::set_permissions(&tmp, Permissions::from_mode(0o1777)).unwrap();
        fs::create_dir(world.path("target")).unwrap();
        for (owner, error) in [(USER, Some(libc::ELOOP)), (0, None)] {
            let link = tmp.join(format!("link-{owner}"));
            symlink(world.path("target"), &link).unwrap();
            std::os::unix::fs::lchown(&link, Some(owner), None).unwrap();
            assert_eq!(world.error(&format!("victim/link-{owner}/a.log")), error);
        }
    }

    #[test]
    fn a_folder_is_the_same_after_another_one_has_taken_its_place() {
        let world = World::new();
        fs::create_dir(world.path("home/logs")).unwrap();
        let folder = Folder::of(&world.path("home/logs/a.log"), true).unwrap();
        fs::rename(world.path("home/logs"), world.path("home/old")).unwrap();
        symlink(world.path("victim"), world.path("home/logs")).unwrap();
        folder.open("a.log".as_ref(), true).unwrap();
        folder.rename("a.log".as_ref(), "b".as_ref()).unwrap();
        assert!(folder.lacks("a.log".as_ref()) && !folder.lacks("b".as_ref()));
        folder.remove("b".as_ref()).unwrap();
        assert!(world.untouched());
    }

    #[test]
    fn a_folder_that_is_missing_is_made_only_if_that_is_wanted() {
        let world = World::new();
        assert_eq!(Folder::of(&world.path("new/a.log"), false).err().unwrap().kind(), io::ErrorKind::NotFound);
        assert!(!world.path("new").exists());
        fs::write(world.path("file"), "").unwrap();
        assert_eq!(world.error("file/a.log"), Some(libc::ENOTDIR));
    }
}
