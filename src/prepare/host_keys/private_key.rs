//! A host key's file: is it one that sshd can use, and which public key belongs to it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::prepare::keys::ed25519;
use crate::prepare::keys::wire::{Reader, decode_base64, key_type};

/// No host key is larger than this, in bytes: RSA with 16384 bits takes 13 KiB.
const MAX_SIZE: u64 = 64 << 10;

/// A host key that sshd can use.
pub(super) struct HostKey {
    /// The binary form of its public key. None of a key in one of the older PEM formats, where it is not spelled out.
    pub public: Option<Vec<u8>>,
    /// The file's content.
    pub content: Vec<u8>,
}

/// Reads a host key, or says what is wrong with it.
pub(super) fn read(path: &Path) -> Result<HostKey, String> {
    let content = read_regular(path).map_err(|error| error.to_string())?;
    let public = inspect(&content)?;
    Ok(HostKey { public, content })
}

/// Opens so that a FIFO or a device cannot hang or do anything, and reads a bounded regular file.
pub(super) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::other("it is a directory"));
    }
    if !metadata.is_file() || metadata.len() > MAX_SIZE {
        return Err(io::Error::other("it is not a file of a key's size"));
    }
    let mut content = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut content)?;
    Ok(content)
}

/// The public key that belongs to a private key in one of the formats that sshd reads.
fn inspect(content: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is binary data")?.trim();
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if !text.starts_with("-----BEGIN") {
        let public = text.split_whitespace().nth(1).and_then(decode_base64).is_some_and(|b| key_type(&b).is_some());
        return Err(if public { "it is a public key" } else { "it is not a private key" }.into());
    }
    let Some((label, rest)) = text.trim_start_matches("-----BEGIN ").split_once("-----") else {
        return Err("it is cut short".into());
    };
    let Some((body, _)) = rest.split_once(&format!("-----END {label}-----")) else {
        return Err("it is cut short".into());
    };
    match label {
        "OPENSSH PRIVATE KEY" => inspect_openssh(body).map(Some),
        "ENCRYPTED PRIVATE KEY" => Err(ENCRYPTED.into()),
        _ if body.contains("Proc-Type: 4,ENCRYPTED") => Err(ENCRYPTED.into()),
        "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "PRIVATE KEY" => Ok(None),
        _ => Err("it is not a private key that sshd can use".into()),
    }
}

const ENCRYPTED: &str = "it is protected by a passphrase, which nobody can type here (`ssh-keygen -p` takes it away)";

/// OpenSSH's own format spells the public key out before the private one.
fn inspect_openssh(body: &str) -> Result<Vec<u8>, String> {
    let base64: String = body.split_whitespace().collect();
    let blob = decode_base64(&base64).ok_or("it is not whole base64")?;
    let mut reader = Reader(blob.strip_prefix(b"openssh-key-v1\0").ok_or("it is not an OpenSSH key")?);
    let mut field = || reader.string().ok_or("it is cut short");
    let (cipher, _kdf, _kdf_options) = (field()?, field()?, field()?);
    let encrypted = cipher != b"none";
    let count = reader.number().ok_or("it is cut short")?;
    let public = reader.string().ok_or("it is cut short")?;
    let secret = reader.string().ok_or("it is cut short")?;
    if encrypted {
        return Err(ENCRYPTED.into());
    }
    let kind = key_type(public).filter(|_| count == 1).ok_or("it does not hold one key")?;
    let mut secret = Reader(secret);
    let checks = (secret.number(), secret.number());
    if checks.0.is_none() || checks.0 != checks.1 || secret.string() != Some(kind.as_bytes()) {
        return Err("its private part is damaged".into());
    }
    // Of the kind that devinit makes itself, the two halves are known to belong together.
    if kind == ed25519::TYPE && !ed25519::belongs(secret, public) {
        return Err("its private part is damaged".into());
    }
    if kind == "ssh-dss" {
        return Err("it is a DSA key, which sshd no longer accepts".into());
    }
    Ok(public.to_vec())
}
