//! Servers that refuse, stall, and send something else.

use std::net::TcpListener;
use std::time::Instant;

use super::server::reply;
use super::*;

/// The failure of a download from a server that answers so.
fn refused(answer: &'static [u8]) -> Failure {
    let server = Server::http(move |stream, _, _| stream.write_all(answer).unwrap());
    Place::new().download(&client(), &server.url("/tool.tar.gz")).unwrap_err()
}

#[test]
fn a_status_says_whether_another_try_may_help() {
    let failure = refused(b"HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\n\r\nsecret page");
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("the server has no such file (status 404)"), "{failure}");
    assert!(failure.text.contains("/tool.tar.gz") && !failure.text.contains("secret page"), "{failure}");
    let failure = refused(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(failure.retry, Retry::After(Duration::from_secs(7)));
    let failure = refused(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(failure.retry, Retry::Soon);
    let failure = refused(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n");
    assert!(failure.hint.unwrap().contains("USER:PASSWORD"));
    assert_eq!(refused(b"HTTP/1.1 206 Odd\r\nContent-Length: 1\r\n\r\nx").retry, Retry::Never);
    assert_eq!(refused(b"HTTP/1.1 204 None\r\n\r\n").retry, Retry::Never);
}

#[test]
fn a_refusal_leaves_what_came_before() {
    let server = Server::http(|stream, head, before| match before {
        0 => super::server::send_file(stream, head, b"hello world", "\"1\"", 5),
        1 => reply(stream, "500 Oops", &[], b"oops"),
        2 => reply(stream, "200 OK", &["Content-Type: text/html"], b"<html>"),
        _ => super::server::send_file(stream, head, b"hello world", "\"1\"", 99),
    });
    let place = Place::new();
    for _ in 0..3 {
        place.download(&client(), &server.url("/file")).unwrap_err();
        assert_eq!(place.content(), b"hello");
    }
    place.download(&client(), &server.url("/file")).unwrap();
    place.assert_whole(b"hello world");
    assert_eq!(server.header(3, "range").as_deref(), Some("bytes=5-"));
}

#[test]
fn nonsense_in_place_of_an_answer_is_a_failure() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\xff\0\xff\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    ] {
        let failure = refused(answer);
        assert!(!failure.text.contains('\n'), "{failure}");
    }
}

#[test]
fn a_server_that_stalls_is_left() {
    let stalls: [&[u8]; 3] =
        [b"", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"];
    for answer in stalls {
        let server = Server::http(move |stream, _, _| {
            stream.write_all(answer).unwrap();
            std::thread::sleep(STALL * 5);
        });
        let begin = Instant::now();
        let failure = Place::new().download(&impatient(), &server.url("/file")).unwrap_err();
        assert_eq!(failure.retry, Retry::Soon);
        assert!(failure.text.contains(&format!("no data for 300ms from {}", server.address)), "{failure}");
        assert!((STALL..STALL * 4).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    }
}

#[test]
fn a_server_that_trickles_is_left_as_well() {
    let heads: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0",
    ];
    for head in heads {
        let server = Server::http(move |stream, _, _| {
            stream.write_all(head).unwrap();
            while stream.write_all(b"0").is_ok() {
                std::thread::sleep(STALL / 10);
            }
        });
        let begin = Instant::now();
        let failure = Place::new().download(&impatient(), &server.url("/file")).unwrap_err();
        assert_eq!(failure.retry, Retry::Soon);
        assert!(begin.elapsed() < STALL * 4, "{:?}", begin.elapsed());
    }
}

#[test]
fn a_server_that_is_slow_but_steady_is_not_left() {
    let server = Server::http(|stream, _, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20480\r\n\r\n").unwrap();
        for _ in 0..10 {
            std::thread::sleep(STALL / 2);
            stream.write_all(&[7; 2048]).unwrap();
        }
    });
    let place = Place::new();
    let client = Client { settings: Settings { stall: STALL * 4, ..Settings::default() } };
    place.download(&client, &server.url("/file")).unwrap();
    place.assert_whole(&[7; 20480]);
}

#[test]
fn who_is_not_there_may_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = client().text(&format!("http://user:hunter2@{address}/x?y=s3cret"), 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Soon);
    assert!(failure.text.contains(&format!("{address} refuses the connection")), "{failure}");
    assert!(!failure.text.contains("hunter2") && !failure.text.contains("s3cret"), "{failure}");
    let failure = impatient().text("http://nowhere.invalid/x", 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Soon);
    assert!(failure.text.contains("nowhere.invalid"), "{failure}");
}

#[test]
fn a_name_server_that_does_not_answer_is_told_from_a_name_that_is_not_there() {
    let failure = std::thread::spawn(|| {
        // A network without anybody in it: needs root.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).ok()?;
        impatient().text("http://nowhere.invalid/x", 10).err()
    });
    let Some(failure) = failure.join().unwrap() else { return };
    assert_eq!(failure.retry, Retry::Soon);
    assert!(failure.text.ends_with("no name server says where nowhere.invalid is"), "{failure}");
    assert!(failure.hint.unwrap().contains("/etc/resolv.conf"));
}

#[test]
fn redirects_are_followed_with_the_range_but_not_for_ever() {
    let server = Server::http(|stream, head, _| match head.split(' ').nth(1).unwrap() {
        "/a/latest" => reply(stream, "302 Found", &["Location: v1/file?signed=1"], b"moved"),
        "/a/v1/file?signed=1" => reply(stream, "307 Again", &["Location: ../v2"], b""),
        "/a/v2" => reply(stream, "200 OK", &[], b"hello"),
        "/gone" => reply(stream, "302 Found", &["Location: /nothing?token=s3cret"], b""),
        "/nothing?token=s3cret" => reply(stream, "404 No", &[], b""),
        _ => reply(stream, "302 Found", &["Location: /circle"], b""),
    });
    let place = Place::new();
    place.download(&client(), &server.url("/a/latest")).unwrap();
    place.assert_whole(b"hello");
    let failure = place.download(&client(), &server.url("/gone")).unwrap_err();
    assert!(failure.text.contains("/gone: the server has no such file"), "{failure}");
    assert!(failure.text.contains("/nothing") && !failure.text.contains("s3cret"), "{failure}");
    let before = server.requests().len();
    let failure = place.download(&client(), &server.url("/circle")).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("redirects too often"), "{failure}");
    assert_eq!(server.requests().len() - before, 11);
    assert_eq!(client().redirect(&server.url("/a/latest")).unwrap(), server.url("/a/v1/file?signed=1"));
    assert_eq!(client().redirect(&server.url("/a/v2")).unwrap(), server.url("/a/v2"));
    assert!(client().redirect(&server.url("/nothing?token=s3cret")).unwrap_err().text.contains("404"));
}

#[test]
fn credentials_of_a_url_stay_with_its_server() {
    let other = Server::http(|stream, _, _| reply(stream, "200 OK", &[], b"hello"));
    let there = format!("Location: {}", other.url("/x"));
    let server = Server::http(move |stream, head, _| match head.split(' ').nth(1).unwrap() {
        "/here" => reply(stream, "302 Found", &["Location: /there"], b""),
        _ => reply(stream, "302 Found", &[&there], b""),
    });
    let url = server.url("/here").replace("://", "://user:p%40ss@");
    assert_eq!(client().text(&url, 10).unwrap(), "hello");
    for request in [0, 1] {
        assert_eq!(server.header(request, "authorization").as_deref(), Some("Basic dXNlcjpwQHNz"));
    }
    assert_eq!(other.header(0, "authorization"), None);
}

#[test]
fn a_web_page_is_not_taken_for_a_file() {
    let server = Server::http(|stream, _, _| {
        reply(stream, "200 OK", &["Content-Type: Text/HTML; charset=utf-8"], b"<title>Sign in</title>");
    });
    let place = Place::new();
    let failure = place.download(&client(), &server.url("/tool.tar.gz?token=s3cret")).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("a web page instead of tool.tar.gz"), "{failure}");
    assert!(failure.hint.as_ref().unwrap().contains("/tool.tar.gz in a browser"), "{failure:?}");
    assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
    assert_eq!(place.content(), b"");
    place.download(&client(), &server.url("/index.html")).unwrap();
    assert!(client().text(&server.url("/page"), 100).unwrap().contains("Sign in"));
}

#[test]
fn a_text_has_a_limit() {
    let server = Server::http(|stream, _, _| reply(stream, "200 OK", &[], b"hello"));
    assert_eq!(client().text(&server.url("/"), 5).unwrap(), "hello");
    let failure = client().text(&server.url("/"), 4).unwrap_err();
    assert!(failure.text.contains("longer than 4 bytes"), "{failure}");
    assert_eq!(failure.retry, Retry::Never);
}

#[test]
fn a_folder_of_the_machine_stands_in_for_the_web() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    std::fs::write(folder.path().join("a file"), content(300_000)).unwrap();
    std::fs::write(folder.path().join("latest.location"), "https://host/tag/v1\n").unwrap();
    std::fs::write(folder.path().join("near.location"), "tag/v1").unwrap();
    let place = Place::new();
    std::fs::write(place.file(), vec![7; 400_000]).unwrap();
    let mut seen = Vec::new();
    client()
        .download(&url("a%20file"), &place.file(), &mut |done, total| {
            seen.push((done, total));
            Ok(())
        })
        .unwrap();
    place.assert_whole(&content(300_000));
    assert_eq!(seen.last(), Some(&(300_000, Some(300_000))));
    assert_eq!(client().redirect(&url("latest")).unwrap(), "https://host/tag/v1");
    assert_eq!(client().redirect(&url("near")).unwrap(), url("tag/v1"));
    assert_eq!(client().redirect(&url("a%20file")).unwrap(), url("a%20file"));
    assert_eq!(client().text(&url("near.location"), 6).unwrap(), "tag/v1");
    assert!(client().text(&url("near.location"), 5).unwrap_err().text.contains("longer than 5 bytes"));
    let missing = folder.path().join("missing").display().to_string();
    for failure in [
        client().text(&url("missing"), 5).unwrap_err(),
        client().redirect(&url("missing")).unwrap_err(),
        place.download(&client(), &url("missing")).unwrap_err(),
        place.download(&client(), &url("")).unwrap_err(),
    ] {
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.text.contains(&missing) || failure.text.contains("not a file"), "{failure}");
    }
    place.assert_whole(&content(300_000));
}
