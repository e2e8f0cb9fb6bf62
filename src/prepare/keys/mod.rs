//! Authorized keys: from whatever people put into variables, files and secrets to lines that sshd understands.

mod collect;
pub(crate) mod ed25519;
mod line;
mod split;
pub(crate) mod wire;

use std::collections::BTreeSet;

use crate::note::Note;
use line::Reason;

pub use collect::{CONSUMED, Collected, collect, conventional};

/// The longest text that is looked at, in bytes.
pub const MAX_TEXT: usize = 1 << 20;
/// The most keys that one user can have.
pub const MAX_KEYS: usize = 10_000;
/// The most bad lines of one text that are named one by one.
const MAX_NOTES: usize = 20;

/// A public key that opens an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The line for authorized_keys: options, type, base64 and comment, with one space between them.
    pub line: String,
    /// `SHA256:…`, as ssh-keygen prints it.
    pub fingerprint: String,
    /// What stands behind the key, often `user@host`; may be empty.
    pub comment: String,
    /// The key type, such as `ssh-ed25519`.
    pub algorithm: String,
    /// Whether it stands for the certificates that it signed (`cert-authority`), rather than for itself.
    pub authority: bool,
}

impl Key {
    /// Its fingerprint and its comment, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{} {}", self.fingerprint, self.comment).trim_end().to_owned()
    }

    /// Two keys with the same identity do the same thing.
    fn identity(&self) -> (String, bool) {
        (self.fingerprint.clone(), self.authority)
    }
}

/// Adds the keys of `more` that are not there yet.
pub fn add(keys: &mut Vec<Key>, more: Vec<Key>) {
    for key in more {
        if !keys.iter().any(|known| known.identity() == key.identity()) {
            keys.push(key);
        }
    }
}

/// What a text held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The keys in their order, each once.
    pub keys: Vec<Key>,
    /// One for each line that is not a key.
    pub notes: Vec<Note>,
}

/// Reads authorized keys from text; `origin` says in the notes where it comes from (`PUBLIC_KEY`, a path).
///
/// Takes a BOM, CRLF, surrounding quotes, literal `\n`, commas between keys, keys joined on one line, and the format of
/// RFC 4716. A line that is not a key is left out and named by its number, never by what stands there.
pub fn parse(text: &str, origin: &str) -> Parsed {
    let mut parsed = Parsed::default();
    if text.len() > MAX_TEXT {
        parsed
            .notes
            .push(Note::warning(format!("{origin} is larger than {MAX_TEXT} bytes: no keys were read from it")));
        return parsed;
    }
    let mut seen = BTreeSet::new();
    let mut bad = 0;
    let mut candidates = split::candidates(text).into_iter().peekable();
    while let Some(candidate) = candidates.next() {
        let line = candidate.text.as_str();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let read = if line.starts_with("---- BEGIN SSH2 PUBLIC KEY") {
            let rest = candidates.by_ref().map(|next| next.text);
            rfc4716(rest.take_while(|next| !next.starts_with("---- END")))
        } else if candidate.unclear {
            Err(Reason::Other(
                "has a second key after what may be its options: put each key on a line of its own".into(),
            ))
        } else {
            let read = line::parse_line(line);
            if let Some(end) = read.as_ref().err().and_then(|_| end_of_block(line)) {
                candidates.by_ref().find(|next| next.text.starts_with(end));
            }
            read
        };
        match read {
            Ok(key) if parsed.keys.len() >= MAX_KEYS => {
                let rest = format!("{origin} has more than {MAX_KEYS} keys: those from line {} on", candidate.number);
                parsed.notes.push(Note::warning(format!("{rest} were left out, {} the first", key.fingerprint)));
                break;
            }
            Ok(key) => {
                if seen.insert(key.identity()) {
                    parsed.keys.push(key);
                }
            }
            Err(reason) => {
                bad += 1;
                if bad <= MAX_NOTES || reason == Reason::PrivateKey {
                    parsed.notes.push(note(origin, candidate.number, reason));
                }
            }
        }
    }
    if bad > MAX_NOTES {
        parsed.notes.push(Note::warning(format!("{origin} has {bad} lines that are not keys; the first were named")));
    }
    parsed
}

fn note(origin: &str, number: usize, reason: Reason) -> Note {
    match reason {
        Reason::PrivateKey => Note::error(format!(
            "{origin}, line {number}: this is a PRIVATE key, and whoever can read {origin} now has it: \
             make a new pair with ssh-keygen, and give the .pub file"
        )),
        Reason::Other(reason) => Note::warning(format!("{origin}, line {number}: left out, it {reason}")),
    }
}

/// What the last line of a block begins with, for a block that starts with this line and does not end on it.
fn end_of_block(line: &str) -> Option<&'static str> {
    if line.starts_with("-----BEGIN") && !line.contains("-----END") {
        Some("-----END")
    } else if line.starts_with("PuTTY-User-Key-File-") {
        Some("Private-MAC")
    } else {
        None
    }
}

/// The lines between BEGIN and END of RFC 4716, which PuTTYgen and commercial SSH write.
fn rfc4716(lines: impl Iterator<Item = String>) -> Result<Key, Reason> {
    let (mut base64, mut comment, mut continued) = (String::new(), String::new(), false);
    for line in lines {
        let header = line.split_once(':').filter(|_| !continued);
        if let Some((name, value)) = header
            && name.eq_ignore_ascii_case("comment")
        {
            value.trim().trim_matches('"').clone_into(&mut comment);
        }
        if header.is_none() && !continued {
            base64.push_str(&line);
        }
        continued = (header.is_some() || continued) && line.ends_with('\\');
    }
    match wire::decode_base64(&base64) {
        Some(blob) => line::key_from_blob(&blob, comment.trim_end_matches('\\')),
        None => Err(Reason::Other("is an SSH2 public key that is not whole base64: it was cut off".into())),
    }
}

/// The content of `/etc/devinit/keys/USER`.
pub fn file_content(user: &str, keys: &[Key]) -> String {
    let mut text = format!(
        "# Keys that open the account {user}. devinit rewrites this file at each boot: what is added here is lost.\n\
         # Keys of your own go into ~/.ssh/authorized_keys, or into the config or the variable that these came from.\n"
    );
    for key in keys {
        text.push_str(&key.line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
