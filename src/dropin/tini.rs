//! In the place of tini 0.19.

use std::fmt;

use nix::libc;
use nix::sys::signal::Signal;

use super::options::{Found, Options, Syntax, integer};
use super::output::{ERR, OUT, Word, print};
use super::{mask, number};
use crate::sys::{self, Arguments, Disposition, End, Pid};

/// What scripts look for, and who it really is. Releases of tini add their commit in the same way.
const VERSION: &str = concat!("tini version 0.19.0 - devinit ", env!("CARGO_PKG_VERSION"));

/// Signals that are not passed on: those of a process's own faults, and those of a terminal to its background.
const KEPT: sys::Mask = mask(libc::SIGFPE)
    | mask(libc::SIGILL)
    | mask(libc::SIGSEGV)
    | mask(libc::SIGBUS)
    | mask(libc::SIGABRT)
    | mask(libc::SIGTRAP)
    | mask(libc::SIGSYS)
    | mask(libc::SIGTTIN)
    | mask(libc::SIGTTOU);

/// Runs as tini, and returns the exit code.
pub(super) fn run(mut arguments: Arguments) -> i32 {
    let mut tini =
        Tini { verbosity: 1, subreaper: false, group: false, tell_zombies: false, parent: None, fine: [0; 4] };
    match tini.read(&mut arguments) {
        Ok(program) => tini.supervise(&arguments, program).unwrap_or(1),
        Err(code) => code,
    }
}

/// How it is told to behave.
struct Tini {
    /// 0: only what ends it; 1: warnings; 2: the child's start and end; 3: every signal; 4: every step.
    verbosity: u32,
    subreaper: bool,
    /// Pass signals on to the child's group.
    group: bool,
    tell_zombies: bool,
    /// What to get when the parent ends.
    parent: Option<Signal>,
    /// A bit for each exit code that becomes 0.
    fine: [u64; 4],
}

/// What tini has told and ends for, with exit code 1.
struct Told;

impl Tini {
    /// Reads options and environment; where the program's words begin, or the exit code.
    fn read(&mut self, arguments: &mut Arguments) -> Result<usize, i32> {
        if arguments.len() == 2 && arguments.get(1) == Some(c"--version") {
            print(OUT, format_args!("{VERSION}\n"));
            return Err(0);
        }
        let syntax = Syntax { letters: b"p:hvwgle:s", long: &[], anywhere: options_anywhere(arguments) };
        let mut options = Options::new(arguments, syntax);
        let program = loop {
            match options.next() {
                Found::Option(b's', _) => self.subreaper = true,
                Found::Option(b'v', _) => self.verbosity = self.verbosity.wrapping_add(1),
                Found::Option(b'w', _) => self.tell_zombies = true,
                Found::Option(b'g', _) => self.group = true,
                Found::Option(b'p', name) => {
                    self.parent = signal_named(name);
                    if self.parent.is_none() {
                        self.fatal(format_args!("Not a valid option for -p: {}", Word(name)));
                        return Err(1);
                    }
                }
                Found::Option(b'e', code) => {
                    if self.make_fine(code).is_none() {
                        self.fatal(format_args!("Not a valid option for -e: {}", Word(code)));
                        return Err(1);
                    }
                }
                Found::Option(b'l', _) => {
                    print(OUT, format_args!("{LICENSE}"));
                    return Err(0);
                }
                Found::Option(..) => {
                    usage(OUT, arguments);
                    return Err(0);
                }
                Found::Words(place) if place < arguments.len() => break place,
                Found::Wrong | Found::Words(_) => {
                    usage(ERR, arguments);
                    return Err(1);
                }
            }
        };
        self.subreaper |= sys::variable(c"TINI_SUBREAPER").is_some();
        self.group |= sys::variable(c"TINI_KILL_PROCESS_GROUP").is_some();
        if let Some(verbosity) = sys::variable(c"TINI_VERBOSITY") {
            // A negative number is a large one, as it has always been.
            self.verbosity = integer(verbosity.to_bytes()).map_or(0, |(verbosity, _)| verbosity.cast_unsigned());
        }
        Ok(program)
    }

    fn make_fine(&mut self, code: &[u8]) -> Option<()> {
        let code = match integer(code) {
            Some((code, b"")) => u8::try_from(code).ok()?,
            None if code.is_empty() => 0,
            _ => return None,
        };
        *self.fine.get_mut(usize::from(code / 64))? |= 1 << (code % 64);
        Some(())
    }

    /// Runs the program, and returns its exit code.
    fn supervise(&self, arguments: &Arguments, program: usize) -> Result<i32, Told> {
        let failed = |what: &str, error: std::io::Error| self.fail(what, &error);
        let before = Before {
            mask: sys::replace_mask(!KEPT).map_err(|error| failed("sigprocmask", error))?,
            ttin: sys::dispose(libc::SIGTTIN, Disposition::Ignored).map_err(|error| failed("sigaction", error))?,
            // The child's group has the terminal, so writing to it could otherwise stop this process.
            ttou: sys::dispose(libc::SIGTTOU, Disposition::Ignored).map_err(|error| failed("sigaction", error))?,
            // Ignored, it would make the kernel reap, and the child's exit code would be lost.
            chld: sys::dispose(libc::SIGCHLD, Disposition::Default).map_err(|error| failed("sigaction", error))?,
        };
        if let Some(signal) = self.parent
            && sys::signal_when_parent_ends(signal as i32).is_err()
        {
            self.fatal(format_args!("Failed to set up parent death signal"));
            return Err(Told);
        }
        if self.subreaper {
            sys::become_subreaper().map_err(|error| failed("Registering as child subreaper", error))?;
            self.say(4, format_args!("Registered as child subreaper"));
        }
        self.warn_if_zombies_stay();
        let child = sys::spawn(&|| self.become_program(&before, arguments, program)).map_err(|e| failed("fork", e))?;
        let name = Word::of(arguments.get(program).unwrap_or_default());
        self.say(2, format_args!("Spawned child process '{name}' with pid '{child}'"));
        loop {
            match sys::wait_for_signal(!KEPT) {
                Ok(libc::SIGCHLD) => {
                    self.say(3, format_args!("Received SIGCHLD"));
                    if let Some(code) = self.reap(child)? {
                        return Ok(code);
                    }
                }
                Ok(signal) => self.pass_on(signal, child)?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("sigtimedwait", error)),
            }
        }
    }

    fn warn_if_zombies_stay(&self) {
        if sys::own_pid() != 1 && !sys::is_subreaper().unwrap_or_default() {
            self.say(1, format_args!("{ZOMBIES_STAY}"));
        }
    }

    /// What the child does; an exit code if it cannot execute the program.
    fn become_program(&self, before: &Before, arguments: &Arguments, program: usize) -> i32 {
        let failed = |what: &str, error: std::io::Error| {
            self.fail(what, &error);
            1
        };
        if let Err(error) = sys::lead_group() {
            return failed("setpgid", error);
        }
        // Here, and not in the parent, who may itself be the child of such an init that hands over the terminal.
        if let Err(error) = sys::come_to_foreground() {
            match number(&error) {
                libc::ENOTTY => self.say(3, format_args!("tcsetpgrp failed: no tty (ok to proceed)")),
                libc::ENXIO => self.say(3, format_args!("tcsetpgrp failed: no such device (ok to proceed)")),
                _ => return failed("tcsetpgrp", error),
            }
        }
        if let Err(error) = before.give_back() {
            return failed("Restoring signals", error);
        }
        let error = arguments.execute(program);
        let name = Word::of(arguments.get(program).unwrap_or_default());
        self.fatal(format_args!("exec {name} failed: {}", Word::of(sys::error_text(number(&error)))));
        match number(&error) {
            libc::ENOENT => 127,
            libc::EACCES => 126,
            _ => 1,
        }
    }

    fn pass_on(&self, signal: i32, child: Pid) -> Result<(), Told> {
        self.say(3, format_args!("Passing signal: '{}'", Word::of(sys::signal_text(signal))));
        match sys::kill(if self.group { -child } else { child }, signal) {
            Err(error) if number(&error) == libc::ESRCH => {
                self.say(1, format_args!("Child was dead when forwarding signal"));
                Ok(())
            }
            Err(error) => {
                let error = Word::of(sys::error_text(number(&error)));
                self.fatal(format_args!("Unexpected error when forwarding signal: '{error}'"));
                Err(Told)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Reaps all that have ended; the exit code, if the child is among them.
    fn reap(&self, child: Pid) -> Result<Option<i32>, Told> {
        let mut code = None;
        loop {
            match sys::reap_any() {
                Ok(Some((pid, end))) => {
                    self.say(3, format_args!("Reaped child with pid: '{pid}'"));
                    if pid == child {
                        code = Some(self.code(end));
                    } else if self.tell_zombies {
                        self.say(1, format_args!("Reaped zombie process with pid={pid}"));
                    }
                }
                Ok(None) => {
                    self.say(4, format_args!("No child to reap"));
                    break;
                }
                Err(error) if number(&error) == libc::ECHILD => {
                    self.say(4, format_args!("No child to wait"));
                    break;
                }
                Err(error) => return Err(self.fail("Waiting for pids", &error)),
            }
        }
        if code.is_some() {
            self.say(4, format_args!("Exiting: child has exited"));
        }
        Ok(code)
    }

    fn code(&self, end: End) -> i32 {
        let code = match end {
            End::Exited(code) => {
                self.say(2, format_args!("Main child exited normally (with status '{code}')"));
                code
            }
            End::Killed(signal) => {
                let name = Word::of(sys::signal_text(signal));
                self.say(2, format_args!("Main child exited with signal (with signal '{name}')"));
                128 + signal
            }
        };
        let code = code & 0xff;
        let place = usize::try_from(code).unwrap_or_default();
        if self.fine.get(place / 64).is_some_and(|codes| codes >> (place % 64) & 1 == 1) { 0 } else { code }
    }

    /// Says something, if it is told to say things of this level; warnings go to standard error, the rest does not.
    fn say(&self, level: u32, what: fmt::Arguments<'_>) {
        if self.verbosity >= level {
            let (name, to) = match level {
                1 => ("WARN ", ERR),
                2 => ("INFO ", OUT),
                3 => ("DEBUG", OUT),
                _ => ("TRACE", OUT),
            };
            line(to, name, what);
        }
    }

    /// Says why it ends.
    #[cold]
    fn fatal(&self, what: fmt::Arguments<'_>) {
        line(ERR, "FATAL", what);
    }

    #[cold]
    fn fail(&self, what: &str, error: &std::io::Error) -> Told {
        self.fatal(format_args!("{what} failed: {}", Word::of(sys::error_text(number(error)))));
        Told
    }
}

fn line(to: i32, level: &str, what: fmt::Arguments<'_>) {
    print(to, format_args!("[{level} tini ({})] {what}\n", sys::own_pid()));
}

/// The signal state at the start, which the child gets back.
struct Before {
    mask: sys::Mask,
    ttin: Disposition,
    ttou: Disposition,
    chld: Disposition,
}

impl Before {
    fn give_back(&self) -> std::io::Result<()> {
        sys::dispose(libc::SIGTTIN, self.ttin)?;
        sys::dispose(libc::SIGTTOU, self.ttou)?;
        if self.chld == Disposition::Ignored {
            sys::dispose(libc::SIGCHLD, self.chld)?;
        }
        sys::replace_mask(self.mask).map(drop)
    }
}

/// Whether options count that stand behind the program's name (`tini ls -v`), which is up to the C library that tini is
/// built with: glibc says yes unless POSIXLY_CORRECT is set; musl, on Alpine, says no.
fn options_anywhere(arguments: &Arguments) -> bool {
    // Only asked where it could matter.
    let mut words = (1..arguments.len()).filter_map(|place| arguments.get(place)).map(|word| word.to_bytes());
    let is_option = |word: &[u8]| word.len() > 1 && word.starts_with(b"-");
    words.by_ref().take_while(|word| is_option(word) && *word != b"--").last();
    words.any(is_option) && sys::variable(c"POSIXLY_CORRECT").is_none() && !sys::exists(c"/etc/alpine-release")
}

/// The signals that -p knows: the classic ones, without those of hardware and descriptors.
fn signal_named(name: &[u8]) -> Option<Signal> {
    let signal = std::str::from_utf8(name).ok()?.parse().ok()?;
    (!matches!(signal, Signal::SIGPWR | Signal::SIGIO | Signal::SIGSTKFLT)).then_some(signal)
}

fn usage(to: i32, arguments: &Arguments) {
    let path = arguments.get(0).unwrap_or_default().to_bytes();
    let name = Word(path.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
    print(
        to,
        format_args!(
            "{name} ({VERSION})\nUsage: {name} [OPTIONS] PROGRAM -- [ARGS] | --version\n\n\
            Execute a program under the supervision of a valid init process ({name})\n\n{OPTIONS}"
        ),
    );
}

const OPTIONS: &str = "\
Command line options:

  --version: Show version and exit.
  -h: Show this help message and exit.
  -s: Register as a process subreaper (requires Linux >= 3.4).
  -p SIGNAL: Trigger SIGNAL when parent dies, e.g. \"-p SIGKILL\".
  -v: Generate more verbose output. Repeat up to 3 times.
  -w: Print a warning when processes are getting reaped.
  -g: Send signals to the child's process group.
  -e EXIT_CODE: Remap EXIT_CODE (from 0 to 255) to 0 (can be repeated).
  -l: Show license and exit.

Environment variables:

  TINI_SUBREAPER: Register as a process subreaper (requires Linux >= 3.4).
  TINI_VERBOSITY: Set the verbosity level (default: 1).
  TINI_KILL_PROCESS_GROUP: Send signals to the child's process group.

";

const LICENSE: &str = "\
This is devinit in the place of tini: a program of its own that takes tini's options.
devinit is licensed under the Apache License, Version 2.0, or the MIT License, at your option:
  https://www.apache.org/licenses/LICENSE-2.0
  https://opensource.org/licenses/MIT
";

/// Known to those who filter logs, so it is as it has always been.
const ZOMBIES_STAY: &str = "\
Tini is not running as PID 1 and isn't registered as a child subreaper.
Zombie processes will not be re-parented to Tini, so zombie reaping won't work.
To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register Tini as a child \
subreaper, or run Tini as PID 1.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_death_signal_is_one_that_tini_knows() {
        assert_eq!(signal_named(b"SIGKILL"), Some(Signal::SIGKILL));
        assert_eq!(signal_named(b"SIGUSR1"), Some(Signal::SIGUSR1));
        for none in ["", "KILL", "9", "sigkill", "SIGPWR", "SIGIO", "SIGRTMIN"] {
            assert_eq!(signal_named(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn an_exit_code_that_is_fine_becomes_0() {
        let mut tini =
            Tini { verbosity: 0, subreaper: false, group: false, tell_zombies: false, parent: None, fine: [0; 4] };
        for code in ["143", "255", " +7", "64", ""] {
            assert!(tini.make_fine(code.as_bytes()).is_some(), "{code}");
        }
        for wrong in ["256", "-1", "x", "1x", " ", "1 "] {
            assert!(tini.make_fine(wrong.as_bytes()).is_none(), "{wrong}");
        }
        let fine: Vec<i32> = (0..256).filter(|code| tini.code(End::Exited(*code)) == 0).collect();
        assert_eq!(fine, [0, 7, 64, 143, 255]);
        assert_eq!(tini.code(End::Killed(15)), 0);
        assert_eq!(tini.code(End::Killed(9)), 137);
    }
}
