//! The worker: the command's parent, which reads what that prints and writes the job's files.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{SIGCONT, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::checkpoint::Saved;
use super::child::{Command, Failure};
use super::echo::Echo;
use super::files::Files;
use super::{BETWEEN_LOOKS, Job, REFUSED, pipes};
use crate::engine::processes;
use crate::job::claim::{self, Refused};
use crate::job::folder::Wish;
use crate::job::log::{Lines, Stream, record};
use crate::job::{HEARTBEAT, State, Status, Time, instance, progress, retention};
use crate::sys::{self, Change};
use crate::words;

/// What is read of an output at a time, in bytes: also what is lost at most when the worker is killed.
const AT_A_TIME: usize = 256 << 10;
/// How much of it becomes records at a time.
const PIECE: usize = 64 << 10;
/// How long the outputs are listened to after the command has ended, for what it has left in the background, since they
/// said something last.
const LISTEN: Duration = Duration::from_millis(500);
/// Nor for longer than this in all.
const LISTEN_AT_MOST: Duration = Duration::from_secs(5);
/// The longest command that stands in a status, in bytes of JSON: a longer status is not read.
const LONGEST_COMMAND: usize = 512 << 10;
/// What a pipe holds at most where that cannot be found out, in bytes: what anyone may have it hold.
const LARGEST_PIPE: usize = 1 << 20;
/// How often SIGKILL is sent again: what is forked at the very moment may have been missed.
const KILL_AGAIN: Duration = Duration::from_millis(200);
/// How long who reads our own output may take for the last of it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The worker.
pub struct Worker<'a> {
    job: &'a Job,
    files: Files<'a>,
    sources: [Source; 2],
    /// Where the job's output is to be seen, if anywhere.
    echo: Option<Echo>,
    end: Option<Change>,
    ended_at: Option<Instant>,
    /// Somebody wants it to end.
    asked: bool,
    /// It is to end with all that it started: when that is killed (again).
    kill_at: Option<Instant>,
    heartbeat_at: Instant,
    /// When something was read last, and of which output.
    heard: Option<(Instant, usize)>,
    read: Vec<u8>,
    records: Vec<u8>,
}

/// One output of the command.
struct Source {
    /// None once it has ended.
    pipe: Option<File>,
    lines: Lines,
    /// How much the pipe may still hold of what the command printed before it ended, in bytes: that is read in any case.
    owed: usize,
}

impl Source {
    /// Whether all has been read that the command had printed when it ended.
    fn is_heard_out(&self) -> bool {
        let Some(pipe) = self.pipe.as_ref().filter(|_| self.owed > 0) else { return true };
        poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|ready| ready == 0)
    }
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
            worker.files.warn(&error.to_string());
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
        let how = &job.request.how;
        let source = |pipe: &File, stream| {
            let _ = fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
            let owed = fcntl(pipe, FcntlArg::F_GETPIPE_SZ).ok().and_then(|size| usize::try_from(size).ok());
            Source {
                pipe: pipe.try_clone().ok(),
                lines: Lines::new(stream, how.ansi),
                owed: owed.unwrap_or(LARGEST_PIPE),
            }
        };
        let [out, errors] = &job.readers;
        Self {
            job,
            files: Files::new(job, status),
            sources: [source(out, Stream::Stdout), source(errors, Stream::Stderr)],
            echo: if how.quiet || how.detach { None } else { Echo::new() },
            end: None,
            ended_at: None,
            asked: false,
            kill_at: None,
            heartbeat_at: Instant::now() + HEARTBEAT,
            heard: None,
            read: vec![0; AT_A_TIME],
            records: Vec::new(),
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
        for text in retention::clean(&place.folder, name, place.keep, place.keep_for) {
            self.files.warn(&text);
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
            let readable = self.wait();
            self.take_signals();
            for place in 0..2 {
                if readable.get(place) == Some(&true) {
                    self.take_output(place);
                }
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
        let is_late = self.listens_until(ended_at) <= Instant::now();
        self.sources.iter().all(|source| source.pipe.is_none() || is_late && source.is_heard_out())
    }

    /// Until when what is left in the background is listened to.
    fn listens_until(&self, ended_at: Instant) -> Instant {
        let heard = self.heard.map_or(ended_at, |(at, _)| at.max(ended_at));
        (heard + LISTEN).min(ended_at + LISTEN_AT_MOST)
    }

    /// Waits until there is something to do. Returns which outputs of the command can be read.
    fn wait(&self) -> [bool; 2] {
        let blocked = self.is_blocked();
        let watch = |fd| PollFd::new(fd, PollFlags::POLLIN);
        // A descriptor that is not to be watched stands in the list as one that never has anything to say.
        let mut watched = vec![watch(self.job.signals.as_fd())];
        let pipes = self.sources.each_ref().map(|source| source.pipe.as_ref().filter(|_| !blocked));
        watched.extend(pipes.iter().flatten().map(|pipe| watch(pipe.as_fd())));
        watched.extend(self.echo.iter().flat_map(Echo::waits_for).map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        let now = Instant::now();
        let timeout = self.deadline().saturating_duration_since(now);
        // Rounded up: a wake-up too early would be one for nothing.
        let timeout = PollTimeout::try_from(timeout + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut watched, timeout);
        let mut answers = watched.iter().skip(1).map(|watched| watched.any().unwrap_or(true));
        pipes.map(|pipe| pipe.is_some() && answers.next().unwrap_or(true))
    }

    /// Whether nothing more should be read for now, because nobody takes what we print.
    fn is_blocked(&self) -> bool {
        self.echo.as_ref().is_some_and(Echo::is_blocked)
    }

    fn deadline(&self) -> Instant {
        // Who is late and cannot read waits for whoever takes what we print.
        let waits = |at: &Instant| !self.is_blocked() || *at > Instant::now();
        let listens = self.ended_at.map(|at| self.listens_until(at)).filter(waits);
        let echo = self.echo.as_ref().and_then(Echo::deadline);
        let others = [self.files.due(), self.kill_at, listens, echo];
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

    /// Reads what there is of one output, shows it and writes it to the log.
    fn take_output(&mut self, place: usize) {
        let Some(source) = self.sources.get_mut(place) else { return };
        let Some(pipe) = &mut source.pipe else { return };
        let bytes = match pipe.read(&mut self.read) {
            Ok(0) => {
                source.pipe = None;
                return;
            }
            Ok(length) => {
                if self.ended_at.is_some() {
                    source.owed = source.owed.saturating_sub(length);
                }
                self.read.get(..length).unwrap_or_default()
            }
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    source.pipe = None;
                }
                return;
            }
        };
        if let Some(echo) = &mut self.echo {
            echo.put(place == 1, self.job.request.name.as_str(), bytes);
        }
        self.heard = Some((Instant::now(), place));
        let time = self.files.time();
        // Not all at once: a line of one byte is a record of eighty.
        for piece in bytes.chunks(PIECE) {
            let before = source.lines.lines();
            self.records.clear();
            source.lines.feed(piece, &time, &mut self.records);
            let lines = source.lines.lines().saturating_sub(before);
            let length = piece.len() as u64;
            let status = &mut self.files.status;
            status.bytes = status.bytes.saturating_add(length);
            status.lines = status.lines.saturating_add(lines);
            if !self.records.is_empty() {
                self.files.write(&self.records, lines, length);
            }
        }
        self.files.put_counts();
        self.files.touch();
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if let Some(echo) = &mut self.echo {
            echo.go_on(now);
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill();
        }
        if self.heartbeat_at <= now {
            self.heartbeat_at = now + HEARTBEAT;
            self.look_for_wishes();
            self.files.retry_log();
            self.note_last_words();
            self.files.write_status();
            let current = self.heard.and_then(|(_, place)| self.sources.get(place));
            let current = current.map_or(&[][..], |source| source.lines.current());
            self.files.record(|out, status| record::heartbeat(out, status, current));
        }
        if self.files.due().is_some_and(|at| at <= now) {
            self.note_last_words();
            self.files.write_status();
        }
    }

    /// What was printed last, for the status.
    fn note_last_words(&mut self) {
        let Some((at, place)) = self.heard else { return };
        let Some(last) = self.sources.get(place).and_then(|source| source.lines.last()) else { return };
        let status = &mut self.files.status;
        let ago = u64::try_from(at.elapsed().as_millis()).unwrap_or(0);
        status.last_output = Some(Time(Time::now().0.saturating_sub(ago)));
        if let Some(progress) = progress::find(&last) {
            status.progress = Some(progress);
        }
        status.last_line = Some(last);
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
        let time = self.files.time();
        for place in 0..2 {
            let Some(source) = self.sources.get_mut(place) else { continue };
            let before = source.lines.lines();
            self.records.clear();
            source.lines.finish(&time, &mut self.records);
            let lines = source.lines.lines().saturating_sub(before);
            self.files.status.lines = self.files.status.lines.saturating_add(lines);
            if !self.records.is_empty() {
                self.files.write(&self.records, lines, 0);
            }
        }
        self.note_last_words();
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
        if let Some(echo) = &mut self.echo {
            echo.finish(Instant::now() + LAST_WORDS);
        }
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

/// A command, as the status has it: of one that is too long for a status the beginning, and a word that tells so, which
/// is not to be run again.
fn as_written(command: &[OsString]) -> Vec<String> {
    let (mut words, mut room) = (Vec::new(), LONGEST_COMMAND);
    for (number, word) in command.iter().enumerate() {
        let word = word.to_string_lossy().into_owned();
        // As JSON: the two quotation marks and the comma, and what is escaped.
        let length =
            word.chars().map(|letter| if letter.is_control() { 6 } else { letter.len_utf8() + 1 }).sum::<usize>();
        let Some(left) = room.checked_sub(length + 3) else {
            words.push(format!("{} {} words too many", char::REPLACEMENT_CHARACTER, command.len() - number));
            break;
        };
        room = left;
        words.push(word);
    }
    words
}

/// This process, as the status names it: its number, and when it was started.
fn runner() -> (i32, u64) {
    let pid = nix::unistd::getpid().as_raw();
    (pid, instance::started(pid).unwrap_or(0))
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

    /// What is known before the command runs.
    fn first_status(&self) -> Status {
        let now = Time::now();
        let (runner, runner_started) = runner();
        let id = now.to_string().chars().take(19).filter(char::is_ascii_digit).collect::<String>();
        let (day, second) = id.split_at_checked(8).unwrap_or_default();
        Status {
            version: crate::job::status::VERSION,
            job: self.request.name.to_string(),
            id: format!("{day}-{second}"),
            started: now,
            updated: now,
            command: as_written(&self.request.command),
            directory: self.request.directory.clone(),
            user: crate::status::own_name(),
            host: nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
            instance: instance::here(),
            runner,
            runner_started,
            attempt: self.request.attempt,
            ..Status::default()
        }
    }
}
