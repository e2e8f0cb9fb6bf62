//! What the guard has to know to go on where a killed worker was: kept in memory that both have, not on a disk that may be
//! full.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::job::Status;
use crate::sys::{Change, Pid};

/// Where the status begins, behind the numbers and its length.
const STATUS: u64 = 48;
/// How an end is kept: what is added to the exit code, or to the signal.
const EXITED: u64 = 1000;
const KILLED: u64 = 2000;

/// The memory.
pub struct Checkpoint(File);

/// What was kept last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// The command's process; none before it was started.
    pub pid: Option<Pid>,
    /// How that has ended, if it has.
    pub end: Option<Change>,
    /// How many lines had ended.
    pub lines: u64,
    /// How many bytes had been read.
    pub bytes: u64,
    /// How long the log was, in bytes.
    pub length: u64,
    /// The status as it was written last; none before the first time.
    pub status: Option<Status>,
}

impl Checkpoint {
    /// Memory in which nothing is kept yet.
    ///
    /// # Errors
    /// Those of memfd_create(2): no memory, no descriptors.
    pub fn new() -> io::Result<Self> {
        let name = CString::default();
        let memory = File::from(memfd_create(name.as_c_str(), MFdFlags::MFD_CLOEXEC)?);
        memory.write_all_at(&[0; STATUS as usize], 0)?;
        Ok(Self(memory))
    }

    /// The command's process has this number. For the command's own process, before it executes the program: from then on
    /// nobody can be killed in a moment at which nobody knows it.
    pub fn put_pid(&self, pid: Pid) {
        let _ = self.0.write_all_at(&u64::try_from(pid).unwrap_or(0).to_ne_bytes(), 0);
    }

    /// So much has been read and written.
    pub fn put_counts(&self, lines: u64, bytes: u64, length: u64) {
        let mut counts = [0; 24];
        for (place, count) in counts.chunks_exact_mut(8).zip([lines, bytes, length]) {
            place.copy_from_slice(&count.to_ne_bytes());
        }
        let _ = self.0.write_all_at(&counts, 8);
    }

    /// The command has ended like this. To be kept before it is reaped: afterwards nobody could find out.
    pub fn put_end(&self, end: Change) {
        let number = |base: u64, value: i32| base.saturating_add(u64::try_from(value).unwrap_or(0));
        let end = match end {
            Change::Exited(code) => number(EXITED, code),
            Change::Killed(signal) | Change::Stopped(signal) => number(KILLED, signal),
        };
        let _ = self.0.write_all_at(&end.to_ne_bytes(), 40);
    }

    /// The status is this.
    pub fn put_status(&self, status: &Status) {
        let Ok(text) = serde_json::to_vec(status) else { return };
        // Whoever is killed in between leaves none, rather than a piece of one.
        let length = |length: usize| self.0.write_all_at(&(length as u64).to_ne_bytes(), 32);
        let _ = length(0).and_then(|()| self.0.write_all_at(&text, STATUS)).and_then(|()| length(text.len()));
    }

    /// What was kept last.
    pub fn saved(&self) -> Saved {
        let number = |place: u64| {
            let mut bytes = [0; 8];
            self.0.read_exact_at(&mut bytes, place).map_or(0, |()| u64::from_ne_bytes(bytes))
        };
        let mut text = vec![0; usize::try_from(number(32)).unwrap_or(0)];
        let status = self.0.read_exact_at(&mut text, STATUS).ok().and_then(|()| serde_json::from_slice(&text).ok());
        let end = number(40);
        let value = |base: u64| i32::try_from(end.saturating_sub(base)).unwrap_or(0);
        Saved {
            end: match end {
                KILLED.. => Some(Change::Killed(value(KILLED))),
                EXITED.. => Some(Change::Exited(value(EXITED))),
                _ => None,
            },
            pid: Pid::try_from(number(0)).ok().filter(|pid| *pid > 0),
            lines: number(8),
            bytes: number(16),
            length: number(24),
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_again() {
        let checkpoint = Checkpoint::new().unwrap();
        assert_eq!(checkpoint.saved(), Saved::default());
        let long = Status { command: vec!["x".repeat(10_000)], job: "a".to_owned(), ..Status::default() };
        let short = Status { job: "a".to_owned(), ..Status::default() };
        for status in [long, short] {
            checkpoint.put_pid(17);
            checkpoint.put_counts(1, 2, 3);
            checkpoint.put_status(&status);
            let saved = Saved { pid: Some(17), end: None, lines: 1, bytes: 2, length: 3, status: Some(status) };
            assert_eq!(checkpoint.saved(), saved);
        }
        for end in [Change::Exited(0), Change::Exited(255), Change::Killed(9), Change::Killed(64)] {
            checkpoint.put_end(end);
            assert_eq!(checkpoint.saved().end, Some(end));
        }
    }
}
