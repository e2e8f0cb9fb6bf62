//! Watches the container from outside: tells when it can be used, passes the wish to end on, and cleans up.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{self, alarm};
use signal_hook::iterator::Signals;

use super::folder::Folder;
use super::settings::Settings;
use super::storage::Storage;
use crate::engine::snapshot::{Phase, ServiceState, Snapshot};
use crate::plan;
use crate::sys::{self, Fork, Pid};
use crate::{paths, status};

/// How long the container may take to end, in seconds: devinit's own limit is below it, unless the config raises that.
const END_LIMIT: u32 = 12;
/// How long until it is told what to type, even if not everything is up.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Stays until the container has ended, and returns its exit code.
///
/// # Errors
/// Signals cannot be received; the container is ended then.
pub fn until_the_end(container: Pid, settings: &Settings, storage: &Storage, folder: &Folder) -> Result<i32> {
    let usage = usage(settings, storage, folder);
    let mut lookout = None;
    if !settings.foreground {
        lookout = Some(start_lookout(container, folder).context("failed to start a process")?);
    } else {
        // The command has the output from now on.
        eprint!("{usage}");
    }
    let mut signals =
        Signals::new([SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM]).context("failed to receive signals")?;
    let mut stopping = false;
    loop {
        while let Some((pid, code)) = ended_child() {
            if pid == container {
                end_lookout(lookout);
                if settings.foreground {
                    take_terminal_back();
                }
                return Ok(code);
            }
            if lookout == Some(pid) {
                lookout = None;
                if code != 0 {
                    eprintln!("devinit: not everything is up yet; the log above says why");
                }
                print(&usage);
            }
        }
        for signal in signals.wait() {
            match signal {
                SIGCHLD => {}
                SIGALRM => {
                    eprintln!("devinit: the container did not end within {END_LIMIT} s and is killed");
                    let _ = sys::kill(container, SIGKILL);
                }
                _ => {
                    // A second one makes it immediate, which devinit knows by itself.
                    let _ = sys::kill(container, SIGTERM);
                    if !stopping {
                        alarm::set(END_LIMIT);
                    }
                    stopping = true;
                }
            }
        }
    }
}

/// A child that has ended, and its exit code as a shell tells it. There is at least the container until that has ended.
fn ended_child() -> Option<(Pid, i32)> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(pid, code)) => Some((pid.as_raw(), code)),
        Ok(WaitStatus::Signaled(pid, signal, _)) => Some((pid.as_raw(), 128 + signal as i32)),
        Err(Errno::EINTR) => ended_child(),
        _ => None,
    }
}

/// Starts a process that ends when the container can be used: with 0, or with 1 if it cannot after [`READY_LIMIT`].
fn start_lookout(container: Pid, folder: &Folder) -> io::Result<Pid> {
    match sys::fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => {
            folder.parent().die_with();
            sys::set_process_name(c"devinit: lookout");
            let runtime = format!("/proc/{container}/root{}", paths::RUNTIME);
            let deadline = Instant::now() + READY_LIMIT;
            while !status::snapshot(Path::new(&runtime)).is_some_and(|snapshot| is_up(&snapshot)) {
                if Instant::now() >= deadline {
                    sys::exit_now(1);
                }
                std::thread::sleep(PAUSE);
            }
            sys::exit_now(0)
        }
    }
}

fn end_lookout(lookout: Option<Pid>) {
    if let Some(pid) = lookout {
        let _ = sys::kill(pid, SIGKILL);
        let _ = waitpid(unistd::Pid::from_raw(pid), None);
    }
}

/// Whether what the user is told of is there: SSH and the greeting, and the page or the app in its place.
fn is_up(snapshot: &Snapshot) -> bool {
    let of = |name: &str| snapshot.services.iter().find(|service| service.name == name).map(|service| service.state);
    let settled = |state| {
        matches!(state, ServiceState::Ready | ServiceState::Done | ServiceState::Failed | ServiceState::Stopped)
    };
    let absent_or_settled = |name| of(name).is_none_or(settled);
    snapshot.phase == Phase::Running
        && [plan::SSHD, "greeting"].into_iter().all(absent_or_settled)
        && (absent_or_settled("page") || of(plan::APP).is_some_and(settled))
}

/// What to type.
fn usage(settings: &Settings, storage: &Storage, folder: &Folder) -> String {
    let mut text = String::from("\n");
    let mut line = |label: &str, what: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {label:7} {what}");
    };
    if settings.ssh {
        for user in &settings.users {
            line("ssh", &folder.ssh(user));
        }
    }
    if !settings.foreground {
        line("page", &format!("http://127.0.0.1:{}/", settings.app_port));
        if let Some(user) = settings.users.last().filter(|_| settings.ssh) {
            line("status", &format!("{} devinit status", folder.ssh(user)));
        }
        line("stop", &format!("Ctrl-C, or kill {}", std::process::id()));
    }
    if let Some(kept) = &storage.kept {
        line("kept", &format!("{}", kept.display()));
    }
    text.push('\n');
    text
}

fn print(text: &str) {
    let mut out = io::stdout();
    // Who does not want to read it has closed it.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The main command had the terminal. Who sets its foreground from the background is stopped by SIGTTOU unless that is
/// blocked.
fn take_terminal_back() {
    if io::stdin().is_terminal() {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGTTOU);
        let _ = mask.thread_block();
        let _ = unistd::tcsetpgrp(io::stdin(), unistd::getpgrp());
        let _ = mask.thread_unblock();
    }
}
