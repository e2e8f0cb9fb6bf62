//! bun: one program under two names, in a folder of its own beside those of its global packages.

use std::path::{Path, PathBuf};

use super::github::{Releases, Sums};
use super::target::Target;
use super::tool::{Release, Tool, Wish, put_programs};
use crate::fetch::Failure;
use crate::first_run::source::Arch;
use crate::first_run::{Job, Place, place};

/// bun, the JavaScript runtime.
pub struct Bun;

const RELEASES: Releases =
    Releases { repository: "oven-sh/bun", prefix: "bun-v", sums: Sums::List("SHASUMS256.txt"), assets, grows: 3 };

fn assets(target: Target, _: &str) -> Vec<String> {
    let (processor, baseline) = match target.arch {
        Arch::X86 => ("x64", if target.avx2 { "" } else { "-baseline" }),
        Arch::Arm => ("aarch64", ""),
    };
    // The order of the suffixes is that of the npm packages as well: @oven/bun-linux-x64-musl-baseline.
    vec![format!("bun-linux-{processor}{}{baseline}.zip", target.musl_suffix())]
}

impl Tool for Bun {
    const KIND: &'static str = "bun";
    const STRIP: Option<u32> = Some(1);
    const PROGRAM: &'static str = "bun";

    fn find(job: &mut Job<'_>, target: Target, wish: &Wish) -> Result<Release, Failure> {
        RELEASES.find(job, target, wish)
    }

    fn put(job: &mut Job<'_>, staged: &Path, _: &str) -> Result<Vec<PathBuf>, Failure> {
        let folder = Self::programs(&job.owner.place);
        let mut files = put_programs(staged, &folder, &["bun"])?;
        let bunx = folder.join("bunx");
        place::link(&folder.join("bun"), &bunx)?;
        files.push(bunx);
        Ok(files)
    }

    fn programs(place: &Place) -> PathBuf {
        place.own("bun").join("bin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_without_avx2_gets_the_baseline_build() {
        let name = |arch, musl, avx2| assets(Target { arch, musl, avx2 }, "1.4.5").concat();
        assert_eq!(name(Arch::X86, false, true), "bun-linux-x64.zip");
        assert_eq!(name(Arch::X86, false, false), "bun-linux-x64-baseline.zip");
        assert_eq!(name(Arch::X86, true, false), "bun-linux-x64-musl-baseline.zip");
        assert_eq!(name(Arch::Arm, false, false), "bun-linux-aarch64.zip");
        assert_eq!(name(Arch::Arm, true, false), "bun-linux-aarch64-musl.zip");
    }
}
