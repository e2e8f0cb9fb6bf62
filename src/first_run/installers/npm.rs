//! Packages for `npm install --global`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cache::{self, Kind, Packages};
use super::command::{refuse_options, require, shown, trimmed};
use super::node::Node;
use super::tool::{Wish, unpacked};
use super::version::Version;
use crate::config::first_run::Npm as Config;
use crate::fetch::Failure;
use crate::fetch::client::base64;
use crate::first_run::job::Run;
use crate::first_run::source::Arch;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};
use crate::secret;

/// The folder of a bundle.
const BUNDLED: &str = "npm";

struct Npm {
    packages: Vec<String>,
    /// `bin` and `lib` are in here: `~/.local`, `/usr/local`.
    prefix: PathBuf,
    /// The step's own Node.js, if it is one.
    node: Option<Wish>,
}

/// A step `npm`.
#[must_use]
pub fn part(step: &Config, place: &Place) -> Part {
    global(&step.packages, None, place)
}

/// Packages for all of the user's projects.
pub(super) fn global(packages: &[String], node: Option<Wish>, place: &Place) -> Part {
    let prefix = if place.system { place.base.clone() } else { place.base.join(".local") };
    let npm = Npm { packages: packages.to_vec(), prefix, node };
    Part { after: &["node", "apt"], path: vec![place.bin()], ..Part::main(npm) }
}

impl Installer for Npm {
    fn key(&self) -> Value {
        json!({"npm": self.packages})
    }

    fn summary(&self) -> String {
        shown(["npm", "install", "--global"].into_iter().chain(self.packages.iter().map(String::as_str)))
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        refuse_options(&self.packages)?;
        require(job, "npm", "add a step `node: {}`")?;
        self.packages.iter().filter_map(|package| folder(package)).for_each(|name| self.clear_leftovers(name));
        let mirror = job.sources.mirrors.npm.clone();
        cache::install(job, BUNDLED, mirror.as_deref(), |job, packages| {
            let run = self.run(packages, &self.prefix);
            // npm tries again by itself for more than a minute.
            let run = if job.sources.bundle.is_some() { set(run, "fetch-retries", "0") } else { run };
            job.run(&run).map(drop).map_err(|failure| failure.context("npm install --global"))
        })?;
        Ok(Installed::default())
    }

    fn collects_with_a_tool(&self) -> bool {
        true
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        refuse_options(&self.packages)?;
        let path = job.environment.get("PATH").cloned().unwrap_or_default();
        let path = match self.node.clone().or_else(|| downloaded(job.bundle?)) {
            Some(wish) => format!("{}:{path}", unpacked::<Node>(job, &wish)?.display()),
            None if require(job, "npm", "").is_ok() => path,
            None => {
                job.warn("there is no npm here to download packages with, and no step `node` that brings it");
                return Ok(false);
            }
        };
        // The user's own settings may name another registry than npm's default.
        let asked = match &job.sources.mirrors.npm {
            Some(mirror) => mirror.clone(),
            None => job.run(&Run::new(["npm", "config", "get", "registry"]).env("PATH", &path))?.trim().to_owned(),
        };
        let kind = Kind { name: BUNDLED, source: Some(&asked), requests: &["_cacache/index-"] };
        cache::collect(job, &kind, |job, packages, folder| {
            let run = self.run(packages, folder).env("PATH", &path);
            job.run(&run).map(drop).map_err(|failure| failure.context("npm install --global"))
        })
    }

    fn present(&self, _: &Installed) -> bool {
        all_in(&self.prefix.join("lib/node_modules"), &self.packages)
    }
}

impl Npm {
    fn run(&self, from: &Packages, prefix: &Path) -> Run {
        let mut command = ["npm", "install", "--global"].to_vec();
        command.extend(["--no-fund", "--no-audit", "--no-update-notifier", "--loglevel=error"]);
        command.extend(from.offline.then_some("--offline"));
        command.extend(from.trial.then_some("--ignore-scripts"));
        command.push("--");
        command.extend(self.packages.iter().map(String::as_str));
        // What it writes down of itself has URLs in it as they are. The task's log has what it prints.
        let run = set(from.cut_off(Run::new(command)), "logs_max", "0");
        let mut run = set(run, "prefix", &prefix.to_string_lossy());
        if let Some(cache) = &from.cache {
            run = set(run, "cache", &cache.to_string_lossy());
        }
        match &from.source {
            Some(source) => registry(run, source),
            None => run,
        }
    }

    /// Removes what an npm that was killed has left of a package: `.NAME-HASH`, under which it keeps the old version
    /// for a moment. npm cannot move the next one there (ENOTEMPTY).
    fn clear_leftovers(&self, name: &str) {
        let path = self.prefix.join("lib/node_modules").join(name);
        let (Some(parent), Some(base)) = (path.parent(), path.file_name()) else { return };
        let hidden = format!(".{}-", base.to_string_lossy());
        let is_leftover = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            let hash = name.to_str().and_then(|name| name.strip_prefix(&hidden));
            hash.is_some_and(|hash| hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        for leftover in fs::read_dir(parent).into_iter().flatten().flatten().filter(is_leftover) {
            let _ = fs::remove_dir_all(leftover.path());
        }
    }
}

/// Sets a setting of npm. It takes small and large letters; an image may have set either.
fn set(run: Run, name: &str, value: &str) -> Run {
    let name = name.replace('-', "_");
    run.env(&format!("npm_config_{name}"), value).env(&format!("NPM_CONFIG_{}", name.to_uppercase()), value)
}

/// Sets where packages come from. npm keeps the URL, in its cache and elsewhere, but not the credentials beside it.
fn registry(run: Run, url: &str) -> Run {
    let plain = secret::without_credentials(url);
    let run = set(run, "registry", &plain);
    let (Some(credentials), Some((_, place))) = (secret::credentials(url).next(), plain.split_once("://")) else {
        return run;
    };
    let credentials = secret::decoded(credentials);
    let both = if credentials.contains(':') { credentials } else { format!("{credentials}:") };
    run.env(&format!("npm_config_//{}/:_auth", trimmed(place)), base64(both.as_bytes()))
}

/// The newest Node.js that is in the bundle already.
fn downloaded(bundle: &Path) -> Option<Wish> {
    let arch = Arch::own().node();
    let versions = fs::read_dir(bundle.join("nodejs.org/dist")).ok()?.flatten().filter_map(|folder| {
        let version = folder.file_name().to_str()?.strip_prefix('v')?.to_owned();
        let archive = folder.path().join(format!("node-v{version}-linux-{arch}.tar.gz"));
        Some((Version::of(&version)?, version)).filter(|_| archive.is_file())
    });
    versions.max().map(|(_, version)| Wish { version, sha256: None })
}

/// Whether the folders of these packages are there; those that do not say their name are left out.
pub(super) fn all_in(node_modules: &Path, packages: &[String]) -> bool {
    packages.iter().filter_map(|package| folder(package)).all(|name| node_modules.join(name).exists())
}

/// The name of a package's folder in `node_modules`: `@scope/name` of `@scope/name@latest`. None for URLs, paths and
/// repositories, which do not say it.
pub(super) fn folder(package: &str) -> Option<&str> {
    let scoped = package.starts_with('@');
    // The version comes after the next one.
    let end = package.match_indices('@').map(|(at, _)| at).find(|&at| at > 0);
    let (name, version) = package.split_at_checked(end.unwrap_or(package.len()))?;
    let is_plain = |part: &str| {
        let mut characters = part.chars();
        !part.is_empty()
            && !part.starts_with('.')
            && characters.all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c))
    };
    let parts: Vec<&str> = name.strip_prefix('@').unwrap_or(name).split('/').collect();
    let is_file = version.is_empty() && [".tgz", ".tar.gz", ".tar"].iter().any(|ending| name.ends_with(ending));
    let is_name = parts.len() == if scoped { 2 } else { 1 } && parts.into_iter().all(is_plain);
    (is_name && !is_file).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, present, words};
    use super::*;
    use crate::fetch::Retry;

    fn npm(bench: &Bench, packages: &[&str]) -> Part {
        part(&Config { packages: words(packages), ..Config::default() }, &bench.place)
    }

    #[test]
    fn packages_go_below_local_with_settings_by_variables_only() {
        let mut bench = Bench::new();
        bench.tool("npm", "");
        bench.environment.insert("NPM_CONFIG_REGISTRY".to_owned(), "https://image.example".to_owned());
        bench.sources.mirrors.npm = Some("https://mirror.example/npm".to_owned());
        let part = npm(&bench, &["@openai/codex@latest", "yarn"]);
        bench.install(&part).unwrap();
        let calls = bench.calls();
        let expected = [
            "npm",
            "install",
            "--global",
            "--no-fund",
            "--no-audit",
            "--no-update-notifier",
            "--loglevel=error",
            "--",
            "@openai/codex@latest",
            "yarn",
        ];
        assert_eq!(calls[0].command, expected);
        for name in ["NPM_CONFIG_PREFIX", "npm_config_prefix"] {
            assert_eq!(Path::new(calls[0].variable(name)), bench.home(".local"));
        }
        for name in ["NPM_CONFIG_REGISTRY", "npm_config_registry"] {
            assert_eq!(calls[0].variable(name), "https://mirror.example/npm");
        }
        assert_eq!(part.installer.summary(), "npm install --global @openai/codex@latest yarn");
        assert_eq!((part.after, part.path), (&["node", "apt"][..], vec![bench.home(".local/bin")]));
    }

    #[test]
    fn npm_keeps_no_log_and_no_url_with_a_password() {
        let run = registry(Run::new(["npm"]), "https://me:w%40rd@mirror.example/npm/");
        assert_eq!(run.environment["npm_config_registry"], "https://mirror.example/npm/");
        assert_eq!(run.environment["npm_config_//mirror.example/npm/:_auth"], "bWU6d0ByZA==");
        assert!(run.environment.values().all(|value| !value.contains("w%40rd")), "{:?}", run.environment);
        let mut bench = Bench::new();
        bench.tool("npm", "");
        bench.install(&npm(&bench, &["c"])).unwrap();
        assert_eq!(bench.calls()[0].variable("npm_config_logs_max"), "0");
    }

    #[test]
    fn for_everyone_they_go_below_usr_local() {
        let mut bench = Bench::new();
        bench.tool("npm", "");
        bench.place = Place::system();
        bench.install(&npm(&bench, &["@devinit-test/none"])).unwrap();
        assert_eq!(bench.calls()[0].variable("npm_config_prefix"), "/usr/local");
    }

    #[test]
    fn a_package_whose_folder_is_gone_is_not_there() {
        let bench = Bench::new();
        let part = npm(&bench, &["@a/b@1", "c@latest", "https://host.example/d.tgz"]);
        bench.file(".local/lib/node_modules/@a/b/package.json", "{}", 0o644);
        assert!(!present(&part, &Installed::default()));
        bench.file(".local/lib/node_modules/c/package.json", "{}", 0o644);
        assert!(present(&part, &Installed::default()));
    }

    #[test]
    fn what_a_killed_npm_left_behind_does_not_stand_in_the_way() {
        let mut bench = Bench::new();
        bench.tool("npm", "");
        let modules = ".local/lib/node_modules";
        for name in ["c/x", ".c-AbCd1234/x", ".c-other/x", "@a/.b-AbCd1234/x", ".package-lock.json"] {
            bench.file(&format!("{modules}/{name}"), "", 0o644);
        }
        bench.install(&npm(&bench, &["c@2", "@a/b"])).unwrap();
        let left = ["c", ".c-AbCd1234", ".c-other", "@a/.b-AbCd1234", ".package-lock.json"]
            .map(|name| bench.home(modules).join(name).exists());
        assert_eq!(left, [true, false, true, false, true]);
    }

    #[test]
    fn folders_are_named_after_the_package_alone() {
        for (package, expected) in [
            ("@tavily/mcp@latest", Some("@tavily/mcp")),
            ("yarn", Some("yarn")),
            ("yarn@^1.0", Some("yarn")),
            ("alias@npm:other@1", Some("alias")),
            ("lodash.get", Some("lodash.get")),
            ("a@https://host.example/a.tgz", Some("a")),
            ("@scope", None),
            ("@../../x", None),
            ("..", None),
            ("user/repository", None),
            ("github:user/repository", None),
            ("git+ssh://git@host.example/a.git", None),
            ("./a", None),
            ("a.tgz", None),
            ("/a", None),
            ("", None),
        ] {
            assert_eq!(folder(package), expected, "{package}");
        }
    }

    #[test]
    fn a_bundle_is_filled_by_the_npm_that_is_here_and_then_the_only_source() {
        let mut bench = Bench::new();
        bench.tool("npm", "[ \"$1\" = config ] && echo https://own.example/\nexit 0");
        let (bundle, part) = (bench.at("bundle"), npm(&bench, &["a@latest"]));
        assert!(bench.collect(&part, &bundle).unwrap());
        let calls = bench.calls();
        assert_eq!(calls[0].command, ["npm", "config", "get", "registry"]);
        let options = ["--no-fund", "--no-audit", "--no-update-notifier", "--loglevel=error"];
        for (call, offline) in [(&calls[1], false), (&calls[2], true)] {
            let mut expected = words(&["npm", "install", "--global"]);
            expected.extend(words(&options));
            expected.extend(offline.then(|| "--offline".to_owned()));
            expected.extend(words(&["--ignore-scripts", "--", "a@latest"]));
            assert_eq!(call.command, expected);
            assert_eq!(Path::new(call.variable("npm_config_prefix")), bench.at("work/trial"));
            assert_eq!(Path::new(call.variable("npm_config_cache")), bench.at("work/packages/cache"));
            assert_eq!(call.variable("npm_config_logs_max"), "0");
        }
        bench.sources.bundle = Some(bundle);
        bench.install(&part).unwrap();
        let calls = bench.calls();
        assert_eq!(calls[0].command[7..], words(&["--offline", "--", "a@latest"]));
        assert_eq!(calls[0].variable("NPM_CONFIG_REGISTRY"), "https://own.example/");
        assert_eq!(Path::new(calls[0].variable("NPM_CONFIG_CACHE")), bench.at("work/cache"));
        assert_eq!(Path::new(calls[0].variable("npm_config_prefix")), bench.home(".local"));
    }

    #[test]
    fn without_npm_nothing_is_brought_along_and_that_is_said() {
        let mut bench = Bench::new();
        let (bundle, part) = (bench.at("bundle"), npm(&bench, &["a"]));
        assert!(!bench.collect(&part, &bundle).unwrap());
        assert!(bench.warnings()[0].contains("no npm"), "{:?}", bench.warnings());
    }

    #[test]
    fn the_newest_node_of_the_bundle_fetches_the_packages() {
        let bench = Bench::new();
        assert_eq!(downloaded(&bench.at("home")), None);
        let arch = Arch::own().node();
        for version in ["22.9.0", "22.11.0"] {
            bench.file(&format!("nodejs.org/dist/v{version}/node-v{version}-linux-{arch}.tar.gz"), "", 0o644);
        }
        bench.file("nodejs.org/dist/v24.0.0/SHASUMS256.txt", "", 0o644);
        assert_eq!(downloaded(&bench.at("home")).unwrap().version, "22.11.0");
    }

    #[test]
    fn without_npm_the_step_that_brings_it_is_named() {
        let mut bench = Bench::new();
        let failure = bench.install(&npm(&bench, &["a"])).unwrap_err();
        assert!(failure.retry == Retry::Never && failure.hint.unwrap().contains("node: {}"));
    }
}
