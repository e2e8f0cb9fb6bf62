//! Packages that a tool keeps in a cache of its own: how that gets into a bundle, and out of it.
//!
//! A bundle has `KIND/TASK/cache`, and beside it `source`: the registry that they came from, for a tool looks into its
//! cache under the address of that. It is used as a copy: the bundle may be read-only, or root's.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::fetch::{Failure, failure, redacted};
use crate::first_run::job::Run;
use crate::first_run::{Job, place};

/// Where nobody answers, at once.
const NOWHERE: &str = "http://127.0.0.1:9";
/// How the credentials of a request begin.
const CREDENTIALS: [&[u8]; 2] = [b"Basic ", b"Bearer "];

/// What a tool installs packages from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages {
    /// The tool's cache; none: its own.
    pub cache: Option<PathBuf>,
    /// The registry or index; none: the tool's default.
    pub source: Option<String>,
    /// Whether nothing but the cache is there.
    pub offline: bool,
    /// Whether it is only done to see what is needed: scripts of packages are not run, and nothing stays.
    pub trial: bool,
}

/// How a kind of packages is brought along.
pub struct Kind<'a> {
    /// The folder in the bundle: `npm`.
    pub name: &'static str,
    /// The registry that the tool is to ask; none: its default.
    pub source: Option<&'a str>,
    /// How the paths of the folders begin, below the cache, in which it remembers requests.
    pub requests: &'static [&'static str],
}

impl Packages {
    /// A try without a network must not find one by another way, such as git's.
    #[must_use]
    pub fn cut_off(&self, run: Run) -> Run {
        if !(self.trial && self.offline) {
            return run;
        }
        let names = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        let run = names.into_iter().fold(run, |run, name| run.env(name, NOWHERE));
        run.env("no_proxy", "").env("NO_PROXY", "").env("GIT_SSH_COMMAND", "false")
    }
}

/// Installs from the bundle, if there is one that has the packages of this task; else from the mirror or upstream.
///
/// # Errors
/// Those of the disk and of `act`. With a bundle no other try helps.
pub fn install(
    job: &mut Job<'_>,
    kind: &str,
    mirror: Option<&str>,
    act: impl FnOnce(&mut Job<'_>, &Packages) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(kept) = in_bundle(job, kind) else {
        let packages = Packages { source: mirror.map(str::to_owned), ..Packages::default() };
        return act(job, &packages).map_err(|failure| job.not_in_bundle(failure));
    };
    job.stage("copying packages out of the bundle");
    let cache = job.work.join("cache");
    place::copy(&kept.join("cache"), &cache)?;
    let source = fs::read_to_string(kept.join("source")).ok();
    let packages = Packages { cache: Some(cache.clone()), source, offline: true, trial: false };
    let result = act(job, &packages).map_err(|failure| job.from_bundle(failure));
    let _ = fs::remove_dir_all(cache);
    result
}

/// Where the bundle that is installed from has the packages of this task.
fn in_bundle(job: &Job<'_>, kind: &str) -> Option<PathBuf> {
    let kept = job.sources.bundle.as_ref()?.join(kind).join(job.name);
    kept.join("cache").is_dir().then_some(kept)
}

/// Fills the tool's cache and puts it into the bundle, once packages were installed from it alone. `act` installs into
/// the folder that it is given, which does not stay.
///
/// # Errors
/// Those of the disk; those of `act` with a network.
pub fn collect(
    job: &mut Job<'_>,
    kind: &Kind<'_>,
    mut act: impl FnMut(&mut Job<'_>, &Packages, &Path) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let Some(bundle) = job.bundle else { return Ok(false) };
    if kind.source.is_some_and(|source| redacted(source) != source) {
        job.warn("the address of the registry has credentials, which a bundle must not have: let the tool's own settings have them");
        return Ok(false);
    }
    let kept = bundle.join(kind.name).join(job.name);
    let staged = job.work.join("packages");
    let cache = staged.join("cache");
    if kept.is_dir() && !staged.is_dir() {
        place::copy(&kept, &staged)?;
    }
    make(&cache)?;
    let source = kind.source.map(str::to_owned);
    let online = Packages { cache: Some(cache.clone()), source, offline: false, trial: true };
    attempt(job, &online, &mut act)?;
    job.stage("trying it without a network");
    if let Err(failure) = attempt(job, &Packages { offline: true, ..online }, &mut act) {
        job.warn(format!("it does not install from what was downloaded: {failure}"));
        return Ok(false);
    }
    if has_credentials(&cache, kind.requests)? {
        let _ = fs::remove_dir_all(&staged);
        job.warn("the registry had the tool remember credentials, which a bundle must not have");
        return Ok(false);
    }
    let note = staged.join("source");
    match kind.source {
        Some(source) => fs::write(&note, source).map_err(failed("write", &note))?,
        None => drop(fs::remove_file(&note)),
    }
    place::tree(&staged, &kept)?;
    Ok(true)
}

fn attempt(
    job: &mut Job<'_>,
    packages: &Packages,
    act: &mut impl FnMut(&mut Job<'_>, &Packages, &Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let folder = job.work.join("trial");
    let clear = |folder: &Path| match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", folder)(error)),
        _ => Ok(()),
    };
    clear(&folder)?;
    make(&folder)?;
    let result = act(job, packages, &folder);
    clear(&folder)?;
    result
}

fn make(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(failed("make", folder))
}

fn failed(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    failure::io(format!("failed to {what} {}", path.display()))
}

/// A server that answers by who asks (`Vary: Authorization`) has tools keep what they asked with.
fn has_credentials(cache: &Path, requests: &[&str]) -> Result<bool, Failure> {
    let mut folders = requests.iter().map(|start| remembers_credentials(cache, start).map_err(failed("read", cache)));
    folders.try_fold(false, |found, next| Ok(found || next?))
}

fn remembers_credentials(cache: &Path, start: &str) -> std::io::Result<bool> {
    let (above, start) = start.rsplit_once('/').unwrap_or(("", start));
    let above = cache.join(above);
    if !above.is_dir() {
        return Ok(false);
    }
    for entry in above.read_dir()? {
        let entry = entry?;
        let is_meant = entry.file_name().as_encoded_bytes().starts_with(start.as_bytes());
        if is_meant && entry.file_type()?.is_dir() && mentions_credentials(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn mentions_credentials(folder: &Path) -> std::io::Result<bool> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let found = if kind.is_dir() {
            mentions_credentials(&entry.path())?
        } else {
            kind.is_file() && mentions(&fs::read(entry.path())?)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn mentions(content: &[u8]) -> bool {
    CREDENTIALS.into_iter().any(|credentials| content.windows(credentials.len()).any(|part| part == credentials))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    const MIRROR: &str = "http://127.0.0.1:1/npm";

    fn kind(source: &str) -> Kind<'_> {
        Kind { name: "npm", source: Some(source), requests: &["requests"] }
    }

    /// A tool that has one package, as a file, and needs it when it is offline.
    fn tool(job: &mut Job<'_>, packages: &Packages, folder: &Path) -> Result<(), Failure> {
        let cache = packages.cache.clone().unwrap();
        job.log(&format!("{} {}", packages.offline, packages.trial));
        if !packages.offline {
            fs::create_dir_all(cache.join("requests/a")).unwrap();
            fs::write(cache.join("package"), "content").unwrap();
        }
        fs::copy(cache.join("package"), folder.join("package")).map(drop).map_err(failure::io("no package"))
    }

    fn fill(bench: &mut Bench, source: &str) -> bool {
        let bundle = bench.at("bundle");
        bench.run(|job| collect(job, &kind(source), tool), Some(&bundle)).unwrap()
    }

    #[test]
    fn what_was_collected_installs_from_a_copy_under_the_same_address() {
        let mut bench = Bench::new();
        assert!(fill(&mut bench, MIRROR));
        assert!(!bench.at("work/trial").exists());
        let kept = bench.at("bundle/npm/step");
        assert_eq!(fs::read_to_string(kept.join("cache/package")).unwrap(), "content");
        bench.sources.bundle = Some(bench.at("bundle"));
        let cache = bench.at("work/cache");
        let expected =
            Packages { cache: Some(cache.clone()), source: Some(MIRROR.to_owned()), offline: true, trial: false };
        let folder = bench.at("home");
        let act = |job: &mut Job<'_>, packages: &Packages| {
            assert_eq!(*packages, expected);
            fs::write(cache.join("more"), "").unwrap();
            tool(job, packages, &folder)
        };
        bench.run(|job| install(job, "npm", Some("http://127.0.0.1:2"), act), None).unwrap();
        assert!(!cache.exists() && !kept.join("cache/more").exists(), "the bundle is only read");
        assert_eq!(fs::read_to_string(bench.home("package")).unwrap(), "content");
    }

    #[test]
    fn filled_again_it_begins_with_what_is_there() {
        let mut bench = Bench::new();
        assert!(fill(&mut bench, MIRROR));
        let act = |_: &mut Job<'_>, packages: &Packages, _: &Path| {
            assert!(packages.cache.as_ref().unwrap().join("package").exists());
            Ok(())
        };
        let bundle = bench.at("bundle");
        assert!(bench.run(|job| collect(job, &kind(MIRROR), act), Some(&bundle)).unwrap());
    }

    #[test]
    fn what_does_not_install_without_a_network_is_not_brought_along() {
        let mut bench = Bench::new();
        let bundle = bench.at("bundle");
        let act = |_: &mut Job<'_>, packages: &Packages, _: &Path| match packages.offline {
            true => Err(Failure::passing("no-store")),
            false => Ok(()),
        };
        assert!(!bench.run(|job| collect(job, &kind(MIRROR), act), Some(&bundle)).unwrap());
        assert!(bench.warnings()[0].contains("no-store"));
        assert!(!bundle.join("npm").exists());
    }

    #[test]
    fn a_bundle_holds_no_credentials() {
        let mut bench = Bench::new();
        assert!(!fill(&mut bench, "http://me:hunter2@127.0.0.1:1/npm"));
        assert!(bench.warnings()[0].contains("credentials") && !bench.warnings()[0].contains("hunter2"));
        let act = |_: &mut Job<'_>, packages: &Packages, _: &Path| {
            let folder = packages.cache.as_ref().unwrap().join("requests/a");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("b"), r#"{"vary":"authorization","authorization":"Bearer hunter2"}"#).unwrap();
            Ok(())
        };
        let bundle = bench.at("bundle");
        assert!(!bench.run(|job| collect(job, &kind(MIRROR), act), Some(&bundle)).unwrap());
        assert!(bench.warnings()[0].contains("credentials"));
        assert!(!bundle.join("npm").exists() && !bench.at("work/packages").exists());
    }

    #[test]
    fn what_a_bundle_lacks_is_said_at_once_and_not_tried_again() {
        let mut bench = Bench::new();
        let bundle = bench.at("bundle");
        bench.sources.bundle = Some(bundle.clone());
        let refuse = |_: &mut Job<'_>, _: &Packages| Err(Failure::passing("npm ended with exit code 1"));
        let failure = bench.run(|job| install(job, "npm", None, refuse), None).unwrap_err();
        assert_eq!(failure.retry, crate::fetch::Retry::Never);
        assert_eq!(failure.text, "not in the bundle; needs a network: npm ended with exit code 1");
        let command = format!("devinit first-run --download-only {}", bundle.display());
        assert!(failure.hint.unwrap().ends_with(&command));
        fs::create_dir_all(bundle.join("npm/step/cache")).unwrap();
        let failure = bench.run(|job| install(job, "npm", None, refuse), None).unwrap_err();
        assert_eq!(failure.text, "npm ended with exit code 1 with nothing but the bundle");
        assert!(failure.hint.unwrap().ends_with(&command));
    }

    #[test]
    fn a_try_without_a_network_finds_none_by_another_way() {
        let trial = Packages { offline: true, trial: true, ..Packages::default() };
        let run = trial.cut_off(Run::new(["git"]));
        assert_eq!(run.environment.get("https_proxy").map(String::as_str), Some(NOWHERE));
        let install = Packages { trial: false, ..trial };
        assert!(install.cut_off(Run::new(["git"])).environment.is_empty());
    }
}
