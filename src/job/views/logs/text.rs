//! Text from a log, fit to be shown.

use std::borrow::Cow;

use crate::logs::harmless;

const ESCAPE: char = '\u{1b}';

/// A line for a terminal, with its colours, or for something else, without escape sequences; in both cases nothing is in it
/// that moves a cursor or hides.
pub fn shown(text: &str, terminal: bool) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return text.into();
    }
    if terminal { harmless(text).into() } else { harmless(&without_escapes(text)).into() }
}

/// A text without escape sequences: colours, titles, links.
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once(ESCAPE) {
        plain.push_str(before);
        rest = after_escape(after);
    }
    if rest.len() == text.len() {
        return text.into();
    }
    plain.push_str(rest);
    plain.into()
}

/// What is behind an escape sequence, whose escape character is gone. After ECMA-48; a string that has no end is not one.
fn after_escape(text: &str) -> &str {
    let mut characters = text.chars();
    match characters.next() {
        Some('[') => {
            let rest = characters.as_str();
            let end = rest.find(|c: char| !matches!(c, ' '..='?')).unwrap_or(rest.len());
            let last = rest.get(end..).unwrap_or_default();
            last.strip_prefix(|c: char| matches!(c, '@'..='~')).unwrap_or(last)
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let rest = characters.as_str();
            let Some(end) = rest.find(['\u{7}', ESCAPE]) else { return rest };
            let last = rest.get(end..).unwrap_or_default();
            last.strip_prefix('\u{7}').or_else(|| last.strip_prefix("\u{1b}\\")).unwrap_or(last)
        }
        Some(' '..='/') => {
            let rest = characters.as_str().trim_start_matches(|c: char| matches!(c, ' '..='/'));
            rest.strip_prefix(|c: char| matches!(c, '0'..='~')).unwrap_or(rest)
        }
        Some('0'..='~') => characters.as_str(),
        _ => text,
    }
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
            ("\u{1b}]open", "?]open", "open"),
            ("\u{1b}", "?", ""),
            ("\u{1b}\u{1b}[31mx", "?\u{1b}[31mx\u{1b}[0m", "x"),
            ("a\u{8}\u{9b}31m\u{202e}b\r", "a??31m?b", "a??31m?b"),
            ("\u{1b}[ü", "?[ü", "ü"),
        ] {
            if !terminal.is_empty() {
                assert_eq!(shown(text, true), terminal, "{text:?}");
            }
            assert_eq!(shown(text, false), plain, "{text:?}");
        }
    }
}
