//! A small server that does as it is told, for better or worse.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::fixture;

pub trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Runs until it is dropped. A connection is good for one request.
pub struct Server {
    pub address: SocketAddr,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Hands each connection over as it is.
    pub fn raw(serve: impl Fn(TcpStream, &Mutex<Vec<String>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (own_requests, own_stop, serve) = (requests.clone(), stop.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own_stop.load(Ordering::SeqCst) {
                    return;
                }
                let (requests, serve, stream) = (own_requests.clone(), serve.clone(), stream.unwrap());
                std::thread::spawn(move || serve(stream, &requests));
            }
        });
        Self { address, scheme: "http", requests, stop }
    }

    /// Answers each request, given its head and how many there were before.
    pub fn http(answer: impl Fn(&mut dyn Stream, &str, usize) + Send + Sync + 'static) -> Self {
        Self::raw(move |mut stream, requests| serve(&mut stream, requests, &answer))
    }

    /// The same over TLS, with this certificate. While `trickle` is set, bytes go out one by one.
    pub fn https(
        certificate: &str,
        trickle: Arc<AtomicBool>,
        answer: impl Fn(&mut dyn Stream, &str, usize) + Send + Sync + 'static,
    ) -> Self {
        let config = tls(certificate);
        let serve_tls = move |stream, requests: &Mutex<Vec<String>>| {
            let slow = Slow { stream, trickle: trickle.clone() };
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), slow);
            serve(&mut stream, requests, &answer);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        };
        let mut server = Self::raw(serve_tls);
        server.scheme = "https";
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// A header of one of the requests.
    pub fn header(&self, request: usize, name: &str) -> Option<String> {
        header(&self.requests()[request], name).map(str::to_owned)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// A header of a request.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn serve(stream: &mut dyn Stream, requests: &Mutex<Vec<String>>, answer: &dyn Fn(&mut dyn Stream, &str, usize)) {
    let head = read_head(stream);
    if head.is_empty() {
        return;
    }
    let before = {
        let mut requests = requests.lock().unwrap();
        requests.push(head.clone());
        requests.len() - 1
    };
    answer(stream, &head, before);
}

/// Everything up to the empty line, byte by byte so that nothing after it is taken.
pub fn read_head(stream: &mut dyn Stream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn tls(certificate: &str) -> Arc<ServerConfig> {
    let certificates = CertificateDer::pem_file_iter(fixture(certificate)).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    Arc::new(config)
}

struct Slow {
    stream: TcpStream,
    trickle: Arc<AtomicBool>,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Slow {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if !self.trickle.load(Ordering::SeqCst) {
            return self.stream.write(buffer);
        }
        std::thread::sleep(Duration::from_millis(20));
        self.stream.write(&buffer[..1])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Sends a whole answer: `reply(stream, "302 Found", &["Location: /x"], b"")`.
pub fn reply(stream: &mut dyn Stream, status: &str, headers: &[&str], body: &[u8]) {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

/// Answers for a file as a good server does, with ranges; of the body it sends at most `most` bytes.
pub fn send_file(stream: &mut dyn Stream, head: &str, content: &[u8], tag: &str, most: usize) {
    let range = header(head, "range").filter(|_| header(head, "if-range").is_none_or(|condition| condition == tag));
    let start = range.map(|range| range["bytes=".len()..].trim_end_matches('-').parse::<usize>().unwrap());
    let total = content.len();
    let (status, start) = match start {
        Some(start) if start >= total => {
            return reply(
                stream,
                "416 No",
                &[&format!("Content-Range: bytes */{total}"), &format!("ETag: {tag}")],
                b"",
            );
        }
        Some(start) => (format!("206 Partial Content\r\nContent-Range: bytes {start}-{}/{total}", total - 1), start),
        None => ("200 OK".to_owned(), 0),
    };
    let body = &content[start..];
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nETag: {tag}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body[..length.min(most)]);
}
