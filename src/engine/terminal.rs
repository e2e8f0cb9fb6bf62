//! The terminal of a main command that runs in the foreground, as a shell would hand it over and take it back.

use std::io;

use nix::libc::{SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
use nix::unistd::{self, Pid as NixPid};

use crate::sys::{self, Pid};

/// The main command was stopped by this signal, as by Ctrl-Z.
///
/// As PID 1 there is no shell that could continue it, so it goes on at once. Elsewhere devinit stops as well, as one
/// job with its command, and goes on with it.
pub fn stopped(pid: Pid, signal: i32) {
    if !matches!(signal, SIGTSTP | SIGTTIN | SIGTTOU) {
        return; // SIGSTOP was sent on purpose, by someone who will send SIGCONT.
    }
    if unistd::getpid().as_raw() != 1 && signal == SIGTSTP {
        take_back();
        let _ = sys::kill(unistd::getpid().as_raw(), SIGSTOP);
    }
    // Without the terminal it would be stopped again at once, for ever.
    if unistd::tcsetpgrp(io::stdin(), NixPid::from_raw(pid)).is_ok() || signal == SIGTSTP {
        let _ = sys::kill(-pid, SIGCONT);
    }
}

/// Makes our own process group the terminal's foreground again. All signals are blocked, SIGTTOU among them.
pub fn take_back() {
    let _ = unistd::tcsetpgrp(io::stdin(), unistd::getpgrp());
}
