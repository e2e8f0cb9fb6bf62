//! How lines of a log are printed.

use std::io::{IsTerminal, Write, stdout};

use crate::logger::{JSON_BEGIN, TIME};
use crate::words::{harmless_json, hidden};

/// How much is put together for one write.
const BATCH: usize = 64 * 1024;

/// Prints lines.
pub struct Printer {
    terminal: bool,
    json: bool,
    /// How wide names are in front of lines; none: there are no names.
    width: Option<usize>,
    out: Vec<u8>,
    /// Whether someone reads.
    read: bool,
}

impl Printer {
    /// To standard output; with names in front of lines if there are some.
    pub fn new(names: &[&str], json: bool) -> Self {
        let width = names.iter().map(|name| name.len()).max();
        Self { terminal: stdout().is_terminal(), json, width, out: Vec::new(), read: true }
    }

    /// Prints a line, which is without its line feed.
    pub fn line(&mut self, service: &str, line: &[u8]) {
        if self.json && !line.starts_with(JSON_BEGIN) {
            let (time, text) = match time(line) {
                Some(time) => (std::str::from_utf8(time).ok(), line.get(TIME + 1..).unwrap_or_default()),
                None => (None, line),
            };
            let text = String::from_utf8_lossy(text);
            let value = serde_json::json!({"time": time, "service": service, "line": text});
            self.out.extend_from_slice(harmless_json(&value.to_string()).as_bytes());
        } else {
            if let Some(width) = self.width.filter(|_| !self.json) {
                self.out.extend_from_slice(format!("{service:width$} | ").as_bytes());
            }
            if self.terminal {
                self.out.extend_from_slice(harmless(&String::from_utf8_lossy(line)).as_bytes());
            } else {
                self.out.extend_from_slice(line);
            }
        }
        self.out.push(b'\n');
        if self.out.len() > BATCH {
            self.flush();
        }
    }

    /// Writes what there is; returns whether anyone reads.
    pub fn flush(&mut self) -> bool {
        let mut to = stdout().lock();
        self.read = self.read && to.write_all(&self.out).and_then(|()| to.flush()).is_ok();
        self.out.clear();
        self.read
    }
}

/// The time of a line, as the logger writes it: first, or in JSON.
pub fn time(line: &[u8]) -> Option<&[u8]> {
    let time = line.strip_prefix(JSON_BEGIN).unwrap_or(line).get(..TIME)?;
    // Not a calendar: only so that nothing else is taken for one.
    let form = b"0000-00-00T00:00:00.000Z";
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    time.iter().zip(form).all(fits).then_some(time)
}

/// A line that does nothing to a terminal but to colour itself.
pub fn harmless(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut text = String::with_capacity(line.len());
    let (mut rest, mut coloured) = (line, false);
    while let Some(character) = rest.chars().next() {
        let length = colour(rest).unwrap_or(character.len_utf8());
        let (this, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if this.len() > character.len_utf8() {
            coloured = true;
            text.push_str(this);
        } else {
            text.push(if character != '\t' && hidden(character) { '?' } else { character });
        }
        rest = after;
    }
    if coloured {
        text.push_str("\u{1b}[0m");
    }
    text
}

/// How long the colour sequence (SGR) is that a text begins with, if it does.
fn colour(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|character: char| !matches!(character, '0'..='9' | ';' | ':'))?;
    numbers.get(end..)?.starts_with('m').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_get_through_to_a_terminal_and_nothing_else_does() {
        assert_eq!(harmless("a\tb \u{1b}[1;31mred\u{1b}[0m"), "a\tb \u{1b}[1;31mred\u{1b}[0m\u{1b}[0m");
        assert_eq!(harmless("\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{1b}"), "?[2J?]0;title??31m?");
        assert_eq!(harmless("10%\r20%\r"), "10%?20%");
        assert_eq!(harmless("Grüße \u{202e}txt\0"), "Grüße ?txt?");
    }

    #[test]
    fn times_are_known_in_text_and_in_json() {
        let now = b"2026-01-02T03:04:05.678Z";
        assert_eq!(time(b"2026-01-02T03:04:05.678Z hello"), Some(&now[..]));
        assert_eq!(time(b"{\"time\":\"2026-01-02T03:04:05.678Z\",\"line\":\"x\"}"), Some(&now[..]));
        assert_eq!(time(b"2026-01-02 03:04:05.678Z hello"), None);
        assert_eq!(time(b"short"), None);
    }

    #[test]
    fn lines_become_json_if_they_are_none() {
        let mut printer = Printer { terminal: false, json: true, width: Some(9), out: Vec::new(), read: true };
        let json = b"{\"time\":\"2026-01-02T03:04:05.678Z\",\"service\":\"a\",\"line\":\"\"}";
        printer.line("a", json);
        printer.line("b", b"2026-01-02T03:04:05.678Z say \"x\"\xff\xc2\x9b");
        printer.line("b", b"no time");
        let out = String::from_utf8(printer.out).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0].as_bytes(), json);
        let value: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(value["line"], "say \"x\"\u{fffd}\u{9b}");
        assert!(!lines[1].contains('\u{9b}'));
        assert_eq!(value["time"], "2026-01-02T03:04:05.678Z");
        assert!(serde_json::from_str::<serde_json::Value>(lines[2]).unwrap()["time"].is_null());
    }
}
