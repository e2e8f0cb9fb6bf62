//! pixi: one static program, in a folder of its own beside those of its global packages.

use std::path::{Path, PathBuf};

use super::github::{Releases, Sums};
use super::target::Target;
use super::tool::{Release, Tool, Wish, put_programs};
use crate::fetch::Failure;
use crate::first_run::{Job, Place};

/// pixi, the package manager.
pub struct Pixi;

const RELEASES: Releases =
    Releases { repository: "prefix-dev/pixi", prefix: "v", sums: Sums::Beside, assets, grows: 3 };

fn assets(target: Target, _: &str) -> Vec<String> {
    vec![format!("pixi-{}-unknown-linux-musl.tar.gz", target.arch.uname())]
}

impl Tool for Pixi {
    const KIND: &'static str = "pixi";
    const STRIP: Option<u32> = Some(0);
    const PROGRAM: &'static str = "pixi";

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        RELEASES.find(job, target, wish)
    }

    fn put(job: &mut Job<'_>, staged: &Path, _: &str) -> Result<Vec<PathBuf>, Failure> {
        put_programs(staged, &Self::programs(&job.owner.place), &["pixi"])
    }

    fn programs(place: &Place) -> PathBuf {
        place.own("pixi").join("bin")
    }
}
