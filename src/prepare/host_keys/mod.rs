//! The host's own keys: made at the first boot, kept on a volume, never taken from an image.
//!
//! A key that is baked into an image is known to everybody who can pull it. A key that changes with each container
//! teaches people to ignore the warning about it.

mod private_key;

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::keys::ed25519;
use super::keys::wire::{decode_base64, encode_base64, fingerprint, key_type};
use super::write::{self, Attributes};
use crate::note::Note;
use crate::sorted;
use private_key::HostKey;

/// The name of the key that devinit makes.
const OWN: &str = "ssh_host_ed25519_key";

/// The host keys that sshd is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostKeys {
    /// The files of the private keys. Empty only if none could be written anywhere, which the notes tell.
    pub paths: Vec<PathBuf>,
    /// `SHA256:… (ED25519)` of each key, as ssh shows it.
    pub fingerprints: Vec<String>,
    /// What was found, made, mended, or left alone.
    pub notes: Vec<Note>,
}

/// Finds or makes the host keys in `folder`; `fallback` takes what can live for this boot only; `baked` is the folder
/// that images leave theirs in (`/etc/ssh`). A second run changes nothing.
pub fn prepare(folder: &Path, fallback: &Path, baked: &Path) -> HostKeys {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    prepare_with(folder, fallback, baked, &mounts)
}

fn prepare_with(folder: &Path, fallback: &Path, baked: &Path, mounts: &str) -> HostKeys {
    let mut keys = HostKeys::default();
    if folder != baked {
        keys.take_mounted_and_remove_baked(baked, fallback, mounts);
    }
    let found = key_files(folder);
    let damaged = found.iter().filter(|path| !keys.take(path, fallback)).count();
    if damaged > 0 && keys.paths.is_empty() {
        keys.notes.push(Note::warning("the host key of this boot is a makeshift: ssh will warn that it changed"));
        keys.make(fallback);
    } else if keys.paths.is_empty()
        && let Err(error) = make_folder(folder).and_then(|()| write_new_key(folder))
    {
        keys.notes.push(Note::warning(format!(
            "the host key cannot be kept in {} ({error}): it changes with the next container, and ssh will warn; \
             mount a writable volume there (-v NAME:{})",
            folder.display(),
            folder.display()
        )));
        keys.make(fallback);
    } else if keys.paths.is_empty() {
        keys.take(&folder.join(OWN), fallback);
    }
    keys
}

impl HostKeys {
    /// Adds a key that exists; false if it is damaged, which is said and left as it is.
    fn take(&mut self, path: &Path, fallback: &Path) -> bool {
        match private_key::read(path) {
            Ok(key) => {
                if let Some(path) = self.protect(path, &key, fallback) {
                    self.add(path, &key);
                }
                true
            }
            Err(reason) => {
                self.notes.push(Note::error(format!(
                    "the host key {} cannot be used: {reason}; put the right file there, or remove it to get a new one",
                    path.display()
                )));
                false
            }
        }
    }

    /// sshd refuses a key that others can read: volumes and Kubernetes' fsGroup make it so.
    fn protect(&mut self, path: &Path, key: &HostKey, fallback: &Path) -> Option<PathBuf> {
        let mode = || std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
        let before = mode();
        if before & 0o077 == 0 {
            return Some(path.to_owned());
        }
        if std::fs::set_permissions(path, Permissions::from_mode(0o600)).is_ok() && mode() & 0o077 == 0 {
            self.notes.push(Note::info(format!("{} had mode {before:04o}, now 0600", path.display())));
            return Some(path.to_owned());
        }
        let copy = fallback.join(path.file_name()?);
        let unchanged = private_key::read_regular(&copy).is_ok_and(|content| content == key.content);
        let written = match unchanged {
            true => Ok(()),
            false => make_folder(fallback).and_then(|()| write(&copy, &key.content, 0o600)),
        };
        if let Err(error) = written {
            self.notes.push(Note::error(format!(
                "{} can be read by others (mode {before:04o}), so sshd refuses it, and no copy can be made in {}: {error}",
                path.display(),
                fallback.display()
            )));
            return None;
        }
        Some(copy)
    }

    fn add(&mut self, path: PathBuf, key: &HostKey) {
        let public_file = with_pub(&path);
        let beside = private_key::read_regular(&public_file).ok().and_then(|content| public_of(&content));
        if let Some(public) = &key.public
            && beside.as_ref() != Some(public)
        {
            // sshd does without it: on a read-only mount it stays as it is.
            let _ = write(&public_file, public_line(public).as_bytes(), 0o644);
        }
        match key.public.as_ref().or(beside.as_ref()) {
            Some(public) => self.fingerprints.push(format!("{} ({})", fingerprint(public), short_name(public))),
            None => self
                .notes
                .push(Note::info(format!("{} has no .pub beside it: its fingerprint is not shown", path.display()))),
        }
        self.paths.push(path);
    }

    /// Uses the key of an earlier start of this container, or makes one that lives as long as it.
    fn make(&mut self, fallback: &Path) {
        let path = fallback.join(OWN);
        if let Ok(key) = private_key::read(&path)
            && let Some(path) = self.protect(&path, &key, fallback)
        {
            return self.add(path, &key);
        }
        match make_folder(fallback).and_then(|()| write_new_key(fallback)) {
            Ok(()) => {
                self.take(&path, fallback);
            }
            Err(error) => self.notes.push(Note::error(format!(
                "no host key can be made in {}: {error}; sshd cannot start",
                fallback.display()
            ))),
        }
    }

    /// Keys that somebody mounted are meant; others came with the image, for everybody to know.
    fn take_mounted_and_remove_baked(&mut self, baked: &Path, fallback: &Path, mounts: &str) {
        let (mut removed, mut failed) = (0, None);
        for path in key_files(baked) {
            if is_mount(baked, mounts) || is_mount(&path, mounts) {
                self.notes.push(Note::info(format!("the mounted host key {} is used", path.display())));
                self.take(&path, fallback);
                continue;
            }
            match std::fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) => failed = Some(format!("{}: {error}", path.display())),
            }
            let _ = std::fs::remove_file(with_pub(&path));
        }
        if removed > 0 {
            self.notes.push(Note::info(format!(
                "{removed} host keys that came with the image were removed from {}: everybody who has the image knows them",
                baked.display()
            )));
        }
        if let Some(failed) = failed {
            self.notes.push(Note::info(format!(
                "host keys that came with the image are not used, but could not be removed ({failed})"
            )));
        }
    }
}

/// `ssh_host_*_key` in name order.
fn key_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Others, such as one with a line end in it, would say more than a path in sshd's config.
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
            name.starts_with("ssh_host_") && name.ends_with("_key") && plain
        })
        .collect();
    sorted::sort(&mut files);
    files
}

/// Whether something is mounted exactly here. The device number would not tell: on an overlay a file may have another
/// one than its folder.
fn is_mount(path: &Path, mounts: &str) -> bool {
    let path = path.to_string_lossy().replace('\\', "\\134").replace(' ', "\\040");
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(path.as_str()))
}

fn with_pub(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn public_of(content: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok()?;
    let mut words = text.split_whitespace();
    let kind = words.next()?;
    decode_base64(words.next()?).filter(|blob| key_type(blob) == Some(kind))
}

fn public_line(public: &[u8]) -> String {
    format!("{} {} {}\n", key_type(public).unwrap_or_default(), encode_base64(public), comment())
}

fn comment() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    format!("root@{}", host.to_string_lossy())
}

/// The name in brackets that ssh shows behind a fingerprint.
fn short_name(public: &[u8]) -> String {
    match key_type(public).unwrap_or_default() {
        kind if kind.starts_with("ecdsa-") => "ECDSA".to_owned(),
        kind => kind.trim_start_matches("ssh-").to_ascii_uppercase(),
    }
}

/// Makes a folder that only its owner enters; the folders above it are ordinary ones.
fn make_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        other => other,
    }
}

fn write_new_key(folder: &Path) -> io::Result<()> {
    let key = ed25519::make(&comment())?;
    write(&folder.join(OWN), key.private.as_bytes(), 0o600)
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    write::write(path, content, Attributes::own(mode)).map_err(|error| io::Error::from(error.errno))
}

#[cfg(test)]
mod tests;
