//! A forward proxy that wants a password, and knows one server only: whatever is asked for comes from there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::{BRIDGE, Mirror, Request};

/// A forward proxy; gone when dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    authorization: String,
    server: SocketAddr,
    seen: Mutex<Vec<String>>,
    refused: Mutex<usize>,
    ended: AtomicBool,
}

impl Proxy {
    /// In front of a mirror; `user:password` of it, in Base64, is what clients have to send.
    pub fn before(mirror: &Mirror, credentials: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            authorization: format!("Basic {}", base64(credentials.as_bytes())),
            server: mirror.local(),
            seen: Mutex::default(),
            refused: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for client in listener.incoming() {
                    if shared.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || client.ok().and_then(|client| pass(&client, &shared)));
                }
            }
        });
        Self { port, shared }
    }

    /// `172.29.77.1:PORT`, as containers reach it.
    pub fn address(&self) -> String {
        format!("{BRIDGE}:{}", self.port)
    }

    /// Its address on this side of the bridge.
    pub fn local(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What was asked for with the right password: `GET http://…`, `CONNECT host:port`.
    pub fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many requests came without it.
    pub fn refused(&self) -> usize {
        *self.shared.refused.lock().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.local());
    }
}

fn pass(client: &TcpStream, shared: &Shared) -> Option<()> {
    client.set_read_timeout(Some(super::PATIENCE)).ok()?;
    let mut from = client;
    let request = Request::read(&mut from)?;
    if request.header("proxy-authorization") != Some(&shared.authorization) {
        *shared.refused.lock().unwrap() += 1;
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\n\
                       Content-Length: 0\r\nConnection: close\r\n\r\n";
        return from.write_all(refusal.as_bytes()).ok();
    }
    shared.seen.lock().unwrap().push(format!("{} {}", request.method, request.path));
    let server = TcpStream::connect(shared.server).ok()?;
    if request.method == "CONNECT" {
        from.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    } else {
        (&server).write_all(origin_form(&request)?.as_bytes()).ok()?;
    }
    splice(client, &server)
}

/// `GET http://host/path` as the server itself is asked: `GET /path`.
fn origin_form(request: &Request) -> Option<String> {
    let (_, rest) = request.path.split_once("://")?;
    let path = rest.find('/').map_or("/", |slash| &rest[slash..]).replace(' ', "%20");
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let headers: String = request
        .headers
        .iter()
        .filter(|(name, _)| !name.starts_with("proxy-"))
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    Some(format!("{} {path}{query} HTTP/1.1\r\n{headers}\r\n", request.method))
}

/// Passes on both ways until the server has ended.
fn splice(client: &TcpStream, server: &TcpStream) -> Option<()> {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            copy(client, server);
            let _ = server.shutdown(Shutdown::Write);
        });
        copy(server, client);
        let _ = client.shutdown(Shutdown::Both);
    });
    Some(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut bytes = [0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let value = (0..3).fold(0, |value, at| value << 8 | u32::from(group.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let digit = DIGITS[(value >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}
