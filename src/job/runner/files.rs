//! The files of a run: its status and its log. Whatever happens to them, the job runs on.

use std::time::{Duration, Instant};

use super::Job;
use crate::job::log::{LogFile, record};
use crate::job::{BETWEEN_WRITES, Status, Time};
use crate::logger::clock::{Clock, TIME};

/// So many warnings are kept in the status.
const WARNINGS: usize = 5;

/// Status and log.
pub struct Files<'a> {
    job: &'a Job,
    /// How the job stands.
    pub status: Status,
    log: Option<LogFile>,
    clock: Clock,
    /// Lines and bytes that there was no log for.
    unlogged: (u64, u64),
    written: Option<Instant>,
    /// Since when the status has more to say than its file.
    changed: bool,
    /// The folder cannot be written to, which was said: a second file that cannot be is no news.
    troubled: bool,
}

impl<'a> Files<'a> {
    /// Of a run that begins.
    pub fn new(job: &'a Job, status: Status) -> Self {
        Self {
            job,
            status,
            log: None,
            clock: Clock::new(),
            unlogged: (0, 0),
            written: None,
            changed: false,
            troubled: false,
        }
    }

    /// Makes the log. The job runs on without one.
    pub fn open_log(&mut self) {
        let (folder, name) = (self.job.place.folder.path(), &self.job.request.name);
        match LogFile::create(folder, name, &self.status.id) {
            Ok((log, id)) => {
                self.status.id = id;
                self.status.log = Some(std::path::absolute(log.path()).unwrap_or_else(|_| log.path().to_owned()));
                self.log = Some(log);
            }
            Err(error) => self.trouble(&format!("no log can be written in {}: {error}", folder.display())),
        }
    }

    /// Goes on with the log of a worker that was killed, which was so long.
    pub fn resume_log(&mut self, length: u64) {
        self.log = self.status.log.as_ref().and_then(|path| LogFile::resume(path, length).ok());
    }

    /// The time, as it stands in the log.
    pub fn time(&mut self) -> [u8; TIME] {
        *self.clock.text(Time::now().0)
    }

    /// Writes records of so many lines, which took so many bytes of output.
    pub fn write(&mut self, records: &[u8], lines: u64, bytes: u64) {
        let time = self.time();
        let Some(log) = &mut self.log else {
            self.unlogged.0 = self.unlogged.0.saturating_add(lines);
            self.unlogged.1 = self.unlogged.1.saturating_add(bytes);
            return;
        };
        if let Some(text) = log.write(records, lines, bytes, &time) {
            self.warn(&text);
        }
    }

    /// Writes a record of the status.
    pub fn record(&mut self, write: impl Fn(&mut Vec<u8>, &Status)) {
        let mut text = Vec::new();
        self.status.updated = Time::now();
        write(&mut text, &self.status);
        self.write(&text, 0, 0);
    }

    /// A record of what is not in the log.
    pub fn missing(&mut self, lines: u64, bytes: u64, reason: &str) {
        let time = self.time();
        let mut text = Vec::new();
        record::missing(&mut text, &time, lines, bytes, reason);
        self.write(&text, 0, 0);
    }

    /// Tries again to make a log that could not be made.
    pub fn retry_log(&mut self) {
        if self.log.is_some() {
            return;
        }
        let warnings = self.status.warnings.clone();
        self.open_log();
        if self.log.is_some() {
            let (lines, bytes) = std::mem::take(&mut self.unlogged);
            self.record(record::start);
            self.missing(lines, bytes, "the log could not be made before");
        } else {
            self.status.warnings = warnings;
        }
    }

    /// Says what keeps the folder from being written to, unless that was said.
    pub fn trouble(&mut self, text: &str) {
        if !std::mem::replace(&mut self.troubled, true) {
            self.warn(text);
        }
    }

    /// Whether the folder cannot be written to.
    pub fn is_troubled(&self) -> bool {
        self.troubled
    }

    /// Says what is wrong: to who began the job, and to who looks at it.
    pub fn warn(&mut self, text: &str) {
        if self.status.warnings.iter().any(|known| known == text) {
            return;
        }
        self.job.starter.warn(&format!("job {}: {text}; the job runs on", self.job.request.name));
        if self.status.warnings.len() < WARNINGS {
            self.status.warnings.push(text.to_owned());
        }
        self.changed = true;
    }

    /// The status has more to say. It will be written soon.
    pub fn touch(&mut self) {
        self.changed = true;
    }

    /// When the status is to be written.
    pub fn due(&self) -> Option<Instant> {
        self.changed.then(|| self.written.map_or_else(Instant::now, |at| at + BETWEEN_WRITES))
    }

    /// Writes the status.
    pub fn write_status(&mut self) {
        self.status.updated = Time::now();
        let so_far = self.job.begun.elapsed();
        self.status.duration = in_seconds(so_far);
        self.keep();
        self.changed = false;
        let written = self.job.place.folder.write_status(&self.job.request.name, &self.status);
        // From its end: a storage that is slow is not to be written to all the time.
        self.written = Some(Instant::now());
        match written {
            Ok(()) => self.troubled = self.log.is_none(),
            Err(error) => {
                self.trouble(&format!("the status cannot be written: {error}"));
                self.changed = false;
            }
        }
    }

    /// Keeps all for the guard.
    pub fn keep(&self) {
        self.job.checkpoint.put_status(&self.status);
        self.put_counts();
    }

    /// Keeps for the guard how far it is.
    pub fn put_counts(&self) {
        let Status { lines, bytes, .. } = self.status;
        self.job.checkpoint.put_counts(lines, bytes, self.log.as_ref().map_or(0, LogFile::length));
    }

    /// Writes the last record and the last status.
    pub fn close(&mut self) {
        let time = self.time();
        if let Some(log) = &mut self.log {
            log.flush_missing(&time);
        }
        self.status.finished = Some(Time::now());
        self.status.duration = in_seconds(self.job.begun.elapsed());
        self.record(record::exit);
        self.write_status();
    }
}

/// Whole milliseconds: more digits would only look exact.
fn in_seconds(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    let seconds = time.as_millis() as f64 / 1000.0;
    seconds
}
