//! Telling whoever began a job whether it runs.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::REFUSED;
use crate::commands::{complain, print};
use crate::words;

/// The longest text that is told, in characters: names of files in it may be anyone's.
const LONGEST: usize = 2000;

/// Where whoever began the job waits to hear of it.
pub enum Starter {
    /// It is this process or its parent: what goes wrong is said on standard error.
    Here,
    /// At the other end of this pipe.
    Far(OwnedFd),
}

impl Starter {
    /// The job runs. Only whoever does not see it run is told.
    pub fn tell(&self, text: &str) {
        self.send(0, text);
    }

    /// The job does not run, and this is the exit code.
    pub fn refuse(&self, code: i32, text: &str) -> i32 {
        match self {
            Self::Here => complain(&words::clean(text, LONGEST)),
            Self::Far(_) => self.send(code, text),
        }
        code
    }

    /// Something is not as it should be, and the job runs all the same.
    pub fn warn(&self, text: &str) {
        match self {
            // A terminal that is stopped holds no job up. The status has it, too.
            Self::Here if !has_room() => {}
            Self::Here => complain(&words::clean(text, LONGEST)),
            Self::Far(_) => self.send(-1, text),
        }
    }

    /// Its pipe, if it is at the other end of one.
    pub fn far(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Here => None,
            Self::Far(pipe) => Some(pipe.as_fd()),
        }
    }

    fn send(&self, code: i32, text: &str) {
        if let Self::Far(pipe) = self {
            let line = format!("{code} {}\n", words::clean(text, LONGEST));
            let _ = pipe.try_clone().map(|pipe| File::from(pipe).write_all(line.as_bytes()));
        }
    }
}

/// Whether standard error takes a line without making us wait.
fn has_room() -> bool {
    let errors = std::io::stderr();
    poll(&mut [PollFd::new(errors.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO) != Ok(0)
}

/// Waits for what a job in the background tells, and says it. Returns the exit code.
pub fn answer(told: File) -> i32 {
    for line in BufReader::new(told).lines().map_while(Result::ok) {
        let (code, text) = line.split_once(' ').unwrap_or_default();
        match code.parse() {
            Ok(0) => return print(&format!("{text}\n")),
            Ok(-1) => complain(text),
            Ok(code) => {
                complain(text);
                return code;
            }
            Err(_) => break,
        }
    }
    complain("the job's process ended before it could start the command; was it killed?");
    REFUSED
}
