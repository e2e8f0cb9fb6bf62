//! What the command prints: read, shown, and written to the log.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Job;
use super::echo::Echo;
use super::files::Files;
use crate::job::log::{Lines, Stream};
use crate::job::{Time, progress};

/// What is read of an output at a time, in bytes: also what is lost at most when the worker is killed.
pub const AT_A_TIME: usize = 256 << 10;
/// How much of it becomes records at a time.
const PIECE: usize = 64 << 10;
/// How long the outputs are listened to after the command has ended, for what it has left in the background, since they
/// said something last.
const LISTEN: Duration = Duration::from_millis(500);
/// Nor for longer than this in all.
const LISTEN_AT_MOST: Duration = Duration::from_secs(5);
/// What a pipe holds at most where that cannot be found out, in bytes: what anyone may have it hold.
const LARGEST_PIPE: usize = 1 << 20;
/// How long who reads our own output may take for the last of it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Both outputs of the command.
pub struct Outputs {
    sources: [Source; 2],
    /// Where it is to be seen, if anywhere.
    echo: Option<Echo>,
    /// When something was read last, and of which output.
    heard: Option<(Instant, usize)>,
    read: Vec<u8>,
    records: Vec<u8>,
}

/// One output.
struct Source {
    /// None once it has ended.
    pipe: Option<File>,
    lines: Lines,
    /// How much the pipe may still hold of what the command printed before it ended, in bytes: that is read in any case.
    owed: usize,
}

impl Source {
    fn new(pipe: &File, stream: Stream, job: &Job) -> Self {
        let _ = fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        let owed = fcntl(pipe, FcntlArg::F_GETPIPE_SZ).ok().and_then(|size| usize::try_from(size).ok());
        Self {
            pipe: pipe.try_clone().ok(),
            lines: Lines::new(stream, job.request.how.ansi),
            owed: owed.unwrap_or(LARGEST_PIPE),
        }
    }

    /// Whether all has been read that the command had printed when it ended.
    fn is_heard_out(&self) -> bool {
        let Some(pipe) = self.pipe.as_ref().filter(|_| self.owed > 0) else { return true };
        poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|ready| ready == 0)
    }

    /// Turns what was printed, or with `None` what was begun, into records, and writes them.
    fn write(&mut self, bytes: Option<&[u8]>, records: &mut Vec<u8>, files: &mut Files<'_>) {
        let (time, before) = (files.time(), self.lines.lines());
        records.clear();
        match bytes {
            Some(bytes) => self.lines.feed(bytes, &time, records),
            None => self.lines.finish(&time, records),
        }
        let lines = self.lines.lines().saturating_sub(before);
        let length = bytes.map_or(0, <[u8]>::len) as u64;
        let status = &mut files.status;
        status.bytes = status.bytes.saturating_add(length);
        status.lines = status.lines.saturating_add(lines);
        if !records.is_empty() {
            files.write(records, lines, length);
        }
    }
}

impl Outputs {
    /// Of this job's command.
    pub fn new(job: &Job) -> Self {
        let [out, errors] = &job.readers;
        let how = &job.request.how;
        Self {
            sources: [Source::new(out, Stream::Stdout, job), Source::new(errors, Stream::Stderr, job)],
            echo: if how.quiet || how.detach { None } else { Echo::new() },
            heard: None,
            read: vec![0; AT_A_TIME],
            records: Vec::new(),
        }
    }

    /// Whether nothing more should be read for now, because nobody takes what we print.
    pub fn is_blocked(&self) -> bool {
        self.echo.as_ref().is_some_and(Echo::is_blocked)
    }

    /// Waits until there is something to do, a signal or until `deadline`. Returns which outputs can be read.
    pub fn wait(&self, signals: BorrowedFd<'_>, deadline: Instant) -> [bool; 2] {
        let watch = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut watched = vec![watch(signals)];
        let blocked = self.is_blocked();
        let pipes = self.sources.each_ref().map(|source| source.pipe.as_ref().filter(|_| !blocked));
        watched.extend(pipes.iter().flatten().map(|pipe| watch(pipe.as_fd())));
        watched.extend(self.echo.iter().flat_map(Echo::waits_for).map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        let timeout = deadline.saturating_duration_since(Instant::now());
        // Rounded up: a wake-up too early would be one for nothing.
        let timeout = PollTimeout::try_from(timeout + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut watched, timeout);
        let mut answers = watched.iter().skip(1).map(|watched| watched.any().unwrap_or(true));
        pipes.map(|pipe| pipe.is_some() && answers.next().unwrap_or(true))
    }

    /// When something is to be done, if nothing happens before; `ended_at` is when the command has ended.
    pub fn deadline(&self, ended_at: Option<Instant>) -> Option<Instant> {
        // Who is late and cannot read waits for whoever takes what we print.
        let waits = |at: &Instant| !self.is_blocked() || *at > Instant::now();
        let listens = ended_at.map(|at| self.listens_until(at)).filter(waits);
        let echo = self.echo.as_ref().and_then(Echo::deadline);
        listens.into_iter().chain(echo).min()
    }

    /// Whether they have ended after the command has, or say nothing more.
    pub fn are_over(&self, ended_at: Instant) -> bool {
        let is_late = self.listens_until(ended_at) <= Instant::now();
        self.sources.iter().all(|source| source.pipe.is_none() || is_late && source.is_heard_out())
    }

    /// Until when what is left in the background is listened to.
    fn listens_until(&self, ended_at: Instant) -> Instant {
        let heard = self.heard.map_or(ended_at, |(at, _)| at.max(ended_at));
        (heard + LISTEN).min(ended_at + LISTEN_AT_MOST)
    }

    /// Reads what there is of one output, shows it and writes it to the log. `ended` is whether the command has.
    pub fn take(&mut self, place: usize, ended: bool, job: &Job, files: &mut Files<'_>) {
        let Some(source) = self.sources.get_mut(place) else { return };
        let Some(pipe) = &mut source.pipe else { return };
        let length = match pipe.read(&mut self.read) {
            Ok(length @ 1..) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
            Ok(_) | Err(_) => {
                source.pipe = None;
                return;
            }
        };
        if ended {
            source.owed = source.owed.saturating_sub(length);
        }
        let bytes = self.read.get(..length).unwrap_or_default();
        if let Some(echo) = &mut self.echo {
            echo.put(place == 1, job.request.name.as_str(), bytes);
        }
        self.heard = Some((Instant::now(), place));
        // Not all at once: a line of one byte is a record of eighty.
        for piece in bytes.chunks(PIECE) {
            source.write(Some(piece), &mut self.records, files);
        }
        files.put_counts();
        files.touch();
    }

    /// Shows what waits to be shown.
    pub fn go_on(&mut self, now: Instant) {
        if let Some(echo) = &mut self.echo {
            echo.go_on(now);
        }
    }

    /// What is on the line that has not ended yet, of the output that was heard last.
    pub fn current(&self) -> &[u8] {
        self.heard.and_then(|(_, place)| self.sources.get(place)).map_or(&[], |source| source.lines.current())
    }

    /// Puts what was printed last into the status.
    pub fn note_last_words(&self, files: &mut Files<'_>) {
        let Some((at, place)) = self.heard else { return };
        let Some(last) = self.sources.get(place).and_then(|source| source.lines.last()) else { return };
        let status = &mut files.status;
        let ago = u64::try_from(at.elapsed().as_millis()).unwrap_or(0);
        status.last_output = Some(Time(Time::now().0.saturating_sub(ago)));
        if let Some(progress) = progress::find(&last) {
            status.progress = Some(progress);
        }
        status.last_line = Some(last);
    }

    /// Writes what was begun to the log: nothing more comes.
    pub fn finish(&mut self, files: &mut Files<'_>) {
        for source in &mut self.sources {
            source.write(None, &mut self.records, files);
        }
        self.note_last_words(files);
    }

    /// Shows the last of it, as long as someone takes it.
    pub fn last_words(&mut self) {
        if let Some(echo) = &mut self.echo {
            echo.finish(Instant::now() + LAST_WORDS);
        }
    }
}
