//! One request and its answer.

use std::borrow::Cow;
use std::fs;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use devinit::digest::hex;
use ring::digest::{Context, SHA256};

use super::{Fault, PATIENCE, Request, Shared};
use crate::support::seconds;

/// What GitHub's releases redirect to is on another host, with a signature that is nobody's business.
const ASSETS: &str = "/release-assets";
const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><title>Sign in to the network</title></html>\n";
const SIGNATURE: &str = "sig=s3cr3t-s1gnature";

/// Reads a request and answers it. None: the connection broke, by the client's will or by ours.
pub(super) fn answer(stream: &mut (impl Read + Write), shared: &Shared) -> Option<()> {
    let mut request = Request { at: shared.began.elapsed(), ..Request::read(stream)? };
    let redirected = request.path.strip_prefix(ASSETS).map(str::to_owned);
    if let Some(path) = &redirected {
        request.path.clone_from(path);
    }
    let host = format!("{}://{}", shared.scheme, request.header("host").unwrap_or("localhost"));
    let target = if redirected.is_none() { shared.redirect(&request.path) } else { None };
    shared.requests.lock().unwrap().push(request.clone());
    if let Some(target) = target {
        return send(stream, 302, &[("Location", &format!("{host}{target}"))], b"");
    }
    let fault = shared.fault(&request.path);
    match &fault {
        Some(Fault::Status(status, headers)) => return send(stream, *status, headers, b"go away\n"),
        Some(Fault::Redirect(location)) => return send(stream, 302, &[("Location", location)], b""),
        Some(Fault::Page) => return send(stream, 200, &[("Content-Type", "text/html; charset=utf-8")], PAGE),
        Some(Fault::Instead(content)) => return send(stream, 200, &[], content),
        _ => {}
    }
    let Some(file) = shared.find(&request.path, &host) else {
        return send(stream, 404, &[], b"<html><body>Not Found</body></html>\n");
    };
    send_file(stream, shared, &request, &file, fault.as_ref())
}

impl Shared {
    /// What is to go wrong with this request.
    fn fault(&self, path: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let faults = faults.get_mut(path)?;
        faults.next.pop_front().or_else(|| faults.always.clone())
    }

    /// Where GitHub redirects a path to.
    fn redirect(&self, path: &str) -> Option<String> {
        if let Some((releases, asset)) = path.split_once("/latest/download/") {
            let tag = self.location(&format!("{releases}/latest"))?;
            return Some(format!("{releases}/download/{}/{asset}", tag.rsplit('/').next()?));
        }
        if path.contains("/releases/download/") {
            return self.has(path).then(|| format!("{ASSETS}{path}?sp=r&{SIGNATURE}"));
        }
        let (folder, _) = path.rsplit_once('/')?;
        self.location(path).map(|target| format!("{folder}/{target}"))
    }

    fn location(&self, path: &str) -> Option<String> {
        let text = self.find(&format!("{path}.location"), "")?;
        Some(String::from_utf8_lossy(&text).trim().to_owned())
    }

    fn has(&self, path: &str) -> bool {
        self.files.lock().unwrap().contains_key(path) || self.on_disk(path).is_some_and(|file| file.is_file())
    }

    /// Where a path is in the folder; none for a path that leads out of it.
    fn on_disk(&self, path: &str) -> Option<PathBuf> {
        let inside = Path::new(path.trim_start_matches('/'));
        let plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
        plain.then(|| self.folder.join(inside))
    }

    /// The content of a path: what a test has put there, or a file of the folder.
    fn find(&self, path: &str, host: &str) -> Option<Vec<u8>> {
        if let Some(content) = self.files.lock().unwrap().get(path) {
            return Some(content.clone());
        }
        let file = self.on_disk(path)?;
        if path.starts_with("/npm/") && file.is_dir() {
            let text = fs::read_to_string(file.join("packument.json")).ok()?;
            return Some(text.replace("{registry}", &format!("{host}/npm")).into_bytes());
        }
        fs::read(if file.is_dir() { file.join("index.html") } else { file }).ok()
    }
}

fn send_file(
    stream: &mut impl Write,
    shared: &Shared,
    request: &Request,
    file: &[u8],
    fault: Option<&Fault>,
) -> Option<()> {
    let tag = etag(file);
    let first = range(request, &tag).filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
    let total = file.len();
    let (status, body) = match first {
        None => (200, file),
        Some(first) if first < total => (206, &file[first..]),
        Some(_) => return send(stream, 416, &[("Content-Range", &format!("bytes */{total}"))], b""),
    };
    let length = body.len();
    let mut head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Length: {length}\r\nETag: {tag}\r\nAccept-Ranges: bytes\r\n\
         Content-Type: {}\r\nConnection: close\r\n",
        reason(status),
        kind(&request.path)
    );
    if let Some(first) = first {
        head += &format!("Content-Range: bytes {first}-{}/{total}\r\n", total - 1);
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return stream.flush().ok();
    }
    send_body(stream, shared, body, fault)
}

fn send_body(stream: &mut impl Write, shared: &Shared, body: &[u8], fault: Option<&Fault>) -> Option<()> {
    match fault {
        Some(Fault::CutAfter(count)) => {
            stream.write_all(&body[..body.len().min(*count)]).ok()?;
            stream.flush().ok()?;
            None
        }
        Some(Fault::StallAfter(count)) => {
            let (now, later) = body.split_at(body.len().min(*count));
            stream.write_all(now).ok()?;
            stream.flush().ok()?;
            let released = shared.released.lock().unwrap();
            drop(shared.release.wait_timeout_while(released, PATIENCE, |released| !*released).unwrap());
            stream.write_all(later).ok()?;
            stream.flush().ok()
        }
        Some(Fault::Slow(rate)) => {
            for part in body.chunks((rate / 10).max(1)) {
                stream.write_all(part).ok()?;
                stream.flush().ok()?;
                let released = shared.released.lock().unwrap();
                let tenth = seconds(1) / 10;
                drop(shared.release.wait_timeout_while(released, tenth, |released| !*released).unwrap());
            }
            Some(())
        }
        _ => {
            stream.write_all(body).ok()?;
            stream.flush().ok()
        }
    }
}

/// The first byte that is asked for, if the client's part belongs to this very file.
fn range(request: &Request, tag: &str) -> Option<usize> {
    let first = request.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
    request.header("if-range").is_none_or(|given| given == tag).then_some(first)
}

/// Strong, as a static server has it: of the first and last parts and the length, for large files are asked for often.
fn etag(file: &[u8]) -> String {
    let part = file.len().min(64 << 10);
    let mut digest = Context::new(&SHA256);
    digest.update(&file[..part]);
    digest.update(&file[file.len() - part..]);
    digest.update(&file.len().to_le_bytes());
    format!("\"{:.16}\"", hex(digest.finish().as_ref()))
}

fn kind(path: &str) -> Cow<'static, str> {
    let last = path.rsplit('/').next().unwrap_or_default();
    match last.rsplit_once('.').map(|(_, suffix)| suffix) {
        _ if path.starts_with("/npm/") && !last.ends_with(".tgz") => "application/json",
        Some("json") => "application/json",
        Some("atom") => "application/atom+xml",
        Some("html") => "text/html",
        _ if path.starts_with("/pypi/") && !last.contains('.') => "text/html",
        _ => "application/octet-stream",
    }
    .into()
}

fn send(stream: &mut impl Write, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Option<()> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (length, reason) = (body.len(), reason(status));
    let head = format!("HTTP/1.1 {status} {reason}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    stream.flush().ok()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        _ => "Whatever",
    }
}
