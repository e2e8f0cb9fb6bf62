//! The SSH keys that devinit makes: Ed25519, in OpenSSH's format (its PROTOCOL.key). ring computes them, since TLS has
//! brought it along.

use std::io;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::wire::{Reader, encode_base64, string};

/// What the binary form of such a key begins with, as text.
pub(crate) const TYPE: &str = "ssh-ed25519";

/// A key that was just made.
pub(crate) struct NewKey {
    /// The file of the private half.
    pub private: Zeroizing<String>,
    /// The public half, as a line of authorized_keys without its end.
    pub public: String,
}

/// Makes a key with this comment.
///
/// # Errors
/// There is no randomness.
pub(crate) fn make(comment: &str) -> io::Result<NewKey> {
    let mut seed = Zeroizing::new([0; 32]);
    let mut check = [0; 4];
    let random = SystemRandom::new();
    let filled = random.fill(seed.as_mut()).and_then(|()| random.fill(&mut check));
    // A seed of the right length always makes a key.
    let pair = filled.ok().and_then(|()| Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).ok());
    let pair = pair.ok_or_else(|| io::Error::other("there is no randomness"))?;
    let point = pair.public_key().as_ref();
    let public = public(point);
    let line = format!("{TYPE} {} {comment}", encode_base64(&public));
    Ok(NewKey { private: private(seed.as_ref(), check, point, &public, comment), public: line })
}

/// The binary form of the public half.
fn public(point: &[u8]) -> Vec<u8> {
    let mut public = Vec::new();
    string(&mut public, TYPE.as_bytes());
    string(&mut public, point);
    public
}

/// The file of a private key that no passphrase protects.
fn private(seed: &[u8], check: [u8; 4], point: &[u8], public: &[u8], comment: &str) -> Zeroizing<String> {
    // They never grow: what they grew out of would stay in memory, with the key in it.
    let mut secret = Zeroizing::new(Vec::with_capacity(256 + comment.len()));
    secret.extend([check, check].as_flattened());
    secret.extend(public);
    secret.extend(64_u32.to_be_bytes());
    secret.extend(seed);
    secret.extend(point);
    string(&mut secret, comment.as_bytes());
    let missing = secret.len().next_multiple_of(8) - secret.len();
    secret.extend((1_u8..).take(missing));

    let mut whole = Zeroizing::new(Vec::with_capacity(512 + comment.len()));
    whole.extend(b"openssh-key-v1\0");
    // The cipher, what makes its key of a passphrase, and the options of that.
    for field in ["none", "none", ""] {
        string(&mut whole, field.as_bytes());
    }
    whole.extend(1_u32.to_be_bytes());
    string(&mut whole, public);
    string(&mut whole, &secret);

    let base64 = Zeroizing::new(encode_base64(&whole));
    let mut text = Zeroizing::new(String::with_capacity(128 + 2 * base64.len()));
    text.push_str("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for line in base64.as_bytes().chunks(70) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str("-----END OPENSSH PRIVATE KEY-----\n");
    text
}

/// Whether what follows the type in the secret part of a key's file is whole, and belongs to this public half.
pub(crate) fn belongs(mut secret: Reader<'_>, to: &[u8]) -> bool {
    let (Some(point), Some(pair), Some(_comment)) = (secret.string(), secret.string(), secret.string()) else {
        return false;
    };
    let Some((seed, again)) = pair.split_at_checked(32) else { return false };
    let padding = secret.0;
    public(point) == to
        && again == point
        && Ed25519KeyPair::from_seed_and_public_key(seed, point).is_ok()
        && padding.len() < 8
        && padding.iter().zip(1..).all(|(byte, expected)| *byte == expected)
}

#[cfg(test)]
mod tests {
    use super::super::wire::decode_base64;
    use super::*;

    /// RFC 8032, 7.1, test 1: the seed and its point.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const POINT: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    /// A key's secret part behind its type, and the binary form of its public half.
    fn parts() -> (Vec<u8>, Vec<u8>) {
        let (seed, point) = (decode_base64(SEED).unwrap(), decode_base64(POINT).unwrap());
        let public = public(&point);
        let text = private(&seed, [7; 4], &point, &public, "a comment");
        let (_, body) = text.split_once("-----\n").unwrap();
        let (body, _) = body.split_once("-----END").unwrap();
        assert!(body.lines().all(|line| line.len() <= 70), "{body}");
        let whole = decode_base64(&body.replace('\n', "")).unwrap();
        let mut fields = Reader(whole.strip_prefix(b"openssh-key-v1\0").unwrap());
        assert_eq!([fields.string(), fields.string(), fields.string()], [&b"none"[..], b"none", b""].map(Some));
        assert_eq!((fields.number(), fields.string()), (Some(1), Some(&*public)));
        let secret = fields.string().unwrap();
        assert!(fields.0.is_empty() && secret.len().is_multiple_of(8));
        let (head, rest) = secret.split_at(8 + 4 + TYPE.len());
        assert!(head.starts_with(&[7; 8]) && head.ends_with(TYPE.as_bytes()));
        (rest.to_vec(), public)
    }

    #[test]
    fn what_is_written_belongs_together() {
        let (secret, public) = parts();
        assert!(belongs(Reader(&secret), &public));
    }

    #[test]
    fn a_byte_that_is_changed_or_missing_anywhere_is_noticed() {
        let (secret, public) = parts();
        for place in 0..secret.len() {
            let mut changed = secret.clone();
            changed[place] ^= 1;
            // A comment may be any text.
            let comment = 4 + 32 + 4 + 64 + 4..4 + 32 + 4 + 64 + 4 + "a comment".len();
            assert_eq!(belongs(Reader(&changed), &public), comment.contains(&place), "{place}");
        }
        assert!((0..comment_end(&secret)).all(|length| !belongs(Reader(&secret[..length]), &public)));
        let mut other = public;
        other[30] ^= 1;
        assert!(!belongs(Reader(&secret), &other));
    }

    fn comment_end(secret: &[u8]) -> usize {
        let mut reader = Reader(secret);
        for _ in 0..3 {
            reader.string().unwrap();
        }
        secret.len() - reader.0.len()
    }

    #[test]
    fn two_keys_are_never_the_same() {
        let (one, other) = (make("x").unwrap(), make("x").unwrap());
        assert!(one.public != other.public && one.private != other.private);
        assert!(one.public.ends_with(" x") && one.public.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
    }
}
