//! TLS: whom to believe.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::server::{reply, send_file};
use super::*;

fn serve(certificate: &str) -> Server {
    Server::https(certificate, Arc::default(), |stream, _, _| reply(stream, "200 OK", &[], b"hello"))
}

/// A client that trusts the fixtures' authority.
pub fn trusting(proxies: Proxies) -> Client {
    Client { settings: Settings { certificates: vec![fixture("ca.pem")], stall: client().settings.stall, proxies } }
}

#[test]
fn an_unknown_authority_is_refused_unless_it_is_named() {
    let server = serve("loopback.pem");
    let failure = client().text(&server.url("/"), 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("signed by an unknown authority"), "{failure}");
    assert!(failure.hint.unwrap().contains("first_run.certificates"));
    assert_eq!(server.requests(), [""; 0]);
    assert_eq!(trusting(Proxies::default()).text(&server.url("/"), 10).unwrap(), "hello");
}

#[test]
fn a_certificate_that_is_over_or_for_another_host_is_refused() {
    let expired = serve("expired.pem");
    let failure = trusting(Proxies::default()).text(&expired.url("/"), 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("has expired"), "{failure}");
    let server = serve("loopback.pem");
    let failure = trusting(Proxies::default()).text(&server.url("/").replace("127.0.0.1", "127.0.0.2"), 10);
    assert_eq!(failure.as_ref().unwrap_err().retry, Retry::Soon, "nothing listens there: {failure:?}");
    let proxy = super::ways::tunnel(server.address);
    let proxies = Proxies { all: Some(proxy.url("")), ..Proxies::default() };
    let failure = trusting(proxies).text("https://other.example/", 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("the certificate of other.example is for another host"), "{failure}");
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_is_named() {
    let mut client = trusting(Proxies::default());
    client.settings.certificates.push("/nonexistent/ca.pem".into());
    let failure = client.text("https://127.0.0.1:1/", 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("there is no file /nonexistent/ca.pem"), "{failure}");
}

#[test]
fn a_redirect_out_of_tls_is_refused() {
    let plain = Server::http(|stream, _, _| reply(stream, "200 OK", &[], b"tampered"));
    let location = format!("Location: {}", plain.url("/file"));
    let server = Server::https("loopback.pem", Arc::default(), move |stream, _, _| {
        reply(stream, "302 Found", &[&location], b"");
    });
    let client = trusting(Proxies::default());
    let place = Place::new();
    for failure in
        [place.download(&client, &server.url("/file")).unwrap_err(), client.redirect(&server.url("/file")).unwrap_err()]
    {
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.text.contains("redirects from https to http"), "{failure}");
    }
    assert_eq!(plain.requests(), [""; 0]);
}

#[test]
fn a_download_over_tls_goes_on_where_it_stopped() {
    let file = content(400_000);
    let served = file.clone();
    let server = Server::https("loopback.pem", Arc::default(), move |stream, head, before| {
        send_file(stream, head, &served, "\"1\"", if before == 0 { 150_000 } else { usize::MAX });
    });
    let place = Place::new();
    let client = trusting(Proxies::default());
    assert_eq!(place.download(&client, &server.url("/file")).unwrap_err().retry, Retry::Soon);
    place.download(&client, &server.url("/file")).unwrap();
    place.assert_whole(&file);
    assert_eq!(server.header(1, "range").as_deref(), Some("bytes=150000-"));
}

#[test]
fn a_server_without_tls_or_that_hangs_up_is_told_apart() {
    let client = trusting(Proxies::default());
    let plain = Server::raw(|mut stream, _| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap());
    let failure = client.text(&plain.url("/").replace("http:", "https:"), 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("does not speak TLS"), "{failure}");
    let rude = Server::raw(|stream, _| drop(stream));
    let failure = client.text(&rude.url("/").replace("http:", "https:"), 10).unwrap_err();
    assert_eq!(failure.retry, Retry::Soon, "{failure}");
}

#[test]
fn a_stall_and_a_trickle_within_tls_are_noticed() {
    let mute = Server::raw(|stream, _| {
        std::thread::sleep(STALL * 12);
        drop(stream);
    });
    let trickle = Arc::new(AtomicBool::new(false));
    let own = trickle.clone();
    let slow = Server::https("loopback.pem", trickle, move |stream, _, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").unwrap();
        own.store(true, Ordering::SeqCst);
        let _ = stream.write_all(&[7; 16_000]);
    });
    let mut client = trusting(Proxies::default());
    client.settings.stall = STALL * 4;
    for url in [mute.url("/").replace("http:", "https:"), slow.url("/")] {
        let begin = Instant::now();
        let failure = Place::new().download(&client, &url).unwrap_err();
        assert!(failure.text.contains("no data for 1.2s"), "{failure}");
        assert_eq!(failure.retry, Retry::Soon);
        assert!(begin.elapsed() < STALL * 12, "{:?}", begin.elapsed());
    }
}
