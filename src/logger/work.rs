//! The logger's loop.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::time::TimeSpec;

use super::clock::{self, Clock};
use super::file::RotatedFile;
use super::form;
use super::output::Output;
use super::recent::Recent;
use super::splitter::Splitter;
use super::{Source, recent};
use crate::engine::spec::Form;
use crate::sys;

/// After this long without anything to do the logger gives back the memory that holds its code.
const SETTLED: Duration = Duration::from_secs(2);
/// How much is read from one pipe before the others have their turn, in bytes: what a pipe holds.
const READ: usize = 64 * 1024;
/// How much, where that has been enough so far.
const FIRST_READ: usize = 4096;
/// How much formatted text is put together for one write to a file.
const BATCH: usize = 256 * 1024;
/// After how long without anything to do the memory of a burst is given back.
const RELEASE: Duration = Duration::from_secs(1);
/// How much memory is worth giving back.
const LARGE: usize = 16 * 1024;
/// How much is worth reading at once, where it comes fast.
const GATHERED: usize = 16 * 1024;
/// From one read to the next, in a burst: at most this long.
const BURST: Duration = Duration::from_micros(1500);
/// How long it is waited for more in a burst.
const LEAST_PAUSE: Duration = Duration::from_micros(50);
/// As above.
const MOST_PAUSE: Duration = Duration::from_millis(1);
/// At the end: how long an output may take nothing before what waits for it is given up, and how long that may take in all.
const FAREWELL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));
/// The widest name that lines are aligned for.
const WIDEST: usize = 20;

/// Everything that a logger has.
pub struct Logger {
    streams: Vec<Stream>,
    /// Standard output, and standard error if it is something else.
    outputs: Vec<Output>,
    files: Vec<RotatedFile>,
    recents: Vec<Recent>,
    clock: Clock,
    buffer: Vec<u8>,
    /// Lines for a file.
    batch: Vec<u8>,
    /// Lines for an output.
    shown: Vec<u8>,
    /// When something was read last.
    read_at: Instant,
}

/// A pipe, and where what comes out of it goes.
struct Stream {
    service: String,
    /// None once it is at its end.
    pipe: Option<File>,
    form: Option<Form>,
    /// Which of the outputs.
    output: usize,
    /// What stands in front of its lines on the output.
    prefix: Vec<u8>,
    /// The service's name as a JSON string.
    name: Vec<u8>,
    file: Option<usize>,
    recent: Option<usize>,
    splitter: Splitter,
}

/// What poll has told.
struct Ready {
    signal: bool,
    outputs: Vec<usize>,
    streams: Vec<usize>,
}

impl Logger {
    /// Gets ready.
    ///
    /// # Errors
    /// No free descriptors.
    pub fn new(sources: Vec<Source>, runtime: Option<&Path>) -> io::Result<Self> {
        let (stdout, stderr) = Output::both()?;
        let outputs: Vec<Output> = [stdout].into_iter().chain(stderr).collect();
        let (mut files, mut recents, mut streams) = (Vec::new(), Vec::new(), Vec::new());
        let prefixed = sources.iter().filter(|source| source.log.output == Some(Form::Prefixed));
        let width = prefixed.map(|source| source.service.len()).max().unwrap_or(0).min(WIDEST);
        let mut of_recents: Vec<String> = Vec::new();
        for source in sources {
            // Poll tells that there is something to read, but another logger may be faster.
            if let Ok(flags) = fcntl(&source.pipe, FcntlArg::F_GETFL) {
                let _ = fcntl(&source.pipe, FcntlArg::F_SETFL(OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK));
            }
            let (service, owner) = (source.service, source.owner);
            // Both streams of a service go to one file.
            let file = source.log.file.map(|spec| {
                files.iter().position(|file: &RotatedFile| file.path() == spec.path).unwrap_or_else(|| {
                    files.push(RotatedFile::new(spec, &service, owner));
                    files.len() - 1
                })
            });
            let recent = runtime.filter(|_| file.is_none()).map(|runtime| {
                of_recents.iter().position(|known| *known == service).unwrap_or_else(|| {
                    recents.push(Recent::new(recent(runtime, &service), &service, owner));
                    of_recents.push(service.clone());
                    of_recents.len() - 1
                })
            });
            let error = source.error && source.log.output == Some(Form::Raw);
            let mut name = Vec::new();
            form::json_string(&mut name, service.as_bytes());
            streams.push(Stream {
                prefix: format!("{service:width$} | ").into_bytes(),
                pipe: Some(source.pipe.into()),
                form: source.log.output,
                output: if error { outputs.len() - 1 } else { 0 },
                name,
                file,
                recent,
                splitter: Splitter::default(),
                service,
            });
        }
        let (clock, buffer, batch, shown) = (Clock::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { streams, outputs, files, recents, clock, buffer, batch, shown, read_at: Instant::now() })
    }

    /// Works until every pipe is at its end or [`MAKE_WAY`](super::MAKE_WAY) comes, which is read from `signals`.
    pub fn work(mut self, signals: &OwnedFd) {
        while self.streams.iter().any(|stream| stream.pipe.is_some()) {
            let now = Instant::now();
            self.outputs.iter_mut().for_each(|output| output.tick(now));
            self.flush(now, false);
            let until = self.wake_at(now);
            let ready = self.wait(signals, until.map(|until| until.saturating_duration_since(now)));
            if ready.signal && terminated(signals) {
                break;
            }
            for index in &ready.outputs {
                if let Some(output) = self.outputs.get_mut(*index) {
                    output.resume();
                }
            }
            if ready.streams.is_empty() {
                if self.read_at + RELEASE <= Instant::now() {
                    self.release();
                }
            } else {
                // One time for all that is read now.
                let (now, time) = (Instant::now(), clock::now());
                let length = ready.streams.iter().map(|index| self.read(*index, time)).sum();
                let elapsed = now.saturating_duration_since(self.read_at);
                self.read_at = now;
                gather(signals, elapsed, length);
            }
        }
        self.finish();
    }

    /// When to go on although nothing comes.
    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let recents = self.recents.iter().filter_map(|recent| recent.due(now));
        let outputs = self.outputs.iter().filter_map(Output::deadline);
        let release = self.large().then(|| self.read_at + RELEASE);
        recents.chain(outputs).chain(release).min()
    }

    /// Waits for something to do, at most this long.
    fn wait(&self, signals: &OwnedFd, timeout: Option<Duration>) -> Ready {
        let most = self.streams.len() + self.outputs.len() + 1;
        let (mut polled, mut outputs, mut streams) = (Vec::with_capacity(most), Vec::new(), Vec::with_capacity(most));
        polled.push(PollFd::new(signals.as_fd(), PollFlags::POLLIN));
        for (index, output) in self.outputs.iter().enumerate() {
            if let Some(file) = output.waits_for() {
                polled.push(for_room(file));
                outputs.push(index);
            }
        }
        for (index, stream) in self.streams.iter().enumerate() {
            if let Some(pipe) = stream.pipe.as_ref().filter(|_| !self.has_to_wait(stream)) {
                polled.push(PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
                streams.push(index);
            }
        }
        let quiet = timeout.is_none() && poll(&mut polled, milliseconds(Some(SETTLED))) == Ok(0);
        if quiet {
            // What stays of a logger in memory is mostly the program's code, and there may be nothing to log for days.
            sys::release_program_memory();
        }
        if quiet || timeout.is_some() {
            let _ = poll(&mut polled, milliseconds(timeout));
        }
        let mut told = polled.iter().map(|one| one.any().unwrap_or(false));
        let signal = told.next().unwrap_or(false);
        outputs.retain(|_| told.next().unwrap_or(false));
        streams.retain(|_| told.next().unwrap_or(false));
        Ready { signal, outputs, streams }
    }

    /// Whether this stream is not to be read, because what it prints could not be written.
    fn has_to_wait(&self, stream: &Stream) -> bool {
        stream.form.is_some() && self.outputs.get(stream.output).is_some_and(Output::blocked)
    }

    /// Reads once from a stream, and passes on what came; returns how much that was.
    fn read(&mut self, index: usize, now: u64) -> usize {
        // What another stream has printed just now may have filled the output.
        if self.streams.get(index).is_none_or(|stream| self.has_to_wait(stream)) {
            return 0;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.is_empty() {
            buffer.resize(FIRST_READ, 0);
        }
        let pipe = self.streams.get_mut(index).and_then(|stream| stream.pipe.as_mut());
        let read = pipe.map_or(Ok(0), |pipe| pipe.read(&mut buffer));
        match &read {
            Ok(0) => self.end(index, now),
            &Ok(length) => {
                self.pass_on(index, buffer.get(..length).unwrap_or_default(), now);
                if length == buffer.len() && length < READ {
                    buffer = vec![0; READ];
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.end(index, now),
        }
        self.buffer = buffer;
        read.unwrap_or(0)
    }

    /// Nothing more comes from this stream.
    fn end(&mut self, index: usize, now: u64) {
        if let Some(stream) = self.streams.get_mut(index) {
            stream.pipe = None;
        }
        self.pass_on(index, &[], now);
    }

    /// Passes on what came from a stream; nothing: its last line, although it has no end.
    fn pass_on(&mut self, index: usize, bytes: &[u8], now: u64) {
        let Self { streams, outputs, files, recents, clock, batch, shown, .. } = self;
        let Some(Stream { service, pipe, form, output, prefix, name, file, recent, splitter }) = streams.get_mut(index)
        else {
            return;
        };
        if *form == Some(Form::Raw)
            && !bytes.is_empty()
            && let Some(output) = outputs.get_mut(*output)
        {
            output.put(service, bytes);
        }
        let mut file = file.and_then(|file| files.get_mut(file));
        let mut recent = recent.and_then(|recent| recents.get_mut(recent));
        let mut message = None;
        let mut emit = |block: &[u8], partial: bool| {
            if let Some(file) = &mut file {
                file.format(batch, clock, now, block, partial);
                if batch.len() > BATCH {
                    message = file.write(batch, clock, now).or(message.take());
                    batch.clear();
                }
            }
            if let Some(recent) = &mut recent {
                recent.push(block, now);
            }
            match form {
                Some(Form::Prefixed) => form::prefixed(shown, prefix, block),
                Some(Form::Json) => form::json(shown, clock.text(now), name, block, partial),
                Some(Form::Raw) | None => {}
            }
        };
        if bytes.is_empty() {
            splitter.finish(pipe.is_some(), &mut emit);
        } else {
            splitter.feed(bytes, &mut emit);
        }
        if let Some(file) = file.filter(|_| !batch.is_empty()) {
            message = file.write(batch, clock, now).or(message);
            batch.clear();
        }
        if let Some(output) = outputs.get_mut(*output).filter(|_| !shown.is_empty()) {
            output.put(service, shown);
            shown.clear();
        }
        if let (Some(message), Some(stderr)) = (message, outputs.last_mut()) {
            stderr.say("ERROR", &message);
        }
    }

    /// Writes last lines whose time has come, or all of them.
    fn flush(&mut self, now: Instant, all: bool) {
        for recent in &mut self.recents {
            if recent.due(now).is_some_and(|due| all || due <= now) {
                recent.flush(&mut self.clock, now);
            }
        }
    }

    fn large(&self) -> bool {
        [&self.buffer, &self.batch, &self.shown].iter().any(|memory| memory.capacity() > LARGE)
    }

    fn release(&mut self) {
        (self.buffer, self.batch, self.shown) = (Vec::new(), Vec::new(), Vec::new());
    }

    /// Writes everything that was read, without reading more: another logger may take the pipes over.
    fn finish(&mut self) {
        let now = clock::now();
        for index in 0..self.streams.len() {
            self.pass_on(index, &[], now);
        }
        let begin = Instant::now();
        self.flush(begin, true);
        let (mut progress, mut last) = (begin, usize::MAX);
        loop {
            self.outputs.iter_mut().for_each(Output::resume);
            let left: usize = self.outputs.iter().map(Output::left).sum();
            let now = Instant::now();
            if left != last {
                (progress, last) = (now, left);
            }
            let until = (progress + FAREWELL.0).min(begin + FAREWELL.1);
            if left == 0 || now >= until {
                return;
            }
            let mut polled: Vec<PollFd<'_>> = self.outputs.iter().filter_map(Output::waits_for).map(for_room).collect();
            let _ = poll(&mut polled, milliseconds(Some(until - now)));
        }
    }
}

/// After this much has come in this time: lets more come before it is read, for services that write line by line and fast.
/// To be woken for each line would cost more than all that is done with it. Short enough for no pipe to fill meanwhile.
fn gather(signals: &OwnedFd, elapsed: Duration, length: usize) {
    if elapsed > BURST || length == 0 || length >= GATHERED {
        return;
    }
    let microseconds = elapsed.as_micros().saturating_mul(GATHERED as u128) / length as u128;
    let pause = Duration::from_micros(u64::try_from(microseconds).unwrap_or(u64::MAX)).clamp(LEAST_PAUSE, MOST_PAUSE);
    let mut polled = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    let _ = ppoll(&mut polled, Some(TimeSpec::from_duration(pause)), None);
}

fn for_room(file: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(file, PollFlags::POLLOUT)
}

/// Rounded up: a timeout that is over a little too early would be waited for again.
fn milliseconds(timeout: Option<Duration>) -> PollTimeout {
    timeout.map_or(PollTimeout::NONE, |timeout| {
        let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
        PollTimeout::try_from(i32::try_from(milliseconds).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX)
    })
}

/// Whether the one to make way is among the signals that have come; the others are not for a logger.
fn terminated(signals: &OwnedFd) -> bool {
    let mut found = false;
    while let Some(signal) = sys::next_signal(signals) {
        found |= signal == super::MAKE_WAY;
    }
    found
}
