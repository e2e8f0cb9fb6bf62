//! The `SetEnv` line: the container's environment for every kind of session.

use std::collections::BTreeMap;

use crate::note::Note;

/// The pairs of the one `SetEnv` line; of several lines sshd takes only the first. `None` if there is nothing to say.
pub(super) fn line(environment: &BTreeMap<String, String>, escapes: bool) -> Option<String> {
    let pairs: Vec<_> = environment.iter().filter_map(|(name, value)| quoted(name, value, escapes)).collect();
    (!pairs.is_empty()).then(|| pairs.join(" "))
}

/// Names the variables that cannot be written there, and so do not reach SSH sessions.
pub fn left_out(environment: &BTreeMap<String, String>, escapes: bool) -> Vec<Note> {
    let lost = environment.iter().filter(|(name, value)| !fits(name, value, escapes));
    lost.map(|(name, value)| {
        let reason = match expressible(name, value) {
            true => "this old sshd cannot read a value with a quote or #",
            false => "sshd's config cannot hold a value with a line end or a NUL",
        };
        Note::warning(format!("{} is not passed on to SSH sessions: {reason}", name.escape_default()))
    })
    .collect()
}

/// Whether a value needs what sshd understands only since OpenSSH 8.7: ask [`super::understands_escapes`] then.
pub fn needs_escapes(environment: &BTreeMap<String, String>) -> bool {
    environment.iter().any(|(name, value)| expressible(name, value) && !fits(name, value, false))
}

/// Whether a variable can be written there.
pub(super) fn fits(name: &str, value: &str, escapes: bool) -> bool {
    quoted(name, value, escapes).is_some()
}

fn expressible(name: &str, value: &str) -> bool {
    !name.is_empty()
        && !name.contains(['=', '"', '\\', '#', ' '])
        && ![name, value].iter().any(|text| text.contains(['\n', '\0']))
}

/// `"NAME=value"` as sshd reads it back, or none if it would not.
///
/// Since 8.7 a backslash before a quote or another backslash is an escape, and before anything else stands for itself.
/// Older ones have no escapes, and cut the line at `#` even within quotes.
fn quoted(name: &str, value: &str, escapes: bool) -> Option<String> {
    if !expressible(name, value) || (!escapes && value.contains(['"', '#'])) {
        return None;
    }
    let mut text = format!("\"{name}=");
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let escape = match character {
            '"' => true,
            // At the end it would escape the closing quote.
            '\\' => matches!(characters.peek(), None | Some('\\' | '"' | '\'')),
            _ => false,
        };
        if escape && escapes {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    /// How sshd takes such a line apart: argv_split of OpenSSH 9.2's misc.c.
    fn sshd_reads(line: &str) -> Vec<String> {
        let bytes = line.as_bytes();
        let (mut words, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            if matches!(bytes[at], b' ' | b'\t') {
                at += 1;
                continue;
            }
            if bytes[at] == b'#' {
                break;
            }
            let (mut word, mut quote) = (Vec::new(), 0);
            while at < bytes.len() {
                let (byte, next) = (bytes[at], bytes.get(at + 1).copied().unwrap_or(0));
                match byte {
                    b'\\' if matches!(next, b'\'' | b'"' | b'\\') || (quote == 0 && next == b' ') => {
                        at += 1;
                        word.push(next);
                    }
                    b' ' | b'\t' if quote == 0 => break,
                    b'"' | b'\'' if quote == 0 => quote = byte,
                    _ if quote != 0 && byte == quote => quote = 0,
                    _ => word.push(byte),
                }
                at += 1;
            }
            assert_eq!(quote, 0, "unbalanced: {line}");
            words.push(String::from_utf8(word).unwrap());
        }
        words
    }

    proptest! {
        #[test]
        fn sshd_reads_back_every_value_as_it_was(values in prop::collection::vec("[^\n\0]{0,30}", 1..5)) {
            let environment: BTreeMap<_, _> =
                values.iter().enumerate().map(|(index, value)| (format!("V{index}"), value.clone())).collect();
            let expected: Vec<_> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
            prop_assert_eq!(sshd_reads(&line(&environment, true).unwrap()), expected);
        }

        #[test]
        fn quotes_and_backslashes_in_any_order_come_back(value in "[\\\\\"' #%]{0,12}") {
            let environment = environment(&[("A", &value), ("B", "end")]);
            prop_assert_eq!(sshd_reads(&line(&environment, true).unwrap()), [format!("A={value}"), "B=end".into()]);
        }
    }

    #[test]
    fn plain_values_are_the_same_for_old_and_new_sshd() {
        let environment = environment(&[("A", "two words"), ("P", r"C:\path"), ("Q", "it's"), ("U", "é"), ("E", "")]);
        assert_eq!(line(&environment, true), line(&environment, false));
        assert!(!needs_escapes(&environment));
        assert_eq!(left_out(&environment, false), []);
    }

    #[test]
    fn what_an_old_sshd_would_choke_on_is_left_out_and_named_without_its_value() {
        let environment = environment(&[("A", "1"), ("HASH", "a#b"), ("JSON", "{\"secret\": 1}")]);
        assert_eq!(line(&environment, false).unwrap(), "\"A=1\"");
        assert!(needs_escapes(&environment));
        let notes = left_out(&environment, false);
        assert_eq!(notes.len(), 2);
        assert!(notes[1].text.starts_with("JSON ") && !notes[1].text.contains("secret"), "{notes:?}");
        assert_eq!(left_out(&environment, true), []);
    }

    #[test]
    fn a_value_with_a_line_end_is_left_out_and_named() {
        let environment = environment(&[("CERT", "-----BEGIN\nsecret"), ("A\nPort", "1")]);
        assert_eq!(line(&environment, true), None);
        let notes = left_out(&environment, true);
        assert_eq!(notes.len(), 2);
        assert!(notes.iter().all(|note| !note.text.contains(['\n']) && !note.text.contains("secret")), "{notes:?}");
        assert!(!needs_escapes(&environment));
    }
}
