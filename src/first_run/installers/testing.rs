//! A place to try installers in: a home, a PATH of stand-ins that write down how they are called, a job.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::fetch::Failure;
use crate::first_run::job::Report;
use crate::first_run::source::Sources;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Owner, Place};
use crate::prepare::accounts::Account;

/// See the module.
pub struct Bench {
    folder: TempDir,
    /// Where the things go.
    pub place: Place,
    /// The task's environment.
    pub environment: BTreeMap<String, String>,
    /// Mirrors and bundle.
    pub sources: Sources,
    /// What the last job told.
    pub reports: Vec<Report>,
}

/// How a stand-in was called.
#[derive(Debug)]
pub struct Call {
    /// Its name and its arguments.
    pub command: Vec<String>,
    /// The variables that it saw.
    pub environment: BTreeMap<String, String>,
}

impl Call {
    /// The value of a variable, empty if there is none.
    pub fn variable(&self, name: &str) -> &str {
        self.environment.get(name).map_or("", String::as_str)
    }
}

impl Bench {
    /// A bench on which no program is found.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "calls", "home", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let environment = [("PATH", at("bin")), ("HOME", at("home")), ("CALLS", at("calls"))];
        Self {
            place: Place::home(&folder.path().join("home")),
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            sources: Sources::default(),
            reports: Vec::new(),
            folder,
        }
    }

    /// With the machine's own programs after the stand-ins.
    pub fn with_system() -> Self {
        let mut bench = Self::new();
        let path = std::env::var("PATH").unwrap_or_default();
        bench.environment.get_mut("PATH").unwrap().push_str(&format!(":{path}:/usr/bin:/bin"));
        bench
    }

    /// A path on the bench.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A path in the home.
    pub fn home(&self, path: &str) -> PathBuf {
        self.at("home").join(path)
    }

    /// A file in the home, with this mode.
    pub fn file(&self, path: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.home(path);
        write(&path, content, mode);
        path
    }

    /// A stand-in for a program, which goes on with these lines of shell.
    pub fn tool(&self, name: &str, lines: &str) {
        let script = format!(
            "#!/bin/sh\nn=10\nwhile [ -e \"$CALLS/$n.command\" ]; do n=$((n + 1)); done\n\
             printf '%s\\0' '{name}' \"$@\" >\"$CALLS/$n.command\"\n/usr/bin/env -0 >\"$CALLS/$n.environment\"\n{lines}\n"
        );
        write(&self.at("bin").join(name), &script, 0o755);
    }

    /// The calls so far, each as words; they are forgotten then.
    pub fn commands(&self) -> Vec<Vec<String>> {
        self.calls().into_iter().map(|call| call.command).collect()
    }

    /// The calls so far; they are forgotten then.
    pub fn calls(&self) -> Vec<Call> {
        let mut names: Vec<PathBuf> = fs::read_dir(self.at("calls")).unwrap().map(|e| e.unwrap().path()).collect();
        names.retain(|path| path.extension().is_some_and(|e| e == "command"));
        names.sort();
        let read = |path: &Path| -> Vec<String> {
            let text = String::from_utf8(fs::read(path).unwrap()).unwrap();
            fs::remove_file(path).unwrap();
            text.split_terminator('\0').map(str::to_owned).collect()
        };
        let call = |path: PathBuf| Call {
            command: read(&path),
            environment: read(&path.with_extension("environment"))
                .iter()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        };
        names.into_iter().map(call).collect()
    }

    /// Installs a part.
    pub fn install(&mut self, part: &Part) -> Result<Installed, Failure> {
        self.run(|job| part.installer.install(job), None)
    }

    /// Collects for a bundle in this folder.
    pub fn collect(&mut self, part: &Part, bundle: &Path) -> Result<bool, Failure> {
        self.run(|job| part.installer.collect(job), Some(bundle))
    }

    /// Runs something as a job.
    pub fn run<T>(&mut self, work: impl FnOnce(&mut Job<'_>) -> T, bundle: Option<&Path>) -> T {
        let owner = Owner { account: self.account(), place: self.place.clone() };
        let mut reports = Vec::new();
        let result = work(&mut Job {
            name: "step",
            owner: &owner,
            environment: &self.environment,
            sources: &self.sources,
            bundle,
            work: self.at("work"),
            report: &mut |report| reports.push(report),
        });
        self.reports = reports;
        result
    }

    /// The warnings of the last job.
    pub fn warnings(&self) -> Vec<String> {
        let text = |report: &'_ Report| if let Report::Warning(text) = report { Some(text.clone()) } else { None };
        self.reports.iter().filter_map(text).collect()
    }

    fn account(&self) -> Account {
        Account {
            name: "me".to_owned(),
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            home: self.at("home"),
            shell: "/bin/sh".into(),
            groups: Vec::new(),
            created: false,
        }
    }
}

/// Whether a part's things are there, with this record.
pub fn present(part: &Part, installed: &Installed) -> bool {
    let installer: &dyn Installer = &*part.installer;
    installer.present(installed)
}

/// The words of a list.
pub fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

/// Writes a file and the folders above it.
///
/// Under another name first, and by a process of its own: a test beside this one that forks while a script is open for
/// writing would make executing it fail (ETXTBSY).
fn write(path: &Path, content: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let draft = path.with_extension("draft");
    fs::write(&draft, content).unwrap();
    let copied = std::process::Command::new("cp").arg(&draft).arg(path).status().unwrap();
    assert!(copied.success());
    fs::remove_file(&draft).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
