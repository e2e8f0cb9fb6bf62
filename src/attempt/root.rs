//! The container's root: the machine's files under layers, and what every container has of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use super::layers::{self, below};
use super::storage::Storage;
use super::{devices, mounts};

const NOTHING: Option<&str> = None;

/// What root could change the machine with, without any capability.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Makes the container's root in this mount namespace and enters it. `stage` is a folder over which it may be built. The
/// umask has to be 0.
///
/// # Errors
/// A mount is refused.
pub fn enter(stage: &Path, storage: &Storage) -> Result<()> {
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)
        .context("failed to make the mounts private")?;
    let table = fs::read("/proc/self/mountinfo").context("failed to read /proc/self/mountinfo")?;
    let resolver = Resolver::look();
    tmpfs(stage, "mode=700")?;
    let root = stage.join("root");
    fs::create_dir(&root).with_context(|| format!("failed to create {}", root.display()))?;
    layers::mount_all(&mounts::wanted(&table), &storage.layers(stage), &root)?;
    furnish(&root)?;
    if let Some(resolver) = resolver {
        resolver.put(&root).context("failed to pass resolv.conf on")?;
    }
    // Both names for one place: the old root is put over the new one and taken off it again.
    chdir(&root).and_then(|()| pivot_root(".", ".")).context("failed to change the root")?;
    umount2(".", MntFlags::MNT_DETACH).context("failed to leave the old root")?;
    chdir("/").context("failed to enter the new root")
}

fn furnish(root: &Path) -> Result<()> {
    for folder in ["dev", "proc", "run", "sys", "tmp"] {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
    }
    devices::mount_on(&root.join("dev"))?;
    let proc = root.join("proc");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &proc, Some("proc"), flags, NOTHING).context("failed to mount /proc")?;
    for path in READ_ONLY.map(|path| below(root, Path::new(path))).iter().filter(|path| path.exists()) {
        layers::read_only(path, path, flags).with_context(|| format!("failed to protect {}", path.display()))?;
    }
    for path in ["/sys", "/sys/fs/cgroup"].map(Path::new) {
        layers::read_only(path, &below(root, path), flags)
            .with_context(|| format!("failed to pass {} on", path.display()))?;
    }
    tmpfs(&root.join("run"), "mode=755")?;
    tmpfs(&root.join("tmp"), "mode=1777")
}

fn tmpfs(target: &Path, options: &str) -> Result<()> {
    mount(Some("tmpfs"), target, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options))
        .with_context(|| format!("failed to mount {}", target.display()))
}

/// The machine's resolv.conf where that is a link into /run, as with systemd-resolved: the container's /run is empty.
struct Resolver {
    path: PathBuf,
    content: Vec<u8>,
}

impl Resolver {
    fn look() -> Option<Self> {
        let path = fs::canonicalize("/etc/resolv.conf").ok()?;
        if !path.starts_with("/run") {
            return None;
        }
        fs::read(&path).ok().map(|content| Self { path, content })
    }

    fn put(&self, root: &Path) -> std::io::Result<()> {
        let path = below(root, &self.path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, &self.content)
    }
}
