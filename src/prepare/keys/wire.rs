//! The binary shape of SSH keys: base64, length-prefixed strings, fingerprints.
//!
//! sshd is the one who has to understand a key; what is checked here is that nothing of it got lost. So types that are
//! not known are none the worse for it.

use ring::digest;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64; the padding may be missing. `None` if there is anything else in it.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if digits.len() % 4 == 1 || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for &digit in group {
            bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|&a| a == digit)?).ok()?;
        }
        bits <<= 6 * (4 - group.len());
        let [_, decoded @ ..] = bits.to_be_bytes();
        bytes.extend(decoded.iter().take(group.len() - 1));
    }
    Some(bytes)
}

/// Standard base64 with padding.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// `SHA256:…` of a public key's binary form, as ssh-keygen prints it.
pub(crate) fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", encode_base64(digest::digest(&digest::SHA256, blob).as_ref()).trim_end_matches('='))
}

/// Adds a field of RFC 4251: its length, and it. They are shorter than 4 GiB.
pub(super) fn string(to: &mut Vec<u8>, field: &[u8]) {
    to.extend((field.len() as u32).to_be_bytes());
    to.extend(field);
}

/// Reads the fields of RFC 4251 one after the other; `None` means that the data ends too early.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.bytes(usize::try_from(length).ok()?)
    }
}

/// The type that a key's binary form begins with, if it begins with one.
pub(crate) fn key_type(blob: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(Reader(blob).string()?).ok()?;
    let plausible = !name.is_empty() && name.len() <= 64;
    (plausible && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-@._".contains(&b))).then_some(name)
}

/// What can be wrong with a public key's binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It ends before its last field does.
    CutShort,
    /// Something follows its last field.
    TrailingData,
    /// A field has a size that it cannot have.
    WrongSize,
    /// An RSA key of so many bits, which sshd refuses.
    WeakRsa(usize),
}

/// Checks that every field is there in full, and nothing more. Of a type that is not known only the type is looked at.
pub(crate) fn check_public_key(blob: &[u8]) -> Result<(), Malformed> {
    let kind = key_type(blob).ok_or(Malformed::CutShort)?;
    let fields = match kind {
        "ssh-ed25519" => 1,
        "ssh-rsa" | "sk-ssh-ed25519@openssh.com" => 2,
        "sk-ecdsa-sha2-nistp256@openssh.com" => 3,
        "ssh-dss" => 4,
        _ if kind.starts_with("ecdsa-sha2-") && !kind.contains("cert") => 2,
        _ => return Ok(()),
    };
    let mut reader = Reader(blob);
    reader.string().ok_or(Malformed::CutShort)?;
    let mut values = Vec::with_capacity(fields);
    for _ in 0..fields {
        values.push(reader.string().ok_or(Malformed::CutShort)?);
    }
    if !reader.0.is_empty() {
        return Err(Malformed::TrailingData);
    }
    match (kind, values.as_slice()) {
        ("ssh-ed25519" | "sk-ssh-ed25519@openssh.com", [point, ..]) if point.len() != 32 => Err(Malformed::WrongSize),
        ("ssh-rsa", [_, modulus]) => match bits(modulus) {
            size if size < 1024 => Err(Malformed::WeakRsa(size)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn bits(number: &[u8]) -> usize {
    let significant = number.iter().position(|&byte| byte != 0).map_or(&[][..], |at| &number[at..]);
    significant.first().map_or(0, |first| significant.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn base64_comes_back_as_it_went(bytes: Vec<u8>) {
            let text = encode_base64(&bytes);
            prop_assert_eq!(text.len() % 4, 0);
            prop_assert_eq!(decode_base64(&text), Some(bytes.clone()));
            prop_assert_eq!(decode_base64(text.trim_end_matches('=')), Some(bytes));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = check_public_key(&bytes);
            let _ = fingerprint(&bytes);
        }
    }

    #[test]
    fn base64_agrees_with_rfc_4648() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(encode_base64(plain.as_bytes()), text);
            assert_eq!(decode_base64(text).as_deref(), Some(plain.as_bytes()));
        }
        for bad in ["Z", "Zg===", "Zm-v", "Zm9v Zm9v", "Zg=a"] {
            assert_eq!(decode_base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_cut_short_and_not_a_panic() {
        assert_eq!(check_public_key(&[0xff, 0xff, 0xff, 0xff, 1]), Err(Malformed::CutShort));
        assert_eq!(check_public_key(b"\0\0\0\x0bssh-ed25519\0\0\0\x20abc"), Err(Malformed::CutShort));
        assert_eq!(check_public_key(b"\0\0\0\x0bssh-ed25519\0\0\0\x03abc"), Err(Malformed::WrongSize));
    }

    #[test]
    fn the_size_of_a_number_ignores_leading_zeros() {
        assert_eq!(bits(&[0, 0x80, 0]), 16);
        assert_eq!(bits(&[0, 1]), 1);
        assert_eq!(bits(&[]), 0);
    }
}
