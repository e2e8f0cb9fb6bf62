//! Python packages, by pip.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::command::{content, digest, expand, home, refuse_options, require, shown};
use crate::config::first_run::Pip as Config;
use crate::fetch::{Failure, failure};
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

/// What the base image's own packages are kept at, by the images of devinit.
const CONSTRAINTS: &str = "/opt/base-image-constraints.txt";

/// Prints where the metadata of these packages is, for those that are there.
const WHERE: &str = "\
import sys
from importlib import metadata
for name in sys.argv[1:]:
    try:
        print(next(f for f in metadata.files(name) if f.name in ('METADATA', 'PKG-INFO')).locate())
    except Exception:
        pass
";

/// Prints why pip cannot work here at all, by pip's own rules (PEP 668), if that is so.
const WHY: &str = "\
import os, subprocess, sys, sysconfig
try:
    import pip
except ImportError:
    print('no pip')
else:
    def agreed(section):
        key = section + '.break-system-packages'
        command = [sys.executable, '-m', 'pip', 'config', 'get', key]
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    managed = os.path.isfile(os.path.join(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED'))
    if managed and sys.prefix == sys.base_prefix and not any(map(agreed, ('global', 'install', ':env:'))):
        print('managed')
";

struct Pip {
    packages: Vec<String>,
    requirements: Vec<PathBuf>,
    constraints: Option<PathBuf>,
    python: String,
    break_system_packages: bool,
    home: PathBuf,
}

/// A step `pip`.
#[must_use]
pub fn part(step: &Config, place: &Place) -> Part {
    let home = home(place);
    let expanded = |path: &PathBuf| expand(path, &home);
    let default = || Some(PathBuf::from(CONSTRAINTS)).filter(|path| path.exists());
    let pip = Pip {
        packages: step.packages.clone(),
        requirements: step.requirements.iter().map(expanded).collect(),
        constraints: step.constraints.as_ref().map(expanded).or_else(default),
        python: step.python.as_ref().map_or("python3".into(), |path| expanded(path).to_string_lossy().into_owned()),
        break_system_packages: step.break_system_packages,
        home,
    };
    Part { after: &["apt"], ..Part::main(pip) }
}

impl Installer for Pip {
    fn key(&self) -> Value {
        // Files are told by what is in them, not by where they are: `~` is another folder for another user.
        let digests: Vec<Option<String>> = self.requirements.iter().map(|path| digest(path)).collect();
        json!({
            "pip": self.packages,
            "requirements": digests,
            "constraints": self.constraints.as_ref().map(|path| digest(path)),
            "python": self.python.strip_prefix(&*self.home.to_string_lossy()).unwrap_or(&self.python),
            "break_system_packages": self.break_system_packages,
        })
    }

    fn summary(&self) -> String {
        let files = self.requirements.iter().flat_map(|path| ["-r".into(), path.to_string_lossy()]);
        let words: Vec<_> = files.chain(self.packages.iter().map(|name| name.into())).collect();
        shown([&*self.python, "-m", "pip", "install"].into_iter().chain(words.iter().map(AsRef::as_ref)))
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        self.check(job)?;
        let mut options = vec!["install".to_owned(), "--no-warn-script-location".to_owned()];
        if let Some(bundle) = &job.sources.bundle {
            let wheels = bundle.join("pip").to_string_lossy().into_owned();
            options.extend(["--no-index".to_owned(), "--find-links".to_owned(), wheels]);
        }
        let run = self.run(job, options);
        if let Err(failure) = job.run(&run) {
            let failure = self.explain(job, failure);
            return Err(job.from_bundle(failure));
        }
        Ok(Installed { version: None, files: self.metadata(job) })
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        let Some(bundle) = job.bundle else { return Ok(false) };
        self.check(job)?;
        let wheels = bundle.join("pip");
        std::fs::create_dir_all(&wheels).map_err(failure::io(format!("failed to make {}", wheels.display())))?;
        let options = ["download".to_owned(), "--dest".to_owned(), wheels.to_string_lossy().into_owned()];
        let run = self.run(job, options.into());
        job.run(&run).map_err(|failure| self.explain(job, failure))?;
        Ok(true)
    }
}

impl Pip {
    fn check(&self, job: &Job<'_>) -> Result<(), Failure> {
        refuse_options(&self.packages)?;
        require(job, &self.python, "add a step such as `apt: {packages: [python3-pip]}`, or use `uv: {tools: […]}`")?;
        let files = self.requirements.iter().chain(&self.constraints);
        match files.into_iter().find(|path| !path.is_file()) {
            Some(missing) => Err(Failure::permanent(format!("{} is not there, or not a file", missing.display()))
                .hint("copy or mount it there, or name the step that brings it in `needs`")),
            None => Ok(()),
        }
    }

    /// pip with these options. What older versions do not have as an option is a variable, which they pass over.
    fn run(&self, job: &Job<'_>, options: Vec<String>) -> Run {
        let mut command = [&*self.python, "-m", "pip"].map(str::to_owned).to_vec();
        command.extend(options);
        command.extend(["--no-input", "--disable-pip-version-check"].map(str::to_owned));
        if let Some(constraints) = &self.constraints {
            command.extend(["--constraint".to_owned(), constraints.to_string_lossy().into_owned()]);
        }
        for file in &self.requirements {
            command.extend(["--requirement".to_owned(), file.to_string_lossy().into_owned()]);
        }
        command.push("--".to_owned());
        command.extend_from_slice(&self.packages);
        let mut run = Run::new(command).env("PIP_ROOT_USER_ACTION", "ignore").env("PIP_PROGRESS_BAR", "off");
        if self.break_system_packages {
            run = run.env("PIP_BREAK_SYSTEM_PACKAGES", "1");
        }
        match &job.sources.mirrors.pypi {
            // pip leaves out an index of plain http, and says only that it has found nothing. Who names one in the config
            // has decided that already.
            Some(mirror) => match mirror.strip_prefix("http://").map(authority) {
                Some(host) => run.env("PIP_INDEX_URL", mirror).env("PIP_TRUSTED_HOST", host),
                None => run.env("PIP_INDEX_URL", mirror),
            },
            None => run,
        }
    }

    /// Looks whether pip could have done it at all.
    fn explain(&self, job: &mut Job<'_>, failure: Failure) -> Failure {
        let python = &self.python;
        match job.run(&Run::new([python, "-c", WHY])).unwrap_or_default().trim() {
            "no pip" => Failure::permanent(format!("{python} has no pip"))
                .hint(format!("add a step `apt: {{packages: [python3-pip]}}`, or run {python} -m ensurepip before")),
            "managed" if !self.break_system_packages => Failure::permanent(format!(
                "pip may not install here: the distribution manages the packages of {python} (PEP 668)"
            ))
            .hint("use `uv: {tools: […]}` or a virtual environment, or set `break_system_packages: true`"),
            _ => failure.context("pip"),
        }
    }

    /// Where the metadata of the packages is that the config names: a record may outlive the container that has them.
    fn metadata(&self, job: &mut Job<'_>) -> Vec<PathBuf> {
        let lists = self.requirements.iter().filter_map(|path| content(path));
        let listed: Vec<String> = lists.flat_map(|list| names(&String::from_utf8_lossy(&list))).collect();
        let names = self.packages.iter().filter_map(|line| name(line)).map(str::to_owned).chain(listed);
        let command = [&*self.python, "-c", WHERE].map(str::to_owned).into_iter().chain(names);
        let printed = job.run(&Run::new(command)).unwrap_or_default();
        printed.lines().map(PathBuf::from).filter(|path| path.is_absolute()).collect()
    }
}

/// The names in a file of requirements.
fn names(list: &str) -> Vec<String> {
    list.lines().filter_map(name).map(str::to_owned).collect()
}

/// The name that a requirement begins with (PEP 508), if it does.
fn name(requirement: &str) -> Option<&str> {
    let requirement = requirement.trim();
    let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
    let (name, rest) = requirement.split_at(end.unwrap_or(requirement.len()));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !rest.starts_with([':', '/', '+', '\\']);
    (is_name && !name.ends_with(".whl")).then_some(name)
}

/// `HOST` or `HOST:PORT` of a URL without its scheme.
fn authority(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, present, words};
    use super::*;
    use crate::fetch::Retry;

    fn config(packages: &[&str]) -> Config {
        Config { packages: words(packages), ..Config::default() }
    }

    #[test]
    fn packages_are_installed_with_options_that_old_versions_have_too() {
        let mut bench = Bench::new();
        bench.tool("python3", "");
        bench.install(&part(&config(&["numpy<2", "torch"]), &bench.place)).unwrap();
        let calls = bench.calls();
        let expected = [
            "python3",
            "-m",
            "pip",
            "install",
            "--no-warn-script-location",
            "--no-input",
            "--disable-pip-version-check",
            "--",
            "numpy<2",
            "torch",
        ];
        assert_eq!(calls[0].command, expected);
        assert_eq!(calls[0].variable("PIP_ROOT_USER_ACTION"), "ignore");
        for unset in ["PIP_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_BREAK_SYSTEM_PACKAGES", "PIP_USER"] {
            assert_eq!(calls[0].variable(unset), "", "{unset}");
        }
    }

    #[test]
    fn files_a_mirror_and_consent_are_passed_on() {
        let mut bench = Bench::new();
        bench.tool("python3.12", "");
        let requirements = bench.file("requirements.txt", "requests>=2\n", 0o644);
        let constraints = bench.file("constraints.txt", "", 0o644);
        bench.sources.mirrors.pypi = Some("https://mirror.example/simple".to_owned());
        let config = Config {
            requirements: vec!["~/requirements.txt".into()],
            constraints: Some(constraints.clone()),
            python: Some("python3.12".into()),
            break_system_packages: true,
            ..Config::default()
        };
        bench.install(&part(&config, &bench.place)).unwrap();
        let calls = bench.calls();
        let [constraints, requirements] = [constraints, requirements].map(|path| path.to_str().unwrap().to_owned());
        let expected = ["--constraint", &constraints, "--requirement", &requirements, "--"];
        assert_eq!(calls[0].command[7..], expected);
        assert_eq!(calls[0].variable("PIP_INDEX_URL"), "https://mirror.example/simple");
        assert_eq!(calls[0].variable("PIP_BREAK_SYSTEM_PACKAGES"), "1");
        assert_eq!(calls[1].command.last().unwrap(), "requests");
    }

    #[test]
    fn an_index_of_plain_http_is_trusted_since_the_config_names_it() {
        for (mirror, trusted) in
            [("http://me:pw@mirror.example:8080/simple", "mirror.example:8080"), ("https://mirror.example/simple", "")]
        {
            let mut bench = Bench::new();
            bench.tool("python3", "");
            bench.sources.mirrors.pypi = Some(mirror.to_owned());
            bench.install(&part(&config(&["x"]), &bench.place)).unwrap();
            assert_eq!(bench.calls()[0].variable("PIP_TRUSTED_HOST"), trusted);
        }
    }

    #[test]
    fn a_python_that_is_not_ours_to_change_is_said_to_be_one() {
        let mut bench = Bench::new();
        bench.tool("python3", "case \"$*\" in *WHY*|*EXTERNALLY*) echo managed;; *) exit 1;; esac");
        let failure = bench.install(&part(&config(&["x"]), &bench.place)).unwrap_err();
        assert_eq!(failure.retry, Retry::Never);
        assert!(failure.text.contains("PEP 668") && failure.hint.unwrap().contains("break_system_packages"));
        bench.tool("python3", "case \"$*\" in *EXTERNALLY*) echo no pip;; *) exit 1;; esac");
        let failure = bench.install(&part(&config(&["x"]), &bench.place)).unwrap_err();
        assert!(failure.retry == Retry::Never && failure.text.contains("has no pip"), "{failure}");
        bench.tool("python3", "case \"$*\" in *EXTERNALLY*) ;; *) exit 1;; esac");
        assert_eq!(bench.install(&part(&config(&["x"]), &bench.place)).unwrap_err().retry, Retry::Soon);
    }

    #[test]
    fn a_record_holds_only_as_long_as_the_metadata_is_there() {
        let mut bench = Bench::new();
        let metadata = bench.file("site/x-1.dist-info/METADATA", "", 0o644);
        bench.tool("python3", &format!("case \"$*\" in *metadata*) echo {};; esac", metadata.display()));
        let part = part(&config(&["x"]), &bench.place);
        let installed = bench.install(&part).unwrap();
        assert!(present(&part, &installed));
        std::fs::remove_file(metadata).unwrap();
        assert!(!present(&part, &installed));
    }

    #[test]
    fn a_bundle_is_filled_and_then_the_only_source() {
        let mut bench = Bench::new();
        bench.tool("python3", "");
        let part = part(&config(&["x"]), &bench.place);
        let bundle = bench.at("bundle");
        assert!(bench.collect(&part, &bundle).unwrap());
        let wheels = bundle.join("pip");
        let wheels = wheels.to_str().unwrap();
        assert_eq!(bench.commands()[0][3..6], words(&["download", "--dest", wheels]));
        bench.sources.bundle = Some(bundle.clone());
        bench.install(&part).unwrap();
        assert_eq!(bench.commands()[0][5..8], words(&["--no-index", "--find-links", wheels]));
    }

    #[test]
    fn missing_files_a_missing_python_and_options_are_named() {
        let mut bench = Bench::new();
        let failure = bench.install(&part(&config(&["x"]), &bench.place)).unwrap_err();
        assert!(failure.retry == Retry::Never && failure.text.contains("python3"), "{failure}");
        bench.tool("python3", "");
        let missing = Config { requirements: vec!["~/none.txt".into()], ..Config::default() };
        let failure = bench.install(&part(&missing, &bench.place)).unwrap_err();
        assert!(failure.text.contains("home/none.txt"), "{failure}");
        let failure = bench.install(&part(&config(&["--index-url=x"]), &bench.place)).unwrap_err();
        assert!(failure.text.contains("--index-url"), "{failure}");
        assert_eq!(bench.commands(), [] as [Vec<String>; 0]);
    }

    #[test]
    fn the_key_follows_the_content_of_the_files() {
        let bench = Bench::new();
        bench.file("r.txt", "a", 0o644);
        let config = Config { requirements: vec!["~/r.txt".into()], ..Config::default() };
        let part = part(&config, &bench.place);
        let first = part.installer.key();
        bench.file("r.txt", "b", 0o644);
        assert_ne!(first, part.installer.key());
    }

    #[test]
    fn names_are_found_at_the_start_of_requirements() {
        for (line, expected) in [
            ("numpy<2", Some("numpy")),
            (" zope.interface [x] ; python_version>'3'", Some("zope.interface")),
            ("a @ https://host.example/a.whl", Some("a")),
            ("git+https://host.example/a", None),
            ("https://host.example/a.zip", None),
            ("./a", None),
            ("dist/a.tar.gz", None),
            ("a-1-py3-none-any.whl", None),
            ("-r other.txt", None),
            ("# comment", None),
            ("", None),
        ] {
            assert_eq!(name(line), expected, "{line}");
        }
    }
}
