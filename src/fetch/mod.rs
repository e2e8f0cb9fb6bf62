//! What comes from the web: small texts (authorized keys) and downloads. Runs in children of PID 1.

pub mod checksum;
pub mod client;
pub mod failure;
pub mod unpack;

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use ureq::Agent;
use ureq::Proxy;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

pub use client::{Client, Settings};
pub use failure::{Failure, Retry};

/// Fetches a text of at most `limit` bytes over http or https; everything together takes at most `timeout`.
///
/// Goes through the proxies that the environment names, and trusts the system's certificates (`SSL_CERT_FILE` is
/// honoured), or Mozilla's where the image has none.
///
/// # Errors
/// A status other than success, a longer answer, a slower one, and a redirect from https to http. The message names the
/// URL without its credentials and its query.
pub fn text(url: &str, limit: usize, timeout: Duration) -> Result<String> {
    fetch(url, limit, timeout).with_context(|| format!("failed to fetch {}", redacted(url)))
}

fn fetch(url: &str, limit: usize, timeout: Duration) -> Result<String> {
    let encrypted = url.starts_with("https://");
    let mut config = Agent::config_builder()
        .user_agent(concat!("devinit/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(timeout))
        .max_redirects(5)
        .https_only(encrypted)
        .proxy(proxy(encrypted, |name| std::env::var(name).ok())?);
    if encrypted {
        config = config.tls_config(tls());
    }
    let agent = config.build().new_agent();
    let begin = Instant::now();
    let mut response = agent.get(url).call().map_err(|error| explain(error, timeout))?;
    let mut body = response.body_mut().with_config().limit(limit as u64).reader();
    let mut text = Vec::new();
    let mut part = [0; 8192];
    loop {
        let length = body.read(&mut part).map_err(|error| explain(ureq::Error::Io(error), timeout))?;
        if length == 0 {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        text.extend_from_slice(part.get(..length).unwrap_or_default());
        // ureq's own limit was seen to miss a server that sends a byte now and then.
        if begin.elapsed() >= timeout {
            return Err(explain(ureq::Error::Timeout(ureq::Timeout::Global), timeout));
        }
    }
}

/// The system's certificates, or Mozilla's: those of the system know the proxy that looks into TLS, and minimal images
/// have none.
fn tls() -> TlsConfig {
    let mut native = rustls_native_certs::load_native_certs().certs;
    if native.is_empty() {
        native = webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec();
    }
    let certificates = native.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    TlsConfig::builder()
        .root_certs(RootCerts::from(certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// The proxy for this scheme. ureq alone would take the first variable that is set for both.
fn proxy(encrypted: bool, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>> {
    let first = |names: &[&'static str]| {
        names.iter().find_map(|&name| Some((name, variable(name).filter(|value| !value.is_empty())?)))
    };
    let names = if encrypted { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let Some((name, value)) = first(&names).or_else(|| first(&["ALL_PROXY", "all_proxy"])) else {
        return Ok(None);
    };
    // The value may hold credentials: it is not part of the message.
    let invalid = |_| anyhow!("{name} is not a proxy's URL");
    let given = Proxy::new(&value).map_err(invalid)?;
    let mut proxy = Proxy::builder(given.protocol()).host(given.host()).port(given.port());
    if let Some(username) = given.username() {
        proxy = proxy.username(username);
    }
    if let Some(password) = given.password() {
        proxy = proxy.password(password);
    }
    let (_, exceptions) = first(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
    for exception in exceptions.split(',').map(str::trim).chain(["localhost", "127.0.0.1"]) {
        proxy = proxy.no_proxy(exception);
    }
    proxy.build().map(Some).map_err(invalid)
}

/// What went wrong, without anything that may hold a credential.
fn explain(error: ureq::Error, timeout: Duration) -> anyhow::Error {
    match error {
        ureq::Error::StatusCode(status) => anyhow!("the server answers with status {status}"),
        ureq::Error::Timeout(_) => anyhow!("no complete answer within {timeout:?}"),
        ureq::Error::BodyExceedsLimit(limit) => anyhow!("the answer is longer than {limit} bytes"),
        ureq::Error::HostNotFound => anyhow!("the host is not found: is there a network, is the name right?"),
        ureq::Error::RequireHttpsOnly(_) => anyhow!("the server redirects from https to http"),
        ureq::Error::TooManyRedirects => anyhow!("the server redirects too often"),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => anyhow!("this is not a URL of http or https"),
        ureq::Error::ConnectProxyFailed(_) => anyhow!("the proxy refuses the connection"),
        // What the reader of a body reports comes wrapped.
        ureq::Error::Io(error) => match error.downcast::<ureq::Error>() {
            Ok(inner) => explain(inner, timeout),
            Err(error) => anyhow!(error),
        },
        other => anyhow!(other),
    }
}

/// A URL without its credentials, its query and its fragment: what may stand in a message.
pub fn redacted(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    let text = if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") };
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    /// Serves these many connections with this, and returns the URL.
    fn serve(connections: usize, answer: impl Fn(&mut TcpStream, &str) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                let mut stream = stream.unwrap();
                // The whole head, however it is cut up: what is left unread turns the close into a reset.
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut part = [0; 4096];
                    match stream.read(&mut part) {
                        Ok(length @ 1..) => request.extend(&part[..length]),
                        _ => break,
                    }
                }
                answer(&mut stream, &String::from_utf8_lossy(&request));
            }
        });
        url
    }

    fn reply(status: &'static str, body: &'static str) -> impl Fn(&mut TcpStream, &str) + Send {
        move |stream, _| {
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        }
    }

    fn failure(url: &str, limit: usize, timeout: Duration) -> String {
        format!("{:#}", text(url, limit, timeout).unwrap_err())
    }

    #[test]
    fn a_text_is_fetched() {
        let url = serve(1, reply("200 OK", "ssh-ed25519 AAAA me\n"));
        assert_eq!(text(&url, 100, TIMEOUT).unwrap(), "ssh-ed25519 AAAA me\n");
    }

    #[test]
    fn an_error_page_is_not_taken_for_keys_and_its_text_is_not_repeated() {
        let url = serve(1, reply("404 Not Found", "secret page"));
        let error = failure(&url, 100, TIMEOUT);
        assert!(error.contains("status 404"), "{error}");
        assert!(!error.contains("secret page"), "{error}");
    }

    #[test]
    fn a_web_page_instead_of_keys_is_told_apart_by_the_parser() {
        let url = serve(1, reply("200 OK", "<!DOCTYPE html>\n<title>Sign in</title>\n"));
        let parsed = crate::prepare::keys::parse(&text(&url, 100, TIMEOUT).unwrap(), &url);
        assert_eq!(parsed.keys, []);
        assert!(parsed.notes[0].text.contains("HTML"), "{:?}", parsed.notes);
    }

    #[test]
    fn an_answer_without_end_is_cut_off_by_the_limit() {
        let url = serve(1, |stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while stream.write_all(&[b'x'; 8192]).is_ok() {}
        });
        let error = failure(&url, 100_000, TIMEOUT);
        assert!(error.contains("longer than 100000 bytes"), "{error}");
    }

    #[test]
    fn a_slow_answer_ends_with_the_timeout() {
        let url = serve(1, |stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let begin = Instant::now();
        let error = failure(&url, 10_000, Duration::from_millis(500));
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
        assert!(error.contains("no complete answer within 500ms"), "{error}");
    }

    #[test]
    fn redirects_are_followed_but_not_for_ever() {
        let url = serve(2, |stream, request| {
            if request.starts_with("GET /old ") {
                reply("301 Moved\r\nLocation: /new", "")(stream, request);
            } else {
                reply("200 OK", "key")(stream, request);
            }
        });
        assert_eq!(text(&format!("{url}/old"), 100, TIMEOUT).unwrap(), "key");
        let circle = serve(20, reply("302 Found\r\nLocation: /again", ""));
        let error = failure(&circle, 100, TIMEOUT);
        assert!(error.contains("redirects too often"), "{error}");
    }

    #[test]
    fn credentials_do_not_appear_in_errors() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = failure(&format!("http://user:hunter2@{address}/keys?token=s3cret#x"), 100, TIMEOUT);
        assert!(error.contains(&format!("http://{address}/keys")), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("s3cret"), "{error}");
        for (url, shown) in [
            ("https://a:b@c/d?e", "https://c/d"),
            ("https://a@b:c@d", "https://d"),
            ("https://host/p@th", "https://host/p@th"),
            ("https://host?u=a@b", "https://host"),
            ("a:b@c", "c"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn each_scheme_goes_through_its_own_proxy() {
        let variable = |name: &str| {
            let value = match name {
                "https_proxy" => "http://user:p%40ss@secure.example:3128",
                "HTTP_PROXY" => "plain.example",
                "NO_PROXY" => "intern.example, 10.0.0.1",
                "ALL_PROXY" => "socks5://other.example",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let secure = proxy(true, variable).unwrap().unwrap();
        assert_eq!((secure.host(), secure.port()), ("secure.example", 3128));
        assert_eq!((secure.username(), secure.password()), (Some("user"), Some("p@ss")));
        assert_eq!(proxy(false, variable).unwrap().unwrap().host(), "plain.example");
        for (url, direct) in [("https://intern.example", true), ("http://127.0.0.1:1", true), ("https://x.org", false)]
        {
            assert_eq!(secure.is_no_proxy(&url.parse().unwrap()), direct, "{url}");
        }
        let only_all = |name: &str| (name == "ALL_PROXY").then(|| "socks5://other.example".to_owned());
        assert_eq!(proxy(true, only_all).unwrap().unwrap().host(), "other.example");
        assert!(proxy(true, |_| None).unwrap().is_none());
        let error = proxy(true, |_| Some("ftp://a:hunter2@proxy.example".to_owned())).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_no_url_is_said_so() {
        for url in ["", "http://", "file:///etc/passwd", "https://exa mple/"] {
            assert!(text(url, 100, TIMEOUT).is_err(), "{url}");
        }
    }
}
