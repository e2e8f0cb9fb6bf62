//! What the child does between its fork and its program.
//!
//! In this order: what needs the engine's rights, then the change of user, then what needs the user's. Whatever cannot be
//! done as the spec wants it ends the child: a service that runs with more rights than it should have is worse than one that
//! does not run.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::libc;
use nix::sys::stat::{Mode, umask};
use nix::unistd;

use super::NOFILE;
use super::environment::{self, Attached};
use super::failure::{self, Failure, Stage};
use crate::engine::spec::Service;
use crate::sys::{self, Program, SignalState};

/// What the child is to become.
pub(super) struct Becoming<'a> {
    pub service: &'a Service,
    pub command: &'a [String],
    pub attached: &'a Attached,
    pub output: Option<[BorrowedFd<'a>; 2]>,
    pub notify: Option<(BorrowedFd<'a>, i32)>,
    pub foreground: bool,
    pub takes_terminal: bool,
    pub signals: SignalState,
    /// The soft limit of descriptors that it gets back, if it is not this process's.
    pub descriptors: Option<u64>,
    pub null: BorrowedFd<'a>,
}

impl Becoming<'_> {
    /// Returns only if something failed. `report` is moved if the service wants its number.
    pub(super) fn run(&self, program: &mut Program, report: &mut OwnedFd) -> Result<Infallible, Failure> {
        if self.foreground {
            super::lead_group(0);
            if self.takes_terminal {
                // In the child, so that the terminal is its own before its program runs. Every signal is still
                // blocked: SIGTTOU would stop us here otherwise. No terminal of ours to give is no error.
                let _ = unistd::tcsetpgrp(io::stdin(), unistd::getpid());
            }
            self.hand_over_terminal();
        } else {
            let _ = unistd::setsid();
            sys::duplicate_onto(self.null, 0).map_err(Stage::Input.failed())?;
        }
        self.hand_over_descriptors(report)?;
        self.apply_settings()?;
        self.change_user()?;
        // After the change of user: the folder may be one that only this user can enter.
        if let Some(directory) = &self.service.directory {
            unistd::chdir(directory).map_err(|errno| Stage::Directory.failed()(errno.into()))?;
        }
        self.read_environment(program)?;
        if self.attached.watchdog {
            let pid = format!("{}={}", environment::WATCHDOG_PID, unistd::getpid());
            program.environment.extend(std::ffi::CString::new(pid));
        }
        self.give_back_descriptors();
        self.signals.give_back();
        let error = sys::execute(program);
        Err(Stage::Execute.failed_at(obstacle(self.command))(error))
    }

    /// Makes the terminal, or the pipes that stand for it, the user's, as login does: who opens /dev/stdout or the terminal's
    /// device anew (tmux, gpg's pinentry) is looked at as anyone is who opens a file.
    fn hand_over_terminal(&self) {
        let Some(identity) = &self.service.identity else { return };
        let owner = unistd::Uid::from_raw(identity.uid);
        for end in [io::stdin().as_fd(), io::stdout().as_fd(), io::stderr().as_fd()] {
            let pipe = nix::sys::stat::fstat(end).is_ok_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFIFO);
            if pipe || unistd::isatty(end).unwrap_or(false) {
                // In a user namespace it may be nobody's that is known there: then it is used as it is.
                let _ = unistd::fchown(end, Some(owner), None);
            }
        }
    }

    fn hand_over_descriptors(&self, report: &mut OwnedFd) -> Result<(), Failure> {
        if let Some([output, errors]) = self.output {
            sys::duplicate_onto(output, libc::STDOUT_FILENO).map_err(Stage::Output.failed())?;
            sys::duplicate_onto(errors, libc::STDERR_FILENO).map_err(Stage::Output.failed())?;
        }
        if !self.foreground {
            // Our own are not passed on anyway: this is about those that devinit was started with.
            sys::close_with_exec();
        }
        if let Some((source, number)) = self.notify {
            if report.as_raw_fd() == number {
                *report = sys::duplicate_elsewhere(report.as_fd()).map_err(Stage::Descriptor.failed())?;
            }
            sys::pass_on(source, number).map_err(Stage::Descriptor.failed())?;
        }
        Ok(())
    }

    /// Whatever only the engine may have the right to do.
    fn apply_settings(&self) -> Result<(), Failure> {
        let settings = &self.service.settings;
        if let Some(mask) = settings.umask {
            umask(Mode::from_bits_truncate(mask));
        }
        if let Some(value) = settings.oom_score_adj {
            let file = File::options().write(true).open("/proc/self/oom_score_adj");
            // One write, so that the kernel sees the number as a whole.
            file.and_then(|mut file| file.write_all(value.to_string().as_bytes())).map_err(Stage::OomScore.failed())?;
        }
        if let Some(nice) = settings.nice {
            sys::set_niceness(nice).map_err(Stage::Nice.failed())?;
        }
        for (index, (resource, soft, hard)) in settings.limits.iter().enumerate() {
            sys::set_limit(*resource, *soft, *hard).map_err(Stage::Limit.failed_at(index))?;
        }
        if let Err(error) = sys::bound_capabilities(&settings.dropped_capabilities) {
            // Where nothing can be gained any more, what it is left without is gone as well.
            if !settings.no_new_privileges && !sys::new_privileges_are_forbidden() {
                return Err(Stage::Capabilities.failed()(error));
            }
        }
        Ok(())
    }

    fn change_user(&self) -> Result<(), Failure> {
        let settings = &self.service.settings;
        if let Some(identity) = &self.service.identity {
            sys::become_user(identity.uid, identity.gid, &identity.groups).map_err(Stage::Identity.failed())?;
        }
        if !settings.dropped_capabilities.is_empty() {
            // The change of user needed them, and does not take them from who stays root.
            sys::lower_capabilities(&settings.dropped_capabilities).map_err(Stage::Capabilities.failed())?;
        }
        if settings.no_new_privileges {
            sys::forbid_new_privileges().map_err(Stage::NoNewPrivileges.failed())?;
        }
        Ok(())
    }

    /// At the end: until it runs its program it has all of the engine's descriptors besides its own.
    fn give_back_descriptors(&self) {
        let set = self.service.settings.limits.iter().any(|(resource, ..)| *resource == NOFILE);
        if let Some(soft) = self.descriptors.filter(|_| !set)
            && let Ok((_, hard)) = sys::limit(NOFILE)
        {
            let _ = sys::set_limit(NOFILE, soft, hard);
        }
    }

    /// As the service's user: a file that is a link to what only root can read gives nothing away.
    fn read_environment(&self, program: &mut Program) -> Result<(), Failure> {
        if self.service.environment_files.is_empty() {
            return Ok(());
        }
        let files = &self.service.environment_files;
        let read =
            |(index, path): (usize, &PathBuf)| environment::read(path).map_err(Stage::EnvironmentFile.failed_at(index));
        let contents: Vec<Vec<u8>> = files.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        let mut added = Vec::new();
        for (index, content) in contents.iter().enumerate() {
            let lines = environment::parse(content);
            added.extend(lines.map_err(|line| Failure { line, ..Stage::EnvironmentLine.at(index) })?);
        }
        let variables = environment::variables(self.service, &added, self.attached);
        *program = super::program(self.command, &variables).map_err(Stage::Execute.failed())?;
        Ok(())
    }
}

/// What stands in the way of a program that was named by its path, if the error alone does not tell.
fn obstacle(command: &[String]) -> usize {
    let path = command.first().map(String::as_str).filter(|name| name.contains('/'));
    match path.and_then(|path| std::fs::metadata(path).ok()) {
        Some(found) if found.is_dir() => failure::IS_A_FOLDER,
        Some(_) => failure::IS_THERE,
        None => 0,
    }
}
