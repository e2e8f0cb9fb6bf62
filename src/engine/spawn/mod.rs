//! Starts processes: everything that can be is allocated before the fork, and what fails after it is told over a pipe.

mod child;
mod environment;
mod failure;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::{self, Pid as NixPid};

pub use self::environment::Variables;
use self::failure::Failures;
use super::machine::End;
use super::spec::Service;
use super::terminal;
use crate::sys::{self, Fork, Pid, Program, SignalState};

/// What a child needs to become a service.
pub struct Launcher {
    signals: SignalState,
    null: File,
    failures: RefCell<Failures>,
    /// The soft limit of descriptors that devinit was started with, if it has raised its own since.
    descriptors: Cell<Option<u64>>,
    /// Whether standard input is a terminal that a main command may have.
    pub terminal: bool,
}

/// What a service gets at its start besides what its spec says.
#[derive(Clone, Copy, Default)]
pub struct Attachments<'a> {
    /// What standard output and standard error are; the engine's own if there is none. A process in the foreground has the
    /// engine's own in any case.
    pub output: Option<[BorrowedFd<'a>; 2]>,
    /// What `NOTIFY_SOCKET` is.
    pub notify_socket: Option<&'a Path>,
    /// A pipe's end to write to, and the number that it is to have.
    pub notify_descriptor: Option<(BorrowedFd<'a>, i32)>,
}

/// What the child is to become, of all that a service has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The service itself.
    Main,
    /// Its finish command.
    Finish,
}

impl Launcher {
    /// Takes the signals over and gets ready.
    ///
    /// # Errors
    /// No descriptors, or no /dev/null.
    pub fn new() -> io::Result<Self> {
        let signals = sys::take_signals()?;
        let failures = RefCell::new(Failures::new()?);
        let terminal = io::IsTerminal::is_terminal(&io::stdin());
        // A container without /dev is no reason to fail: an empty pipe reads like /dev/null.
        let null = File::open("/dev/null").or_else(|_| unistd::pipe2(OFlag::O_CLOEXEC).map(|(read, _)| read.into()))?;
        Ok(Self { signals, null, failures, descriptors: Cell::new(None), terminal })
    }

    /// Sees to it that this process may have as many descriptors as pipes and sockets of this many services can take, as far
    /// as its hard limit allows. The programs of services get the soft limit that devinit was started with: some take it for
    /// the number of descriptors to go through, and select(2) knows no more than 1024.
    pub fn make_room(&self, services: usize) {
        let Ok((soft, hard)) = sys::limit(NOFILE) else { return };
        let wanted = u64::try_from(services).unwrap_or(u64::MAX).saturating_mul(FOR_EACH).saturating_add(FOR_ITSELF);
        let wanted = wanted.min(hard);
        if wanted > soft && sys::set_limit(NOFILE, wanted, hard).is_ok() {
            self.descriptors.set(self.descriptors.get().or(Some(soft)));
        }
    }

    /// Forks a child that gives back the signals and does `work`, whose result is its exit code. What it executes gets none of
    /// the descriptors that devinit was started with but the first three.
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
                sys::close_with_exec();
                sys::exit_now(work())
            }
        }
    }

    /// Starts a service's process, in a session of its own or, for a main command, in a process group of its own that
    /// gets the terminal.
    ///
    /// Of the descriptors it has the first three and the one that it notifies over; a main command also has those that
    /// devinit was started with. NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are those of the attachments, or not there:
    /// what the container was given is meant for devinit.
    ///
    /// # Errors
    /// Those of fork(2); a NUL in its command or environment. What fails later is told by [`Launcher::failure`] once the
    /// child has ended.
    pub fn launch(&self, service: &Service, attachments: Attachments<'_>) -> io::Result<Pid> {
        self.start(service, Role::Main, &service.command, attachments)
    }

    /// Starts a service's finish command after this end of its process: as the service is started, but for the terminal and
    /// what it notifies over, and always in a session of its own.
    ///
    /// # Errors
    /// As [`Launcher::launch`]; EINVAL if the service has no finish command.
    pub fn launch_finish(&self, service: &Service, end: &End, attachments: Attachments<'_>) -> io::Result<Pid> {
        let finish = service.finish.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        let (code, signal) = match end {
            End::Code(code) | End::NotExecuted(code, _) => (*code, 0),
            End::Signal(signal) => (KILLED, *signal),
        };
        let mut command = finish.clone();
        command.extend([code.to_string(), signal.to_string(), service.name.clone()]);
        let output = attachments.output.filter(|_| !service.foreground);
        self.start(service, Role::Finish, &command, Attachments { output, ..Attachments::default() })
    }

    fn start(&self, service: &Service, role: Role, command: &[String], with: Attachments<'_>) -> io::Result<Pid> {
        let attached = environment::attached(service, with);
        let mut program = program(command, &environment::variables(service, &[], &attached))?;
        let foreground = service.foreground && role == Role::Main;
        let takes_terminal = foreground && terminal::is_ours();
        // Nothing that is known of an earlier process may be taken for this one's.
        let mut failures = self.failures.try_borrow_mut().map_err(io::Error::other)?;
        failures.take_in();
        match sys::fork()? {
            Fork::Parent(pid) => {
                failures.forget(pid);
                if foreground {
                    lead_group(pid);
                }
                Ok(pid)
            }
            Fork::Child => {
                let becoming = child::Becoming {
                    service,
                    command,
                    attached: &attached,
                    output: with.output.filter(|_| !foreground),
                    notify: with.notify_descriptor,
                    foreground,
                    takes_terminal,
                    signals: self.signals,
                    descriptors: self.descriptors.get(),
                    null: self.null.as_fd(),
                };
                let Err(failure) = becoming.run(&mut program, &mut failures.report);
                sys::exit_now(failures.tell(role, failure))
            }
        }
    }

    /// Why a child that has ended never ran its program, if that is so. To be asked after each end of a service's process
    /// and of its finish command.
    pub fn failure(&mut self, pid: Pid, service: &Service) -> Option<End> {
        self.failures.get_mut().of(pid, service)
    }
}

/// `RLIMIT_NOFILE`: include/uapi/asm-generic/resource.h of Linux, the same on x86 and arm.
pub const NOFILE: u32 = 7;
/// How many descriptors a service may need here: two pipes, and a socket or a pipe that it notifies over, twice while it is
/// made anew.
const FOR_EACH: u64 = 6;
/// How many are needed besides: clients of the control socket, signals, a preparing child's pipe.
const FOR_ITSELF: u64 = 128;

/// The exit code that a finish command is told of a process that a signal ended, as s6 has it.
const KILLED: i32 = 256;

/// Makes a child (0: the caller) the leader of a process group of its own. Done on both sides of the fork, so that it
/// holds before either goes on; the second one to do it may fail, which is no harm.
fn lead_group(pid: Pid) {
    let pid = NixPid::from_raw(pid);
    let _ = unistd::setpgid(pid, pid);
}

/// A program to execute, looked up in the variables' PATH.
///
/// # Errors
/// A NUL in the command or the environment.
pub fn program(command: &[String], variables: &Variables<'_>) -> io::Result<Program> {
    let string = |bytes: &[u8]| CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
    let path = variables.get(&b"PATH"[..]).copied().unwrap_or(DEFAULT_PATH.as_bytes());
    let words: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
    let environment = variables.iter().map(|(name, value)| string(&[name, &b"="[..], value].concat()));
    Program::new(&words, environment.collect::<io::Result<_>>()?, path)
}

/// Where programs are looked up when the environment says nothing.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
