//! Where a repository is, and from where it comes instead.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::command::trimmed;
use crate::config::first_run::Mirrors;
use crate::first_run::job::Run;

const GITHUB: &str = "https://github.com/";

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// As it stands in the clone: without a user and a password for the web.
    pub(super) url: String,
    /// With them, if the config has them.
    with_credentials: Option<String>,
}

impl Remote {
    pub(super) fn new(url: &str) -> Self {
        let plain = Self { url: url.to_owned(), with_credentials: None };
        let Some((scheme @ ("http" | "https"), rest)) = url.split_once("://") else { return plain };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        match authority.rsplit_once('@') {
            Some((_, host)) => Self { url: format!("{scheme}://{host}{path}"), with_credentials: Some(url.to_owned()) },
            None => plain,
        }
    }

    pub(super) fn on_github(repository: &str) -> Self {
        Self::new(&format!("{GITHUB}{repository}"))
    }

    /// Whether a clone with this origin is one of it.
    pub(super) fn is_origin(&self, origin: &str) -> bool {
        let plain = |url: &str| {
            let url = trimmed(url).to_owned();
            url.strip_suffix(".git").unwrap_or(&url).to_owned()
        };
        plain(&Self::new(origin).url) == plain(&self.url)
    }

    /// What git is to ask instead of the URLs in clones and in lists of submodules: as `url.TO.insteadOf=FROM`, for
    /// which git takes the longest FROM that fits.
    pub(super) fn substitutes(&self, mirrors: &Mirrors, bundle: Option<&Path>) -> Vec<Substitute> {
        if let Some(bundle) = bundle {
            return vec![Substitute { from: self.url.clone(), to: bundle.to_string_lossy().into_owned() }];
        }
        let mirror = mirrors.github.as_deref().map(|mirror| format!("{}/", trimmed(mirror)));
        let credentials = self.with_credentials.clone().filter(|_| mirror.is_none() || !self.url.starts_with(GITHUB));
        let mirror = mirror.map(|to| Substitute { from: GITHUB.to_owned(), to });
        mirror.into_iter().chain(credentials.map(|to| Substitute { from: self.url.clone(), to })).collect()
    }

    /// A name for files, not longer than 80 bytes.
    pub(super) fn slug(&self) -> String {
        let (_, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        let rest = trimmed(rest).trim_end_matches(".git");
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let slug: String = rest.chars().map(plain).collect();
        slug.trim_start_matches(['.', '-']).chars().take(80).collect()
    }
}

/// A URL, or the beginning of one, that stands for another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Substitute {
    from: String,
    to: String,
}

/// Hands substitutes to git. By variables, which other users cannot see as they can arguments, and which no file keeps;
/// after those that the environment has already.
pub(super) fn substitute(mut run: Run, environment: &BTreeMap<String, String>, substitutes: &[Substitute]) -> Run {
    let mut count: u32 = environment.get("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0);
    for Substitute { from, to } in substitutes {
        run = run.env(&format!("GIT_CONFIG_KEY_{count}"), format!("url.{to}.insteadOf"));
        run = run.env(&format!("GIT_CONFIG_VALUE_{count}"), from);
        count = count.saturating_add(1);
    }
    run.env("GIT_CONFIG_COUNT", count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substitutes(url: &str, mirror: Option<&str>) -> Vec<(String, String)> {
        let mirrors = Mirrors { github: mirror.map(str::to_owned), ..Mirrors::default() };
        let all = Remote::new(url).substitutes(&mirrors, None);
        all.into_iter().map(|Substitute { from, to }| (from, to)).collect()
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn credentials_are_kept_apart_from_the_url_that_stands_in_the_clone() {
        let url = "https://me:s@cret@host.example/a/b.git";
        assert_eq!(Remote::new(url).url, "https://host.example/a/b.git");
        assert_eq!(substitutes(url, None), [pair("https://host.example/a/b.git", url)]);
        for url in ["ssh://git@host.example/a", "git@host.example:a/b.git", "/srv/a", "file:///srv/a@b"] {
            assert_eq!(Remote::new(url).url, url);
            assert_eq!(substitutes(url, None), []);
        }
    }

    #[test]
    fn a_mirror_stands_for_all_of_github_and_gets_no_credentials_of_it() {
        let mirror = [pair("https://github.com/", "https://mirror.example/github.com/")];
        for url in ["https://github.com/a/b", "https://token@github.com/a/b"] {
            assert_eq!(substitutes(url, Some("https://mirror.example/github.com/")), mirror);
        }
        let other = "https://token@host.example/a";
        let expected = [mirror[0].clone(), pair("https://host.example/a", other)];
        assert_eq!(substitutes(other, Some("https://mirror.example/github.com")), expected);
    }

    #[test]
    fn substitutes_come_after_those_of_the_environment() {
        let environment = BTreeMap::from([("GIT_CONFIG_COUNT".to_owned(), "2".to_owned())]);
        let substitutes = [Substitute { from: "a".to_owned(), to: "b".to_owned() }];
        let run = substitute(Run::new(["git"]), &environment, &substitutes);
        let expected =
            [("GIT_CONFIG_COUNT", "3"), ("GIT_CONFIG_KEY_2", "url.b.insteadOf"), ("GIT_CONFIG_VALUE_2", "a")];
        assert_eq!(run.environment, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn the_same_repository_is_known_in_its_spellings() {
        let remote = Remote::on_github("spack/spack");
        for origin in [
            "https://github.com/spack/spack.git",
            "https://github.com/spack/spack/",
            "https://x:y@github.com/spack/spack",
        ] {
            assert!(remote.is_origin(origin), "{origin}");
        }
        for origin in ["https://github.com/spack/spack2", "https://host.example/spack/spack", ""] {
            assert!(!remote.is_origin(origin), "{origin}");
        }
    }

    #[test]
    fn names_for_files_stay_in_their_folder() {
        assert_eq!(Remote::on_github("spack/spack.git").slug(), "github.com-spack-spack");
        assert_eq!(Remote::new("file:///../../etc").slug(), "etc");
        assert_eq!(Remote::new("git@host.example:a/b").slug(), "git-host.example-a-b");
    }
}
