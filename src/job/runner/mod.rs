//! Running a job: the guard, the worker, and the command.
//!
//! Who calls `devinit job run` becomes the guard. It forks the worker, which leads a session of its own (nothing that
//! happens to a terminal reaches it), starts the command, reads what that prints, and writes log and status. The guard passes
//! signals on and waits. Both are subreapers and hold the pipes:
//!
//! - if the worker is killed, the command becomes the guard's child, the pipes stay open, and the guard goes on with the
//!   worker's work from what that has left in a `Checkpoint`; what the worker had read and not written is lost, and said;
//! - if the guard is killed, the worker goes on as if nothing had happened.
//!
//! Signals to either: SIGTERM ends the job with all that it started, SIGKILL following after `--stop-timeout`. SIGUSR2 kills
//! at once. SIGINT, SIGQUIT, SIGTSTP and SIGCONT are the command's. SIGHUP is nobody's: whoever hangs up leaves the job
//! running.

mod checkpoint;
mod child;
mod echo;
mod files;
mod first;
mod outputs;
mod start;
mod worker;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::libc::{SIGCONT, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;

use super::command::Request;
use super::place::Place;
use crate::commands::complain;
use crate::engine::processes;
use crate::sys::{self, Change, Fork, Pid, SignalState};
use checkpoint::Checkpoint;
use child::pipe;
use start::Starter;
use worker::Worker;

/// The exit code for what is no fault of the command's: refused, no processes left.
pub const REFUSED: i32 = 125;
/// How often one who waits for another job looks how that stands.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What the two processes have in common.
struct Job {
    place: Place,
    request: Request,
    /// When the run began.
    begun: Instant,
    /// What the command reads.
    input: OwnedFd,
    /// The ends of its two outputs to read from.
    readers: [File; 2],
    /// The ends for the command, until it has them: who keeps one never sees the end.
    writers: Option<[OwnedFd; 2]>,
    checkpoint: Checkpoint,
    /// The signals that the command gets back.
    given: SignalState,
    signals: OwnedFd,
    starter: Starter,
}

/// Runs a job, in the foreground or beginning it in the background. Returns the exit code.
#[must_use]
pub fn run(place: Place, request: Request) -> i32 {
    if let Err(code) = wait_for_turn(&place, &request) {
        return code;
    }
    if !request.how.detach {
        return guard(place, request, Starter::Here);
    }
    let begun = pipe().and_then(|(told, tell)| Ok((told, tell, sys::fork()?)));
    match begun {
        Ok((told, tell, Fork::Parent(_))) => {
            drop(tell);
            start::answer(told)
        }
        Ok((told, tell, Fork::Child)) => {
            drop(told);
            // In a session of its own, without a terminal, and with no descriptor that keeps `ssh` or `docker exec` waiting.
            let _ = unistd::setsid();
            sys::close_all_but(&[0, 1, 2, tell.as_raw_fd()]);
            if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
                for number in 0..3 {
                    let _ = sys::duplicate_onto(null.as_fd(), number);
                }
            }
            sys::exit_now(guard(place, request, Starter::Far(tell)))
        }
        Err(error) => {
            complain(&format!("job {}: cannot start a process: {error}", request.name));
            REFUSED
        }
    }
}

/// Waits with --queue until the job that it is to come after has ended.
fn wait_for_turn(place: &Place, request: &Request) -> Result<(), i32> {
    let Some(queue) = &request.how.queue else { return Ok(()) };
    let refused = |message: String| {
        complain(&message);
        REFUSED
    };
    let before = match queue {
        Some(name) => super::Name::parse(name).map_err(refused)?,
        None => request.name.clone(),
    };
    let mut told = false;
    loop {
        match place.folder.look(&before) {
            Ok(Some(seen)) if !seen.status.state.is_final() => {
                if !told && !request.how.quiet {
                    complain(&format!(
                        "job {}: waits until {before} has ended (running since {})",
                        request.name, seen.status.started
                    ));
                }
                told = true;
            }
            Ok(None) if queue.is_some() && !told => {
                return Err(refused(format!(
                    "there is no job `{before}` in {} to wait for",
                    place.folder.path().display()
                )));
            }
            _ => return Ok(()),
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Forks the worker and watches over it.
fn guard(place: Place, request: Request, starter: Starter) -> i32 {
    let name = request.name.clone();
    let mut job = match Job::new(place, request, starter) {
        Ok(job) => job,
        Err(error) => {
            complain(&format!("job {name}: cannot begin: {error}"));
            return REFUSED;
        }
    };
    sys::set_process_name(c"devinit: job");
    let _ = sys::become_subreaper();
    match sys::fork() {
        Ok(Fork::Child) => {
            let _ = unistd::setsid();
            let _ = sys::become_subreaper();
            sys::set_process_name(c"devinit: worker");
            sys::exit_now(Worker::begin(&mut job))
        }
        Ok(Fork::Parent(worker)) => {
            job.writers = None;
            job.watch(worker)
        }
        // Better without a guard than not at all.
        Err(_) => Worker::begin(&mut job),
    }
}

impl Job {
    fn new(place: Place, request: Request, starter: Starter) -> io::Result<Self> {
        let given = sys::take_signals()?;
        let (readers, writers) = pipes()?;
        let terminal = io::IsTerminal::is_terminal(&io::stdin());
        // A terminal is for whoever sits there: a job that reads from it would be stopped for good.
        let input = match terminal {
            true => File::open("/dev/null")?.into(),
            false => io::stdin().as_fd().try_clone_to_owned()?,
        };
        Ok(Self {
            place,
            request,
            begun: Instant::now(),
            input,
            readers,
            writers: Some(writers),
            checkpoint: Checkpoint::new()?,
            given,
            signals: sys::signal_descriptor()?,
            starter,
        })
    }

    /// Waits for the worker's end and passes signals on. Returns the exit code.
    fn watch(&mut self, worker: Pid) -> i32 {
        loop {
            let _ = poll(&mut [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
            for signal in sys::next_signals(&self.signals) {
                match signal {
                    SIGINT | SIGQUIT | SIGTERM | SIGUSR2 | SIGCONT => drop(sys::kill(worker, signal)),
                    SIGTSTP => {
                        let _ = sys::kill(worker, SIGTSTP);
                        let _ = sys::suspend();
                        let _ = sys::kill(worker, SIGCONT);
                    }
                    _ => {}
                }
            }
            match ended(worker) {
                Some(Change::Exited(code)) => return code,
                Some(_) => return self.take_over(),
                None => {}
            }
        }
    }

    /// Goes on with the work of a worker that was killed.
    fn take_over(&mut self) -> i32 {
        sys::set_process_name(c"devinit: worker");
        match self.checkpoint.saved() {
            saved if saved.pid.is_some() => Worker::resume(self, saved),
            _ => {
                // A process that was to become the command may be there, and not know yet that nobody knows of it.
                processes::sweep(SIGKILL);
                Worker::begin(self)
            }
        }
    }
}

/// The pipes of both outputs: to read from, and to write to.
fn pipes() -> io::Result<([File; 2], [OwnedFd; 2])> {
    let ((out, to_out), (errors, to_errors)) = (pipe()?, pipe()?);
    Ok(([out, errors], [to_out, to_errors]))
}

/// Takes note of children that ended; how this one did, if it has.
fn ended(child: Pid) -> Option<Change> {
    while let Some((pid, change)) = sys::peek_child() {
        if let Change::Stopped(_) = change {
            sys::take_note_of_stop(pid);
            continue;
        }
        sys::reap(pid);
        if pid == child {
            return Some(change);
        }
    }
    None
}
