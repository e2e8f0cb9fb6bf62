//! What an installer works with: the worker's side of one attempt at one task.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Owner;
use super::source::Sources;
use crate::fetch::{Failure, unpack};

/// One attempt at one task.
pub struct Job<'a> {
    /// The task's name.
    pub name: &'a str,
    /// As whom it runs, and where its things go.
    pub owner: &'a Owner,
    /// The environment of the programs that it runs.
    pub environment: &'a BTreeMap<String, String>,
    /// Where downloads come from.
    pub sources: &'a Sources,
    /// The folder of the bundle that is being filled, if one is.
    pub bundle: Option<&'a Path>,
    /// A folder for this task alone, kept between attempts: downloads on their way.
    pub work: PathBuf,
    /// Takes what there is to tell.
    pub report: &'a mut dyn FnMut(Report),
}

/// What a worker tells while it works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// What it is doing now: `downloading node-v24.19.0-linux-x64.tar.xz`.
    Stage(String),
    /// How far the download is.
    Bytes {
        /// Bytes that are there.
        done: u64,
        /// Bytes that there will be, if that is known.
        total: Option<u64>,
    },
    /// A line for the task's log.
    Line(String),
    /// Something that people should see, though it went on.
    Warning(String),
}

/// What a download has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asset {
    /// Where it is.
    pub url: String,
    /// Its SHA-256, if that is known.
    pub sha256: Option<String>,
    /// Its size in bytes, if that is known beforehand.
    pub size: Option<u64>,
    /// How many bytes it takes up once it is unpacked, in times of its size: for the check of the disk's space.
    pub grows: u32,
}

/// A program that a task runs.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The program, looked up in the task's PATH, and its arguments.
    pub command: Vec<String>,
    /// Variables on top of the task's.
    pub environment: BTreeMap<String, String>,
    /// Working folder. Without one: the home of the task's user.
    pub directory: Option<PathBuf>,
}

impl Run {
    /// A program and its arguments.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self { command: command.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// With a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }
}

impl Job<'_> {
    /// Says what it is doing now.
    pub fn stage(&mut self, text: impl Into<String>) {
        (self.report)(Report::Stage(text.into()));
    }

    /// Says something that people should see, though it goes on.
    pub fn warn(&mut self, text: impl Into<String>) {
        (self.report)(Report::Warning(text.into()));
    }

    /// Fetches a text of at most 4 MiB.
    ///
    /// # Errors
    /// As [`crate::fetch::Client::text`].
    pub fn text(&mut self, url: &str) -> Result<String, Failure> {
        let text = self.sources.client.text(url, 4 << 20)?;
        Ok(text)
    }

    /// Downloads a file, continues what an earlier attempt began, and checks it. Returns where it is: in [`Job::work`],
    /// under the last part of the URL.
    ///
    /// While a bundle is filled, the file goes there as well.
    ///
    /// # Errors
    /// As [`crate::fetch::Client::download`]; too little room on the disk; a wrong checksum, after which what came is
    /// removed.
    pub fn download(&mut self, asset: &Asset) -> Result<PathBuf, Failure> {
        let _ = asset;
        Err(Failure::permanent("not yet"))
    }

    /// Unpacks an archive into a new folder in [`Job::work`] and returns that.
    ///
    /// # Errors
    /// As [`unpack::unpack`].
    pub fn unpack(&mut self, archive: &Path, options: &unpack::Options) -> Result<PathBuf, Failure> {
        let _ = (archive, options);
        Err(Failure::permanent("not yet"))
    }

    /// Runs a program to its end; what it prints, on both of its outputs, goes to the task's log. Returns what it
    /// printed on its standard output, at most the last 64 KiB.
    ///
    /// # Errors
    /// It cannot be started; it ends with an exit code other than 0 or by a signal. Worth another try, unless it cannot
    /// be started.
    pub fn run(&mut self, run: &Run) -> Result<String, Failure> {
        let Some((program, arguments)) = run.command.split_first() else {
            return Err(Failure::permanent("no program to run"));
        };
        let mut environment = self.environment.clone();
        environment.extend(run.environment.clone());
        let home = &self.owner.account.home;
        let path = environment.get("PATH").map(String::as_str);
        let found = which::which_in(program, path, home)
            .map_err(|_| Failure::permanent(format!("{program} is not found in {}", path.unwrap_or_default())))?;
        let output = std::process::Command::new(found)
            .args(arguments)
            .env_clear()
            .envs(&environment)
            .current_dir(run.directory.as_ref().unwrap_or(home))
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|error| Failure::permanent(format!("{program} cannot be started: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in text.lines().chain(String::from_utf8_lossy(&output.stderr).lines()) {
            (self.report)(Report::Line(line.to_owned()));
        }
        match output.status.code() {
            Some(0) => Ok(text),
            // What shells and env(1) answer for a program that cannot be executed or is not found.
            Some(code @ (126 | 127)) => Err(Failure::permanent(format!("{program} ended with exit code {code}"))),
            Some(code) => Err(Failure::passing(format!("{program} ended with exit code {code}"))),
            None => Err(Failure::passing(format!("{program} was killed by a signal"))),
        }
    }
}
