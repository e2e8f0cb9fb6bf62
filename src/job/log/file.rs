//! The file that a log is written to.
//!
//! What stands in it are whole records, whatever happens: on an error what got in of a record is cut off again, and when
//! writing works again a `missing` record says what is not there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc;

use super::record;
use crate::job::Name;
use crate::logger::TIME;

/// How many logs of one second there may be.
const MOST: u32 = 1000;
/// How long it takes until something is tried again that did not work at all, and how often it is looked whether the file
/// is still there.
const AGAIN: Duration = Duration::from_secs(1);
/// How much is searched at once for the end of a record, in bytes.
const BLOCK: u64 = 64 * 1024;

/// What is not in the file.
struct Lost {
    lines: u64,
    bytes: u64,
    reason: String,
    /// It is not tried again before this.
    until: Option<Instant>,
}

/// The log of a run.
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// How long it is, up to the end of the last whole record.
    length: u64,
    /// How much of a record stands behind that and could not be cut off.
    torn: u64,
    lost: Option<Lost>,
    /// Whether that it cannot be written has been said, and it has not been well since.
    told: bool,
    looked: Instant,
    /// The start record, and whether it is in the file.
    start: Vec<u8>,
    started: bool,
    /// What the file tells of, as lines or as missing: what would be missing without it.
    lines: u64,
    bytes: u64,
}

impl LogFile {
    /// Makes the log of a run of this job, and its folder if there is none. If there is a log of that id it takes another
    /// one, `ID-2` and so on; returns which it took.
    ///
    /// # Errors
    /// What keeps the folder or the file from being made.
    pub fn create(folder: &Path, name: &Name, id: &str) -> io::Result<(Self, String)> {
        make_folder(folder)?;
        for number in 1..=MOST {
            let id = if number == 1 { id.to_owned() } else { format!("{id}-{number}") };
            let path = folder.join(name.log_file(&id));
            match make(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                answer => return Ok((Self::new(path, answer?, 0), id)),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("there are {MOST} logs of {name} from one second")))
    }

    /// Goes on with a log whose writer was killed, and which had this length before. The record that it was writing is cut
    /// off.
    ///
    /// # Errors
    /// What keeps the file from being opened, read or cut; it is not a regular file.
    pub fn resume(path: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        let found = file.metadata()?;
        // Our own had one name only: what has another one may be someone else's, put there to be cut and written to.
        if !found.is_file() || found.nlink() != 1 {
            return Err(io::Error::other("it is not the regular file that was there"));
        }
        let whole = whole(&file, length, found.len())?;
        if whole < found.len() {
            file.set_len(whole)?;
        }
        Ok(Self { started: true, ..Self::new(path.to_owned(), file, whole) })
    }

    fn new(path: PathBuf, file: File, length: u64) -> Self {
        Self {
            path,
            file,
            length,
            torn: 0,
            lost: None,
            told: false,
            looked: Instant::now(),
            start: Vec::new(),
            started: false,
            lines: 0,
            bytes: 0,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long it is, in bytes: what is not a whole record does not count.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends whole records, which say so many lines and stand for so many bytes of output. What cannot be written is lost,
    /// and counted; it is tried again with later calls. Returns what is to be said about it: the first time, and again
    /// if it was well in between.
    ///
    /// SIGXFSZ has to be ignored: it ends the process where there is a limit for files.
    pub fn write(&mut self, records: &[u8], lines: u64, bytes: u64, time: &[u8; TIME]) -> Option<String> {
        if !self.started && self.start.is_empty() && records.starts_with(b"{\"type\":\"start\"") {
            self.start.extend_from_slice(records.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default());
        }
        if let Some(lost) = &mut self.lost
            && lost.until.is_some_and(|until| Instant::now() < until)
        {
            lost.lines = lost.lines.saturating_add(lines);
            lost.bytes = lost.bytes.saturating_add(bytes);
            return None;
        }
        let removed = match self.look() {
            Ok(removed) => removed,
            Err(error) => {
                self.lose(records, 0, (lines, bytes), &error);
                return self.tell(&error);
            }
        };
        let (mut all, mut before) = (Vec::new(), 0);
        let mut batch = records;
        if let Some(lost) = &self.lost {
            if !self.started && !records.starts_with(&self.start) {
                all.extend_from_slice(&self.start);
            }
            if lost.lines > 0 || lost.bytes > 0 {
                record::missing(&mut all, time, lost.lines, lost.bytes, &lost.reason);
            }
            before = all.len();
            all.extend_from_slice(records);
            batch = &all;
        }
        let length = self.length;
        let Err((mut done, error)) = self.append(batch) else {
            (self.told, self.started) = (false, true);
            self.count(lines, bytes);
            return removed;
        };
        // That lines are missing is said together with what follows, or not yet.
        if done > 0 && done <= before {
            self.cut(self.length - length);
            self.length = length;
            done = 0;
        }
        self.lose(records, done.saturating_sub(before), (lines, bytes), &error);
        if done > 0 {
            self.started = true;
        }
        self.tell(&error).or(removed)
    }

    /// What is to be said about an error, if it has not been said.
    fn tell(&mut self, error: &io::Error) -> Option<String> {
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        let (path, hint) = (self.path.display(), hint(error));
        Some(format!(
            "cannot write the log {path}: {error}; the job runs on, and what it prints is lost until that works: {hint}"
        ))
    }

    /// Writes what is missing, if that works now: nothing more comes.
    pub fn flush_missing(&mut self, time: &[u8; TIME]) {
        if let Some(lost) = &mut self.lost {
            lost.until = None;
            self.look_next();
            self.write(&[], 0, 0, time);
        }
    }

    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// It is not: some storages say only now that they are full.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Counts what did not get in of a batch of which so much did.
    fn lose(&mut self, records: &[u8], done: usize, (lines, bytes): (u64, u64), error: &io::Error) {
        let mut lost = (lines, bytes);
        if done > 0 {
            let rest = records.get(done..).unwrap_or_default();
            let ends =
                |record: &&[u8]| record.starts_with(b"{\"type\":\"line\"") && !record.ends_with(b",\"part\":true}");
            lost.0 = (rest.split(|byte| *byte == b'\n').filter(ends).count() as u64).min(lines);
            // Which bytes they were is not known any more; how many, nearly.
            let share = u128::from(bytes) * rest.len() as u128 / (records.len().max(1) as u128);
            lost.1 = u64::try_from(share).unwrap_or(bytes);
            self.count(lines - lost.0, bytes - lost.1);
        }
        let before = self.lost.take().map_or((0, 0), |lost| (lost.lines, lost.bytes));
        self.lost = Some(Lost {
            lines: before.0.saturating_add(lost.0),
            bytes: before.1.saturating_add(lost.1),
            reason: error.to_string(),
            until: (done == 0).then(|| Instant::now() + AGAIN),
        });
        if error.raw_os_error() == Some(libc::ESTALE) {
            self.look_next();
        }
    }

    /// Counts what got in, and with it that others are missing.
    fn count(&mut self, lines: u64, bytes: u64) {
        let missing = self.lost.take().map_or((0, 0), |lost| (lost.lines, lost.bytes));
        self.lines = self.lines.saturating_add(lines).saturating_add(missing.0);
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(missing.1);
    }

    /// With the next call it is looked whether the file is still there.
    fn look_next(&mut self) {
        self.looked = self.looked.checked_sub(AGAIN).unwrap_or(self.looked);
    }

    /// On an error also says how much is in the file, which are whole records.
    fn append(&mut self, batch: &[u8]) -> Result<(), (usize, io::Error)> {
        if self.torn > 0 {
            self.cut(0);
            if self.torn > 0 {
                return Err((0, io::Error::other("what was written of a line could not be cut off")));
            }
        }
        let mut done = 0;
        while let Some(rest) = batch.get(done..).filter(|rest| !rest.is_empty()) {
            let error = match self.file.write(rest) {
                Ok(0) => io::Error::from(io::ErrorKind::WriteZero),
                Ok(written) => {
                    done += written;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let written = batch.get(..done).unwrap_or_default();
            let whole = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            self.length += whole as u64;
            self.cut((done - whole) as u64);
            return Err((whole, error));
        }
        self.length += done as u64;
        Ok(())
    }

    /// Cuts so much off the end, and what could not be cut before.
    fn cut(&mut self, bytes: u64) {
        self.torn += bytes;
        // Somebody may have emptied it.
        if self.torn > 0
            && let Ok(found) = self.file.metadata()
            && self.file.set_len(found.len().saturating_sub(self.torn)).is_ok()
        {
            self.torn = 0;
        }
    }

    /// Looks now and then whether the file is still there, and makes another one if it is not. Returns what is to be said
    /// about it.
    ///
    /// # Errors
    /// What keeps it from being made: then what would be written is lost.
    fn look(&mut self) -> io::Result<Option<String>> {
        if self.looked.elapsed() < AGAIN {
            return Ok(None);
        }
        self.looked = Instant::now();
        let ours = self.file.metadata();
        match fs::symlink_metadata(&self.path) {
            Ok(found) => {
                if self.torn == 0 && ours.is_ok_and(|ours| (ours.dev(), ours.ino()) == (found.dev(), found.ino())) {
                    self.length = found.len();
                }
                return Ok(None);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(_) => return Ok(None),
        }
        self.path.parent().map_or(Ok(()), make_folder)?;
        self.file = make(&self.path)?;
        (self.length, self.torn, self.started) = (0, 0, self.start.is_empty());
        let before = self.lost.take().map_or((0, 0), |lost| (lost.lines, lost.bytes));
        let lost = Lost {
            lines: before.0.saturating_add(self.lines),
            bytes: before.1.saturating_add(self.bytes),
            reason: "the log was removed".to_owned(),
            until: None,
        };
        (self.lines, self.bytes) = (0, 0);
        let (path, lines) = (self.path.display(), lost.lines);
        let message =
            format!("the log {path} was removed; it goes on in a new file, in which {lines} lines are missing");
        self.lost = Some(lost);
        Ok(Some(message))
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)
}

fn make(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o644).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Where the last whole record ends: not before `from`, if the file is that long.
fn whole(file: &File, from: u64, length: u64) -> io::Result<u64> {
    let from = if from <= length { from } else { 0 };
    let mut end = length;
    let mut block = Vec::new();
    while end > from {
        let begin = end.saturating_sub(BLOCK).max(from);
        block.resize(usize::try_from(end - begin).unwrap_or(0), 0);
        file.read_exact_at(&mut block, begin)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(from)
}

/// What to do about an error.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => "make room on that disk",
        Some(libc::EROFS | libc::EACCES | libc::EPERM) => "make its folder writable",
        Some(libc::EFBIG) => "raise the limit for the size of files (`ulimit -f`)",
        _ => "see whether that disk is well",
    }
}

#[cfg(test)]
mod tests;
