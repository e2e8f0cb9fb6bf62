//! The machine's file systems as the container sees them: each under a layer of its own that takes what is written.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::mounts::Mount;

const NOTHING: Option<&str> = None;

/// Mounts them below `root`. The machine's root has to be mounted; of the others, what cannot be written to without
/// changing it is read-only in the container, and what cannot be had at all is named and left out.
///
/// # Errors
/// The machine's root cannot be mounted so.
pub fn mount_all(mounts: &[Mount], layers: &Path, root: &Path) -> Result<()> {
    for mount in mounts {
        let target = below(root, &mount.point);
        let overlaid = match mount.point.metadata() {
            // A single file is mounted over another one, as containers do with /etc/hosts.
            Ok(found) if !found.is_dir() => Err(Errno::ENOTDIR),
            Ok(_) => overlay(mount, &layers.join(name(&mount.point)), &target),
            Err(error) => {
                eprintln!("devinit: {} is left out: {error}", mount.point.display());
                continue;
            }
        };
        let Err(errno) = overlaid else { continue };
        if mount.point == Path::new("/") {
            return Err(errno).context("the machine's root cannot be the lower layer of an overlay");
        }
        match read_only(&mount.point, &target, mount.flags) {
            Err(errno) => eprintln!("devinit: {} is left out: {}", mount.point.display(), errno.desc()),
            Ok(()) if errno == Errno::ENOTDIR => {}
            Ok(()) => eprintln!("devinit: {} is read-only: {}", mount.point.display(), errno.desc()),
        }
    }
    Ok(())
}

/// Where a path of the machine is below `root`.
pub fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Shows `source` at `target`, and lets nobody write to it there.
pub fn read_only(source: &Path, target: &Path, flags: MsFlags) -> nix::Result<()> {
    mount(Some(source), target, NOTHING, MsFlags::MS_BIND, NOTHING)?;
    let again = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(NOTHING, target, NOTHING, again | flags, NOTHING)
}

fn overlay(lower: &Mount, layer: &Path, target: &Path) -> nix::Result<()> {
    let (upper, work) = (layer.join("upper"), layer.join("work"));
    prepare(&lower.point, &upper, &work).map_err(errno)?;
    let mut options = OsString::new();
    for (name, path) in [("lowerdir=", lower.point.as_path()), (",upperdir=", &upper), (",workdir=", &work)] {
        options.push(name);
        options.push(escaped(path));
    }
    mount(Some("overlay"), target, Some("overlay"), lower.flags, Some(options.as_os_str()))
}

/// The top folder of an overlay is the upper layer's, so it has to look like the lower one's.
fn prepare(lower: &Path, upper: &Path, work: &Path) -> io::Result<()> {
    let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    make(work)?;
    if upper.exists() {
        return Ok(());
    }
    make(upper)?;
    let like = fs::metadata(lower)?;
    chown(upper, Some(like.uid()), Some(like.gid()))?;
    fs::set_permissions(upper, fs::Permissions::from_mode(like.mode() & 0o7777))
}

fn errno(error: io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// A file name that stands for this path and no other.
fn name(path: &Path) -> OsString {
    let mut name = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' => name.extend(b"%25"),
            b'/' => name.extend(b"%2F"),
            other => name.push(*other),
        }
    }
    OsString::from_vec(name)
}

/// A path among an overlay's options, where commas and colons are separators.
fn escaped(path: &Path) -> OsString {
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b',' | b':') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    OsString::from_vec(escaped)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn paths_that_look_alike_have_layers_of_their_own() {
        assert_eq!(name(Path::new("/")), "%2F");
        assert_ne!(name(Path::new("/a/b")), name(Path::new("/a%2Fb")));
        assert!(!name(Path::new("/a/b")).as_bytes().contains(&b'/'));
    }

    #[test]
    fn separators_of_options_are_escaped() {
        assert_eq!(escaped(Path::new(r"/a:b,c\d")), OsStr::new(r"/a\:b\,c\\d"));
    }

    #[test]
    fn an_upper_layer_begins_with_mode_and_owner_of_the_lower_one_and_keeps_its_own_later() {
        let folder = tempfile::tempdir().unwrap();
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| folder.path().join(name));
        fs::create_dir(&lower).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(&lower, 0o1751);
        prepare(&lower, &upper, &work).unwrap();
        assert_eq!(mode(&upper), 0o1751);
        set(&upper, 0o700);
        prepare(&lower, &upper, &work).unwrap();
        assert_eq!(mode(&upper), 0o700);
    }
}
