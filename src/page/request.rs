//! The head of an HTTP/1.x request: as much of RFC 9112 as a page needs, and strict in that.

/// The most that a request's head may have, in bytes.
pub const HEAD_LIMIT: usize = 8 * 1024;

/// A request that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whether only the head of the answer is wanted.
    pub head_only: bool,
    /// The path, without a query.
    pub path: String,
    /// Whether the client keeps the connection for further requests, and these can be told apart.
    pub keep_alive: bool,
    /// How many bytes of the input it takes.
    pub length: usize,
}

/// What is wrong with a request: the status to answer with. The connection cannot be used any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 400: it is not HTTP.
    BadRequest,
    /// 405: neither GET nor HEAD.
    MethodNotAllowed,
    /// 431: its head has more than [`HEAD_LIMIT`] bytes.
    TooLarge,
}

/// Reads a request at the beginning of `input`; `Ok(None)` if there is more to come.
///
/// # Errors
/// What is not a GET or HEAD request.
pub fn parse(input: &[u8]) -> Result<Option<Request>, Fault> {
    // Empty lines before a request are to be overlooked (RFC 9112, 2.2).
    let start = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let Some(end) = head_end(&input[start..]) else {
        return if input.len() < HEAD_LIMIT { Ok(None) } else { Err(Fault::TooLarge) };
    };
    let length = start + end;
    if length > HEAD_LIMIT {
        return Err(Fault::TooLarge);
    }
    let head = str::from_utf8(&input[start..length]).map_err(|_| Fault::BadRequest)?;
    let mut lines =
        head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).take_while(|line| !line.is_empty());
    let line = RequestLine::parse(lines.next().unwrap_or_default()).ok_or(Fault::BadRequest)?;
    let headers = Headers::parse(lines).ok_or(Fault::BadRequest)?;
    // HTTP/1.1 has to name one host (RFC 9112, 3.2).
    if line.minor >= 1 && headers.hosts != 1 {
        return Err(Fault::BadRequest);
    }
    let head_only = match line.method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Fault::MethodNotAllowed),
    };
    // A body is not read, so what follows it cannot be found.
    let keep_alive = !headers.body && !headers.close && (line.minor >= 1 || headers.keep_alive);
    Ok(Some(Request { head_only, path: line.path.to_owned(), keep_alive, length }))
}

/// Behind the empty line that ends the head.
fn head_end(input: &[u8]) -> Option<usize> {
    let ends = |at: &usize| input[*at..].starts_with(b"\n\n") || input[*at..].starts_with(b"\n\r\n");
    let at = (0..input.len()).find(ends)?;
    Some(at + if input[at..].starts_with(b"\n\n") { 2 } else { 3 })
}

struct RequestLine<'a> {
    method: &'a str,
    path: &'a str,
    minor: u8,
}

impl<'a> RequestLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let minor = match version {
            "HTTP/1.0" => 0,
            "HTTP/1.1" => 1,
            _ => return None,
        };
        let sound = words.next().is_none() && is_token(method) && target.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then_some(())?;
        // Proxies send the absolute form (RFC 9112, 3.2.2); for methods other than GET and HEAD any target will do.
        let path = match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
            _ => target,
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let origin = path.starts_with('/') || !matches!(method, "GET" | "HEAD");
        origin.then_some(Self { method, path, minor })
    }
}

#[derive(Default)]
struct Headers {
    hosts: usize,
    body: bool,
    close: bool,
    keep_alive: bool,
}

impl Headers {
    fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut headers = Self::default();
        for line in lines {
            let (name, value) = line.split_once(':')?;
            is_token(name).then_some(())?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "host" => headers.hosts += 1,
                "content-length" => headers.body |= value != "0",
                "transfer-encoding" => headers.body = true,
                "connection" => {
                    for option in value.split(',').map(str::trim) {
                        headers.close |= option.eq_ignore_ascii_case("close");
                        headers.keep_alive |= option.eq_ignore_ascii_case("keep-alive");
                    }
                }
                _ => {}
            }
        }
        Some(headers)
    }
}

/// RFC 9110, 5.6.2.
fn is_token(word: &str) -> bool {
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !word.is_empty() && word.bytes().all(of_token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get(text: &str) -> Request {
        parse(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_browser_s_request_is_understood() {
        let text = "GET /lab/tree?token=x HTTP/1.1\r\nHost: box:27015\r\nAccept: */*\r\n\r\n";
        let request = get(text);
        assert_eq!((request.path.as_str(), request.head_only, request.keep_alive), ("/lab/tree", false, true));
        assert_eq!(request.length, text.len());
    }

    #[test]
    fn the_connection_is_kept_as_the_version_and_the_header_have_it() {
        assert!(!get("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(get("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
        assert!(!get("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, Close\r\n\r\n").keep_alive);
        assert!(!get("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").keep_alive);
        assert!(!get("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").keep_alive);
        assert!(get("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").keep_alive);
    }

    #[test]
    fn a_request_typed_by_hand_is_understood() {
        assert_eq!(get("\r\n\nHEAD /a HTTP/1.0\n\nrest").length, 21);
    }

    #[test]
    fn proxies_may_send_the_absolute_form() {
        assert_eq!(get("GET http://box:27015/a?b HTTP/1.1\r\nHost: box\r\n\r\n").path, "/a");
        assert_eq!(get("GET http://box HTTP/1.1\r\nHost: box\r\n\r\n").path, "/");
        assert_eq!(get("GET /login?next=http://x/y HTTP/1.1\r\nHost: box\r\n\r\n").path, "/login");
    }

    #[test]
    fn a_request_in_pieces_is_waited_for() {
        let text = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for text in [
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET  / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.0 x\r\n\r\n",
            "G{T / HTTP/1.0\r\n\r\n",
            "GET * HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.0\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.0\r\nA: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.0\r\nnothing\r\n\r\n",
            "GET /\u{0} HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Fault::BadRequest), "{text:?}");
        }
        assert_eq!(parse(b"GET /\xff HTTP/1.0\r\n\r\n"), Err(Fault::BadRequest));
    }

    #[test]
    fn other_methods_are_not_allowed() {
        for line in ["POST /", "OPTIONS *", "CONNECT box:80", "DELETE /x"] {
            let text = format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(parse(text.as_bytes()), Err(Fault::MethodNotAllowed), "{line}");
        }
    }

    #[test]
    fn a_head_without_end_is_too_large() {
        assert_eq!(parse(&[b'a'; HEAD_LIMIT]), Err(Fault::TooLarge));
        let long = format!("GET / HTTP/1.0\r\nA: {}\r\n\r\n", "b".repeat(HEAD_LIMIT));
        assert_eq!(parse(long.as_bytes()), Err(Fault::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn almost_http_does_not_make_it_fail(text in "(GET|HEAD|P) (/|http://|\\*|\\?)[ -~é]{0,9} HTTP/1.[01]\r\n([A-Za-z:, \r\n]{0,30}\r\n){0,3}\r?\n?") {
            if let Ok(Some(request)) = parse(text.as_bytes()) {
                prop_assert!(request.length <= text.len() && request.path.starts_with('/'));
            }
        }
    }
}
