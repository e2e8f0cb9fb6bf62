//! Passwords: crypt(5) hashes that every libc understands, and a word about weak ones.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result, ensure};
use sha_crypt::{PasswordHasher, PasswordVerifier, ShaCrypt};

/// 12 bytes are 16 characters: libcrypt refuses a longer salt.
const SALT_BYTES: usize = 12;
const SALT_CHARACTERS: usize = 16;
/// musl's crypt(3) takes no longer password.
const LONGEST: usize = 256;
/// Above this an existing hash is not checked: it would hold up the boot for seconds.
const MOST_ROUNDS: u32 = 1_000_000;
const SHORTEST: usize = 8;

/// What is tried first at every SSH server on the Internet.
const COMMON: [&str; 26] = [
    "00000000",
    "11111111",
    "12341234",
    "12345678",
    "123456789",
    "1234567890",
    "1q2w3e4r",
    "abcd1234",
    "administrator",
    "baseball",
    "changeit",
    "changeme",
    "changeme123",
    "iloveyou",
    "letmein1",
    "p@ssw0rd",
    "passw0rd",
    "password",
    "password1",
    "password123",
    "qwerty123",
    "qwertyuiop",
    "sunshine",
    "superman",
    "trustno1",
    "welcome1",
];

/// Hashes a password with sha512-crypt (`$6$`, 5000 rounds) and a fresh salt: understood by glibc, libxcrypt and musl.
///
/// # Errors
/// A password that is empty, longer than 256 bytes or contains a NUL byte, since crypt(3) would refuse it or cut it
/// short; no random bytes.
pub fn hash(password: &str) -> Result<String> {
    ensure!(!password.is_empty(), "the password is empty");
    ensure!(password.len() <= LONGEST, "the password is longer than {LONGEST} bytes, which not every libc accepts");
    ensure!(!password.contains('\0'), "the password contains a NUL byte, which crypt cannot take");
    let mut salt = [0; SALT_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut salt))
        .context("failed to read /dev/urandom")?;
    let hash = ShaCrypt::SHA512
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| anyhow::anyhow!("failed to hash the password: {error}"))?;
    Ok(hash.as_str().to_owned())
}

/// Whether `hash` is one of `password` that libcrypt accepts too. Knows `$5$` and `$6$`; for anything else: false.
#[must_use]
pub fn verify(hash: &str, password: &str) -> bool {
    let mut fields = hash.split('$').skip(2).peekable();
    if let Some(rounds) = fields.peek().and_then(|field| field.strip_prefix("rounds=")) {
        // Written any other way (a sign, leading zeros) libcrypt refuses it.
        if !rounds.parse::<u32>().is_ok_and(|n| n <= MOST_ROUNDS && n.to_string() == rounds) {
            return false;
        }
        fields.next();
    }
    fields.next().is_some_and(|salt| salt.len() <= SALT_CHARACTERS)
        && ShaCrypt::SHA512.verify_password(password.as_bytes(), hash).is_ok()
}

/// What makes a password easy to guess, in words that follow "the password of NAME"; none: nothing obvious.
#[must_use]
pub fn weakness(name: &str, password: &str) -> Option<&'static str> {
    let lower = password.to_lowercase();
    if lower == name.to_lowercase() {
        Some("is the user's name")
    } else if password.chars().count() < SHORTEST {
        Some("is shorter than 8 characters")
    } else if COMMON.contains(&lower.as_str()) {
        Some("is one of the most common ones")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What the machine's own implementation makes of the same password and salt.
    fn openssl(kind: &str, salt: &str, password: &str) -> String {
        let output = Command::new("openssl").args(["passwd", kind, "-salt", salt, password]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_hash_is_the_one_that_another_implementation_makes_of_the_same_salt() {
        for password in ["correct horse battery staple", "Grüße, 世界", "x"] {
            let ours = hash(password).unwrap();
            let fields: Vec<&str> = ours.split('$').collect();
            let ["", "6", "rounds=5000", salt, digest] = fields[..] else { panic!("{ours}") };
            assert_eq!(salt.len(), 16);
            // 5000 rounds are the default, so that the other side leaves them out.
            assert_eq!(openssl("-6", salt, password), format!("$6${salt}${digest}"));
            assert!(verify(&ours, password));
        }
    }

    #[test]
    fn hashes_of_others_are_verified() {
        for kind in ["-5", "-6"] {
            let theirs = openssl(kind, "saltstring", "Hello world!");
            assert!(verify(&theirs, "Hello world!"));
            assert!(!verify(&theirs, "hello world!"));
        }
        let rounds = openssl("-6", "rounds=1400$anotherlongsalts", "a very much longer text");
        assert!(verify(&rounds, "a very much longer text"), "{rounds}");
    }

    #[test]
    fn what_libcrypt_would_not_accept_is_not_verified() {
        let good = hash("secret word").unwrap();
        assert!(!verify(&format!("!{good}"), "secret word"));
        assert!(!verify(&good.replace("rounds=5000", "rounds=05000"), "secret word"));
        assert!(!verify(&good.replace("$rounds=5000$", "$rounds=5000$aaaaaaaaaaaaaaaa"), "secret word"));
        assert!(!verify(&good.replace("rounds=5000", "rounds=999999999"), "secret word"));
        for hash in ["", "x", "*", "!", "$", "$6", "$6$", "$6$$", "$y$j9T$salt$hash", "secret word", "$1$abc$def"] {
            assert!(!verify(hash, "secret word"), "{hash}");
            assert!(!verify(hash, ""), "{hash}");
        }
    }

    #[test]
    fn every_hash_has_a_salt_of_its_own() {
        assert_ne!(hash("secret word").unwrap(), hash("secret word").unwrap());
    }

    #[test]
    fn passwords_that_crypt_would_cut_short_are_refused_without_being_named() {
        for password in ["", "abc\0defghij", &"hunter2".repeat(40)] {
            let error = hash(password).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("abc"), "{error}");
        }
    }

    #[test]
    fn weak_passwords_are_told_from_others() {
        assert_eq!(weakness("peid", "PEID"), Some("is the user's name"));
        assert_eq!(weakness("peid", "123456"), Some("is shorter than 8 characters"));
        assert_eq!(weakness("peid", "Password123"), Some("is one of the most common ones"));
        assert_eq!(weakness("peid", "correct horse"), None);
    }
}
