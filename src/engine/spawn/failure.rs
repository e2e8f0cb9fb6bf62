//! What children tell that never ran their program, and how it is put into words.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::{libc, unistd};

use super::Role;
use super::environment::LARGEST_FILE;
use crate::engine::machine::End;
use crate::engine::spec::Service;
use crate::sys::{self, Pid};
use crate::words;

/// What went wrong between the fork and the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    Input,
    Output,
    Descriptor,
    OomScore,
    Nice,
    Limit,
    Capabilities,
    Identity,
    NoNewPrivileges,
    Directory,
    EnvironmentFile,
    EnvironmentLine,
    Execute,
}

impl Stage {
    const ALL: [Self; 13] = [
        Self::Input,
        Self::Output,
        Self::Descriptor,
        Self::OomScore,
        Self::Nice,
        Self::Limit,
        Self::Capabilities,
        Self::Identity,
        Self::NoNewPrivileges,
        Self::Directory,
        Self::EnvironmentFile,
        Self::EnvironmentLine,
        Self::Execute,
    ];

    /// It went wrong with the one of this number, where there are several.
    pub(super) fn at(self, index: usize) -> Failure {
        Failure { stage: self, errno: 0, index: u32::try_from(index).unwrap_or(u32::MAX), line: 0 }
    }

    pub(super) fn failed(self) -> impl Fn(io::Error) -> Failure {
        self.failed_at(0)
    }

    pub(super) fn failed_at(self, index: usize) -> impl Fn(io::Error) -> Failure {
        move |error| Failure { errno: error.raw_os_error().unwrap_or(libc::EINVAL), ..self.at(index) }
    }
}

/// What is to be executed is there all the same.
pub(super) const IS_THERE: usize = 1;
/// What is to be executed is a folder.
pub(super) const IS_A_FOLDER: usize = 2;

/// What went wrong, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub stage: Stage,
    /// 0 if it was no system call.
    pub errno: i32,
    /// Which limit or environment file it was; of a program [`IS_THERE`], [`IS_A_FOLDER`] or 0.
    pub index: u32,
    /// Which line of it, from 1.
    pub line: u32,
}

impl Failure {
    /// 127 for "not found", 126 for "found, but cannot be executed", as shells and Docker have it.
    fn exit_code(self) -> i32 {
        let place = matches!(self.stage, Stage::Execute | Stage::Directory);
        if place && matches!(self.errno, libc::ENOENT | libc::ENOTDIR) { 127 } else { 126 }
    }
}

/// What is known of children that never ran their program.
pub(super) struct Failures {
    read: File,
    /// The end of the children.
    pub report: OwnedFd,
    /// What was read of children that are still to be reaped: those that fail together are not reaped in the order in
    /// which they failed.
    unread: BTreeMap<Pid, (Role, Failure)>,
}

/// A pid, an errno, an index, a line (4 bytes each), a [`Stage`] and a [`Role`]: far below PIPE_BUF, so records never mix.
const RECORD: usize = 18;

impl Failures {
    pub(super) fn new() -> io::Result<Self> {
        let (read, report) = unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { read: read.into(), report, unread: BTreeMap::new() })
    }

    /// Tells of the caller's failure, in a child. Returns the exit code that stands for it.
    pub(super) fn tell(&self, role: Role, failure: Failure) -> i32 {
        let mut record = [0u8; RECORD];
        let [a, b, c, d] = unistd::getpid().as_raw().to_ne_bytes();
        let [e, f, g, h] = failure.errno.to_ne_bytes();
        let [i, j, k, l] = failure.index.to_ne_bytes();
        let [m, n, o, p] = failure.line.to_ne_bytes();
        let role = u8::from(role == Role::Finish);
        record.copy_from_slice(&[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, failure.stage as u8, role]);
        let _ = unistd::write(&self.report, &record);
        failure.exit_code()
    }

    /// Takes in what children have told.
    pub(super) fn take_in(&mut self) {
        let mut record = [0u8; RECORD];
        while self.read.read(&mut record).is_ok_and(|read| read == RECORD) {
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, stage, role] = record;
            let Some(stage) = Stage::ALL.into_iter().find(|known| *known as u8 == stage) else { continue };
            let errno = i32::from_ne_bytes([e, f, g, h]);
            let (index, line) = (u32::from_ne_bytes([i, j, k, l]), u32::from_ne_bytes([m, n, o, p]));
            let role = if role == 0 { Role::Main } else { Role::Finish };
            self.unread.insert(i32::from_ne_bytes([a, b, c, d]), (role, Failure { stage, errno, index, line }));
        }
    }

    /// Forgets what a process has told whose number another one has now.
    pub(super) fn forget(&mut self, pid: Pid) {
        self.unread.remove(&pid);
    }

    /// This child's failure, once.
    pub(super) fn of(&mut self, pid: Pid, service: &Service) -> Option<End> {
        self.take_in();
        let (role, failure) = self.unread.remove(&pid)?;
        let what = describe(service, role, failure);
        Some(End::NotExecuted(failure.exit_code(), what))
    }
}

/// What happened, why, and what can be done about it.
fn describe(service: &Service, role: Role, failure: Failure) -> String {
    let Failure { stage, errno, index, line } = failure;
    let why = Errno::from_raw(errno).desc();
    let settings = &service.settings;
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let refused = matches!(errno, libc::EPERM | libc::EACCES);
    let remedy = |capability: &str| match refused {
        true => format!("; give the container CAP_{capability} (docker run --cap-add {capability})"),
        false => String::new(),
    };
    let file = || shown(service.environment_files.get(index).map_or(Path::new("?"), |path| path));
    match stage {
        Stage::Input => format!("cannot open standard input: {why}"),
        Stage::Output => format!("cannot connect its output with the logger: {why}"),
        Stage::Descriptor => {
            format!("cannot give it the descriptor that it is to notify over: {why}; is its number below `ulimit -n`?")
        }
        Stage::OomScore => {
            let (value, remedy) = (settings.oom_score_adj.unwrap_or(0), remedy("SYS_RESOURCE"));
            format!("cannot set oom_score_adj to {value}: {why}{remedy}")
        }
        Stage::Nice => {
            let (value, remedy) = (settings.nice.unwrap_or(0), remedy("SYS_NICE"));
            format!("cannot set nice to {value}: {why}{remedy}")
        }
        Stage::Limit => match settings.limits.get(index) {
            Some(limit) => describe_limit(*limit, why, refused),
            None => format!("cannot set a limit: {why}"),
        },
        Stage::Capabilities => {
            let or = if refused { ", or set no_new_privileges as well" } else { "" };
            format!("cannot drop capabilities: {why}{}{or}", remedy("SETPCAP"))
        }
        Stage::Identity => {
            let uid = service.identity.as_ref().map_or(0, |identity| identity.uid);
            let add = "; give the container CAP_SETUID and CAP_SETGID (docker run --cap-add SETUID --cap-add SETGID)";
            format!("cannot become uid {uid}: {why}{}", if refused { add } else { "" })
        }
        Stage::NoNewPrivileges => format!("cannot set no_new_privileges: {why}"),
        Stage::Directory => {
            format!("cannot enter {}: {why}", shown(service.directory.as_deref().unwrap_or("/".as_ref())))
        }
        Stage::EnvironmentFile => match errno {
            libc::EINVAL => format!("cannot read environment file {}: it is not a regular file", file()),
            libc::EFBIG => format!("cannot read environment file {}: it is larger than {} bytes", file(), LARGEST_FILE),
            _ => {
                let user = service.identity.as_ref().filter(|_| refused);
                let user = user.map(|identity| format!("; it is read as the service's user, uid {}", identity.uid));
                format!("cannot read environment file {}: {why}{}", file(), user.unwrap_or_default())
            }
        },
        Stage::EnvironmentLine => {
            format!("environment file {}, line {line}: expected NAME=VALUE, a comment (#) or a blank line", file())
        }
        Stage::Execute => {
            let command = match role {
                Role::Main => Some(&service.command),
                Role::Finish => service.finish.as_ref(),
            };
            let command = command.and_then(|words| words.first()).map_or("", String::as_str);
            let why = match (index, errno) {
                (IS_A_FOLDER, _) => "it is a folder",
                (IS_THERE, libc::ENOENT) => {
                    "it is there, but not what runs it: see the path after #! in its first line (does that line end with \
                     CR LF?), or, of a binary, whether this image has its C library"
                }
                (IS_THERE, libc::EACCES) => {
                    "it is there, but may not be executed: does it lack chmod +x, or is it on a disk that is mounted noexec?"
                }
                _ => why,
            };
            format!("cannot run {command}: {why}")
        }
    }
}

fn shown(path: &Path) -> String {
    words::clean(&path.to_string_lossy(), 200)
}

/// What setrlimit(2) calls the resources, by their numbers: include/uapi/asm-generic/resource.h of Linux.
const RESOURCES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

fn describe_limit((resource, soft, hard): (u32, u64, u64), why: &str, refused: bool) -> String {
    let amount = |value: u64| if value == u64::MAX { "unlimited".to_owned() } else { value.to_string() };
    let name = usize::try_from(resource).ok().and_then(|index| RESOURCES.get(index)).copied().unwrap_or("?");
    let mut text = format!("cannot set the limit {name} to {}:{}: {why}", amount(soft), amount(hard));
    if !refused {
        return text;
    }
    // That of a child is the engine's own.
    if let Ok((_, highest)) = sys::limit(resource)
        && hard > highest
    {
        text += &format!("; the hard limit here is {}", amount(highest));
    }
    let most = (name == "nofile").then(|| fs::read_to_string("/proc/sys/fs/nr_open").ok()).flatten();
    match most.and_then(|most| most.trim().parse::<u64>().ok()).filter(|most| hard > *most) {
        Some(most) => text += &format!(", and the kernel allows no more than {most} (sysctl fs.nr_open)"),
        None => {
            text +=
                &format!("; start the container with a higher one (docker run --ulimit {name}=…) or CAP_SYS_RESOURCE")
        }
    }
    text
}
