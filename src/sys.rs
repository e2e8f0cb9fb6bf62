//! System calls that need `unsafe`, each behind a safe function.
#![allow(unsafe_code)]

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Uid, fork, geteuid, setgroups, setresgid, setresuid, setuid};

/// Runs `work` in a child process that has become the user for good, and returns its exit code.
///
/// The child has exactly the given ids and umask 022. Where the caller already is the user there is nothing to give
/// up, and its groups stay. `work` sees a copy of the caller's memory: what it changes is lost with the child.
/// It may allocate: musl and glibc keep their allocator usable in the child of a process with threads.
///
/// # Errors
/// The child could not be made, could not become the user (then `work` has not run), or was killed by a signal.
pub fn as_user(uid: u32, gid: u32, groups: &[u32], work: &mut dyn FnMut() -> i32) -> io::Result<i32> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    // Tells "could not become the user" from an exit code of the work.
    let (mut obstacle, mut report) = io::pipe()?;
    // SAFETY: the child runs only the code below and leaves by _exit, also when `work` panics, so nothing of the
    // caller (destructors, buffered output) runs a second time.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let code = match become_user(Uid::from_raw(uid), Gid::from_raw(gid), &groups) {
                Ok(()) => {
                    drop(report);
                    catch_unwind(AssertUnwindSafe(work)).unwrap_or(101)
                }
                Err(errno) => {
                    let _ = report.write_all(&(errno as i32).to_ne_bytes());
                    126
                }
            };
            // SAFETY: _exit ends the process at once and touches no memory.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            drop(report);
            let mut errno = Vec::new();
            let told = obstacle.read_to_end(&mut errno);
            let status = loop {
                match waitpid(child, None) {
                    Err(Errno::EINTR) => {}
                    status => break status?,
                }
            };
            told?;
            if let Ok(errno) = <[u8; 4]>::try_from(errno.as_slice()) {
                return Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)));
            }
            match status {
                WaitStatus::Exited(_, code) => Ok(code),
                WaitStatus::Signaled(_, signal, _) => Err(io::Error::other(format!("killed by {signal}"))),
                status => Err(io::Error::other(format!("ended in an unknown way: {status:?}"))),
            }
        }
    }
}

fn become_user(uid: Uid, gid: Gid, groups: &[Gid]) -> nix::Result<()> {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    if geteuid() == uid {
        return Ok(());
    }
    setgroups(groups)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    // Whoever can come back has not left.
    if !uid.is_root() && setuid(Uid::from_raw(0)).is_ok() { Err(Errno::EPERM) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use nix::unistd::{getegid, getgroups, getresuid};

    use super::*;

    fn root() -> bool {
        geteuid().is_root()
    }

    #[test]
    fn the_exit_code_of_the_work_comes_back() {
        let own = (geteuid().as_raw(), getegid().as_raw());
        assert_eq!(as_user(own.0, own.1, &[], &mut || 7).unwrap(), 7);
    }

    #[test]
    fn the_child_has_the_ids_of_the_user_and_no_way_back() {
        if !root() {
            return;
        }
        let code = as_user(3100, 1100, &[1100, 44], &mut || {
            let ids = getresuid().unwrap();
            let all_uids = [ids.real, ids.effective, ids.saved].iter().all(|id| id.as_raw() == 3100);
            let mut groups: Vec<u32> = getgroups().unwrap().iter().map(|g| g.as_raw()).collect();
            groups.sort_unstable();
            let no_way_back = setuid(Uid::from_raw(0)).is_err();
            i32::from(!(all_uids && getegid().as_raw() == 1100 && groups == [44, 1100] && no_way_back))
        });
        assert_eq!(code.unwrap(), 0);
    }

    #[test]
    fn a_panic_stays_in_the_child() {
        let own = (geteuid().as_raw(), getegid().as_raw());
        let quiet = &mut || -> i32 { std::panic::resume_unwind(Box::new("on purpose")) };
        assert_eq!(as_user(own.0, own.1, &[], quiet).unwrap(), 101);
    }

    #[test]
    fn who_may_not_become_another_user_gets_an_error_and_the_work_does_not_run() {
        if !root() {
            return;
        }
        let code = as_user(3100, 1100, &[], &mut || match as_user(0, 0, &[], &mut || 0) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => 5,
            _ => 6,
        });
        assert_eq!(code.unwrap(), 5);
    }

    #[test]
    fn a_child_killed_by_a_signal_is_an_error() {
        let own = (geteuid().as_raw(), getegid().as_raw());
        let error = as_user(own.0, own.1, &[], &mut || {
            let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
            0
        });
        assert!(error.unwrap_err().to_string().contains("SIGKILL"));
    }
}
