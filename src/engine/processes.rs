//! Who else is there: read from /proc, only at a shutdown and to see whether a signal is wanted.

use std::fs;

use nix::unistd;

use crate::sys::{self, Pid};

/// Sends a signal to every process that is left, whatever session it has made itself: as PID 1 to all of the
/// container, elsewhere to our descendants only. Stopped processes are continued, so that they can hear it.
pub fn sweep(signal: i32) {
    if unistd::getpid().as_raw() == 1 {
        let _ = sys::kill(-1, signal);
        let _ = sys::kill(-1, nix::libc::SIGCONT);
        return;
    }
    for pid in descendants() {
        let _ = sys::kill(pid, signal);
        let _ = sys::kill(pid, nix::libc::SIGCONT);
    }
}

/// The processes of this container that are not our children (as PID 1: those that `docker exec` brought in).
pub fn strangers() -> impl Iterator<Item = Pid> {
    let own = unistd::getpid().as_raw();
    (own == 1).then(all).into_iter().flatten().map(|(pid, _)| pid).filter(move |pid| *pid != own)
}

/// Whether this process has a handler for the signal.
pub fn catches(pid: Pid, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit = u32::try_from(signal.saturating_sub(1)).unwrap_or(u32::MAX);
    mask.checked_shr(bit).unwrap_or(0) & 1 == 1
}

/// Whether a process group of this number is what is left of an ended leader's. The number of a group that still has
/// members is not given to a new process, so a process of that number means that the group is someone else's.
pub fn is_orphaned_group(leader: Pid) -> bool {
    // Asked of the kernel, not of /proc, which may be missing or that of another process namespace.
    sys::kill(leader, 0).is_err_and(|error| error.raw_os_error() == Some(nix::libc::ESRCH))
}

fn all() -> impl Iterator<Item = (Pid, Pid)> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid: Pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold spaces and parentheses; what follows its last one does not. Then: state, parent.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        if fields.next()? == "Z" {
            return None;
        }
        Some((pid, fields.next()?.parse().ok()?))
    })
}

fn descendants() -> Vec<Pid> {
    let processes: Vec<_> = all().collect();
    let mut found = vec![unistd::getpid().as_raw()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next = next.saturating_add(1);
    }
    found.remove(0);
    found
}
