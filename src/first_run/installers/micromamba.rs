//! micromamba: one static program, published as it is.

use std::path::{Path, PathBuf};

use super::github::{Releases, Sums};
use super::target::Target;
use super::tool::{Release, Tool, Wish};
use crate::fetch::Failure;
use crate::first_run::source::Arch;
use crate::first_run::{Job, place};

/// micromamba, the conda package manager.
pub struct Micromamba;

const RELEASES: Releases =
    Releases { repository: "mamba-org/micromamba-releases", prefix: "", sums: Sums::Beside, assets, grows: 1 };

fn assets(target: Target, _: &str) -> Vec<String> {
    let processor = match target.arch {
        Arch::X86 => "64",
        Arch::Arm => "aarch64",
    };
    vec![format!("micromamba-linux-{processor}")]
}

impl Tool for Micromamba {
    const KIND: &'static str = "micromamba";
    const STRIP: Option<u32> = None;

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        RELEASES.find(job, target, wish)
    }

    fn put(job: &mut Job<'_>, staged: &Path, _: &str) -> Result<Vec<PathBuf>, Failure> {
        let program = Self::programs(&job.owner.place).join("micromamba");
        place::file(staged, &program, 0o755)?;
        Ok(vec![program])
    }
}
