//! Where downloads come from: upstream, a mirror, or a bundle.

use std::path::{Path, PathBuf};

use crate::config::first_run::Mirrors;
use crate::digest::sha256;
use crate::fetch::Client;
use crate::secret;

const GITHUB: &str = "https://github.com";
const NODE: &str = "https://nodejs.org/dist";
const CLAUDE: &str = "https://downloads.claude.ai";

/// Where downloads come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// How the web is reached.
    pub client: Client,
    /// Mirrors of the config.
    pub mirrors: Mirrors,
    /// The folder of a bundle: nothing else is asked.
    pub bundle: Option<PathBuf>,
}

impl Sources {
    /// The URL of something on GitHub: `astral-sh/uv/releases/latest`.
    #[must_use]
    pub fn github(&self, path: &str) -> String {
        self.url(&format!("{GITHUB}/{path}"))
    }

    /// The URL of something that Node.js publishes: `index.json`.
    #[must_use]
    pub fn node(&self, path: &str) -> String {
        self.url(&format!("{NODE}/{path}"))
    }

    /// The URL of something that Claude Code is published with: `claude-code-releases/stable`.
    #[must_use]
    pub fn claude(&self, path: &str) -> String {
        self.url(&format!("{CLAUDE}/{path}"))
    }

    /// Where to ask for what is published under this URL: the bundle, a mirror, or the URL itself. Files of this machine
    /// (`file://`) stay what they are.
    #[must_use]
    pub fn url(&self, published: &str) -> String {
        if let (Some(bundle), Some(path)) = (&self.bundle, bundled(published)) {
            let folder = std::path::absolute(bundle).unwrap_or_else(|_| bundle.clone());
            return file_url(&folder.join(path));
        }
        let mirrored =
            self.mirrored().find_map(|(upstream, mirror)| Some(format!("{mirror}/{}", below(published, upstream)?)));
        mirrored.unwrap_or_else(|| published.to_owned())
    }

    /// Where a bundle has what comes from this URL, below its folder: `github.com/astral-sh/uv/…`, whatever mirror it
    /// came from. None for a file of this machine, which is not brought along.
    #[must_use]
    pub fn bundled(&self, url: &str) -> Option<PathBuf> {
        bundled(&self.published(url))
    }

    /// Under which URL something is published that comes from this one, which may be a mirror's. Without credentials.
    #[must_use]
    pub fn published(&self, url: &str) -> String {
        let url = secret::without_credentials(url);
        let published = self.mirrored().find_map(|(upstream, mirror)| {
            Some(format!("{upstream}/{}", below(&url, &secret::without_credentials(mirror))?))
        });
        published.unwrap_or(url)
    }

    /// What has a mirror, and that, without a slash at its end.
    fn mirrored(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Mirrors { github, node, claude, .. } = &self.mirrors;
        [(GITHUB, github), (NODE, node), (CLAUDE, claude)]
            .into_iter()
            .filter_map(|(upstream, mirror)| Some((upstream, mirror.as_deref()?.trim_end_matches('/'))))
    }
}

/// The URL of a file.
fn file_url(path: &Path) -> String {
    let text = path.display().to_string();
    format!("file://{}", text.replace('%', "%25").replace('?', "%3F").replace('#', "%23"))
}

/// The rest of a URL that is below another one.
fn below<'a>(url: &'a str, above: &str) -> Option<&'a str> {
    url.strip_prefix(above)?.strip_prefix('/')
}

/// `HOST/PATH` of a URL of http or https, without credentials; a query, which may hold a secret, becomes a hash.
fn bundled(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let mut name = format!("{host}/{path}");
    if name.ends_with('/') {
        name.push_str("index");
    }
    if let Some(query) = query {
        name.push('-');
        name.extend(sha256(query.as_bytes()).chars().take(16));
    }
    // Dots that lead out of the bundle become a name like any other.
    let parts = name.split('/').filter(|part| !part.is_empty());
    Some(parts.map(|part| Path::new(if part == ".." { "%2E%2E" } else { part })).collect())
}

/// The processor, as releases name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// x86-64.
    X86,
    /// 64-bit ARM.
    Arm,
}

impl Arch {
    /// The processor that this program was built for.
    #[must_use]
    pub const fn own() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm } else { Self::X86 }
    }

    /// `x86_64`, `aarch64`.
    #[must_use]
    pub const fn uname(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// `amd64`, `arm64`: as Debian and Go have it.
    #[must_use]
    pub const fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }

    /// `x64`, `arm64`: as Node.js has it.
    #[must_use]
    pub const fn node(self) -> &'static str {
        match self {
            Self::X86 => "x64",
            Self::Arm => "arm64",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrored() -> Sources {
        let mirrors = Mirrors {
            github: Some("http://127.0.0.1:8080/github.com/".to_owned()),
            node: Some("file:///mirror/node".to_owned()),
            ..Mirrors::default()
        };
        Sources { mirrors, ..Sources::default() }
    }

    #[test]
    fn without_a_mirror_upstream_is_asked() {
        let sources = Sources::default();
        assert_eq!(sources.github("a/b/releases/latest"), "https://github.com/a/b/releases/latest");
        assert_eq!(sources.node("index.json"), "https://nodejs.org/dist/index.json");
        assert_eq!(
            sources.claude("claude-code-releases/stable"),
            "https://downloads.claude.ai/claude-code-releases/stable"
        );
        assert_eq!(sources.url("https://example.org/x"), "https://example.org/x");
    }

    #[test]
    fn a_mirror_stands_for_its_source_and_no_other() {
        let sources = mirrored();
        assert_eq!(sources.github("a/b"), "http://127.0.0.1:8080/github.com/a/b");
        assert_eq!(sources.node("index.json"), "file:///mirror/node/index.json");
        assert_eq!(sources.claude("x"), "https://downloads.claude.ai/x");
        assert_eq!(sources.url("https://github.com/a/b"), "http://127.0.0.1:8080/github.com/a/b");
        for other in ["https://github.company.example/a", "https://nodejs.org/distant", "file:///a/b"] {
            assert_eq!(sources.url(other), other);
        }
    }

    #[test]
    fn a_bundle_stands_for_everything_but_files_of_this_machine() {
        let sources = Sources { bundle: Some("/media/usb".into()), ..mirrored() };
        assert_eq!(sources.github("a/b"), "file:///media/usb/github.com/a/b");
        assert_eq!(sources.node("v1/x.tar.gz"), "file:///media/usb/nodejs.org/dist/v1/x.tar.gz");
        assert_eq!(sources.url("https://example.org/x"), "file:///media/usb/example.org/x");
        assert_eq!(sources.url("file:///opt/x"), "file:///opt/x");
        // The name in the bundle is that in the URL, and a file's URL is decoded.
        assert_eq!(sources.url("https://example.org/a%20b"), "file:///media/usb/example.org/a%2520b");
    }

    #[test]
    fn what_came_from_a_mirror_is_found_in_the_bundle_under_its_upstream() {
        let sources = mirrored();
        for url in ["https://github.com/a/b", "http://127.0.0.1:8080/github.com/a/b"] {
            assert_eq!(sources.bundled(url), Some("github.com/a/b".into()));
        }
        assert_eq!(sources.bundled("file:///mirror/node/index.json"), Some("nodejs.org/dist/index.json".into()));
        assert_eq!(sources.bundled("file:///etc/passwd"), None);
        let offline = Sources { bundle: Some("/b".into()), ..Sources::default() };
        for path in ["a/b/releases/latest", "a/b/releases.atom"] {
            let stored = sources.bundled(&sources.github(path)).unwrap();
            assert_eq!(offline.github(path), format!("file:///b/{}", stored.display()));
        }
    }

    #[test]
    fn what_is_published_is_told_without_the_mirror_and_its_credentials() {
        let mirrors =
            Mirrors { github: Some("https://me:hunter2@mirror.example/gh/".to_owned()), ..Mirrors::default() };
        let sources = Sources { mirrors, ..Sources::default() };
        for url in [sources.github("a/b/releases/tag/v1"), "https://mirror.example/gh/a/b/releases/tag/v1".to_owned()] {
            assert_eq!(sources.published(&url), "https://github.com/a/b/releases/tag/v1");
            assert_eq!(sources.bundled(&url), Some("github.com/a/b/releases/tag/v1".into()));
        }
        assert_eq!(sources.published("https://you:word@other.example/x"), "https://other.example/x");
    }

    #[test]
    fn a_bundle_holds_no_credentials_and_is_not_left() {
        let path = |url| bundled(url).unwrap().display().to_string();
        assert_eq!(path("https://me:hunter2@example.org/x#part"), "example.org/x");
        assert_eq!(path("https://example.org/"), "example.org/index");
        assert_eq!(path("http://../../etc/passwd"), "%2E%2E/%2E%2E/etc/passwd");
        assert_eq!(path("https://example.org//../x"), "example.org/%2E%2E/x");
        let (one, two) = (path("https://example.org/x?token=s3cret"), path("https://example.org/x?token=other"));
        assert!(one.starts_with("example.org/x-") && !one.contains("s3cret"), "{one}");
        assert_ne!(one, two);
    }
}
