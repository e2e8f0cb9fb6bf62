//! ollama: a program with its libraries for GPUs, which it looks for beside itself. Its own script wants systemd and
//! installs drivers.

use std::path::{Path, PathBuf};

use super::github::{Releases, Sums};
use super::target::Target;
use super::tool::{Release, Tool, Wish, needs_glibc, put_tree};
use crate::fetch::Failure;
use crate::first_run::Job;

/// ollama, which runs models.
pub struct Ollama;

const RELEASES: Releases =
    Releases { repository: "ollama/ollama", prefix: "v", sums: Sums::List("sha256sum.txt"), assets, grows: 3 };

/// Older releases have a .tgz.
fn assets(target: Target, _: &str) -> Vec<String> {
    ["tar.zst", "tgz"].map(|form| format!("ollama-linux-{}.{form}", target.arch.debian())).to_vec()
}

impl Tool for Ollama {
    const KIND: &'static str = "ollama";
    const STRIP: Option<u32> = Some(0);
    const PROGRAM: &'static str = "bin/ollama";

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        needs_glibc(Self::KIND, target)?;
        RELEASES.find(job, target, wish)
    }

    fn put(job: &mut Job<'_>, staged: &Path, version: &str) -> Result<Vec<PathBuf>, Failure> {
        put_tree(job, Self::KIND, staged, version, &["ollama"])
    }
}
