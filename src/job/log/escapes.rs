//! Escape sequences of terminals, byte by byte: colours, titles, links.

use crate::sys::find;
use crate::words::clean;

/// The byte that begins a sequence.
const ESCAPE: u8 = 0x1b;
/// How far from its end a piece of a line is searched for a sequence that is not over, in bytes.
const LOOK_BACK: usize = 256;

/// Where in a sequence one is, after ECMA-48 and what xterm does with what is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In none.
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate byte: `ESC ( B`.
    Intermediate,
    /// A control sequence: `ESC [ 31 m`.
    Control,
    /// A string: a title, a link (`ESC ] 8 ; ; URL`), a picture. BEL or ST (`ESC \`) ends it.
    String,
    /// After ESC in a string.
    StringEscape,
}

/// Tells text from escape sequences, which may come in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Escapes(State);

impl Escapes {
    /// Whether a sequence has begun that is not over.
    #[must_use]
    pub fn inside(self) -> bool {
        self.0 != State::Text
    }

    /// Takes a byte, and tells whether it is text. A line feed always is, and ends a sequence that has no end: or what is
    /// not a sequence would swallow all that comes. A carriage return within a control sequence is, too, and the sequence
    /// goes on after it, as on a terminal.
    pub fn text(&mut self, byte: u8) -> bool {
        let (state, text) = match (self.0, byte) {
            (_, b'\n') => (State::Text, true),
            (State::Text, ESCAPE) => (State::Escape, false),
            (State::Text, _) => (State::Text, true),
            (State::String, ESCAPE) => (State::StringEscape, false),
            (State::String, 0x07 | 0x18 | 0x1a) | (State::StringEscape, b'\\') => (State::Text, false),
            (State::String, _) => (State::String, false),
            (_, ESCAPE) => (State::Escape, false),
            (state, b'\r') => (state, true),
            (State::Control, 0x20..=0x3f) => (State::Control, false),
            (State::Escape | State::StringEscape, b'[') => (State::Control, false),
            (State::Escape | State::StringEscape, b']' | b'P' | b'X' | b'^' | b'_') => (State::String, false),
            (State::Escape | State::StringEscape | State::Intermediate, 0x20..=0x2f) => (State::Intermediate, false),
            (_, 0x30..=0x7e) => (State::Text, false),
            _ => (State::Text, true),
        };
        self.0 = state;
        text
    }

    /// Appends what is text.
    pub fn strip(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            if !self.inside() {
                let (text, rest) = split(bytes, find(ESCAPE, bytes).unwrap_or(bytes.len()));
                out.extend_from_slice(text);
                bytes = rest;
            }
            let mut taken = 0;
            for byte in bytes {
                taken += 1;
                if self.text(*byte) {
                    out.push(*byte);
                }
                if !self.inside() {
                    break;
                }
            }
            bytes = split(bytes, taken).1;
        }
    }

    /// Whether there is anything to strip in these bytes.
    #[must_use]
    pub fn concern(self, bytes: &[u8]) -> bool {
        self.inside() || find(ESCAPE, bytes).is_some()
    }
}

/// The two sides of a place that is known to be inside.
#[inline(always)]
#[must_use]
pub fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

/// Whether these bytes leave anything on a screen but blanks.
#[inline]
#[must_use]
pub fn shows(bytes: &[u8]) -> bool {
    let printed = |byte: u8| byte > b' ' && byte != 0x7f;
    // So it is with nearly every line.
    if bytes.first().is_some_and(|first| printed(*first)) {
        return true;
    }
    let mut escapes = Escapes::default();
    bytes.iter().any(|byte| escapes.text(*byte) && printed(*byte))
}

/// Where an escape sequence begins that is not over at the end of these bytes, if it began lately.
#[must_use]
pub fn unfinished(bytes: &[u8]) -> Option<usize> {
    let from = bytes.len().saturating_sub(LOOK_BACK);
    let mut escapes = Escapes::default();
    let mut begun = None;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        let inside = escapes.inside();
        escapes.text(*byte);
        if !inside {
            begun = Some(at);
        }
    }
    begun.filter(|_| escapes.inside())
}

/// What can be seen of a line, fit for a terminal: at most `limit` characters, without escape sequences.
#[must_use]
pub fn visible(line: &[u8], limit: usize) -> String {
    let mut text = Vec::new();
    Escapes::default().strip(line, &mut text);
    clean(&String::from_utf8_lossy(&text), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(pieces: &[&[u8]]) -> String {
        let (mut escapes, mut out) = (Escapes::default(), Vec::new());
        pieces.iter().for_each(|piece| escapes.strip(piece, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sequences_are_left_out_wherever_they_are_split() {
        for (raw, text) in [
            ("a\x1b[1;31mred\x1b[0m b", "ared b"),
            ("\x1b]0;title\x07x", "x"),
            ("\x1b]8;;http://h/\x1b\\link\x1b]8;;\x1b\\!", "link!"),
            ("\x1b(Bx\x1b7y\x1b=z\x1b#8", "xyz"),
            ("\x1bP1$r0m\x1b\\x", "x"),
            ("\x1bPtmux;\x1b\x1b]0;t\x07\x1b\\x", "x"),
            ("\x1b[3\r1mred", "\rred"),
            ("\x1b[?25h\x1b[38:2::1:2:3mx", "x"),
        ] {
            let raw = raw.as_bytes();
            assert_eq!(stripped(&[raw]), text);
            for at in 0..=raw.len() {
                assert_eq!(stripped(&[&raw[..at], &raw[at..]]), text, "{at}");
            }
        }
    }

    #[test]
    fn what_is_no_sequence_swallows_no_more_than_its_line() {
        assert_eq!(stripped(&[b"\x1b]no end\nnext"]), "\nnext");
        assert_eq!(stripped(&[b"\x1b[31\nnext"]), "\nnext");
        assert_eq!(stripped(&["\x1büber \x1b[ü".as_bytes()]), "über ü");
    }

    #[test]
    fn blanks_and_sequences_show_nothing() {
        assert!(!shows(b"") && !shows(b" \t\0\x7f") && !shows(b"\x1b[K\x1b[?25h \x1b]0;title\x07"));
        assert!(shows(b" x") && shows(b"\x1b[31m.") && shows("ü".as_bytes()));
    }

    #[test]
    fn a_sequence_that_is_not_over_is_found() {
        assert_eq!(unfinished(b"abc\x1b[3"), Some(3));
        assert_eq!(unfinished(b"abc\x1b[3m"), None);
        assert_eq!(unfinished(b"\x1b[3mabc\x1b]8;;u\x1b"), Some(7));
        assert_eq!(unfinished(&[b"\x1b]0;".as_slice(), &[b'x'; 1000]].concat()), None);
    }

    #[test]
    fn what_can_be_seen_is_fit_for_a_terminal() {
        assert_eq!(visible(b" \x1b[1m57 %\x1b[0m\x08\xff ", 80), "57 %?\u{fffd}");
        assert_eq!(visible("ü".repeat(600).as_bytes(), 500).chars().count(), 500);
    }
}
