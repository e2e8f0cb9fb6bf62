//! What services say of themselves: over a socket as sd_notify(3) has it, or with a newline on a descriptor as s6 has it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::machine::Notice;
use super::spec::Service;

/// PID 1's end of what a service says something over.
#[derive(Debug)]
pub enum Channel {
    /// A datagram socket that is the service's alone: nobody but root and its user can write to it.
    Socket {
        /// The socket; it does not block.
        socket: OwnedFd,
        /// Where it is.
        path: PathBuf,
    },
    /// The end of a pipe; it does not block.
    Pipe(OwnedFd),
}

impl Channel {
    /// Makes the socket of a service, in the folder `notify` of the runtime folder.
    ///
    /// # Errors
    /// Those of making the folder and the socket.
    pub fn socket(_runtime: &Path, _service: &Service) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What was said since the last time, at most 16 things. None once nothing can be said any more.
    pub fn hear(&self) -> Option<Vec<Notice>> {
        None
    }
}
