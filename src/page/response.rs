//! Answers, with the headers that they all have.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::cache::Rendered;
use super::request::{Fault, Request};

/// What browsers may do with the page: apply its style and load it again.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The answer to a request. Every path shows the page, so that a link into the app says what is going on.
pub fn answer(request: &Request, page: &Rendered) -> Vec<u8> {
    let (status, kind, body) = match request.path.as_str() {
        "/favicon.ico" => (204, "", ""),
        "/status.json" => (page.status, "application/json", page.json.as_str()),
        _ => (page.status, "text/html; charset=utf-8", page.html.as_str()),
    };
    write(status, kind, body, request.keep_alive, request.head_only)
}

/// The answer to what is no request; the connection ends with it.
pub fn refusal(fault: Fault) -> Vec<u8> {
    let (status, text) = match fault {
        Fault::BadRequest => (400, "400: this is not an HTTP/1.1 request\n"),
        Fault::MethodNotAllowed => (405, "405: only GET and HEAD are answered here\n"),
        Fault::TooLarge => (431, "431: the request's head has more than 8 KiB\n"),
    };
    write(status, "text/plain; charset=utf-8", text, false, false)
}

fn write(status: u16, kind: &str, body: &str, keep_alive: bool, head_only: bool) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    };
    let mut text = format!("HTTP/1.1 {status} {reason}\r\n");
    let mut header = |name: &str, value: &str| text.extend([name, ": ", value, "\r\n"]);
    if let Ok(date) = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now()) {
        header("Date", &date);
    }
    header("Connection", if keep_alive { "keep-alive" } else { "close" });
    header("Cache-Control", "no-store");
    header("Content-Security-Policy", POLICY);
    header("X-Content-Type-Options", "nosniff");
    header("Referrer-Policy", "no-referrer");
    match status {
        405 => header("Allow", "GET, HEAD"),
        503 => header("Retry-After", "2"),
        _ => {}
    }
    // An answer 204 has neither (RFC 9110, 8.6).
    if status != 204 {
        header("Content-Type", kind);
        header("Content-Length", &body.len().to_string());
    }
    text.push_str("\r\n");
    if !head_only {
        text.push_str(body);
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, head_only: bool) -> Request {
        Request { head_only, path: path.to_owned(), keep_alive: true, length: 0 }
    }

    fn page(status: u16) -> Rendered {
        Rendered { status, html: "<p>é</p>".to_owned(), json: "{}".to_owned() }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_deep_link_shows_the_page_with_its_status() {
        let answer = text(answer(&request("/lab/tree/a.ipynb", false), &page(503)));
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        assert!(answer.contains("\r\nRetry-After: 2\r\n") && answer.contains("\r\nContent-Length: 9\r\n"));
        assert!(answer.ends_with("\r\n\r\n<p>é</p>"));
        assert!(!answer.contains("Server:"));
    }

    #[test]
    fn a_head_request_gets_the_length_and_no_body() {
        let answer = text(answer(&request("/", true), &page(200)));
        assert!(answer.contains("\r\nContent-Length: 9\r\n") && answer.ends_with("\r\n\r\n"));
        assert!(!answer.contains("Retry-After"));
    }

    #[test]
    fn there_is_no_icon_and_no_body_for_it() {
        let answer = text(answer(&request("/favicon.ico", false), &page(503)));
        assert!(answer.starts_with("HTTP/1.1 204 ") && !answer.contains("Content-Length"));
    }

    #[test]
    fn refusals_end_the_connection() {
        let refused = text(refusal(Fault::MethodNotAllowed));
        assert!(refused.contains("\r\nAllow: GET, HEAD\r\n") && refused.contains("\r\nConnection: close\r\n"));
    }
}
