//! What the job prints, printed by us as well: for who began it in the foreground.
//!
//! A terminal that is stopped, or gone with its SSH session, holds no job up: what nobody takes for 2 s is left out here, and
//! that is said. The log has everything.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::logger::output::Output;

/// Our own standard output and standard error; one of them for both, if they are the same terminal or pipe.
pub struct Echo {
    out: Output,
    errors: Option<Output>,
}

impl Echo {
    /// None where there are none.
    pub fn new() -> Option<Self> {
        let (out, errors) = Output::both().ok()?;
        Some(Self { out, errors })
    }

    fn all(&self) -> impl Iterator<Item = &Output> {
        [Some(&self.out), self.errors.as_ref()].into_iter().flatten()
    }

    /// Prints.
    pub fn put(&mut self, is_error: bool, job: &str, bytes: &[u8]) {
        let output = self.errors.as_mut().filter(|_| is_error).unwrap_or(&mut self.out);
        output.put(job, bytes);
    }

    /// Whether nothing more should be read of the job for now.
    pub fn is_blocked(&self) -> bool {
        self.all().any(Output::blocked)
    }

    /// What to poll to be able to go on.
    pub fn waits_for(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.all().filter_map(Output::waits_for)
    }

    /// When to call [`Echo::go_on`] at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.all().filter_map(Output::deadline).min()
    }

    /// Prints what waits.
    pub fn go_on(&mut self, now: Instant) {
        for output in [Some(&mut self.out), self.errors.as_mut()].into_iter().flatten() {
            output.tick(now);
            if output.waits_for().is_some() {
                output.resume();
            }
        }
    }

    /// Prints what is left, as long as someone takes it.
    pub fn finish(&mut self, until: Instant) {
        while self.is_blocked() && Instant::now() < until {
            let mut watched: Vec<_> = self.waits_for().map(|fd| PollFd::new(fd, PollFlags::POLLOUT)).collect();
            let _ = poll(&mut watched, PollTimeout::from(100u8));
            self.go_on(Instant::now());
        }
    }
}
