//! An end that holds for everything together, however slowly something comes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// When to give up.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        let now = Instant::now();
        // A limit that no clock can show is none.
        Self(now.checked_add(limit).unwrap_or_else(|| now + Duration::from_secs(86_400)))
    }

    /// This one, or so much time from now if that is earlier.
    pub(super) fn at_most(self, limit: Duration) -> Self {
        Self(self.0.min(Self::after(limit).0))
    }

    /// What is left.
    ///
    /// # Errors
    /// Nothing is left.
    pub(super) fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")) } else { Ok(left) }
    }
}

/// A connection that is read from and written to until the deadline only.
pub(super) struct Timed {
    pub stream: TcpStream,
    pub deadline: Deadline,
}

/// The kernel says "try again" where time is up.
fn in_time<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
        _ => error,
    })
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.left()?))?;
        in_time(self.stream.read(buffer))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.left()?))?;
        in_time(self.stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
