//! `uv python install` and `uv tool install`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::cache::{self, Kind, Packages};
use super::super::command::{refuse_options, require, shown, trimmed};
use super::super::tool::{self, Wish};
use super::super::uv;
use super::{part, some};
use crate::config::first_run::Uv as Config;
use crate::fetch::Failure;
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

/// Where uv's Python builds are, below a mirror of GitHub.
const PYTHON_BUILDS: &str = "astral-sh/python-build-standalone/releases/download";

/// The folders of a bundle.
const PYTHON: &str = "uv-python";
const TOOLS: &str = "uv";
/// Where uv remembers requests, below its cache.
const REQUESTS: &[&str] = &["simple-", "wheels-"];

struct Python {
    versions: Vec<String>,
    place: Place,
    /// The uv of the step.
    uv: Wish,
}

struct Tools {
    packages: Vec<String>,
    place: Place,
    /// The uv of the step.
    uv: Wish,
}

/// `python` of a step `uv`.
#[must_use]
pub fn uv_python(step: &Config, place: &Place) -> Option<Part> {
    let python = || Python { versions: step.python.clone(), place: place.clone(), uv: wish(step) };
    some(&step.python, || part("python", Some(place.bin()), python()))
}

/// `tools` of a step `uv`.
#[must_use]
pub fn uv_tools(step: &Config, place: &Place) -> Option<Part> {
    let tools = || Tools { packages: step.tools.clone(), place: place.clone(), uv: wish(step) };
    some(&step.tools, || part("tools", Some(place.bin()), tools()))
}

fn wish(step: &Config) -> Wish {
    tool::wish::<uv::Uv>(&step.version, &step.sha256)
}

impl Installer for Python {
    fn key(&self) -> Value {
        json!({"uv.python": self.versions})
    }

    fn summary(&self) -> String {
        shown(["uv", "python", "install"].into_iter().chain(self.versions.iter().map(String::as_str)))
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        check(job, &self.versions)?;
        let mirror = job.sources.mirrors.github.clone();
        cache::install(job, PYTHON, mirror.as_deref(), |job, packages| self.add(job, packages, None))?;
        Ok(Installed { version: None, files: self.interpreters(job) })
    }

    fn collects_with_a_tool(&self) -> bool {
        true
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        refuse_options(&self.versions)?;
        let uv = tool::unpacked::<uv::Uv>(job, &self.uv)?;
        let kind = Kind { name: PYTHON, source: None, requests: &[] };
        cache::collect(job, &kind, |job, packages, folder| self.add(job, packages, Some((&uv, folder))))
    }
}

impl Python {
    /// `trial`: where uv is, and where it shall install to.
    fn add(&self, job: &mut Job<'_>, from: &Packages, trial: Option<(&Path, &Path)>) -> Result<(), Failure> {
        let command = ["python", "install"].into_iter().chain(from.offline.then_some("--offline")).chain(["--"]);
        let command = command.chain(self.versions.iter().map(String::as_str));
        let mut run = from.cut_off(uv(job, &self.place, command));
        if let Some(cache) = &from.cache {
            run = run.env("UV_PYTHON_CACHE_DIR", cache.to_string_lossy());
        }
        if let Some((uv, folder)) = trial {
            run = elsewhere(run, job, uv, folder);
        }
        job.run(&run).map(drop).map_err(|failure| failure.context("uv python install"))
    }

    /// The interpreters that now are there. `--system` leaves out virtual environments.
    fn interpreters(&self, job: &mut Job<'_>) -> Vec<PathBuf> {
        let find = |version: &String| {
            let run = uv(job, &self.place, ["python", "find", "--system", "--", version]);
            let found = job.run(&run.env("UV_PYTHON_PREFERENCE", "only-managed")).ok()?;
            Some(PathBuf::from(found.trim())).filter(|path| path.is_absolute())
        };
        self.versions.iter().filter_map(find).collect()
    }
}

impl Installer for Tools {
    fn key(&self) -> Value {
        json!({"uv.tools": self.packages})
    }

    fn summary(&self) -> String {
        let install = |package: &String| shown(["uv", "tool", "install", package]);
        self.packages.iter().map(install).collect::<Vec<_>>().join(" && ")
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        check(job, &self.packages)?;
        let run = uv(job, &self.place, ["tool", "dir"]);
        let folder = PathBuf::from(job.run(&run)?.trim());
        let mirror = job.sources.mirrors.pypi.clone();
        cache::install(job, TOOLS, mirror.as_deref(), |job, packages| {
            self.packages.iter().try_for_each(|package| {
                job.stage(format!("installing {}", shown([package.as_str()])));
                // One that was killed has left programs which the next one would not write over by itself.
                let there = name(package).map(|name| folder.join(name)).filter(|path| path.exists());
                let force = there.is_some_and(|path| !path.join("uv-receipt.toml").exists());
                self.add(job, packages, package, force, None)
            })
        })?;
        let environments = self.packages.iter().filter_map(|package| Some(folder.join(name(package)?)));
        Ok(Installed { version: None, files: environments.filter(|path| path.exists()).collect() })
    }

    fn collects_with_a_tool(&self) -> bool {
        true
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        refuse_options(&self.packages)?;
        let uv = tool::unpacked::<uv::Uv>(job, &self.uv)?;
        let mirror = job.sources.mirrors.pypi.clone();
        let kind = Kind { name: TOOLS, source: mirror.as_deref(), requests: REQUESTS };
        cache::collect(job, &kind, |job, packages, folder| {
            let mut all = self.packages.iter();
            all.try_for_each(|package| self.add(job, packages, package, false, Some((&uv, folder))))
        })
    }
}

impl Tools {
    /// `trial`: where uv is, and where it shall install to.
    fn add(
        &self,
        job: &mut Job<'_>,
        from: &Packages,
        package: &str,
        force: bool,
        trial: Option<(&Path, &Path)>,
    ) -> Result<(), Failure> {
        let options = force.then_some("--force").into_iter().chain(from.offline.then_some("--offline"));
        let command = ["tool", "install"].into_iter().chain(options).chain(["--", package]);
        let mut run = from.cut_off(uv(job, &self.place, command));
        if let Some(cache) = &from.cache {
            run = run.env("UV_CACHE_DIR", cache.to_string_lossy());
        }
        if let Some(index) = &from.source {
            // The second is what uv called it before 0.4.23.
            run = run.env("UV_DEFAULT_INDEX", index).env("UV_INDEX_URL", index);
        }
        if let Some((uv, folder)) = trial {
            run = elsewhere(run, job, uv, folder);
        }
        let context = || format!("uv tool install {}", shown([package]));
        job.run(&run).map(drop).map_err(|failure| failure.context(context()))
    }
}

/// With the uv of a folder, and with all that it installs in another one.
fn elsewhere(run: Run, job: &Job<'_>, uv: &Path, folder: &Path) -> Run {
    let path = job.environment.get("PATH").map_or("", String::as_str);
    let folders = [
        ("UV_TOOL_DIR", "tools"),
        ("UV_TOOL_BIN_DIR", "bin"),
        ("UV_PYTHON_INSTALL_DIR", "python"),
        ("UV_PYTHON_BIN_DIR", "bin"),
    ];
    let run = run.env("PATH", format!("{}:{path}", uv.display()));
    folders.into_iter().fold(run, |run, (name, below)| run.env(name, folder.join(below).to_string_lossy()))
}

fn check(job: &Job<'_>, names: &[String]) -> Result<(), Failure> {
    refuse_options(names)?;
    require(job, "uv", "the step `uv` itself brings it: run that first").map(drop)
}

/// uv with these arguments. Where it keeps things in a home is its own matter, and its user's; what is for everyone
/// goes below /usr/local.
fn uv<'a>(job: &Job<'_>, place: &Place, arguments: impl IntoIterator<Item = &'a str>) -> Run {
    let mut run = Run::new(["uv"].into_iter().chain(arguments))
        .env("UV_NO_PROGRESS", "1")
        .env("UV_NO_MODIFY_PATH", "1")
        .env("UV_TOOL_BIN_DIR", place.bin().to_string_lossy())
        .env("UV_PYTHON_BIN_DIR", place.bin().to_string_lossy());
    if place.system {
        for (name, folder) in [("UV_TOOL_DIR", "uv/tools"), ("UV_PYTHON_INSTALL_DIR", "uv/python")] {
            run = run.env(name, place.share().join(folder).to_string_lossy());
        }
    }
    match &job.sources.mirrors.github {
        Some(mirror) => run.env("UV_PYTHON_INSTALL_MIRROR", format!("{}/{PYTHON_BUILDS}", trimmed(mirror))),
        None => run,
    }
}

/// The normalized name (PEP 503) of the package that is asked for: its environment's. None for URLs and paths.
fn name(package: &str) -> Option<String> {
    let end = package.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(package.len());
    let (name, rest) = package.split_at_checked(end)?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !rest.starts_with([':', '/', '+']);
    let parts = name.split(['.', '_', '-']).filter(|part| !part.is_empty());
    is_name.then(|| parts.map(str::to_lowercase).collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, present, words};
    use super::*;

    fn config() -> Config {
        Config { python: words(&["3.12", "3.13"]), tools: words(&["ruff@latest", "Black[d]==24"]), ..Config::default() }
    }

    #[test]
    fn pythons_are_installed_and_the_interpreters_are_remembered() {
        let mut bench = Bench::new();
        let python = bench.file("python", "", 0o755);
        let tell = format!("[ \"$2\" = find ] && echo {}; exit 0", python.display());
        bench.tool("uv", &tell);
        bench.sources.mirrors.github = Some("file:///srv/github.com/".to_owned());
        let part = uv_python(&config(), &bench.place).unwrap();
        let installed = bench.install(&part).unwrap();
        let calls = bench.calls();
        assert_eq!(calls[0].command, ["uv", "python", "install", "--", "3.12", "3.13"]);
        let mirror = "file:///srv/github.com/astral-sh/python-build-standalone/releases/download";
        assert_eq!(calls[0].variable("UV_PYTHON_INSTALL_MIRROR"), mirror);
        assert_eq!(calls[0].variable("UV_PYTHON_INSTALL_DIR"), "");
        assert_eq!(calls[1].command, ["uv", "python", "find", "--system", "--", "3.12"]);
        assert!(present(&part, &installed));
        std::fs::remove_file(python).unwrap();
        assert!(!present(&part, &installed));
        assert_eq!(part.installer.summary(), "uv python install 3.12 3.13");
    }

    #[test]
    fn tools_are_installed_one_by_one_into_the_folder_for_programs() {
        let mut bench = Bench::new();
        let tools = bench.home(".local/share/uv/tools");
        let shown = tools.display();
        let install = format!("[ \"$2\" = install ] && /bin/mkdir -p {shown}/ruff {shown}/black");
        bench.tool("uv", &format!("[ \"$2\" = dir ] && echo {shown}\n{install}\nexit 0"));
        bench.sources.mirrors.pypi = Some("https://mirror.example/simple".to_owned());
        let part = uv_tools(&config(), &bench.place).unwrap();
        let installed = bench.install(&part).unwrap();
        assert_eq!(installed.files, [tools.join("ruff"), tools.join("black")]);
        let calls = bench.calls();
        assert_eq!(calls[0].command, ["uv", "tool", "dir"]);
        assert_eq!(calls[1].command, ["uv", "tool", "install", "--", "ruff@latest"]);
        assert_eq!(calls[1].variable("UV_TOOL_BIN_DIR"), bench.home(".local/bin").to_str().unwrap());
        for name in ["UV_DEFAULT_INDEX", "UV_INDEX_URL"] {
            assert_eq!(calls[1].variable(name), "https://mirror.example/simple");
        }
        assert_eq!(part.installer.summary(), "uv tool install ruff@latest && uv tool install 'Black[d]==24'");
    }

    #[test]
    fn only_what_a_killed_uv_left_behind_is_written_over() {
        let mut bench = Bench::new();
        bench.tool("uv", &format!("[ \"$2\" = dir ] && echo {}; exit 0", bench.home("tools").display()));
        bench.file("tools/ruff/bin/ruff", "", 0o755);
        bench.file("tools/black/uv-receipt.toml", "", 0o644);
        let part = uv_tools(&config(), &bench.place).unwrap();
        bench.install(&part).unwrap();
        let commands = bench.commands();
        assert_eq!(commands[1], ["uv", "tool", "install", "--force", "--", "ruff@latest"]);
        assert_eq!(commands[2], ["uv", "tool", "install", "--", "Black[d]==24"]);
    }

    #[test]
    fn what_is_for_everyone_goes_below_usr_local() {
        let mut bench = Bench::new();
        bench.tool("uv", "");
        bench.place = Place::system();
        bench.install(&uv_python(&config(), &bench.place).unwrap()).unwrap();
        let calls = bench.calls();
        let folders = ["UV_PYTHON_INSTALL_DIR", "UV_PYTHON_BIN_DIR", "UV_TOOL_DIR"].map(|name| calls[0].variable(name));
        assert_eq!(folders, ["/usr/local/share/uv/python", "/usr/local/bin", "/usr/local/share/uv/tools"]);
    }

    #[test]
    fn names_are_normalized_as_uv_names_its_folders() {
        assert_eq!(name("Zope.Interface__x>=1").as_deref(), Some("zope-interface-x"));
        assert_eq!(name("ruff@latest").as_deref(), Some("ruff"));
        assert_eq!(name("a @ git+https://host.example/a").as_deref(), Some("a"));
        assert_eq!(name("git+https://host.example/a"), None);
        assert_eq!(name("./a"), None);
    }
}
