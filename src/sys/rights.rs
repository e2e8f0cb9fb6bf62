//! What a process may do: users, capabilities, and what it keeps from others.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid as NixPid, geteuid};

use super::{Fork, check, exit_now, fork};

/// Gives up root for good, in a child. Until it executes a program nobody but root can look into its memory, which is a
/// copy of the parent's.
///
/// # Errors
/// Those of setgroups(2), setgid(2), setuid(2). The process must not go on then.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    // SAFETY: the kernel reads `groups.len()` ids from a slice that is that long. Raw calls, because libc's wrappers
    // differ in how they treat threads, and there are none here.
    unsafe {
        // Before the change: the kernel does it with the change, unless `fs.suid_dumpable` says otherwise.
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        check(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()))?;
        check(libc::syscall(libc::SYS_setgid, gid))?;
        check(libc::syscall(libc::SYS_setuid, uid))?;
    }
    // SAFETY: takes a number only. Whoever can come back has not left.
    if uid != 0 && unsafe { libc::syscall(libc::SYS_setuid, 0) } == 0 {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    Ok(())
}

/// Runs `work` in a child process that has become the user for good, and returns its exit code.
///
/// The child has exactly the given ids and umask 022. Where the caller already is the user there is nothing to give
/// up, and its groups stay. `work` sees a copy of the caller's memory: what it changes is lost with the child.
///
/// # Errors
/// The child could not be made, could not become the user (then `work` has not run), or was killed by a signal.
pub fn as_user(uid: u32, gid: u32, groups: &[u32], work: &mut dyn FnMut() -> i32) -> io::Result<i32> {
    // Tells "could not become the user" from an exit code of the work.
    let (mut obstacle, mut report) = io::pipe()?;
    let child = match fork()? {
        Fork::Parent(child) => child,
        Fork::Child => {
            umask(Mode::S_IWGRP | Mode::S_IWOTH);
            let ours = geteuid().as_raw() == uid;
            if let Err(error) = if ours { Ok(()) } else { become_user(uid, gid, groups) } {
                let _ = report.write_all(&error.raw_os_error().unwrap_or(libc::EPERM).to_ne_bytes());
                exit_now(126);
            }
            drop(report);
            exit_now(catch_unwind(AssertUnwindSafe(work)).unwrap_or(101))
        }
    };
    drop(report);
    let mut errno = Vec::new();
    let told = obstacle.read_to_end(&mut errno);
    let status = loop {
        match waitpid(NixPid::from_raw(child), None) {
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

/// Keeps what this process has from the programs that it runs and from others of its user: no descriptor but the first
/// three goes along to a program, and nobody but root looks into its memory or takes its descriptors (the kernel sees to
/// that with a change of the user, unless `fs.suid_dumpable` says otherwise).
///
/// # Errors
/// Those of prctl(2), which has none for these arguments.
pub fn keep_to_itself() -> io::Result<()> {
    close_with_exec();
    // SAFETY: takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }.into()).map(drop)
}

/// Sees to it that no descriptor but the first three goes along to a program that this process executes.
pub fn close_with_exec() {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: takes numbers only. Kernels before 5.11 and some sandboxes do not have it.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) } != 0 {
        close_one_by_one_with_exec();
    }
}

fn close_one_by_one_with_exec() {
    for fd in 3..1024 {
        // SAFETY: takes numbers only; what is not open is an error without consequences.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Gives up all capabilities but these for good: what this process executes cannot have them either.
///
/// # Errors
/// Those of prctl(2): no CAP_SETPCAP.
pub fn keep_capabilities(kept: &[u32]) -> io::Result<()> {
    for capability in (0u32..64).filter(|capability| !kept.contains(capability)) {
        // SAFETY: takes numbers only.
        match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) }.into()) {
            // Beyond the last one that this kernel has.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            answer => drop(answer?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nix::unistd::{Uid, getegid, geteuid, getgroups, getresuid, setuid};

    use std::fs::File;
    use std::os::fd::AsRawFd;

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

    #[test]
    fn what_keeps_to_itself_passes_no_descriptor_on() {
        let own = (geteuid().as_raw(), getegid().as_raw());
        let open = File::open("/dev/null").unwrap();
        for way in [|| keep_to_itself().is_ok(), || (close_one_by_one_with_exec(), true).1] {
            let code = as_user(own.0, own.1, &[], &mut || {
                // As one has it that the shell opened.
                // SAFETY: takes numbers only.
                let inherited = unsafe { libc::fcntl(open.as_raw_fd(), libc::F_DUPFD, 100) };
                let flags = |fd: i32| unsafe { libc::fcntl(fd, libc::F_GETFD) };
                let before = flags(inherited);
                i32::from(!(before == 0 && way() && flags(inherited) == libc::FD_CLOEXEC && flags(2) == 0))
            });
            assert_eq!(code.unwrap(), 0);
        }
    }
}
