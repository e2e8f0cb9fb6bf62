//! A throw-away key of an ssh client.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Output, bounded};

/// An ed25519 key pair in a folder of its own.
pub struct Key {
    folder: TempDir,
    public: String,
}

impl Key {
    /// A new one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut generate = bounded(20, "ssh-keygen");
        generate.args(["-q", "-t", "ed25519", "-N", "", "-C", "test key", "-f"]).arg(folder.path().join("id"));
        Output::of(&mut generate).success();
        let public = std::fs::read_to_string(folder.path().join("id.pub")).unwrap().trim_end().to_owned();
        Self { folder, public }
    }

    /// The line for authorized_keys.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The private key's file.
    pub fn private_file(&self) -> PathBuf {
        self.folder.path().join("id")
    }
}
