//! The folder with what a login needs: a key made for the occasion, and a config for ssh. It is gone when this process
//! is, however that ends.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{self, Gid, Uid};

use super::settings::Settings;
use crate::prepare::keys::ed25519;
use crate::prepare::write::{Attributes, write};
use crate::sys::{self, Fork, Pid};

/// The folder, while it is there.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// The key's public half, as authorized_keys has it.
    pub public_key: String,
    janitor: Pid,
    parent: Parent,
}

impl Folder {
    /// Makes the folder for the person who called sudo, if that is how devinit was called.
    ///
    /// # Errors
    /// No randomness, no space, no processes.
    pub fn make(settings: &Settings) -> Result<Self> {
        let key = ed25519::make("devinit try").context("failed to make a key")?;
        let parent =
            Parent(sys::process_descriptor(unistd::getpid().as_raw()).context("failed to watch this process")?);
        let path = unistd::mkdtemp("/tmp/devinit-try.XXXXXX").context("failed to create a folder in /tmp")?;
        // From here on it is taken away again.
        let janitor = janitor(&parent, &path).context("failed to start a process")?;
        let folder = Self { path, public_key: key.public, janitor, parent };

        let (uid, gid) = caller();
        let file = |name: &str, text: &str| {
            write(&folder.path.join(name), text.as_bytes(), Attributes { mode: 0o600, uid, gid })
        };
        file("id_ed25519", &key.private)?;
        file("id_ed25519.pub", &format!("{}\n", folder.public_key))?;
        file("ssh_config", &ssh_config(&folder.path, settings))?;
        unistd::chown(&folder.path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .with_context(|| format!("failed to hand {} over", folder.path.display()))?;
        Ok(folder)
    }

    /// The process that devinit's children must not outlive.
    pub fn parent(&self) -> &Parent {
        &self.parent
    }

    /// What to type to log in.
    pub fn ssh(&self, user: &str) -> String {
        format!("ssh -F {} {user}", self.path.join("ssh_config").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
        let _ = sys::kill(self.janitor, nix::libc::SIGKILL);
        let _ = nix::sys::wait::waitpid(unistd::Pid::from_raw(self.janitor), None);
    }
}

/// The process that `try` is.
pub struct Parent(OwnedFd);

impl Parent {
    /// In a child: ends it when the parent ends.
    pub fn die_with(&self) {
        let _ = set_pdeathsig(Signal::SIGKILL);
        // It may have ended before that.
        if self.is_dead(PollTimeout::ZERO) {
            sys::exit_now(1);
        }
    }

    fn is_dead(&self, timeout: PollTimeout) -> bool {
        poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], timeout) == Ok(1)
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A process that takes the folder away if this one is killed before it can do so itself.
fn janitor(parent: &Parent, path: &Path) -> std::io::Result<Pid> {
    match sys::fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            // A signal for the group or the terminal is not for it.
            let _ = unistd::setsid();
            let _ = sys::take_signals();
            sys::set_process_name(c"devinit: tidy");
            while !parent.is_dead(PollTimeout::NONE) {}
            remove(path);
            sys::exit_now(0)
        }
    }
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        eprintln!("devinit: {} is left behind: {error}", folder.display());
    }
}

/// Whose the folder is: the login is typed without sudo.
fn caller() -> (u32, u32) {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    number("SUDO_UID").zip(number("SUDO_GID")).unwrap_or((0, 0))
}

/// A config of its own keeps the command short, and the caller's keys, agents and known hosts out of it.
fn ssh_config(folder: &Path, settings: &Settings) -> String {
    let mut text = format!(
        "Host *\n\
         \x20   HostName 127.0.0.1\n\
         \x20   Port {}\n\
         \x20   IdentityFile {}\n\
         \x20   IdentitiesOnly yes\n\
         \x20   UserKnownHostsFile {}\n\
         \x20   StrictHostKeyChecking accept-new\n\
         \x20   LogLevel ERROR\n",
        settings.ssh_port,
        folder.join("id_ed25519").display(),
        folder.join("known_hosts").display(),
    );
    for user in &settings.users {
        text.push_str(&format!("Host {user}\n    User {user}\n"));
    }
    text
}
