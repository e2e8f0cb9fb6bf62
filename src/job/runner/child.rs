//! The command's process.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd;

use super::checkpoint::Checkpoint;
use crate::engine::spawn::DEFAULT_PATH;
use crate::sys::{self, Fork, Pid, Program, SignalState};
use crate::words;

/// What the command's process is made from.
pub struct Command<'a> {
    /// Program and arguments.
    pub command: &'a [OsString],
    /// Its working folder.
    pub directory: &'a Path,
    /// Variables over those of this process.
    pub variables: Vec<(&'a str, &'a str)>,
    /// Its standard input, output and error.
    pub streams: [&'a OwnedFd; 3],
    /// The signals that it gets back.
    pub signals: SignalState,
}

/// Why there is no command that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code, as shells have it: 126, 127.
    pub code: i32,
    /// What went wrong.
    pub message: String,
}

/// Neither found out, nor the command's fault.
const OURS: i32 = 125;
const STAGE_DIRECTORY: u8 = 1;
const STAGE_EXECUTE: u8 = 2;

impl Command<'_> {
    /// Starts it, in a process group of its own. Returns when its program runs.
    ///
    /// # Errors
    /// It cannot be made, cannot enter its folder, or cannot execute its program.
    pub fn start(&self, checkpoint: &Checkpoint) -> Result<Pid, Failure> {
        let failed = |error: io::Error| Failure { code: OURS, message: format!("cannot start a process: {error}") };
        let program = self.program().map_err(failed)?;
        let (mut told, tell) = pipe().map_err(failed)?;
        match sys::fork().map_err(failed)? {
            Fork::Child => {
                checkpoint.put_pid(unistd::getpid().as_raw());
                let (stage, error) = self.become_it(&program);
                let errno = error.raw_os_error().unwrap_or(0).to_ne_bytes();
                let _ = std::fs::File::from(tell).write_all(&[&[stage], errno.as_slice()].concat());
                sys::exit_now(OURS)
            }
            Fork::Parent(pid) => {
                drop(tell);
                let mut words = Vec::new();
                let _ = told.read_to_end(&mut words);
                let Some((stage, errno)) = words.split_first() else { return Ok(pid) };
                let errno = errno.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
                Err(self.failure(*stage, errno))
            }
        }
    }

    /// Returns only with what failed, and how.
    fn become_it(&self, program: &Program) -> (u8, io::Error) {
        let _ = unistd::setpgid(unistd::Pid::from_raw(0), unistd::Pid::from_raw(0));
        for (number, stream) in (0..).zip(self.streams) {
            if let Err(error) = sys::duplicate_onto(stream.as_fd(), number) {
                return (0, error);
            }
        }
        if let Err(errno) = unistd::chdir(self.directory) {
            return (STAGE_DIRECTORY, errno.into());
        }
        sys::close_with_exec();
        self.signals.give_back();
        (STAGE_EXECUTE, sys::execute(program))
    }

    fn program(&self) -> io::Result<Program> {
        let string = |bytes: &[u8]| CString::new(bytes).map_err(|_| io::Error::from(Errno::EINVAL));
        let own = |name: &OsStr| self.variables.iter().any(|(own, _)| name == *own);
        let mut environment = Vec::new();
        for (name, value) in std::env::vars_os().filter(|(name, _)| !own(name)) {
            environment.push(string(&[name.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
        for (name, value) in &self.variables {
            environment.push(string(format!("{name}={value}").as_bytes())?);
        }
        let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let words: Vec<&[u8]> = self.command.iter().map(|word| word.as_bytes()).collect();
        Program::new(&words, environment, path.as_bytes())
    }

    fn failure(&self, stage: u8, errno: i32) -> Failure {
        let error = io::Error::from_raw_os_error(errno);
        let name = self.command.first().map_or(String::new(), |name| words::clean(&name.to_string_lossy(), 200));
        let missing = error.kind() == io::ErrorKind::NotFound;
        let (code, message) = match stage {
            STAGE_DIRECTORY => (OURS, format!("cannot enter {}: {error}", self.directory.display())),
            STAGE_EXECUTE if missing && name.contains('/') => {
                (127, format!("cannot run {name}: there is no such program, or not its interpreter"))
            }
            STAGE_EXECUTE if missing => (127, format!("cannot run {name}: there is no such program on PATH")),
            STAGE_EXECUTE => (126, format!("cannot run {name}: {error}")),
            _ => (OURS, format!("cannot start a process: {error}")),
        };
        Failure { code, message }
    }
}

/// A pipe that no program inherits: the end to read from first.
///
/// # Errors
/// No descriptors.
pub fn pipe() -> io::Result<(std::fs::File, OwnedFd)> {
    let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
    // As large as anyone may have it: the fewer wake-ups, the better the pace.
    let _ = nix::fcntl::fcntl(&read, nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE));
    Ok((read.into(), write))
}

/// /proc/sys/fs/pipe-max-size, unless someone has changed that.
const PIPE: libc::c_int = 1 << 20;
