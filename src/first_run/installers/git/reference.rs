//! What is checked out: a branch, a tag, or a commit.

use std::path::Path;

use super::Repository;
use crate::fetch::{self, Failure};
use crate::first_run::Job;

/// Keeps the commit that was checked out without a branch, so that commits on top of it can be told from it.
const CHECKED_OUT: &str = "refs/devinit/checked-out";

/// What is checked out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Branch(String),
    Tag(String),
    /// By its name, or the beginning of it.
    Commit(String),
    /// Something else that the server has: `refs/pull/1/head`.
    Other(String),
}

impl Reference {
    /// Asks the server what this is.
    ///
    /// # Errors
    /// It has neither a branch nor a tag of this name, and it cannot be a commit. The server cannot be asked.
    pub(super) fn find(name: &str, repository: &Repository, job: &mut Job<'_>) -> Result<Self, Failure> {
        if is_commit(name) {
            return Ok(Self::Commit(name.to_owned()));
        }
        if name.starts_with("refs/") {
            return Ok(Self::Other(name.to_owned()));
        }
        let [branch, tag] = ["heads", "tags"].map(|kind| format!("refs/{kind}/{name}"));
        let work = job.work.clone();
        let url = &repository.remote.url;
        let listed = repository.git(job, &work, ["ls-remote", "--", url, &branch, &tag])?;
        // It also lists what only ends like this.
        let has =
            |wanted: &str| listed.lines().any(|line| line.split_once('\t').is_some_and(|(_, found)| found == wanted));
        match name {
            name if has(&branch) => Ok(Self::Branch(name.to_owned())),
            name if has(&tag) => Ok(Self::Tag(name.to_owned())),
            name if (4..40).contains(&name.len()) && is_hexadecimal(name) => Ok(Self::Commit(name.to_owned())),
            name => Err(Failure::permanent(format!("{} has no branch and no tag {name:?}", fetch::redacted(url)))
                .hint(format!("see what it has: git ls-remote {}", fetch::redacted(url)))),
        }
    }

    /// Brings it into a clone.
    pub(super) fn fetch(&self, repository: &Repository, job: &mut Job<'_>, folder: &Path) -> Result<(), Failure> {
        let specification = match self {
            Self::Branch(name) => format!("+refs/heads/{name}:refs/remotes/origin/{name}"),
            Self::Tag(name) => format!("+refs/tags/{name}:refs/tags/{name}"),
            Self::Other(name) => name.clone(),
            Self::Commit(name) => return fetch_commit(name, repository, job, folder, "remotes/origin/"),
        };
        let depth = repository.depth_option(job);
        let arguments = ["fetch"].into_iter().chain(depth.as_deref()).chain(["origin", &specification]);
        repository.git(job, folder, arguments).map(drop)
    }

    /// Checks it out, in a clone that has it and that nothing is changed in.
    pub(super) fn check_out(&self, repository: &Repository, job: &mut Job<'_>, folder: &Path) -> Result<(), Failure> {
        let mut git = |arguments: &[&str]| repository.git(job, folder, arguments.iter().copied());
        let detached = match self {
            Self::Branch(name) => {
                let (local, remote) = (format!("refs/heads/{name}"), format!("refs/remotes/origin/{name}"));
                if git(&["for-each-ref", "--format=%(refname)", &local])?.is_empty() {
                    return git(&["checkout", "--quiet", "-b", name, &remote]).map(drop);
                }
                git(&["checkout", "--quiet", name, "--"])?;
                if git(&["merge", "--quiet", "--ff-only", &remote]).is_err() {
                    job.warn(format!("{} has commits of its own on {name}: left as they are", folder.display()));
                }
                return Ok(());
            }
            Self::Tag(name) => format!("refs/tags/{name}"),
            Self::Commit(name) => name.clone(),
            Self::Other(_) => "FETCH_HEAD".to_owned(),
        };
        git(&["checkout", "--quiet", "--detach", &detached])?;
        git(&["update-ref", CHECKED_OUT, "HEAD"]).map(drop)
    }

    /// Brings it into a clone without a working folder, with a name.
    pub(super) fn fetch_into_bare(
        &self,
        repository: &Repository,
        job: &mut Job<'_>,
        folder: &Path,
    ) -> Result<(), Failure> {
        match self {
            Self::Branch(_) | Self::Tag(_) => Ok(()),
            Self::Commit(name) => {
                fetch_commit(name, repository, job, folder, "heads/")?;
                repository.git(job, folder, ["update-ref", CHECKED_OUT, name]).map(drop)
            }
            Self::Other(name) => repository.git(job, folder, ["fetch", "origin", &format!("+{name}:{name}")]).map(drop),
        }
    }
}

/// Fetches a commit: alone, if that is wanted and the server does it; with all branches, which are put below this; and
/// alone after that, for it may be part of none.
fn fetch_commit(
    name: &str,
    repository: &Repository,
    job: &mut Job<'_>,
    folder: &Path,
    branches: &str,
) -> Result<(), Failure> {
    if let Some(depth) = repository.depth_option(job).filter(|_| is_commit(name))
        && repository.git(job, folder, ["fetch", &depth, "origin", name]).is_ok()
    {
        return Ok(());
    }
    repository.git(job, folder, ["fetch", "--tags", "origin", &format!("+refs/heads/*:refs/{branches}*")])?;
    let object = format!("{name}^{{commit}}");
    let has = |job: &mut Job<'_>| repository.git(job, folder, ["rev-parse", "--verify", "--quiet", &object]).is_ok();
    if has(job) {
        return Ok(());
    }
    if is_commit(name) {
        // A bundle has no commits without a name.
        let bundled = repository.bundle(job).is_some();
        return repository.git(job, folder, ["fetch", "origin", if bundled { CHECKED_OUT } else { name }]).map(drop);
    }
    let url = fetch::redacted(&repository.remote.url);
    Err(Failure::permanent(format!("{url} has no branch, no tag and no commit {name:?}")))
}

/// Whether this is the whole name of a commit, by SHA-1 or SHA-256.
fn is_commit(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && is_hexadecimal(name)
}

fn is_hexadecimal(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
