//! Text from a log, fit to be shown.

use std::borrow::Cow;

use crate::job::log::Escapes;
use crate::logger::special;
use crate::logs::harmless;

/// The highest bit of each byte of a word, and the lowest.
const HIGHEST: u64 = 0x8080_8080_8080_8080;
const LOWEST: u64 = 0x0101_0101_0101_0101;

/// A line for a terminal, with its colours, or for something else, without escape sequences; in both cases nothing is in it
/// that moves a cursor or hides.
pub fn shown(text: &str, terminal: bool) -> Cow<'_, str> {
    if is_plain(text.as_bytes()) {
        return text.into();
    }
    if terminal { harmless(text).into() } else { harmless(&without_escapes(text)).into() }
}

/// Whether there is nothing but what can be seen, and tabs.
fn is_plain(text: &[u8]) -> bool {
    let each = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    let (words, rest) = text.as_chunks::<8>();
    let plain = words.iter().all(|bytes| {
        let word = u64::from_le_bytes(*bytes);
        // Neither beyond ASCII nor DEL; and no control characters, or only tabs.
        (word | word.wrapping_add(LOWEST)) & HIGHEST == 0 && (special(*bytes) == 0 || each(bytes))
    });
    plain && each(rest)
}

/// A text without escape sequences: colours, titles, links.
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return text.into();
    }
    let mut plain = Vec::new();
    Escapes::default().strip(text.as_bytes(), &mut plain);
    String::from_utf8(plain).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_kept_for_terminals_if_they_are_colours() {
        for (text, terminal, plain) in [
            ("a\tb", "a\tb", "a\tb"),
            ("Grüße", "Grüße", "Grüße"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m\u{1b}[0m", "red"),
            ("\u{1b}[2Ja\u{1b}[?25lb\u{1b}[3", "?[2Ja?[?25lb?[3", "ab"),
            ("\u{1b}]0;title\u{7}a\u{1b}]8;;https://a.b\u{1b}\\link\u{1b}]8;;\u{1b}\\", "", "alink"),
            ("\u{1b}(Ba\u{1b}7b\u{1b}=", "?(Ba?7b?=", "ab"),
            ("\u{1b}]open", "?]open", ""),
            ("\u{1b}", "?", ""),
            ("\u{1b}\u{1b}[31mx", "?\u{1b}[31mx\u{1b}[0m", "x"),
            ("a\u{8}\u{9b}31m\u{202e}b\r", "a??31m?b", "a??31m?b"),
            ("\u{1b}[ü", "?[ü", "ü"),
            ("plain text of some length", "plain text of some length", "plain text of some length"),
            ("seven t\u{7f}", "seven t?", "seven t?"),
            (
                "a tab\t\"quoted\" \\ and the rest",
                "a tab\t\"quoted\" \\ and the rest",
                "a tab\t\"quoted\" \\ and the rest",
            ),
            ("of nine\u{85}\u{7}", "of nine??", "of nine??"),
        ] {
            if !terminal.is_empty() {
                assert_eq!(shown(text, true), terminal, "{text:?}");
            }
            assert_eq!(shown(text, false), plain, "{text:?}");
        }
    }
}
