//! A file from a URL or from a release on GitHub, or what is in an archive.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::github;
use super::tool::download;
use super::version::checked;
use crate::config::first_run::Download as Config;
use crate::fetch::{Failure, failure, redacted, unpack};
use crate::first_run::job::Asset;
use crate::first_run::source::Arch;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, place};

/// Marks a folder that was unpacked here: only such a one is replaced.
const MARK: &str = ".devinit-download";

/// The step `download`.
#[must_use]
pub fn part(step: &Config) -> Part {
    Part::main(Download { config: step.clone() })
}

/// Downloads a file.
struct Download {
    config: Config,
}

impl Download {
    /// Finds the file and downloads it. Returns what the names of the config stand for as well.
    fn obtain(&self, job: &mut Job<'_>) -> Result<(Names, PathBuf), Failure> {
        let Config { url, github, asset, version, sha256, .. } = &self.config;
        let latest = version.as_deref().is_none_or(|version| version == "latest");
        let (names, url) = match (url, github, asset) {
            (Some(url), _, _) => {
                let names = Names::new(Arch::own(), version.as_deref().unwrap_or_default())?;
                let url = job.sources.url(&names.fill(url));
                (names, url)
            }
            (None, Some(repository), Some(asset)) => {
                job.stage(format!("looking for a release of {repository}"));
                let repository = checked_repository(repository)?;
                let found = if latest { Some(github::latest(job, repository, "")?) } else { None };
                let tag = found.as_deref().or(version.as_deref()).unwrap_or_default();
                let names = Names::new(Arch::own(), tag)?;
                let asset = names.fill(asset);
                let url =
                    job.sources.github(&format!("{repository}/releases/download/{tag}/{}", checked_asset(&asset)?));
                (names, url)
            }
            _ => return Err(Failure::permanent("there is neither a url nor a github repository with its asset")),
        };
        let grows = if self.unpacks() { 4 } else { 1 };
        let sha256 = sha256.as_ref().map(|sum| sum.to_ascii_lowercase());
        let file = download(job, &Asset { url, sha256, size: None, grows })?;
        Ok((names, file))
    }

    fn unpacks(&self) -> bool {
        self.config.unpack || self.config.member.is_some()
    }

    /// Puts one file out of an archive into place.
    fn put_member(&self, job: &mut Job<'_>, archive: &Path, member: &str, to: &Path) -> Result<(), Failure> {
        let member = checked_member(member)?;
        let options = unpack::Options { only: Some(member.to_owned()), ..unpack::Options::default() };
        let staged = job.unpack(archive, &options)?.join(member);
        place::file(&staged, to, self.mode()?)
    }

    /// Puts what is in an archive into place.
    fn put_folder(&self, job: &mut Job<'_>, archive: &Path, to: &Path) -> Result<(), Failure> {
        may_replace(to)?;
        let options = unpack::Options { strip: self.config.strip, ..unpack::Options::default() };
        let staged = job.unpack(archive, &options)?;
        let mark = staged.join(MARK);
        fs::write(&mark, "devinit unpacked this folder, and replaces it when its download changes\n")
            .map_err(failure::io(format_args!("failed to write {}", mark.display())))?;
        place::tree(&staged, to)
    }

    fn mode(&self) -> Result<u32, Failure> {
        let Some(mode) = &self.config.mode else { return Ok(0o644) };
        let parsed = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777);
        parsed.ok_or_else(|| Failure::permanent(format!("{mode:?} are no permissions")).hint("write them as \"0755\""))
    }
}

impl Installer for Download {
    fn target(&self) -> Option<&Path> {
        Some(&self.config.to)
    }

    fn key(&self) -> Value {
        let Config { url, github, asset, version, to, mode, sha256, unpack, strip, member, .. } = &self.config;
        json!({
            "kind": "download",
            "url": url,
            "github": github,
            "asset": asset,
            "version": version.as_deref().unwrap_or("latest"),
            "to": to,
            "mode": mode,
            "sha256": sha256,
            "unpack": unpack,
            "strip": strip,
            "member": member,
        })
    }

    fn summary(&self) -> String {
        let Config { url, github, asset, version, to, .. } = &self.config;
        let what = match (url, github) {
            (Some(url), _) => redacted(url),
            (None, github) => format!(
                "{} {} {}",
                github.as_deref().unwrap_or_default(),
                version.as_deref().unwrap_or("latest"),
                asset.as_deref().unwrap_or_default()
            ),
        };
        format!("download {what} to {}", to.display())
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        let (names, file) = self.obtain(job)?;
        let to = self.config.to.clone();
        job.stage("putting it into place");
        match &self.config.member {
            Some(member) => self.put_member(job, &file, &names.fill(member), &to)?,
            None if self.config.unpack => self.put_folder(job, &file, &to)?,
            None => place::file(&file, &to, self.mode()?)?,
        }
        Ok(Installed { version: Some(names.version).filter(|version| !version.is_empty()), files: vec![to] })
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        self.obtain(job).map(|_| true)
    }
}

/// What stands for the words in braces.
struct Names {
    arch: Arch,
    tag: String,
    version: String,
}

impl Names {
    /// For a tag; it may be empty where nothing has one.
    fn new(arch: Arch, tag: &str) -> Result<Self, Failure> {
        if !tag.is_empty() {
            checked(tag)?;
        }
        let bare = tag.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        Ok(Self { arch, tag: tag.to_owned(), version: bare.unwrap_or(tag).to_owned() })
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{arch}", self.arch.uname())
            .replace("{goarch}", self.arch.debian())
            .replace("{version}", &self.version)
            .replace("{tag}", &self.tag)
    }
}

/// Refuses what is no `OWNER/NAME`.
fn checked_repository(repository: &str) -> Result<&str, Failure> {
    let parts = repository.split_once('/');
    let sound = parts.is_some_and(|(owner, name)| checked(owner).is_ok() && checked(name).is_ok());
    let wrong = || Failure::permanent(format!("{repository:?} is not a repository")).hint("write it as OWNER/NAME");
    if sound { Ok(repository) } else { Err(wrong()) }
}

/// Refuses what is no name of a file.
fn checked_asset(asset: &str) -> Result<&str, Failure> {
    let sound = !asset.is_empty() && !asset.starts_with('.') && !asset.contains(['/', '?', '#']);
    if sound { Ok(asset) } else { Err(Failure::permanent(format!("{asset:?} is not the name of a release's file"))) }
}

/// Refuses a path that leads out of an archive.
fn checked_member(member: &str) -> Result<&str, Failure> {
    let member = member.trim_start_matches("./");
    let sound = !member.is_empty() && Path::new(member).components().all(|part| matches!(part, Component::Normal(_)));
    if sound {
        Ok(member)
    } else {
        Err(Failure::permanent(format!("{member:?} is not the path of a file in an archive")))
    }
}

/// Refuses to replace a folder with things in it that were not unpacked here: `to: /usr/local` is easily written.
fn may_replace(to: &Path) -> Result<(), Failure> {
    let entries = match fs::read_dir(to) {
        Ok(mut entries) => entries.next().is_some(),
        // Nothing there, or nothing that can be replaced: then putting it into place says so.
        Err(_) => false,
    };
    if !entries || to.join(MARK).symlink_metadata().is_ok() {
        return Ok(());
    }
    Err(Failure::permanent(format!("{} has things in it that this step did not put there", to.display()))
        .hint("name a folder of its own in to:, since it is replaced as a whole; or empty this one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_braces_are_filled_in() {
        let names = Names::new(Arch::X86, "v0.10.8").unwrap();
        assert_eq!(names.fill("clash-rs-{arch}-unknown-linux-gnu"), "clash-rs-x86_64-unknown-linux-gnu");
        assert_eq!(names.fill("x_{version}_{goarch}.tar.gz?{tag}{other}"), "x_0.10.8_amd64.tar.gz?v0.10.8{other}");
        let names = Names::new(Arch::Arm, "jq-1.7").unwrap();
        assert_eq!(names.fill("{arch}/{goarch}/{version}"), "aarch64/arm64/jq-1.7");
        assert_eq!(Names::new(Arch::Arm, "vega").unwrap().version, "vega");
        assert!(Names::new(Arch::Arm, "../x").is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for repository in ["", "a", "a/", "/b", "a/b/c", "a/..", "../b", "a b/c"] {
            assert!(checked_repository(repository).is_err(), "{repository}");
        }
        assert!(checked_repository("Watfaq/clash-rs").is_ok());
        for asset in ["", "..", "a/b", "a?b", ".x"] {
            assert!(checked_asset(asset).is_err(), "{asset}");
        }
        for member in ["", "/etc/passwd", "../x", "a/../../x", "./"] {
            assert!(checked_member(member).is_err(), "{member}");
        }
        assert_eq!(checked_member("./bin/x"), Ok("bin/x"));
    }

    #[test]
    fn a_folder_with_things_of_others_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        assert!(may_replace(&to).is_ok(), "not there yet");
        fs::create_dir(&to).unwrap();
        assert!(may_replace(&to).is_ok(), "empty");
        fs::write(to.join("precious"), "").unwrap();
        let failure = may_replace(&to).unwrap_err();
        assert!(failure.text.contains("did not put there") && failure.hint.is_some(), "{failure}");
        fs::write(to.join(MARK), "").unwrap();
        assert!(may_replace(&to).is_ok(), "unpacked here");
    }

    #[test]
    fn permissions_are_octal() {
        let mode = |mode: &str| Download { config: Config { mode: Some(mode.to_owned()), ..Config::default() } }.mode();
        assert_eq!(mode("0755"), Ok(0o755));
        assert_eq!(mode("600"), Ok(0o600));
        for wrong in ["", "rwx", "0o755", "899", "77777"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Download { config: Config::default() }.mode(), Ok(0o644));
    }

    #[test]
    fn neither_summary_nor_errors_show_credentials() {
        let url = Some("https://me:hunter2@example.org/x?token=s3cret".to_owned());
        let summary = part(&Config { url, to: "/opt/x".into(), ..Config::default() }).installer.summary();
        assert_eq!(summary, "download https://example.org/x to /opt/x");
    }
}
