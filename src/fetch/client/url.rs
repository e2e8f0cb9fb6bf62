//! URLs: taken apart, put together after a redirect, without what is secret in them.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use ureq::http::Uri;
use ureq::http::uri::Authority;

use super::super::{Failure, redacted};

/// A URL of http or https.
#[derive(Clone, Debug)]
pub(super) struct Url {
    /// The URL without its credentials and its fragment.
    pub(super) uri: Uri,
    /// The value of `Authorization` that its credentials stand for.
    pub(super) authorization: Option<String>,
}

impl Url {
    /// Reads a URL. What is not allowed in its path (a space, an umlaut) is percent-encoded.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let invalid = || Failure::permanent(format!("{} is not a URL of http or https", redacted(text)));
        let (scheme, authority, rest) = parts(text).ok_or_else(invalid)?;
        let (credentials, host) = match authority.rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, authority),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let slash = if rest.starts_with('/') { "" } else { "/" };
        let uri: Uri = format!("{scheme}://{host}{slash}{}", encoded(rest)).parse().map_err(|_| invalid())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || !uri.authority().is_some_and(is_usable) {
            return Err(invalid());
        }
        Ok(Self { uri, authorization: credentials.filter(|text| !text.is_empty()).map(basic) })
    }

    /// Where a `Location` leads to. Credentials only go along to the same server.
    ///
    /// # Errors
    /// It leads from https to http, or to something else.
    pub(super) fn follow(&self, location: &str) -> Result<Self, Failure> {
        let next = join(&self.uri.to_string(), location);
        let mut next = Self::parse(&next).map_err(|failure| failure.context("the server redirects"))?;
        if self.encrypted() && !next.encrypted() {
            let text = format!("the server redirects from https to http, to {}", next.redacted());
            return Err(Failure::permanent(text).hint("whoever is in between could change what comes"));
        }
        if next.authorization.is_none() && next.origin() == self.origin() {
            next.authorization.clone_from(&self.authorization);
        }
        Ok(next)
    }

    /// Whether it is a URL of https.
    pub(super) fn encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The host without brackets.
    pub(super) fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port, also where the URL leaves it out.
    pub(super) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.encrypted() { 443 } else { 80 })
    }

    /// The last part of its path, which is the name of what comes; the host if there is none.
    pub(super) fn name(&self) -> &str {
        self.uri.path().rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or_else(|| self.host())
    }

    /// What may stand in a message.
    pub(super) fn redacted(&self) -> String {
        redacted(&self.uri.to_string())
    }

    fn origin(&self) -> (bool, String, u16) {
        (self.encrypted(), self.host().to_ascii_lowercase(), self.port())
    }
}

/// Whether there is a host, and a port only if it is one: what is none is passed over elsewhere.
pub(super) fn is_usable(authority: &Authority) -> bool {
    let host = authority.host();
    let port = authority.port_u16().map_or_else(|| authority.as_str().ends_with(host), |port| port != 0);
    !host.is_empty() && port
}

/// Scheme, authority and the rest.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    Some((scheme, authority, rest))
}

/// A `Location` made absolute (RFC 3986, section 5.2).
pub(super) fn join(base: &str, location: &str) -> String {
    let location = location.trim();
    let Some((scheme, authority, rest)) = parts(base) else { return location.to_owned() };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    if has_scheme(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.is_empty() || location.starts_with(['?', '#']) {
        format!("{scheme}://{authority}{path}{location}")
    } else {
        let path = if location.starts_with('/') { location.to_owned() } else { format!("{folder}{location}") };
        format!("{scheme}://{authority}{}", without_dots(&path))
    }
}

fn has_scheme(location: &str) -> bool {
    location.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// A path from which `.` and `..` are resolved; what follows it stays.
fn without_dots(path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, rest) = path.split_at(end);
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let folder = if path.ends_with("/.") || path.ends_with("/..") { "/" } else { "" };
    format!("/{}{folder}{rest}", segments.join("/")).replacen("//", "/", usize::from(segments.is_empty()))
}

/// Percent-encodes what must not stand in a path or a query.
fn encoded(text: &str) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if text.bytes().all(allowed) {
        return Cow::Borrowed(text);
    }
    let encode = |byte| if allowed(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    Cow::Owned(text.bytes().map(encode).collect())
}

/// Resolves percent-encoding; what is none stays.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let value = match bytes.get(at + 1..at + 3) {
            Some(&[high, low]) if byte == b'%' => digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        decoded.push(value.unwrap_or(byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `Basic …` of percent-encoded credentials (`USER:PASSWORD`).
fn basic(credentials: &str) -> String {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    basic_authorization(&decoded(user), &decoded(password))
}

/// The value of `Authorization` or `Proxy-Authorization` for a user and a password (RFC 7617).
pub(super) fn basic_authorization(user: &[u8], password: &[u8]) -> String {
    format!("Basic {}", base64(&[user, b":", password].concat()))
}

/// Standard base64 with padding (RFC 4648).
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// The path of a `file://` URL; `None` if it is another URL.
pub(super) fn file(url: &str) -> Option<Result<PathBuf, Failure>> {
    let (scheme, host, path) = parts(url)?;
    if !scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    let path = decoded(path.split(['?', '#']).next().unwrap_or_default());
    let usable = (host.is_empty() || host.eq_ignore_ascii_case("localhost")) && path.starts_with(b"/");
    Some(if usable && !path.contains(&0) {
        Ok(PathBuf::from(OsString::from_vec(path)))
    } else {
        Err(Failure::permanent(format!("{} does not name a file", redacted(url))).hint("write it as file:///PATH"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_made_absolute_as_rfc_3986_has_it() {
        let base = "http://host:81/a/b/c?q#f";
        for (location, joined) in [
            ("https://other/x?y", "https://other/x?y"),
            ("//other/x", "http://other/x"),
            ("/x", "http://host:81/x"),
            ("x", "http://host:81/a/b/x"),
            (" ./x?y ", "http://host:81/a/b/x?y"),
            ("../x", "http://host:81/a/x"),
            ("../../../../x", "http://host:81/x"),
            ("/a/../..", "http://host:81/"),
            ("..", "http://host:81/a/"),
            ("?z", "http://host:81/a/b/c?z"),
            ("x:y", "x:y"),
            ("./x:y", "http://host:81/a/b/x:y"),
            ("/x?to=http://a/../b", "http://host:81/x?to=http://a/../b"),
        ] {
            assert_eq!(join(base, location), joined, "{location}");
        }
        assert_eq!(join("http://host", "x"), "http://host/x");
        assert_eq!(join("file:///m/latest", "tag/v1"), "file:///m/tag/v1");
    }

    #[test]
    fn credentials_are_decoded_and_stay_with_their_server() {
        let url = Url::parse("https://us%40er:p%3ass:x@Host/a?b").unwrap();
        assert_eq!(url.uri.to_string(), "https://Host/a?b");
        let expected = Some("Basic dXNAZXI6cDpzczp4".to_owned());
        assert_eq!(url.authorization, expected);
        assert_eq!(url.follow("/c").unwrap().authorization, expected);
        assert_eq!(url.follow("https://HOST:443/c").unwrap().authorization, expected);
        for other in ["https://host:444/c", "https://host.example/", "//cdn/x"] {
            assert_eq!(url.follow(other).unwrap().authorization, None, "{other}");
        }
    }

    #[test]
    fn a_redirect_to_less_is_refused() {
        let url = Url::parse("https://host/a").unwrap();
        let error = url.follow("http://host/b?token=s3cret").unwrap_err();
        assert!(error.text.contains("from https to http, to http://host/b"), "{error}");
        assert!(!error.text.contains("s3cret"), "{error}");
        for location in ["file:///etc/passwd", "ftp://host/x", "https://", "javascript:x"] {
            assert!(url.follow(location).is_err(), "{location}");
        }
    }

    #[test]
    fn odd_characters_in_a_path_are_encoded_and_odd_hosts_refused() {
        assert_eq!(Url::parse("http://host/a b/ü?<").unwrap().uri.to_string(), "http://host/a%20b/%C3%BC?%3C");
        assert_eq!(Url::parse("http://host?x").unwrap().uri.to_string(), "http://host/?x");
        assert_eq!(Url::parse("http://[::1]:8080/x").unwrap().host(), "::1");
        for url in [
            "",
            "host/x",
            "http://",
            "http://a b/",
            "http://host:99999/",
            "gopher://host/",
            "http://a
b/",
        ] {
            assert!(Url::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_file_url_is_a_path() {
        let path = |url: &str| file(url).map(|path| path.ok());
        assert_eq!(path("file:///a%20b/c?d#e"), Some(Some(PathBuf::from("/a b/c"))));
        assert_eq!(path("file://localhost/a%zz%"), Some(Some(PathBuf::from("/a%zz%"))));
        assert_eq!(path("file://host/a"), Some(None));
        assert_eq!(path("file://a"), Some(None));
        assert_eq!(path("file:///a%00"), Some(None));
        assert_eq!(path("http://host/a"), None);
    }

    #[test]
    fn base64_agrees_with_rfc_4648() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }
}
