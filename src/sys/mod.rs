//! Every system call that nix or std do not wrap safely, or that must be exact in a way that they are not.
//!
//! The only module in which `unsafe` is allowed. Signals are plain numbers and signal sets plain 64-bit masks here:
//! libc's wrappers hide the numbers that the libc uses itself (32 and 33 in glibc, 32 to 34 in musl), and an init has
//! to block, receive and pass on those, too.
#![allow(unsafe_code)]

mod access;
mod children;
mod descriptors;
mod entry;
mod execute;
mod init;
mod memory;
mod rights;
mod settings;
mod signals;
mod time;
mod unwinding;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::libc;

pub use access::*;
pub use children::*;
pub use descriptors::*;
pub use entry::*;
pub use execute::*;
pub use init::*;
pub use memory::*;
pub use rights::*;
pub use settings::*;
pub use signals::*;
pub use time::*;

/// A process id.
pub type Pid = i32;

fn check(answer: libc::c_long) -> io::Result<libc::c_long> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

fn own(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::other("descriptor out of range"))?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
