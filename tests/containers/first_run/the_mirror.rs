//! The stand-in for upstream does what the other tests believe of it.

use std::env::consts::ARCH;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::support::mirror::{Authority, Fault, Mirror, Proxy};
use crate::support::{Container, FIRST_RUN, seconds};

/// Head and body of what the mirror answers; the body as far as it came.
fn ask(mirror: &Mirror, path: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(mirror.local()).unwrap();
    talk(&mut stream, &format!("GET {path} HTTP/1.1\r\nHost: there\r\n{headers}\r\n"))
}

fn talk(stream: &mut TcpStream, request: &str) -> (String, String) {
    stream.set_read_timeout(Some(seconds(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_file_is_served_and_continued_from_where_it_broke_off() {
    let mirror = Mirror::start();
    mirror.put("/file", "0123456789");
    mirror.fails("/file", [Fault::CutAfter(4)]);
    let (head, body) = ask(&mirror, "/file", "");
    assert!(head.starts_with("HTTP/1.1 200") && header(&head, "Content-Length") == Some("10"), "{head}");
    assert_eq!(body, "0123");
    let tag = header(&head, "ETag").unwrap().to_owned();

    let (head, body) = ask(&mirror, "/file", &format!("Range: bytes=4-\r\nIf-Range: {tag}\r\n"));
    assert!(head.starts_with("HTTP/1.1 206"), "{head}");
    assert_eq!(header(&head, "Content-Range"), Some("bytes 4-9/10"));
    assert_eq!(body, "456789");

    mirror.put("/file", "another one");
    let (head, body) = ask(&mirror, "/file", &format!("Range: bytes=4-\r\nIf-Range: {tag}\r\n"));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, "another one");
    assert!(ask(&mirror, "/file", "Range: bytes=11-\r\n").0.starts_with("HTTP/1.1 416"));

    let ranges: Vec<_> = mirror.requests("/file").iter().map(|one| one.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=4-".into()), Some("bytes=4-".into()), Some("bytes=11-".into())]);
}

#[test]
fn faults_come_in_their_order_and_then_it_is_fine() {
    let mirror = Mirror::start();
    mirror.put("/file", "right");
    mirror.fails("/file", [Fault::status(429).header("Retry-After", "7"), Fault::Page, Fault::Redirect("/x".into())]);
    let (head, _) = ask(&mirror, "/file", "");
    assert!(head.starts_with("HTTP/1.1 429") && header(&head, "Retry-After") == Some("7"), "{head}");
    assert!(ask(&mirror, "/file", "").1.starts_with("<!DOCTYPE html>"));
    assert_eq!(header(&ask(&mirror, "/file", "").0, "Location"), Some("/x"));
    assert_eq!(ask(&mirror, "/file", "").1, "right");
    mirror.always_fails("/file", Fault::status(500));
    for _ in 0..3 {
        assert!(ask(&mirror, "/file", "").0.starts_with("HTTP/1.1 500"));
    }
    assert!(ask(&mirror, "/missing", "").0.starts_with("HTTP/1.1 404"));
    assert!(ask(&mirror, "/../../../Cargo.toml", "").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn a_stall_lasts_until_it_is_released() {
    let mirror = Mirror::start();
    mirror.put("/file", "0123456789");
    mirror.always_fails("/file", Fault::StallAfter(3));
    let begin = Instant::now();
    let body = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&mirror, "/file", "").1);
        std::thread::sleep(seconds(1));
        mirror.release();
        asked.join().unwrap()
    });
    assert_eq!(body, "0123456789");
    assert!(begin.elapsed() >= seconds(1));
}

#[test]
fn releases_redirect_as_githubs_do() {
    let mirror = Mirror::start();
    let uv = "/github.com/astral-sh/uv/releases";
    let (head, _) = ask(&mirror, &format!("{uv}/latest"), "");
    let tag = header(&head, "Location").unwrap().strip_prefix(&format!("http://there{uv}/tag/")).unwrap().to_owned();
    let asset = &format!("uv-{ARCH}-unknown-linux-gnu.tar.gz.sha256");
    let (head, _) = ask(&mirror, &format!("{uv}/latest/download/{asset}"), "");
    assert_eq!(header(&head, "Location"), Some(&*format!("http://there{uv}/download/{tag}/{asset}")));
    let (head, _) = ask(&mirror, &format!("{uv}/download/{tag}/{asset}"), "");
    let stored = header(&head, "Location").unwrap().strip_prefix("http://there").unwrap().to_owned();
    assert!(stored.contains("sig="), "{stored}");
    let (_, sum) = ask(&mirror, &stored, "");
    assert_eq!(sum.split_whitespace().next().map(str::len), Some(64), "{sum}");
    assert_eq!(mirror.requests(asset).len(), 3);

    let (head, _) = ask(&mirror, "/github.com/Watfaq/clash-rs/releases/latest", "");
    assert!(header(&head, "Location").unwrap().ends_with("/releases/tag/latest"), "{head}");
    assert!(ask(&mirror, "/github.com/Watfaq/clash-rs/releases.atom", "").1.contains("/releases/tag/v0.10.8"));
}

#[test]
fn registries_have_what_was_made_up_for_them() {
    let mirror = Mirror::start();
    for path in ["/npm/@devinit-test%2fgreeter", "/npm/@devinit-test/greeter"] {
        let (head, text) = ask(&mirror, path, "");
        assert_eq!(header(&head, "Content-Type"), Some("application/json"), "{head}");
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        let packed = found["versions"]["1.0.0"]["dist"]["tarball"].as_str().unwrap();
        let packed = packed.strip_prefix("http://there").unwrap();
        assert!(ask(&mirror, packed, "").0.starts_with("HTTP/1.1 200"), "{packed}");
    }
    let (head, page) = ask(&mirror, "/pypi/simple/devinit-abacus/", "");
    assert_eq!(header(&head, "Content-Type"), Some("text/html"), "{head}");
    let wheel = page.split('"').nth(1).unwrap().split('#').next().unwrap();
    assert!(ask(&mirror, &format!("/pypi/simple/devinit-abacus/{wheel}"), "").1.starts_with("PK"), "{page}");
}

fn trusting(authority: &Authority) -> ureq::Agent {
    let certificate = Certificate::from_pem(authority.certificate().as_bytes()).unwrap().to_owned();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::from(vec![certificate]))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    ureq::Agent::config_builder().tls_config(tls).timeout_global(Some(seconds(10))).build().new_agent()
}

#[test]
fn who_trusts_the_authority_gets_an_answer_over_tls_and_nobody_else() {
    let authority = Authority::new();
    let mirror = Mirror::encrypted(&authority);
    mirror.put("/file", "behind TLS");
    let url = format!("https://{}/file", mirror.local());
    let mut answer = trusting(&authority).get(&url).call().unwrap();
    assert_eq!(answer.body_mut().read_to_string().unwrap(), "behind TLS");
    let error = trusting(&Authority::new()).get(&url).call().unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    assert_eq!(mirror.all_requests().len(), 1);
}

#[test]
fn the_proxy_passes_on_both_ways_for_who_has_the_password() {
    let mirror = Mirror::start();
    mirror.put("/file", "by way of the proxy");
    let proxy = Proxy::before(&mirror, "me:pass");
    let request = |line: &str, authorization: &str| {
        let mut stream = TcpStream::connect(proxy.local()).unwrap();
        talk(&mut stream, &format!("{line} HTTP/1.1\r\nHost: far.example\r\n{authorization}\r\n"))
    };
    let (head, _) = request("GET http://far.example/file", "");
    assert!(head.starts_with("HTTP/1.1 407"), "{head}");
    let allowed = "Proxy-Authorization: Basic bWU6cGFzcw==\r\n";
    assert_eq!(request("GET http://far.example/file", allowed).1, "by way of the proxy");
    let tunnel = format!("{allowed}\r\nGET /file HTTP/1.1\r\nHost: far.example\r\n");
    assert!(request("CONNECT far.example:80", &tunnel).1.ends_with("by way of the proxy"));
    assert_eq!(proxy.seen(), ["GET http://far.example/file", "CONNECT far.example:80"]);
    assert_eq!((proxy.refused(), mirror.all_requests().len()), (1, 2));
    assert!(mirror.all_requests().iter().all(|request| request.header("proxy-authorization").is_none()));
}

#[test]
fn containers_reach_it_and_the_registries_serve_their_tools() {
    let mirror = Mirror::start();
    let url = mirror.put("/file", "over the bridge");
    let container = Container::image(FIRST_RUN).config("version: 1").run();
    let fetch = format!("from urllib.request import urlopen; print(urlopen('{url}').read().decode())");
    assert_eq!(container.exec(["python3", "-c", &fetch]).success(), "over the bridge");

    let host = mirror.url().split(['/', ':']).nth(3).unwrap().to_owned();
    let pip = format!(
        "pip install --quiet --break-system-packages --root-user-action=ignore --no-cache-dir \
         --index-url {}/pypi/simple --trusted-host {host} devinit-abacus && abacus",
        mirror.url()
    );
    assert_eq!(container.sh(&pip), "abacus counts");
    let releases = format!("{}/github.com/oven-sh/bun/releases/latest/download", mirror.url());
    let name = if ARCH == "x86_64" { "bun-linux-x64" } else { "bun-linux-aarch64" };
    let bun = format!(
        "cd /tmp && python3 -c \"from urllib.request import urlretrieve as get; get('{releases}/{name}.zip', 'bun.zip')\" \
         && python3 -m zipfile -e bun.zip . && chmod +x {name}/bun \
         && BUN_CONFIG_REGISTRY={}/npm {name}/bun add --global --silent @devinit-test/greeter >/dev/null \
         && {name}/bun ~/.bun/bin/greeter there",
        mirror.url()
    );
    assert_eq!(container.sh(&bun), "hello from greeter there");
}
