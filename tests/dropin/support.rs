//! Links under the names of other inits, and what to do with them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use devinit::sys;
use tempfile::TempDir;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What a program that has ended leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// devinit under a name, in a folder of its own.
pub struct Link {
    pub folder: TempDir,
    path: PathBuf,
}

impl Link {
    pub fn new(name: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        symlink(env!("CARGO_BIN_EXE_devinit"), &path).unwrap();
        Self { folder, path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn command(&self) -> Command {
        plain(Command::new(&self.path))
    }

    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        end(self.command().args(arguments))
    }

    /// Starts it, and waits until its child runs this program.
    pub fn start(&self, arguments: &[&str], program: &str) -> Running {
        Running::start(self.command().args(arguments), program)
    }
}

/// A command without what the tests' environment may have set.
pub fn plain(mut command: Command) -> Command {
    for name in ["TINI_SUBREAPER", "TINI_VERBOSITY", "TINI_KILL_PROCESS_GROUP", "DUMB_INIT_DEBUG", "DUMB_INIT_SETSID"] {
        command.env_remove(name);
    }
    // Without folders that are closed to whoever runs the tests: such a one is another error than a missing program.
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").stdin(Stdio::null());
    command
}

pub fn end(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Tries until it is so.
#[track_caller]
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !so() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The children of a process.
pub fn children(pid: i32) -> Vec<i32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// A field of `/proc/PID/stat`, counted as proc(5) does, from the third on.
pub fn stat(pid: i32, field: usize) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
    fields.split(' ').nth(field - 3).unwrap_or_default().to_owned()
}

/// The name of the program that a process runs.
pub fn program(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// An init that runs. It and its descendants end with the value.
pub struct Running {
    pub init: Child,
}

impl Running {
    pub fn start(command: &mut Command, runs: &str) -> Self {
        let running = Self { init: command.spawn().unwrap() };
        eventually("the child runs", || children(running.pid()).iter().any(|child| program(*child) == runs));
        running
    }

    pub fn pid(&self) -> i32 {
        self.init.id().try_into().unwrap()
    }

    pub fn child(&self) -> i32 {
        children(self.pid())[0]
    }

    pub fn send(&self, signal: i32) {
        sys::kill(self.pid(), signal).unwrap();
    }

    #[track_caller]
    pub fn code(mut self) -> Option<i32> {
        let mut code = None;
        eventually("the init ends", || {
            let status = self.init.try_wait().unwrap();
            code = status.and_then(|status| status.code());
            status.is_some()
        });
        code
    }
}

fn end_tree(pid: i32) {
    // Stopped, it starts nothing more.
    let _ = sys::kill(pid, 19);
    let children = children(pid);
    let _ = sys::kill(pid, 9);
    children.into_iter().for_each(end_tree);
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.init.try_wait().unwrap().is_none() {
            end_tree(self.pid());
            let _ = self.init.wait();
        }
    }
}

/// Signals that end a process that does nothing about them.
pub fn ending_signals() -> impl Iterator<Item = i32> {
    // Who starts the tests may have these ignored; glibc's posix_spawn(3) does it to the numbers 32 and 33.
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    // Not: CHLD, CONT, the four that stop, URG, WINCH. SIGPIPE is ignored here, but not in what std starts.
    let ends = |signal: &i32| !(17..=23).contains(signal) && *signal != 28;
    (1..=64).filter(ends).filter(move |signal| *signal == 13 || ignored >> (signal - 1) & 1 == 0)
}
