//! The coordinator's side of an attempt: a worker that runs.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};

use super::Task;
use super::job::Report;
use super::worker::{self, Ground, Message, Outcome};
use crate::fetch::Failure;
use crate::sys::{self, Fork};

/// The longest message that is read of a worker, in bytes: from here on what it says is not ours.
const LONGEST: usize = 64 << 10;
/// How often one worker is read from before it is another one's turn: half a MiB.
const MOST_READS: u32 = 32;
/// How long a worker that is to end may take to, before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// A worker that runs.
pub struct Attempt {
    /// The task's index.
    pub task: usize,
    pid: sys::Pid,
    messages: PipeReader,
    begun: Vec<u8>,
    outcome: Option<Outcome>,
    ending: Option<Ending>,
}

/// That it was told to end.
struct Ending {
    why: Failure,
    kill_at: Instant,
}

/// A pipe whose other end closes with the coordinator, however it ends.
pub struct Lifeline {
    read: PipeReader,
    write: Option<PipeWriter>,
}

impl Lifeline {
    /// Makes it.
    ///
    /// # Errors
    /// Those of pipe(2).
    pub fn new() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        Ok(Self { read, write: Some(write) })
    }
}

/// What was read of a worker.
pub enum Heard {
    /// It still works.
    Working,
    /// It has ended.
    Ended(Outcome),
}

impl Attempt {
    /// Forks a worker.
    ///
    /// # Errors
    /// Those of pipe(2) and fork(2).
    pub fn start(index: usize, task: &Task, ground: &Ground, lifeline: &mut Lifeline) -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        let life = lifeline.read.try_clone()?;
        match sys::fork()? {
            Fork::Parent(pid) => {
                let flags = fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
                debug_assert!(flags.is_ok());
                Ok(Self { task: index, pid, messages: read, begun: Vec::new(), outcome: None, ending: None })
            }
            Fork::Child => {
                // Its copies of what the coordinator holds open.
                drop((read, lifeline.write.take()));
                worker::work(task, ground, File::from(OwnedFd::from(write)), life)
            }
        }
    }

    /// What becomes readable when there is something to hear.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.messages.as_fd()
    }

    /// When it has to be killed, if it was told to end.
    pub fn kill_at(&self) -> Option<Instant> {
        self.ending.as_ref().map(|ending| ending.kill_at)
    }

    /// Tells it, and all its processes, to end; those that don't are killed by [`Attempt::kill_if_late`]. What it fails
    /// with from now on is `why`: what its programs say when they are cut short would lead nobody to the reason.
    pub fn end(&mut self, why: Failure) {
        if self.ending.is_none() {
            self.ending = Some(Ending { why, kill_at: Instant::now() + GRACE });
            self.signal(libc::SIGTERM);
        }
    }

    /// Kills it, and all its processes.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
    }

    /// Kills it if its time is over.
    pub fn kill_if_late(&mut self) {
        if self.kill_at().is_some_and(|at| at <= Instant::now()) {
            self.signal(libc::SIGKILL);
        }
    }

    /// To the worker and its group. A worker that was forked just now may not have made its group yet.
    fn signal(&self, signal: i32) {
        let _ = sys::kill(-self.pid, signal);
        let _ = sys::kill(self.pid, signal);
    }

    /// Reads what there is to hear, but not for ever: one that talks without end must not keep others from being heard.
    pub fn hear(&mut self, report: &mut dyn FnMut(Report)) -> Heard {
        let mut part = [0; 16 << 10];
        for _ in 0..MOST_READS {
            match self.messages.read(&mut part) {
                Ok(0) => return Heard::Ended(self.finish()),
                Ok(length) => self.take(part.get(..length).unwrap_or_default(), report),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Working,
                Err(_) => return Heard::Ended(self.finish()),
            }
        }
        Heard::Working
    }

    /// A worker runs as the task's user, who may make it say anything: what is no message is left out.
    fn take(&mut self, bytes: &[u8], report: &mut dyn FnMut(Report)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.len() + part.len() <= LONGEST {
                self.begun.extend_from_slice(part);
            }
            if !part.ends_with(b"\n") {
                continue;
            }
            match serde_json::from_slice(&self.begun) {
                Ok(Message::Report(told)) => report(told),
                Ok(Message::Ended(outcome)) => self.outcome = Some(outcome),
                Err(_) => {}
            }
            self.begun.clear();
        }
    }

    /// The worker has closed its pipe, so it is as good as gone.
    fn finish(&mut self) -> Outcome {
        let outcome = self.outcome.take();
        let done = outcome.as_ref().is_some_and(|outcome| outcome.failure.is_none());
        if !done {
            // What a failed attempt has left running would be in the way of the next. Its number is the worker's until
            // the worker is reaped, so nobody else is hit.
            self.signal(libc::SIGKILL);
        }
        let status = loop {
            match waitpid(nix::unistd::Pid::from_raw(self.pid), None) {
                Err(Errno::EINTR) => {}
                status => break status,
            }
        };
        let ended = self.ending.take().map(|ending| ending.why);
        match outcome {
            Some(outcome) if done || ended.is_none() => outcome,
            Some(outcome) => Outcome { failure: ended, ..outcome },
            None => Outcome { failure: Some(ended.unwrap_or_else(|| unexpected(status))), ..Outcome::default() },
        }
    }
}

/// Why there is no outcome of a worker that was not told to end.
fn unexpected(status: nix::Result<WaitStatus>) -> Failure {
    match status {
        Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _)) => Failure::passing("its worker was killed by SIGKILL")
            .hint("if nobody did that, the container's memory limit did"),
        Ok(WaitStatus::Signaled(_, signal, _)) => Failure::passing(format!("its worker was killed by {signal}")),
        _ => Failure::passing("its worker ended without a word").hint("is there a limit of processes or of memory?"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_worker_that_talks_without_end_keeps_nobody_from_being_heard() {
        let (messages, mut mouth) = io::pipe().unwrap();
        fcntl(&messages, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut attempt = Attempt { task: 0, pid: 0, messages, begun: Vec::new(), outcome: None, ending: None };
        let talk = std::thread::spawn(move || while mouth.write_all(b"nonsense\n{\n").is_ok() {});
        for _ in 0..10 {
            assert!(matches!(attempt.hear(&mut |_| {}), Heard::Working));
        }
        drop(attempt);
        talk.join().unwrap();
    }
}
