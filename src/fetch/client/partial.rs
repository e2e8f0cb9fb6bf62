//! A file on its way: what of it is there, and what it is a part of.
//!
//! At any instant a kill must leave something from which the next attempt comes out right. So the note about what the
//! file is a part of (`FILE.state`) is removed before the file is emptied, and written once it is empty; a note that is
//! not whole is none. Of the file, what is there counts, and not what was written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use serde::{Deserialize, Serialize};

use super::super::{Failure, failure};
use crate::words;

/// What a file that is not whole is a part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The URL, without its credentials and its query.
    pub(super) url: String,
    /// A strong validator: an `ETag`, or a `Last-Modified`.
    pub(super) validator: String,
    /// How many bytes there will be.
    pub(super) total: Option<u64>,
}

impl State {
    /// More than any state has.
    const LIMIT: u64 = 64 << 10;

    fn read(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path).ok()?;
        let mut text = Vec::new();
        file.take(Self::LIMIT).read_to_end(&mut text).ok()?;
        // Someone else may have written it: what is sent along must not break a request.
        let usable = |state: &Self| state.validator.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        serde_json::from_slice(&text).ok().filter(usable)
    }
}

/// A file on its way.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    note: PathBuf,
    file: File,
    length: u64,
    state: Option<State>,
}

impl Partial {
    /// Opens what is there of an earlier attempt, or an empty file. Nothing changes yet.
    pub(super) fn open(path: &Path, url: &str) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).custom_flags(O_NOFOLLOW | O_NONBLOCK);
        let shown = path.display();
        let file = options.open(path).map_err(failure::io(format!("cannot write {shown}")))?;
        let about = file.metadata().map_err(failure::io(format!("cannot write {shown}")))?;
        if !about.is_file() {
            return Err(Failure::permanent(format!("cannot write {shown}: it is not a file")));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".state");
        let note = path.with_file_name(name);
        let length = about.len();
        let state = State::read(&note)
            .filter(|state| state.url == url && length > 0 && state.total.is_none_or(|total| length <= total));
        Ok(Self { path: path.to_owned(), note, file, length, state })
    }

    /// What it is a part of, if that is known and so it can be continued.
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// How many bytes are there.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Continues behind what is there.
    pub(super) fn go_on(&mut self) -> Result<(), Failure> {
        let end = SeekFrom::Start(self.length);
        self.file.seek(end).map(drop).map_err(failure::io(format!("cannot write {}", self.path.display())))
    }

    /// Begins from the start, with a part of this.
    pub(super) fn start_over(&mut self, state: Option<State>, total: Option<u64>) -> Result<(), Failure> {
        self.length = 0;
        self.state = None;
        self.empty(state.as_ref()).map_err(|error| self.disk(error, total))?;
        self.state = state;
        Ok(())
    }

    fn empty(&mut self, state: Option<&State>) -> io::Result<()> {
        self.remove_note()?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        let Some(state) = state else { return Ok(()) };
        // The old content must not come back under the new note when the power fails.
        self.file.sync_all()?;
        let mut note = OpenOptions::new().write(true).create_new(true).open(&self.note)?;
        note.write_all(&serde_json::to_vec(state)?)
    }

    /// Adds what came; there will be `total` bytes.
    pub(super) fn write(&mut self, bytes: &[u8], total: Option<u64>) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| self.disk(error, total))?;
        self.length = self.length.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// It is whole, or no part of anything any more.
    pub(super) fn remove_note(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.note) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// It is whole.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.remove_note().map_err(failure::io(format!("cannot remove {}", self.note.display())))
    }

    /// Explains why nothing can be written. A disk that is full gets back what was taken of it.
    fn disk(&self, error: io::Error, total: Option<u64>) -> Failure {
        if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return failure::io(format!("cannot write {}", self.path.display()))(error);
        }
        let _ = std::fs::remove_file(&self.path);
        let _ = self.remove_note();
        let folder = self.path.parent().unwrap_or(Path::new("/")).display();
        let name = self.path.file_name().unwrap_or_default().display();
        let needed = total.map(|total| format!(", which has {}", words::bytes(total))).unwrap_or_default();
        failure::io(format!("there is no room in {folder} for {name}{needed}"))(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Retry;

    fn state(url: &str) -> State {
        State { url: url.into(), validator: "\"1\"".into(), total: Some(10) }
    }

    #[test]
    fn a_part_is_only_continued_if_it_is_known_what_it_is_a_part_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut partial = Partial::open(&path, "http://h/f").unwrap();
        assert_eq!(partial.state(), None);
        partial.start_over(Some(state("http://h/f")), Some(10)).unwrap();
        partial.write(b"hello", Some(10)).unwrap();
        drop(partial);

        let partial = Partial::open(&path, "http://h/f").unwrap();
        assert_eq!((partial.length(), partial.state()), (5, Some(&state("http://h/f"))));
        assert_eq!(Partial::open(&path, "http://h/other").unwrap().state(), None);

        let note = folder.path().join("file.state");
        let whole = std::fs::read(&note).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&note, &whole[..length]).unwrap();
            assert_eq!(Partial::open(&path, "http://h/f").unwrap().state(), None, "{length}");
        }
        std::fs::write(&note, &whole).unwrap();
        std::fs::write(&path, b"longer than it may be").unwrap();
        assert_eq!(Partial::open(&path, "http://h/f").unwrap().state(), None);
        std::fs::write(&path, b"").unwrap();
        assert_eq!(Partial::open(&path, "http://h/f").unwrap().state(), None);
    }

    #[test]
    fn starting_over_leaves_nothing_of_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"something much longer").unwrap();
        std::fs::write(folder.path().join("file.state"), b"{").unwrap();
        let mut partial = Partial::open(&path, "http://h/f").unwrap();
        partial.start_over(Some(state("http://h/f")), None).unwrap();
        partial.write(b"new", None).unwrap();
        assert_eq!(State::read(&folder.path().join("file.state")), Some(state("http://h/f")));
        partial.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn no_link_is_followed_and_no_pipe_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, b"precious").unwrap();
        let path = folder.path().join("file");
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert_eq!(Partial::open(&path, "http://h/f").unwrap_err().retry, Retry::Never);

        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("file.state")).unwrap();
        let mut partial = Partial::open(&path, "http://h/f").unwrap();
        partial.start_over(Some(state("http://h/f")), None).unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");

        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _reader = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&pipe).unwrap();
        assert!(Partial::open(&pipe, "http://h/f").unwrap_err().text.contains("not a file"));
        assert!(Partial::open(folder.path(), "http://h/f").is_err());
    }

    #[test]
    fn a_full_disk_gets_back_what_was_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool.tar.gz");
        let mut partial = Partial::open(&path, "http://h/f").unwrap();
        partial.start_over(Some(state("http://h/f")), None).unwrap();
        partial.write(b"hello", None).unwrap();
        // Whatever is written to it fails with ENOSPC.
        partial.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let failure = partial.write(b"more", Some(377 << 20)).unwrap_err();
        assert_eq!(failure.retry, Retry::Never);
        let folder_name = folder.path().display().to_string();
        for part in [&*folder_name, "tool.tar.gz", "377.0 MiB"] {
            assert!(failure.text.contains(part), "{failure}");
        }
        assert!(failure.hint.is_some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
