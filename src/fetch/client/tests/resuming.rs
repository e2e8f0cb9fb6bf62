//! Cut off, and continued.

use std::io::{Read, Write};

use super::server::{reply, send_file};
use super::*;

const TAG: &str = "\"one\"";

#[test]
fn a_download_that_was_cut_goes_on_where_it_stopped() {
    let file = content(300_000);
    let served = file.clone();
    let server = Server::http(move |stream, head, before| {
        send_file(stream, head, &served, TAG, if before < 2 { 100_000 } else { usize::MAX });
    });
    let place = Place::new();
    let url = server.url("/file?token=s3cret").replace("://", "://user:hunter2@");
    for came in [100_000, 200_000] {
        let failure = place.download(&client(), &url).unwrap_err();
        assert_eq!(failure.retry, Retry::Soon);
        assert!(failure.text.contains("was cut, after"), "{failure}");
        assert_eq!(place.content(), &file[..came]);
    }
    let note = std::fs::read_to_string(place.note()).unwrap();
    assert!(!note.contains("s3cret") && !note.contains("hunter2"), "{note}");
    let mut seen = Vec::new();
    client()
        .download(&url, &place.file(), &mut |done, total| {
            seen.push((done, total));
            Ok(())
        })
        .unwrap();
    place.assert_whole(&file);
    assert_eq!(seen.first(), Some(&(200_000, Some(300_000))));
    assert_eq!(seen.last(), Some(&(300_000, Some(300_000))));
    assert_eq!(server.header(0, "range"), None);
    assert_eq!(server.header(0, "accept-encoding").as_deref(), Some("identity"));
    assert_eq!(server.header(1, "range").as_deref(), Some("bytes=100000-"));
    assert_eq!(server.header(2, "range").as_deref(), Some("bytes=200000-"));
    assert_eq!(server.header(2, "if-range").as_deref(), Some(TAG));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_file_that_has_changed_is_taken_from_its_start() {
    let new = content(50_000);
    let served = new.clone();
    let server = Server::http(move |stream, head, before| match before {
        0 => send_file(stream, head, &vec![7; 90_000], TAG, 60_000),
        _ => send_file(stream, head, &served, "\"two\"", usize::MAX),
    });
    let place = Place::new();
    place.download(&client(), &server.url("/file")).unwrap_err();
    place.download(&client(), &server.url("/file")).unwrap();
    place.assert_whole(&new);
    assert_eq!(server.header(1, "range").as_deref(), Some("bytes=60000-"));
}

#[test]
fn an_answer_that_does_not_fit_is_not_appended() {
    let file = content(50_000);
    for head in [
        "Content-Range: bytes 0-49999/50000\r\nETag: \"one\"",
        "Content-Range: bytes 20001-49999/50000\r\nETag: \"one\"",
        "Content-Range: bytes 20000-49998/49999\r\nETag: \"one\"",
        "Content-Range: bytes 20000-49999/50000\r\nETag: \"two\"",
        "Content-Range: nonsense",
        "Content-Type: multipart/byteranges; boundary=x",
    ] {
        let served = file.clone();
        let server = Server::http(move |stream, request, before| match before {
            0 => send_file(stream, request, &served, TAG, 20_000),
            1 => reply(stream, "206 Partial Content", &[head], &[7; 30_000]),
            _ => send_file(stream, request, &served, TAG, usize::MAX),
        });
        let place = Place::new();
        place.download(&client(), &server.url("/file")).unwrap_err();
        place.download(&client(), &server.url("/file")).unwrap();
        place.assert_whole(&file);
        assert_eq!(server.header(2, "range"), None, "{head}");
    }
}

#[test]
fn whatever_a_kill_leaves_the_next_attempt_comes_out_right() {
    let file = content(3_000);
    let served = file.clone();
    let server = Server::http(move |stream, head, _| send_file(stream, head, &served, TAG, usize::MAX));
    let url = server.url("/file");
    let note = |url: &str, tag: &str, total: u64| {
        format!(r#"{{"url":"{url}","validator":{},"total":{total}}}"#, serde_json::to_string(tag).unwrap())
    };
    let right = note(&url, TAG, 3_000);
    let mut longer = file.clone();
    longer.extend([7; 10]);
    let parts: [&[u8]; 6] = [b"", &file[..1], &file[..1_500], &file[..2_999], &file, &longer];
    for (part, continued) in parts.into_iter().zip([false, true, true, true, true, false]) {
        let notes = [
            (Some(right.clone()), continued),
            (Some(right[..right.len() - 1].to_owned()), false),
            (Some(note(&server.url("/other"), TAG, 3_000)), false),
            (Some(note(&url, TAG, 2_000)), continued && part.len() <= 2_000),
            (Some(note(&url, "\"old\"", 3_000)), continued),
            (Some(note(&url, "\"one\"\r\nX: y", 3_000)), false),
            (Some("\0".repeat(100)), false),
            (None, false),
        ];
        for (note, asks) in notes {
            let place = Place::new();
            std::fs::write(place.file(), part).unwrap();
            if let Some(note) = &note {
                std::fs::write(place.note(), note).unwrap();
            }
            let before = server.requests().len();
            place.download(&client(), &url).unwrap();
            place.assert_whole(&file);
            assert_eq!(server.header(before, "range").is_some(), asks, "{} {note:?}", part.len());
        }
    }
}

#[test]
fn what_is_there_of_another_file_is_not_built_upon() {
    // The answer says that all is there: so many bytes, but of what?
    let file = content(1_000);
    let served = file.clone();
    let server = Server::http(move |stream, head, before| match before {
        0 => reply(stream, "416 No", &["Content-Range: bytes */1000", "ETag: \"two\""], b""),
        _ => send_file(stream, head, &served, "\"two\"", usize::MAX),
    });
    let place = Place::new();
    std::fs::write(place.file(), [7; 1_000]).unwrap();
    let note = format!(r#"{{"url":"{}","validator":"\"one\"","total":1000}}"#, server.url("/file"));
    std::fs::write(place.note(), note).unwrap();
    place.download(&client(), &server.url("/file")).unwrap();
    place.assert_whole(&file);
}

#[test]
fn only_a_strong_validator_is_relied_on() {
    const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
    for (headers, condition) in [
        (&["ETag: W/\"weak\""][..], None),
        (&["ETag: unquoted"], None),
        (&["Last-Modified: Sun, 06 Nov 1994 08:49:36 GMT"], None),
        (&["Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", DATE], None),
        (&["Last-Modified: Sun, 06 Nov 1994 08:49:36 GMT", DATE], Some("Sun, 06 Nov 1994 08:49:36 GMT")),
        (
            &["ETag: W/\"weak\"", "Last-Modified: Sat, 05 Nov 1994 08:49:36 GMT", DATE],
            Some("Sat, 05 Nov 1994 08:49:36 GMT"),
        ),
        (&["ETag: \"strong\"", "Last-Modified: Sat, 05 Nov 1994 08:49:36 GMT", DATE], Some("\"strong\"")),
    ] {
        let server = Server::http(move |stream, _, before| {
            if before == 0 {
                let headers = headers.join("\r\n");
                let head =
                    format!("HTTP/1.1 200 OK\r\n{headers}\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf");
                stream.write_all(head.as_bytes()).unwrap();
            } else {
                reply(stream, "200 OK", &[], b"whole");
            }
        });
        let place = Place::new();
        place.download(&client(), &server.url("/file")).unwrap_err();
        assert_eq!(place.content(), b"half");
        place.download(&client(), &server.url("/file")).unwrap();
        place.assert_whole(b"whole");
        assert_eq!(server.header(1, "if-range").as_deref(), condition, "{headers:?}");
    }
}

#[test]
fn a_body_without_a_length_ends_with_the_connection_or_its_last_chunk() {
    let server = Server::http(|stream, head, _| {
        let _ = stream.write_all(match head.split(' ').nth(1).unwrap() {
            "/close" => b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
            "/chunks" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            "/gzip" => b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\nhello",
            _ => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nl",
        });
    });
    for path in ["/close", "/chunks", "/gzip"] {
        let place = Place::new();
        place.download(&client(), &server.url(path)).unwrap();
        place.assert_whole(b"hello");
    }
    let failure = Place::new().download(&client(), &server.url("/cut")).unwrap_err();
    assert_eq!(failure.retry, Retry::Soon);
}

#[test]
fn a_reset_is_not_taken_for_the_end() {
    let server = Server::raw(|mut stream, _| {
        // What is left unread of the request turns the close into a reset.
        let _ = stream.read(&mut [0; 1]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf").unwrap();
        std::thread::sleep(Duration::from_millis(50));
    });
    let failure = Place::new().download(&client(), &server.url("/file")).unwrap_err();
    assert_eq!(failure.retry, Retry::Soon);
    assert!(failure.text.contains("reset"), "{failure}");
}

#[test]
fn progress_is_told_now_and_then_and_at_the_end() {
    let file = content(20 << 20);
    let server = Server::http(move |stream, head, _| send_file(stream, head, &file, TAG, usize::MAX));
    let place = Place::new();
    let begin = std::time::Instant::now();
    let mut seen = Vec::new();
    client()
        .download(&server.url("/file"), &place.file(), &mut |done, total| {
            seen.push((done, total));
            Ok(())
        })
        .unwrap();
    let expected = begin.elapsed().as_millis() / 100 + 2;
    assert!(seen.len() as u128 <= expected, "{seen:?}");
    assert_eq!(seen.last(), Some(&(20 << 20, Some(20 << 20))));
}
