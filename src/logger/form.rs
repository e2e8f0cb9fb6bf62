//! How lines are written.

use super::clock::TIME;
use crate::sys::find;

/// What stands between the time and the service's name in JSON; with the time, `logs` knows such lines by it.
pub const JSON_BEGIN: &[u8] = b"{\"time\":\"";

/// The lines of a block, each with its line feed if it has one.
pub fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let end = find(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at_checked(end).filter(|(line, _)| !line.is_empty())?;
        rest = after;
        Some(line)
    })
}

/// How many lines there are; the last one may be without a line feed.
pub fn count(block: &[u8]) -> u64 {
    u64::try_from(lines(block).count()).unwrap_or(u64::MAX)
}

/// Where the last line that is whole ends, in a block whose lines may be long; 0 if none is.
pub fn whole(block: &[u8]) -> usize {
    block.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// Writes every line of a block behind `before`, with a line feed at the end of each.
pub fn prefixed(out: &mut Vec<u8>, before: &[u8], block: &[u8]) {
    for line in lines(block) {
        out.reserve(before.len() + line.len() + 1);
        out.extend_from_slice(before);
        out.extend_from_slice(line);
    }
    if !block.ends_with(b"\n") {
        out.push(b'\n');
    }
}

/// Writes every line of a block as `TIME LINE`.
pub fn text(out: &mut Vec<u8>, time: &[u8; TIME], block: &[u8]) {
    let mut before = [b' '; TIME + 1];
    if let Some(place) = before.first_chunk_mut::<TIME>() {
        *place = *time;
    }
    prefixed(out, &before, block);
}

/// Writes every line of a block as JSON. `service` is a JSON string. `partial` says that what is written is a piece of a
/// line that goes on.
pub fn json(out: &mut Vec<u8>, time: &[u8; TIME], service: &[u8], block: &[u8], partial: bool) {
    for line in lines(block) {
        out.extend_from_slice(JSON_BEGIN);
        out.extend_from_slice(time);
        out.extend_from_slice(b"\",\"service\":");
        out.extend_from_slice(service);
        out.extend_from_slice(b",\"line\":");
        json_string(out, line.strip_suffix(b"\n").unwrap_or(line));
        if partial {
            out.extend_from_slice(b",\"partial\":true");
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Writes a JSON string; what is not UTF-8 becomes U+FFFD.
pub fn json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    if std::str::from_utf8(bytes).is_ok() {
        escaped(out, bytes);
    } else {
        for chunk in bytes.utf8_chunks() {
            escaped(out, chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, mut bytes: &[u8]) {
    loop {
        let (plain, rest) = bytes.split_at_checked(plain(bytes)).unwrap_or((bytes, &[]));
        out.extend_from_slice(plain);
        let Some((special, rest)) = rest.split_first() else { return };
        match special {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *special]),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            control => {
                let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(control >> 4), digit(control & 15)]);
            }
        }
        bytes = rest;
    }
}

/// How many bytes there are before the first that has to be escaped: eight at a time.
fn plain(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let sure = words.iter().position(|word| special(*word) != 0).unwrap_or(words.len()) * 8;
    let rest = bytes.get(sure..).unwrap_or_default();
    let more = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
    sure + more.unwrap_or(rest.len())
}

/// The highest bit of each byte that has to be escaped in JSON, the first byte being the lowest. Those above the lowest one
/// that is set may be wrong.
#[inline(always)]
#[must_use]
pub fn special(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let word = u64::from_le_bytes(word);
    // A byte below N borrows from above where its own highest bit was not set.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &[u8; TIME] = b"2026-01-02T03:04:05.678Z";

    #[test]
    fn every_line_of_a_block_gets_its_time() {
        let mut out = Vec::new();
        text(&mut out, NOW, b"one\n\ntwo");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "2026-01-02T03:04:05.678Z one\n2026-01-02T03:04:05.678Z \n2026-01-02T03:04:05.678Z two\n");
    }

    #[test]
    fn a_piece_of_a_line_says_so() {
        let mut out = Vec::new();
        json(&mut out, NOW, b"\"web\"", b"a\0\x1b\xff\"", true);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "time": "2026-01-02T03:04:05.678Z", "service": "web", "line": "a\0\u{1b}\u{fffd}\"", "partial": true
            })
        );
    }

    proptest! {
        #[test]
        fn json_strings_say_what_the_bytes_say(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            json_string(&mut out, &bytes);
            let read: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn lines_put_together_are_the_block(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200)) {
            prop_assert_eq!(lines(&bytes).collect::<Vec<_>>().concat(), bytes);
        }
    }
}
