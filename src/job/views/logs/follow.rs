//! Following a log until its job has ended.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::reader::Reader;
use super::view::{Ended, View};
use crate::job::{Folder, LOST_AFTER, Name, State, Status, Time};
use crate::logs::open;
use crate::words::span;

/// The pause between two looks at a log that grows, in milliseconds; and at one that has not grown for a while. It is
/// looked at: nothing tells of a file that grows on another machine.
const QUICK: u64 = 200;
const SLOW: u64 = 1000;

/// A run that is followed.
pub struct Followed<'a> {
    /// Where its files are.
    pub folder: &'a Folder,
    /// Its job.
    pub name: &'a Name,
    /// Which run of it.
    pub id: &'a str,
    /// Its log.
    pub path: &'a Path,
    /// How long without a sign of life it is taken for alive.
    pub patience: Duration,
}

impl Followed<'_> {
    /// The usual patience.
    pub const PATIENCE: Duration = LOST_AFTER;

    /// Prints what comes, until there is no more to come; returns why. None: nobody reads any more.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn follow(&self, view: &mut View<'_>, reader: &mut Reader) -> io::Result<Option<String>> {
        reader.unlimited();
        let mut life = Life { seen: Instant::now(), updated: None };
        let (mut pause, mut looked) = (QUICK, None::<Instant>);
        let mut over = None;
        loop {
            let grew = view.read(reader)?;
            if let Some(ended) = &view.ended {
                over = Some(told(self.name, ended));
            }
            if over.is_some() {
                view.finish();
                view.output.end(&view.end);
            }
            if !view.output.flush() || over.is_some() {
                return Ok(over.filter(|_| view.output.is_read()));
            }
            if grew {
                life.seen = Instant::now();
                pause = QUICK;
            }
            if looked.is_none_or(|looked| looked.elapsed() >= Duration::from_millis(SLOW)) {
                looked = Some(Instant::now());
                over = self.judge(&mut life);
                if over.is_some() {
                    // What was written before that.
                    self.renew(reader);
                    continue;
                }
            }
            if !sleep(pause) {
                return Ok(None);
            }
            if !grew {
                pause = (pause + QUICK).min(SLOW);
            }
            self.renew(reader);
        }
    }

    /// Opens the log anew: only then a file on a server is looked at again at once. If it has been removed or replaced, what
    /// is followed stays.
    fn renew(&self, reader: &mut Reader) {
        use std::os::unix::fs::MetadataExt;
        let identity = |file: &std::fs::File| file.metadata().ok().map(|found| (found.dev(), found.ino()));
        if let Ok(file) = open(self.path)
            && identity(&file) == identity(reader.file())
        {
            reader.renew(file);
        }
    }

    /// Why there is no more to come, if so.
    fn judge(&self, life: &mut Life) -> Option<String> {
        let name = self.name;
        match self.folder.status(name).ok().flatten() {
            Some(status) if status.id != self.id && !status.id.is_empty() => {
                return Some(format!("{name} has a newer run: this one has ended, and its log does not say how"));
            }
            Some(status) if status.state.is_final() => return Some(told(name, &ended(&status))),
            // The first look tells nothing: it may be a file of last week.
            Some(status) if life.updated.replace(status.updated).is_some_and(|before| before != status.updated) => {
                life.seen = Instant::now();
            }
            _ => {}
        }
        (life.seen.elapsed() > self.patience).then(|| {
            let quiet = span(self.patience);
            format!("{name} is lost: neither its log nor its status was written for {quiet}. Its container may be gone")
        })
    }
}

/// Signs of life.
struct Life {
    /// When the last one was seen.
    seen: Instant,
    /// What the status said then.
    updated: Option<Time>,
}

fn ended(status: &Status) -> Ended {
    let seconds = Duration::try_from_secs_f64(status.duration).unwrap_or_default().as_secs();
    Ended { state: status.state, code: status.exit_code, signal: status.signal.clone(), seconds }
}

/// How a job ended, in words.
fn told(name: &Name, ended: &Ended) -> String {
    let time = span(Duration::from_secs(ended.seconds));
    let signal = ended.signal.as_deref().map(|signal| crate::words::clean(signal, 20));
    match (ended.state, ended.code, signal) {
        (State::Succeeded, ..) => format!("{name} succeeded after {time}"),
        (State::Stopped, ..) => format!("{name} was stopped after {time}"),
        (State::Lost, ..) => format!("{name} is lost: nobody knows how it ended"),
        (_, Some(code), _) => format!("{name} failed with exit code {code} after {time}"),
        (_, None, Some(signal)) => format!("{name} was ended by {signal} after {time}"),
        (_, None, None) => format!("{name} failed after {time}"),
    }
}

/// Sleeps so many milliseconds; false: nobody reads the output any more.
fn sleep(milliseconds: u64) -> bool {
    let pause = Duration::from_millis(milliseconds);
    let out = io::stdout();
    let mut watched = [PollFd::new(out.as_fd(), PollFlags::empty())];
    let timeout = PollTimeout::try_from(pause).unwrap_or(PollTimeout::ZERO);
    match poll(&mut watched, timeout) {
        Ok(0) => true,
        Ok(_) => watched.iter().all(|out| !out.revents().is_some_and(|seen| seen.contains(PollFlags::POLLERR))),
        Err(_) => {
            std::thread::sleep(pause);
            true
        }
    }
}
