//! From one line to a key, or to the reason why it is none.

use super::Key;
use super::split::{begins_with_key_type, options_end, outside_quotes, type_of};
use super::wire::{self, Malformed, check_public_key, decode_base64, encode_base64, key_type};

/// Why a line is not a key. The line itself is never part of it: it may be a secret that went astray.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody's private key.
    PrivateKey,
    /// Anything else: what it looks like and what to do.
    Other(String),
}

fn other<T>(text: impl Into<String>) -> Result<T, Reason> {
    Err(Reason::Other(text.into()))
}

/// Reads one line of authorized_keys that is neither blank nor a comment.
pub(super) fn parse_line(line: &str) -> Result<Key, Reason> {
    if is_private(line) {
        return Err(Reason::PrivateKey);
    }
    let (options, rest) = line.split_at(options_end(line));
    let (kind, rest) = next_word(rest);
    let (base64, comment) = next_word(rest);
    if !begins_with_key_type(kind) && type_of(base64).as_deref() != Some(kind) {
        return other(unlike_a_key(line, options));
    }
    if base64.is_empty() {
        return other(format!("has a key type ({}) but no key after it", printable(kind)));
    }
    let Some(blob) = decode_base64(base64) else {
        return other("has a key that is not whole base64: it was cut off, or wrapped over several lines");
    };
    let Some(inner) = key_type(&blob) else { return other("has a key that is cut short or not an SSH key") };
    if inner != kind {
        return other(format!("is said to be {} but holds a {} key", printable(kind), printable(inner)));
    }
    refuse_what_sshd_refuses(inner, &blob)?;
    if !options.is_empty() {
        check_options(options)?;
    }
    Ok(key(options, inner, &blob, comment))
}

/// A key from its binary form.
pub(super) fn key_from_blob(blob: &[u8], comment: &str) -> Result<Key, Reason> {
    let Some(kind) = key_type(blob) else { return other("has a key that is cut short or not an SSH key") };
    refuse_what_sshd_refuses(kind, blob)?;
    Ok(key("", kind, blob, comment))
}

fn key(options: &str, kind: &str, blob: &[u8], comment: &str) -> Key {
    let comment = comment.trim().chars().filter(|c| !c.is_control()).collect::<String>();
    let base64 = encode_base64(blob);
    let fields = [options, kind, &base64, &comment];
    Key {
        line: fields.into_iter().filter(|field| !field.is_empty()).collect::<Vec<_>>().join(" "),
        fingerprint: wire::fingerprint(blob),
        authority: split_options(options).any(|option| option.eq_ignore_ascii_case("cert-authority")),
        algorithm: kind.to_owned(),
        comment,
    }
}

fn next_word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches([' ', '\t']);
    text.split_at(text.find([' ', '\t']).unwrap_or(text.len()))
}

/// A private key's armour, PuTTY's format, or the base64 of "openssh-key-v1".
fn is_private(line: &str) -> bool {
    (line.contains("-----BEGIN") && line.contains("PRIVATE KEY"))
        || line.starts_with("PuTTY-User-Key-File-")
        || line.contains("b3BlbnNzaC1rZXktdjE")
}

/// What a line without a key looks like.
fn unlike_a_key(line: &str, options: &str) -> &'static str {
    let lower = line.to_ascii_lowercase();
    if lower.starts_with("-----begin") {
        "is a PEM public key: convert it with `ssh-keygen -i -m PKCS8 -f FILE`"
    } else if lower.starts_with('<') {
        "is HTML, not a key: the URL leads to a web page"
    } else if lower.contains("not found") || lower.starts_with("404") {
        "is an error message (\"not found\"), not a key: look at where it was downloaded from"
    } else if lower.starts_with("http://") || lower.starts_with("https://") {
        "is a URL, not a key: give it as PUBLIC_KEY_URL or {url: …}"
    } else if line.starts_with(['/', '~']) {
        "looks like a path, not a key: give it as PUBLIC_KEY_FILE or {file: …}"
    } else if line.starts_with("AAAA") {
        "lacks the key type in front (such as ssh-ed25519)"
    } else if line.contains('\0') {
        "is binary data, not a key"
    } else if has_unclosed_quote(options) {
        "has options with a quote that is never closed"
    } else {
        "is not a key"
    }
}

fn has_unclosed_quote(options: &str) -> bool {
    let closed = format!("{options},");
    outside_quotes(&closed).last() != Some((options.len(), b','))
}

fn refuse_what_sshd_refuses(kind: &str, blob: &[u8]) -> Result<(), Reason> {
    if kind == "ssh-dss" {
        return other("is a DSA key, which sshd no longer accepts: make a new one with `ssh-keygen -t ed25519`");
    }
    if kind.contains("-cert-v0") {
        return other("is a certificate, not a key: give the key that signed it, with the option cert-authority");
    }
    match check_public_key(blob) {
        Ok(()) => Ok(()),
        Err(Malformed::CutShort) => other(format!("has a {kind} key that is cut short")),
        Err(Malformed::TrailingData) => other(format!("has a {kind} key with something after its end")),
        Err(Malformed::WrongSize) => other(format!("has a {kind} key of a wrong size")),
        Err(Malformed::WeakRsa(bits)) => {
            other(format!("is an RSA key of {bits} bits, which sshd refuses: make a new one with `ssh-keygen`"))
        }
    }
}

/// sshd ignores the whole line when it does not know one of its options, and says so only in its own log.
fn check_options(options: &str) -> Result<(), Reason> {
    for option in split_options(options) {
        let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        let well_formed = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !well_formed {
            return other("begins with something that is neither a key type nor an option");
        }
        if value.is_some_and(|value| value.len() < 2 || !value.starts_with('"') || !value.ends_with('"')) {
            return other(format!("has an option {name} whose value is not in double quotes"));
        }
    }
    Ok(())
}

/// The options, cut at commas outside quotes.
fn split_options(options: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(options);
    std::iter::from_fn(move || {
        let text = rest?;
        let comma = outside_quotes(text).find(|&(_, byte)| byte == b',').map(|(at, _)| at);
        rest = comma.map(|at| &text[at + 1..]);
        Some(&text[..comma.unwrap_or(text.len())])
    })
}

/// A type's name as it may be shown: it comes from outside, and a log line is no place for escape sequences.
fn printable(name: &str) -> &str {
    let plain = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-@._".contains(&b));
    if plain { name } else { "something else" }
}
