//! What the first run is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Job, Record};
use crate::fetch::Failure;
use crate::prepare::accounts::Account;

/// One thing to install, fully resolved.
pub struct Task {
    /// `bun`, or `bun.global` for the part of a step that has another lifetime.
    pub name: String,
    /// The tasks that have to be done first, as indexes in the list of all.
    pub needs: Vec<usize>,
    /// What is done.
    pub installer: Box<dyn Installer>,
    /// As whom, and where to.
    pub owner: Owner,
    /// The whole environment of the programs that it runs, proxies and all: never written anywhere.
    pub environment: BTreeMap<String, String>,
    /// The variables of it that the step itself sets: part of its key.
    pub own_environment: BTreeMap<String, String>,
    /// Paths that are there once it is done, besides those that the installer names.
    pub creates: Vec<PathBuf>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How often it is tried again after a failure that may pass.
    pub retries: u32,
    /// Whether the run counts as done without it.
    pub optional: bool,
}

impl Task {
    /// SHA-256 over everything that decides what is there afterwards, and nothing else: not time limits, mirrors and
    /// proxies.
    #[must_use]
    pub fn key(&self) -> String {
        super::record::key(self)
    }

    /// Whether a record says that this very task is done, and what it made is still there.
    #[must_use]
    pub fn is_done(&self, record: Option<&Record>) -> bool {
        record.is_some_and(|record| {
            record.holds()
                && record.key == self.key()
                && self.creates.iter().all(|path| path.exists())
                && self.installer.present(&record.installed)
        })
    }
}

/// As whom a task runs and where its things go.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    /// The account.
    pub account: Account,
    /// Where its things go.
    pub place: Place,
}

/// Where things go: below a home, or below /usr/local for everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `~`, or `/usr/local`. Tools with folders of their own have them here: `.pixi`, `.bun`.
    pub base: PathBuf,
    /// Whether it is for everyone, and not in a home.
    pub system: bool,
}

impl Place {
    /// In the home of a user.
    #[must_use]
    pub fn home(home: &Path) -> Self {
        Self { base: home.to_owned(), system: false }
    }

    /// For everyone.
    #[must_use]
    pub fn system() -> Self {
        Self { base: PathBuf::from("/usr/local"), system: true }
    }

    /// For programs, on the PATH of every session: `~/.local/bin`, `/usr/local/bin`.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        if self.system { self.base.join("bin") } else { self.base.join(".local/bin") }
    }

    /// For what a program brings along, a folder for each: `~/.local/share`, `/usr/local/share`.
    #[must_use]
    pub fn share(&self) -> PathBuf {
        if self.system { self.base.join("share") } else { self.base.join(".local/share") }
    }

    /// The folder of a tool that has one of its own: `~/.bun`, `/usr/local/share/bun`.
    #[must_use]
    pub fn own(&self, name: &str) -> PathBuf {
        if self.system { self.share().join(name) } else { self.base.join(format!(".{name}")) }
    }

    /// For records, logs, and downloads on their way: `~/.local/state/devinit/first-run`, `/var/lib/devinit/first-run`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        if self.system {
            PathBuf::from("/var/lib/devinit/first-run")
        } else {
            self.base.join(".local/state/devinit/first-run")
        }
    }
}

/// What an installer made: what its record keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The version, as the tool or the release says it.
    pub version: Option<String>,
    /// What is there now and was not before: if one of these is missing, it is installed again.
    pub files: Vec<PathBuf>,
}

/// One way of installing something.
pub trait Installer {
    /// All that decides what is there afterwards, as the config says it. Hashed: it must not depend on the machine's
    /// state, but for the content of files that the config names.
    fn key(&self) -> serde_json::Value;

    /// What it does, for `--plan`: `uv latest`, `bun add --global @tavily/mcp@latest`.
    fn summary(&self) -> String;

    /// Does it, as the task's user, in a process of its own that may be killed at any instant. What is there under its
    /// final name afterwards is complete; done again, it does no harm.
    ///
    /// # Errors
    /// What failed, with a hint where there is one.
    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure>;

    /// Whether what was installed is still there.
    fn present(&self, installed: &Installed) -> bool {
        installed.files.iter().all(|path| path.symlink_metadata().is_ok())
    }

    /// The one place that the config names for what it installs, if it does.
    fn target(&self) -> Option<&Path> {
        None
    }

    /// Downloads what [`Installer::install`] needs into the bundle ([`Job::bundle`]), and installs nothing. Returns false
    /// if nothing can be brought along: the step needs a network when it runs.
    ///
    /// # Errors
    /// As [`Installer::install`].
    fn collect(&self, _: &mut Job<'_>) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Whether [`Installer::collect`] runs a tool that a task before it brings. Others need nothing from one another
    /// while a bundle is filled.
    fn collects_with_a_tool(&self) -> bool {
        false
    }
}

/// A part of a step: what [`installers`](super::installers) make of one step of the config.
pub struct Part {
    /// Empty for the step itself; `global` for `bun.global`, `ENVIRONMENT` for an environment of micromamba. Every other part needs the step itself, if there is one.
    pub suffix: String,
    /// What is done.
    pub installer: Box<dyn Installer>,
    /// Kinds of steps (`node`) that have to be done first, if there are any.
    pub after: &'static [&'static str],
    /// Folders of programs that sessions need on their PATH because of it.
    pub path: Vec<PathBuf>,
    /// Whether it can only run as root.
    pub root: bool,
}

impl Part {
    /// The step itself, with nothing special about it.
    #[must_use]
    pub fn main(installer: impl Installer + 'static) -> Self {
        Self { suffix: String::new(), installer: Box::new(installer), after: &[], path: Vec::new(), root: false }
    }
}
