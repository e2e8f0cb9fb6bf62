//! One client's connection.
//!
//! Whoever ends a TCP connection first keeps it in TIME_WAIT for a minute, and on the server's side that keeps the app
//! from binding the port (unless it sets SO_REUSEADDR). So the page leaves the end to its clients:
//!
//! - A connection is kept for further requests; where the client wants it closed, it knows the length of the answer
//!   and closes by itself. Having been closed by the client it leaves nothing behind.
//! - A client that waits for the end instead is given one, after a second. With TCP_LINGER2 below 0 the kernel forgets
//!   the connection as soon as the client has acknowledged the end, instead of waiting for the client's own. (A reset
//!   right behind the end does not do: a client on the same machine closes before it is sent.)
//! - Every socket has SO_LINGER {on, 0} from birth: closing it in any other way, also by the death of the process,
//!   resets what is not closed yet.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::libc::{self, linger};
use nix::poll::PollFlags;
use nix::sys::socket::{setsockopt, sockopt};
use nix::{setsockopt_impl, sockopt_impl};

use super::cache::Cache;
use super::request::{self, HEAD_LIMIT};
use super::response;

/// How long a client may take for a request, for reading the answer, and between two requests.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client has to close the connection by itself.
const PARTING: Duration = Duration::from_secs(1);
/// The most that is read of what a client sends after its last request, in bytes.
const LEFTOVER_LIMIT: usize = 64 * 1024;

sockopt_impl!(
    /// How long a closed connection waits for the other side's end, in seconds; below 0: not at all (tcp(7)).
    TcpLinger2,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_LINGER2,
    libc::c_int
);

/// Sets what connections need to leave nothing behind. They inherit it from the listener, so that there is no moment
/// in which one of them lacks it.
pub fn prepare_listener(listener: &impl AsFd) -> nix::Result<()> {
    setsockopt(listener, sockopt::Linger, &linger { l_onoff: 1, l_linger: 0 })?;
    setsockopt(listener, TcpLinger2, &-1)?;
    // A client that vanished does not keep what was closed for it.
    setsockopt(listener, sockopt::TcpUserTimeout, &u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX))
}

/// One client's connection.
pub struct Connection {
    stream: TcpStream,
    stage: Stage,
    /// What was received and not yet answered.
    input: Vec<u8>,
    /// Whether the client has sent all that it will.
    ended: bool,
    /// When the present stage has to be over.
    deadline: Instant,
}

enum Stage {
    /// Waits for a request.
    Reading,
    /// Sends an answer, of which some is sent; afterwards the connection goes on or not.
    Writing { answer: Vec<u8>, sent: usize, keep: bool },
    /// Everything is sent; the client is given time to close.
    Parting { received: usize },
    /// Both sides have said their last word; the kernel is given time to deliver ours.
    Closed,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Keep,
    /// It is over.
    Drop,
}

impl Connection {
    /// A connection that was just accepted and does not block.
    pub fn new(stream: TcpStream, now: Instant) -> Self {
        Self { stream, stage: Stage::Reading, input: Vec::new(), ended: false, deadline: now + PATIENCE }
    }

    /// When it has to be looked at even if nothing happens.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether both sides are done, so that it can make room for another.
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// What it waits for; none if only for time.
    pub fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let flags = match self.stage {
            Stage::Reading | Stage::Parting { .. } => PollFlags::POLLIN,
            Stage::Writing { .. } => PollFlags::POLLOUT,
            // Poll would report this one without end.
            Stage::Closed => return None,
        };
        Some((self.stream.as_fd(), flags))
    }

    /// Goes on as far as it can without waiting.
    pub fn advance(&mut self, cache: &mut Cache<'_>, now: Instant) -> Fate {
        match self.try_advance(cache, now) {
            Ok(fate) => fate,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Fate::Keep,
            Err(_) => Fate::Drop,
        }
    }

    /// The time of the present stage is over. A client that had its answer and waits for the end gets it by a normal
    /// close; all others are reset.
    pub fn expire(self) {
        if matches!(self.stage, Stage::Parting { .. }) {
            let _ = setsockopt(&self.stream, sockopt::Linger, &linger { l_onoff: 0, l_linger: 0 });
        }
    }

    fn try_advance(&mut self, cache: &mut Cache<'_>, now: Instant) -> io::Result<Fate> {
        loop {
            match &mut self.stage {
                Stage::Reading => {
                    if let Some((answer, keep)) = self.next_answer(cache, now) {
                        self.stage = Stage::Writing { answer, sent: 0, keep };
                        self.deadline = now + PATIENCE;
                    } else if self.ended {
                        let _ = self.stream.shutdown(Shutdown::Write);
                        return Ok(Fate::Drop);
                    } else {
                        self.receive()?;
                    }
                }
                Stage::Writing { answer, sent, keep } => {
                    while *sent < answer.len() {
                        match self.stream.write(&answer[*sent..]) {
                            Ok(count) => *sent += count,
                            Err(error) if error.kind() == ErrorKind::Interrupted => {}
                            Err(error) => return Err(error),
                        }
                    }
                    (self.stage, self.deadline) = match *keep {
                        true => (Stage::Reading, now + PATIENCE),
                        false => (Stage::Parting { received: 0 }, now + PARTING),
                    };
                }
                Stage::Parting { received } => {
                    *received += std::mem::take(&mut self.input).len();
                    if *received > LEFTOVER_LIMIT {
                        return Ok(Fate::Drop);
                    }
                    if self.ended {
                        let _ = self.stream.shutdown(Shutdown::Write);
                        self.stage = Stage::Closed;
                        self.deadline = now + PARTING;
                    } else {
                        self.receive()?;
                    }
                }
                Stage::Closed => return Ok(Fate::Keep),
            }
        }
    }

    /// The answer to the first request in the input, and whether the connection goes on after it.
    fn next_answer(&mut self, cache: &mut Cache<'_>, now: Instant) -> Option<(Vec<u8>, bool)> {
        match request::parse(&self.input) {
            Ok(None) => None,
            Ok(Some(request)) => {
                self.input.drain(..request.length);
                Some((response::answer(&request, cache.page(now)), request.keep_alive))
            }
            Err(fault) => Some((response::refusal(fault), false)),
        }
    }

    /// Takes what there is, as far as a request's head may be long.
    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; HEAD_LIMIT];
        let room = HEAD_LIMIT.saturating_sub(self.input.len()).max(1);
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => self.ended = true,
            Ok(count) => self.input.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
