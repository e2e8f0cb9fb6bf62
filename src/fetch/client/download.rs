//! A download, continued where an earlier attempt was cut off.

use std::path::Path;
use std::time::{Duration, Instant};

use super::super::Failure;
use super::partial::{Partial, State};
use super::session::{Answer, Session};
use super::status;
use super::url::Url;
use crate::words;

/// As much as is read and written at once.
pub(super) const BUFFER: usize = 128 << 10;

/// Takes how many bytes there are, and how many there will be.
pub(super) type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>) -> Result<(), Failure>;

/// Downloads a URL into a file.
pub(super) fn download(session: &Session<'_>, url: &Url, to: &Path, progress: Progress<'_>) -> Result<(), Failure> {
    let mut partial = Partial::open(to, &url.redacted())?;
    if let Some(state) = partial.state().cloned() {
        let range = format!("bytes={}-", partial.length());
        let answer = session.get(url, &[("range", range), ("if-range", state.validator.clone())])?;
        match answer.status.as_u16() {
            206 => {
                if let Some(total) = continues(&answer, &state, partial.length()) {
                    partial.go_on()?;
                    return body(session, answer, partial, total, progress);
                }
            }
            416 if is_complete(&answer, &state, partial.length()) => {
                progress(partial.length(), Some(partial.length()))?;
                return partial.finish();
            }
            416 => {}
            _ => return whole(session, url, answer, partial, progress),
        }
    }
    let answer = session.get(url, &[])?;
    whole(session, url, answer, partial, progress)
}

/// Takes an answer that has the whole file, from its first byte.
fn whole(
    session: &Session<'_>,
    url: &Url,
    answer: Answer,
    mut partial: Partial,
    progress: Progress<'_>,
) -> Result<(), Failure> {
    if !answer.is_whole() {
        return Err(answer.refusal());
    }
    refuse_web_page(url, &answer)?;
    let total = answer.header("content-length").and_then(|length| length.parse().ok());
    let state = validator(&answer).map(|validator| State { url: url.redacted(), validator, total });
    partial.start_over(state, total)?;
    body(session, answer, partial, total, progress)
}

/// Takes the body of an answer to its end.
fn body(
    session: &Session<'_>,
    mut answer: Answer,
    mut partial: Partial,
    total: Option<u64>,
    progress: Progress<'_>,
) -> Result<(), Failure> {
    let mut meter = Meter::new(progress, total);
    let mut buffer = vec![0; BUFFER];
    session.expect_body();
    loop {
        meter.show(partial.length())?;
        let length = answer.read(&mut buffer).map_err(|failure| so_far(failure, partial.length(), total))?;
        if length == 0 {
            break;
        }
        partial.write(buffer.get(..length).unwrap_or_default(), total)?;
    }
    match total {
        Some(total) if partial.length() < total => {
            Err(so_far(Failure::passing("the server sent a part only"), partial.length(), Some(total)))
        }
        Some(total) if partial.length() > total => {
            // What came is not what was announced: the next attempt must not build on it.
            partial.start_over(None, None)?;
            Err(Failure::passing("the server sent more than it announced"))
        }
        _ => {
            meter.end(partial.length())?;
            partial.finish()
        }
    }
}

fn so_far(mut failure: Failure, length: u64, total: Option<u64>) -> Failure {
    let total = total.map(|total| format!(" of {}", words::bytes(total))).unwrap_or_default();
    failure.text = format!("{}, after {}{total}", failure.text, words::bytes(length));
    failure
}

/// Shows the progress, but not all the time.
pub(super) struct Meter<'a> {
    progress: Progress<'a>,
    total: Option<u64>,
    shown: Option<Instant>,
}

impl<'a> Meter<'a> {
    const PAUSE: Duration = Duration::from_millis(100);

    pub(super) fn new(progress: Progress<'a>, total: Option<u64>) -> Self {
        Self { progress, total, shown: None }
    }

    /// So much is there.
    pub(super) fn show(&mut self, length: u64) -> Result<(), Failure> {
        if self.shown.is_some_and(|shown| shown.elapsed() < Self::PAUSE) {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        (self.progress)(length, self.total)
    }

    /// All is there.
    pub(super) fn end(self, length: u64) -> Result<(), Failure> {
        (self.progress)(length, self.total.or(Some(length)))
    }
}

/// What tells this content from every other (RFC 9110, section 8.8): a strong `ETag`, or a `Last-Modified` that was over
/// for a second when the answer was made.
fn validator(answer: &Answer) -> Option<String> {
    let tag = answer.header("etag").filter(|tag| tag.starts_with('"') && tag.len() <= 1024);
    let modified = || {
        let value = answer.header("last-modified")?;
        let (modified, date) = (status::time(value)?, status::time(answer.header("date")?)?);
        (modified < date).then_some(value)
    };
    tag.or_else(modified).map(str::to_owned)
}

/// Whether a 206 continues right behind what is there. If so, how many bytes there will be.
fn continues(answer: &Answer, state: &State, length: u64) -> Option<Option<u64>> {
    let range = answer.header("content-range")?.strip_prefix("bytes ")?;
    let (range, total) = range.split_once('/')?;
    let start: u64 = range.split_once('-')?.0.trim().parse().ok()?;
    let total = match total.trim() {
        "*" => state.total,
        total => Some(total.parse().ok()?),
    };
    let same = start == length && is_same(answer, state) && (state.total.is_none() || state.total == total);
    same.then_some(total)
}

/// Whether a 416 says that everything is there already: `Content-Range: bytes */TOTAL`.
fn is_complete(answer: &Answer, state: &State, length: u64) -> bool {
    let said = answer.header("content-range").and_then(|range| range.strip_prefix("bytes */")?.trim().parse().ok());
    let total = said.or(state.total);
    total == Some(length) && (state.total.is_none() || state.total == total) && is_same(answer, state)
}

/// Whether nothing in an answer says that the content is another one now. Some servers ignore `If-Range`.
fn is_same(answer: &Answer, state: &State) -> bool {
    let name = if state.validator.starts_with('"') { "etag" } else { "last-modified" };
    answer.header(name).is_none_or(|value| value == state.validator)
}

/// A page where a file should be: of a login, of a proxy, of a server that has a page for every URL.
fn refuse_web_page(url: &Url, answer: &Answer) -> Result<(), Failure> {
    let kind = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let name = url.name().to_ascii_lowercase();
    if !kind.eq_ignore_ascii_case("text/html") || name.ends_with(".html") || name.ends_with(".htm") {
        return Ok(());
    }
    Err(Failure::permanent(format!("the server sent a web page instead of {}", url.name()))
        .hint(format!("a proxy or a login page may stand between; open {} in a browser", url.redacted())))
}
