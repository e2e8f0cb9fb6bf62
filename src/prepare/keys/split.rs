//! From text to lines that hold one key each, whatever a secret store, a shell or YAML did to the line ends.

use super::wire::{decode_base64, key_type};

/// A piece of text that should be one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The line of the text that it stands on, from 1.
    pub number: usize,
    /// What stands there, trimmed and without surrounding quotes.
    pub text: String,
    /// Another key stands before it on its line, and what is between them may be options: to cut there would lift
    /// restrictions that somebody meant.
    pub unclear: bool,
}

/// Cuts text at line ends, at a literal `\n`, at a comma before a key, and where two keys were joined.
pub(super) fn candidates(text: &str) -> Vec<Candidate> {
    let mut text = text.trim_start_matches(['\u{feff}', ' ']).trim_end();
    let first_line = text.lines().next().unwrap_or_default();
    if ['"', '\''].iter().any(|&quote| text.starts_with(quote) && first_line.matches(quote).count() % 2 == 1) {
        text = unquoted(text);
    }
    let mut found = Vec::new();
    for (index, line) in text.replace("\r\n", "\n").split(['\n', '\r']).enumerate() {
        for part in split_at_literal_newlines(unquoted(line.trim())) {
            let part = unquoted(part.trim());
            for (text, unclear) in split_joined_keys(part) {
                found.push(Candidate { number: index + 1, text: text.to_owned(), unclear });
            }
        }
    }
    found
}

/// Takes away quotes around the whole; a lone one at either end is what splitting left of such a pair.
fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return without_odd_end(inner, quote);
        }
    }
    // A lone apostrophe may well end a comment; a lone double quote ends no key.
    without_odd_end(text, '"')
}

fn without_odd_end(text: &str, quote: char) -> &str {
    match text.strip_suffix(quote) {
        Some(inner) if text.matches(quote).count() % 2 == 1 => inner,
        _ => text,
    }
}

/// `\n` and `\r\n` spelled out, but for those within the quotes of a key's options (`command="printf 'a\nb'"`).
fn split_at_literal_newlines(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let (mut in_options, mut quoted, mut before) = (has_options(line), false, b' ');
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' if in_options && before != b'\\' => quoted = !quoted,
            b' ' | b'\t' if !quoted => in_options = false,
            b'n' if !quoted && before == b'\\' && at > start => {
                parts.push(line[start..at - 1].trim_end_matches("\\r"));
                start = at + 1;
                in_options = has_options(&line[start..]);
            }
            _ => {}
        }
        before = byte;
    }
    parts.push(line[start..].trim_end_matches("\\r"));
    parts
}

/// Whether a line may begin with options: not if it is a comment or begins with its key type.
fn has_options(line: &str) -> bool {
    !line.starts_with('#') && !begins_with_key_type(line)
}

/// Where the options at the start of a line end: at the first blank outside quotes; 0 if there are none.
pub(super) fn options_end(line: &str) -> usize {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let names_its_key = words.next().is_some_and(|kind| words.next().and_then(type_of).as_deref() == Some(kind));
    if names_its_key || !has_options(line) {
        return 0;
    }
    outside_quotes(line).find(|&(_, byte)| matches!(byte, b' ' | b'\t')).map_or(line.len(), |(at, _)| at)
}

/// The bytes that do not stand within double quotes, and their places; `\"` is no quote.
pub(super) fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let (mut quoted, mut before) = (false, b' ');
    text.bytes().enumerate().filter(move |&(_, byte)| {
        let quote = byte == b'"' && before != b'\\';
        quoted ^= quote;
        before = byte;
        !quoted && !quote
    })
}

/// Whether a text begins as key types do (and options never).
pub(super) fn begins_with_key_type(text: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-", "webauthn-sk-"].iter().any(|start| text.starts_with(start))
}

/// The type that the first bytes of a base64 word name, if it is a key at all.
pub(super) fn type_of(word: &str) -> Option<String> {
    // 64 digits hold the longest name there is, and are less than the shortest key: what follows the key may be
    // another one without a blank between.
    let digits = word.len().min(64) / 4 * 4;
    let blob = word.starts_with("AAAA").then(|| word.get(..digits).and_then(decode_base64)).flatten()?;
    key_type(&blob).map(str::to_owned)
}

/// Cuts before each key but the first.
fn split_joined_keys(line: &str) -> Vec<(&str, bool)> {
    if line.starts_with('#') {
        return vec![(line, false)];
    }
    let mut parts = Vec::new();
    let (mut from, mut unclear) = (0, false);
    for start in key_starts(line).into_iter().skip(1) {
        parts.push((line[from..start].trim().trim_end_matches(',').trim_end(), unclear));
        unclear = may_end_in_options(&line[from..start]);
        from = start;
    }
    parts.push((line[from..].trim().trim_end_matches(','), unclear));
    parts
}

/// The places where a key type stands that the base64 after it repeats.
fn key_starts(line: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut previous: Option<(usize, &str)> = None;
    let mut at = options_end(line);
    for word in line[at..].split([' ', '\t']) {
        if let Some((before, kind)) = previous
            && let Some(name) = type_of(word).filter(|name| kind.ends_with(name.as_str()))
        {
            starts.push(before + kind.len() - name.len());
        }
        if !word.is_empty() {
            previous = Some((at, word));
        }
        at += word.len() + 1;
    }
    starts
}

/// Whether options may stand at the end of this text, before a key type.
fn may_end_in_options(text: &str) -> bool {
    if !text.ends_with([' ', '\t']) {
        return false;
    }
    let last = text.split_whitespace().next_back().unwrap_or_default();
    last.contains('"') || FLAGS.iter().any(|flag| last.ends_with(flag))
}

/// Options of authorized_keys that take no value.
const FLAGS: [&str; 14] = [
    "agent-forwarding",
    "cert-authority",
    "no-agent-forwarding",
    "no-port-forwarding",
    "no-pty",
    "no-touch-required",
    "no-user-rc",
    "no-x11-forwarding",
    "no-X11-forwarding",
    "port-forwarding",
    "restrict",
    "user-rc",
    "verify-required",
    "X11-forwarding",
];
