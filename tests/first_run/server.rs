//! A small HTTP server: files, redirects and ranges, and a log of what was asked for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How much is sent at once.
const PART: usize = 16 << 10;

/// What was asked for: its path, and from which byte on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    pub from: Option<usize>,
}

/// The server; gone when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    files: Mutex<BTreeMap<String, Arc<Vec<u8>>>>,
    redirects: Mutex<BTreeMap<String, String>>,
    /// Bytes a second, by path.
    slow: Mutex<BTreeMap<String, usize>>,
    requests: Mutex<Vec<Request>>,
    ended: AtomicBool,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if for_thread.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || answer(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// Its URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Publishes a file, and returns its URL.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) -> String {
        self.shared.files.lock().unwrap().insert(path.to_owned(), Arc::new(content.into()));
        self.url() + path
    }

    /// A path that leads to another one.
    pub fn redirect(&self, path: &str, to: &str) {
        self.shared.redirects.lock().unwrap().insert(path.to_owned(), self.url() + to);
    }

    /// Sends a path with so many bytes a second; none: as fast as it can be.
    pub fn slow(&self, path: &str, rate: Option<usize>) {
        let mut slow = self.shared.slow.lock().unwrap();
        match rate {
            Some(rate) => slow.insert(path.to_owned(), rate),
            None => slow.remove(path),
        };
    }

    /// The requests for this path so far.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.all_requests().into_iter().filter(|request| request.path == path).collect()
    }

    /// All requests so far.
    pub fn all_requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.requests.lock().unwrap().clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes up the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers the one request of a connection. None: the client has gone.
fn answer(stream: &TcpStream, shared: &Shared) -> Option<()> {
    stream.set_read_timeout(Some(super::LIMIT)).ok()?;
    stream.set_write_timeout(Some(super::LIMIT)).ok()?;
    let lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let lines: Vec<String> = lines.collect();
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let from = header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    shared.requests.lock().unwrap().push(Request { path: path.clone(), from });
    let location = shared.redirects.lock().unwrap().get(&path).cloned();
    if let Some(location) = location {
        return send(stream, "302 Found", &format!("Location: {location}\r\n"), b"", None);
    }
    let file = shared.files.lock().unwrap().get(&path).cloned();
    let Some(file) = file else { return send(stream, "404 Not Found", "", b"there is none\n", None) };
    let slow = shared.slow.lock().unwrap().get(&path).copied();
    let tag = format!("ETag: \"{}\"\r\n", super::published::sha256(&file));
    match from {
        Some(from) if from < file.len() => {
            let range = format!("{tag}Content-Range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len());
            send(stream, "206 Partial Content", &range, &file[from..], slow)
        }
        Some(_) => send(stream, "416 Range", &format!("Content-Range: bytes */{}\r\n", file.len()), b"", None),
        None => send(stream, "200 OK", &format!("{tag}Accept-Ranges: bytes\r\n"), &file, slow),
    }
}

fn send(mut stream: &TcpStream, status: &str, headers: &str, body: &[u8], slow: Option<usize>) -> Option<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    for part in body.chunks(PART) {
        stream.write_all(part).ok()?;
        if let Some(rate) = slow {
            std::thread::sleep(
                Duration::from_secs(1) * u32::try_from(part.len()).unwrap() / u32::try_from(rate).unwrap(),
            );
        }
    }
    // What was sent arrives, and not a reset in its place.
    stream.shutdown(Shutdown::Write).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    std::io::copy(&mut stream, &mut std::io::sink()).ok().map(drop)
}
