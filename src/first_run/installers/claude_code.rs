//! Claude Code: one program, placed as its own updater would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::target::Target;
use super::tool::{Release, Tool, Wish};
use super::version::checked;
use crate::fetch::Failure;
use crate::first_run::job::Asset;
use crate::first_run::{Job, place};

/// Where it is published.
const FOLDER: &str = "claude-code-releases";

/// Claude Code.
pub struct ClaudeCode;

impl Tool for ClaudeCode {
    const KIND: &'static str = "claude-code";
    const STRIP: Option<u32> = None;

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        let version = match wish.version.as_str() {
            // A channel is a file that holds nothing but a version.
            channel @ ("stable" | "latest") => {
                let url = job.sources.claude(&format!("{FOLDER}/{channel}"));
                checked(job.text(&url)?.trim())?.to_owned()
            }
            version => version.strip_prefix('v').unwrap_or(version).to_owned(),
        };
        let platform = platform(target);
        let build = match &wish.sha256 {
            Some(sha256) => Build { checksum: sha256.clone(), ..Build::default() },
            None => {
                let url = job.sources.claude(&format!("{FOLDER}/{version}/manifest.json"));
                build(&job.text(&url)?, &platform)
                    .map_err(|failure| failure.context(format!("claude-code {version}")))?
            }
        };
        let program = checked(&build.binary)?;
        let asset = Asset {
            url: job.sources.claude(&format!("{FOLDER}/{version}/{platform}/{program}")),
            sha256: Some(build.checksum),
            size: build.size,
            grows: 1,
        };
        Ok(Release { version, asset })
    }

    fn put(job: &mut Job<'_>, staged: &Path, version: &str) -> Result<Vec<PathBuf>, Failure> {
        let program = job.owner.place.share().join("claude/versions").join(version);
        let link = Self::programs(&job.owner.place).join("claude");
        place::file(staged, &program, 0o755)?;
        place::link(&program, &link)?;
        // Not the program: its updater moves the link to a newer one, and removes this one some day.
        Ok(vec![link])
    }
}

/// What it calls this kind of machine.
fn platform(target: Target) -> String {
    format!("linux-{}{}", target.arch.node(), target.musl_suffix())
}

/// What is published for each version: `manifest.json`.
#[derive(Deserialize)]
struct Manifest {
    platforms: BTreeMap<String, Build>,
}

/// A build of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Build {
    checksum: String,
    size: Option<u64>,
    #[serde(default = "claude")]
    binary: String,
}

impl Default for Build {
    fn default() -> Self {
        Self { checksum: String::new(), size: None, binary: claude() }
    }
}

fn claude() -> String {
    "claude".to_owned()
}

/// The build for a kind of machine.
fn build(manifest: &str, platform: &str) -> Result<Build, Failure> {
    let manifest: Manifest = serde_json::from_str(manifest)
        .map_err(|error| Failure::permanent(format!("its manifest.json cannot be read: {error}")))?;
    let build = manifest.platforms.get(platform).cloned();
    build.ok_or_else(|| Failure::permanent(format!("it is not published for {platform}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_run::source::Arch;

    const MANIFEST: &str = r#"{
        "version": "2.1.0", "buildDate": "2026-11-01T00:00:00Z",
        "platforms": {
            "darwin-arm64": {"binary": "claude", "checksum": "aa", "size": 1},
            "linux-arm64": {"binary": "claude", "checksum": "bb", "size": 377000001},
            "linux-x64": {"checksum": "cc", "size": 377000000},
            "linux-x64-musl": {"binary": "claude", "checksum": "dd"}
        }
    }"#;

    #[test]
    fn each_kind_of_machine_has_its_build() {
        let of = |arch, musl| build(MANIFEST, &platform(Target { arch, musl, avx2: true }));
        let build = |sum: &str, size| Build { checksum: sum.to_owned(), size, ..Build::default() };
        assert_eq!(of(Arch::X86, false), Ok(build("cc", Some(377_000_000))));
        assert_eq!(of(Arch::X86, true), Ok(build("dd", None)));
        assert_eq!(of(Arch::Arm, false), Ok(build("bb", Some(377_000_001))));
        assert_eq!(of(Arch::Arm, true).unwrap_err().text, "it is not published for linux-arm64-musl");
    }

    #[test]
    fn a_page_in_place_of_the_manifest_is_refused() {
        for text in ["", "<!DOCTYPE html>", "{}", r#"{"platforms": {"linux-x64": {}}}"#] {
            assert!(build(text, "linux-x64").unwrap_err().text.starts_with("its manifest.json"), "{text}");
        }
    }
}
