//! Reading a log, record by record.

use std::borrow::Cow;

use serde::Deserialize;

use crate::job::{State, Time};
use crate::logger::clock::TIME;

/// A record of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// When it was read or written, as it stands there; see [`Entry::moment`].
    pub time: &'a str,
    /// What it tells.
    pub kind: Kind<'a>,
}

/// What a record tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind<'a> {
    /// A run began.
    Start,
    /// Something was printed.
    Line(Line<'a>),
    /// Lines could not be written.
    Missing {
        /// How many.
        lines: u64,
        /// Why.
        reason: Cow<'a, str>,
    },
    /// The job lives.
    Heartbeat,
    /// It has ended.
    Exit(Exit<'a>),
}

/// A line, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// Standard error, and not standard output.
    pub stderr: bool,
    /// The text, without its line feed.
    pub text: Cow<'a, str>,
    /// The very bytes in base64, where they are not UTF-8.
    pub base64: Option<&'a str>,
    /// It goes on in the next record of its stream.
    pub part: bool,
    /// It had no line feed.
    pub unended: bool,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit<'a> {
    /// Succeeded, failed or stopped.
    pub state: State,
    /// The exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The name of the signal that ended it.
    pub signal: Option<&'a str>,
    /// How long it ran, in whole seconds.
    pub seconds: u64,
}

/// A line of a log that is no record: it was cut off when its writer died, or someone wrote into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn;

impl<'a> Entry<'a> {
    /// Reads a line of a log, without its line feed. None: a record of a kind that a later version writes.
    ///
    /// # Errors
    /// [`Torn`].
    pub fn read(line: &'a [u8]) -> Result<Option<Self>, Torn> {
        let line = std::str::from_utf8(line).map_err(|_| Torn)?;
        // Most of a log by far.
        if let Some(entry) = plain(line) {
            return Ok(Some(entry));
        }
        match serde_json::from_str::<Record<'a>>(line) {
            Ok(record) if record.kind.is_empty() => Err(Torn),
            Ok(record) => Ok(record.entry()),
            // A kind that is not known may use a known key for something else.
            Err(_) => match serde_json::from_str::<serde_json::Value>(line) {
                Ok(value) if value.get("type").is_some_and(|kind| !KINDS.iter().any(|known| kind == known)) => Ok(None),
                _ => Err(Torn),
            },
        }
    }

    /// When it was; none if the time cannot be read.
    #[must_use]
    pub fn moment(&self) -> Option<Time> {
        let time: jiff::Timestamp = self.time.parse().ok()?;
        Some(Time(u64::try_from(time.as_millisecond()).unwrap_or(0)))
    }
}

const KINDS: [&str; 5] = ["start", "line", "missing", "heartbeat", "exit"];

/// A whole line as the writer lays it out, `{"type":"line","time":"…","stream":"…","text":"…"}`: much faster than JSON
/// in general. None: it is something else.
fn plain(line: &str) -> Option<Entry<'_>> {
    let rest = line.strip_prefix("{\"type\":\"line\",\"time\":\"")?;
    let (time, rest) = rest.split_at_checked(TIME)?;
    let rest = rest.strip_prefix("\",\"stream\":\"std")?;
    let (stderr, rest) = match rest.strip_prefix("out\",\"text\":\"") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix("err\",\"text\":\"")?),
    };
    let (text, redrawn) = match rest.strip_suffix("\"}") {
        Some(text) => (text, false),
        None => (rest.strip_suffix('}')?.trim_end_matches(|byte: char| byte.is_ascii_digit()), true),
    };
    let text = if redrawn { text.strip_suffix("\",\"redrawn\":")? } else { text };
    if time.contains(['\\', '"']) {
        return None;
    }
    // A quote inside ends the text, or is escaped.
    let text = match (text.contains('\\'), text.contains('"')) {
        (false, false) => Cow::Borrowed(text),
        (false, true) => return None,
        (true, _) => Cow::Owned(unescaped(text)?),
    };
    Some(Entry { time, kind: Kind::Line(Line { stderr, text, base64: None, part: false, unended: false }) })
}

/// What a JSON string stands for; none if it has an escape sequence beyond the usual ones, or ends before its end.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '"']) {
        let (before, after) = rest.split_at_checked(at)?;
        plain.push_str(before);
        let mut characters = after.strip_prefix('\\')?.chars();
        plain.push(match characters.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let digits = characters.as_str().get(..4).filter(|digits| !digits.starts_with('+'))?;
                characters = characters.as_str().get(4..)?.chars();
                // Halves of a character are left to JSON in general.
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            same @ ('"' | '\\' | '/') => same,
            _ => return None,
        });
        rest = characters.as_str();
    }
    plain.push_str(rest);
    Some(plain)
}

/// All keys of all records that are read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    stream: &'a str,
    #[serde(borrow)]
    text: Cow<'a, str>,
    base64: Option<&'a str>,
    part: bool,
    unended: bool,
    lines: u64,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    state: &'a str,
    exit_code: Option<i32>,
    signal: Option<&'a str>,
    duration: f64,
}

impl<'a> Record<'a> {
    fn entry(self) -> Option<Entry<'a>> {
        let kind = match self.kind {
            "start" => Kind::Start,
            "line" => Kind::Line(Line {
                stderr: self.stream == "stderr",
                text: self.text,
                base64: self.base64,
                part: self.part,
                unended: self.unended,
            }),
            "missing" => Kind::Missing { lines: self.lines, reason: self.reason },
            "heartbeat" => Kind::Heartbeat,
            "exit" => {
                let state = match self.state {
                    "succeeded" => State::Succeeded,
                    "stopped" => State::Stopped,
                    _ => State::Failed,
                };
                let seconds = std::time::Duration::try_from_secs_f64(self.duration).unwrap_or_default().as_secs();
                Kind::Exit(Exit { state, code: self.exit_code, signal: self.signal, seconds })
            }
            _ => return None,
        };
        Some(Entry { time: self.time, kind })
    }
}

/// The bytes that base64 stands for, up to what is not base64.
#[must_use]
pub fn decoded(base64: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(base64.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in base64.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count).unwrap_or_default());
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: &str = "2026-01-31T22:59:59.123Z";

    fn line(text: &str) -> Kind<'_> {
        Kind::Line(Line { stderr: false, text: text.into(), base64: None, part: false, unended: false })
    }

    fn read(line: &str) -> Option<Kind<'_>> {
        Entry::read(line.as_bytes()).unwrap().map(|entry| entry.kind)
    }

    #[test]
    fn a_line_is_read_the_same_by_the_fast_way_and_by_json() {
        for text in [
            "",
            "cc -c a.c",
            "say \"x\"",
            "\\",
            "\\\"",
            "a\tb\u{1b}[31mred\u{8}",
            "Grüße 世界 🦀",
            "\u{fffd}",
            "{\"type\":\"line\"}",
            "\",\"redrawn\":",
            "\"redrawn\":3",
        ] {
            for (stderr, stream) in [(false, "stdout"), (true, "stderr")] {
                let json = serde_json::to_string(text).unwrap();
                for end in ["", ",\"redrawn\":37"] {
                    let laid = format!(r#"{{"type":"line","time":"{MOMENT}","stream":"{stream}","text":{json}{end}}}"#);
                    let other =
                        format!(r#"{{"text":{json}, "type":"line","time":"{MOMENT}", "stream":"{stream}"{end}}}"#);
                    let entry = plain(&laid).unwrap_or_else(|| panic!("{laid}"));
                    let Kind::Line(line) = &entry.kind else { panic!() };
                    assert_eq!((entry.time, line.stderr, &*line.text), (MOMENT, stderr, text));
                    assert!(plain(&other).is_none());
                    assert_eq!(Entry::read(other.as_bytes()), Ok(Some(entry)));
                }
            }
        }
    }

    #[test]
    fn all_kinds_are_read() {
        let with =
            |rest: &str| format!(r#"{{"type":"line","time":"{MOMENT}","stream":"stderr","text":"a\ufffd"{rest}}}"#);
        let expected = Line { stderr: true, text: "a\u{fffd}".into(), base64: None, part: false, unended: false };
        assert_eq!(read(&with("")), Some(Kind::Line(expected.clone())));
        assert_eq!(read(&with(r#","part":true"#)), Some(Kind::Line(Line { part: true, ..expected.clone() })));
        assert_eq!(
            read(&with(r#","base64":"Yf9i","unended":true"#)),
            Some(Kind::Line(Line { base64: Some("Yf9i"), unended: true, ..expected }))
        );
        assert_eq!(read(r#"{"type":"start","version":1,"command":["make"]}"#), Some(Kind::Start));
        assert_eq!(read(r#"{"type":"heartbeat","duration":20.0,"current":"57 %"}"#), Some(Kind::Heartbeat));
        assert_eq!(
            read(r#"{"type":"missing","lines":17,"bytes":3,"reason":"No space \"left\""}"#),
            Some(Kind::Missing { lines: 17, reason: "No space \"left\"".into() })
        );
        assert_eq!(
            read(r#"{"type":"exit","state":"failed","exit_code":null,"signal":"SIGKILL","duration":21.5}"#),
            Some(Kind::Exit(Exit { state: State::Failed, code: None, signal: Some("SIGKILL"), seconds: 21 }))
        );
    }

    #[test]
    fn half_of_a_character_and_a_pair_of_halves_are_read_as_json_does() {
        let text = r#"{"type":"line","time":"","stream":"stdout","text":"\ud83e\udd80"}"#;
        assert_eq!(read(text), Some(line("🦀")));
        assert_eq!(Entry::read(br#"{"type":"line","time":"","stream":"stdout","text":"\ud83e"}"#), Err(Torn));
    }

    #[test]
    fn what_a_later_version_writes_is_skipped_and_what_is_torn_is_told() {
        assert_eq!(read(r#"{"type":"weather","text":{"sun":1}}"#), None);
        assert_eq!(read(r#"{"type":"weather"}"#), None);
        assert_eq!(read(r#"{"type":"line","text":"a","colour":"red","stream":"stdout"}"#), Some(line("a")));
        for torn in [
            "",
            "\0\0\0\0",
            "hello",
            "[]",
            "{}x",
            r#"{"type":"line","time":"2026"#,
            r#"{"type":"line","time":"","stream":"stdout","text":"a"#,
            r#"{"type":"line","time":"","stream":"stdout","text":"a\"}"#,
            r#"{"type":"line","time":"","stream":"stdout","text":"a"b"}"#,
            r#"{"type":"line","text":5}"#,
            r#"{"type":"line","time":"","stream":"stdout","te{"type":"line","time":"","stream":"stdout","text":"a"}"#,
        ] {
            assert_eq!(Entry::read(torn.as_bytes()), Err(Torn), "{torn}");
        }
        assert_eq!(Entry::read(b"{\"type\":\"line\",\"text\":\"\xff\"}"), Err(Torn));
    }

    #[test]
    fn a_time_is_a_moment() {
        let moment = |time| Entry { time, kind: Kind::Start }.moment();
        assert_eq!(moment(MOMENT), Some(Time(1_769_900_399_123)));
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn base64_gives_the_bytes_back() {
        for (text, bytes) in [("Yf9i", &b"a\xffb"[..]), ("/w==", b"\xff"), ("AAE=", b"\0\x01"), ("", b""), ("Y*", b"")]
        {
            assert_eq!(decoded(text), bytes, "{text}");
        }
    }
}
