//! The child that works out what runs: at the boot, and when the config is read again.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::unistd;
use tracing::error;

use super::UNUSABLE;
use crate::engine::machine::End;
use crate::engine::spawn::Launcher;
use crate::engine::spec::Spec;
use crate::sys::{self, Pid};

/// How long a preparing child may take before it is given up.
const LIMIT: Duration = Duration::from_secs(120);
/// The longest spec that is taken from a preparing child, in bytes.
const LONGEST_SPEC: usize = 16 << 20;

/// What it is worked out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// The boot.
    Boot,
    /// The boot, once more: the first attempt failed, for this reason.
    Rescue(&'a str),
    /// A container that runs. Nothing is changed, and no file written, if it is a `dry_run`. Without a config that can be used
    /// nothing is handed over.
    Reload {
        /// Whether it is only to be told what would change.
        dry_run: bool,
    },
}

/// Works out what runs, in a child of its own: writes a [`Spec`] as JSON to the pipe and returns 0, or [`UNUSABLE`] to end
/// the container (at a reload: to leave it as it is).
pub type Prepare<'a> = &'a dyn Fn(Purpose<'_>, File) -> i32;

/// Why there is no spec.
pub(super) enum Failure {
    /// The config cannot be used, and the container is to stop.
    Unusable,
    /// Something went wrong.
    Failed(String),
}

/// A preparing child.
pub(super) struct Preparation {
    pub(super) pid: Pid,
    /// Open until the child closes its end.
    pipe: Option<File>,
    spec: Vec<u8>,
    pub(super) deadline: Instant,
}

impl Preparation {
    pub(super) fn begin(launcher: &Launcher, prepare: Prepare<'_>, purpose: Purpose<'_>) -> io::Result<Self> {
        let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
        // Only our end: a grandchild that keeps the other one open must not make us wait.
        fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let (read, write) = (File::from(read), File::from(write));
        let pid = launcher.fork(|| {
            sys::set_process_name(c"devinit: prepare");
            prepare(purpose, write)
        })?;
        Ok(Self { pid, pipe: Some(read), spec: Vec::new(), deadline: Instant::now() + LIMIT })
    }

    /// What to watch for something to read.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(File::as_fd)
    }

    /// Takes what the child has written so far.
    pub(super) fn read(&mut self) {
        let mut buffer = [0u8; 4 << 10];
        match self.pipe.as_mut().map(|pipe| pipe.read(&mut buffer)) {
            Some(Ok(length)) if length > 0 && self.spec.len() < LONGEST_SPEC => {
                self.spec.extend_from_slice(buffer.get(..length).unwrap_or_default());
            }
            // End of file: the exit code follows at once.
            _ => self.pipe = None,
        }
    }

    pub(super) fn give_up_if_due(&mut self, now: Instant) {
        if self.deadline <= now {
            error!("preparing the container takes longer than {} s and is given up", LIMIT.as_secs());
            let _ = sys::kill(-self.pid, libc::SIGKILL);
            self.deadline = now + LIMIT;
        }
    }

    /// The child has ended: what it has found out.
    pub(super) fn result(mut self, end: &End) -> Result<Spec, Failure> {
        // What it wrote last may still be in the pipe.
        while self.pipe.is_some() {
            self.read();
        }
        match end {
            End::Code(0) => serde_json::from_slice(&self.spec)
                .map_err(|error| Failure::Failed(format!("the plan could not be read: {error}"))),
            End::Code(UNUSABLE) => Err(Failure::Unusable),
            end => Err(Failure::Failed(format!("preparing the container failed: {end}"))),
        }
    }
}
