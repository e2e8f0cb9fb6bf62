//! What a plain init is made of: one child, signals taken one by one, zombies reaped with one system call each.
//!
//! Calls that a libc wraps with a view of its own (signals that it hides, `fork` handlers) are made directly.

use std::ffi::{CStr, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use nix::libc;

use super::{Pid, check, own};

/// A set of signals as the kernel has it: bit N-1 stands for signal N.
pub type Mask = u64;

/// Size of [`Mask`], which the raw calls ask for.
const MASK_BYTES: usize = size_of::<Mask>();

/// Sets the signal mask and returns the one before.
///
/// # Errors
/// Those of rt_sigprocmask(2), which has none for these arguments.
pub fn replace_mask(mask: Mask) -> io::Result<Mask> {
    let mut old = 0;
    // SAFETY: both masks have the size that is told, and outlive the call.
    check(unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut old, MASK_BYTES)
    })?;
    Ok(old)
}

/// What a signal does where no handler is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// What signal(7) says of it.
    Default,
    /// Nothing.
    Ignored,
}

/// Sets what a signal does and returns what it did before, a handler counted as the default, which an execve makes of
/// it.
///
/// # Errors
/// Those of sigaction(2): a number that is no signal, or SIGKILL and SIGSTOP.
pub fn dispose(signal: i32, to: Disposition) -> io::Result<Disposition> {
    let value = match to {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignored => libc::SIG_IGN,
    };
    // SAFETY: SIG_DFL and SIG_IGN are no function pointers that could dangle.
    let before = unsafe { libc::signal(signal, value) };
    match before {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        libc::SIG_IGN => Ok(Disposition::Ignored),
        _ => Ok(Disposition::Default),
    }
}

/// Waits for one of these signals, which have to be blocked, and takes it.
///
/// # Errors
/// Those of rt_sigtimedwait(2): `EINTR` when this process was stopped and continued.
pub fn wait_for_signal(among: Mask) -> io::Result<i32> {
    let nothing = ptr::null::<c_void>();
    // SAFETY: the mask has the size that is told, and outlives the call; information and time limit are left out.
    let signal =
        check(unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &raw const among, nothing, nothing, MASK_BYTES) })?;
    i32::try_from(signal).map_err(io::Error::other)
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal.
    Killed(i32),
}

/// Reaps one child that has ended, if there is one; any child, adopted ones too.
///
/// # Errors
/// Those of wait4(2): `ECHILD` without children.
pub fn reap_any() -> io::Result<Option<(Pid, End)>> {
    let mut status = 0;
    // SAFETY: the status outlives the call; the usage is left out.
    let pid = check(unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, ptr::null_mut()) }.into())?;
    let pid = Pid::try_from(pid).map_err(io::Error::other)?;
    let end = match status & 0x7f {
        0 => End::Exited(libc::WEXITSTATUS(status)),
        signal => End::Killed(signal),
    };
    Ok((pid != 0).then_some((pid, end)))
}

/// What a child runs, told apart from the stack that it runs on.
type Work<'a> = &'a dyn Fn() -> i32;

extern "C" fn run(work: *mut c_void) -> libc::c_int {
    // SAFETY: `spawn` passes a pointer to its own `Work`, and waits in the kernel for as long as this runs.
    unsafe { (*work.cast::<Work<'_>>())() }
}

/// Runs `work` in a child, which should execute a program; what it returns is the child's exit code. This process waits
/// until then, and the two share their memory, so that none of it has to be copied for the child: vfork(2), but on a
/// stack of the child's own. Signal dispositions, mask and descriptors are the child's own.
///
/// # Errors
/// Those of clone(2): the limit of processes, no memory.
pub fn spawn(work: Work<'_>) -> io::Result<Pid> {
    let mut stack = [MaybeUninit::<libc::max_align_t>::uninit(); 2048];
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack's end is aligned and belongs to the child alone; it and `work` outlive the child's use of them,
    // because CLONE_VFORK keeps this call from returning before the child has executed a program or is gone.
    let pid = unsafe {
        libc::clone(run, stack.as_mut_ptr_range().end.cast(), flags, (&raw const work).cast_mut().cast::<c_void>())
    };
    check(pid.into())?;
    Ok(pid)
}

/// This process's id.
#[must_use]
pub fn own_pid() -> Pid {
    // SAFETY: takes and touches nothing.
    unsafe { libc::getpid() }
}

/// Puts this process into a group of its own.
///
/// # Errors
/// Those of setpgid(2): a session's leader cannot.
pub fn lead_group() -> io::Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::setpgid(0, 0) }.into()).map(drop)
}

/// Makes this process's group the one in the foreground of the terminal on standard input.
///
/// # Errors
/// Those of tcsetpgrp(3): `ENOTTY` if that is no terminal, or not this session's.
pub fn come_to_foreground() -> io::Result<()> {
    let group = own_pid();
    // SAFETY: the call reads the group's number, which outlives it.
    check(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSPGRP, &raw const group) }.into()).map(drop)
}

/// Begins a session of this process's own, without a terminal.
///
/// # Errors
/// Those of setsid(2): a group's leader cannot.
pub fn lead_session() -> io::Result<()> {
    // SAFETY: takes nothing.
    check(unsafe { libc::setsid() }.into()).map(drop)
}

/// Whether this process leads its session.
#[must_use]
pub fn leads_session() -> bool {
    // SAFETY: takes numbers only.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// Gives up the terminal on standard input, if it controls this process. If this process leads the session, the
/// foreground gets SIGHUP and SIGCONT.
///
/// # Errors
/// Those of TIOCNOTTY: `ENOTTY` if there is no such terminal.
pub fn give_up_terminal() -> io::Result<()> {
    // SAFETY: takes nothing.
    check(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCNOTTY) }.into()).map(drop)
}

/// Makes the terminal on standard input the one that controls the session that this process leads.
///
/// # Errors
/// Those of TIOCSCTTY: `ENOTTY` if it is no terminal, `EPERM` if it is another session's.
pub fn take_terminal() -> io::Result<()> {
    // SAFETY: takes a number: do not take it from another session.
    check(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) }.into()).map(drop)
}

/// Has the kernel send this process a signal when its parent ends.
///
/// # Errors
/// Those of prctl(2): a number that is no signal.
pub fn signal_when_parent_ends(signal: i32) -> io::Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) }.into()).map(drop)
}

/// Whether orphans among the descendants become this process's children.
///
/// # Errors
/// Those of prctl(2): an old kernel.
pub fn is_subreaper() -> io::Result<bool> {
    let mut answer: libc::c_int = 0;
    // SAFETY: the answer outlives the call.
    check(unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut answer, 0, 0, 0) }.into())?;
    Ok(answer != 0)
}

/// The working directory, to come back to it; needs no right to read it.
///
/// # Errors
/// Those of open(2).
pub fn working_directory() -> io::Result<OwnedFd> {
    // SAFETY: the path is a string that outlives the call.
    own(check(unsafe { libc::open(c".".as_ptr(), libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) }.into())?)
}

/// Goes back to a working directory.
///
/// # Errors
/// Those of fchdir(2).
pub fn go_back_to(directory: &OwnedFd) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    check(unsafe { libc::fchdir(directory.as_raw_fd()) }.into()).map(drop)
}

/// Makes the root of all files the working directory.
///
/// # Errors
/// Those of chdir(2).
pub fn go_to_root() -> io::Result<()> {
    // SAFETY: the path is a string that outlives the call.
    check(unsafe { libc::chdir(c"/".as_ptr()) }.into()).map(drop)
}

/// Whether there is something at a path.
#[must_use]
pub fn exists(path: &CStr) -> bool {
    // SAFETY: the path is a string that outlives the call.
    unsafe { libc::access(path.as_ptr(), libc::F_OK) == 0 }
}

/// Writes bytes to a descriptor, all of them unless it fails.
pub fn write_all(to: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the bytes outlive the call, and their number is told.
        match unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) } {
            written if written > 0 => bytes = bytes.get(written.unsigned_abs()..).unwrap_or_default(),
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

/// An error in the C library's words.
#[must_use]
pub fn error_text(errno: i32) -> &'static CStr {
    // SAFETY: musl's strerror(3) returns a constant for every number.
    unsafe { CStr::from_ptr(libc::strerror(errno)) }
}

/// A signal in the C library's words, such as `Terminated`.
#[must_use]
pub fn signal_text(signal: i32) -> &'static CStr {
    // SAFETY: musl's strsignal(3) returns a constant for every number.
    unsafe { CStr::from_ptr(libc::strsignal(signal)) }
}
