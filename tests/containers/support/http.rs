//! As much of an http client as the tests need.

use std::io::{Read, Write};

use super::Container;

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// 200 and so on.
    pub status: u16,
    /// What follows the headers.
    pub body: String,
}

/// Asks the app on 27015; none if nobody answers.
pub fn request(container: &Container, method: &str, path: &str, headers: &[&str], body: &str) -> Option<Response> {
    let mut stream = container.connect(27015)?;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: localhost:27015\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Response { status, body: body.to_owned() })
}
