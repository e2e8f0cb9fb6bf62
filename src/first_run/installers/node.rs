//! Node.js with npm: a folder for the version, and links to its programs.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::target::Target;
use super::tool::{Release, Tool, Wish, needs_glibc, put_tree};
use super::version::{Version, checked};
use crate::fetch::{Failure, checksum, failure};
use crate::first_run::job::Asset;
use crate::first_run::{Job, Place};

/// Node.js with npm.
pub struct Node;

impl Tool for Node {
    const KIND: &'static str = "node";
    const DEFAULT: &'static str = "lts";
    const STRIP: Option<u32> = Some(1);
    const PROGRAM: &'static str = "bin/node";

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        needs_glibc("Node.js", target)?;
        let version = version(job, target, &wish.version)?;
        // The .tar.xz is smaller by a third, and takes several times as long to unpack.
        let name = format!("node-v{version}-linux-{}.tar.gz", target.arch.node());
        let sha256 = match &wish.sha256 {
            Some(sha256) => sha256.clone(),
            None => {
                let list = job.text(&job.sources.node(&format!("v{version}/SHASUMS256.txt")))?;
                checksum::find(&list, &name).ok_or_else(|| {
                    Failure::permanent(format!("SHASUMS256.txt of Node.js {version} has no checksum for {name}"))
                        .hint("pin one with sha256:, or name another version")
                })?
            }
        };
        let url = job.sources.node(&format!("v{version}/{name}"));
        Ok(Release { version, asset: Asset { url, sha256: Some(sha256), size: None, grows: 5 } })
    }

    fn put(job: &mut Job<'_>, staged: &Path, version: &str) -> Result<Vec<PathBuf>, Failure> {
        let npm = staged.join("lib/node_modules/npm");
        if npm.is_dir() {
            let settings = npm.join("npmrc");
            fs::write(&settings, npmrc(&job.owner.place))
                .map_err(failure::io(format_args!("failed to write {}", settings.display())))?;
        }
        put_tree(job, Self::KIND, staged, version, &["node", "npm", "npx", "corepack"])
    }
}

/// npm's built-in settings: without them `npm install --global` puts packages into the folder of the version, where the
/// next update loses them and no PATH finds them. A user's own settings go over these.
fn npmrc(place: &Place) -> String {
    if place.system { format!("prefix={}\n", place.base.display()) } else { "prefix=${HOME}/.local\n".to_owned() }
}

/// The version, such as `24.19.0`, that the config asks for.
fn version(job: &mut Job<'_>, target: Target, wish: &str) -> Result<String, Failure> {
    let bare = wish.strip_prefix('v').unwrap_or(wish);
    let named = Version::of(bare).filter(|_| bare.starts_with(|c: char| c.is_ascii_digit()));
    if named.as_ref().is_some_and(Version::is_full) {
        return Ok(bare.to_owned());
    }
    // Not the folders `latest` and `latest-v24.x`: those of mirrors go stale.
    let index = job.text(&job.sources.node("index.json"))?;
    let chosen = choose(&index, target, bare, named.as_ref())?;
    checked(&chosen).map(str::to_owned)
}

/// A version in `index.json`.
#[derive(Deserialize)]
struct Published {
    version: String,
    #[serde(default)]
    files: Vec<String>,
    /// `false`, or the name of its line: `"Krypton"`.
    #[serde(default)]
    lts: Value,
}

impl Published {
    fn is_meant(&self, wish: &str, line: Option<&Version>, version: &Version) -> bool {
        match wish {
            "latest" => true,
            "lts" => self.lts.is_string(),
            name => match line {
                Some(line) => version.is_of(line),
                None => self.lts.as_str().is_some_and(|lts| lts.eq_ignore_ascii_case(name)),
            },
        }
    }
}

/// The newest version for this kind of machine that is meant by `latest`, `lts`, `jod`, or a line such as `24`.
fn choose(index: &str, target: Target, wish: &str, line: Option<&Version>) -> Result<String, Failure> {
    let index: Vec<Published> = serde_json::from_str(index)
        .map_err(|error| Failure::permanent(format!("index.json of Node.js cannot be read: {error}")))?;
    let file = format!("linux-{}", target.arch.node());
    let meant = index.iter().filter_map(|entry| {
        let version = Version::of(&entry.version)?;
        (entry.files.contains(&file) && entry.is_meant(wish, line, &version)).then_some((version, &entry.version))
    });
    let newest = meant.max().map(|(_, text)| text.strip_prefix('v').unwrap_or(text).to_owned());
    newest.ok_or_else(|| {
        Failure::permanent(format!("Node.js has no version {wish} for {file}"))
            .hint("name lts, latest, a line such as 24, or a version such as 24.19.0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_run::source::Arch;

    /// Shaped like nodejs.org's; not in order, as a mirror's might be.
    const INDEX: &str = r#"[
        {"version":"v25.2.0","date":"2026-10-01","files":["linux-arm64","linux-x64","src"],"npm":"11.6.0","lts":false},
        {"version":"v22.9.0","date":"2026-01-01","files":["linux-arm64","linux-x64"],"lts":"Jod"},
        {"version":"v24.19.0","date":"2026-11-01","files":["linux-x64","osx-arm64-tar"],"lts":"Krypton"},
        {"version":"v24.2.0","date":"2026-05-01","files":["linux-arm64","linux-x64"],"lts":"Krypton","security":true},
        {"version":"v22.11.0","date":"2026-02-01","files":["linux-arm64","linux-x64"],"lts":"Jod"},
        {"version":"v26.0.0-rc.1","files":["linux-x64"],"lts":false},
        {"version":"v0.1.14","files":["src"],"lts":false}
    ]"#;

    fn chosen(arch: Arch, wish: &str) -> Result<String, Failure> {
        let line = Version::of(wish);
        choose(INDEX, Target { arch, musl: false, avx2: true }, wish, line.as_ref())
    }

    #[test]
    fn a_wish_becomes_the_newest_version_that_fits_it() {
        for (wish, version) in [
            ("latest", "25.2.0"),
            ("lts", "24.19.0"),
            ("24", "24.19.0"),
            ("24.2", "24.2.0"),
            ("22", "22.11.0"),
            ("Jod", "22.11.0"),
            ("krypton", "24.19.0"),
        ] {
            assert_eq!(chosen(Arch::X86, wish).as_deref(), Ok(version), "{wish}");
        }
        assert_eq!(chosen(Arch::Arm, "lts").as_deref(), Ok("24.2.0"), "24.19.0 is not there for it");
    }

    #[test]
    fn a_wish_that_nothing_fits_is_said_so() {
        for wish in ["2", "24.1", "argon", "0", "26"] {
            let failure = chosen(Arch::X86, wish).unwrap_err();
            assert!(failure.text.contains(&format!("no version {wish} for linux-x64")), "{failure}");
        }
        assert!(choose("<!DOCTYPE html>", Target::own(), "lts", None).unwrap_err().text.contains("index.json"));
    }

    #[test]
    fn global_packages_survive_an_update() {
        assert_eq!(npmrc(&Place::home(Path::new("/home/peid"))), "prefix=${HOME}/.local\n");
        assert_eq!(npmrc(&Place::system()), "prefix=/usr/local\n");
    }
}
