//! Children: making them, and what becomes of them.

use std::io;
use std::os::fd::OwnedFd;

use nix::libc;

use super::{Pid, check, own};

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal.
    Killed(i32),
    /// It was stopped by this signal and can be continued.
    Stopped(i32),
}

/// A child that changed, left as it is: its pid stays taken until [`reap`].
pub fn peek_child() -> Option<(Pid, Change)> {
    // SAFETY: siginfo_t is plain data; all zeroes is a value of it, and means "no child" to waitid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` outlives the call.
    if unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) } != 0 {
        return None;
    }
    // SAFETY: after a successful waitid these fields of the union are the ones in use.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let change = match info.si_code {
        _ if pid == 0 => return None,
        libc::CLD_EXITED => Change::Exited(status),
        libc::CLD_STOPPED => Change::Stopped(status),
        _ => Change::Killed(status),
    };
    Some((pid, change))
}

/// Ends a zombie that [`peek_child`] told of.
pub fn reap(pid: Pid) {
    take_note(pid, libc::WEXITED);
}

/// Takes note of a stop that [`peek_child`] told of, so that it is not told again. If the child has ended since, that
/// is still to be told.
pub fn take_note_of_stop(pid: Pid) {
    take_note(pid, libc::WSTOPPED);
}

fn take_note(pid: Pid, of: libc::c_int) {
    // SAFETY: siginfo_t is plain data, and outlives the call.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let Ok(id) = libc::id_t::try_from(pid) else { return };
    // SAFETY: as above.
    unsafe { libc::waitid(libc::P_PID, id, &raw mut info, of | libc::WNOHANG) };
}

/// Whether this process has children at all, dead or alive.
pub fn has_children() -> bool {
    // SAFETY: as in `peek_child`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` outlives the call.
    let answer = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) };
    answer == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ECHILD)
}

/// Makes orphans among the descendants ours to reap, where we are not PID 1.
///
/// # Errors
/// Those of prctl(2): an old kernel.
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }.into()).map(drop)
}

/// Names this process as `ps` shows it (at most 15 bytes).
pub fn set_process_name(name: &std::ffi::CStr) {
    // SAFETY: the kernel reads at most 16 bytes of a string that ends with NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// A descriptor that becomes readable when the process ends, whoever its parent is.
///
/// # Errors
/// Those of pidfd_open(2): no such process, a kernel before 5.3.
pub fn process_descriptor(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only, and returns a new descriptor (close-on-exec by itself).
    own(check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?)
}

/// The two sides of a fork.
pub enum Fork {
    /// In the parent: the child's pid.
    Parent(Pid),
    /// In the child.
    Child,
}

/// Forks. devinit never has a second thread, so the child may do all that the parent may.
///
/// # Errors
/// Those of fork(2): the limit of processes, no memory.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: with a single thread no lock can be held by anyone else at the moment of the fork.
    match check(unsafe { libc::fork() }.into())? {
        0 => Ok(Fork::Child),
        pid => Pid::try_from(pid).map(Fork::Parent).map_err(io::Error::other),
    }
}

/// Ends a forked child at once: no destructor, no buffer and no exit handler of the parent's copy runs.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) does not return and touches nothing.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use nix::unistd::{getegid, geteuid};

    use super::*;
    use crate::sys::{as_user, kill};

    /// Alone in its process, for it looks at all children.
    #[test]
    fn a_child_that_is_killed_while_its_stop_is_noted_has_still_ended() {
        let own = (geteuid().as_raw(), getegid().as_raw());
        let code = as_user(own.0, own.1, &[], &mut || {
            let Fork::Parent(child) = fork().unwrap() else {
                let _ = kill(nix::unistd::getpid().as_raw(), libc::SIGSTOP);
                exit_now(0);
            };
            let told = |change| {
                (0..5000).any(|_| {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    peek_child() == Some((child, change))
                })
            };
            let stopped = told(Change::Stopped(libc::SIGSTOP));
            kill(child, libc::SIGKILL).unwrap();
            let killed = told(Change::Killed(libc::SIGKILL));
            take_note_of_stop(child);
            let still_told = peek_child() == Some((child, Change::Killed(libc::SIGKILL)));
            reap(child);
            i32::from(!(stopped && killed && still_told && !has_children()))
        });
        assert_eq!(code.unwrap(), 0);
    }
}
