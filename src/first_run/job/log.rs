//! A task's log file: what its programs print, without secrets, bounded.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use crate::fetch::{Failure, failure};
use crate::words::clean;

/// A log that has grown past this begins anew, and the old one stays beside it as `NAME.log.1`.
const ROTATE_AT: u64 = 4 << 20;
/// What one attempt may write.
const MOST: u64 = 16 << 20;
/// How many lines are shown of an attempt that failed.
const TAIL: usize = 12;
/// The longest of them, in characters.
const LONGEST: usize = 300;

/// The log of one attempt at a task.
pub struct Log {
    file: Option<File>,
    path: PathBuf,
    written: u64,
    tail: VecDeque<String>,
    secrets: Vec<String>,
}

/// The folder of the logs in a [state folder](super::super::Place::state).
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join("logs")
}

/// The log of a task.
#[must_use]
pub fn path(state: &Path, task: &str) -> PathBuf {
    folder(state).join(format!("{task}.log"))
}

/// A text without these secrets.
#[must_use]
pub fn redacted(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        if text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), "[hidden]");
        }
    }
    text
}

impl Log {
    /// Opens the log of a task to write on at its end. What stands in `secrets` is never written.
    ///
    /// # Errors
    /// The folder cannot be made, the file cannot be opened.
    pub fn open(state: &Path, task: &str, secrets: Vec<String>) -> Result<Self, Failure> {
        let path = path(state, task);
        let folder = folder(state);
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&folder)
            .map_err(failure::io(format_args!("failed to make {}", folder.display())))?;
        if path.metadata().is_ok_and(|there| there.len() > ROTATE_AT) {
            let _ = std::fs::rename(&path, path.with_extension("log.1"));
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)
            .map_err(failure::io(format_args!("failed to open {}", path.display())))?;
        Ok(Self { file: Some(file), path, written: 0, tail: VecDeque::new(), secrets })
    }

    /// A log that is kept nowhere.
    #[must_use]
    pub fn none(secrets: Vec<String>) -> Self {
        Self { file: None, path: PathBuf::new(), written: 0, tail: VecDeque::new(), secrets }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line. A full disk is no reason to fail: the line is lost then.
    pub fn line(&mut self, line: &str) {
        let line = self.redacted(line);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(clean(&line, LONGEST));
        if self.written > MOST {
            return;
        }
        let Some(file) = &mut self.file else { return };
        let _ = file.write_all(format!("{line}\n").as_bytes());
        self.written += line.len() as u64 + 1;
        if self.written > MOST {
            let _ = file.write_all(b"(the rest of this attempt is not kept)\n");
        }
    }

    /// A text without the secrets.
    #[must_use]
    pub fn redacted(&self, text: &str) -> String {
        redacted(text, &self.secrets)
    }

    /// The last lines.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_reach_neither_the_file_nor_the_tail() {
        let state = tempfile::tempdir().unwrap();
        let secrets = vec!["http://me:hunter2@proxy:3128".to_owned(), "hunter2".to_owned()];
        let mut log = Log::open(state.path(), "node", secrets).unwrap();
        log.line("connecting to http://me:hunter2@proxy:3128/ as hunter2");
        let text = std::fs::read_to_string(path(state.path(), "node")).unwrap();
        assert_eq!(text, "connecting to [hidden]/ as [hidden]\n");
        assert_eq!(log.tail(), ["connecting to [hidden]/ as [hidden]"]);
    }

    #[test]
    fn a_log_goes_on_at_its_end_and_begins_anew_when_it_is_long() {
        let state = tempfile::tempdir().unwrap();
        for line in ["one", "two"] {
            Log::open(state.path(), "a", Vec::new()).unwrap().line(line);
        }
        let log = path(state.path(), "a");
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "one\ntwo\n");
        File::options().write(true).open(&log).unwrap().set_len(ROTATE_AT + 1).unwrap();
        Log::open(state.path(), "a", Vec::new()).unwrap().line("three");
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "three\n");
        assert!(log.with_extension("log.1").exists());
    }

    #[test]
    fn one_attempt_cannot_fill_the_disk() {
        let state = tempfile::tempdir().unwrap();
        let mut log = Log::open(state.path(), "a", Vec::new()).unwrap();
        let line = "x".repeat(1 << 20);
        (0..40).for_each(|_| log.line(&line));
        assert!(path(state.path(), "a").metadata().unwrap().len() < MOST + (2 << 20));
        assert_eq!(log.tail().len(), TAIL);
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder(state.path())).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path(state.path(), "a")).unwrap();
        assert!(Log::open(state.path(), "a", Vec::new()).is_err());
    }
}
