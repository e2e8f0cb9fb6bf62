//! Proxies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::server::{read_head, reply};
use super::trust::trusting;
use super::*;

/// A proxy that understands CONNECT and leads to this address, whatever it is asked for.
pub fn tunnel(to: SocketAddr) -> Server {
    Server::raw(move |mut stream, requests| {
        requests.lock().unwrap().push(read_head(&mut stream));
        let _ = stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n");
        relay(stream, to);
    })
}

fn relay(stream: TcpStream, to: SocketAddr) {
    let onward = TcpStream::connect(to).unwrap();
    let (mut up, mut up_to) = (stream.try_clone().unwrap(), onward.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut up, &mut up_to));
    let (mut down, mut down_to) = (onward, stream);
    let _ = std::io::copy(&mut down, &mut down_to);
    let _ = down_to.shutdown(std::net::Shutdown::Both);
}

fn all(proxy: impl Into<String>) -> Proxies {
    Proxies { all: Some(proxy.into()), ..Proxies::default() }
}

#[test]
fn a_proxy_is_asked_for_the_whole_url() {
    let proxy = Server::http(|stream, head, _| match head.split(' ').nth(1).unwrap() {
        "http://files.example:8080/a?b" => reply(stream, "302 Found", &["Location: http://cdn.example/c"], b""),
        _ => reply(stream, "200 OK", &[], b"hello"),
    });
    let url = proxy.url("").replace("://", "://us%40er:p%3Ass@");
    let place = Place::new();
    place.download(&behind(all(&url)), "http://files.example:8080/a?b").unwrap();
    place.assert_whole(b"hello");
    let requests = proxy.requests();
    assert!(requests[0].starts_with("GET http://files.example:8080/a?b HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[1].starts_with("GET http://cdn.example/c HTTP/1.1\r\n"), "{}", requests[1]);
    for request in [0, 1] {
        assert_eq!(proxy.header(request, "proxy-authorization").as_deref(), Some("Basic dXNAZXI6cDpzcw=="));
        assert_eq!(proxy.header(request, "authorization"), None);
    }
    assert_eq!(proxy.header(0, "host").as_deref(), Some("files.example:8080"));
    // Without a scheme it is the same proxy.
    assert_eq!(behind(all(proxy.address.to_string())).text("http://x.example/", 10).unwrap(), "hello");
}

#[test]
fn a_proxy_connects_to_a_server_of_https() {
    let server =
        Server::https("loopback.pem", std::sync::Arc::default(), |stream, _, _| reply(stream, "200 OK", &[], b"hello"));
    let proxy = tunnel(server.address);
    let proxies = all(proxy.url("").replace("://", "://us%40er:p%3Ass@"));
    assert_eq!(trusting(proxies).text("https://files.example/x", 10).unwrap(), "hello");
    assert!(proxy.requests()[0].starts_with("CONNECT files.example:443 HTTP/1.1\r\n"));
    assert_eq!(proxy.header(0, "proxy-authorization").as_deref(), Some("Basic dXNAZXI6cDpzcw=="));
    assert!(server.requests()[0].starts_with("GET /x HTTP/1.1\r\n"));
    assert_eq!(server.header(0, "proxy-authorization"), None);
}

#[test]
fn a_proxy_that_refuses_is_named_and_its_credentials_are_not() {
    for (status, retry, text) in [
        ("407 Who", Retry::Never, "status 407"),
        ("403 No", Retry::Never, "status 403"),
        ("502 Bad Gateway", Retry::Soon, "status 502"),
    ] {
        let proxy = Server::http(move |stream, _, _| reply(stream, status, &[], b""));
        let client = behind(all(proxy.url("").replace("://", "://user:hunter2@")));
        let failure = client.text("https://files.example/x", 10).unwrap_err();
        assert_eq!(failure.retry, retry, "{failure}");
        let expected = format!("the proxy {} refuses to connect to files.example ({text})", proxy.address);
        assert!(failure.text.contains(&expected), "{failure}");
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
    }
    let failure = behind(all("http://127.0.0.1:1")).text("https://files.example/x", 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Soon);
    assert!(failure.text.contains("the proxy 127.0.0.1:1 refuses the connection"), "{failure}");
    let mute = Server::raw(|stream, _| {
        std::thread::sleep(STALL * 5);
        drop(stream);
    });
    let mut client = behind(all(mute.url("")));
    client.settings.stall = STALL;
    let failure = client.text("https://files.example/x", 10).unwrap_err();
    assert!(failure.text.contains("no data for 300ms from files.example (through the proxy"), "{failure}");
}

#[test]
fn exceptions_and_this_machine_are_reached_directly() {
    let server = Server::http(|stream, _, _| reply(stream, "200 OK", &[], b"direct"));
    let proxy = Server::http(|stream, _, _| reply(stream, "200 OK", &[], b"proxy"));
    let mut client = behind(Proxies { no_proxy: Some(".direct.example".into()), ..all(proxy.url("")) });
    assert_eq!(client.text(&server.url("/"), 10).unwrap(), "direct");
    assert_eq!(client.text(&server.url("/").replace("127.0.0.1", "localhost"), 10).unwrap(), "direct");
    assert_eq!(client.text("http://files.example/", 10).unwrap(), "proxy");
    // Not through the proxy, which would have answered.
    client.settings.stall = STALL;
    let failure = client.text("http://a.direct.example/", 10).unwrap_err();
    assert!(failure.text.contains("the name of a.direct.example"), "{failure}");
    assert_eq!(proxy.requests().len(), 1);
}

/// A SOCKS5 proxy that wants a user and a password, notes what it was asked for, and answers in place of the server.
fn socks() -> Server {
    Server::raw(|mut stream, requests| {
        let count = take(&mut stream, 2)[1];
        let offers_password = take(&mut stream, count).contains(&2);
        stream.write_all(&[5, if offers_password { 2 } else { 0xff }]).unwrap();
        if !offers_password {
            return;
        }
        let length = take(&mut stream, 2)[1];
        let user = take(&mut stream, length);
        let password = counted(&mut stream);
        stream.write_all(&[1, 0]).unwrap();
        assert_eq!(take(&mut stream, 4), [5, 1, 0, 3], "connect to a name");
        let host = counted(&mut stream);
        take(&mut stream, 2);
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let asked = [user, password, host].map(|bytes| String::from_utf8(bytes).unwrap()).join(" ");
        let head = read_head(&mut stream);
        requests.lock().unwrap().extend([asked, head]);
        reply(&mut stream, "200 OK", &[], b"hello");
    })
}

fn take(stream: &mut TcpStream, count: u8) -> Vec<u8> {
    let mut bytes = vec![0; count.into()];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn counted(stream: &mut TcpStream) -> Vec<u8> {
    let count = take(stream, 1)[0];
    take(stream, count)
}

#[test]
fn a_socks_proxy_finds_the_name_itself() {
    let proxy = socks();
    let client = behind(all(format!("socks5h://us%40er:pass@{}", proxy.address)));
    assert_eq!(client.text("http://files.example/x", 10).unwrap(), "hello");
    assert_eq!(proxy.requests()[0], "us@er pass files.example");
    assert!(proxy.requests()[1].starts_with("GET /x HTTP/1.1\r\n"));
    let failure = behind(all(format!("socks5h://{}", proxy.address))).text("http://files.example/x", 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("user and password"), "{failure}");
}

#[test]
fn a_broken_proxy_is_said_without_its_value() {
    let failure = behind(all("ftp://user:hunter2@proxy.example")).text("http://files.example/", 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
}
