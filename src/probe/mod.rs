//! Looks whether something is up: for readiness and for health. Runs in children, never in PID 1.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::engine::spec::Identity;
use crate::sys;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// An http URL that answers as it should.
    Http(Http),
    /// A port on 127.0.0.1 that accepts a connection.
    Tcp(u16),
    /// A path that exists.
    Path(PathBuf),
    /// A command that exits with 0.
    Command(Vec<String>),
}

/// What is asked over http, and what answer is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// The URL, which begins with `http://`.
    pub url: String,
    /// The statuses that are up, from and to. Without them: all below 400, and 401 and 403 ("up, and it asks who you are").
    pub status: Option<(u16, u16)>,
    /// What the body has to hold somewhere in its first 256 KiB.
    pub body: Option<String>,
    /// The Host header, where it is not the URL's host.
    pub host: Option<String>,
}

/// As whom, where and with which variables a command is run: as the service that it looks at, since what it runs may be
/// as much in the hands of the service's user as the service itself is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The user; whoever looks, if there is none.
    pub identity: Option<Identity>,
    /// The folder; that of whoever looks, if there is none.
    pub directory: Option<PathBuf>,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
}

/// The pause after the first look that failed; it grows by half each time.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How much of an answer is read, in bytes.
const LONGEST_BODY: u64 = 256 << 10;
/// How long one look may take while waiting.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

impl Probe {
    /// Looks again and again until it is up.
    pub fn wait(&self, context: &Context) {
        let mut pause = FIRST_PAUSE;
        while self.look(context, LOOK_LIMIT).is_err() {
            std::thread::sleep(pause);
            pause = pause.saturating_mul(3).checked_div(2).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// Why it is not up, in a few words.
    pub fn look(&self, context: &Context, limit: Duration) -> Result<(), String> {
        match self {
            Self::Http(wanted) => http(&wanted.url, limit),
            Self::Tcp(port) => connect(*port, limit).map(drop),
            Self::Path(path) => match path.try_exists() {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!("{} does not exist", path.display())),
                Err(error) => Err(format!("{}: {error}", path.display())),
            },
            Self::Command(command) => run_as(command, context, limit),
        }
    }
}

fn connect(port: u16, limit: Duration) -> Result<TcpStream, String> {
    let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), limit)
        .map_err(|error| format!("port {port}: {error}"))?;
    set_limits(&stream, limit);
    Ok(stream)
}

fn set_limits(stream: &TcpStream, limit: Duration) {
    // Fails only for a limit of zero, which nobody has.
    let _ = stream.set_read_timeout(Some(limit));
    let _ = stream.set_write_timeout(Some(limit));
}

/// A request by hand: this runs at every health check, and needs neither TLS nor redirects.
fn http(url: &str, limit: Duration) -> Result<(), String> {
    let fault = |what: &str| format!("{url}: {what}");
    let rest = url.strip_prefix("http://").ok_or_else(|| fault("only http:// can be looked at"))?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let target = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address: SocketAddr = target
        .to_socket_addrs()
        .map_err(|error| fault(&error.to_string()))?
        .next()
        .ok_or_else(|| fault("no such host"))?;
    let mut stream = TcpStream::connect_timeout(&address, limit).map_err(|error| fault(&error.to_string()))?;
    set_limits(&stream, limit);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: devinit\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(|error| fault(&error.to_string()))?;
    // "HTTP/1.1 200" is all that matters. The rest is read as far as it is short, for an app whose answer is cut off
    // fills its log with broken pipes.
    let mut status_line = [0u8; 12];
    stream.read_exact(&mut status_line).map_err(|error| fault(&error.to_string()))?;
    let _ = std::io::copy(&mut stream.take(LONGEST_BODY), &mut std::io::sink());
    let answer = String::from_utf8_lossy(&status_line);
    let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    match status {
        Some(100..=399 | 401 | 403) => Ok(()),
        Some(code) => Err(fault(&format!("HTTP {code}"))),
        None => Err(fault("the answer is not HTTP")),
    }
}

fn run_as(command: &[String], context: &Context, limit: Duration) -> Result<(), String> {
    let Some(Identity { uid, gid, groups }) = &context.identity else { return run(command, context, limit) };
    let fault = |error: std::io::Error| format!("cannot look as uid {uid}: {error}");
    let (mut answer, mut report) = std::io::pipe().map_err(fault)?;
    let code = sys::as_user(*uid, *gid, groups, &mut || match run(command, context, limit) {
        Ok(()) => 0,
        Err(why) => {
            let _ = report.write_all(why.as_bytes());
            1
        }
    })
    .map_err(fault)?;
    drop(report);
    let mut why = String::new();
    let _ = answer.read_to_string(&mut why);
    if code == 0 { Ok(()) } else { Err(why) }
}

fn run(command: &[String], context: &Context, limit: Duration) -> Result<(), String> {
    let [program, arguments @ ..] = command else { return Err("an empty command".to_owned()) };
    let fault = |error: std::io::Error| format!("{program}: {error}");
    let mut run = Command::new(program);
    run.args(arguments).env_clear().envs(&context.environment);
    run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(directory) = &context.directory {
        run.current_dir(directory);
    }
    let mut child = run.spawn().map_err(fault)?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait().map_err(fault)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{program}: {status}")),
            None if Instant::now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{program} takes longer than {} s", limit.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(line: &str, context: &Context) -> Result<(), String> {
        let command = ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
        Probe::Command(command).look(context, LOOK_LIMIT)
    }

    #[test]
    fn a_command_has_the_variables_and_the_folder_of_its_service_only() {
        let folder = tempfile::tempdir().unwrap();
        let environment = BTreeMap::from([("OF_SERVICE".to_owned(), "1".to_owned())]);
        let context = Context { environment, directory: Some(folder.path().to_owned()), identity: None };
        // Cargo tells every test its name.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        look("[ \"$OF_SERVICE\" = 1 ] && [ -z \"$CARGO_PKG_NAME\" ] && touch here", &context).unwrap();
        assert!(folder.path().join("here").exists());
    }

    #[test]
    fn a_command_runs_as_the_user_of_its_service() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let identity = Some(Identity { uid: 3100, gid: 1100, groups: vec![1100, 44] });
        let environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let context = Context { identity, environment, directory: Some("/".into()) };
        look("[ \"$(id -u) $(id -g) $(id -G)\" = '3100 1100 1100 44' ]", &context).unwrap();
        assert_eq!(look("exit 3", &context), Err("/bin/sh: exit status: 3".to_owned()));
    }
}
