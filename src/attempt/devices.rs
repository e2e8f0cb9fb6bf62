//! The container's /dev: what every container has, and the machine's GPUs.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

const NOTHING: Option<&str> = None;

/// Name, major and minor number, as in devices.txt of the kernel.
const NODES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Mounts /dev on `dev`. The umask has to be 0.
///
/// # Errors
/// A mount, or a file in it, could not be made.
pub fn mount_on(dev: &Path) -> Result<()> {
    let tmpfs = |target: &Path, options: &str| {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options))
            .with_context(|| format!("failed to mount {}", target.display()))
    };
    tmpfs(dev, "mode=755")?;
    for (name, major, minor) in NODES {
        mknod(&dev.join(name), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(major, minor))
            .with_context(|| format!("failed to create /dev/{name}"))?;
    }
    for (name, target) in LINKS {
        symlink(target, dev.join(name)).with_context(|| format!("failed to create /dev/{name}"))?;
    }
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name)).with_context(|| format!("failed to create /dev/{name}"))?;
    }
    tmpfs(&dev.join("shm"), "mode=1777")?;
    // Group 5 is tty everywhere; ptys of this instance are not seen from outside.
    let (flags, options) = (MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), flags, Some(options))
        .context("failed to mount /dev/pts")?;
    terminal(dev);
    gpus(dev).context("failed to pass the GPUs on")
}

/// The terminal that devinit was called on is no terminal of the container's own: without /dev/console, ttyname(3)
/// would not find it.
fn terminal(dev: &Path) {
    if io::stdin().is_terminal()
        && let Ok(terminal) = fs::read_link("/proc/self/fd/0")
    {
        let _ = bind(&terminal, &dev.join("console"));
    }
}

fn gpus(dev: &Path) -> io::Result<()> {
    for entry in fs::read_dir("/dev")?.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b"nvidia") {
            bind(&entry.path(), &dev.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    if source.is_dir() {
        fs::create_dir(target)?
    } else {
        File::create(target).map(drop)?
    }
    Ok(mount(Some(source), target, NOTHING, MsFlags::MS_BIND, NOTHING)?)
}
