//! The terminal of a main command that runs in the foreground, as a shell would hand it over and take it back.

use std::io;

use nix::libc::{ESRCH, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
use nix::unistd::{self, Pid as NixPid};

use crate::sys::{self, Pid};

/// Whether standard input is a terminal whose foreground our own process group is. Where it is someone else's, we were
/// started in the background and have nothing to hand over.
pub fn is_ours() -> bool {
    unistd::tcgetpgrp(io::stdin()) == Ok(unistd::getpgrp())
}

/// The main command was stopped by this signal, as by Ctrl-Z.
///
/// As PID 1 there is no shell that could continue it, so it goes on at once. Elsewhere devinit stops as well, as one
/// job with its command, and goes on with it: in the foreground after `fg`, without the terminal after `bg`.
pub fn stopped(pid: Pid, signal: i32) {
    if !matches!(signal, SIGTSTP | SIGTTIN | SIGTTOU) {
        return; // SIGSTOP was sent on purpose, by someone who will send SIGCONT.
    }
    let command = NixPid::from_raw(pid);
    if unistd::getpid().as_raw() == 1 {
        // Without the terminal it would be stopped again at once, for ever.
        if unistd::tcsetpgrp(io::stdin(), command).is_ok() || signal == SIGTSTP {
            let _ = sys::kill(-pid, SIGCONT);
        }
        return;
    }
    if signal == SIGTSTP || !is_ours() {
        if unistd::tcgetpgrp(io::stdin()) == Ok(command) {
            let _ = unistd::tcsetpgrp(io::stdin(), unistd::getpgrp());
        }
        // Ctrl-Z is for the whole job, such as the other end of a pipeline. We have it blocked, and SIGCONT takes it back.
        let _ = sys::kill(0, SIGTSTP);
        let _ = sys::kill(unistd::getpid().as_raw(), SIGSTOP);
    }
    if is_ours() {
        let _ = unistd::tcsetpgrp(io::stdin(), command);
    }
    let _ = sys::kill(-pid, SIGCONT);
}

/// Makes our own process group the terminal's foreground again, once the group that had it is gone; a shell that has
/// taken it keeps it. All signals are blocked, SIGTTOU among them.
pub fn take_back() {
    let gone = |group: NixPid| sys::kill(-group.as_raw(), 0).is_err_and(|error| error.raw_os_error() == Some(ESRCH));
    if unistd::tcgetpgrp(io::stdin()).is_ok_and(|group| group.as_raw() > 1 && gone(group)) {
        let _ = unistd::tcsetpgrp(io::stdin(), unistd::getpgrp());
    }
}
