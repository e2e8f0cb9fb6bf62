//! Clones of git repositories.

mod reference;
mod remote;

#[cfg(test)]
mod tests;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::reference::Reference;
use self::remote::Remote;
use super::command::{expand, home, require, shown};
use crate::config::first_run::Git as Config;
use crate::digest::sha256;
use crate::fetch::{self, Failure, failure};
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place, place};

struct Repository {
    remote: Remote,
    reference: Option<String>,
    to: PathBuf,
    depth: Option<u32>,
    submodules: bool,
    home: PathBuf,
}

/// A step `git`.
#[must_use]
pub fn part(step: &Config, place: &Place) -> Part {
    let remote = match (&step.url, &step.github) {
        (Some(url), _) => Remote::new(url),
        (None, name) => Remote::on_github(name.as_deref().unwrap_or_default()),
    };
    let repository = Repository {
        remote,
        reference: step.reference.clone(),
        to: step.to.clone(),
        depth: step.depth,
        submodules: step.submodules,
        home: home(place),
    };
    Part { after: &["apt"], ..Part::main(repository) }
}

impl Installer for Repository {
    fn target(&self) -> Option<&Path> {
        Some(&self.to)
    }

    fn key(&self) -> Value {
        json!({
            "git": self.remote.url,
            "ref": self.reference,
            "to": self.to,
            "depth": self.depth,
            "submodules": self.submodules,
        })
    }

    fn summary(&self) -> String {
        let mut words = vec!["git", "clone"];
        if let Some(reference) = &self.reference {
            words.extend(["--branch", reference]);
        }
        let to = self.to.to_string_lossy();
        words.extend([self.remote.url.as_str(), &to]);
        shown(words)
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        self.check(job)?;
        let to = expand(&self.to, &self.home);
        match look(&to)? {
            Found::Nothing => self.clone_anew(job, &to)?,
            Found::Repository => self.update(job, &to)?,
            Found::Other => {
                return Err(Failure::permanent(format!("{} is there already, and not a clone", to.display()))
                    .hint("move it away, or name another folder in `to`"));
            }
        }
        let commit = self.git(job, &to, ["rev-parse", "--short", "HEAD"]).ok();
        Ok(Installed { version: commit.filter(|text| !text.is_empty()), files: vec![to.join(".git")] })
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        let Some(bundle) = job.bundle.filter(|_| !self.submodules) else { return Ok(false) };
        self.check(job)?;
        let stage = empty_stage(job, "clone.git")?;
        self.git(job, &job.work.clone(), ["clone", "--bare", "--", &self.remote.url, &text(&stage)])?;
        if let Some(reference) = self.reference(job)? {
            // A commit that no branch has would not be part of the bundle.
            reference.fetch_into_bare(self, job, &stage)?;
        }
        let file = empty_stage(job, "clone.bundle")?;
        self.git(job, &stage, ["bundle", "create", &text(&file), "--all"])?;
        place::file(&file, &bundle.join("git").join(self.bundle_name()), 0o644)?;
        remove(&stage)?;
        Ok(true)
    }
}

impl Repository {
    fn check(&self, job: &Job<'_>) -> Result<(), Failure> {
        if let Some(reference) = self.reference.as_ref().filter(|name| name.is_empty() || name.starts_with('-')) {
            return Err(Failure::permanent(format!("{reference:?} is not a branch, a tag or a commit")));
        }
        require(job, "git", "add a step `apt: {packages: [git]}`").map(drop)
    }

    /// Clones beside, so that `to` is there only with all that belongs to it.
    fn clone_anew(&self, job: &mut Job<'_>, to: &Path) -> Result<(), Failure> {
        let stage = empty_stage(job, "clone")?;
        let reference = self.reference(job)?;
        job.stage(format!("cloning {}", fetch::redacted(&self.remote.url)));
        match &reference {
            None => self.clone_branch(job, &stage, None)?,
            Some(Reference::Branch(name) | Reference::Tag(name)) => self.clone_branch(job, &stage, Some(name))?,
            Some(other) => {
                self.git(job, &job.work.clone(), ["init", "--quiet", "--", &text(&stage)])?;
                self.git(job, &stage, ["remote", "add", "origin", &self.remote.url])?;
                other.fetch(self, job, &stage)?;
                other.check_out(self, job, &stage)?;
            }
        }
        self.update_submodules(job, &stage)?;
        place::tree(&stage, to)
    }

    fn clone_branch(&self, job: &mut Job<'_>, stage: &Path, name: Option<&str>) -> Result<(), Failure> {
        let stage = text(stage);
        let mut arguments = vec!["clone"];
        let depth = self.depth_option(job);
        arguments.extend(depth.as_deref());
        arguments.extend(name.map(|name| ["--branch", name]).into_iter().flatten());
        arguments.extend(["--", &self.remote.url, &stage]);
        self.git(job, &job.work.clone(), arguments).map(drop)
    }

    /// Brings a clone that is there to what is asked for, unless that would touch what its user has done in it.
    fn update(&self, job: &mut Job<'_>, to: &Path) -> Result<(), Failure> {
        let shown = to.display();
        let origin = self.git(job, to, ["config", "--default", "", "--get", "remote.origin.url"])?;
        if !self.remote.is_origin(&origin) {
            let (origin, own) = (fetch::redacted(&origin), fetch::redacted(&self.remote.url));
            return Err(Failure::permanent(format!("{shown} is a clone of {origin:?}, not of {own}"))
                .hint("move it away, or name another folder in `to`"));
        }
        let Some(name) = &self.reference else { return Ok(()) };
        let head = self.git(job, to, ["rev-parse", "--abbrev-ref", "HEAD"])?;
        let status = ["status", "--porcelain", "--untracked-files=no", "--ignore-submodules=none"];
        let is_changed = !self.git(job, to, status)?.is_empty();
        if head == *name && is_changed {
            job.warn(format!("{shown} is at {name} and has local changes: left as it is"));
            return Ok(());
        }
        if head == "HEAD" && self.is_at(job, to, name) {
            return Ok(());
        }
        if is_changed {
            return Err(Failure::permanent(format!("{shown} has local changes: {name} is not checked out over them"))
                .hint(format!("commit or stash them (git -C {shown} stash), then run it again")));
        }
        if head == "HEAD" {
            self.keep_own_commits(job, to)?;
        }
        let Some(reference) = self.reference(job)? else { return Ok(()) };
        job.stage(format!("fetching {}", fetch::redacted(&self.remote.url)));
        reference.fetch(self, job, to)?;
        reference.check_out(self, job, to)?;
        self.update_submodules(job, to)
    }

    fn is_at(&self, job: &mut Job<'_>, to: &Path, name: &str) -> bool {
        let mut commit =
            |name: &str| self.git(job, to, ["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]);
        matches!((commit("HEAD"), commit(name)), (Ok(head), Ok(wanted)) if head == wanted)
    }

    /// Refuses to leave commits behind that no branch or tag leads to.
    fn keep_own_commits(&self, job: &mut Job<'_>, to: &Path) -> Result<(), Failure> {
        let refs = self.git(job, to, ["for-each-ref", "--count=1", "--contains", "HEAD"])?;
        if refs.is_empty() {
            let shown = to.display();
            return Err(Failure::permanent(format!(
                "{shown} has commits that are on no branch: they would be lost from sight"
            ))
            .hint(format!("keep them on a branch (git -C {shown} branch NAME), then run it again")));
        }
        Ok(())
    }

    fn update_submodules(&self, job: &mut Job<'_>, folder: &Path) -> Result<(), Failure> {
        if !self.submodules {
            return Ok(());
        }
        job.stage("fetching submodules");
        let update = ["submodule", "update", "--init", "--recursive"];
        if let Some(depth) = self.depth_option(job) {
            // Not every server hands out a commit that is not the end of a branch.
            if self.git(job, folder, update.into_iter().chain([depth.as_str()])).is_ok() {
                return Ok(());
            }
        }
        self.git(job, folder, update).map(drop)
    }

    /// What the config's `ref` is.
    fn reference(&self, job: &mut Job<'_>) -> Result<Option<Reference>, Failure> {
        self.reference.as_ref().map(|name| Reference::find(name, self, job)).transpose()
    }

    /// A bundle holds the whole history, and git cannot take a part of it.
    fn depth_option(&self, job: &Job<'_>) -> Option<String> {
        self.depth.filter(|_| self.bundle(job).is_none()).map(|depth| format!("--depth={depth}"))
    }

    /// Runs git in a folder and returns the line that it prints. It asks nothing, and gives up a connection that
    /// carries next to nothing for a minute.
    fn git<'a>(
        &self,
        job: &mut Job<'_>,
        folder: &Path,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, Failure> {
        let mut arguments = arguments.into_iter();
        let action = arguments.next().unwrap_or_default();
        let mut command = ["git", "-C", &*folder.to_string_lossy(), action].map(str::to_owned).to_vec();
        command.extend(arguments.map(str::to_owned));
        let run = Run::new(command)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_HTTP_LOW_SPEED_LIMIT", "1000")
            .env("GIT_HTTP_LOW_SPEED_TIME", "60");
        let substitutes = self.remote.substitutes(&job.sources.mirrors, self.bundle(job).as_deref());
        let run = remote::substitute(run, job.environment, &substitutes);
        let printed = job.run(&run).map_err(|failure| {
            let failure = failure.context(format!("git {action}"));
            // With the file of the bundle it has all that it needs.
            if self.bundle(job).is_some() { failure } else { job.not_in_bundle(failure) }
        })?;
        Ok(printed.trim_end().to_owned())
    }

    /// The file of the bundle that has this repository, if the bundle does.
    fn bundle(&self, job: &Job<'_>) -> Option<PathBuf> {
        let folder = job.sources.bundle.as_ref()?;
        Some(folder.join("git").join(self.bundle_name())).filter(|path| path.is_file())
    }

    fn bundle_name(&self) -> String {
        let what = format!("{}\n{}", self.remote.url, self.reference.as_deref().unwrap_or_default());
        let hash: String = sha256(what.as_bytes()).chars().take(8).collect();
        format!("{}-{hash}.bundle", self.remote.slug())
    }
}

enum Found {
    Nothing,
    Repository,
    Other,
}

/// What is at the place of a clone.
fn look(to: &Path) -> Result<Found, Failure> {
    if to.join(".git").symlink_metadata().is_ok() {
        return Ok(Found::Repository);
    }
    match fs::read_dir(to) {
        Ok(mut entries) => Ok(if entries.next().is_none() { Found::Nothing } else { Found::Other }),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(Found::Other),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // A link that leads nowhere is not found either.
            Ok(if to.symlink_metadata().is_ok() { Found::Other } else { Found::Nothing })
        }
        Err(error) => Err(failure::io(format!("failed to look into {}", to.display()))(error)),
    }
}

/// A path in the task's folder at which there is nothing.
fn empty_stage(job: &Job<'_>, name: &str) -> Result<PathBuf, Failure> {
    fs::create_dir_all(&job.work).map_err(failure::io(format!("failed to make {}", job.work.display())))?;
    let stage = job.work.join(name);
    remove(&stage)?;
    Ok(stage)
}

fn remove(path: &Path) -> Result<(), Failure> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(failure::io(format!("failed to remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
