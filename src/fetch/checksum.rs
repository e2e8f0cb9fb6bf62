//! SHA-256: of files, and in the lists that releases publish.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ring::digest::{Context, Digest, SHA256};

use super::Failure;
use super::failure::io;
use crate::digest::hex;

/// The SHA-256 of a file, 64 small hexadecimal digits.
///
/// # Errors
/// The file cannot be read.
pub fn of_file(path: &Path) -> Result<String, Failure> {
    let hash = hash(path).map_err(io(format_args!("failed to read {}", path.display())))?;
    Ok(hex(hash.as_ref()))
}

fn hash(path: &Path) -> std::io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Context::new(&SHA256);
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(length) => hasher.update(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The checksum of `name` in a list as `sha256sum` prints it: `HASH  name`, `HASH *name`, `HASH  ./name`, as BSD's
/// `sha256` and OpenSSL do: `SHA256 (name) = HASH`, or in a file that holds nothing but one hash. In small letters.
///
/// Only the whole name counts, never the end of another one or of a path. None as well if the list contradicts itself.
#[must_use]
pub fn find(list: &str, name: &str) -> Option<String> {
    let list = list.trim_start_matches('\u{feff}').trim();
    if is_hash(list) {
        return Some(list.to_ascii_lowercase());
    }
    let name = plain(name);
    let mut hashes = list
        .lines()
        .filter_map(|line| from_bsd(line.trim()).or_else(|| from_coreutils(line.trim())))
        .filter(|(_, listed)| plain(listed) == name)
        .map(|(hash, _)| hash.to_ascii_lowercase());
    let first = hashes.next()?;
    hashes.all(|other| other == first).then_some(first)
}

/// `HASH  name`, where the second blank may be a `*` (coreutils: read as binary), as hash and name.
fn from_coreutils(line: &str) -> Option<(&str, &str)> {
    let (hash, rest) = line.split_once([' ', '\t'])?;
    let rest = rest.trim_start();
    is_hash(hash).then_some((hash, rest.strip_prefix('*').unwrap_or(rest)))
}

/// `SHA256 (name) = HASH`, and OpenSSL's `SHA2-256(name)= HASH`, as hash and name.
fn from_bsd(line: &str) -> Option<(&str, &str)> {
    let (algorithm, rest) = line.split_once('(')?;
    let (name, hash) = rest.rsplit_once(')')?;
    let hash = hash.trim_start().strip_prefix('=')?.trim_start();
    (matches!(algorithm.trim_end(), "SHA256" | "SHA2-256") && is_hash(hash)).then_some((hash, name))
}

fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn the_hash_of_a_file_is_that_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, B.1.
        assert_eq!(of_file(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        // FIPS 180-2, B.3: longer than the buffer.
        std::fs::write(&path, vec![b'a'; 1_000_000]).unwrap();
        assert_eq!(of_file(&path).unwrap(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = of_file(&folder.path().join("missing")).unwrap_err();
        assert!(missing.text.starts_with("failed to read /") && missing.text.contains("/missing: "), "{missing}");
        assert!(of_file(folder.path()).is_err());
    }

    #[test]
    fn every_common_way_to_write_a_list_is_understood() {
        let upper = A.to_uppercase();
        for line in [
            format!("{A}  bun.zip"),
            format!("{A} *bun.zip"),
            format!("{A} bun.zip"),
            format!("{A}\tbun.zip"),
            format!("{A}  ./bun.zip"),
            format!("{A} *./bun.zip"),
            format!("{upper}  bun.zip"),
            format!("SHA256 (bun.zip) = {A}"),
            format!("SHA256(bun.zip)= {A}"),
            format!("SHA2-256(./bun.zip)= {upper}"),
        ] {
            for list in [
                format!("{line}\n"),
                format!("{B}  first.zip\r\n{line}\r\n{B}  last.zip\r\n"),
                format!("\u{feff}{line}"),
                format!("# releases\n\n{line}\n\n"),
            ] {
                assert_eq!(find(&list, "bun.zip").as_deref(), Some(A), "{list:?}");
                assert_eq!(find(&list, "./bun.zip").as_deref(), Some(A), "{list:?}");
            }
        }
    }

    #[test]
    fn a_lone_hash_is_that_of_whatever_was_asked_for() {
        assert_eq!(find(&format!("\u{feff}{}\r\n", A.to_uppercase()), "anything").as_deref(), Some(A));
        assert_eq!(find(&format!("{A}\n{B}\n"), "anything"), None);
    }

    #[test]
    fn the_hash_of_another_name_is_never_taken() {
        let list = format!(
            "{A}  x-bun.zip\n{A}  bun.zip.sig\n{A}  dist/bun.zip\n{A} * bun.zip2\nSHA256 (old bun.zip) = {A}\n\
             SHA512 (bun.zip) = {A}\n{A}x  bun.zip\n{A}bun.zip\n{A}{A}  bun.zip\n{}  bun.zip\n{A}  bun.zip x\n",
            &A[1..]
        );
        assert_eq!(find(&list, "bun.zip"), None);
        assert_eq!(find(&format!("{A}  other\n"), ""), None);
        assert_eq!(find("", "bun.zip"), None);
        assert_eq!(find("<!DOCTYPE html>", "bun.zip"), None);
    }

    #[test]
    fn names_with_blanks_and_brackets_are_whole_names() {
        assert_eq!(find(&format!("SHA256 (a (1).zip) = {A}"), "a (1).zip").as_deref(), Some(A));
        assert_eq!(find(&format!("{A}  a (1).zip"), "a (1).zip").as_deref(), Some(A));
    }

    #[test]
    fn a_list_that_contradicts_itself_holds_nothing() {
        assert_eq!(find(&format!("{A}  bun.zip\n{B}  bun.zip\n"), "bun.zip"), None);
        assert_eq!(find(&format!("{A}  bun.zip\n{A} *bun.zip\n"), "bun.zip").as_deref(), Some(A));
    }
}
