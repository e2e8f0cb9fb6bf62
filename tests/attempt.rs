//! `devinit try` as its users meet it: a real boot, a real ssh client, and nothing left on the machine.
//!
//! Needs root, sshd and an ssh client; `tests/run` sees to them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

const DEVINIT: &str = env!("CARGO_BIN_EXE_devinit");
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `devinit try` with a port of its own.
fn devinit_try() -> Command {
    on_port(free_port())
}

fn on_port(ssh: u16) -> Command {
    assert!(geteuid().is_root(), "these tests need root: run tests/run, or cargo test as root");
    assert!(Path::new("/usr/sbin/sshd").exists(), "there is no sshd: run tests/run, or apt-get install openssh-server");
    let mut command = Command::new(DEVINIT);
    command.args(["try", "--ssh-port", &ssh.to_string()]);
    command
}

/// Runs a command to its end.
fn finish(command: &mut Command) -> Output {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let stderr = std::thread::spawn(move || read_all(&mut err));
    let stdout = std::thread::spawn(move || read_all(&mut out));
    let status = wait(&mut child, LIMIT);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn read_all(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

fn wait(child: &mut Child, limit: Duration) -> std::process::ExitStatus {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{child:?} did not end within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Tries until it is so.
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !so() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running container.
struct Container {
    child: Child,
    /// What is printed, by its label: `ssh`, `page`, `status`, `stop`.
    printed: BTreeMap<String, Vec<String>>,
    /// The PID namespace of its processes.
    namespace: PathBuf,
    _config: tempfile::NamedTempFile,
}

impl Container {
    /// Starts one with a page on a port of its own, and waits until it is told how to use it.
    fn start() -> Self {
        let config = tempfile::NamedTempFile::new().unwrap();
        fs::write(config.path(), format!("{{users: {{dev: {{sudo: false}}}}, app: {{port: {}}}}}", free_port()))
            .unwrap();
        let mut command = devinit_try();
        command.arg("--config").arg(config.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || eprint!("{}", String::from_utf8_lossy(&read_all(&mut stderr))));

        let (send, lines) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| _ = send.send(line))
        });
        let mut printed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while !printed.contains_key("stop") {
            let line = lines.recv_timeout(LIMIT).expect("nobody is told how to use the container");
            if let Some((label, what)) = line.trim().split_once(' ') {
                printed.entry(label.to_owned()).or_default().push(what.trim().to_owned());
            }
        }
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap();
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
        let namespace = children.split_whitespace().map(namespace).find(|found| *found != namespace("self")).unwrap();
        Self { child, printed, namespace, _config: config }
    }

    /// Types what is printed for a user.
    fn ssh(&self, user: &str, command: &str) -> String {
        let typed = self.printed["ssh"].iter().find(|line| line.ends_with(&format!(" {user}"))).unwrap();
        let mut words = typed.split(' ');
        let mut ssh = Command::new(words.next().unwrap());
        let output = finish(ssh.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]).args(words).arg(command));
        assert!(output.status.success(), "{typed} {command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The folder of the key.
    fn folder(&self) -> PathBuf {
        let config = self.printed["ssh"][0].split(' ').nth(2).unwrap();
        Path::new(config).parent().unwrap().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn has_processes(&self) -> bool {
        let in_it =
            |pid: fs::DirEntry| fs::read_link(pid.path().join("ns/pid")).is_ok_and(|found| found == self.namespace);
        fs::read_dir("/proc").unwrap().flatten().any(in_it)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What of the machine must be the same afterwards.
fn machine() -> Vec<Vec<u8>> {
    let file = |path: &&str| fs::read(path).unwrap_or_default();
    let paths = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/devinit/config.yaml"];
    let mut state: Vec<_> = paths.iter().map(file).collect();
    let mut mounts: Vec<_> = file(&"/proc/self/mountinfo").split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    mounts.sort();
    state.extend(mounts);
    state.push(fs::read("/proc/sys/kernel/hostname").unwrap());
    state
}

#[test]
fn what_is_printed_works_and_nothing_is_left_on_the_machine() {
    let before = machine();
    let mut container = Container::start();

    assert_eq!(container.ssh("dev", "id -un"), "dev");
    assert_eq!(container.ssh("root", "id -un; hostname"), "root\ndevinit-try");
    assert_eq!(container.ssh("root", "cat /proc/1/comm"), "devinit");
    assert_eq!(container.ssh("root", "readlink /proc/1/exe"), "/usr/local/bin/devinit");
    let page = container.printed["page"][0].strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    eventually("the page", || std::net::TcpStream::connect(&page).is_ok());
    let status = container.printed["status"][0].clone();
    let status = finish(Command::new("sh").args(["-c", &status]));
    assert!(String::from_utf8_lossy(&status.stdout).contains("devinit is running"), "{status:?}");

    // The user is new, or gets its key here only; what is written stays in the container.
    let mark = format!("/usr/local/devinit-try-{}", std::process::id());
    assert_eq!(container.ssh("root", &format!("echo inside > {mark} && cat {mark}")), "inside");
    assert_eq!(container.ssh("dev", "touch ~/mark && ls ~/mark"), container.ssh("dev", "echo ~/mark"));
    assert!(!Path::new(&mark).exists());
    // Root in there cannot reach out: neither the machine's settings, nor its mounts, nor its disks.
    for attempt in
        ["echo 1 > /proc/sys/kernel/printk", "mount -t tmpfs none /mnt", "mknod /root/disk b 8 0", "umount /sys"]
    {
        assert_eq!(
            container.ssh("root", &format!("{{ {attempt}; }} 2>/dev/null || echo refused")),
            "refused",
            "{attempt}"
        );
    }

    let folder = container.folder();
    assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    assert_eq!(folder.join("id_ed25519").metadata().unwrap().mode() & 0o777, 0o600);

    let asked = Instant::now();
    container.signal(Signal::SIGINT);
    let status = wait(&mut container.child, LIMIT);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(0));
    assert!(!container.has_processes());
    assert!(!folder.exists());
    assert!(before == machine(), "the machine has changed");
}

#[test]
fn a_parent_that_is_killed_leaves_nothing_either() {
    let before = machine();
    let container = Container::start();
    let folder = container.folder();
    container.signal(Signal::SIGKILL);
    eventually("the end of the processes", || !container.has_processes());
    eventually("the end of the folder", || !folder.exists());
    assert!(before == machine(), "the machine has changed");
}

#[test]
fn a_main_command_has_the_terminal_and_its_exit_code_is_passed_on() {
    let words: Vec<_> = devinit_try().get_args().map(|word| word.to_str().unwrap().to_owned()).collect();
    // Without job control bash says so, and fg fails. script(1) makes the terminal and passes the exit code on.
    let line = format!("{DEVINIT} {} -- bash -ic 'tty; sleep 0.1 & fg && exit 7'", words.join(" "));
    let output = finish(Command::new("script").args(["-qec", &line, "/dev/null"]));
    let seen = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(7), "{seen}");
    assert!(seen.contains("/dev/console\r\n"), "{seen}");
    assert!(!seen.contains("no job control"), "{seen}");
}

#[test]
fn exit_codes_of_main_commands_are_those_of_a_shell() {
    for (command, code) in [("true", 0), ("false", 1), ("/nope", 127), ("/etc/passwd", 126)] {
        let output = finish(devinit_try().args(["--", command]));
        assert_eq!(output.status.code(), Some(code), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn the_environment_is_a_fresh_one() {
    let output =
        finish(devinit_try().args(["--", "env"]).env("API_TOKEN", "secret").env("https_proxy", "http://proxy:1"));
    let seen = String::from_utf8(output.stdout).unwrap();
    assert!(seen.contains("HOME=/root\n") && seen.contains("https_proxy=http://proxy:1\n"), "{seen}");
    assert!(!seen.contains("secret") && !seen.contains("PUBLIC_KEY"), "{seen}");
}

#[test]
fn what_is_kept_is_there_the_next_time() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let kept = folder.path().join("with blank, comma: and colon");
    let run = |line: &str| finish(devinit_try().arg("--keep").arg(&kept).args(["--", "sh", "-c", line]));
    let first = run("echo 1 > /root/kept && chmod 711 / && exit 3");
    assert_eq!(first.status.code(), Some(3), "{}", String::from_utf8_lossy(&first.stderr));
    let second = run("cat /root/kept && stat -c %a /");
    assert_eq!(String::from_utf8_lossy(&second.stdout), "1\n711\n", "{}", String::from_utf8_lossy(&second.stderr));
    assert!(!Path::new("/root/kept").exists());
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = finish(on_port(port).args(["--", "true"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("port {port}")) && said.contains("--ssh-port"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_config_that_cannot_be_used_is_refused_with_its_position() {
    let config = tempfile::NamedTempFile::new().unwrap();
    fs::write(config.path(), "ssh:\n  prot: 22\n").unwrap();
    let output = finish(devinit_try().arg("--config").arg(config.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains(&format!("{}:2:3: error", config.path().display())), "{said}");
}

#[test]
fn without_root_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("devinit");
    fs::copy(DEVINIT, &program).unwrap();
    let output = finish(Command::new(program).arg("try").uid(65534).gid(65534));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).ends_with("run it with sudo\n"), "{output:?}");
}
