//! A logger in a process of its own.

use std::fs::File;
use std::io::{Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::engine::spec::{Form, Log, LogFile};
use crate::logger::{Source, older, run};
use crate::sys::{self, Fork, exit_now, fork, kill};

/// The longest that anything here may take.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Service {
    pub name: String,
    pub error: bool,
    pub log: Log,
    pub read: OwnedFd,
    pub write: Option<File>,
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub services: Vec<Service>,
    pub logger: Option<i32>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill(libc::SIGKILL);
    }
}

pub fn output(form: Form) -> Log {
    Log { output: Some(form), file: None }
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), services: Vec::new(), logger: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// To a file of this size, of which two older ones are kept.
    pub fn file(&self, name: &str, size: u64, keep: u32) -> Log {
        Log { output: None, file: Some(LogFile { path: self.path(name), size, keep, json: false }) }
    }

    pub fn service(&mut self, name: &str, log: Log) -> usize {
        self.stream(name, log, false)
    }

    pub fn stream(&mut self, name: &str, log: Log, error: bool) -> usize {
        let (read, write) = pipe().unwrap();
        let write = Some(File::from(OwnedFd::from(write)));
        self.services.push(Service { name: name.to_owned(), error, log, read: read.into(), write });
        self.services.len() - 1
    }

    /// Starts a logger with these outputs.
    pub fn start(&mut self, stdout: impl AsFd, stderr: impl AsFd) {
        assert!(self.logger.is_none());
        match fork().unwrap() {
            Fork::Parent(pid) => self.logger = Some(pid),
            Fork::Child => {
                let _ = sys::take_signals();
                sys::duplicate_onto(stdout.as_fd(), 1).unwrap();
                sys::duplicate_onto(stderr.as_fd(), 2).unwrap();
                let source = |service: &Service| Source {
                    service: service.name.clone(),
                    pipe: service.read.try_clone().unwrap(),
                    error: service.error,
                    log: service.log.clone(),
                    owner: None,
                };
                let sources: Vec<Source> = self.services.iter().map(source).collect();
                let kept: Vec<i32> =
                    sources.iter().map(|source| std::os::fd::AsRawFd::as_raw_fd(&source.pipe)).collect();
                // As PID 1 does it: this process has nothing but what it needs. Other tests have pipes, too.
                for fd in 3..1024 {
                    if !kept.contains(&fd) {
                        let _ = nix::unistd::close(fd);
                    }
                }
                exit_now(run(sources, Some(self.folder.path())));
            }
        }
    }

    /// Starts a logger that writes to files alone.
    pub fn start_quiet(&mut self) {
        let null = File::options().write(true).open("/dev/null").unwrap();
        self.start(&null, &null);
    }

    pub fn print(&mut self, service: usize, bytes: &[u8]) {
        self.services[service].write.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// The services end.
    pub fn end(&mut self) {
        self.services.iter_mut().for_each(|service| service.write = None);
    }

    /// Waits for the logger's end; returns its exit code.
    pub fn wait(&mut self) -> i32 {
        let Some(pid) = self.logger.take() else { return -1 };
        let begin = Instant::now();
        loop {
            match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => return code,
                Ok(WaitStatus::StillAlive) if begin.elapsed() < LONG => {}
                Ok(WaitStatus::StillAlive) => {
                    self.logger = Some(pid);
                    panic!("the logger does not end");
                }
                other => return if matches!(other, Ok(WaitStatus::Signaled(..))) { 128 } else { -1 },
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn kill(&mut self, signal: i32) -> i32 {
        let Some(pid) = self.logger else { return -1 };
        let _ = kill(pid, signal);
        self.wait()
    }

    /// The lines of a log over all its files, oldest first, without their times.
    pub fn lines(&self, path: &Path) -> Vec<String> {
        let exists = |number: &u32| older(path, *number).exists();
        let mut files: Vec<PathBuf> = (1..100).filter(exists).map(|number| older(path, number)).collect();
        files.reverse();
        files.push(path.to_owned());
        let text: String = files
            .iter()
            .map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned())
            .collect();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines()
            .map(|line| line.get(crate::logger::TIME + 1..).unwrap_or_else(|| panic!("{line:?}")).to_owned())
            .collect()
    }
}

pub fn until(mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < LONG, "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What comes out of a pipe until it is at its end.
pub fn all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}
