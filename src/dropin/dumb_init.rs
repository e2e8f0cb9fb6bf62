//! In the place of dumb-init 1.2.5.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

use nix::libc;

use super::options::{Found, Long, Options, Syntax, integer};
use super::output::{ERR, Word, print};
use super::{ALL, mask, number};
use crate::sys::{self, Arguments, Disposition, End, Mask, Pid};

/// The highest signal's number.
const LAST: usize = 64;

const LONG: &[Long] = &[
    ("help", false, b'h'),
    ("single-child", false, b'c'),
    ("rewrite", true, b'r'),
    ("verbose", false, b'v'),
    ("version", false, b'V'),
];

/// Runs as dumb-init, and returns the exit code.
pub(super) fn run(mut arguments: Arguments) -> i32 {
    let mut init = DumbInit { talk: false, session: true, passed_as: [None; LAST + 1], awaited: 0 };
    match init.read(&mut arguments) {
        Ok(program) => init.supervise(&arguments, program),
        Err(code) => code,
    }
}

struct DumbInit {
    /// Say what happens.
    talk: bool,
    /// The child leads a session and gets signals with all its group.
    session: bool,
    /// What a signal is passed on as, if not as itself; 0 is not at all.
    passed_as: [Option<u8>; LAST + 1],
    /// Signals that the kernel sends because this process gives up its terminal: the first of each is not for the child.
    awaited: Mask,
}

impl DumbInit {
    /// Reads options and environment; where the program's words begin, or the exit code.
    fn read(&mut self, arguments: &mut Arguments) -> Result<usize, i32> {
        let mut options = Options::new(arguments, Syntax { letters: b"hvVcr:", long: LONG, anywhere: false });
        let program = loop {
            match options.next() {
                Found::Option(b'v', _) => self.talk = true,
                Found::Option(b'c', _) => self.session = false,
                Found::Option(b'r', rule) => match rewrite(rule) {
                    Some((signal, to)) => self.pass_as(signal, to),
                    None => {
                        print(ERR, format_args!("{REWRITE_USAGE}"));
                        return Err(1);
                    }
                },
                Found::Option(b'V', _) => {
                    print(ERR, format_args!("dumb-init v1.2.5\n"));
                    return Err(0);
                }
                Found::Option(..) => {
                    let name = Word::of(arguments.get(0).unwrap_or_default());
                    print(ERR, format_args!("dumb-init v1.2.5\nUsage: {name} [option] command [[arg] ...]\n{HELP}"));
                    return Err(0);
                }
                Found::Wrong => return Err(1),
                Found::Words(place) if place < arguments.len() => break place,
                Found::Words(_) => {
                    let name = Word::of(arguments.get(0).unwrap_or_default());
                    print(
                        ERR,
                        format_args!("Usage: {name} [option] program [args]\nTry {name} --help for full usage.\n"),
                    );
                    return Err(1);
                }
            }
        };
        if sys::variable(c"DUMB_INIT_DEBUG") == Some(c"1") {
            self.talk = true;
            self.say(format_args!("Running in debug mode."));
        }
        if sys::variable(c"DUMB_INIT_SETSID") == Some(c"0") {
            self.session = false;
            self.say(format_args!("Not running in setsid mode."));
        }
        if self.session {
            // The child's group is an orphaned one, which the kernel does not let a terminal's signals stop.
            for signal in [libc::SIGTSTP, libc::SIGTTOU, libc::SIGTTIN] {
                self.stop_by_default(signal);
            }
        }
        Ok(program)
    }

    fn pass_as(&mut self, signal: usize, to: u8) {
        if let Some(entry) = self.passed_as.get_mut(signal) {
            *entry = Some(to);
        }
    }

    fn stop_by_default(&mut self, signal: i32) {
        let entry = usize::try_from(signal).ok().and_then(|signal| self.passed_as.get_mut(signal));
        if let Some(entry @ None) = entry {
            *entry = u8::try_from(libc::SIGSTOP).ok();
        }
    }

    fn translated(&self, signal: i32) -> i32 {
        let to = usize::try_from(signal).ok().and_then(|signal| self.passed_as.get(signal).copied().flatten());
        to.map_or(signal, i32::from)
    }

    /// Runs the program, and returns its exit code.
    fn supervise(&mut self, arguments: &Arguments, program: usize) -> i32 {
        let _ = sys::replace_mask(ALL);
        // Ignored, it would make the kernel reap, and the child's exit code would be lost.
        let _ = sys::dispose(libc::SIGCHLD, Disposition::Default);
        if self.session {
            self.give_up_terminal();
        }
        // So that the folder that it was started in can be unmounted; now, for the child may look.
        let folder = sys::working_directory().ok();
        if folder.is_some() {
            self.leave_folder();
        }
        let child = match sys::spawn(&|| self.become_program(folder.as_ref(), arguments, program)) {
            Ok(child) => child,
            Err(_) => {
                line(format_args!("Unable to fork. Exiting."));
                return 1;
            }
        };
        self.say(format_args!("Child spawned with PID {child}."));
        if folder.is_none() {
            self.leave_folder();
        }
        drop(folder);
        loop {
            // The only error is that of having been stopped and continued.
            let Ok(signal) = sys::wait_for_signal(ALL) else { continue };
            self.say(format_args!("Received signal {signal}."));
            if self.awaited & mask(signal) != 0 {
                self.say(format_args!("Ignoring tty hand-off signal {signal}."));
                self.awaited &= !mask(signal);
            } else if signal == libc::SIGCHLD {
                if let Some(code) = self.reap(child) {
                    return code;
                }
            } else {
                self.pass_on(signal, Some(child));
                if matches!(signal, libc::SIGTSTP | libc::SIGTTOU | libc::SIGTTIN) {
                    self.say(format_args!("Suspending self due to TTY signal."));
                    let _ = sys::kill(sys::own_pid(), libc::SIGSTOP);
                }
            }
        }
    }

    fn leave_folder(&self) {
        if let Err(error) = sys::go_to_root() {
            self.say(format_args!("Unable to chdir(\"/\") {}", Failure(&error)));
        }
    }

    /// Lets go of the terminal, which the child's session is to have.
    fn give_up_terminal(&mut self) {
        match sys::give_up_terminal() {
            Err(error) => self.say(format_args!("Unable to detach from controlling tty {}.", Failure(&error))),
            Ok(()) if sys::leads_session() => {
                self.say(format_args!(
                    "Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive."
                ));
                self.awaited = mask(libc::SIGHUP) | mask(libc::SIGCONT);
            }
            Ok(()) => self.say(format_args!("Detached from controlling tty, but was not session leader.")),
        }
    }

    /// What the child does; an exit code if it cannot execute the program.
    fn become_program(&self, folder: Option<&OwnedFd>, arguments: &Arguments, program: usize) -> i32 {
        if let Some(Err(error)) = folder.map(sys::go_back_to) {
            line(format_args!("Unable to go back to the working directory {}. Exiting.", Failure(&error)));
            return 1;
        }
        // The child starts with every signal at its default, whatever dumb-init was started with.
        for signal in 1..32 {
            let _ = sys::dispose(signal, Disposition::Default);
        }
        let _ = sys::replace_mask(0);
        if self.session {
            if let Err(error) = sys::lead_session() {
                line(format_args!("Unable to setsid {}. Exiting.", Failure(&error)));
                return 1;
            }
            if let Err(error) = sys::take_terminal() {
                self.say(format_args!("Unable to attach to controlling tty {}.", Failure(&error)));
            }
            self.say(format_args!("setsid complete."));
        }
        let error = arguments.execute(program);
        let name = Word::of(arguments.get(program).unwrap_or_default());
        line(format_args!("{name}: {}", Word::of(sys::error_text(number(&error)))));
        2
    }

    fn pass_on(&self, signal: i32, child: Option<Pid>) {
        let to = self.translated(signal);
        if to != signal {
            self.say(format_args!("Translating signal {signal} to {to}."));
        }
        if to == 0 {
            return self.say(format_args!("Not forwarding signal {to} to children (ignored)."));
        }
        let _ = child.map(|child| sys::kill(if self.session { -child } else { child }, to));
        self.say(format_args!("Forwarded signal {to} to children."));
    }

    /// Reaps all that have ended, up to the child; its exit code, once the rest of its group has been told.
    fn reap(&self, child: Pid) -> Option<i32> {
        while let Ok(Some((pid, end))) = sys::reap_any() {
            let code = match end {
                End::Exited(code) => {
                    self.say(format_args!("A child with PID {pid} exited with exit status {code}."));
                    code
                }
                End::Killed(signal) => {
                    self.say(format_args!("A child with PID {pid} was terminated by signal {signal}."));
                    128 + signal
                }
            };
            if pid == child {
                // What is left of the session; without one there is nobody, whoever has the number now.
                self.pass_on(libc::SIGTERM, Some(child).filter(|_| self.session));
                self.say(format_args!("Child exited with status {code}. Goodbye."));
                return Some(code);
            }
        }
        None
    }

    fn say(&self, what: fmt::Arguments<'_>) {
        if self.talk {
            line(what);
        }
    }
}

fn line(what: fmt::Arguments<'_>) {
    print(ERR, format_args!("[dumb-init] {what}\n"));
}

/// An error with its number, as dumb-init writes it.
struct Failure<'a>(&'a io::Error);

impl fmt::Display for Failure<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = number(self.0);
        write!(formatter, "(errno={number} {})", Word::of(sys::error_text(number)))
    }
}

/// Reads `SIGNAL:SIGNAL`. dumb-init knows 1 to 31; here the real-time signals count, too, from the first that a C
/// library leaves to programs.
fn rewrite(rule: &[u8]) -> Option<(usize, u8)> {
    let (signal, rest) = integer(rule)?;
    let (to, _) = integer(rest.strip_prefix(b":")?)?;
    let is_signal = |number: &i32| matches!(*number, 1..32 | sys::SIGRTMIN..=64);
    let signal = Some(signal).filter(is_signal)?;
    let to = Some(to).filter(|to| *to == 0 || is_signal(to))?;
    Some((usize::try_from(signal).ok()?, u8::try_from(to).ok()?))
}

const REWRITE_USAGE: &str = "\
Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.
This option can be specified multiple times.
Use --help for full usage.
";

const HELP: &str = "
dumb-init is a simple process supervisor that forwards signals to children.
It is designed to run as PID1 in minimal container environments.

Optional arguments:
   -c, --single-child   Run in single-child mode.
                        In this mode, signals are only proxied to the
                        direct child and not any of its descendants.
   -r, --rewrite s:r    Rewrite received signal s to new signal r before proxying.
                        To ignore (not proxy) a signal, rewrite it to 0.
                        This option can be specified multiple times.
   -v, --verbose        Print debugging information to stderr.
   -h, --help           Print this help message and exit.
   -V, --version        Print the current version and exit.

Full help is available online at https://github.com/Yelp/dumb-init
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewrite_names_two_signals() {
        assert_eq!(rewrite(b"15:2"), Some((15, 2)));
        assert_eq!(rewrite(b" 15:+2x"), Some((15, 2)));
        assert_eq!(rewrite(b"31:0"), Some((31, 0)));
        assert_eq!(rewrite(b"37:15"), Some((37, 15)));
        assert_eq!(rewrite(b"1:64"), Some((1, 64)));
        for wrong in ["", "15", "15:", "15::2", ":2", "0:1", "1:32", "33:1", "65:1", "1:-1", "1:65", "a:b", "15 :2"] {
            assert_eq!(rewrite(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
