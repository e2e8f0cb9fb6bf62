//! The client against servers that misbehave.

mod refusals;
mod resuming;
mod server;
mod trust;
mod ways;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::server::Server;
use super::*;
use crate::config::first_run::Proxies;
use crate::fetch::Retry;

/// When an [`impatient`] client takes a connection for stalled.
const STALL: Duration = Duration::from_millis(300);

/// A client that a busy machine does not confuse.
fn client() -> Client {
    Client { settings: Settings { stall: Duration::from_secs(10), ..Settings::default() } }
}

/// A client that soon takes a connection for stalled.
fn impatient() -> Client {
    Client { settings: Settings { stall: STALL, ..Settings::default() } }
}

/// A client that takes these for its proxies.
fn behind(proxies: Proxies) -> Client {
    Client { settings: Settings { proxies, ..client().settings } }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// A folder for one download.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn note(&self) -> PathBuf {
        self.folder.path().join("file.state")
    }

    fn content(&self) -> Vec<u8> {
        std::fs::read(self.file()).unwrap_or_default()
    }

    fn download(&self, client: &Client, url: &str) -> Result<(), Failure> {
        client.download(url, &self.file(), &mut |_, _| Ok(()))
    }

    /// Asserts that exactly this is there, and nothing besides.
    fn assert_whole(&self, content: &[u8]) {
        assert_eq!(self.content().len(), content.len());
        assert!(self.content() == content);
        assert!(!self.note().exists());
    }
}

/// So many bytes that tell where they belong.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 251 + at) as u8).collect()
}
