//! Releases on GitHub, without its API: that counts requests, and answers few of them without an account.

use super::target::Target;
use super::tool::{Release, Wish};
use super::version::{self, Version};
use crate::fetch::{Failure, Retry, checksum};
use crate::first_run::Job;
use crate::first_run::job::Asset;

/// How a tool is released.
pub struct Releases {
    /// The repository: `astral-sh/uv`.
    pub repository: &'static str,
    /// What its tags have in front of the version: `v`, `rust-v`, or nothing.
    pub prefix: &'static str,
    /// Where the checksums are.
    pub sums: Sums,
    /// The file for a machine and a version; more than one if it was called otherwise in older releases, newest first.
    pub assets: fn(Target, &str) -> Vec<String>,
    /// See [`Asset::grows`].
    pub grows: u32,
}

/// Where a release has its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// In a file for each: `ASSET.sha256`.
    Beside,
    /// In a list of this name.
    List(&'static str),
    /// Nowhere.
    Unpublished,
}

impl Releases {
    /// Finds the release that the config asks for, and in it the file for a machine.
    ///
    /// # Errors
    /// There is none; its checksum is not published where it should be; those of the download.
    pub fn find(&self, job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        let tag = match wish.version.as_str() {
            "latest" => latest(job, self.repository, self.prefix)?,
            wish => self.tag(wish),
        };
        let version = version::checked(tag.strip_prefix(self.prefix).unwrap_or(&tag))?;
        let folder = job.sources.github(&format!("{}/releases/download/{tag}", self.repository));
        let names = (self.assets)(target, version);
        let (name, sha256) = self.published(job, &folder, &names, wish.sha256.as_deref()).map_err(|failure| {
            // Most often it is the version that is not there.
            let elsewhere = format!("https://github.com/{}/releases shows what there is", self.repository);
            if failure.hint.is_none() && failure.retry == Retry::Never { failure.hint(elsewhere) } else { failure }
        })?;
        let asset = Asset { url: format!("{folder}/{name}"), sha256, size: None, grows: self.grows };
        Ok(Release { version: version.to_owned(), asset })
    }

    /// The tag of a version that the config names, with or without what stands in front.
    fn tag(&self, wish: &str) -> String {
        let bare = wish.strip_prefix(self.prefix).filter(|_| !self.prefix.is_empty());
        let bare = bare.or_else(|| wish.strip_prefix('v')).unwrap_or(wish);
        format!("{}{bare}", self.prefix)
    }

    /// The first of these files that the release has, and its checksum: the config's, or the published one.
    fn published(
        &self,
        job: &mut Job<'_>,
        folder: &str,
        names: &[String],
        pinned: Option<&str>,
    ) -> Result<(String, Option<String>), Failure> {
        let first = names.first().cloned().unwrap_or_default();
        let list = match self.sums {
            Sums::Unpublished => return Ok((first, pinned.map(str::to_owned))),
            Sums::Beside => format!("{first}.sha256"),
            Sums::List(name) => name.to_owned(),
        };
        // With a checksum from the config, the list only tells which of several files there is.
        if pinned.is_some() && names.len() == 1 {
            return Ok((first, pinned.map(str::to_owned)));
        }
        let sums = match (job.text(&format!("{folder}/{list}")), pinned) {
            (Err(failure), Some(pinned)) if failure.retry == Retry::Never => {
                return Ok((first, Some(pinned.to_owned())));
            }
            (sums, _) => sums?,
        };
        let listed = names.iter().find_map(|name| Some((name.clone(), checksum::find(&sums, name)?)));
        let (name, sha256) = listed.ok_or_else(|| {
            let missing = format!("{list} of {} has no checksum for {first}", self.repository);
            Failure::permanent(missing).hint("pin one with sha256:, or name another version")
        })?;
        Ok((name, Some(pinned.map_or(sha256, str::to_owned))))
    }
}

/// The tag of a repository's latest release: where `releases/latest` leads, or the highest version of its feed if that
/// is none (some repositories have a release called `latest` that is replaced at every push).
///
/// `prefix` is what the tag has to have in front of its version.
///
/// # Errors
/// There is none; those of the download.
pub fn latest(job: &mut Job<'_>, repository: &str, prefix: &str) -> Result<String, Failure> {
    let refusal = match led_to(job, repository) {
        Ok(Some(tag)) if is_release(&tag, prefix) => return Ok(tag),
        Ok(_) => None,
        // A mirror of files alone has the feed at most.
        Err(failure) if failure.retry == Retry::Never => Some(failure),
        Err(failure) => return Err(failure),
    };
    let feed = job.sources.github(&format!("{repository}/releases.atom"));
    let feed = job.text(&feed).map_err(|failure| refusal.unwrap_or(failure))?;
    highest(&feed, prefix).ok_or_else(|| {
        Failure::permanent(format!("no release of {repository} has a version as its name"))
            .hint("name its tag with version:")
    })
}

/// The tag that `releases/latest` leads to. A repository that was renamed leads to its new name first.
fn led_to(job: &mut Job<'_>, repository: &str) -> Result<Option<String>, Failure> {
    let mut url = job.sources.github(&format!("{repository}/releases/latest"));
    for _ in 0..3 {
        let next = job.redirect(&url)?;
        if let Some(tag) = tag_of(&next) {
            return Ok(Some(tag.to_owned()));
        }
        if next == url || !next.ends_with("/releases/latest") {
            break;
        }
        url = job.sources.url(&next);
    }
    Ok(None)
}

/// The tag in the URL of a release's page.
fn tag_of(url: &str) -> Option<&str> {
    let (_, tag) = url.split_once("/releases/tag/")?;
    version::checked(tag.split(['?', '#']).next()?).ok()
}

/// The tag of the highest version in a repository's feed (`releases.atom`). Only links of the feed's own count: release
/// notes link to whatever they like.
fn highest(feed: &str, prefix: &str) -> Option<String> {
    let links = feed.split("<link ").skip(1).filter_map(|link| {
        let (attributes, _) = link.split_once('>')?;
        let (_, url) = attributes.split_once("href=\"")?;
        tag_of(url.split('"').next()?)
    });
    let tags = links.filter(|tag| is_release(tag, prefix));
    tags.max_by_key(|tag| Version::of(tag)).map(str::to_owned)
}

/// Whether a tag is the prefix and a version.
fn is_release(tag: &str, prefix: &str) -> bool {
    tag.strip_prefix(prefix).is_some_and(|rest| Version::of(rest).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shaped like GitHub's, for a repository that replaces its release `latest` at every push.
    const FEED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en-US">
  <link type="text/html" rel="alternate" href="https://github.com/Watfaq/clash-rs/releases"/>
  <link type="application/atom+xml" rel="self" href="https://github.com/Watfaq/clash-rs/releases.atom"/>
  <entry>
    <id>tag:github.com,2008:Repository/1/latest</id>
    <link rel="alternate" type="text/html" href="https://github.com/Watfaq/clash-rs/releases/tag/latest"/>
    <content type="html">&lt;a href=&quot;https://github.com/o/r/releases/tag/v99.0.0&quot;&gt;x&lt;/a&gt;</content>
  </entry>
  <entry>
    <link rel="alternate" type="text/html" href="https://github.com/Watfaq/clash-rs/releases/tag/v0.9.12"/>
  </entry>
  <entry>
    <link rel="alternate" type="text/html" href="https://github.com/Watfaq/clash-rs/releases/tag/v0.10.8"/>
  </entry>
  <entry>
    <link rel="alternate" type="text/html" href="https://github.com/Watfaq/clash-rs/releases/tag/v0.11.0-rc.1"/>
  </entry>
  <entry>
    <link rel="alternate" type="text/html" href="https://github.com/Watfaq/clash-rs/releases/tag/sdk-v7.0.0"/>
  </entry>
  <entry>
    <link rel="alternate" type="text/html" href="https://github.com/Watfaq/clash-rs/releases/tag/../../v8"/>
  </entry>
</feed>"#;

    #[test]
    fn the_feed_gives_the_highest_finished_version() {
        assert_eq!(highest(FEED, "v").as_deref(), Some("v0.10.8"));
        assert_eq!(highest(FEED, "sdk-v").as_deref(), Some("sdk-v7.0.0"));
        assert_eq!(highest(FEED, "rust-v"), None);
    }

    #[test]
    fn a_page_in_place_of_the_feed_gives_nothing() {
        for feed in
            ["", "<!DOCTYPE html><link href=", "<link href=\"x/releases/tag/\">", "<link href=\"/releases/tag/v1"]
        {
            assert_eq!(highest(feed, "v"), None, "{feed}");
        }
    }

    #[test]
    fn a_redirect_names_the_tag() {
        assert_eq!(tag_of("https://github.com/a/b/releases/tag/v1.2.3"), Some("v1.2.3"));
        assert_eq!(tag_of("http://127.0.0.1:1/github.com/a/b/releases/tag/bun-v1.4.5?x#y"), Some("bun-v1.4.5"));
        for url in ["https://github.com/a/b/releases", "https://x/releases/tag/", "https://x/releases/tag/../v1"] {
            assert_eq!(tag_of(url), None, "{url}");
        }
        assert!(is_release("v1.2.3", "v") && is_release("jq-1.7.1", ""));
        assert!(!is_release("latest", "") && !is_release("v1.2.3", "rust-v"));
    }

    #[test]
    fn a_version_is_taken_with_and_without_what_stands_in_front() {
        let releases = |prefix| Releases {
            repository: "a/b",
            prefix,
            sums: Sums::Beside,
            assets: |_, version| vec![version.to_owned()],
            grows: 1,
        };
        for (prefix, tag) in [("", "1.2.3"), ("v", "v1.2.3"), ("bun-v", "bun-v1.2.3"), ("rust-v", "rust-v1.2.3")] {
            for wish in ["1.2.3", "v1.2.3", tag] {
                assert_eq!(releases(prefix).tag(wish), tag);
            }
        }
    }
}
