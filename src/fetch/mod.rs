//! What comes from the web: small texts (authorized keys) and downloads. Runs in children of PID 1.

pub mod checksum;
pub mod client;
pub mod failure;
pub mod unpack;

use std::time::Duration;

use anyhow::{Result, anyhow};

pub use client::{Client, Settings};
pub use failure::{Failure, Retry};

use crate::config::first_run::Proxies;

/// Fetches a text of at most `limit` bytes over http or https; everything together takes at most `timeout`.
///
/// Goes through the proxies that the environment names, and trusts the system's certificates (`SSL_CERT_FILE` is
/// honoured), or Mozilla's where the image has none.
///
/// # Errors
/// A status other than success, a longer answer, a slower one, and a redirect from https to http. The message names the
/// URL without its credentials and its query.
pub fn text(url: &str, limit: usize, timeout: Duration) -> Result<String> {
    let proxies = inherited(|name| std::env::var(name).ok());
    let client = Client { settings: Settings { proxies, certificates: Vec::new(), stall: timeout } };
    client.web_text(url, limit, timeout).map_err(|failure| {
        let hint = failure.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        anyhow!("{}{hint}", failure.text).context(format!("failed to fetch {}", redacted(url)))
    })
}

/// The proxies that variables name. Large letters go before small ones, as with most tools.
pub fn inherited(variable: impl Fn(&str) -> Option<String>) -> Proxies {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    Proxies {
        http: first(["HTTP_PROXY", "http_proxy"]),
        https: first(["HTTPS_PROXY", "https_proxy"]),
        all: first(["ALL_PROXY", "all_proxy"]),
        no_proxy: first(["NO_PROXY", "no_proxy"]),
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
    use std::time::Instant;

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
    fn proxies_come_from_variables_in_large_or_small_letters() {
        let variable = |name: &str| {
            let value = match name {
                "https_proxy" => "http://user:p%40ss@secure.example:3128",
                "HTTP_PROXY" => "plain.example",
                "http_proxy" => "hidden.example",
                "NO_PROXY" => "",
                "no_proxy" => "intern.example",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let found = inherited(variable);
        assert_eq!(found.https.as_deref(), Some("http://user:p%40ss@secure.example:3128"));
        assert_eq!(found.http.as_deref(), Some("plain.example"));
        assert_eq!(found.no_proxy.as_deref(), Some("intern.example"));
        assert_eq!(found.all, None);
    }

    #[test]
    fn what_is_no_url_is_said_so() {
        for url in ["", "http://", "file:///etc/passwd", "https://exa mple/"] {
            assert!(text(url, 100, TIMEOUT).is_err(), "{url}");
        }
    }
}
