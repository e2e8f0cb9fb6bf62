//! How a line is written: the hot loop of a job that prints a lot.
//!
//! Copying a line with memcpy(3) costs more than looking at it, so lines are copied a word at a time, as they are looked at,
//! into a small buffer, and from there all at once.

use super::lines::Stream;
use crate::logger::{TIME, special};

/// What follows the text of most lines.
const END: &[u8] = b"\"}\n";
const BEFORE_TIME: &[u8] = b"{\"type\":\"line\",\"time\":\"";
/// How much is gathered, in bytes.
const GATHERED: usize = 1024;
/// How much is looked at at once where nothing has to be escaped, in bytes.
const WORDS: usize = 32;
/// What one word of text can become, in bytes, and a word.
const ROOM: usize = 6 * 8 + 8;

/// What a record says besides its text.
#[derive(Clone, Copy, Default)]
pub struct Marks {
    /// How many earlier states of the line there were.
    pub redrawn: u64,
    /// The line goes on.
    pub part: bool,
    /// The line has no end.
    pub unended: bool,
}

/// Writes the records of one stream's lines.
pub struct Writer {
    /// What stands between the texts of two lines: the end of one record and the beginning of the next.
    joint: Vec<u8>,
    gathered: [u8; GATHERED],
    filled: usize,
}

impl Writer {
    /// A writer for this stream, which has no time yet.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        let name: &[u8] = match stream {
            Stream::Stdout => b"stdout",
            Stream::Stderr => b"stderr",
        };
        let joint = [END, BEFORE_TIME, &[b'0'; TIME], b"\",\"stream\":\"", name, b"\",\"text\":\""].concat();
        Self { joint, gathered: [0; GATHERED], filled: 0 }
    }

    /// The time of the lines that follow.
    pub fn set_time(&mut self, time: &[u8; TIME]) {
        let from = END.len() + BEFORE_TIME.len();
        if let Some(place) = self.joint.get_mut(from..from + TIME) {
            place.copy_from_slice(time);
        }
    }

    /// Writes a whole record. There is no carriage return and no line feed in `text`.
    pub fn record(&mut self, out: &mut Vec<u8>, text: &[u8], marks: Marks) {
        self.head(out);
        if std::str::from_utf8(text).is_ok() {
            self.text(out, text);
        } else {
            for chunk in text.utf8_chunks() {
                self.text(out, chunk.valid().as_bytes());
                if !chunk.invalid().is_empty() {
                    self.put(out, "\u{fffd}".as_bytes());
                }
            }
            self.put(out, b"\",\"base64\":\"");
            self.base64(out, text);
        }
        self.put(out, b"\"");
        if marks.redrawn > 0 {
            self.put(out, b",\"redrawn\":");
            self.put(out, marks.redrawn.to_string().as_bytes());
        }
        if marks.part {
            self.put(out, b",\"part\":true");
        }
        if marks.unended {
            self.put(out, b",\"unended\":true");
        }
        self.put(out, b"}\n");
        self.flush(out);
    }

    /// Writes the records of lines without marks, from text that is UTF-8, and tells `each` of every one of them. Stops before
    /// the first line that has a carriage return elsewhere than at its end, or no end; returns where that begins.
    pub fn plain<'a>(&mut self, out: &mut Vec<u8>, text: &'a [u8], each: &mut dyn FnMut(&'a [u8])) -> usize {
        let mut begin = 0;
        let mut whole = out.len();
        self.head(out);
        loop {
            let mut end = begin;
            let rest = text.get(begin..).unwrap_or_default();
            end += self.text(out, rest);
            let line = text.get(begin..end).unwrap_or_default();
            while text.get(end) == Some(&b'\r') {
                end += 1;
            }
            if text.get(end) != Some(&b'\n') {
                break;
            }
            whole = out.len() + self.filled + END.len();
            self.joint(out);
            each(line);
            begin = end + 1;
        }
        // What has been written of the next one is taken back.
        self.flush(out);
        out.truncate(whole);
        begin
    }

    /// Writes text as it stands in a JSON string, up to a carriage return or a line feed; returns where that is.
    fn text(&mut self, out: &mut Vec<u8>, text: &[u8]) -> usize {
        let mut rest = text;
        let mut calm = true;
        loop {
            if self.filled > GATHERED - ROOM {
                self.flush(out);
            }
            // Four words at a time as long as there is nothing to do. Where there is, it soon is again.
            while calm
                && let Some((words, after)) = rest.split_first_chunk::<WORDS>()
                && let Some(place) =
                    self.gathered.get_mut(self.filled..).and_then(|rest| rest.first_chunk_mut::<WORDS>())
                && all_plain(words)
            {
                *place = *words;
                self.filled += WORDS;
                rest = after;
            }
            if self.filled > GATHERED - ROOM {
                continue;
            }
            let mut word = [0; 8];
            let length = match rest.first_chunk::<8>() {
                Some(whole) => {
                    word = *whole;
                    8
                }
                None => {
                    word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    rest.len()
                }
            };
            store(&mut self.gathered, self.filled, word);
            let special = special(word);
            let plain = if special == 0 { 8 } else { (special.trailing_zeros() / 8) as usize };
            let plain = plain.min(length);
            calm = special == 0;
            self.filled += plain;
            rest = rest.get(plain..).unwrap_or_default();
            if plain == 8 {
                continue;
            }
            match rest.split_first() {
                None | Some((b'\n' | b'\r', _)) => return text.len() - rest.len(),
                Some((byte, after)) => {
                    self.escape(*byte);
                    rest = after;
                }
            }
        }
    }

    #[inline]
    fn escape(&mut self, byte: u8) {
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
        let (escaped, length) = match byte {
            b'"' | b'\\' => ([b'\\', byte, 0, 0, 0, 0, 0, 0], 2),
            b'\t' => (*b"\\t\0\0\0\0\0\0", 2),
            _ => ([b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15), 0, 0], 6),
        };
        store(&mut self.gathered, self.filled, escaped);
        self.filled += length;
    }

    /// Writes bytes in base64 with padding (RFC 4648, section 4).
    fn base64(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |bits: u32| DIGITS[(bits & 63) as usize];
        for three in bytes.chunks(3) {
            let of = |at: usize| three.get(at).copied().unwrap_or(0);
            let bits = u32::from_be_bytes([0, of(0), of(1), of(2)]);
            let mut four = [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits), 0, 0, 0, 0];
            if three.len() < 3 {
                four[3] = b'=';
            }
            if three.len() < 2 {
                four[2] = b'=';
            }
            if self.filled > GATHERED - ROOM {
                self.flush(out);
            }
            store(&mut self.gathered, self.filled, four);
            self.filled += 4;
        }
    }

    /// Writes what stands before the text of a line.
    fn head(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        out.extend_from_slice(self.joint.get(END.len()..).unwrap_or_default());
    }

    /// Ends a line and begins the next one.
    #[inline]
    fn joint(&mut self, out: &mut Vec<u8>) {
        if self.filled > GATHERED - self.joint.len() - 8 {
            self.flush(out);
        }
        let mut at = self.filled;
        let (words, rest) = self.joint.as_chunks::<8>();
        for word in words {
            store(&mut self.gathered, at, *word);
            at += 8;
        }
        let mut word = [0; 8];
        word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        store(&mut self.gathered, at, word);
        self.filled += self.joint.len();
    }

    fn put(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        self.flush(out);
        out.extend_from_slice(bytes);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.gathered.get(..self.filled).unwrap_or_default());
        self.filled = 0;
    }
}

/// Whether nothing in these bytes has to be escaped.
#[inline(always)]
fn all_plain(bytes: &[u8; WORDS]) -> bool {
    bytes.as_chunks::<8>().0.iter().fold(0, |all, word| all | special(*word)) == 0
}

#[inline(always)]
fn store(gathered: &mut [u8; GATHERED], at: usize, word: [u8; 8]) {
    if let Some(place) = gathered.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<8>()) {
        *place = word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            let (mut writer, mut out) = (Writer::new(Stream::Stdout), Vec::new());
            writer.base64(&mut out, bytes.as_bytes());
            writer.flush(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let (mut writer, mut out) = (Writer::new(Stream::Stdout), Vec::new());
        writer.base64(&mut out, b"\xfb\xff\xfe");
        writer.flush(&mut out);
        assert_eq!(out, b"+//+");
    }

    #[test]
    fn a_record_says_what_is_known_of_its_line() {
        let mut writer = Writer::new(Stream::Stderr);
        writer.set_time(b"2026-01-02T03:04:05.678Z");
        let mut out = Vec::new();
        writer.record(&mut out, b"a\xff\"", Marks { redrawn: 17, part: true, unended: true });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"type\":\"line\",\"time\":\"2026-01-02T03:04:05.678Z\",\"stream\":\"stderr\",\"text\":\"a\u{fffd}\\\"\",\
             \"base64\":\"Yf8i\",\"redrawn\":17,\"part\":true,\"unended\":true}\n"
        );
    }
}
