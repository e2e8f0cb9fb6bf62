//! The worker: the command's parent, which reads what that prints and writes the job's files.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::libc::{SIGCONT, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::checkpoint::Saved;
use super::child::{Command, Failure};
use super::files::Files;
use super::first::runner;
use super::outputs::{AT_A_TIME, Outputs};
use super::{BETWEEN_LOOKS, Job, REFUSED, pipes};
use crate::engine::processes;
use crate::job::claim::{self, Refused};
use crate::job::folder::Wish;
use crate::job::log::record;
use crate::job::{HEARTBEAT, State, Status, retention};
use crate::sys::{self, Change};
use crate::words;

/// How often SIGKILL is sent again: what is forked at the very moment may have been missed.
const KILL_AGAIN: Duration = Duration::from_millis(200);
/// The worker.
pub struct Worker<'a> {
    job: &'a Job,
    files: Files<'a>,
    outputs: Outputs,
    end: Option<Change>,
    ended_at: Option<Instant>,
    /// Somebody wants it to end.
    asked: bool,
    /// It is to end with all that it started: when that is killed (again).
    kill_at: Option<Instant>,
    heartbeat_at: Instant,
}

impl<'a> Worker<'a> {
    /// Starts the command and stays with it to its end. Returns the exit code.
    pub fn begin(job: &'a mut Job) -> i32 {
        let name = job.request.name.clone();
        let writers = match job.writers.take() {
            Some(writers) => writers,
            // In the guard, after the worker was killed before it had started the command.
            None => match pipes() {
                Ok((readers, writers)) => {
                    job.readers = readers;
                    writers
                }
                Err(error) => return job.starter.refuse(REFUSED, &format!("job {name}: {error}")),
            },
        };
        let claimed = loop {
            match claim::begin(&job.place.folder, &name, &mut |_| job.first_status()) {
                // Another one that waited was quicker.
                Err(Refused::Runs(_)) if job.request.how.queue.is_some() => {
                    if let Err(code) = job.wait_longer() {
                        return job.starter.refuse(code, &format!("job {name}: it waits no longer, and has not run"));
                    }
                    job.begun = Instant::now();
                }
                other => break other,
            }
        };
        let job = &*job;
        let (status, fault) = match claimed {
            Ok(status) => (status, None),
            Err(refused @ Refused::Runs(_)) => return job.starter.refuse(REFUSED, &format!("job {refused}")),
            Err(refused @ Refused::Unwritable(_)) => (job.first_status(), Some(refused)),
        };
        let mut worker = Self::new(job, status);
        if let Some(error) = fault {
            worker.files.trouble(&format!("{}: {error}", job.place.folder.path().display()));
        }
        worker.files.open_log();
        worker.start(writers)
    }

    /// Goes on where a worker was killed. Returns the exit code.
    pub fn resume(job: &'a Job, saved: Saved) -> i32 {
        let mut status = saved.status.unwrap_or_else(|| job.first_status());
        (status.runner, status.runner_started) = runner();
        (status.pid, status.lines, status.bytes) = (saved.pid, saved.lines, saved.bytes);
        let over = status.state.is_final();
        let mut worker = Self::new(job, status);
        (worker.end, worker.ended_at) = (saved.end, saved.end.map(|_| Instant::now()));
        if worker.files.status.state == State::Stopping {
            // It was asked, and may be deaf.
            (worker.asked, worker.kill_at) = (true, Some(Instant::now() + job.request.how.stop_timeout));
        }
        if over {
            // It was killed with its last breath.
            worker.files.write_status();
            return worker.exit_code();
        }
        worker.files.resume_log(saved.length);
        let most = words::bytes(2 * AT_A_TIME as u64);
        let text =
            format!("the process that wrote the log was killed, another one goes on; at most {most} are missing");
        worker.files.missing(0, 0, &text);
        worker.files.warn(&text);
        worker.files.write_status();
        worker.work()
    }

    fn new(job: &'a Job, status: Status) -> Self {
        Self {
            job,
            files: Files::new(job, status),
            outputs: Outputs::new(job),
            end: None,
            ended_at: None,
            asked: false,
            kill_at: None,
            heartbeat_at: Instant::now() + HEARTBEAT,
        }
    }

    fn start(mut self, writers: [OwnedFd; 2]) -> i32 {
        let name = &self.job.request.name;
        self.job.place.folder.remove_wish(name);
        let id = self.files.status.id.clone();
        let mut variables = vec![("DEVINIT_JOB", name.as_str()), ("DEVINIT_JOB_ID", id.as_str())];
        // Python keeps what it prints to a pipe to itself until it has 8 KiB of it: hours, for a quiet program.
        if std::env::var_os("PYTHONUNBUFFERED").is_none() {
            variables.push(("PYTHONUNBUFFERED", "1"));
        }
        let [out, errors] = &writers;
        let command = Command {
            command: &self.job.request.command,
            directory: &self.job.request.directory,
            variables,
            streams: [&self.job.input, out, errors],
            signals: self.job.given,
        };
        self.files.keep();
        match command.start(&self.job.checkpoint) {
            Ok(pid) => self.files.status.pid = Some(pid),
            Err(failure) => return self.never_ran(&failure),
        }
        drop(writers);
        self.files.record(record::start);
        self.files.write_status();
        let log =
            self.files.status.log.as_ref().map_or_else(|| "without a log".to_owned(), |log| log.display().to_string());
        self.job.starter.tell(&format!("job {name} runs: {log}"));
        let place = &self.job.place;
        if !self.files.is_troubled() {
            for text in retention::clean(&place.folder, name, place.keep, place.keep_for) {
                self.files.warn(&text);
            }
        }
        self.work()
    }

    fn never_ran(mut self, failure: &Failure) -> i32 {
        self.files.record(record::start);
        let status = &mut self.files.status;
        status.state = State::Failed;
        status.error = Some(failure.message.clone());
        status.exit_code = Some(failure.code);
        self.files.close();
        self.job.starter.refuse(failure.code, &format!("job {}: {}", self.job.request.name, failure.message))
    }

    /// To the end of the command.
    fn work(mut self) -> i32 {
        // It may have ended while nobody was its parent.
        self.reap();
        while !self.is_over() {
            let readable = self.outputs.wait(self.job.signals.as_fd(), self.deadline());
            self.take_signals();
            for (place, _) in readable.iter().enumerate().filter(|(_, readable)| **readable) {
                self.outputs.take(place, self.end.is_some(), self.job, &mut self.files);
            }
            self.tick();
        }
        self.finish()
    }

    /// Whether nothing more is to come: the command has ended, with all that it started if it was to; and its outputs have
    /// ended, or say nothing more.
    fn is_over(&self) -> bool {
        let Some(ended_at) = self.ended_at else { return false };
        if self.kill_at.is_some() && sys::has_children() && sees_processes() {
            return false;
        }
        self.outputs.are_over(ended_at)
    }

    fn deadline(&self) -> Instant {
        let others = [self.files.due(), self.kill_at, self.outputs.deadline(self.ended_at)];
        others.into_iter().flatten().fold(self.heartbeat_at, Instant::min)
    }

    fn take_signals(&mut self) {
        for signal in sys::next_signals(&self.job.signals) {
            match signal {
                SIGTERM => self.stop(),
                SIGUSR2 => self.kill(),
                SIGINT | SIGQUIT => {
                    self.asked = true;
                    self.signal_command(signal);
                }
                SIGTSTP | SIGCONT => self.signal_command(signal),
                _ => {}
            }
        }
        self.reap();
    }

    /// To the command's process group, as a terminal does it.
    fn signal_command(&self, signal: i32) {
        if let (None, Some(pid)) = (self.end, self.files.status.pid) {
            let _ = sys::kill(-pid, signal);
        }
    }

    /// Asks all that belongs to the job to end, once.
    fn stop(&mut self) {
        if self.kill_at.is_none() {
            self.end_all(SIGTERM, self.job.request.how.stop_timeout);
        }
    }

    fn kill(&mut self) {
        self.end_all(SIGKILL, KILL_AGAIN);
    }

    fn end_all(&mut self, signal: i32, patience: Duration) {
        processes::sweep(signal);
        if !sees_processes() {
            self.signal_command(signal);
            self.signal_command(SIGCONT);
        }
        self.asked = true;
        self.kill_at = Some(Instant::now() + patience);
        let state = &mut self.files.status.state;
        if self.end.is_none() && *state != State::Stopping {
            *state = State::Stopping;
            self.files.write_status();
        }
    }

    /// Takes note of children that ended. Orphans of the job are ours.
    fn reap(&mut self) {
        while let Some((pid, change)) = sys::peek_child() {
            if let Change::Stopped(_) = change {
                sys::take_note_of_stop(pid);
                continue;
            }
            if Some(pid) == self.files.status.pid && self.end.is_none() {
                self.job.checkpoint.put_end(change);
                (self.end, self.ended_at) = (Some(change), Some(Instant::now()));
            }
            sys::reap(pid);
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.outputs.go_on(now);
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill();
        }
        if self.heartbeat_at <= now {
            self.heartbeat_at = now + HEARTBEAT;
            self.look_for_wishes();
            self.files.retry_log();
            self.outputs.note_last_words(&mut self.files);
            self.files.write_status();
            let current = self.outputs.current();
            self.files.record(|out, status| record::heartbeat(out, status, current));
        }
        if self.files.due().is_some_and(|at| at <= now) {
            self.outputs.note_last_words(&mut self.files);
            self.files.write_status();
        }
    }

    /// Whether somebody elsewhere wants it to end.
    fn look_for_wishes(&mut self) {
        let (folder, name) = (&self.job.place.folder, &self.job.request.name);
        let Some(wish) = folder.wish(name, &self.files.status.id) else { return };
        folder.remove_wish(name);
        match wish {
            Wish::Stop => self.stop(),
            Wish::Kill => self.kill(),
        }
    }

    /// The last lines, the last record, the last status. Returns the exit code.
    fn finish(mut self) -> i32 {
        self.outputs.finish(&mut self.files);
        let code = self.exit_code();
        let status = &mut self.files.status;
        match self.end {
            Some(Change::Exited(code)) => status.exit_code = Some(code),
            Some(Change::Killed(signal) | Change::Stopped(signal)) => {
                let name = signal_hook::low_level::signal_name(signal);
                status.signal = Some(name.map_or_else(|| format!("signal {signal}"), str::to_owned));
            }
            None => {}
        }
        status.state = match (code, self.asked) {
            // It had ended by itself before it could hear of it.
            (0, _) if self.kill_at.is_none() => State::Succeeded,
            (_, true) => State::Stopped,
            _ => State::Failed,
        };
        self.files.close();
        self.outputs.last_words();
        code
    }
}

impl Worker<'_> {
    /// The command's exit code, as shells have it.
    fn exit_code(&self) -> i32 {
        match self.end {
            Some(Change::Exited(code)) => code,
            Some(Change::Killed(signal) | Change::Stopped(signal)) => signal.saturating_add(128),
            None => REFUSED,
        }
    }
}

/// Whether there is a /proc. Without it nobody but the command's process group can be found.
fn sees_processes() -> bool {
    std::fs::exists("/proc/self/stat").unwrap_or(false)
}

impl Job {
    /// Waits a while for another job's end, or fails with an exit code: by a signal, or with whoever began it in the
    /// background and is gone.
    fn wait_longer(&self) -> Result<(), i32> {
        let mut watched = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        watched.extend(self.starter.far().map(|pipe| PollFd::new(pipe, PollFlags::empty())));
        let _ = poll(&mut watched, PollTimeout::try_from(BETWEEN_LOOKS).unwrap_or(PollTimeout::ZERO));
        if watched.get(1).is_some_and(|starter| starter.any().unwrap_or(false)) {
            return Err(REFUSED);
        }
        let ends = |signal: &i32| [SIGTERM, SIGINT, SIGQUIT, SIGUSR2].contains(signal);
        sys::next_signals(&self.signals).find(ends).map_or(Ok(()), |signal| Err(signal.saturating_add(128)))
    }
}
