//! What the kernel is told about a process between its fork and its program.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::libc;

use super::{check, own};

/// Sets the niceness of this process, -20 to 19.
///
/// # Errors
/// Those of setpriority(2): EACCES without CAP_SYS_NICE where it would go below what RLIMIT_NICE allows.
pub fn set_niceness(niceness: i32) -> io::Result<()> {
    // SAFETY: takes numbers only; 0 is this process.
    check(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, niceness) }).map(drop)
}

/// The kernel's `struct rlimit64`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Limit {
    soft: u64,
    hard: u64,
}

/// Sets a limit (`RLIMIT_…`) of this process; `u64::MAX` is unlimited.
///
/// # Errors
/// Those of prlimit(2): EPERM for a hard limit that is raised without CAP_SYS_RESOURCE; EINVAL for a soft one above it.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = Limit { soft, hard };
    let none = std::ptr::null_mut::<Limit>();
    // SAFETY: `limit` is what the kernel reads, and outlives the call. The raw call, because what libc calls unlimited and
    // how wide it is differ.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const limit, none) }).map(drop)
}

/// The soft and the hard limit (`RLIMIT_…`) of this process.
///
/// # Errors
/// Those of prlimit(2): no such resource.
pub fn limit(resource: u32) -> io::Result<(u64, u64)> {
    let mut limit = Limit { soft: 0, hard: 0 };
    let none = std::ptr::null::<Limit>();
    // SAFETY: `limit` is what the kernel writes, and outlives the call.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, none, &raw mut limit) })?;
    Ok((limit.soft, limit.hard))
}

/// Sees to it that no program that this process executes, nor what it starts, can gain these capabilities. The process
/// itself keeps what it has: see [`lower_capabilities`].
///
/// # Errors
/// Those of prctl(2): EPERM without CAP_SETPCAP, unless there is nothing to drop.
pub fn bound_capabilities(dropped: &[u32]) -> io::Result<()> {
    for capability in dropped {
        let capability = libc::c_ulong::from(*capability);
        // SAFETY: takes numbers only. An error is a capability that this kernel does not have, and nobody can.
        if unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) } == 1 {
            // SAFETY: takes numbers only.
            check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }.into())?;
        }
    }
    Ok(())
}

/// The kernel's `struct __user_cap_header_struct`.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// The kernel's `struct __user_cap_data_struct`: 32 of the capabilities.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`: 64 capabilities, in two halves.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Takes these capabilities from this process itself: from the effective, the permitted, the inheritable and (as the kernel
/// does with what is taken from those) the ambient set.
///
/// # Errors
/// Those of capset(2), which has none for fewer capabilities.
pub fn lower_capabilities(dropped: &[u32]) -> io::Result<()> {
    let header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
    let mut data = [CapabilityData::default(); 2];
    // SAFETY: this version of the header means two structures of data, and both outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    for (half, first) in data.iter_mut().zip([0u32, 32]) {
        let bits = dropped.iter().filter_map(|capability| 1u32.checked_shl(capability.checked_sub(first)?));
        let kept = !bits.fold(0, |all, bit| all | bit);
        half.effective &= kept;
        half.permitted &= kept;
        half.inheritable &= kept;
    }
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

/// Sees to it that nothing that this process executes gains rights: no setuid program, no file capability.
///
/// # Errors
/// Those of prctl(2): a kernel before 3.5.
pub fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into()).map(drop)
}

/// Whether [`forbid_new_privileges`] holds for this process already.
pub fn new_privileges_are_forbidden() -> bool {
    // SAFETY: takes numbers only.
    unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 }
}

/// A second descriptor for the same thing, at a number above the first three that is free; not passed on to programs.
///
/// # Errors
/// Those of fcntl(2): no number is left.
pub fn duplicate_elsewhere(source: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only, and returns a new descriptor.
    own(check(unsafe { libc::fcntl(source.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) }.into())?)
}

/// Makes a descriptor one of this number that is passed on to programs; what had the number before is closed.
///
/// # Errors
/// Those of dup2(2): EBADF for a number beyond RLIMIT_NOFILE.
pub fn pass_on(source: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    if source.as_raw_fd() == number {
        // SAFETY: takes numbers only.
        return check(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }.into()).map(drop);
    }
    super::duplicate_onto(source, number)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::unistd::{getegid, geteuid};

    use super::*;
    use crate::sys::as_user;

    /// Runs it in a child, which it changes.
    fn in_a_child(mut test: impl FnMut() -> bool) {
        let own = (geteuid().as_raw(), getegid().as_raw());
        assert_eq!(as_user(own.0, own.1, &[], &mut || i32::from(!test())).unwrap(), 0);
    }

    fn set(name: &str) -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    }

    #[test]
    fn capabilities_that_are_lowered_are_gone_from_the_process_and_others_stay() {
        in_a_child(|| {
            let before = set("CapEff");
            let dropped = (1 << 13) | (1 << 38);
            lower_capabilities(&[13, 38, 63, 64, 1000, u32::MAX]).is_ok()
                && set("CapEff") == before & !dropped
                && set("CapPrm") & dropped == 0
                && set("CapInh") & dropped == 0
                && set("CapAmb") & dropped == 0
        });
    }

    #[test]
    fn who_may_not_change_the_bounding_set_is_told_unless_there_is_nothing_to_change() {
        if !geteuid().is_root() {
            return;
        }
        const SETPCAP: u32 = 8;
        in_a_child(|| {
            let begun = bound_capabilities(&[13, 63]).is_ok() && lower_capabilities(&[SETPCAP]).is_ok();
            let refused = |of: &[u32]| bound_capabilities(of).is_err_and(|e| e.raw_os_error() == Some(libc::EPERM));
            begun && set("CapBnd") & (1 << 13) == 0 && bound_capabilities(&[13, 63]).is_ok() && refused(&[13, 12])
        });
    }

    #[test]
    fn a_limit_is_read_back_as_it_was_set() {
        in_a_child(|| {
            let resource = 7; // RLIMIT_NOFILE
            set_limit(resource, 100, 200).is_ok()
                && limit(resource).is_ok_and(|limit| limit == (100, 200))
                && set_limit(resource, 300, 200).is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL))
        });
    }

    #[test]
    fn a_descriptor_is_passed_on_at_its_number_even_if_it_has_it_already() {
        in_a_child(|| {
            use std::os::fd::AsFd;
            let file = fs::File::open("/dev/null").unwrap();
            let copy = duplicate_elsewhere(file.as_fd()).unwrap();
            // SAFETY: takes numbers only.
            let flags = |fd: RawFd| unsafe { libc::fcntl(fd, libc::F_GETFD) };
            let before = flags(copy.as_raw_fd()) == libc::FD_CLOEXEC;
            let own = pass_on(copy.as_fd(), copy.as_raw_fd()).is_ok() && flags(copy.as_raw_fd()) == 0;
            before && own && pass_on(copy.as_fd(), 77).is_ok() && flags(77) == 0
        });
    }
}
