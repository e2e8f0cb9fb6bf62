//! Downloads for the first run: through proxies, with further authorities, resumed by range.

mod download;
mod explain;
mod local;
mod partial;
mod proxy;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
mod url;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::session::Session;
pub use self::tls::pem;
use self::url::Url;
pub use self::url::base64;
use super::{Failure, redacted};
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
    /// How long a text, or the question where a URL leads to, may take in all.
    const SHORT: Duration = Duration::from_secs(60);

    /// Fetches a text of at most `limit` bytes, within a minute.
    ///
    /// # Errors
    /// As [`Client::download`]; a longer answer.
    pub fn text(&self, url: &str, limit: usize) -> Result<String, Failure> {
        match url::file(url) {
            Some(path) => local::text(&path?, limit),
            None => self.web_text(url, limit, Self::SHORT),
        }
        .map_err(|failure| failure.context(format!("failed to fetch {}", redacted(url))))
    }

    /// Fetches a text of at most `limit` bytes over http or https; everything together takes at most `within`.
    pub(super) fn web_text(&self, url: &str, limit: usize, within: Duration) -> Result<String, Failure> {
        let answer = Session::new(&self.settings, Some(within)).get(&Url::parse(url)?, &[])?;
        if answer.is_whole() { answer.text(limit) } else { Err(answer.refusal()) }
    }

    /// Where a URL redirects to, as it stands in the first answer, made absolute; the URL itself if it does not.
    ///
    /// From `file://PATH`: what stands in the file `PATH.location`.
    ///
    /// # Errors
    /// As [`Client::download`].
    pub fn redirect(&self, url: &str) -> Result<String, Failure> {
        match url::file(url) {
            Some(path) => path.and_then(|path| local::redirect(url, &path)),
            None => self.web_redirect(url),
        }
        .map_err(|failure| failure.context(format!("failed to ask where {} leads", redacted(url))))
    }

    fn web_redirect(&self, url: &str) -> Result<String, Failure> {
        let answer = Session::new(&self.settings, Some(Self::SHORT)).get_once(&Url::parse(url)?, &[])?;
        match answer.location()? {
            Some(location) => Ok(location.uri.to_string()),
            None if answer.is_whole() => Ok(url.to_owned()),
            None => Err(answer.refusal()),
        }
    }

    /// Downloads into `to`. What is there already (of an earlier attempt) is continued by range if the server still has
    /// the same file; `progress` gets how many bytes there are and how many there will be, about ten times a second.
    ///
    /// There is no limit to the time it takes, as long as something comes. While it is on its way there is a small file
    /// beside it, `TO.state`.
    ///
    /// # Errors
    /// Those of the network (worth another try), of the server (404 is permanent, 429 and 503 say when), of TLS, of the
    /// disk; a stall; a web page that came instead. What came so far stays for the next attempt, unless the disk is full.
    pub fn download(
        &self,
        url: &str,
        to: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match url::file(url) {
            Some(path) => path.and_then(|path| local::copy(&path, to, progress)),
            None => Url::parse(url)
                .and_then(|url| download::download(&Session::new(&self.settings, None), &url, to, progress)),
        }
        .map_err(|failure| failure.context(format!("failed to download {}", redacted(url))))
    }
}
