//! Looks whether something is up: for readiness and for health. Runs in children, never in PID 1.

mod command;
mod deadline;
mod http;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::deadline::Deadline;
use crate::engine::spec::Identity;

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
    /// The URL, which begins with `http://`: `http://127.0.0.1:8080/health`, `http://[::1]:80/`.
    pub url: String,
    /// The statuses that are up, from and to. Without them: all below 400, and 401 and 403 ("up, and it asks who you are").
    pub status: Option<(u16, u16)>,
    /// What the body has to hold somewhere in its first 256 KiB: byte by byte, as it comes without compression.
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

    /// Looks once, for no longer than the limit.
    ///
    /// # Errors
    /// Why it is not up, in a few words.
    pub fn look(&self, context: &Context, limit: Duration) -> Result<(), String> {
        match self {
            Self::Http(wanted) => http::look(wanted, Deadline::after(limit)),
            Self::Tcp(port) => TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, *port).into(), limit)
                .map_err(|error| format!("port {port}: {error}"))
                .map(drop),
            Self::Path(path) => match path.try_exists() {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!("{} does not exist", path.display())),
                Err(error) => Err(format!("{}: {error}", path.display())),
            },
            Self::Command(command) => command::look(command, context, limit),
        }
    }
}
