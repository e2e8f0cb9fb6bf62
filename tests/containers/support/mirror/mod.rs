//! Upstream, as far as the first run can tell: releases, registries, and everything that can go wrong with them.
//!
//! Serves what `tests/mirror` has laid out, and what a test puts there, to the containers of the test daemon. Faults are
//! set for a path; requests are kept, to be asked about.
//!
//! ```ignore
//! let mirror = Mirror::start();
//! let url = mirror.put("/tool", "#!/bin/sh\necho 1.0\n");
//! mirror.fails("/tool", [Fault::status(503).header("Retry-After", "1"), Fault::CutAfter(7)]);
//! assert_eq!(mirror.requests("/tool").len(), 3);
//! ```

mod answer;
mod authority;
mod proxy;

pub use authority::Authority;
pub use proxy::Proxy;

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::seconds;

/// The daemon's end of its bridge, which containers reach: see `--bip` in tests/daemon.
const BRIDGE: Ipv4Addr = Ipv4Addr::new(172, 29, 77, 1);
/// How long a server waits for a client, in a test that fails.
const PATIENCE: Duration = seconds(120);

/// A way of not getting what was asked for.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status, with these headers, and a page that explains nothing.
    Status(u16, Vec<(&'static str, &'static str)>),
    /// The connection ends after so many bytes of the body.
    CutAfter(usize),
    /// Nothing more comes after so many bytes of the body, until [`Mirror::release`] or the client gives up.
    StallAfter(usize),
    /// No more than so many bytes a second.
    Slow(usize),
    /// Something else, with the right length and the status of success.
    Instead(Vec<u8>),
    /// The page of a hotel's network.
    Page,
    /// A redirect, by its Location.
    Redirect(String),
    /// All of it, whatever range was asked for.
    IgnoreRange,
}

impl Fault {
    /// A status.
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }

    /// A status with a header.
    pub fn header(self, name: &'static str, value: &'static str) -> Self {
        match self {
            Self::Status(status, mut headers) => {
                headers.push((name, value));
                Self::Status(status, headers)
            }
            other => other,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// GET and so on.
    pub method: String,
    /// The path, decoded, without what [`Mirror`] puts in front of it when it redirects.
    pub path: String,
    /// What follows `?`.
    pub query: String,
    /// Headers, by their name in small letters.
    pub headers: BTreeMap<String, String>,
    /// When it came: since the mirror began.
    pub at: Duration,
}

impl Request {
    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Reads one up to the empty line.
    fn read(stream: &mut impl Read) -> Option<Self> {
        // Byte by byte: what follows the head is not this function's.
        let mut reader = BufReader::with_capacity(1, stream);
        let mut lines = std::iter::from_fn(|| {
            let mut line = String::new();
            reader.by_ref().take(16 << 10).read_line(&mut line).ok()?;
            Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
        });
        let first = lines.next()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines
            .filter_map(|line| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_lowercase(), value.trim().to_owned()))
            })
            .collect();
        Some(Self { method, path: decoded(path), query: query.to_owned(), headers, at: Duration::ZERO })
    }
}

/// `%2f` as npm writes it, and the others.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(u8::is_ascii) {
            Some(byte) => text += &format!("{}{}", char::from(byte), &part[2..]),
            None => text += &format!("%{part}"),
        }
    }
    text
}

/// Upstream; gone when dropped.
pub struct Mirror {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

/// What the server's threads and the test share.
struct Shared {
    began: Instant,
    folder: PathBuf,
    scheme: &'static str,
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    faults: Mutex<BTreeMap<String, Faults>>,
    requests: Mutex<Vec<Request>>,
    released: Mutex<bool>,
    release: Condvar,
    ended: AtomicBool,
}

/// What goes wrong with a path: these in turn, then this each time.
#[derive(Default)]
struct Faults {
    next: VecDeque<Fault>,
    always: Option<Fault>,
}

impl Mirror {
    /// Serves over http.
    pub fn start() -> Self {
        Self::serve(None)
    }

    /// Serves over https, with a certificate of this authority.
    pub fn encrypted(authority: &Authority) -> Self {
        Self::serve(Some(authority.server()))
    }

    fn serve(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/containers/mirror");
        let shared = Arc::new(Shared {
            began: Instant::now(),
            folder,
            scheme,
            files: Mutex::default(),
            faults: Mutex::default(),
            requests: Mutex::default(),
            released: Mutex::default(),
            release: Condvar::new(),
            ended: AtomicBool::new(false),
        });
        std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming() {
                    if shared.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    let (shared, tls) = (Arc::clone(&shared), tls.clone());
                    std::thread::spawn(move || stream.ok().and_then(|stream| attend(stream, tls, &shared)));
                }
            }
        });
        Self { address, scheme, shared }
    }

    /// Its URL for containers, without a slash at its end.
    pub fn url(&self) -> String {
        format!("{}://{BRIDGE}:{}", self.scheme, self.address.port())
    }

    /// Its address on this side of the bridge.
    pub fn local(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.address.port()).into()
    }

    /// Puts a file there, over what stands there, and returns its URL for containers.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) -> String {
        self.shared.files.lock().unwrap().insert(path.to_owned(), content.into());
        self.url() + path
    }

    /// The next requests for this path go wrong in these ways, one after the other.
    pub fn fails(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.shared.faults.lock().unwrap().entry(path.to_owned()).or_default().next.extend(faults);
    }

    /// Every request for this path goes wrong in this way.
    pub fn always_fails(&self, path: &str, fault: Fault) {
        self.shared.faults.lock().unwrap().entry(path.to_owned()).or_default().always = Some(fault);
    }

    /// Nothing goes wrong any more; what stalls goes on.
    pub fn release(&self) {
        self.shared.faults.lock().unwrap().clear();
        *self.shared.released.lock().unwrap() = true;
        self.shared.release.notify_all();
    }

    /// The requests so far for a path, or for all paths that end like this.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.shared.requests.lock().unwrap().iter().filter(|request| request.path.ends_with(path)).cloned().collect()
    }

    /// All requests so far.
    pub fn all_requests(&self) -> Vec<Request> {
        self.requests("")
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.requests.lock().unwrap().clear();
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.release();
        // Wakes up the thread that accepts.
        let _ = TcpStream::connect(self.local());
    }
}

/// Answers the one request of a connection.
fn attend(stream: TcpStream, tls: Option<Arc<rustls::ServerConfig>>, shared: &Shared) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    stream.set_nodelay(true).ok()?;
    match tls {
        None => {
            let mut plain = &stream;
            answer::answer(&mut plain, shared)?;
            // What was sent arrives, and not a reset in its place, if the client has ended its side or does so now.
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.set_read_timeout(Some(seconds(2)));
            let _ = std::io::copy(&mut &stream, &mut std::io::sink());
        }
        Some(config) => {
            let connection = rustls::ServerConnection::new(config).ok()?;
            let mut encrypted = rustls::StreamOwned::new(connection, stream);
            answer::answer(&mut encrypted, shared)?;
            encrypted.conn.send_close_notify();
            let _ = encrypted.flush();
        }
    }
    Some(())
}
