//! Codex CLI: a static program with its helpers, which it looks for beside itself.

use std::path::{Path, PathBuf};

use super::github::{Releases, Sums};
use super::target::Target;
use super::tool::{Release, Tool, Wish, put_tree};
use crate::fetch::Failure;
use crate::first_run::Job;

/// Codex CLI.
pub struct Codex;

const RELEASES: Releases = Releases {
    repository: "openai/codex",
    prefix: "rust-v",
    sums: Sums::List("codex-package_SHA256SUMS"),
    assets,
    grows: 3,
};

fn assets(target: Target, _: &str) -> Vec<String> {
    vec![format!("codex-package-{}-unknown-linux-musl.tar.gz", target.arch.uname())]
}

impl Tool for Codex {
    const KIND: &'static str = "codex";
    const STRIP: Option<u32> = Some(0);
    const PROGRAM: &'static str = "bin/codex";

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        RELEASES.find(job, target, wish)
    }

    fn put(job: &mut Job<'_>, staged: &Path, version: &str) -> Result<Vec<PathBuf>, Failure> {
        put_tree(job, Self::KIND, staged, version, &["codex"])
    }
}
