//! The OpenSSH client, with no config but this.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Container, Output, Terminal, bounded};

/// Logs in to a container as one user.
pub struct Ssh<'a> {
    container: &'a Container,
    user: String,
    options: Vec<String>,
}

impl<'a> Ssh<'a> {
    pub(super) fn new(container: &'a Container, user: &str, key: Option<PathBuf>, known_hosts: PathBuf) -> Self {
        let mut options = vec![
            "-F/dev/null".to_owned(),
            format!("-oUserKnownHostsFile={}", known_hosts.display()),
            // The port differs from start to start; under the container's name a changed host key is refused.
            format!("-oHostKeyAlias={}", container.name()),
            "-oStrictHostKeyChecking=accept-new".to_owned(),
            "-oBatchMode=yes".to_owned(),
            "-oConnectTimeout=15".to_owned(),
            "-oIdentitiesOnly=yes".to_owned(),
            "-oIdentityAgent=none".to_owned(),
            "-oLogLevel=ERROR".to_owned(),
        ];
        options.extend(key.map(|key| format!("-oIdentityFile={}", key.display())));
        Self { container, user: user.to_owned(), options }
    }

    /// An option of ssh, written without a space.
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Uses this key instead of the container's.
    pub fn key(mut self, key: &super::Key) -> Self {
        self.options.retain(|option| !option.starts_with("-oIdentityFile"));
        self.option(&format!("-oIdentityFile={}", key.private_file().display()))
    }

    /// Runs a command line there.
    pub fn run(&self, line: &str) -> Output {
        Output::of(self.client("ssh").arg(self.address()).arg(line).stdin(Stdio::null()))
    }

    /// Runs a command line there, forwarding this display of ours.
    pub fn run_with_display(&self, display: &str, line: &str) -> Output {
        let mut client = self.client("ssh");
        client.env("DISPLAY", display).env_remove("XAUTHORITY");
        Output::of(client.arg(self.address()).arg(line).stdin(Stdio::null()))
    }

    /// A login shell without a terminal, given these lines.
    pub fn shell(&self, lines: &str) -> Output {
        self.fed(self.client("ssh").arg("-T").arg(self.address()), lines)
    }

    /// A login shell on a terminal.
    pub fn terminal(&self) -> Terminal {
        Terminal::run(self.client("ssh").arg("-tt").arg(self.address()))
    }

    /// The client is left running (as for forwarding); it ends with the guard.
    pub fn background(&self, arguments: &[&str]) -> Background {
        let mut client = self.client("ssh");
        client.args(arguments).arg(self.address());
        let child = client.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        Background(child)
    }

    /// sftp, given these commands.
    pub fn sftp(&self, commands: &str) -> Output {
        self.fed(self.client("sftp").args(["-b", "-"]).arg(self.address()), commands)
    }

    /// scp with these arguments, in which `there:` stands for the container.
    pub fn scp(&self, arguments: &[&str]) -> Output {
        let there = format!("{}:", self.address());
        let arguments = arguments.iter().map(|argument| argument.replace("there:", &there));
        Output::of(self.client("scp").args(arguments).stdin(Stdio::null()))
    }

    /// rsync over ssh with these arguments, in which `there:` stands for the container.
    pub fn rsync(&self, arguments: &[&str]) -> Output {
        let there = format!("{}:", self.address());
        let shell = format!("ssh {} -oPort={}", self.options.join(" "), self.port());
        let arguments = arguments.iter().map(|argument| argument.replace("there:", &there));
        Output::of(bounded(60, "rsync").args(["-e", &shell]).args(arguments).stdin(Stdio::null()))
    }

    fn fed(&self, client: &mut Command, input: &str) -> Output {
        use std::io::{Seek, Write};
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_bytes()).unwrap();
        file.rewind().unwrap();
        Output::of(client.stdin(file))
    }

    fn client(&self, program: &str) -> Command {
        let mut client = bounded(60, program);
        client.args(&self.options).arg(format!("-oPort={}", self.port()));
        client
    }

    fn address(&self) -> String {
        format!("{}@127.0.0.1", self.user)
    }

    fn port(&self) -> u16 {
        self.container.published(22).expect("port 22 is not published").port()
    }
}

/// A client in the background; ended when dropped.
pub struct Background(std::process::Child);

impl Background {
    /// Its exit code, if it has ended.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.0.try_wait().unwrap().map(|status| status.code())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // `timeout` passes TERM on to the client, which it could not do with KILL.
        let pid = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}
