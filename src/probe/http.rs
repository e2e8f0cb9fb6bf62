//! Asks over http: by hand, since this runs at every health check, and needs neither TLS nor redirects.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::libc::SIGKILL;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::waitpid;
use nix::unistd::Pid as NixPid;

use super::Http;
use super::deadline::{Deadline, Timed};
use crate::sys::{self, Fork};

/// How much of a body is read, in bytes.
const LONGEST_BODY: u64 = 256 << 10;
/// How much of what stands before the body is read, in bytes.
const LONGEST_HEAD: u64 = 64 << 10;
/// How many preliminary answers (1xx) are passed over.
const MOST_PRELIMINARY: usize = 8;
/// How long the rest of an answer is read that is understood already.
const COURTESY: Duration = Duration::from_secs(1);
/// How many addresses of a host are tried.
const MOST_ADDRESSES: usize = 8;

/// Looks once.
pub(super) fn look(wanted: &Http, deadline: Deadline) -> Result<(), String> {
    let url = Url::read(&wanted.url)?;
    // What stands behind the path may be secret.
    let shown = format!("http://{}{}", url.authority, url.path.split('?').next().unwrap_or_default());
    ask(wanted, &url, deadline).map_err(|why| format!("{shown}: {why}"))
}

/// The parts of a URL.
#[derive(Debug, PartialEq, Eq)]
struct Url<'a> {
    /// Host and port as they stand there.
    authority: &'a str,
    /// Without brackets.
    host: &'a str,
    port: u16,
    /// With the query; begins with a slash.
    path: String,
}

impl<'a> Url<'a> {
    fn read(url: &'a str) -> Result<Self, String> {
        let bad = |what: &str| Err(format!("the URL cannot be looked at: {what}"));
        if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return bad("it has a blank in it");
        }
        let Some(rest) = url.strip_prefix("http://") else { return bad("only http:// can be") };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return bad("it has a user in it");
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => match bracketed.split_once(']') {
                Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
                _ => return bad("what is in brackets is no IPv6 address"),
            },
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => 80,
            Some("") => 80,
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u16>().is_ok() => {
                number.parse().unwrap_or(80)
            }
            _ => return bad("its port is no number up to 65535"),
        };
        if host.is_empty() {
            return bad("it has no host");
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { authority, host, port, path })
    }
}

fn ask(wanted: &Http, url: &Url<'_>, deadline: Deadline) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let host = wanted.host.as_deref().unwrap_or(url.authority);
    if host.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("the Host header has a line break in it".to_owned());
    }
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: devinit\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        url.path
    );
    let stream = connect(url, deadline).map_err(text)?;
    let mut reader = BufReader::new(Timed { stream, deadline });
    reader.get_mut().write_all(request.as_bytes()).map_err(text)?;

    let head = final_head(&mut reader)?;
    let verdict = judge(head.status, wanted.status);
    if verdict.is_err() || wanted.body.is_none() {
        // The rest is read as far as it is short, for an app whose answer is cut off fills its log with broken pipes.
        reader.get_mut().deadline = deadline.at_most(COURTESY);
        let _ = read_body(&mut reader, &head, &mut |_| false);
        return verdict;
    }
    let needle = wanted.body.as_deref().unwrap_or_default().as_bytes();
    let mut search = Search { needle, seen: Vec::new(), found: needle.is_empty() };
    let end = read_body(&mut reader, &head, &mut |piece| search.found_in(piece));
    match end {
        _ if search.found => {
            reader.get_mut().deadline = deadline.at_most(COURTESY);
            let _ = io::copy(&mut reader.take(LONGEST_BODY), &mut io::sink());
            Ok(())
        }
        Err(error) => Err(format!("the body does not hold what it should so far: {error}")),
        Ok(()) => Err("the body does not hold what it should".to_owned()),
    }
}

fn judge(status: u16, wanted: Option<(u16, u16)>) -> Result<(), String> {
    match wanted {
        Some((from, to)) if (from..=to).contains(&status) => Ok(()),
        Some((from, to)) if from == to => Err(format!("HTTP {status}, not {from}")),
        Some((from, to)) => Err(format!("HTTP {status}, not {from}-{to}")),
        None if matches!(status, 100..=399 | 401 | 403) => Ok(()),
        None => Err(format!("HTTP {status}")),
    }
}

/// What stands before a body, as far as it matters.
struct Head {
    status: u16,
    chunked: bool,
    length: Option<u64>,
}

/// The head of the answer, past those that only announce it.
fn final_head(reader: &mut BufReader<Timed>) -> Result<Head, String> {
    for _ in 0..MOST_PRELIMINARY {
        let head = head(reader)?;
        // 101 is no announcement: what follows is another protocol.
        if head.status == 101 || !(100..200).contains(&head.status) {
            return Ok(head);
        }
    }
    Err("no answer but preliminary ones".to_owned())
}

fn head(reader: &mut BufReader<Timed>) -> Result<Head, String> {
    let mut lines = reader.by_ref().take(LONGEST_HEAD);
    let mut line = || {
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8_lossy(&line).trim_end().to_owned())
    };
    let first = line()?;
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    let mut head = Head { status: status.ok_or("the answer is not HTTP")?, chunked: false, length: None };
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("transfer-encoding") {
            head.chunked = value.trim().to_ascii_lowercase().ends_with("chunked");
        } else if name.eq_ignore_ascii_case("content-length") {
            head.length = value.trim().parse().ok();
        }
    }
    if matches!(head.status, 204 | 304) {
        (head.chunked, head.length) = (false, Some(0));
    }
    Ok(head)
}

/// Gives the body to `take` piece by piece, until that has had enough, to the longest that is read.
fn read_body(reader: &mut BufReader<Timed>, head: &Head, take: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut left = LONGEST_BODY;
    if !head.chunked {
        return pieces(reader, head.length.unwrap_or(u64::MAX).min(left), take).map(drop);
    }
    while left > 0 {
        let mut line = String::new();
        reader.by_ref().take(1024).read_line(&mut line)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let Ok(size) = u64::from_str_radix(digits, 16) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its chunks are not HTTP"));
        };
        if size == 0 || pieces(reader, size.min(left), take)? {
            break;
        }
        left = left.saturating_sub(size);
        // The line break that ends a chunk.
        io::copy(&mut reader.by_ref().take(2), &mut io::sink())?;
    }
    Ok(())
}

/// Whether it was enough.
fn pieces(reader: &mut BufReader<Timed>, mut left: u64, take: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<bool> {
    while left > 0 {
        let piece = reader.fill_buf()?;
        let length = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if length == 0 {
            break;
        }
        let enough = take(piece.get(..length).unwrap_or_default());
        reader.consume(length);
        if enough {
            return Ok(true);
        }
        left = left.saturating_sub(length as u64);
    }
    Ok(false)
}

/// Looks for something in what comes in pieces.
struct Search<'a> {
    needle: &'a [u8],
    /// The end of what came before, as far as it may be the begin of what is looked for; then the piece.
    seen: Vec<u8>,
    found: bool,
}

impl Search<'_> {
    fn found_in(&mut self, piece: &[u8]) -> bool {
        self.seen.extend_from_slice(piece);
        self.found = self.found || self.seen.windows(self.needle.len().max(1)).any(|part| part == self.needle);
        let kept = self.needle.len().saturating_sub(1);
        self.seen.drain(..self.seen.len().saturating_sub(kept));
        self.found
    }
}

fn connect(url: &Url<'_>, deadline: Deadline) -> io::Result<TcpStream> {
    let addresses = match url.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, url.port)],
        Err(_) => resolve(url.host, url.port, deadline)?,
    };
    let mut failure = io::Error::other("no such host");
    for address in addresses {
        match TcpStream::connect_timeout(&address, deadline.left()?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The addresses of a host. In a child, for a name server that does not answer takes the time that it takes.
fn resolve(host: &str, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    let (mut answer, mut report) = io::pipe()?;
    let child = match sys::fork()? {
        Fork::Parent(child) => child,
        Fork::Child => {
            let found = (host, port).to_socket_addrs().map(|found| found.take(MOST_ADDRESSES).collect::<Vec<_>>());
            let lines: String = found.unwrap_or_default().iter().map(|address| format!("{address}\n")).collect();
            // It fits into the pipe, so that it is there as a whole or not at all.
            let _ = report.write_all(lines.as_bytes());
            sys::exit_now(0)
        }
    };
    drop(report);
    let left = deadline.left().unwrap_or_default().as_millis();
    let timeout = PollTimeout::try_from(i32::try_from(left).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX);
    let in_time = poll(&mut [PollFd::new(answer.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0);
    let _ = sys::kill(child, SIGKILL);
    let _ = waitpid(NixPid::from_raw(child), None);
    if !in_time {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "no name server answers in time"));
    }
    let mut lines = String::new();
    answer.read_to_string(&mut lines)?;
    Ok(lines.lines().filter_map(|line| line.parse().ok()).collect())
}

#[cfg(test)]
mod tests;
