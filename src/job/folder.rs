//! The folder of jobs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Name, Status};

/// A status file that is longer, in bytes, is not one.
const LONGEST: u64 = 1 << 20;

/// The folder that jobs have their files in.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// This folder. It need not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The status of a job; none if there is no such job, or if its file is damaged.
    ///
    /// # Errors
    /// What keeps the file from being read.
    pub fn status(&self, name: &Name) -> io::Result<Option<Status>> {
        use std::io::Read;
        let read = || -> io::Result<String> {
            let mut text = String::new();
            File::open(self.path.join(name.status_file()))?.take(LONGEST).read_to_string(&mut text)?;
            Ok(text)
        };
        // Over NFS a file that was replaced while it was read is stale: the new one is there.
        let stale = |error: &io::Error| error.raw_os_error() == Some(nix::libc::ESTALE);
        let text = match read() {
            Err(error) if stale(&error) => read(),
            other => other,
        };
        match text {
            Ok(text) => Ok(serde_json::from_str(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the status of a job: whoever reads it sees the old or the new one, whole.
    ///
    /// # Errors
    /// What keeps the file from being written: a full or read-only storage.
    pub fn write_status(&self, name: &Name, status: &Status) -> io::Result<()> {
        let mut text = serde_json::to_vec(status)?;
        text.push(b'\n');
        let temporary = self.path.join(format!(".{}.{}.tmp", name.status_file(), std::process::id()));
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| fs::rename(&temporary, self.path.join(name.status_file())));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}
