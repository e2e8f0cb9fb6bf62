//! Puts things into place: complete under another name beside it, on the disk, then renamed.
//!
//! What stands under its final name is whole at any instant, also after a power loss. A process that is killed leaves at
//! most a hidden file or folder beside the target: `.NAME.devinit-new` (not complete, or not wanted any more) or
//! `.NAME.devinit-old` (what stood there before). The next call for the same target clears them away, so only one
//! process at a time may put something in the same place.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::libc::{O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK};

use crate::fetch::Failure;
use crate::fetch::failure;

/// Puts a file, with these permissions, where `target` says; folders above it are made. What stands there is replaced,
/// also while it runs. `staged` is gone afterwards.
///
/// # Errors
/// Those of the disk; a folder in its place.
pub fn file(staged: &Path, target: &Path, mode: u32) -> Result<(), Failure> {
    let place = Place::prepare(target)?;
    place.refuse_folder()?;
    let copied = place.bring(staged, copy_file, |path| sync_file(path, mode))?;
    place.rename_in()?;
    copied.map_or(Ok(()), remove).map_err(failure::io(format_args!("failed to remove {}", staged.display())))
}

/// Puts a folder with all that is in it where `target` says; folders above it are made. A folder that stands there is
/// replaced as a whole, or stays as it was; but one of the image's own layers is removed first, for overlayfs cannot
/// rename it. `staged` is gone afterwards.
///
/// # Errors
/// Those of the disk; something other than a folder in its place.
pub fn tree(staged: &Path, target: &Path) -> Result<(), Failure> {
    let place = Place::prepare(target)?;
    let replaces = match fs::symlink_metadata(target) {
        Ok(there) if !there.is_dir() => {
            return Err(Failure::permanent(format!("{} is in the way: it is not a folder", target.display()))
                .hint("move it away and run it again"));
        }
        there => there.is_ok(),
    };
    let copied = place.bring(staged, copy_tree, sync_tree)?;
    if replaces {
        place.move_away()?;
    }
    if let Err(failure) = place.rename_in() {
        let _ = fs::rename(&place.old, target);
        return Err(failure);
    }
    // What cannot be removed now is in the way of the next install, which says so. This one is done.
    let _ = remove(&place.old);
    copied.map_or(Ok(()), remove).map_err(failure::io(format_args!("failed to remove {}", staged.display())))
}

/// Makes `link` a symlink to `target`, relative if both are below the same folder; a file or link there is replaced.
/// Folders above it are made. `target` is absolute, and need not be there.
///
/// # Errors
/// Those of the disk; a folder in its place.
pub fn link(target: &Path, link: &Path) -> Result<(), Failure> {
    let place = Place::prepare(link)?;
    place.refuse_folder()?;
    let text = relative(target, &place.folder).unwrap_or_else(|| target.to_owned());
    if fs::read_link(link).is_ok_and(|there| there == text) {
        return Ok(());
    }
    symlink(text, &place.new).map_err(place.failed())?;
    place.rename_in()
}

/// Where something is to go, with the names beside it that are used on the way.
struct Place<'a> {
    target: &'a Path,
    /// The folder that the target is in.
    folder: PathBuf,
    new: PathBuf,
    old: PathBuf,
}

impl<'a> Place<'a> {
    /// Makes the folder, and clears away what a killed attempt left.
    fn prepare(target: &'a Path) -> Result<Self, Failure> {
        let (Some(name), Some(folder)) = (target.file_name(), target.parent()) else {
            return Err(Failure::permanent(format!("{} is no place for a file or a folder", target.display())));
        };
        let hidden = |suffix: &str| {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(suffix);
            folder.join(hidden)
        };
        let place =
            Self { target, folder: folder.to_owned(), new: hidden(".devinit-new"), old: hidden(".devinit-old") };
        make_folders(folder)?;
        place.clear()?;
        Ok(place)
    }

    fn clear(&self) -> Result<(), Failure> {
        // Killed after the old one was moved away and before the new one came.
        if missing(self.target) && !missing(&self.old) {
            fs::rename(&self.old, self.target).map_err(self.failed())?;
        }
        for leftover in [&self.new, &self.old] {
            remove(leftover).map_err(|error| {
                failure::io(format_args!("failed to remove {}, left by an earlier attempt", leftover.display()))(error)
                    .hint("remove it by hand and run it again")
            })?;
        }
        Ok(())
    }

    fn refuse_folder(&self) -> Result<(), Failure> {
        match fs::symlink_metadata(self.target) {
            Ok(there) if there.is_dir() => {
                Err(Failure::permanent(format!("{} is in the way: it is a folder", self.target.display()))
                    .hint("move it away and run it again"))
            }
            _ => Ok(()),
        }
    }

    /// Brings what is staged beside the target, all of it on the disk. Returns what is staged if it is still there: it
    /// is copied where it lies on another file system.
    ///
    /// It is on the disk before it moves. That takes long, and whoever is killed meanwhile finds it where it was.
    fn bring<'s>(
        &self,
        staged: &'s Path,
        copy: impl Fn(&Path, &Path) -> io::Result<()>,
        sync: impl Fn(&Path) -> io::Result<()>,
    ) -> Result<Option<&'s Path>, Failure> {
        let move_here = || {
            sync(staged)?;
            match fs::rename(staged, &self.new) {
                Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
                result => return result.map(|()| None),
            }
            // A full disk should not stay full.
            copy(staged, &self.new).and_then(|()| sync(&self.new)).inspect_err(|_| drop(remove(&self.new)))?;
            Ok(Some(staged))
        };
        move_here().map_err(failure::io(format_args!(
            "failed to move {} to {}",
            staged.display(),
            self.target.display()
        )))
    }

    /// Makes room for another folder.
    fn move_away(&self) -> Result<(), Failure> {
        match fs::rename(self.target, &self.old) {
            // Overlayfs renames no folder of the image's layers, so there is no way back from here.
            Err(error) if error.kind() == ErrorKind::CrossesDevices => remove(self.target),
            result => result,
        }
        .map_err(self.failed())
    }

    fn rename_in(&self) -> Result<(), Failure> {
        fs::rename(&self.new, self.target).and_then(|()| sync_folder(&self.folder)).map_err(self.failed())
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> Failure {
        failure::io(format!("failed to put {} into place", self.target.display()))
    }
}

/// Makes a folder and those above it, with the mode 0755 each, so that they outlast a power loss.
fn make_folders(folder: &Path) -> Result<(), Failure> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new("/"));
    make_folders(above)?;
    let make = || match DirBuilder::new().mode(0o755).create(folder) {
        // Another step was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            // Whatever the umask leaves. Of this very folder, and not of what a link there leads to by now.
            let made = OpenOptions::new().read(true).custom_flags(O_DIRECTORY | O_NOFOLLOW).open(folder)?;
            made.set_permissions(Permissions::from_mode(0o755))?;
            sync_folder(above)
        }
    };
    make().map_err(|error| {
        let in_the_way = error.kind() == ErrorKind::AlreadyExists;
        let failure = failure::io(format_args!("failed to make the folder {}", folder.display()))(error);
        if in_the_way {
            failure.hint("something other than a folder is there: move it away and run it again")
        } else {
            failure
        }
    })
}

/// Sets the mode of a file and waits until all of it is on the disk.
fn sync_file(path: &Path, mode: u32) -> io::Result<()> {
    let file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "what is staged is not a file"));
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Waits until the whole file system of a folder is on the disk: once, and not for each of thousands of files.
fn sync_tree(folder: &Path) -> io::Result<()> {
    let folder = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(folder)?;
    if !folder.metadata()?.is_dir() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "what is staged is not a folder"));
    }
    match nix::unistd::syncfs(&folder) {
        // Sandboxes that do not have it.
        Err(Errno::ENOSYS | Errno::EPERM) => nix::unistd::sync(),
        result => result?,
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match File::open(folder)?.sync_all() {
        // File systems in user space that sync files only.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Copies a folder with all that is in it, for what is thrown away again: nothing waits for the disk. What stands at `to`
/// is removed first; folders above it are made.
///
/// # Errors
/// Those of the disk.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let copy = || {
        remove(to)?;
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        copy_tree(from, to)
    };
    copy().map_err(failure::io(format_args!("failed to copy {} to {}", from.display(), to.display())))
}

/// Copies a file with its permissions to where there is none: nothing is written through a link that someone has put
/// there meanwhile.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(from)?;
    let permissions = source.metadata()?.permissions();
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.set_permissions(permissions)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&path, &copy)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path)?, &copy)?;
        } else if kind.is_file() {
            copy_file(&path, &copy)?;
        } else {
            return Err(io::Error::other(format!("{} is neither a file nor a folder nor a link", path.display())));
        }
    }
    OpenOptions::new()
        .read(true)
        .custom_flags(O_DIRECTORY | O_NOFOLLOW)
        .open(to)?
        .set_permissions(from.metadata()?.permissions())
}

/// Removes whatever is there, if anything is.
fn remove(path: &Path) -> io::Result<()> {
    let result = match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => remove_tree(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        // Caches of modules are often kept without the right to write.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            allow_removal(folder)?;
            fs::remove_dir_all(folder)
        }
        result => result,
    }
}

fn allow_removal(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            allow_removal(&entry.path())?;
        }
    }
    Ok(())
}

fn missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The way from a folder to a target, if both have a folder above them in common, and the way up to it is not through a
/// link: then `..` would lead elsewhere.
fn relative(target: &Path, folder: &Path) -> Option<PathBuf> {
    if folder.canonicalize().ok()? != folder {
        return None;
    }
    let is_plain = |part: &Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if !target.is_absolute() || !target.components().all(|part| is_plain(&part)) {
        return None;
    }
    let common = target.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    // The first one is the root, which all have in common.
    if common < 2 {
        return None;
    }
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(target.components().skip(common)).collect();
    (!path.as_os_str().is_empty()).then_some(path)
}

#[cfg(test)]
mod tests;
