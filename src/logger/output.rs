//! The container's standard output and standard error, whose reader may be slow, stuck or gone.
//!
//! While the reader takes something now and then, nothing is lost: the logger reads no more for an output that has
//! something waiting, so the pipes of the services fill and they wait as they would without us. A reader that has taken
//! nothing for [`PATIENCE`] is stuck: then lines are dropped until it reads again, and a line tells how many.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::form;
use crate::words;

/// How long a reader may take nothing before it counts as stuck.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// What may be written when poll says that there is room, and be sure not to block: a pipe has room for a page then.
const CAREFUL: usize = 4096;
/// See [`Output::rest_until`].
const REST: Duration = Duration::from_millis(100);
/// What of the memory for what waits is kept when nothing does.
const KEPT: usize = 4096;
/// How many services a notice names.
const NAMED: usize = 3;

/// One of the two outputs.
pub struct Output {
    file: File,
    /// Whether writing may block, so that poll has to be asked before.
    careful: bool,
    /// Whether devinit's own lines are JSON.
    json: bool,
    state: State,
    /// What the reader has not taken yet.
    waiting: Vec<u8>,
    /// Since when it has taken nothing although something waits.
    since: Option<Instant>,
    /// Poll tells that there is room and writing that there is none, as a terminal may: it is let be until then.
    rest_until: Option<Instant>,
    /// Whether what was written last is no whole line.
    open_line: bool,
    dropped: Dropped,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Something takes what is written.
    Flowing,
    /// Something waits, and nobody takes it.
    Stuck,
    /// Writing fails: a reader that is gone, a full disk. Tried again with each line, for nothing tells when that changes.
    Broken,
}

#[derive(Default)]
struct Dropped {
    lines: u64,
    bytes: u64,
    services: Vec<String>,
}

impl Output {
    /// The two outputs of this process: one of them alone if they are the same terminal, pipe or socket, for then what is
    /// written to one must not get into a line of the other one.
    ///
    /// # Errors
    /// No free descriptors.
    pub fn both() -> io::Result<(Self, Option<Self>)> {
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino()) && !a.is_file();
        let one = matches!((stdout.metadata(), stderr.metadata()), (Ok(a), Ok(b)) if same(&a, &b));
        let json = crate::log::is_json();
        Ok((
            Self::new(stdout.into(), "/proc/self/fd/1", json),
            (!one).then(|| Self::new(stderr.into(), "/proc/self/fd/2", json)),
        ))
    }

    /// `path` is where `inherited` can be opened anew, so that O_NONBLOCK is ours alone: the description is shared with
    /// whoever started us. Not for a file, which never blocks, and where whoever opens it anew writes at a place of its own.
    fn new(inherited: OwnedFd, path: &str, json: bool) -> Self {
        let inherited = File::from(inherited);
        let regular = inherited.metadata().is_ok_and(|found| found.is_file());
        let flags = libc::O_NONBLOCK | libc::O_APPEND | libc::O_NOCTTY;
        let own = OpenOptions::new().write(true).custom_flags(flags).open(path).ok().filter(|_| !regular);
        Self {
            careful: own.is_none() && !regular,
            file: own.unwrap_or(inherited),
            json,
            state: State::Flowing,
            waiting: Vec::new(),
            since: None,
            rest_until: None,
            open_line: false,
            dropped: Dropped::default(),
        }
    }

    /// Whether what goes here has to wait.
    pub fn blocked(&self) -> bool {
        self.state == State::Flowing && !self.waiting.is_empty()
    }

    /// What to poll to learn when the reader takes something.
    pub fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        (!self.waiting.is_empty() && self.rest_until.is_none()).then(|| self.file.as_fd())
    }

    /// How many bytes wait.
    pub fn left(&self) -> usize {
        self.waiting.len()
    }

    /// When to call [`Output::tick`].
    pub fn deadline(&self) -> Option<Instant> {
        self.stuck_at().into_iter().chain(self.rest_until).min()
    }

    /// When it will be stuck if nothing happens.
    fn stuck_at(&self) -> Option<Instant> {
        self.since.filter(|_| self.blocked()).map(|since| since + PATIENCE)
    }

    /// Takes note of the time.
    pub fn tick(&mut self, now: Instant) {
        if self.stuck_at().is_some_and(|at| at <= now) {
            self.state = State::Stuck;
        }
        self.rest_until = self.rest_until.filter(|until| *until > now);
    }

    /// Writes what this service has printed.
    pub fn put(&mut self, service: &str, bytes: &[u8]) {
        if self.state == State::Broken {
            let notice = self.notice();
            match self.write(&notice) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return self.drop_lines(service, bytes),
                answer => self.resumed(notice.get(answer.unwrap_or(0)..).unwrap_or_default()),
            }
        }
        if self.state == State::Stuck {
            return self.drop_lines(service, bytes);
        }
        let mut rest = bytes;
        while self.waiting.is_empty() && !rest.is_empty() {
            match self.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.state = State::Broken;
                    return self.drop_lines(service, rest);
                }
            }
        }
        self.open_line = !bytes.ends_with(b"\n");
        if !rest.is_empty() {
            self.waiting.extend_from_slice(rest);
            self.since.get_or_insert_with(Instant::now);
        }
    }

    /// Writes what waits, once poll has told that this may go on.
    pub fn resume(&mut self) {
        let mut done = 0;
        let broken = loop {
            let rest = self.waiting.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break false;
            }
            match self.write(rest) {
                Ok(written) => done += written,
                Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
            }
        };
        self.waiting.drain(..done.min(self.waiting.len()));
        if broken {
            self.state = State::Broken;
            let lost = std::mem::take(&mut self.waiting);
            self.since = None;
            return self.drop_lines("", &lost);
        }
        if done > 0 {
            self.since = (!self.waiting.is_empty()).then(Instant::now);
            if self.state == State::Stuck {
                let notice = self.notice();
                self.resumed(&notice);
            }
        } else if !self.waiting.is_empty() {
            self.rest_until = Some(Instant::now() + REST);
        }
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT {
            self.waiting = Vec::new();
        }
    }

    /// A line of devinit's own.
    pub fn say(&mut self, level: &str, message: &str) {
        let line = self.own_line(level, message);
        self.put("devinit", &line);
    }

    /// Lines are written again, this notice (or what is left of it) first.
    fn resumed(&mut self, notice: &[u8]) {
        self.state = State::Flowing;
        self.dropped = Dropped::default();
        self.open_line = false;
        self.waiting.extend_from_slice(notice);
        if !self.waiting.is_empty() {
            self.since.get_or_insert_with(Instant::now);
        }
    }

    fn drop_lines(&mut self, service: &str, bytes: &[u8]) {
        // By their ends: what comes raw begins and ends anywhere.
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.dropped.lines = self.dropped.lines.saturating_add(lines);
        self.dropped.bytes = self.dropped.bytes.saturating_add(bytes.len() as u64);
        if !service.is_empty() && !self.dropped.services.iter().any(|known| known == service) {
            self.dropped.services.push(service.to_owned());
        }
    }

    /// What tells that lines were dropped; nothing if none were.
    fn notice(&self) -> Vec<u8> {
        let Dropped { lines, bytes, services } = &self.dropped;
        if *bytes == 0 {
            return Vec::new();
        }
        let mut whose = services.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        if services.len() > NAMED {
            whose.push_str(" and others");
        }
        let amount = words::bytes(*bytes);
        let text = format!(
            "{lines} lines ({amount}) of {whose} were not shown: nobody read the container's output; \
             `devinit logs` has the last of them"
        );
        let mut notice = if self.open_line { b"\n".to_vec() } else { Vec::new() };
        notice.extend_from_slice(&self.own_line("WARN", &text));
        notice
    }

    /// As [`crate::log`] writes it.
    fn own_line(&self, level: &str, message: &str) -> Vec<u8> {
        let mut line = Vec::new();
        if self.json {
            line.extend_from_slice(form::JSON_BEGIN);
            line.extend_from_slice(super::clock::Clock::new().text(super::clock::now()));
            line.extend_from_slice(b"\",\"level\":");
            form::json_string(&mut line, level.as_bytes());
            line.extend_from_slice(b",\"message\":");
            form::json_string(&mut line, message.as_bytes());
            line.push(b'}');
        } else {
            line.extend_from_slice(if level == "ERROR" { b"devinit: error: " } else { b"devinit: " });
            line.extend(message.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
        }
        line.push(b'\n');
        line
    }

    /// Writes something of these bytes, which are not empty, without blocking.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut bytes = bytes;
        if self.careful {
            let mut room = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
            if poll(&mut room, PollTimeout::ZERO)? == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            bytes = bytes.get(..CAREFUL).unwrap_or(bytes);
        }
        loop {
            match (&self.file).write(bytes) {
                Ok(0) if !bytes.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }
}
