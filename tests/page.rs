//! The page over real sockets, and above all: its port is free the moment it dies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use devinit::machine::Machine;
use devinit::page::{self, PageData};
use devinit::status::BootRecord;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket};
use nix::unistd::Pid;

/// Tells the child of this test which address it serves on.
const ADDRESS: &str = "DEVINIT_TEST_PAGE_ADDRESS";

/// A server in a process of its own, on a port that nobody else has.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Runs [`the_server`] in a copy of this program. Every server has a loopback address of its own, so that tests
    /// which run at the same time cannot take each other's ports.
    fn start(last: u8) -> Self {
        let address = SocketAddr::from((Ipv4Addr::new(127, 15, 27, last), 27015));
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "the_server", "--nocapture"])
            .env(ADDRESS, address.ip().to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        // Closed by this side, so it leaves nothing on the server's.
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "the server does not come up");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream
    }

    /// Ends it as the engine does, and binds its port at once as an app does that knows nothing of SO_REUSEADDR.
    fn stop_and_bind(mut self) -> nix::Result<()> {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(15));
        bind_plainly(self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bind_plainly(address: SocketAddr) -> nix::Result<()> {
    let SocketAddr::V4(address) = address else { panic!("{address}") };
    let app = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(app.as_raw_fd(), &SockaddrIn::from(address))
}

fn data() -> PageData {
    PageData::new(&BootRecord::default(), None, &Machine::look(Path::new("/nonexistent"), &|_| None))
}

/// Not a test but the server that the tests start; alone it does nothing.
#[test]
fn the_server() {
    let Ok(address) = env::var(ADDRESS) else { return };
    let address: IpAddr = address.parse().unwrap();
    let listener = page::bind(Some(address), 27015).unwrap();
    let Err(error) = page::serve(&listener, &mut data);
    panic!("{error}");
}

/// An answer's head and body, read by its length as clients do that keep the connection.
fn read_answer(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the answer ends within: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return (head.to_owned(), body.to_owned());
        }
    }
}

fn is_whole(text: &str) -> bool {
    text.starts_with("HTTP/1.1 503 ") && text.ends_with("</html>\n")
}

#[test]
fn clients_that_close_leave_the_port_free() {
    let server = Server::start(1);
    for _ in 0..20 {
        let mut stream = server.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        assert!(read_answer(&mut stream).1.ends_with("</html>\n"));
    }
    server.stop_and_bind().unwrap();
}

#[test]
fn clients_that_wait_for_the_end_get_all_of_it_and_leave_the_port_free() {
    let server = Server::start(2);
    let ask = |request: &'static str| {
        let mut stream = server.connect();
        std::thread::spawn(move || {
            stream.write_all(request.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert!(is_whole(&text), "{text}");
        })
    };
    let requests = ["GET / HTTP/1.0\r\n\r\n", "GET /lab HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"];
    let clients: Vec<_> = (0..20).map(|number| ask(requests[number % 2])).collect();
    for client in clients {
        client.join().unwrap();
    }
    server.stop_and_bind().unwrap();
}

#[test]
fn clients_that_send_their_end_first_get_all_and_leave_the_port_free() {
    let server = Server::start(3);
    for request in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(is_whole(&text), "{text}");
    }
    server.stop_and_bind().unwrap();
}

#[test]
fn kept_connections_are_reused_and_reset_by_the_server_s_death() {
    let server = Server::start(4);
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(b"GET /deep/link HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let (head, body) = read_answer(&mut stream);
        assert!(head.contains("Retry-After: 2") && body.ends_with("</html>\n"));
    }
    let waiting = server.connect();
    let mut half = server.connect();
    half.write_all(b"GET / HT").unwrap();
    server.stop_and_bind().unwrap();
    let end = stream.read(&mut [0; 1]);
    assert!(matches!(&end, Err(error) if error.kind() == ErrorKind::ConnectionReset), "{end:?}");
    drop((waiting, half));
}

#[test]
fn curl_leaves_the_port_free() {
    let server = Server::start(5);
    let url = format!("http://{}/status.json", server.address);
    for style in
        [&["--http1.0"][..], &["--http1.1"], &["-H", "Connection: close"], &["--head"], &["-X", "POST", "-d", "x"]]
    {
        let curl =
            Command::new("curl").args(["-sS", "--noproxy", "*", "--max-time", "10"]).args(style).arg(&url).output();
        match curl {
            Ok(output) => assert!(output.status.success(), "{style:?}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
    }
    server.stop_and_bind().unwrap();
}

#[test]
fn bad_requests_are_told_so_although_more_is_on_its_way() {
    let server = Server::start(6);
    let flood = vec![b'a'; 30_000];
    for (request, status) in [(&b"nonsense\r\n\r\n"[..], "400"), (b"PUT / HTTP/1.0\r\n\r\n", "405"), (&flood, "431")] {
        let mut stream = server.connect();
        stream.write_all(request).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
    server.stop_and_bind().unwrap();
}

#[test]
fn requests_that_come_together_are_answered_one_after_the_other() {
    let server = Server::start(7);
    let mut stream = server.connect();
    stream.write_all(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /status.json HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, second) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/html"));
    let body: serde_json::Value = serde_json::from_str(second.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["state"], "unknown");
}

#[test]
fn slow_clients_keep_nobody_waiting_for_long() {
    let server = Server::start(8);
    // More than there is room for; one trickles, which does not buy it time.
    let mut slow: Vec<TcpStream> = (0..70).map(|_| server.connect()).collect();
    let mut stream = server.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        let _ = slow[0].write_all(b"G");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(read_answer(&mut stream).1.ends_with("</html>\n"));
    assert!(start.elapsed() < Duration::from_secs(13));
    assert_eq!(slow[0].read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.stop_and_bind().unwrap();
}

#[test]
fn all_addresses_of_both_families_are_served() {
    let listener = page::bind(None, 0).unwrap();
    let port = listener.local_addr().unwrap().port();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    if listener.local_addr().unwrap().is_ipv6() && Path::new("/proc/net/if_inet6").exists() {
        TcpStream::connect(("::1", port)).unwrap();
    }
    assert_eq!(page::bind(None, port).unwrap_err().kind(), ErrorKind::AddrInUse);
}
