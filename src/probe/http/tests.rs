//! Against servers that answer what a test has them say.

use std::net::{Ipv4Addr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// Serves one connection: each part of the answer after a pause. Returns what was asked.
fn server(address: IpAddr, answer: Vec<Vec<u8>>, pause: Duration) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut buffer = [0u8; 4096];
        while !asked.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(length) if length > 0 => asked.extend_from_slice(&buffer[..length]),
                _ => break,
            }
        }
        for part in answer {
            if stream.write_all(&part).is_err() {
                break;
            }
            thread::sleep(pause);
        }
        String::from_utf8(asked).unwrap()
    };
    (port, thread::spawn(serve))
}

/// Looks at a server that answers so, and says how long that took.
fn slow(answer: Vec<Vec<u8>>, pause: Duration, limit: Duration, wanted: Http) -> (Result<(), String>, Duration) {
    let (port, server) = server(Ipv4Addr::LOCALHOST.into(), answer, pause);
    let begun = Instant::now();
    let url = format!("http://127.0.0.1:{port}/");
    let seen = look(&Http { url: url.clone(), ..wanted }, Deadline::after(limit));
    let took = begun.elapsed();
    server.join().unwrap();
    (seen.map_err(|why| why.strip_prefix(&format!("{url}: ")).unwrap().to_owned()), took)
}

fn seen(answer: &str, wanted: Http) -> Result<(), String> {
    slow(vec![answer.as_bytes().to_vec()], Duration::ZERO, LIMIT, wanted).0
}

fn with_body(body: &str) -> Http {
    Http { body: Some(body.to_owned()), ..Http::default() }
}

#[test]
fn an_answer_below_400_and_one_that_asks_who_you_are_is_up() {
    for status in [
        "101 Switching Protocols",
        "200 OK",
        "204 No Content",
        "302 Found",
        "399 X",
        "401 Unauthorized",
        "403 Forbidden",
    ] {
        assert_eq!(seen(&format!("HTTP/1.1 {status}\r\n\r\n"), Http::default()), Ok(()), "{status}");
    }
    for status in ["400", "404", "402", "500", "503"] {
        let answer = format!("HTTP/1.1 {status} X\r\n\r\n");
        assert_eq!(seen(&answer, Http::default()), Err(format!("HTTP {status}")));
    }
    assert_eq!(seen("HTTP/1.0 200\r\n\r\n", Http::default()), Ok(()));
    for answer in ["", "SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2ü0\r\n\r\n"]
    {
        assert_eq!(seen(answer, Http::default()), Err("the answer is not HTTP".to_owned()), "{answer:?}");
    }
}

#[test]
fn the_status_can_be_asked_for() {
    let status = |from, to| Http { status: Some((from, to)), ..Http::default() };
    assert_eq!(seen("HTTP/1.1 204 X\r\n\r\n", status(200, 299)), Ok(()));
    assert_eq!(seen("HTTP/1.1 503 X\r\n\r\n", status(503, 503)), Ok(()));
    assert_eq!(seen("HTTP/1.1 302 X\r\n\r\n", status(200, 299)), Err("HTTP 302, not 200-299".to_owned()));
    assert_eq!(seen("HTTP/1.1 401 X\r\n\r\n", status(200, 200)), Err("HTTP 401, not 200".to_owned()));
}

#[test]
fn answers_that_only_announce_one_are_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(seen(&format!("{early}HTTP/1.1 200 OK\r\n\r\n"), Http::default()), Ok(()));
    assert_eq!(seen(&format!("{early}HTTP/1.1 500 X\r\n\r\n"), Http::default()), Err("HTTP 500".to_owned()));
    assert!(seen(&early.repeat(10), Http::default()).is_err());
}

#[test]
fn the_body_can_be_asked_for_however_it_is_sent() {
    let missing = Err("the body does not hold what it should".to_owned());
    for head in ["\r\n", "Content-Length: 14\r\n\r\n", "content-length:14\r\n\r\n", "Content-Length: 1000\r\n\r\n"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}all is up now\n");
        assert_eq!(seen(&answer, with_body("is up")), Ok(()));
        assert_eq!(seen(&answer, with_body("")), Ok(()));
        assert_eq!(seen(&answer, with_body("is down")), missing);
    }
    // What stands in the head, or behind the end, is not the body.
    assert_eq!(seen("HTTP/1.1 200 OK\r\nX: up\r\nContent-Length: 2\r\n\r\nnoup", with_body("up")), missing);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nall i\r\n4\r\ns up\r\n0\r\n\r\n";
    assert_eq!(seen(chunked, with_body("is up")), Ok(()));
    assert_eq!(seen(chunked, with_body("s up\r")), missing);
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n";
    assert!(seen(broken, with_body("up")).unwrap_err().contains("chunks are not HTTP"));
    // A body counts only with a status that is up.
    assert_eq!(seen("HTTP/1.1 500 X\r\n\r\nup", with_body("up")), Err("HTTP 500".to_owned()));
}

#[test]
fn only_the_begin_of_a_body_is_looked_at() {
    let filler = "x".repeat(LONGEST_BODY as usize - 4);
    assert_eq!(seen(&format!("HTTP/1.1 200 OK\r\n\r\n{filler}here"), with_body("here")), Ok(()));
    assert!(seen(&format!("HTTP/1.1 200 OK\r\n\r\n{filler}xhere"), with_body("here")).is_err());
}

#[test]
fn what_is_looked_for_is_found_across_pieces() {
    let mut search = Search { needle: b"needle", seen: Vec::new(), found: false };
    let pieces: [&[u8]; 6] = [b"", b"nee", b"d", b"le", b"", b"x"];
    assert_eq!(pieces.map(|piece| search.found_in(piece)), [false, false, false, true, true, true]);
    let mut search = Search { needle: b"aab", seen: Vec::new(), found: false };
    assert!(!search.found_in(b"aa") && search.found_in(b"ab") && search.seen.len() <= 2);
}

#[test]
fn a_server_that_trickles_does_not_prolong_the_look() {
    let pause = Duration::from_millis(20);
    let limit = Duration::from_millis(300);
    let trickle = |text: &[u8]| text.iter().map(|byte| vec![*byte]).collect::<Vec<_>>();
    let endless = "X: y\r\n".repeat(5_000);
    // In the head, in the status line, and in a body that is waited for.
    for (text, wanted) in [
        (format!("HTTP/1.1 200 OK\r\n{endless}"), Http::default()),
        (format!("HTTP/1.1 200 {}", "O".repeat(30_000)), Http::default()),
        (format!("HTTP/1.1 200 OK\r\n\r\n{endless}"), with_body("never")),
    ] {
        let (seen, took) = slow(trickle(text.as_bytes()), pause, limit, wanted);
        assert!(seen.unwrap_err().contains("in time") && took < Duration::from_secs(10), "{took:?}");
    }
    // One that is up is, although its body goes on for ever.
    let text = format!("HTTP/1.1 200 OK\r\n\r\nup{endless}");
    let first: Vec<u8> = text.bytes().take(24).collect();
    let rest = trickle(&text.as_bytes()[24..]);
    for wanted in [Http::default(), with_body("up")] {
        let answer = [vec![first.clone()], rest.clone()].concat();
        let (seen, took) = slow(answer, pause, Duration::from_secs(60), wanted);
        assert!(seen == Ok(()) && took < Duration::from_secs(30), "{took:?}");
    }
}

#[test]
fn the_host_header_is_the_urls_or_the_one_that_is_asked_for() {
    let asked = |address: IpAddr, host: Option<&str>, path: &str| {
        let (port, server) = server(address, vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()], Duration::ZERO);
        let url = format!("http://{}{path}", SocketAddr::new(address, port));
        look(&Http { url, host: host.map(str::to_owned), ..Http::default() }, Deadline::after(LIMIT)).unwrap();
        (port, server.join().unwrap())
    };
    let (port, text) = asked(Ipv4Addr::LOCALHOST.into(), None, "/a?b=c#d");
    assert!(text.starts_with(&format!("GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n")), "{text}");
    let (_, text) = asked(Ipv4Addr::LOCALHOST.into(), Some("app.example"), "?x");
    assert!(text.starts_with("GET /?x HTTP/1.1\r\nHost: app.example\r\n"), "{text}");
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        let (port, text) = asked(Ipv6Addr::LOCALHOST.into(), None, "");
        assert!(text.starts_with(&format!("GET / HTTP/1.1\r\nHost: [::1]:{port}\r\n")), "{text}");
    }
}

#[test]
fn a_host_by_name_is_reached_at_the_address_that_answers() {
    let (port, server) = server(Ipv4Addr::LOCALHOST.into(), vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()], Duration::ZERO);
    let wanted = Http { url: format!("http://localhost:{port}/"), ..Http::default() };
    assert_eq!(look(&wanted, Deadline::after(LIMIT)), Ok(()));
    server.join().unwrap();
}

#[test]
fn urls_are_taken_apart() {
    let parts = |url| Url::read(url).map(|url| (url.host.to_owned(), url.port, url.path));
    for (url, host, port, path) in [
        ("http://a", "a", 80, "/"),
        ("http://a:", "a", 80, "/"),
        ("http://a:8080", "a", 8080, "/"),
        ("http://a/b/c?d=http://e:1/", "a", 80, "/b/c?d=http://e:1/"),
        ("http://a?b", "a", 80, "/?b"),
        ("http://a#b", "a", 80, "/"),
        ("http://[::1]", "::1", 80, "/"),
        ("http://[::1]:8080/x", "::1", 8080, "/x"),
    ] {
        assert_eq!(parts(url), Ok((host.to_owned(), port, path.to_owned())), "{url}");
    }
    for url in [
        "https://a",
        "a",
        "http://",
        "http:///x",
        "http://:80",
        "http://a:b",
        "http://a:65536",
        "http://a:+80",
        "http://a:-1",
        "http://u:secret@a/",
        "http://a/b c",
        "http://a/\r\nX: y",
        "http://[::1",
        "http://[::1]x",
        "http://[a]:80",
        "http://[::1]80",
    ] {
        let why = parts(url).unwrap_err();
        assert!(!why.contains("secret"), "{url}: {why}");
    }
}

#[test]
fn what_a_url_asks_for_is_not_told() {
    let wanted = Http { url: "http://127.0.0.1:1/health?token=secret".to_owned(), ..Http::default() };
    let why = look(&wanted, Deadline::after(LIMIT)).unwrap_err();
    assert!(why.starts_with("http://127.0.0.1:1/health: ") && !why.contains("secret"), "{why}");
}
