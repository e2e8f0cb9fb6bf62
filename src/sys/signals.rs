//! Signals: which are blocked, which arrive, and sending them.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use nix::libc;

use super::{Pid, check, own};

/// The first real-time signal as programs built on glibc count it, which is how users and Docker write `RTMIN+3`.
pub const SIGRTMIN: i32 = 34;

/// A set of signals: bit N-1 stands for signal N, as in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalSet(u64);

/// Size of the kernel's signal set in bytes, which the raw calls ask for.
const SIGSET_BYTES: usize = 8;

/// What SIGPIPE was set to when the process started: Rust's runtime ignores it before `main`, and a child has to get
/// back what devinit was started with.
static SIGPIPE_AT_START: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);

/// The signal mask at the start: musl unblocks signals of its own with the first handler, which Rust's runtime sets.
static MASK_AT_START: AtomicU64 = AtomicU64::new(0);

extern "C" fn note_signals() {
    if let Ok(mask) = change_mask(libc::SIG_BLOCK, SignalSet(0)) {
        MASK_AT_START.store(mask.0, Ordering::Relaxed);
    }
    if let Some(disposition) = disposition(libc::SIGPIPE) {
        SIGPIPE_AT_START.store(disposition, Ordering::Relaxed);
    }
}

// SAFETY: functions listed in .init_array are called once, before main, on the only thread; this one makes two
// system calls and two atomic stores, none of which needs anything that is set up later.
#[unsafe(link_section = ".init_array")]
#[used]
static NOTE_SIGNALS: extern "C" fn() = note_signals;

fn disposition(signal: i32) -> Option<libc::sighandler_t> {
    // SAFETY: a zeroed sigaction is a valid place for the kernel to write to; nothing is changed.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: `now` outlives the call, and a null new action means "only ask".
    let answer = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) };
    (answer == 0).then_some(now.sa_sigaction)
}

fn set_disposition(signal: i32, disposition: libc::sighandler_t) {
    // SAFETY: SIG_DFL and SIG_IGN, the only values that reach this, are not function pointers that could dangle.
    unsafe { libc::signal(signal, disposition) };
}

/// The signal state that devinit was started with, to be given back to every child.
#[derive(Clone, Copy, Debug)]
pub struct SignalState {
    mask: SignalSet,
    chld: libc::sighandler_t,
}

/// Blocks every signal and makes exits of children visible, and tells what was there before.
///
/// # Errors
/// Those of rt_sigprocmask(2), which has none for these arguments.
pub fn take_signals() -> io::Result<SignalState> {
    set_mask(SignalSet(u64::MAX))?;
    let mask = SignalSet(MASK_AT_START.load(Ordering::Relaxed));
    let chld = disposition(libc::SIGCHLD).unwrap_or(libc::SIG_DFL);
    // An inherited SIG_IGN would make the kernel reap our children itself, and their exit codes would be lost.
    set_disposition(libc::SIGCHLD, libc::SIG_DFL);
    Ok(SignalState { mask, chld })
}

impl SignalState {
    /// Gives the signal state back, in a child before it executes its program.
    pub fn give_back(&self) {
        set_disposition(libc::SIGPIPE, SIGPIPE_AT_START.load(Ordering::Relaxed));
        set_disposition(libc::SIGCHLD, self.chld);
        let _ = set_mask(self.mask);
    }
}

fn set_mask(set: SignalSet) -> io::Result<SignalSet> {
    change_mask(libc::SIG_SETMASK, set)
}

/// Changes the signal mask and returns the one before.
fn change_mask(how: libc::c_int, set: SignalSet) -> io::Result<SignalSet> {
    let mut old = 0u64;
    // SAFETY: both masks are 8 bytes, as the size says, and outlive the call.
    let answer = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const set.0, &raw mut old, SIGSET_BYTES) };
    check(answer)?;
    Ok(SignalSet(old))
}

/// Stops this process as Ctrl-Z does, if there is a shell that can continue it, although SIGTSTP is blocked. Returns once it
/// is continued.
///
/// # Errors
/// Those of kill(2) and rt_sigprocmask(2), which have none for these arguments.
pub fn suspend() -> io::Result<()> {
    kill(Pid::try_from(std::process::id()).unwrap_or_default(), libc::SIGTSTP)?;
    // Let through, it stops this process before the call returns.
    let mask = change_mask(libc::SIG_UNBLOCK, SignalSet(1 << (libc::SIGTSTP - 1)))?;
    set_mask(mask).map(drop)
}

/// A descriptor from which every blocked signal is read with [`next_signal`].
///
/// # Errors
/// Those of signalfd4(2), such as no free descriptor.
pub fn signal_descriptor() -> io::Result<OwnedFd> {
    let set = u64::MAX;
    // SAFETY: the mask is 8 bytes, as the size says, and outlives the call.
    let fd = unsafe {
        libc::syscall(libc::SYS_signalfd4, -1, &raw const set, SIGSET_BYTES, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    own(check(fd)?)
}

/// The number of the next pending signal, if there is one.
pub fn next_signal(fd: &OwnedFd) -> Option<i32> {
    // SAFETY: signalfd_siginfo is plain data; all zeroes is a value of it.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info);
    // SAFETY: `info` is `size` bytes and outlives the call; the descriptor does not block.
    let read = unsafe { libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size) };
    if usize::try_from(read) == Ok(size) { i32::try_from(info.ssi_signo).ok() } else { None }
}

/// How many signals [`next_signals`] takes at once.
const SIGNALS_AT_ONCE: usize = 16;

/// The numbers of the next pending signals, read in one go. What is more than that keeps the descriptor readable.
pub fn next_signals(fd: &OwnedFd) -> impl Iterator<Item = i32> + use<> {
    // SAFETY: signalfd_siginfo is plain data; all zeroes is a value of it.
    let mut infos: [libc::signalfd_siginfo; SIGNALS_AT_ONCE] = unsafe { std::mem::zeroed() };
    // SAFETY: `infos` has the size that is told, and outlives the call; the descriptor does not block.
    let read = unsafe { libc::read(fd.as_raw_fd(), (&raw mut infos).cast(), size_of_val(&infos)) };
    let count = usize::try_from(read).unwrap_or(0) / size_of::<libc::signalfd_siginfo>();
    infos.into_iter().take(count).filter_map(|info| i32::try_from(info.ssi_signo).ok())
}

/// Sends a signal to one process (`pid` > 0), to a process group (< 0; -1 is everyone but the caller and PID 1).
///
/// # Errors
/// Those of kill(2): no such process, no permission, no such signal.
pub fn kill(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes two numbers and touches no memory of ours.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use nix::unistd::{getegid, geteuid};

    use super::*;
    use crate::sys::as_user;

    /// Alone in its process, for it blocks all signals.
    #[test]
    fn signals_that_are_pending_together_are_read_together_and_none_twice() {
        let code = as_user(geteuid().as_raw(), getegid().as_raw(), &[], &mut || {
            let own = Pid::try_from(std::process::id()).unwrap();
            take_signals().unwrap();
            let descriptor = signal_descriptor().unwrap();
            for signal in [libc::SIGHUP, libc::SIGUSR1, libc::SIGHUP] {
                kill(own, signal).unwrap();
            }
            let first: Vec<_> = next_signals(&descriptor).collect();
            i32::from(!(first == [libc::SIGHUP, libc::SIGUSR1] && next_signals(&descriptor).next().is_none()))
        });
        assert_eq!(code.unwrap(), 0);
    }
}
