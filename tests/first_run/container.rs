//! A throw-away copy of this machine's files, in a mount namespace: what a container is for a first run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use super::{LIMIT, eventually};

const DEVINIT: &str = env!("CARGO_BIN_EXE_devinit");
/// The config inside.
const CONFIG: &str = "/run/first-run.yaml";

/// Makes the root: an overlay whose upper layer has what was written, then nothing of what the machine may have of
/// devinit, and the home. Goes on as a process in it that ends with the test.
const SETUP: &str = r#"
set -e
mount -t tmpfs none "$1/layers"
mkdir "$1/layers/upper" "$1/layers/work"
mount -t overlay -o "lowerdir=/,upperdir=$1/layers/upper,workdir=$1/layers/work" none "$1/root"
cd "$1/root"
mount --rbind /proc proc; mount --rbind /dev dev
for folder in run tmp home var/lib/devinit usr/local/share/devinit; do mkdir -p "$folder"; mount -t tmpfs none "$folder"; done
mkdir -p home/peid run/devinit/first-run/peid
mount --bind "$2" home/peid
touch run/program; mount --bind "$3" run/program
echo peid:x:3100:1100::/home/peid:/bin/sh >>etc/passwd
echo peid:x:1100: >>etc/group
chmod 1777 tmp
exec chroot . sh -c 'echo ready; exec cat'
"#;

/// See the module.
pub struct Container {
    /// A process in it.
    holder: Child,
    _folder: tempfile::TempDir,
}

impl Container {
    /// A container with this folder as peid's home.
    pub fn new(home: &Path) -> Self {
        assert!(geteuid().is_root(), "these tests need root: run tests/run, or cargo test as root");
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for name in ["layers", "root"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", SETUP, "setup"]);
        unshare.arg(folder.path()).arg(home).arg(DEVINIT);
        let mut holder = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "there is no container");
        Self { holder, _folder: folder }
    }

    /// A path inside, as it is reached from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.holder.id()))
    }

    /// What was written to the root's own file system, and not to the home, /run and so on: the upper layer, which lies
    /// beside the root.
    pub fn upper(&self) -> PathBuf {
        self.path("/../layers/upper")
    }

    /// Begins a first run.
    pub fn start(&self, config: &str, arguments: &[&str]) -> Running {
        fs::write(self.path(CONFIG), config).unwrap();
        let root = self.path("");
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id())).arg(format!("--root={}", root.display()));
        command.args(["--wdns=/", "/run/program", "first-run", "--config", CONFIG]).args(arguments);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).process_group(0);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Running { begun: Instant::now(), out: collect(out), err: collect(err), child }
    }

    /// Runs a first run to its end.
    pub fn run(&self, config: &str, arguments: &[&str]) -> Ended {
        self.start(config, arguments).wait()
    }

    /// The processes of first runs in it, without those that are only waited for.
    pub fn processes(&self) -> Vec<i32> {
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let holder = self.holder.id().to_string();
        let own = namespace(&holder);
        let names = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let pids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && *name != holder);
        pids.filter(|pid| namespace(pid) == own).map(|pid| pid.parse().unwrap()).collect()
    }

    /// Asserts that all processes of first runs end soon.
    #[track_caller]
    pub fn assert_gone(&self, within: Duration) {
        let begin = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            let words = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let shown = || left.iter().map(|pid| String::from_utf8_lossy(&words(pid)).replace('\0', " "));
            assert!(begin.elapsed() < within, "left after {within:?}: {:?}", shown().collect::<Vec<_>>());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Forgets all that a first run did outside of the home.
    pub fn clear(&self) {
        for folder in ["/var/lib/devinit", "/usr/local/share/devinit", "/run/devinit/first-run/peid"] {
            super::tree::empty(&self.path(folder));
        }
        let _ = fs::remove_file(self.path("/usr/local/bin/for-all"));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A first run that goes on.
pub struct Running {
    child: Child,
    begun: Instant,
    out: JoinHandle<String>,
    err: JoinHandle<String>,
}

/// How a first run ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl Running {
    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// Signals the coordinator.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid()), signal);
    }

    /// Signals the coordinator's process group.
    pub fn signal_group(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(-self.pid()), signal);
    }

    /// The workers that run now.
    pub fn workers(&self) -> Vec<i32> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid())).unwrap_or_default();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    pub fn wait(mut self) -> Ended {
        let status = eventually("the end of a first run", LIMIT, || self.child.try_wait().unwrap());
        let took = self.begun.elapsed();
        Ended { status, took, out: self.out.join().unwrap(), err: self.err.join().unwrap() }
    }
}

impl Ended {
    /// Asserts an exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// The tasks that an event of `--json` was about.
    pub fn tasks(&self, event: &str) -> Vec<String> {
        let lines = self.out.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let of_event = lines.filter(|line| line["event"] == event);
        let mut names: Vec<String> = of_event.filter_map(|line| line["task"].as_str().map(str::to_owned)).collect();
        names.sort();
        names
    }
}
