//! A rotated file.
//!
//! A rotation only ever renames, the older ones first, and a gap in the numbers stops it: so one that is cut off (the
//! logger was killed) loses nothing, doubles nothing, and is completed by the next one.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::{Uid, fchown, geteuid};

use super::clock::Clock;
use super::folder::Folder;
use super::form;
use crate::engine::spec::LogFile;
use crate::sys::{self, find};

/// How often it is looked whether the file is still the one at its path, in milliseconds, while there is something to
/// write.
const LOOK: u64 = 200;
/// The shortest time between two messages that lines are lost, in milliseconds: a disk may be full again and again.
const COMPLAIN: u64 = 10_000;
/// Of more older files than this nobody cares for those that are no longer wanted.
const MOST_OLDER: u32 = 1000;

/// A file for lines, with older ones beside it.
pub struct RotatedFile {
    spec: LogFile,
    /// The service's name as a JSON string.
    service: Vec<u8>,
    owner: Option<u32>,
    /// Whether the owner may only read it, and it stays ours.
    read_only: bool,
    file: Option<File>,
    /// Device and inode of `file`.
    identity: (u64, u64),
    /// How long it is.
    length: u64,
    /// From what length on it is rotated: more than its size once that could not be done.
    limit: u64,
    /// When it was last looked whether it is the one at its path.
    looked: u64,
    /// How many lines are lost since it can no longer be written, and why.
    lost: Option<(u64, io::Error)>,
    complained: Option<u64>,
    tidied: bool,
    message: Option<String>,
}

impl RotatedFile {
    /// A file of this service, owned by this uid (or by this process's), which is opened with the first write.
    pub fn new(spec: LogFile, service: &str, owner: Option<u32>) -> Self {
        let mut name = Vec::new();
        form::json_string(&mut name, service.as_bytes());
        Self {
            limit: spec.size,
            spec,
            service: name,
            owner,
            read_only: false,
            file: None,
            identity: (0, 0),
            length: 0,
            looked: 0,
            lost: None,
            complained: None,
            tidied: false,
            message: None,
        }
    }

    /// The same, but its owner may only read it, where the file system can tell that apart: it could fill that otherwise.
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.spec.path
    }

    /// Writes a block of lines in the file's form.
    pub fn format(&self, out: &mut Vec<u8>, clock: &mut Clock, now: u64, block: &[u8], partial: bool) {
        if self.spec.json {
            form::json(out, clock.text(now), &self.service, block, partial);
        } else {
            form::text(out, clock.text(now), block);
        }
    }

    /// Appends lines that [`RotatedFile::format`] has written, at this time in milliseconds since 1970. Returns what is to be
    /// said about it to whoever reads the container's log.
    pub fn write(&mut self, batch: &[u8], clock: &mut Clock, now: u64) -> Option<String> {
        if now.abs_diff(self.looked) >= LOOK {
            self.looked = now;
            self.look();
        }
        let written = match &self.lost {
            None => self.append(batch),
            // The gap is told of where it is, together with what comes after it.
            Some((lines, error)) => {
                let mut marked = Vec::new();
                let mark = format!("devinit: {lines} lines are missing here: {error}");
                self.format(&mut marked, clock, now, mark.as_bytes(), false);
                let length = marked.len();
                marked.extend_from_slice(batch);
                self.append(&marked).map_err(|(done, error)| (done.saturating_sub(length), error))
            }
        };
        let path = self.spec.path.display();
        match written {
            Ok(()) => {
                if let Some((lines, _)) = self.lost.take()
                    && self.complained.is_some()
                {
                    self.message = Some(format!("{path} can be written again; {lines} lines are missing in it"));
                }
            }
            Err((done, error)) => {
                let before = self.lost.take().map_or(0, |(lines, _)| lines);
                let lost = form::count(batch.get(done..).unwrap_or_default());
                if self.complained.is_none_or(|at| now.abs_diff(at) > COMPLAIN) {
                    let hint = hint(&error);
                    self.message = Some(format!("cannot write to {path}, lines are lost: {error}; {hint}"));
                    self.complained = Some(now);
                }
                self.lost = Some((before.saturating_add(lost), error));
            }
        }
        self.message.take()
    }

    /// Closes the file if it is no longer the one at its path, and learns its length.
    fn look(&mut self) {
        if self.file.is_some() {
            match self.spec.path.symlink_metadata() {
                Ok(found) if (found.dev(), found.ino()) == self.identity => self.length = found.len(),
                _ => self.file = None,
            }
        }
    }

    /// Appends a batch, over as many rotations as it takes; on an error also tells how much of it is in the file.
    fn append(&mut self, batch: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut done = 0;
        while let Some(rest) = batch.get(done..).filter(|rest| !rest.is_empty()) {
            if self.file.is_none() {
                self.open().map_err(|error| (done, error))?;
            }
            let room = usize::try_from(self.limit.saturating_sub(self.length)).unwrap_or(usize::MAX);
            let mut end = rest.get(..room).map_or(rest.len(), form::whole);
            if end == 0 {
                if self.length > 0 {
                    self.rotate();
                    continue;
                }
                // A line that is longer than a file may be has one for itself.
                end = find(b'\n', rest).map_or(rest.len(), |at| at + 1);
            }
            let part = rest.get(..end).unwrap_or(rest);
            self.write_all(part).map_err(|(written, error)| (done + written, error))?;
            done += end;
        }
        Ok(())
    }

    /// On an error, what is in the file ends with a whole line, and is told.
    fn write_all(&mut self, part: &[u8]) -> Result<(), (usize, io::Error)> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut done = 0;
        while let Some(rest) = part.get(done..).filter(|rest| !rest.is_empty()) {
            let error = match file.write(rest) {
                Ok(0) => io::Error::from(io::ErrorKind::WriteZero),
                Ok(written) => {
                    done += written;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let whole = form::whole(part.get(..done).unwrap_or_default());
            let cut = (done - whole) as u64;
            // Unless someone else writes to it, too.
            if cut > 0 && file.metadata().is_ok_and(|now| now.len() == self.length + done as u64) {
                let _ = file.set_len(self.length + whole as u64);
            }
            self.length = file.metadata().map_or(self.length, |now| now.len());
            return Err((whole, error));
        }
        self.length += part.len() as u64;
        Ok(())
    }

    /// Moves the file aside. If that cannot be done it goes on growing, and it is tried again when it has grown as much again.
    fn rotate(&mut self) {
        let folder = Folder::of(&self.spec.path, false);
        match folder.and_then(|folder| shift(&folder, &self.spec.path, self.spec.keep)) {
            Ok(()) => (self.file, self.length, self.limit) = (None, 0, self.spec.size),
            Err(error) => {
                self.limit = self.length.saturating_add(self.spec.size.max(1));
                let (path, hint) = (self.spec.path.display(), hint(&error));
                self.message = Some(format!("cannot rotate {path}, which goes on growing: {error}; {hint}"));
            }
        }
    }

    fn open(&mut self) -> io::Result<()> {
        let us = geteuid().as_raw();
        let reader = self.owner.filter(|owner| self.read_only && *owner != us);
        let owner = self.owner.filter(|_| reader.is_none()).unwrap_or(us);
        let (path, keep) = (&self.spec.path, self.spec.keep);
        let folder = Folder::of(path, true)?;
        if !self.tidied {
            self.tidied = true;
            let beyond = keep.saturating_add(1)..keep.saturating_add(MOST_OLDER);
            let _ = beyond.map(|number| folder.remove(&older_name(path, number))).find(Result::is_err);
        }
        let mut file = match folder.open(name(path), false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(&folder, path, owner)?,
            answer => answer?,
        };
        let mut found = file.metadata()?;
        // In a folder of a user's it may be anything: a link to a file that is none of the user's, a file that this user
        // has no longer any right to read.
        if !found.is_file() || found.nlink() > 1 {
            return Err(io::Error::other("it is not a regular file, or has other names (hard links), too"));
        }
        if ![Some(owner), Some(us), reader].contains(&Some(found.uid())) {
            shift(&folder, path, keep)?;
            file = create(&folder, path, owner)?;
            found = file.metadata()?;
        }
        if let Some(reader) = reader
            && sys::let_read(&file, reader).is_err()
        {
            let _ = fchown(&file, Some(Uid::from_raw(reader)), None);
        }
        (self.identity, self.length) = ((found.dev(), found.ino()), found.len());
        // A logger that was killed while it wrote, or a full disk, may have left a line without its end.
        let mut last = [b'\n'];
        if self.length > 0 && file.read_exact_at(&mut last, self.length - 1).is_ok() && last != *b"\n" {
            file.write_all(b"\n")?;
            self.length += 1;
        }
        self.limit = self.spec.size;
        self.file = Some(file);
        Ok(())
    }
}

fn create(folder: &Folder, path: &Path, owner: u32) -> io::Result<File> {
    let file = folder.open(name(path), true)?;
    if owner != geteuid().as_raw() {
        // Without the right to give it away it stays ours.
        let _ = fchown(&file, Some(Uid::from_raw(owner)), None);
    }
    Ok(file)
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// The path of the file that is older by this number of rotations.
pub fn older(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn older_name(path: &Path, number: u32) -> OsString {
    older(Path::new(name(path)), number).into_os_string()
}

/// Gives each file the next number, of which `keep` are left, and the one at the path, which is in this folder, number 1.
fn shift(folder: &Folder, path: &Path, keep: u32) -> io::Result<()> {
    let gone = |answer: io::Result<()>| match answer {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        answer => answer,
    };
    if keep == 0 {
        return gone(folder.remove(name(path)));
    }
    let older = |number: u32| older_name(path, number);
    let last = (1..keep).find(|number| folder.lacks(&older(*number))).unwrap_or(keep);
    for number in (1..last).rev() {
        folder.rename(&older(number), &older(number + 1))?;
    }
    gone(folder.rename(name(path), &older(1)))
}

/// What to do about an error.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => "make room on that disk, it is tried again with each line",
        Some(libc::ELOOP) => "it, or a folder on the way, is a symbolic link that is not root's: remove it",
        Some(libc::EROFS | libc::EACCES | libc::EPERM) => "make its folder writable, or set another path for the log",
        _ => "it is tried again with each line",
    }
}
