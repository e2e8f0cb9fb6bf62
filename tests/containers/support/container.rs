//! A container: built up, run, asked, stopped, and gone when it goes out of scope.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::ssh::Ssh;
use super::{Key, Output, Terminal, bounded, seconds, wait_for};

/// A container that is to be run.
pub struct Builder {
    image: String,
    options: Vec<String>,
    command: Vec<String>,
    files: TempDir,
    key: Option<PathBuf>,
}

/// A container that was started; removed with its volumes when dropped. If the test fails, its log is printed.
pub struct Container {
    name: String,
    files: TempDir,
    key: Option<PathBuf>,
}

/// A volume; removed when dropped, which has to be after the containers that have it.
pub struct Volume {
    name: String,
}

impl Volume {
    /// A new one, with nothing in it.
    pub fn new() -> Self {
        let name = Output::of(&mut docker(["volume", "create"])).success();
        Self { name }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = docker(["volume", "rm", "--force", &self.name]).output();
    }
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What `docker wait` says.
    pub code: i32,
    /// From the request to the end.
    pub after: Duration,
}

/// `docker ARGUMENTS` against the test daemon, killed after a minute.
fn docker<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(arguments: I) -> Command {
    let endpoint = std::env::var("DEVINIT_TEST_DOCKER")
        .unwrap_or_else(|_| panic!("the container tests need images and a Docker daemon: run tests/run"));
    let mut docker = bounded(150, "/usr/bin/docker");
    docker.args(["-H", &endpoint]).args(arguments).stdin(Stdio::null());
    docker
}

impl Container {
    /// Begins with an image.
    pub fn image(image: &str) -> Builder {
        let files = tempfile::tempdir().unwrap();
        set_mode(files.path(), 0o755);
        Builder { image: image.to_owned(), options: Vec::new(), command: Vec::new(), files, key: None }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All that it has printed.
    pub fn logs(&self) -> String {
        Output::of(&mut docker(["logs", &self.name])).text()
    }

    /// Runs a command inside, as root.
    pub fn exec<const N: usize>(&self, command: [&str; N]) -> Output {
        Output::of(docker(["exec", &self.name]).args(command))
    }

    /// Runs a shell line inside, as root; its output.
    #[track_caller]
    pub fn sh(&self, line: &str) -> String {
        self.exec(["bash", "-c", line]).success()
    }

    /// Runs a command inside, as this user.
    pub fn exec_as<const N: usize>(&self, user: &str, command: [&str; N]) -> Output {
        Output::of(docker(["exec", "--user", user, &self.name]).args(command))
    }

    /// Puts a file there, root's and to be read by everyone.
    #[track_caller]
    pub fn put(&self, path: &str, content: &str) {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, content).unwrap();
        set_mode(&file, 0o644);
        Output::of(docker(["cp"]).arg(file).arg(format!("{}:{path}", self.name))).success();
    }

    /// Which of these words are anywhere in its file system, in the bytes of names and of files. Volumes are not part
    /// of it.
    pub fn exported(&self, words: &[&str]) -> String {
        let patterns: String = words.iter().map(|word| format!("{word}\n")).collect();
        let list = self.files.path().join("words");
        std::fs::write(&list, patterns).unwrap();
        let mut export = docker(["export", &self.name]).stdout(Stdio::piped()).spawn().unwrap();
        let mut search = bounded(120, "grep");
        search.args(["--text", "--only-matching", "--fixed-strings", "--file"]).arg(list);
        let found = Output::of(search.stdin(export.stdout.take().unwrap()));
        assert!(export.wait().unwrap().success() && found.code < 2, "{found:?}");
        found.stdout
    }

    /// Starts a shell line inside, as root, and leaves it running.
    #[track_caller]
    pub fn start(&self, line: &str) {
        Output::of(&mut docker(["exec", "-d", &self.name, "bash", "-c", line])).success();
    }

    /// One value of `docker inspect`, by Go template.
    pub fn inspect(&self, template: &str) -> String {
        Output::of(&mut docker(["inspect", "-f", template, &self.name])).success()
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.inspect("{{.State.Running}}") == "true"
    }

    /// What Docker's health check says: starting, healthy or unhealthy.
    pub fn health(&self) -> String {
        self.inspect("{{.State.Health.Status}}")
    }

    /// Waits for a verdict of Docker's health check.
    #[track_caller]
    pub fn wait_for_health(&self, wanted: &str) {
        wait_for(&format!("{} to be {wanted}", self.name), seconds(60), || (self.health() == wanted).then_some(()));
    }

    /// Where a port of the container is published; another one after each start.
    pub fn published(&self, port: u16) -> Option<SocketAddr> {
        Output::of(&mut docker(["port", &self.name, &port.to_string()])).stdout.lines().next()?.parse().ok()
    }

    /// A connection to a port. Docker's proxy accepts it before anything listens inside.
    pub fn connect(&self, port: u16) -> Option<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.published(port)?, seconds(2)).ok()?;
        stream.set_read_timeout(Some(seconds(5))).ok()?;
        stream.set_write_timeout(Some(seconds(5))).ok()?;
        Some(stream)
    }

    /// Waits for sshd's banner.
    #[track_caller]
    pub fn wait_for_ssh(&self) {
        wait_for("sshd's banner", seconds(30), || {
            assert!(self.is_running(), "the container ended: exit code {}", self.inspect("{{.State.ExitCode}}"));
            let mut banner = [0; 4];
            self.connect(22)?.read_exact(&mut banner).ok()?;
            (&banner == b"SSH-").then_some(())
        });
    }

    /// Waits for a file inside.
    #[track_caller]
    pub fn wait_for_file(&self, path: &str) {
        wait_for(path, seconds(20), || (self.exec(["test", "-e", path]).code == 0).then_some(()));
    }

    /// Waits for words in the log.
    #[track_caller]
    pub fn wait_for_log(&self, words: &str) {
        wait_for(&format!("{words:?} in the log"), seconds(30), || self.logs().contains(words).then_some(()));
    }

    /// The ssh client, logging in as this user with the container's key.
    pub fn ssh(&self, user: &str) -> Ssh<'_> {
        Ssh::new(self, user, self.key.clone(), self.files.path().join("known_hosts"))
    }

    /// The first process's id as the container sees it, by what it was started as.
    pub fn pid_of(&self, pattern: &str) -> Option<i32> {
        self.exec(["pgrep", "-o", "-f", pattern]).stdout.trim().parse().ok()
    }

    /// `docker stop`, which kills after 10 s.
    pub fn stop(&self) -> Exit {
        self.ended_by(|| Output::of(&mut docker(["stop", &self.name])).success())
    }

    /// `docker pause`: whether all of it is frozen, which may not succeed while it is busy.
    pub fn pause(&self) -> bool {
        Output::of(&mut docker(["pause", &self.name])).code == 0
    }

    /// `docker unpause`.
    #[track_caller]
    pub fn resume(&self) {
        Output::of(&mut docker(["unpause", &self.name])).success();
    }

    /// `docker kill --signal`.
    #[track_caller]
    pub fn kill(&self, signal: &str) {
        Output::of(&mut docker(["kill", "--signal", signal, &self.name])).success();
    }

    /// `docker restart`.
    #[track_caller]
    pub fn restart(&self) {
        Output::of(&mut docker(["restart", &self.name])).success();
    }

    /// `docker start`, after it has ended.
    #[track_caller]
    pub fn start_again(&self) {
        Output::of(&mut docker(["start", &self.name])).success();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&self) -> Exit {
        self.ended_by(String::new)
    }

    fn ended_by(&self, ask: impl FnOnce() -> String) -> Exit {
        let start = Instant::now();
        ask();
        let code = Output::of(&mut docker(["wait", &self.name])).success();
        Exit { code: code.parse().unwrap(), after: start.elapsed() }
    }

    /// A file of the container, running or not; none if it is not there.
    pub fn file(&self, path: &str) -> Option<String> {
        let copies = tempfile::tempdir().unwrap();
        let copy = copies.path().join("copy");
        let output = Output::of(docker(["cp", &format!("{}:{path}", self.name)]).arg(&copy));
        (output.code == 0).then(|| std::fs::read_to_string(copy).unwrap())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = Output::of(&mut docker(["inspect", "-f", "{{json .State}}", &self.name])).stdout;
            eprintln!("--- log of {}\n{}--- state: {state}", self.name, self.logs());
        }
        let _ = docker(["rm", "--force", "--volumes", &self.name]).output();
    }
}

impl Builder {
    /// An option of `docker run`.
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Options of `docker run`.
    pub fn options<const N: usize>(self, options: [&str; N]) -> Self {
        options.into_iter().fold(self, Builder::option)
    }

    /// A variable of the container.
    pub fn env(self, name: &str, value: &str) -> Self {
        self.option("--env").option(format!("{name}={value}"))
    }

    /// The key that the client has and PUBLIC_KEY names.
    pub fn key(self, key: &Key) -> Self {
        let mut builder = self.env("PUBLIC_KEY", key.public());
        builder.key = Some(key.private_file());
        builder
    }

    /// The key that the client has; the container is told of it in another way.
    pub fn client_key(mut self, key: &Key) -> Self {
        self.key = Some(key.private_file());
        self
    }

    /// The config, at its usual place.
    pub fn config(self, yaml: &str) -> Self {
        self.mounted("/etc/devinit/config.yaml", yaml)
    }

    /// A file of the host, mounted to be read.
    pub fn mounted(self, path: &str, content: &str) -> Self {
        let file = self.file_for(path);
        std::fs::write(&file, content).unwrap();
        self.option("--volume").option(format!("{}:{path}:ro", file.display()))
    }

    /// A program of the host, mounted to be run.
    pub fn mounted_program(self, path: &str, content: &str) -> Self {
        let builder = self.mounted(path, content);
        set_mode(&builder.file_for(path), 0o755);
        builder
    }

    /// A volume at this path.
    pub fn volume(self, volume: &Volume, path: &str) -> Self {
        self.option("--volume").option(format!("{}:{path}", volume.name))
    }

    fn file_for(&self, path: &str) -> PathBuf {
        self.files.path().join(path.trim_start_matches('/').replace('/', "-"))
    }

    /// The main command.
    pub fn command<const N: usize>(self, command: [&str; N]) -> Self {
        self.arguments(&command)
    }

    /// The main command, of any length.
    pub fn arguments(mut self, command: &[&str]) -> Self {
        self.command = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Starts it in the background, with 22 and 27015 published.
    #[track_caller]
    pub fn run(self) -> Container {
        let (container, image, options, command) = self.named();
        let mut run = docker([
            "run",
            "--detach",
            "--publish=127.0.0.1::22",
            "--publish=127.0.0.1::27015",
            "--name",
            &container.name,
        ]);
        Output::of(run.args(options).arg(image).args(command)).success();
        container
    }

    /// Runs it in the foreground to its end, with this on standard input.
    pub fn output_given(self, input: &str) -> Output {
        let (container, image, options, command) = self.named();
        let given = container.files.path().join("stdin");
        std::fs::write(&given, input).unwrap();
        let mut run = docker(["run", "--interactive", "--name", &container.name]);
        Output::of(run.args(options).arg(image).args(command).stdin(std::fs::File::open(given).unwrap()))
    }

    /// Runs it in the foreground to its end.
    pub fn output(self) -> Output {
        let (container, image, options, command) = self.named();
        let mut run = docker(["run", "--name", &container.name]);
        Output::of(run.args(options).arg(image).args(command))
    }

    /// Runs it in the foreground of a pseudo-terminal.
    pub fn terminal(self) -> (Container, Terminal) {
        let (container, image, options, command) = self.named();
        let mut run = docker(["run", "--interactive", "--tty", "--name", &container.name]);
        let terminal = Terminal::run(run.args(options).arg(image).args(command));
        (container, terminal)
    }

    fn named(self) -> (Container, String, Vec<String>, Vec<String>) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("devinit-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        (Container { name, files: self.files, key: self.key }, self.image, self.options, self.command)
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
