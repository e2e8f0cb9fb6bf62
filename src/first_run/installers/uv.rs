//! uv: two programs.

use std::path::{Path, PathBuf};

use super::github::{Releases, Sums};
use super::target::Target;
use super::tool::{Release, Tool, Wish, put_programs};
use crate::fetch::Failure;
use crate::first_run::Job;

/// uv, the Python package manager.
pub struct Uv;

const RELEASES: Releases = Releases { repository: "astral-sh/uv", prefix: "", sums: Sums::Beside, assets, grows: 3 };

fn assets(target: Target, _: &str) -> Vec<String> {
    vec![format!("uv-{}-unknown-linux-{}.tar.gz", target.arch.uname(), target.libc())]
}

impl Tool for Uv {
    const KIND: &'static str = "uv";
    const STRIP: Option<u32> = Some(1);
    const PROGRAM: &'static str = "uv";

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        RELEASES.find(job, target, wish)
    }

    fn put(job: &mut Job<'_>, staged: &Path, _: &str) -> Result<Vec<PathBuf>, Failure> {
        put_programs(staged, &Self::programs(&job.owner.place), &["uv", "uvx"])
    }
}
