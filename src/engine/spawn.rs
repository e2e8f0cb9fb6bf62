//! Starts processes: everything is allocated before the fork, and what fails after it is told over a pipe.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{self, Pid as NixPid};

use super::machine::End;
use super::spec::Service;
use super::terminal;
use crate::sys::{self, Fork, Pid, Program, SignalState};

/// What a child needs to become a service.
pub struct Launcher {
    signals: SignalState,
    null: File,
    failures: Failures,
    /// Whether standard input is a terminal that a main command may have.
    pub terminal: bool,
}

/// What children tell that never ran their program.
struct Failures {
    pipe: (File, OwnedFd),
    /// What was read of children that are still to be reaped: those that fail together are not reaped in the order in
    /// which they failed.
    unread: BTreeMap<Pid, (i32, u8)>,
}

impl Failures {
    /// The errno and the [`Stage`] of this child's failure, once.
    fn of(&mut self, pid: Pid) -> Option<(i32, u8)> {
        let mut record = [0u8; RECORD];
        while self.pipe.0.read(&mut record).is_ok_and(|read| read == RECORD) {
            let [a, b, c, d, e, f, g, h, stage] = record;
            self.unread.insert(i32::from_ne_bytes([a, b, c, d]), (i32::from_ne_bytes([e, f, g, h]), stage));
        }
        self.unread.remove(&pid)
    }
}

/// What went wrong between the fork and the program, in the order in which it is done.
#[derive(Clone, Copy)]
enum Stage {
    Terminal = 1,
    Directory,
    Identity,
    Execute,
}

/// What a service gets at its start besides what its spec says.
#[derive(Clone, Copy, Default)]
pub struct Attachments<'a> {
    /// What standard output and standard error are; the engine's own if there is none.
    pub output: Option<[BorrowedFd<'a>; 2]>,
    /// What `NOTIFY_SOCKET` is.
    pub notify_socket: Option<&'a Path>,
    /// A pipe's end to write to, and the number that it is to have.
    pub notify_descriptor: Option<(BorrowedFd<'a>, i32)>,
}

impl Launcher {
    /// Takes the signals over and gets ready.
    ///
    /// # Errors
    /// No descriptors, or no /dev/null.
    pub fn new() -> io::Result<Self> {
        let signals = sys::take_signals()?;
        let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let terminal = io::IsTerminal::is_terminal(&io::stdin());
        // A container without /dev is no reason to fail: an empty pipe reads like /dev/null.
        let null = File::open("/dev/null").or_else(|_| unistd::pipe2(OFlag::O_CLOEXEC).map(|(read, _)| read.into()))?;
        Ok(Self { signals, null, failures: Failures { pipe: (read.into(), write), unread: BTreeMap::new() }, terminal })
    }

    /// Forks a child that gives back the signals and does `work`, whose result is its exit code.
    ///
    /// # Errors
    /// Those of fork(2).
    pub fn fork(&self, work: impl FnOnce() -> i32) -> io::Result<Pid> {
        match sys::fork()? {
            Fork::Parent(pid) => {
                lead_group(pid);
                Ok(pid)
            }
            Fork::Child => {
                lead_group(0);
                self.signals.give_back();
                sys::exit_now(work())
            }
        }
    }

    /// Starts a service's process, in a session of its own or, for a main command, in a process group of its own that
    /// gets the terminal.
    ///
    /// # Errors
    /// Those of fork(2). What fails later is told by [`Launcher::failure`] once the child has ended.
    pub fn launch(&self, service: &Service, _attachments: Attachments<'_>) -> io::Result<Pid> {
        let program = program(service)?;
        let takes_terminal = service.foreground && terminal::is_ours();
        match sys::fork()? {
            Fork::Parent(pid) => {
                if service.foreground {
                    lead_group(pid);
                }
                Ok(pid)
            }
            Fork::Child => {
                let (stage, error) = self.become_service(service, &program, takes_terminal);
                let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
                let mut record = [0u8; RECORD];
                record[..4].copy_from_slice(&unistd::getpid().as_raw().to_ne_bytes());
                record[4..8].copy_from_slice(&errno.to_ne_bytes());
                record[8] = stage as u8;
                let _ = unistd::write(&self.failures.pipe.1, &record);
                sys::exit_now(exit_code(errno))
            }
        }
    }

    /// Returns only if something failed.
    fn become_service(&self, service: &Service, program: &Program, takes_terminal: bool) -> (Stage, io::Error) {
        if service.foreground {
            lead_group(0);
            if takes_terminal {
                // In the child, so that the terminal is its own before its program runs. Every signal is still
                // blocked: SIGTTOU would stop us here otherwise. No terminal of ours to give is no error.
                let _ = unistd::tcsetpgrp(io::stdin(), unistd::getpid());
            }
        } else {
            let _ = unistd::setsid();
            if let Err(error) = sys::duplicate_onto(self.null.as_fd(), 0) {
                return (Stage::Terminal, error);
            }
        }
        if let Some(mask) = service.settings.umask {
            umask(Mode::from_bits_truncate(mask));
        }
        if let Some(identity) = &service.identity
            && let Err(error) = sys::become_user(identity.uid, identity.gid, &identity.groups)
        {
            return (Stage::Identity, error);
        }
        // After the change of user: the folder may be one that only this user can enter.
        if let Some(directory) = &service.directory
            && let Err(error) = unistd::chdir(directory)
        {
            return (Stage::Directory, error.into());
        }
        self.signals.give_back();
        (Stage::Execute, sys::execute(program))
    }

    /// Why a child that has ended never ran its program, if that is so.
    pub fn failure(&mut self, pid: Pid, service: &Service) -> Option<End> {
        let (errno, stage) = self.failures.of(pid)?;
        let error = nix::errno::Errno::from_raw(errno).desc();
        let what = match stage {
            1 => "cannot open standard input".to_owned(),
            2 => format!("cannot enter {}", service.directory.as_deref().unwrap_or("/".as_ref()).display()),
            3 => format!("cannot become uid {}", service.identity.as_ref().map_or(0, |identity| identity.uid)),
            _ => format!("cannot run {}", service.command.first().map_or("", String::as_str)),
        };
        Some(End::NotExecuted(exit_code(errno), format!("{what}: {error}")))
    }
}

/// Makes a child (0: the caller) the leader of a process group of its own. Done on both sides of the fork, so that it
/// holds before either goes on; the second one to do it may fail, which is no harm.
fn lead_group(pid: Pid) {
    let pid = NixPid::from_raw(pid);
    let _ = unistd::setpgid(pid, pid);
}

/// A pid, an errno and a [`Stage`]: far below PIPE_BUF, so records never mix.
const RECORD: usize = 9;

/// 127 for "not found", 126 for "found, but cannot be executed", as shells and Docker have it.
fn exit_code(errno: i32) -> i32 {
    if matches!(errno, libc::ENOENT | libc::ENOTDIR) { 127 } else { 126 }
}

fn program(service: &Service) -> io::Result<Program> {
    let string = |bytes: &[u8]| CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
    let name = service.command.first().map_or("", String::as_str);
    let path = service.environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    let candidates = if name.contains('/') {
        vec![string(name.as_bytes())?]
    } else if name.is_empty() {
        Vec::new()
    } else {
        let folders = path.split(':').map(|folder| if folder.is_empty() { "." } else { folder });
        folders.map(|folder| string(OsStr::new(&format!("{folder}/{name}")).as_bytes())).collect::<io::Result<_>>()?
    };
    Ok(Program {
        candidates,
        arguments: service.command.iter().map(|word| string(word.as_bytes())).collect::<io::Result<_>>()?,
        environment: service
            .environment
            .iter()
            .map(|(name, value)| string(format!("{name}={value}").as_bytes()))
            .collect::<io::Result<_>>()?,
    })
}

/// Where programs are looked up when the environment says nothing.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pid: Pid) -> Vec<u8> {
        [&pid.to_ne_bytes()[..], &libc::ENOENT.to_ne_bytes(), &[Stage::Execute as u8]].concat()
    }

    #[test]
    fn children_that_fail_together_each_have_their_reason_told() {
        let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        unistd::write(&write, &[record(8), record(7)].concat()).unwrap();
        let mut failures = Failures { pipe: (read.into(), write), unread: BTreeMap::new() };
        assert_eq!(failures.of(7), Some((libc::ENOENT, Stage::Execute as u8)));
        assert_eq!(failures.of(8), Some((libc::ENOENT, Stage::Execute as u8)));
        assert_eq!(failures.of(8), None);
    }
}
