//! Downloads for the first run: through proxies, with further authorities, resumed by range.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Failure;
use crate::config::first_run::Proxies;

/// How the web is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The proxies, already settled: these and no variables.
    pub proxies: Proxies,
    /// Files with certificates (PEM) of authorities that are trusted on top of the system's.
    pub certificates: Vec<PathBuf>,
    /// After how long without progress a connection is given up. Zero: 30 s.
    pub stall: Duration,
}

/// Fetches over http and https, and from `file://`.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// How.
    pub settings: Settings,
}

impl Client {
    /// Fetches a text of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Client::download`]; a longer answer.
    pub fn text(&self, url: &str, limit: usize) -> Result<String, Failure> {
        let _ = (url, limit);
        Err(Failure::permanent("not yet"))
    }

    /// Where a URL redirects to, as it stands in the first answer, made absolute; the URL itself if it does not.
    ///
    /// From `file://PATH`: what stands in the file `PATH.location`.
    ///
    /// # Errors
    /// As [`Client::download`].
    pub fn redirect(&self, url: &str) -> Result<String, Failure> {
        let _ = url;
        Err(Failure::permanent("not yet"))
    }

    /// Downloads into `to`. What is there already (of an earlier attempt) is continued by range if the server still has
    /// the same file; `progress` gets how many bytes there are and how many there will be.
    ///
    /// # Errors
    /// Those of the network (worth another try), of the server (404 is permanent, 429 and 503 say when), of TLS, of the
    /// disk; a stall. What came so far stays for the next attempt, unless the disk is full.
    pub fn download(
        &self,
        url: &str,
        to: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let _ = (url, to, progress);
        Err(Failure::permanent("not yet"))
    }
}
