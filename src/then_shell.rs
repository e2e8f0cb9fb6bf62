//! `then: shell`: an entrypoint's command on the terminal, and when it has ended, a login shell in its place.
//!
//! A process between devinit and the command, as a shell with job control would be one: the command has a process group of
//! its own that gets the terminal, so Ctrl-C ends it and not us. At its end this process takes the terminal back and turns
//! into the shell.

use std::ffi::CString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::time::Instant;

use nix::libc::{ENOENT, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
use nix::unistd::{self, Pid as NixPid};

use crate::engine::machine::End;
use crate::engine::{spawn, terminal};
use crate::prepare::accounts::lookup;
use crate::sorted;
use crate::sys::{self, Change, Fork, Pid, Program};
use crate::words::span;

/// The exit codes for a program that cannot be executed, and for one that is not there.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;
/// The shell where there is no other.
const LAST_SHELL: &str = "/bin/sh";

/// Runs the command and then a shell, which has its exit code from then on. Returns the command's, 128+N if signal N ended
/// it, if there is to be no shell: there is no terminal, or the container is being stopped.
#[must_use]
pub fn run(name: &str, command: &[String]) -> i32 {
    let variables: Vec<(Vec<u8>, Vec<u8>)> =
        std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect();
    let by_name = sorted::map(variables.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    let mut program = match spawn::program(command, &by_name) {
        Ok(program) => program,
        Err(error) => return cannot(command, &error),
    };
    if !terminal::is_ours() {
        return cannot(command, &sys::execute(&program));
    }
    let begun = Instant::now();
    let Watched { end, stopped } = match watch(command, &program) {
        Ok(watched) => watched,
        Err(error) => return cannot(command, &error),
    };
    if stopped {
        return end.code();
    }
    let how = match end {
        // Behind the ^C that the terminal shows.
        End::Signal(SIGINT) => format!("\ndevinit: {name} was interrupted"),
        End::Signal(_) => format!("devinit: {name} was {end}"),
        _ => format!("devinit: {name} ended with {end}"),
    };
    let _ = writeln!(io::stderr(), "{how} after {}; this is a shell in its place", span(begun.elapsed()));
    for shell in shells() {
        let file = shell.rsplit('/').next().unwrap_or(&shell);
        // A login shell is told by the dash.
        let (Ok(path), Ok(name)) = (CString::new(shell.as_str()), CString::new(format!("-{file}"))) else { continue };
        (program.candidates, program.arguments) = (vec![path], vec![name]);
        let error = sys::execute(&program);
        complain(&format!("the shell {shell} cannot be executed: {error}"));
    }
    end.code()
}

/// How the command ended.
struct Watched {
    end: End,
    /// Whether somebody wants all of this to end.
    stopped: bool,
}

/// Runs the command on the terminal. Takes the terminal back, as it was, and has no signal blocked that was not before.
fn watch(command: &[String], program: &Program) -> io::Result<Watched> {
    let modes = tcgetattr(io::stdin());
    let before = sys::take_signals()?;
    let signals = sys::signal_descriptor()?;
    let pid = match sys::fork()? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            let own = unistd::getpid();
            let _ = unistd::setpgid(own, own);
            // SIGTTOU, which would stop us, is still blocked.
            let _ = unistd::tcsetpgrp(io::stdin(), own);
            before.give_back();
            sys::exit_now(cannot(command, &sys::execute(program)))
        }
    };
    let child = NixPid::from_raw(pid);
    // On both sides, so that it holds before either goes on.
    let _ = unistd::setpgid(child, child);
    let mut stopped = false;
    let end = loop {
        match sys::peek_child() {
            Some((_, Change::Exited(code))) => break End::Code(code),
            Some((_, Change::Killed(signal))) => break End::Signal(signal),
            Some((_, Change::Stopped(signal))) => {
                sys::take_note_of_stop(pid);
                go_on(pid, signal);
            }
            None => {
                let _ = poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
                stopped |= pass_on(&signals, Some(pid));
            }
        }
    };
    stopped |= pass_on(&signals, None);
    let _ = unistd::tcsetpgrp(io::stdin(), unistd::getpgrp());
    if let Ok(modes) = modes.as_ref().map_err(drop)
        && !stopped
    {
        // A progress bar that was interrupted leaves a terminal that shows nothing of what is typed.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, modes);
    }
    // Only now: nobody else can have had its number, which is that of its group, too.
    sys::reap(pid);
    before.give_back();
    Ok(Watched { end, stopped })
}

/// Passes the signals on that have come; the terminal's own go to the command's group without us. Returns whether one of
/// them means that there is to be no shell.
fn pass_on(signals: &OwnedFd, command: Option<Pid>) -> bool {
    let mut stopped = false;
    let mut all: Vec<i32> = sys::next_signals(signals).collect();
    // Devinit hangs up right after it has asked, and the kernel tells of the lower number first: the command would be
    // ended by what was only to follow.
    sorted::sort_by_key(&mut all, |signal| *signal != SIGTERM);
    for signal in all {
        if matches!(signal, SIGCHLD | SIGCONT | SIGTSTP | SIGTTIN | SIGTTOU) {
            continue;
        }
        // Devinit hangs up whatever signal has asked it to stop; Ctrl-C, typed twice, is none of these.
        stopped |= matches!(signal, SIGTERM | SIGHUP);
        if let Some(pid) = command {
            let _ = sys::kill(pid, signal);
            // Stopped it would see it only when someone continues it.
            let _ = sys::kill(pid, SIGCONT);
        }
    }
    stopped
}

/// There is no shell from which it could be continued, so after Ctrl-Z it goes on at once. SIGSTOP was sent on purpose.
fn go_on(pid: Pid, signal: i32) {
    // Without the terminal it would be stopped again at once, for ever.
    if signal != SIGSTOP && (unistd::tcsetpgrp(io::stdin(), NixPid::from_raw(pid)).is_ok() || signal == SIGTSTP) {
        let _ = sys::kill(-pid, SIGCONT);
    }
}

/// The shells to try: the environment's, the account's, and one that is always there.
fn shells() -> Vec<String> {
    let uid = unistd::geteuid().to_string();
    let account = || Some(lookup(&std::fs::read("/etc/passwd").ok()?, &uid)?.shell.to_string_lossy().into_owned());
    let wanted = std::env::var("SHELL").ok().filter(|shell| shell.starts_with('/')).or_else(account);
    let mut shells: Vec<String> = wanted.into_iter().filter(|shell| shell.starts_with('/')).collect();
    shells.push(LAST_SHELL.to_owned());
    shells.dedup();
    shells
}

/// Says that the command cannot be executed. Returns the exit code for that.
fn cannot(command: &[String], error: &io::Error) -> i32 {
    let what = command.first().map_or("", String::as_str);
    complain(&format!("{what} cannot be executed: {error}"));
    if error.raw_os_error() == Some(ENOENT) { NOT_FOUND } else { NOT_EXECUTABLE }
}

fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "devinit: {what}");
}
