//! code-server: a folder with a Node.js of its own.

use std::path::{Path, PathBuf};

use super::github::{Releases, Sums};
use super::target::Target;
use super::tool::{Release, Tool, Wish, needs_glibc, put_tree};
use crate::fetch::Failure;
use crate::first_run::Job;

/// code-server, VS Code in the browser.
pub struct CodeServer;

const RELEASES: Releases =
    Releases { repository: "coder/code-server", prefix: "v", sums: Sums::Unpublished, assets, grows: 5 };

fn assets(target: Target, version: &str) -> Vec<String> {
    vec![format!("code-server-{version}-linux-{}.tar.gz", target.arch.debian())]
}

impl Tool for CodeServer {
    const KIND: &'static str = "code-server";
    const STRIP: Option<u32> = Some(1);
    const PROGRAM: &'static str = "bin/code-server";

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        needs_glibc(Self::KIND, target)?;
        RELEASES.find(job, target, wish)
    }

    fn put(job: &mut Job<'_>, staged: &Path, version: &str) -> Result<Vec<PathBuf>, Failure> {
        put_tree(job, Self::KIND, staged, version, &["code-server"])
    }
}
