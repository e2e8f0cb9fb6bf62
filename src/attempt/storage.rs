//! Where what the container writes goes: to memory, or to a folder that is kept.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};

/// Where what the container writes goes.
pub struct Storage {
    /// The folder that keeps it, absolute; none: it goes with the container.
    pub kept: Option<PathBuf>,
    /// Whether the container begins from the machine's files alone.
    pub fresh: bool,
    /// Two containers must not write to one folder; the lock ends with this process.
    _lock: Option<File>,
}

impl Storage {
    /// Makes the folder that is to be kept, or takes what an earlier container left there.
    ///
    /// # Errors
    /// It cannot be made, is on a file system that cannot hold it, or another container uses it.
    pub fn new(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else { return Ok(Self { kept: None, fresh: true, _lock: None }) };
        let fresh = !layers(folder).exists();
        let make = || DirBuilder::new().recursive(true).mode(0o700).create(layers(folder));
        make().with_context(|| format!("failed to create {}", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("failed to find {}", folder.display()))?;
        let found = statfs(&folder).with_context(|| format!("failed to look at {}", folder.display()))?;
        if found.filesystem_type() == OVERLAYFS_SUPER_MAGIC {
            bail!(
                "{} is on an overlay file system, which cannot hold another one's changes: \
                 keep them on a disk or volume",
                folder.display()
            );
        }
        let lock = File::open(&folder).with_context(|| format!("failed to open {}", folder.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { kept: Some(folder), fresh, _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => bail!("{} is used by another devinit try", folder.display()),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("failed to lock {}", folder.display()))
            }
        }
    }

    /// The folder of the layers, in `memory` unless they are kept.
    pub fn layers(&self, memory: &Path) -> PathBuf {
        layers(self.kept.as_deref().unwrap_or(memory))
    }
}

fn layers(folder: &Path) -> PathBuf {
    folder.join("layers")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_kept_folder_is_private_and_fresh_only_once() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/kept");
        assert!(Storage::new(Some(&folder)).unwrap().fresh);
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        assert!(!Storage::new(Some(&folder)).unwrap().fresh);
    }

    #[test]
    fn a_folder_belongs_to_one_container_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Storage::new(Some(folder.path())).unwrap();
        let Err(error) = Storage::new(Some(folder.path())) else { panic!("taken twice") };
        assert!(error.to_string().ends_with("is used by another devinit try"), "{error}");
        drop(first);
        assert!(Storage::new(Some(folder.path())).is_ok());
    }

    #[test]
    fn without_a_folder_the_layers_are_in_memory() {
        let storage = Storage::new(None).unwrap();
        assert!(storage.fresh);
        assert_eq!(storage.layers(Path::new("/memory")), Path::new("/memory/layers"));
    }
}
