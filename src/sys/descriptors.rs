//! Descriptors, and the memory and the terminal behind them.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

use super::{check, own};
use crate::sorted;

/// Sends a number over a socket, and an open file with it (`SCM_RIGHTS`).
///
/// # Errors
/// Those of sendmsg(2).
pub fn send_file(socket: &OwnedFd, number: i32, file: Option<&File>) -> io::Result<()> {
    let descriptors: Vec<RawFd> = file.iter().map(|file| file.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let control = if descriptors.is_empty() { &[][..] } else { &rights[..] };
    let bytes = number.to_ne_bytes();
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], control, MsgFlags::empty(), None)?;
    Ok(())
}

/// Receives what [`send_file`] has sent, which has to be there already.
///
/// # Errors
/// Those of recvmsg(2).
pub fn receive_file(socket: &OwnedFd) -> io::Result<(i32, Option<File>)> {
    let (mut number, mut space) = ([0; 4], cmsg_space!(RawFd));
    let mut parts = [IoSliceMut::new(&mut number)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let received = message.cmsgs()?.find_map(|part| match part {
        ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
        _ => None,
    });
    // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
    let file = received.map(|fd| File::from(unsafe { OwnedFd::from_raw_fd(fd) }));
    Ok((i32::from_ne_bytes(number), file))
}

/// Takes the next connection of a listening socket; neither the call nor the connection blocks.
///
/// # Errors
/// Those of accept4(2); nobody waiting is one of them.
pub fn accept(listener: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: null pointers mean that the peer's address is not wanted.
    let fd = unsafe { libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags) };
    own(check(fd.into())?)
}

/// Closes every descriptor of this process but the first three and these.
pub fn close_all_but(kept: &[RawFd]) {
    let mut kept: Vec<RawFd> = kept.iter().copied().filter(|fd| *fd > 2).collect();
    sorted::sort(&mut kept);
    let mut first = 3;
    for fd in kept {
        close_range(first, fd.saturating_sub(1));
        first = fd.saturating_add(1);
    }
    close_range(first, RawFd::MAX);
}

fn close_range(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: takes numbers only; who calls this owns all descriptors and uses none of those any more.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } != 0 {
        // Kernels before 5.9, and some sandboxes.
        for fd in first..=last.min(4096) {
            // SAFETY: as above; what is not open is an error without consequences.
            unsafe { libc::close(fd) };
        }
    }
}

/// Makes `target` refer to what `source` does.
///
/// # Errors
/// Those of dup2(2).
pub fn duplicate_onto(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // SAFETY: replaces a descriptor number of this process, called in children that own all of theirs.
    check(unsafe { libc::dup2(source.as_raw_fd(), target) }.into()).map(drop)
}

/// Gives back the memory that holds this program's code and constants, which the kernel can read again from the file.
///
/// A boot touches most of the program once, and the wait that follows touches little of it.
pub fn release_program_memory() {
    unsafe extern "C" fn release(info: *mut libc::dl_phdr_info, _: usize, _: *mut libc::c_void) -> libc::c_int {
        // SAFETY: libc passes a valid info, whose headers it points to are as many as it says.
        let (base, headers) = unsafe {
            let info = &*info;
            (info.dlpi_addr, std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()))
        };
        for segment in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
            if segment.p_flags & libc::PF_W != 0 {
                continue; // Relocated or written to: what the file holds is not what the memory holds.
            }
            let begin = (base + segment.p_vaddr) & !0xfff;
            let length = base + segment.p_vaddr + segment.p_memsz - begin;
            // SAFETY: the range is a segment of this program that nobody can have written to, so every page of it is
            // read again from the file, unchanged, when it is needed.
            unsafe { libc::madvise(begin as *mut libc::c_void, length as usize, libc::MADV_DONTNEED) };
        }
        1 // Only the program itself, which comes first, and not what is loaded beside it.
    }
    // SAFETY: `release` keeps nothing of what it is given.
    unsafe { libc::dl_iterate_phdr(Some(release), std::ptr::null_mut()) };
}

/// The width of the terminal that standard output is, in columns.
pub fn terminal_columns() -> Option<usize> {
    // SAFETY: winsize is plain data; all zeroes is a value of it.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ writes one winsize, and `size` outlives the call.
    let answer = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then_some(size.ws_col.into())
}
