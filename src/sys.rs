//! Every system call that nix or std do not wrap safely, or that must be exact in a way that they are not.
//!
//! The only module in which `unsafe` is allowed. Signals are plain numbers and signal sets plain 64-bit masks here:
//! libc's wrappers hide the numbers that the libc uses itself (32 and 33 in glibc, 32 to 34 in musl), and an init has
//! to block, receive and pass on those, too.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid as NixPid, geteuid};

/// A process id.
pub type Pid = i32;

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

fn check(answer: libc::c_long) -> io::Result<libc::c_long> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
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

fn own(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::other("descriptor out of range"))?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

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

/// The number of the next pending signal, if there is one.
pub fn next_signal(fd: &OwnedFd) -> Option<i32> {
    // SAFETY: signalfd_siginfo is plain data; all zeroes is a value of it.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info);
    // SAFETY: `info` is `size` bytes and outlives the call; the descriptor does not block.
    let read = unsafe { libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size) };
    if usize::try_from(read) == Ok(size) { i32::try_from(info.ssi_signo).ok() } else { None }
}

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

/// Sends a signal to one process (`pid` > 0), to a process group (< 0; -1 is everyone but the caller and PID 1).
///
/// # Errors
/// Those of kill(2): no such process, no permission, no such signal.
pub fn kill(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes two numbers and touches no memory of ours.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
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

/// A program that is ready to be executed: everything is allocated before the fork.
pub struct Program {
    /// The paths that are tried in turn, as execvp(3) would.
    pub candidates: Vec<CString>,
    /// Its arguments, the name of the program first.
    pub arguments: Vec<CString>,
    /// Its environment, `NAME=value` each.
    pub environment: Vec<CString>,
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Replaces the program of this process. Returns only if that failed, with the most telling error.
pub fn execute(program: &Program) -> io::Error {
    let (arguments, environment) = (pointers(&program.arguments), pointers(&program.environment));
    let mut failure = io::Error::from_raw_os_error(libc::ENOENT);
    for path in &program.candidates {
        // SAFETY: the path and every string that the two arrays point to outlive the call; both end with a null.
        unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // A script without `#!` is one for sh, as execvp(3) and every shell have it.
            Some(libc::ENOEXEC) => {
                let mut script = vec![c"/bin/sh".as_ptr(), path.as_ptr()];
                script.extend(arguments.iter().skip(1));
                // SAFETY: as above; `arguments` ends with a null, so `script` does.
                unsafe { libc::execve(c"/bin/sh".as_ptr(), script.as_ptr(), environment.as_ptr()) };
                return error;
            }
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            // Another folder of PATH may have it with the right to execute it, so go on, but remember.
            Some(libc::EACCES) => failure = error,
            _ => return error,
        }
    }
    failure
}

/// Gives up root for good, in a child.
///
/// # Errors
/// Those of setgroups(2), setgid(2), setuid(2). The process must not go on then.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    // SAFETY: the kernel reads `groups.len()` ids from a slice that is that long. Raw calls, because libc's wrappers
    // differ in how they treat threads, and there are none here.
    unsafe {
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

/// Makes `target` refer to what `source` does.
///
/// # Errors
/// Those of dup2(2).
pub fn duplicate_onto(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // SAFETY: replaces a descriptor number of this process, called in children that own all of theirs.
    check(unsafe { libc::dup2(source.as_raw_fd(), target) }.into()).map(drop)
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
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: takes numbers only. Kernels before 5.11 and some sandboxes do not have it.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) } != 0 {
        close_one_by_one_with_exec();
    }
    // SAFETY: takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }.into()).map(drop)
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
